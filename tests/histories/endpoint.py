# SPDX-License-Identifier: GPL-2.0-or-later
"""One end of a TCP connection: RFC 9293 sections 3.4 to 3.10 and RFC 5961, as far as a history needs them."""
from dataclasses import dataclass

from wire import ACK, FIN, PSH, RST, SYN

MS = 10**6
RTO, SYN_RTO = 200 * MS, 1000 * MS
WINDOW = 64000
CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, SYNCHRONIZED = "closed", "listen", "syn_sent", "syn_received", "synchronized"


@dataclass
class Segment:
    side: int
    flags: int
    seq: int           # absolute, not wrapped: the simulation counts on beyond 2^32
    ack: int = 0
    length: int = 0
    ip_id: int = 0
    forged: bool = False
    sent: int = 0      # ns
    seen: int = None   # ns, where the capture is; None: it did not come by

    @property
    def end(self):
        return self.seq + self.length + bool(self.flags & SYN) + bool(self.flags & FIN)


class Endpoint:
    def __init__(self, network, side, isn):
        self.network, self.side = network, side
        self.state = LISTEN if side else SYN_SENT
        self.isn = self.una = self.nxt = isn
        self.peer_isn = self.rcv = None
        self.kept = []            # segments not acknowledged, oldest first
        self.early = []           # segments that came ahead of their turn
        self.fin = None           # number behind the own FIN
        self.peer_fin = False     # the peer's FIN was taken
        self.fin_knew_peer = False  # it was when the own FIN was first sent
        self.reset = False        # ended by an RST, own or the peer's
        self.timer = 0            # number of the timer that counts
        self.tries = 0
        self.taken = 0            # payload bytes
        self.on_event = lambda what: None  # "open", "data", "fin", "acked", "reset"
        self.answers = True       # False: the host is gone
        self.syn_data = 0         # bytes that the SYN carries
        self.takes_syn_data = True

    # ---- sending ----

    def send(self, flags, seq=None, length=0):
        acks = flags & ACK or (self.rcv is not None and not flags & RST)
        segment = Segment(self.side, flags | (ACK if acks else 0), self.nxt if seq is None else seq,
                          self.rcv if acks else 0, length)
        self.network.transmit(segment)
        return segment

    def keep(self, flags, length=0):
        """Sends what is to be acknowledged."""
        segment = self.send(flags, None, length)
        self.kept.append((flags, segment.seq, length, segment.end))
        self.nxt = segment.end
        if len(self.kept) == 1:
            self.start_timer()

    def connect(self):
        self.keep(SYN, self.syn_data)

    def write(self, length):
        self.keep(PSH | ACK, length)

    def close(self, length=0):
        """FIN, with the last payload."""
        self.fin_knew_peer = self.peer_fin
        self.keep(FIN | ACK, length)
        self.fin = self.nxt

    def abort(self):
        self.send(RST | ACK)
        self.end_by_reset()

    def end_by_reset(self):
        self.state, self.reset, self.kept = CLOSED, True, []
        self.on_event("reset")

    def start_timer(self):
        self.timer += 1
        wait = (SYN_RTO if self.kept and self.kept[0][0] & SYN else RTO) << self.tries
        self.network.after(wait, self.expire, self.timer)

    def expire(self, timer):
        if timer != self.timer or not self.kept or not self.answers or self.tries > 6:
            return
        self.tries += 1
        self.send(*self.joined() if self.network.happens("joined") else self.kept[0][:3])
        self.start_timer()

    def joined(self):
        """What waits, as one segment: a FIN may move into the data before it."""
        first, last = self.kept[0], self.kept[-1]
        if first[0] & SYN:
            return first[:3]
        return last[0], first[1], last[3] - first[1] - bool(last[0] & FIN)

    # ---- receiving ----

    def receive(self, s):
        if not self.answers:
            return
        if self.state == CLOSED:
            self.refuse(s)
        elif self.state == LISTEN:
            self.listen(s)
        elif self.state == SYN_SENT:
            self.finish_connecting(s)
        else:
            self.synchronized(s)

    def refuse(self, s):
        """Section 3.10.7.1. What comes after a graceful close is left alone: histories end there."""
        if s.flags & RST or not (self.reset or self.rcv is None):
            return
        if s.flags & ACK:
            self.network.transmit(Segment(self.side, RST, s.ack))
        else:
            self.network.transmit(Segment(self.side, RST | ACK, 0, s.end))

    def listen(self, s):
        if s.flags & SYN:
            self.taken = s.length if self.takes_syn_data else 0
            self.peer_isn, self.rcv, self.state = s.seq, s.seq + 1 + self.taken, SYN_RECEIVED
            self.keep(SYN | ACK)

    def finish_connecting(self, s):
        if not s.flags & ACK or not self.isn < s.ack <= self.nxt:
            return
        if s.flags & RST:
            self.end_by_reset()
        elif s.flags & SYN:
            self.peer_isn, self.rcv, self.state = s.seq, s.end, SYNCHRONIZED
            sent = self.nxt
            if s.ack != self.nxt:  # of the SYN without its data
                self.kept = [(PSH | ACK, s.ack, self.nxt - s.ack, self.nxt)]
                self.send(PSH | ACK, s.ack, self.nxt - s.ack)
            self.acknowledged(s.ack)
            self.on_event("syn_ack")
            if self.nxt == sent and self.state == SYNCHRONIZED:
                self.send(ACK)

    def synchronized(self, s):
        """Sections 3.10.7.4; RFC 5961 sections 3 and 4 for RST and SYN."""
        if s.flags & RST:
            self.take_reset(s)
        elif s.flags & SYN and self.state == SYN_RECEIVED and s.seq == self.peer_isn:
            self.send(SYN | ACK, self.isn)
        elif s.flags & SYN:
            self.send(ACK)  # a challenge; and a repeated SYN-ACK is answered so, too
        elif s.end < self.rcv or s.seq >= self.rcv + WINDOW or (s.end == self.rcv and s.end > s.seq):
            self.send(ACK)
        elif s.flags & ACK and s.ack <= self.nxt:
            self.acknowledged(s.ack)
            if s.end > s.seq:
                self.take(s)

    def take_reset(self, s):
        if s.seq == self.rcv:
            self.end_by_reset()
        elif self.rcv < s.seq < self.rcv + WINDOW:
            self.send(ACK)

    def acknowledged(self, ack):
        if ack <= self.una:
            return
        self.una, self.tries = ack, 0
        self.kept = [kept for kept in self.kept if kept[3] > ack]
        if self.state == SYN_RECEIVED:
            self.state = SYNCHRONIZED
            self.on_event("open")
        self.start_timer()
        self.on_event("acked")

    def take(self, s):
        self.early.append(s)
        before, fin = self.rcv, self.peer_fin
        for early in sorted(self.early, key=lambda e: e.seq):
            if early.seq <= self.rcv < early.end:
                self.rcv = early.end
                self.peer_fin = self.peer_fin or bool(early.flags & FIN)
        self.taken += self.rcv - before - (self.peer_fin and not fin)
        self.early = [e for e in self.early if e.end > self.rcv]
        sent = self.nxt
        if self.peer_fin and not fin:
            self.on_event("fin")
        elif self.rcv > before:
            self.on_event("data")
        if self.nxt == sent and self.state == SYNCHRONIZED:  # else what was sent carries the acknowledgment
            self.send(ACK)

    @property
    def fin_acked(self):
        return self.fin is not None and self.una >= self.fin
