# SPDX-License-Identifier: GPL-2.0
"""
The rules by which a record may differ from a plain reading of tshark's stream. Each has a name (known.tsv says why) and
changes the frames, or what is read from them, only where its condition holds for this very stream. A difference is
justified when the rules that hold lead from tshark's value to ours, and by nothing else.
"""
from facts import BOTH, Facts, tshark_completeness, tshark_initial_rtt
from sides import JUMP, contradicts, is_evident, walk
from stream import ACK, CONTROL, FIN, FRAGMENT, RST, SECOND, SYN, distance, end_of

SETTLE = SECOND // 2            # --settle: a finished connection is reported that long after its last step
CLOSE_TIMEOUT = 60 * SECOND     # without progress, a close that began is reported as it is
SYN_TIMEOUT = 10 * SECOND       # so is a SYN without answer
SIGHTED_TWICE = SECOND // 1000  # the same packet that soon is no retransmission
HANDSHAKE_SLACK = 2**20         # numbers of the ACK that completes a handshake, where the first one was lost
FRAGMENT_MOST = 0xffff
SATURATED = 255                 # our counts of copies stop there
ENDED = ("graceful", "reset", "refused", "handshake_reset")
RESET = ("reset", "refused", "handshake_reset")


class Reading:
    """What is read from the frames of one connection. Rules change it step by step."""

    def __init__(self, pairing, backwards):
        self.pairing = pairing
        self.record = pairing.record
        self.backwards = backwards  # the file's times are not in order
        self.frames = pairing.home.frames()
        self.edits = []  # functions (values, facts) that correct what was read
        self.completeness = pairing.home.completeness
        self.initial_rtt = pairing.home.initial_rtt

    def narrow(self, frames):
        """To other frames. What tshark computed itself is computed anew, as far as we know how it does."""
        frames = list(frames)
        if frames == self.frames:
            return
        if tshark_completeness(self.frames) == self.completeness:
            self.completeness = tshark_completeness(frames)
        if tshark_initial_rtt(self.frames) == self.initial_rtt:
            self.initial_rtt = tshark_initial_rtt(frames)
        self.frames = frames

    def drop(self, is_out):
        self.narrow(frame for frame in self.frames if not is_out(frame))

    def read_other(self, frames):
        """Frames whose flags count less than tshark's completeness makes of them."""
        self.frames = list(frames)

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
    """tshark starts a stream with a SYN of a new number; where that SYN was none of a new connection, the old goes on."""
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
    reading.narrow(f for f in reading.frames
                   if f.number in me.listed or (begin <= f.number < end and f.number not in others))


def after_report(reading):
    """
    A finished connection is reported when it has settled, an unfinished one when nothing new came for a time, a SYN when
    nobody answered; what comes later is no part of the record.
    """
    record, last = reading.record, max(reading.pairing.listed)
    if record.outcome in ENDED:
        def is_due(frame):
            return reading.backwards or frame.time - record.end >= SETTLE
    elif record.outcome == "unanswered":
        def is_due(frame):
            return frame.time - record.end >= SYN_TIMEOUT
    else:
        def is_due(frame):
            return frame.time - record.end >= CLOSE_TIMEOUT
    reported = next((f.number for f in reading.frames if f.number > last and is_due(f)), 2**32)
    reading.drop(lambda f: f.number >= reported)


# ---- which frames count, and as what ----

def sighted_twice(reading):
    """One packet seen twice, by two hooks or a mirrored port: all the same, IP id included, within a millisecond."""
    kept, last = [], []
    for frame in reading.frames:
        if any(frame[2:] == f[2:] and 0 <= frame.time - f.time < SIGHTED_TWICE for f in last):
            continue
        kept.append(frame)
        if last and not (frame.flags | last[0].flags) & CONTROL and frame.side == last[0].side:
            last[0] = frame
        else:
            last = [frame] + last[:1]
    reading.narrow(kept)


def contradicting_flags(reading):
    """SYN with FIN or RST, or a FIN without ACK."""
    reading.drop(contradicts)


def reset_beats_fin(reading):
    """Of a segment with RST nothing else is looked at (RFC 9293 section 3.10.7.4)."""
    both = FIN | RST
    reading.read_other(f._replace(flags=f.flags & ~FIN) if f.flags & both == both else f for f in reading.frames)


def ignored_reset(reading):
    """A RST that its receiver would not accept, before the close began: counted in resets_ignored, not listed."""
    unlisted = {frame.number for frame, sides in walk(reading.frames)
                if frame.flags & RST and frame.number not in reading.pairing.listed
                and sides.reset_is_acceptable(frame) is False}
    if len(unlisted) <= reading.record.resets_ignored:
        reading.read_other(f for f in reading.frames if f.number not in unlisted)


def forged_fin(reading):
    """A FIN whose numbers its receiver cannot have expected."""
    forged = {frame.number for frame, sides in walk(reading.frames)
              if frame.flags & FIN and not sides.fin_is_plausible(frame)}
    reading.read_other(f for f in reading.frames if f.number not in forged)


def other_fin(reading):
    """Of two FINs of a side with different ends one is forged: the first, if the other is next in sequence."""
    chosen, firm, acked = [None, None], [False, False], [False, False]
    for frame, sides in walk(reading.frames):
        me, other = frame.side, 1 - frame.side
        if frame.flags & FIN:
            end, top = end_of(frame), sides.side[me].end
            follows = top is not None and distance(frame.seq, top) <= 0 < distance(end, top)
            if chosen[me] is None or (end != chosen[me] and follows and not firm[me] and not acked[me]):
                chosen[me], firm[me] = end, follows
        if frame.flags & ACK and not frame.flags & RST and chosen[other] == frame.ack:
            acked[other] = True
    reading.read_other(f for f in reading.frames if not f.flags & FIN or end_of(f) == chosen[f.side])


def after_reset(reading):
    """A RST ended the connection: FINs and acknowledgments that were still on their way are no steps of its close."""
    record = reading.record
    reset = next((f for f in reading.frames if f.flags & RST and abs(f.time - record.end) <= 1000), None)
    if record.outcome in RESET and reset:
        reading.read_other(f._replace(flags=f.flags & ~(FIN | ACK))
                           if f.time > record.end and f.number > reset.number and not f.flags & RST else f
                           for f in reading.frames)


# ---- what is read from them ----

def saturated(reading):
    """Copies beyond 255 are not counted."""
    def edit(values, _facts):
        for side in (0, 1):
            if values["fin_copies", side] is not None:
                values["fin_copies", side] = min(values["fin_copies", side], SATURATED)
    reading.edits.append(edit)


def fragmented_fin(reading):
    """The FIN came in a fragment, so its end is known only from its acknowledgment."""
    def edit(values, facts):
        for side, fin in enumerate(facts.fins):
            if fin and fin.flags & FRAGMENT and values["fin_ack_time", side] is None:
                values["fin_ack_time", side] = next(
                    (f.time for f in reading.frames if f.number > fin.number and f.side != side and f.flags & ACK
                     and not f.flags & RST and 0 <= distance(f.ack, end_of(fin)) < FRAGMENT_MOST), None)
    reading.edits.append(edit)


def answers(fin, other):
    return fin.ack == end_of(other)


def order_by_numbers(reading):
    """Of two FINs, one that acknowledges the other came second; if neither does, both sides closed first."""
    def edit(values, facts):
        a, b = facts.fins
        if not a or not b or answers(a, b) and answers(b, a):
            return
        if not answers(a, b) and not answers(b, a):
            values["first_fin_sender", None] = BOTH
            values["first_fin_time", None] = min(a.time, b.time)
        else:
            first = b if answers(a, b) else a
            values["first_fin_sender", None], values["first_fin_time", None] = first.side, first.time
    reading.edits.append(edit)


def handshake_rtt(reading):
    """
    From the first SYN to the ACK of its sender that completes the handshake. tshark: from the latest SYN to the next ACK
    of whoever, be it in a RST; and 0 is no time to it.
    """
    def edit(values, _facts):
        values["initial_rtt", None] = handshake_time(reading.frames)
    reading.edits.append(edit)


def handshake_time(frames):
    syn = answer = None
    for frame in frames:
        flags = frame.flags & (SYN | ACK | RST)
        if flags == SYN and syn is None:
            syn = frame
        elif flags == SYN | ACK and syn and not answer and frame.side != syn.side:
            if (frame.ack - syn.seq - 1) % 2**32 <= syn.length:
                answer = frame
        elif answer and frame.side == syn.side and flags & (ACK | RST) == ACK:
            seq = frame.seq + bool(flags & SYN)
            if (frame.ack - answer.seq - 1) % 2**32 < HANDSHAKE_SLACK and (seq - syn.seq - 1) % 2**32 < HANDSHAKE_SLACK:
                return max(0, frame.time - syn.time)
    return None


def unlisted_data(reading):
    """ACKs and data before the first segment that the record lists: without a handshake it cannot know of them."""
    def edit(values, _facts):
        record = reading.record
        if not (record.midstream or record.outcome == "unknown"):
            return
        listed = 0
        for f in reading.frames:
            if f.number in reading.pairing.listed and f.flags & ACK and not f.flags & SYN:
                listed |= 8 * (f.length > 0) | 4
        values["completeness", None] &= ~12 | listed
    reading.edits.append(edit)


RULES = [split_by_tshark, several_connections, after_report, sighted_twice, contradicting_flags, reset_beats_fin,
         ignored_reset, forged_fin, other_fin, after_reset, saturated, fragmented_fin, order_by_numbers, handshake_rtt,
         unlisted_data]


def name_of(rule):
    return rule.__name__.replace("_", "-")


def steps(pairing, backwards):
    """Yields (rule's name, values) from the plain reading, whose name is "", to the last rule's."""
    reading = Reading(pairing, backwards)
    yield "", reading.values()
    for rule in RULES:
        rule(reading)
        yield name_of(rule), reading.values()


# ---- streams without a record ----

def why_unreported(stream, pairings):
    """The name of the rule by which a stream has no record; None where it should have one. pairings: of its ends."""
    control = [f for f in stream.frames() if f.flags & CONTROL]
    if not control:
        return "nothing-opens-or-closes"
    proper = [f for f in control if not contradicts(f)]
    if not proper:
        return "contradicting-flags-only"
    if any(f.flags & (SYN | ACK) == SYN for f in proper):
        return "syn-inside" if is_inside(stream, pairings) else None
    return None if is_confirmed(stream.frames()) else "stray"


def is_inside(stream, pairings):
    """A SYN without answer while the tuple had a connection: challenged, if anything (RFC 5961 section 4)."""
    frames = stream.frames()
    first = frames[0]
    answered = any(f.flags & (SYN | ACK) == SYN | ACK for f in frames)
    return not answered and any(p.home and p.first < first.number and p.home is not stream for p in pairings)


def is_confirmed(frames):
    """Both sides took part, with matching numbers: the other one acknowledged a FIN or SYN-ACK, or a RST fits in."""
    synack = None
    fins = set()
    for frame, sides in walk(frames):
        if contradicts(frame):
            continue
        if frame.flags & RST:
            if is_evident(frame, sides):
                return True
            continue
        if frame.flags & ACK and (1 - frame.side, frame.ack) in fins:
            return True
        if synack and frame.side != synack.side and frame.flags & ACK:
            if (frame.ack - synack.seq - 1) % 2**32 < HANDSHAKE_SLACK and \
                    (frame.seq - synack.ack) % 2**32 < HANDSHAKE_SLACK:
                return True
        if frame.flags & FIN:
            fins.add((frame.side, end_of(frame)))
        if frame.flags & (SYN | ACK) == SYN | ACK:
            synack = frame
    return False
