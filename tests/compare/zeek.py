# SPDX-License-Identifier: GPL-2.0-or-later
"""
Zeek's conn_state and history from a stream's frames, by the rules of its source (zeek/zeek on GitHub):

  adapter     src/packet_analysis/protocol/tcp/TCPSessionAdapter.cc: each end's state, and the letters
  conn        scripts/base/protocols/conn/main.zeek: conn_state from both states

Run by itself, checks the rules on what Zeek's documentation says of each conn_state and history
(docs.zeek.org: base/protocols/conn/main.zeek, Conn::Info; logs/conn).
"""
import re
import sys

from stream import ACK, FIN, RST, SYN

INACTIVE, SYN_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET = range(6)
ORIG, RESP = 0, 1


class Connection:
    """state and previous state of originator and responder; the history; payload of both."""

    def __init__(self):
        self.state, self.previous = [INACTIVE, INACTIVE], [INACTIVE, INACTIVE]
        self.history, self.bytes = "", [0, 0]
        self.last = {}

    def enter(self, end, state):
        """TCP_Endpoint::SetState (src/analyzer/protocol/tcp/TCP_Endpoint.cc)."""
        if self.state[end] != state:
            self.previous[end], self.state[end] = self.state[end], state

    def take(self, end, flags, seq, length):
        """adapter: TCPSessionAdapter::Process, update_history and UpdateStateMachine."""
        self.spell(end, flags, seq, length)
        self.bytes[end] += length
        if self.state[end] == INACTIVE:
            self.inactive(end, flags, length)
        elif self.state[end] == SYN_SENT:
            self.syn_sent(end, flags)
        elif self.state[end] in (ESTABLISHED, PARTIAL):
            self.established(end, flags)
        elif self.state[end] == CLOSED:
            self.closed(end, flags)  # UpdateResetState changes nothing

    def inactive(self, end, flags, length):
        """adapter: UpdateInactiveState."""
        peer = 1 - end
        if flags & SYN:
            if end == RESP and self.state[peer] == SYN_SENT:
                self.enter(peer, ESTABLISHED)
            self.enter(end, SYN_SENT if end == ORIG else ESTABLISHED)
        if flags & FIN:
            self.enter(end, CLOSED)
        if flags & RST:
            self.enter(end, RESET)
        if self.state[end] == INACTIVE and not (end == RESP and not length and self.state[ORIG] == SYN_SENT):
            completes = flags & ACK and self.state[peer] == ESTABLISHED
            self.enter(end, ESTABLISHED if completes else PARTIAL)

    def syn_sent(self, end, flags):
        """adapter: UpdateSYN_SentState."""
        if flags & FIN:
            self.enter(end, CLOSED)
        if flags & RST:
            self.enter(end, RESET)

    def established(self, end, flags):
        """adapter: UpdateEstablishedState."""
        peer = 1 - end
        if flags & (SYN | ACK) == SYN and self.state[end] == PARTIAL and self.state[peer] == INACTIVE:
            self.enter(end, SYN_SENT)
        if flags & FIN and not flags & RST:
            self.enter(end, CLOSED)
            if self.state[peer] == RESET and self.previous[peer] == CLOSED:
                self.enter(peer, CLOSED)
        if flags & RST:
            self.enter(end, RESET)

    def closed(self, end, flags):
        """adapter: UpdateClosedState."""
        if flags & RST and self.state[1 - end] != CLOSED:
            self.enter(end, RESET)

    def spell(self, end, flags, seq, length):
        """adapter: update_history."""
        control = [letter for letter, bit in (("S", SYN), ("F", FIN), ("R", RST)) if flags & bit]
        if len(control) > 1:
            self.once(end, "I" if flags & FIN and flags & RST else "Q")
        elif control:
            number = seq + length if flags & FIN else seq
            if self.last.get((end, control[0])) != number:
                self.add(end, "H" if flags & SYN and flags & ACK else control[0])
            self.last[end, control[0]] = number
        elif length:
            self.once(end, "D")
        elif flags & ACK:
            self.once(end, "A")

    def add(self, end, letter):
        self.history += letter if end == ORIG else letter.lower()

    def once(self, end, letter):
        if (letter if end == ORIG else letter.lower()) not in self.history:
            self.add(end, letter)

    def conn_state(self):
        """conn: function conn_state."""
        orig, resp = self.state
        no_orig, no_resp = orig in (INACTIVE, PARTIAL), resp in (INACTIVE, PARTIAL)
        if resp == RESET:
            if orig == SYN_SENT or (orig == RESET and self.bytes == [0, 0]):
                return "REJ"
            return "RSTRH" if no_orig else "RSTR"
        if orig == RESET:
            if no_resp:
                return "RSTOS0" if re.match(r"\^?S[^HAFGIQ]*R.*", self.history) else "OTH"
            return "RSTO"
        if orig == CLOSED and resp == CLOSED:
            return "SF"
        if orig == CLOSED:
            return "SH" if no_resp else "S2"
        if resp == CLOSED:
            return "SHR" if no_orig else "S3"
        if orig == SYN_SENT and resp == INACTIVE:
            return "S0"
        return "S1" if orig == resp == ESTABLISHED else "OTH"


def judge(frames, orig):
    """The connection after these frames. orig: side of the originator."""
    connection = Connection()
    for frame in frames:
        connection.take(RESP if frame.side != orig else ORIG, frame.flags, frame.seq, frame.length)
    return connection


# What the documentation says, as letters: a segment each, upper case from the originator; "," is data.
SEGMENTS = {"S": (SYN, 0), "H": (SYN | ACK, 0), "A": (ACK, 0), "D": (ACK, 100), "F": (FIN | ACK, 0), "R": (RST, 0)}
DOCUMENTED = [
    ("S", "S0", "Connection attempt seen, no reply"),
    ("ShADad", "S1", "Connection established, not terminated"),
    ("ShADadFf", "SF", "Normal establishment and termination; the history of logs/conn's example"),
    ("Sr", "REJ", "Connection attempt rejected"),
    ("ShADadF", "S2", "Close attempt by originator seen, no reply from responder"),
    ("ShADadf", "S3", "Close attempt by responder seen, no reply from originator"),
    ("ShADadR", "RSTO", "Connection established, originator aborted"),
    ("ShADadr", "RSTR", "Responder sent a RST"),
    ("SR", "RSTOS0", "Originator sent a SYN followed by a RST, no SYN-ACK seen"),
    ("hr", "RSTRH", "Responder sent a SYN-ACK followed by a RST, no SYN seen"),
    ("SF", "SH", "Originator sent a SYN followed by a FIN, no SYN-ACK seen"),
    ("hf", "SHR", "Responder sent a SYN-ACK followed by a FIN, no SYN seen"),
    ("DadA", "OTH", "No SYN seen, just midstream traffic"),
]


def check_documented():
    faults = 0
    for letters, state, meaning in DOCUMENTED:
        connection, numbers = Connection(), [0, 0]
        for letter in letters:
            end, (flags, length) = (ORIG if letter.isupper() else RESP), SEGMENTS[letter.upper()]
            connection.take(end, flags, numbers[end], length)
            numbers[end] += length + bool(flags & (SYN | FIN))
        right = connection.conn_state() == state and connection.history == letters
        print(f"{'ok' if right else 'not ok'} zeek_{state} - {meaning}")
        if not right:
            print(f"    {letters} gives {connection.conn_state()} {connection.history}")
        faults += not right
    return faults > 0


if __name__ == "__main__":
    sys.exit(check_documented())
