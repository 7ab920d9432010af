# SPDX-License-Identifier: GPL-2.0-or-later
"""
The record that a history calls for. What happened is known from both ends, what can be said of it from what passed the
capture's place (tcpfin-trace-record(5)). What the capture lacks can leave a field undecided.
"""
from wire import ACK, FIN, ORDER, RST, SYN

NAMES = ("source", "destination")
MS = 10**6
SETTLE = 500 * MS  # --settle: what comes later than this behind the last step is not in the record
OVERTAKEN = 100 * MS  # of one side's segments further apart, the first one seen was sent first
LISTED = 16        # segments of a close that a record lists at least
TWICE = 1 * MS     # equal bytes within this are one packet that was captured twice


class Undecided:
    """A field that what was left out would have decided. happened: its value all the same."""

    def __init__(self, happened):
        self.happened = happened


class Truth:
    def __init__(self, history):
        self.h, self.ends = history, history.ends
        self.passed = sorted(history.segments + history.hidden, key=lambda s: s.seen)
        self.hidden = {id(s) for s in history.hidden}
        self.resets = [s for s in self.passed if s.flags & RST and self.is_taken(s)]
        self.graceful = all(end.fin_acked for end in self.ends)
        self.outcome = self.find_outcome()
        self.closer = self.first_closer()
        self.last_step = self.find_last_step()

    # ---- what happened ----

    def is_taken(self, s):
        """An RST that ended its receiver or tells of its sender's end; not one that was forged and ignored."""
        return not s.forged or self.h.script.startswith("forged_of")

    def fins(self, side):
        """The side's own FINs that passed, first one first."""
        return [s for s in self.passed if s.side == side and s.flags & FIN and not s.forged]

    def acks_of_fin(self, side):
        """Segments that acknowledge the side's FIN."""
        fin = self.ends[side].fin
        return [s for s in self.passed if s.side != side and s.flags & ACK and fin is not None and s.ack >= fin
                and not s.forged]

    def syns(self, side):
        flags = (SYN, SYN | ACK)[side]
        return [s for s in self.passed if s.flags & (SYN | ACK) == flags and s.side == side and not s.forged]

    def first_closer(self):
        """0, 1 or "both", as the ends know it."""
        if self.ends[0].fin is None or self.ends[1].fin is None:
            return 1 if self.ends[0].fin is None else 0
        knew = [end.fin_knew_peer for end in self.ends]
        return knew.index(False) if any(knew) else "both"

    def bare_acks(self, closer, among):
        """What acknowledged the closer's FIN ahead of the other side's FIN."""
        fin, answer = self.ends[closer].fin, self.ends[1 - closer].fin
        return [s for s in among if s.side != closer and s.flags & ACK and not s.flags & FIN and s.ack >= fin
                and s.end < answer and not s.forged]

    def find_outcome(self):
        if self.graceful:
            return "graceful"
        if self.resets:
            opened = all(end.rcv is not None for end in self.ends) and self.h.script != "cancelled"
            return "reset" if opened else "refused" if self.h.script == "refused" else "handshake_reset"
        if self.ends[1].rcv is None:
            return "unanswered"
        return "unfinished" if self.fins(0) or self.fins(1) else "open"

    def find_last_step(self):
        """When the close was complete."""
        if self.graceful:
            return max(self.acks_of_fin(side)[0].seen for side in range(2))
        return self.resets[0].seen if self.resets else self.passed[-1].seen

    # ---- the fields ----

    def fields(self):
        wanted = {"tcp.outcome": self.outcome, **self.closing(), **self.times(), **self.reset(), **self.counts()}
        undecided = self.undecided()
        return {field: Undecided(value) if field in undecided else value for field, value in wanted.items()}

    def closing(self):
        if not self.graceful:
            return {"tcp.pattern": None, "tcp.time_wait": None, "tcp.closer": self.other_closer(), **self.missing()}
        both = self.closer == "both"
        four = not both and self.bare_acks(self.closer, self.passed)
        name = "both" if both else NAMES[self.closer]
        return {"tcp.pattern": "simultaneous" if both else "four_way" if four else "three_way", "tcp.closer": name,
                "tcp.time_wait": None if self.resets else name, "tcp.missing": None}

    def other_closer(self):
        ends = self.resets[0].seen if self.resets else self.passed[-1].seen + 1
        closers = [side for side in range(2) if any(s.seen < ends for s in self.fins(side))]
        if closers:
            return NAMES[closers[0]]
        if not self.resets:
            return "unknown"
        return "network" if self.resets[0].forged else NAMES[self.resets[0].side]

    def missing(self):
        """Of an unfinished close with one FIN: its acknowledgment, or the other side's FIN."""
        if self.outcome != "unfinished":
            return {}
        side = 0 if self.fins(0) else 1
        return {"tcp.missing": NAMES[1 - side] + ("_fin" if self.ends[side].fin_acked else "_ack")}

    def times(self):
        """Between first sightings, in ns."""
        if not self.graceful or self.closer == "both":
            return {}
        fin, acked, peer_fin, peer_acked = (s.seen for s in self.steps())
        return {"tcp.timing.fin_to_ack": acked - fin, "tcp.timing.half_closed": peer_fin - acked,
                "tcp.timing.peer_fin_to_ack": peer_acked - peer_fin, "tcp.timing.close": peer_acked - fin}

    def steps(self):
        one, two = self.closer, 1 - self.closer
        return self.fins(one)[0], self.acks_of_fin(one)[0], self.fins(two)[0], self.acks_of_fin(two)[0]

    def reset(self):
        if not self.resets:
            return {"tcp.reset.by": None, "tcp.reset.phase": None}
        first = self.resets[0]
        fins = sum(any(s.seen < first.seen for s in self.fins(side)) for side in range(2))
        phase = "handshake" if self.outcome in ("refused", "handshake_reset") else \
            "closed" if self.graceful else ("established", "half_closed", "closing")[fins]
        return {"tcp.reset.by": NAMES[first.side], "tcp.reset.phase": phase, "tcp.reset.validity": "exact",
                "tcp.late_reset": self.graceful, **({"tcp.reset.forged": True} if first.forged else {})}

    def copies(self, segments):
        """How many in addition to the first one. IPv6 has no identification: equal bytes at once count once."""
        kept = []
        for s in segments:
            if not (self.h.number % 3 == 0 and any(s.seen - k.seen < TWICE and s.ack == k.ack and s.end == k.end
                                                   and s.flags == k.flags for k in kept)):
                kept.append(s)
        return max(len(kept) - 1, 0)

    def counts(self):
        found = {"tcp.midstream": False}
        for side, name in enumerate(NAMES):
            end = self.ends[side]
            found[f"tcp.isn.{name}"] = end.isn % ORDER if end.isn != end.nxt else None
            if self.graceful:
                found[f"{name}.bytes"] = end.fin - 1 - end.isn - 1
            found[f"tcp.retransmits.fin_{name}"] = self.copies(self.fins(side))
            found[f"tcp.retransmits.{('syn', 'syn_ack')[side]}"] = self.copies(self.syns(side))
        return found

    # ---- what cannot be decided ----

    def undecided(self):
        fields = self.lost_ahead() | self.too_late() | self.seen_twice() | self.not_listed()
        fields |= self.left_out() if self.hidden else set()
        # What ended it cannot be told, and may be the forgery: then what is counted is another one's.
        forgery = any(s.forged and self.shows(s) for s in self.passed)
        return set(ALL) if "tcp.outcome" in fields and forgery else fields

    def not_listed(self):
        """A record lists so many segments of a close, and of a mirrored one half as many; the rest it only counts."""
        begun = min((s.seen for side in range(2) for s in self.fins(side)), default=self.passed[-1].seen)
        if not self.shows(*self.syns(0)[:1], *self.syns(1)[:1]):  # what opens is listed from its first segment on
            begun = 0
        if not self.h.mirrored or sum(s.seen >= begun for s in self.passed) < LISTED // 2:
            return set()
        return {f"tcp.retransmits.fin_{name}" for name in NAMES}

    def seen_twice(self):
        """Equal bytes over IPv6 about a millisecond apart: copies, or one packet that was captured twice."""
        if self.h.number % 3:
            return set()
        return {"tcp.retransmits." + ("syn", "syn_ack")[side] for side in range(2)
                if any(b.seen - a.seen < 2 * TWICE for a, b in zip(self.syns(side), self.syns(side)[1:]))}

    def lost_ahead(self):
        """The first FIN, or each bare acknowledgment of one, was lost ahead of the capture: nothing shows it."""
        fields = set()
        for side in range(2):
            first = next((s for s in self.h.network.sent if s.side == side and s.flags & FIN and not s.forged), None)
            passed, peer = self.fins(side), self.ends[1 - side].fin
            if first and passed and peer is not None and first.ack < peer <= passed[0].ack:
                fields |= {"tcp.closer", "tcp.time_wait", "tcp.pattern", *TIMES}
            if first and first.seen is None:  # was a bare ACK sent ahead of the FIN, or behind it?
                fields |= {"tcp.pattern"}
        if self.graceful and self.closer != "both" and self.bare_acks(self.closer, self.h.network.sent) and \
                not self.bare_acks(self.closer, [s for s in self.passed if s.seen < self.last_step]):
            fields |= {"tcp.pattern"}
        return fields

    def too_late(self):
        """What comes when the record has settled is not in it."""
        fields, end = set(), self.last_step + SETTLE
        late = [s for s in self.passed if s.seen >= end - MS] if self.graceful or self.resets else []
        for side, name in enumerate(NAMES):
            if any(s in late for s in self.fins(side)):
                fields |= {f"tcp.retransmits.fin_{name}"}
        if self.graceful and any(s in late for s in self.resets):
            fields |= {*RESET, "tcp.time_wait"}
        return fields | self.denied_too_late() | self.not_taken()

    def not_taken(self):
        """An RST behind lost data whose challenge was lost: its receiver goes on, and no exact one comes."""
        first = self.resets[0] if self.resets else None
        taken = self.graceful or not first or first.forged or self.ends[1 - first.side].reset
        return set() if taken else {*CLOSING, *RESET}

    def denied_too_late(self):
        """A forged RST whose alleged sender says nothing more in time: nobody can know that it sent none."""
        first = self.resets[0] if self.resets else None
        if first and first.forged and not any(self.denies(s, first) for s in self.passed):
            return {"tcp.closer", "tcp.reset.forged"}
        return set()

    def denies(self, s, reset):
        """Does it show that its side sent no RST? What says nothing new may have been overtaken by one."""
        if s.side != reset.side or s.flags & RST or s.sent < reset.sent or s.seen > reset.seen + SETTLE - MS:
            return False
        before = [e for e in self.passed if e.side == s.side and e.seen < s.seen and not e.forged]
        return s.seen > reset.seen + OVERTAKEN or all(s.ack > e.ack for e in before) or \
            all(s.end > e.end for e in before)

    def shows(self, *segments):
        return all(id(s) not in self.hidden for s in segments)

    def left_out(self):
        """Each field, unless the segments that decide it are there."""
        fields = set()
        opened = self.shows(*self.syns(0)[:1], *self.syns(1)[:1])
        for side, name in enumerate(NAMES):
            if not self.shows(*self.syns(side)[:1]) or self.is_stray_synack():
                fields |= {f"tcp.isn.{name}", f"{name}.bytes"}
            if not self.shows(*self.fins(side)):
                fields |= {f"tcp.retransmits.fin_{name}", f"{name}.bytes"}
            if not self.shows(*self.syns(side)):
                fields |= {"tcp.retransmits." + ("syn", "syn_ack")[side]}
        if self.ends[0].syn_data and not self.shows(*self.syns(0)[:1]):  # whose number a SYN-ACK does not tell
            fields |= {"tcp.retransmits.syn_ack"}
        if not opened:
            fields |= {"tcp.midstream", "tcp.outcome", "tcp.missing", "tcp.closer", *RESET}
        if self.graceful:
            return fields | self.left_out_of_graceful()
        if self.resets:
            return fields | self.left_out_of_reset()
        return fields | set(() if self.shows(*self.passed) else CLOSING)

    def is_stray_synack(self):
        """A SYN-ACK ahead of an RST, and nothing of the source: it proves no connection that what follows is of."""
        heard = [s for s in self.passed if self.shows(s) and not s.forged and s.seen < self.last_step]
        return bool(self.resets) and not any(s.side == 0 for s in heard)

    def shows_fin_in_time(self, side):
        """Was the side's FIN captured, and not first its acknowledgment? Left of the window it may be anybody's."""
        steps = sorted(self.fins(side) + self.acks_of_fin(side), key=lambda s: s.seen)
        first = next(filter(self.shows, steps), None)
        return first is not None and first.side == side

    def left_out_of_graceful(self):
        fields = set()
        decisive = [self.fins(side)[:1] + self.acks_of_fin(side)[:1] for side in range(2)]
        if not all(self.shows_fin_in_time(side) and any(map(self.shows, self.acks_of_fin(side))) for side in range(2)):
            fields |= {*CLOSING, *RESET}
        if not self.shows(*self.fins(0)[:1], *self.fins(1)[:1]):
            fields |= {"tcp.closer", "tcp.time_wait", "tcp.pattern"}
        if not self.shows(*(s for steps in decisive for s in steps)):
            fields |= {"tcp.pattern", *TIMES}
        if self.closer != "both" and not self.shows(*self.bare_acks(self.closer, self.passed)):
            fields |= {"tcp.pattern"}
        if not self.shows(*self.resets):
            fields |= {*RESET, "tcp.time_wait"}
        return fields

    def left_out_of_reset(self):
        """What its receiver expected is known only from all that was sent to it."""
        return {*CLOSING, *RESET} if not self.shows(*self.passed) else set()


TIMES = ("tcp.timing.fin_to_ack", "tcp.timing.half_closed", "tcp.timing.peer_fin_to_ack", "tcp.timing.close")
CLOSING = ("tcp.outcome", "tcp.pattern", "tcp.closer", "tcp.time_wait", "tcp.missing", *TIMES)
COUNTS = tuple(f"tcp.retransmits.{what}" for what in ("syn", "syn_ack", "fin_source", "fin_destination"))
RESET = ("tcp.reset.by", "tcp.reset.phase", "tcp.reset.validity", "tcp.reset.forged", "tcp.late_reset")
ALL = (*CLOSING, *RESET, *COUNTS, "tcp.midstream", "tcp.isn.source", "tcp.isn.destination", "source.bytes",
       "destination.bytes")
