# SPDX-License-Identifier: GPL-2.0
"""
The rules by which a record may differ from a plain reading of tshark's stream. Each has a name (known.tsv says why) and
changes the frames, or what is read from them, only where its condition holds for this very stream. A difference is
justified when the rules that hold lead from tshark's value to ours, and by nothing else.
"""
from facts import Facts, tshark_completeness, tshark_initial_rtt
from stream import ACK, CONTROL, FIN, FRAGMENT, NO_SCALE, RST, SECOND, SYN, distance, end_of

SETTLE = SECOND // 2           # --settle: a finished connection is reported that long after its last step
CLOSE_TIMEOUT = 60 * SECOND    # without progress, a close that began is reported as it is
SYN_TIMEOUT = 10 * SECOND      # a SYN without answer
SIGHTED_TWICE = SECOND // 1000  # the same packet that soon is no retransmission
REORDER = 16 * 2**20           # bytes: a segment further behind is from another time
FULL_WINDOW = 0xffff
SATURATED = 255                # our counts of copies stop there


class Reading:
    """What is read from the frames of one connection. Rules change it step by step."""

    def __init__(self, pairing):
        self.pairing = pairing
        self.record = pairing.record
        self.frames = pairing.home.frames()
        self.edits = []  # functions (values, facts) that correct what was read
        self.completeness = pairing.home.completeness
        self.initial_rtt = pairing.home.initial_rtt

    def narrow(self, frames):
        """To other frames. What tshark computed itself is computed anew, as far as we know how it does."""
        if len(frames) == len(self.frames) and frames == self.frames:
            return
        if tshark_completeness(self.frames) == self.completeness:
            self.completeness = tshark_completeness(frames)
        if tshark_initial_rtt(self.frames) == self.initial_rtt:
            self.initial_rtt = tshark_initial_rtt(frames)
        self.frames = frames

    def drop(self, is_out):
        self.narrow([frame for frame in self.frames if not is_out(frame)])

    def values(self):
        facts = Facts(self.frames)
        found = facts.values()
        found["completeness", None] = self.completeness
        found["initial_rtt", None] = self.initial_rtt
        for edit in self.edits:
            edit(found, facts)
        return found


# ---- which frames are the connection's ----

def split_by_tshark(reading):
    """tshark starts a stream with a SYN of a new number; where that SYN was none of a new connection, it goes on."""
    streams = reading.pairing.streams
    if len(streams) > 1:
        reading.narrow(sorted(frame for stream in streams for frame in stream.frames()))


def several_connections(reading):
    """A stream of tshark's that holds several connections: each record has the frames from its first to the next's."""
    me, rivals = reading.pairing, reading.pairing.rivals
    if len(rivals) < 2:
        return
    place = rivals.index(me)
    begin = 0 if place == 0 else me.first
    end = rivals[place + 1].first if place + 1 < len(rivals) else 2**32
    others = set().union(*(rival.listed for rival in rivals if rival is not me))
    reading.narrow([f for f in reading.frames
                    if f.number in me.listed or (begin <= f.number < end and f.number not in others)])


def after_report(reading):
    """A finished connection is reported when it has settled; what comes later is no part of its record."""
    record = reading.record
    if record.outcome in ("graceful", "reset", "refused", "handshake_reset"):
        reported = next((f.number for f in reading.frames if f.time - record.end >= SETTLE), 2**32)
        reading.drop(lambda f: f.number >= reported)


# ---- which frames count ----

def sighted_twice(reading):
    """One packet seen twice, by two hooks or a mirrored port: all the same, IP id included, within a millisecond."""
    kept, last = [], []
    for frame in reading.frames:
        if any(frame[2:] == f[2:] and 0 <= frame.time - f.time < SIGHTED_TWICE for f in last):
            continue
        kept.append(frame)
        last = [frame] + last[:1]
    reading.narrow(kept)


def contradicting_flags(reading):
    """SYN with FIN or RST, or a FIN without ACK: no receiver acts on it (RFC 9293 section 3.10.7)."""
    def contradicts(f):
        return f.flags & SYN and f.flags & (FIN | RST) or f.flags & (FIN | RST | ACK) == FIN
    reading.drop(contradicts)


RULES = [split_by_tshark, several_connections, after_report, sighted_twice, contradicting_flags]


def name_of(rule):
    return rule.__name__.replace("_", "-")


def steps(pairing):
    """Yields (rule's name, values) from the plain reading, whose name is "", to the last rule's."""
    reading = Reading(pairing)
    yield "", reading.values()
    for rule in RULES:
        rule(reading)
        yield name_of(rule), reading.values()
