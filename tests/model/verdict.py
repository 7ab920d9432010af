# SPDX-License-Identifier: GPL-2.0-or-later
"""How a connection closed, from its segments: outcome, closer, pattern, states, what is due.

A field is UNDECIDED where neither the RFCs nor tcpfin-trace-record(5) say what it is.
"""
from exchange import Exchange
from fins import fin_of, order
from resets import ENDS, IGNORED, UNDECIDED as NOT_KNOWN, established_at, resets_of
from segment import ACK, RST, SYN

UNDECIDED = "undecided"
NAMES = ("source", "destination")
SETTLE = 500 * 10**6  # ns: --settle
IN_TIME = 60 * 10**9      # ns: --close-timeout


class Verdict:
    """The facts that all fields are read from."""

    def __init__(self, connection, until=None, refuser=None):
        """until: the time of the capture's last packet. refuser: who answered the SYN by an ICMP error, if somebody."""
        self.refuser = refuser
        self.connection = connection
        self.until = until
        self.exchange = Exchange(connection)
        self.segments = connection.segments
        self.established = established_at(self.segments, connection.opener)
        self.fins = [fin_of(self.segments, side) for side in (0, 1)]
        self.first = order(self.segments, self.fins)
        self.complete = self.completion()
        self.resets = resets_of(self.exchange)
        self.reset = next((r for r in self.resets if r.fate == ENDS), None)
        self.late = self.reset is not None and self.complete is not None and self.reset.place > self.complete
        if self.late and self.settled(self.reset.place):
            self.resets, self.reset, self.late = [], None, False
        self.unsure = [r for r in self.resets if r.fate == NOT_KNOWN]
        self.forget_what_follows_the_end()

    def completion(self):
        """The place of the second acknowledgment of a graceful close, or None."""
        if all(fin and fin.acked is not None for fin in self.fins):
            return max(fin.acked for fin in self.fins)
        return None

    def forget_what_follows_the_end(self):
        """An RST that is taken deletes the connection: FINs and acknowledgments behind it are of no connection."""
        if self.reset is None or self.late:
            return
        self.fins = [fin if fin and self.ahead(fin.place) else None for fin in self.fins]
        for side, fin in enumerate(self.fins):
            # The receiver of the RST still acknowledges its sender's FIN: the FIN came first, and the RST behind it.
            if fin and fin.acked is not None and not self.ahead(fin.acked) and side != self.reset.side:
                fin.acked = None
        self.first = order(self.segments, self.fins)
        self.complete = self.completion()
        self.late = self.complete is not None

    def ahead(self, place):
        """Ahead of the RST in the file, or by its time: two capturing CPUs write in another order than the wire's."""
        end = self.reset.place
        return place < end or self.segments[place].time < self.segments[end].time

    def settled(self, place):
        """Whether the record was written before: tcpfin-trace(8) waits that long for what follows a finished close."""
        end = self.complete if self.complete is not None else self.reset and self.reset.place
        return end is not None and place > end and self.segments[place].time - self.segments[end].time > SETTLE

    @property
    def jumped(self):
        """A time stamp is wrong: the page takes the steps' times away, and does not say what else."""
        return any(segment.jumped for segment in self.segments)

    @property
    def midstream(self):
        return not any(s.has(SYN) and s.valid and not s.has(RST) for s in self.segments)

    def seen(self, side):
        return any(s.side == side for s in self.segments)

    def time(self, place):
        return None if place is None else self.segments[place].time

    def proven(self):
        """Midstream: whether the two sides' numbers fit, so that there was a connection at all."""
        return any(a.side != b.side and not a.has(RST) and not b.has(RST) and a.ack is not None and b.ack is not None
                   and b.seq <= a.ack <= b.end + 1 and a.end >= b.ack
                   for a, b in zip(self.segments, self.segments[1:]))

    # ---- outcome ----

    def outcome(self):
        if self.complete is not None:
            return "graceful"
        if self.reset:
            return self.reset_outcome()
        if self.outcome_of_resets():
            return UNDECIDED  # RFC 5961 asks for a challenge ACK; whether this stack knows it is not on the wire
        return self.opening_outcome() if self.established is None else self.open_outcome()

    def reset_outcome(self):
        """refused: a SYN is answered by an RST. handshake_reset: later in the handshake, or by the source."""
        if self.established is not None and self.reset.place > self.established:
            return "reset"
        before = self.segments[:self.reset.place]
        answered = any(s.has(SYN) and s.has(ACK) and s.valid for s in before)
        return "refused" if self.reset.side == 1 and not answered else "handshake_reset"

    def opening_outcome(self):
        if any(self.fins):
            answered = any(s.side == 1 and s.has(SYN) and s.valid for s in self.segments)
            return "unfinished" if answered and self.connection.opener else "unknown"
        alone = {s.side for s in self.segments}
        if len(alone) == 1 and any(not s.has(SYN) and s.valid for s in self.segments):
            return "unknown"  # the other side was not captured: this one had an answer
        return "refused" if self.refuser and alone == {0} else "unanswered"

    def open_outcome(self):
        """unknown is the page's word where what decides was not seen: a side, a part of it, or how it went on."""
        if not any(self.fins):
            return "unknown" if self.connection.replaced else "open"
        if not all(self.seen(side) for side in (0, 1)) or self.lacks_the_end() or self.closer() == UNDECIDED:
            return "unknown"
        if self.until is not None and self.until - max(s.time for s in self.segments) < IN_TIME:
            return UNDECIDED  # "not finished in time": how long that is, the record's page does not say
        return "unfinished"

    def lacks_a_part(self):
        """A side, or the SYN-ACK, was not captured: what else passed is not known."""
        answered = any(s.side == 1 and s.has(SYN) for s in self.segments) or self.midstream
        return not answered or not all(self.seen(side) for side in (0, 1))

    def lacks_the_end(self):
        """A side acknowledges more than was captured of the other: that may have been a FIN."""
        for side in (0, 1):
            taken_in = [s for s in self.segments if s.valid and not s.has(RST)]
            sent = [s.end for s in taken_in if s.side == side]
            taken = [s.ack for s in taken_in if s.side != side and s.ack is not None]
            if sent and taken and max(taken) > max(sent):
                return True
        return False

    # ---- who and how ----

    def closer(self):
        if self.outcome_of_resets() == UNDECIDED:
            return UNDECIDED
        if self.first is not None:
            if None in self.fins and (self.midstream or not all(self.seen(side) for side in (0, 1))):
                return self.lone_closer()
            return self.first if self.first == "both" else NAMES[self.first]
        if self.reset and self.late is False:
            another = self.sent_by_another()
            return UNDECIDED if another == UNDECIDED else "network" if another else NAMES[self.reset.side]
        return self.refuser if self.outcome() == "refused" else "unknown"

    def outcome_of_resets(self):
        return UNDECIDED if self.unsure and self.complete is None and not self.reset else None

    def lone_closer(self):
        """Of one FIN: the other side had not closed before if it sends more behind it, or more is acknowledged then."""
        side = self.first
        place = self.fins[side].place
        fin, other = self.segments[place], 1 - side
        if any(s.valid and not s.has(RST) and (s.end if s.side == other else s.ack) > fin.ack
               for s in self.segments[place + 1:] if s.ack is not None):
            return NAMES[side]
        return UNDECIDED

    def sent_by_another(self):
        """The side that the RST names goes on behind it, as if it had sent none (the page, tcp.reset.forged).

        What it has sent before may be a retransmission, or have been overtaken: a segment lives for two minutes
        (RFC 9293 section 3.4.2), so that is not decided.
        """
        high = self.exchange.before[self.reset.place][self.reset.side]["high"]
        later = [s for s in self.segments[self.reset.place + 1:]
                 if s.side == self.reset.side and not s.has(RST) and s.span]
        return any(high is None or s.end > high for s in later) or (UNDECIDED if later else False)

    def pattern(self):
        if self.outcome() != "graceful":
            return None
        if self.first == "both":
            return "simultaneous"
        first, second = self.fins[self.first], self.fins[1 - self.first]
        return "three_way" if first.acked == second.place else "four_way"

    def time_wait(self):
        """RFC 9293 section 3.6: the end that closed first, or both in CLOSING. An RST ends it (section 3.10.7.4)."""
        if self.outcome() == UNDECIDED:
            return UNDECIDED
        if self.complete is None:
            return None
        holder = "both" if self.first == "both" else NAMES[self.first]
        if self.late:
            return UNDECIDED if holder == "both" else None
        return holder

    def missing(self):
        outcome = self.outcome()
        if outcome == "unanswered":
            # The words name ACKs and FINs. What a SYN waits for is a SYN-ACK, which has no word (the page: null).
            answered = any(s.has(SYN) and s.has(ACK) and s.valid for s in self.segments)
            return "source_ack" if answered else None
        if outcome != "unfinished":
            return UNDECIDED if outcome in (UNDECIDED, "unknown") else None
        return UNDECIDED if self.first == "both" else self.next_step()

    def next_step(self):
        closer = self.first
        mine, other = self.fins[closer], self.fins[1 - closer]
        if mine.acked is None:
            return NAMES[1 - closer] + "_ack"
        return NAMES[1 - closer] + "_fin" if other is None else NAMES[closer] + "_ack"

    # ---- states ----

    def state(self, side):
        """RFC 9293 figure 5, as far as the wire shows it: what came is known from its receiver's answer."""
        outcome = self.outcome()
        if outcome in (UNDECIDED, "unknown"):
            return UNDECIDED
        if self.complete is not None:
            return self.closed_state(side)
        if self.reset:
            return "CLOSED"
        if self.established is None:
            return self.opening_state(side)
        return self.closing_state(side)

    def closed_state(self, side):
        holds = self.first in ("both", side)
        if holds and self.late:
            return "CLOSED" if self.first != "both" else UNDECIDED
        return "TIME-WAIT" if holds else "CLOSED"

    def opening_state(self, side):
        if any(self.fins):
            return UNDECIDED
        answered = any(s.side == 1 and s.has(SYN) and s.valid for s in self.segments)
        if side == 0:
            return UNDECIDED if answered else "SYN-SENT"
        return "SYN-RECEIVED" if answered else UNDECIDED

    def closing_state(self, side):
        mine, other = self.fins[side], self.fins[1 - side]
        came = other is not None and other.acked is not None
        if mine is None:
            return "CLOSE-WAIT" if came else "ESTABLISHED" if other is None else UNDECIDED
        if mine.acked is None:
            if other is None:
                return "FIN-WAIT-1"
            return UNDECIDED if not came else "LAST-ACK" if self.first == 1 - side else "CLOSING"
        if other is None:
            return "FIN-WAIT-2"
        return "TIME-WAIT" if came else UNDECIDED

    # ---- resets ----

    def reset_phase(self):
        if self.reset is None:
            return None
        if self.complete is not None:
            return "closed"
        if self.established is None or self.reset.place <= self.established:
            return "handshake"
        return ("established", "half_closed", "closing")[sum(fin is not None for fin in self.fins)]

    def ignored(self):
        """RSTs that their receiver did not act on, of those ahead of the end."""
        end = self.reset.place if self.reset else len(self.segments)
        return sum(r.fate == IGNORED and r.place < end for r in self.resets)
