# SPDX-License-Identifier: GPL-2.0-or-later
"""
The rules by which a record may differ from a plain reading of tshark's stream. Each has a name (known.tsv has the
reason) and changes the frames, or what is read from them, only where its condition holds for that stream. A difference
is justified only if the rules that hold lead from tshark's value to ours.
"""
import zeek
from facts import BOTH, Facts, tshark_completeness, tshark_initial_rtt, whole_completeness
from records import IGNORED
from sides import REORDER, Sides, contradicts, walk
from stream import ACK, CONTROL, CUT, FIN, FRAGMENT, RST, SECOND, SYN, distance, end_of

SETTLE = SECOND // 2            # --settle: time from the last step of a finished connection to its report
SIGHTED_TWICE = SECOND // 1000  # the same packet within that time is no retransmission
HANDSHAKE_SLACK = 2**20         # how far the ACK that completes a handshake may be ahead, where the first one was lost
FRAGMENT_MOST = 0xffff
FOREIGN_MOST = 64               # segments in a row with numbers that are not the sender's
SATURATED = 255                 # the record's counts of copies end there
ENDED = ("graceful", "reset", "refused", "handshake_reset")
RESET = ("reset", "refused", "handshake_reset")


class Reading:
    """The values read from the frames of one connection. Rules change them step by step."""

    def __init__(self, pairing, view):
        self.pairing = pairing
        self.record = pairing.record
        self.backwards = view.backwards  # the file's times are not in order
        self.jumped = view.jumped        # numbers of frames whose times are wrong
        self.frames = pairing.home.frames()
        self.edits = []  # functions (values, facts) that correct what was read
        self.last_edits = []
        self.whole = {}  # the flags of frames by number, as they came
        self.completeness = pairing.home.completeness
        self.initial_rtt = pairing.home.initial_rtt

    def narrow(self, frames):
        """Takes other frames. Values computed by tshark are computed anew where we know how it does that."""
        frames = list(frames)
        if frames == self.frames:
            return
        if self.completeness in (tshark_completeness(self.frames), whole_completeness(self.frames)):
            self.completeness = tshark_completeness(frames)
        if tshark_initial_rtt(self.frames) == self.initial_rtt:
            self.initial_rtt = tshark_initial_rtt(frames)
        self.frames = frames

    def drop(self, is_out):
        self.narrow(frame for frame in self.frames if not is_out(frame))

    def read_other(self, frames):
        """Takes frames of which some flags do not count; tshark's completeness stays, and Zeek's state."""
        for frame in self.frames:
            self.whole.setdefault(frame.number, frame.flags)
        self.frames = list(frames)

    def values(self):
        facts = Facts(self.frames)
        found = facts.values()
        found["completeness", None] = self.completeness
        found["initial_rtt", None] = self.initial_rtt
        found["conn_state", None] = zeek.judge(map(self.as_it_came, self.frames), self.record.source).conn_state()
        for edit in self.edits + self.last_edits:
            edit(found, facts)
        return found

    def as_it_came(self, frame):
        return frame._replace(flags=self.whole.get(frame.number, frame.flags))


# ---- which frames are the connection's ----

def other_frames(reading):
    """tshark's stream has frames that the program does not count: broken, in a tunnel, or of another interface."""
    if reading.pairing.home.partial:
        reading.completeness = tshark_completeness(reading.frames)
        reading.initial_rtt = tshark_initial_rtt(reading.frames)


def cut_frames(reading):
    """tshark gives no times for frames whose TCP options were cut off."""
    if reading.pairing.home.cut and reading.initial_rtt is None:
        reading.initial_rtt = tshark_initial_rtt(reading.frames)


def split_by_tshark(reading):
    """
    tshark starts a stream with a SYN of a new number. Where that SYN opened nothing, the old connection goes on. It
    also goes on where the new stream has no SYN at all: then tshark's completeness is not that of the stream's frames.
    """
    streams = reading.pairing.streams
    if len(streams) < 2:
        return
    reading.narrow(sorted(frame for stream in streams for frame in stream.frames()))
    if any(continues(stream, streams) for stream in streams):
        reading.completeness = tshark_completeness(reading.frames)


def foreign_syn(reading):
    """
    A SYN or SYN-ACK with a number that is far from every other one of its side, or behind them, opened nothing: the
    connection that was going on challenges it. tshark begins a stream with the SYN, and counts both.
    """
    def is_foreign(frame):
        if not reading.record.midstream or not frame.flags & SYN or frame.flags & RST:
            return False
        others = [f for f in reading.frames if not f.flags & (SYN | RST) or (f.flags & RST and f.flags & ACK)]
        numbers = [f.seq if f.side == frame.side else f.ack for f in others]
        return bool(numbers) and all(not 0 <= distance(number, frame.seq) <= REORDER for number in numbers)
    reading.drop(is_foreign)


def several_connections(reading):
    """
    One stream of tshark's has several connections, or the rest of an older one: each record has the frames from its
    first one to the next record's.
    """
    me, rivals = reading.pairing, reading.pairing.rivals
    place = rivals.index(me)
    first = next(f for f in reading.frames if f.number == me.first)
    begin = me.first if place or first.flags & SYN else 0
    end = rivals[place + 1].first if place + 1 < len(rivals) else 2**32
    others = set().union(*(rival.listed for rival in rivals if rival is not me))
    reading.narrow(f for f in reading.frames
                   if f.number in me.listed or (begin <= f.number < end and f.number not in others))


def older_segments(reading):
    """Until the handshake is complete, segments of the tuple's older connection may arrive."""
    syn = reading.frames[0]
    if syn.flags & (SYN | ACK | RST) != SYN:
        return
    answer = next((f for f in reading.frames if is_answer(f, syn)), None)
    done = answer and next((f.number for f in reading.frames if completes(f, answer)), None)

    def is_old(frame):
        if frame.flags & (SYN | RST) or (done and frame.number >= done):
            return False
        number = frame.seq if frame.side == syn.side else frame.ack if frame.flags & ACK else syn.seq + 1
        return (number - syn.seq - 1) % 2**32 >= HANDSHAKE_SLACK
    reading.drop(is_old)


def after_report(reading):
    """
    A finished connection is reported when it has settled: later frames are not in its record. One that is not finished
    is reported at the end of the file, with all of its frames.
    """
    record, last = reading.record, max(reading.pairing.listed)
    if record.outcome not in ENDED:
        return
    wait = -2**63 if reading.backwards else SETTLE  # the times of other connections may have run ahead
    reported = next((f.number for f in reading.frames if f.number > last and f.time - record.end >= wait), 2**32)
    reading.drop(lambda f: f.number >= reported)


def clock_jumped(reading):
    """
    A packet whose clock had jumped is judged by its numbers: it stands where it is in the file, and what would be
    measured from it is null.
    """
    wrong = {f.number for f in reading.frames if f.number in reading.jumped}
    if not wrong:
        return
    right = [f.time for f in reading.frames if f.number not in wrong] or [reading.record.start]
    before, frames = right[0], []
    for frame in reading.frames:
        before = before if frame.number in wrong else frame.time
        frames.append(frame._replace(time=before))
    reading.narrow(frames)
    reading.last_edits.append(lambda values, facts: forget_times(reading, values, facts, wrong))


def forget_times(reading, values, facts, wrong):
    """Of the frames with these numbers."""
    for side, fin in enumerate(facts.fins):
        if facts.acks[side] and facts.acks[side].number in wrong:
            values["fin_ack_time", side] = None
        if fin and fin.number in wrong and values["first_fin_time", None] == fin.time:
            values["first_fin_time", None] = None
    if wrong & {f.number for f in handshake_ends(reading.frames) if f}:
        values["initial_rtt", None] = None


def clock_runs_back(reading):
    """
    A time before the connection's first one is replaced by that one, so that no duration is negative. Of a FIN's copies
    and of its acknowledgments the earliest time counts, wherever in the file it is.
    """
    if not reading.backwards:
        return
    frames = [f._replace(time=max(f.time, reading.record.start)) for f in reading.frames]
    firsts = [fin for fin in Facts(frames).fins if fin]
    earliest = {fin.number: min(f.time for f in frames if is_copy(f, fin)) for fin in firsts}

    def edit(values, facts):
        for side, fin in enumerate(facts.fins):
            acks = [f.time for f in frames if fin and acknowledges(f, fin)
                    and (f.number > fin.number or f.time >= fin.time)]
            values["fin_ack_time", side] = min(acks, default=values["fin_ack_time", side])
    reading.narrow(f._replace(time=earliest.get(f.number, f.time)) for f in frames)
    reading.edits.append(edit)


def is_copy(frame, fin):
    return frame.side == fin.side and frame.flags & FIN and not frame.flags & RST and end_of(frame) == end_of(fin)


def acknowledges(frame, fin):
    return frame.side != fin.side and frame.flags & (ACK | RST) == ACK and frame.ack == end_of(fin)


# ---- which frames count, and as what ----

def sighted_twice(reading):
    """
    One packet seen twice, by two hooks or a mirrored port: equal in all, IP id included, within a millisecond. Where
    other packets came between, it may count as a copy: then our count is between the two.
    """
    frames = reading.frames
    twins = {second.number for place, first in enumerate(frames) for second in soon_after(frames, place)
             if second[2:] == first[2:]}
    before = Facts(frames)
    reading.read_other(frame for frame in frames if frame.number not in twins)

    def edit(values, _facts):
        record = reading.record.values()
        for key, most in before.values().items():
            if key[0] in ("fin_copies", "resets") and None not in (most, record[key], values[key]):
                values[key] = max(values[key], min(record[key], most))
    if twins:
        reading.edits.append(edit)


def soon_after(frames, place):
    for frame in frames[place + 1:]:
        if not 0 <= frame.time - frames[place].time < SIGHTED_TWICE:
            return
        yield frame


def contradicting_flags(reading):
    """SYN with FIN, or a FIN without ACK."""
    reading.drop(contradicts)


def reset_first(reading):
    """A RST is processed before SYN and FIN of its segment (RFC 9293 sections 3.10.7.3, second step, and 3.10.7.4)."""
    def edit(values, _facts):
        if not any(f.flags & (SYN | ACK | RST) == SYN | ACK for f in whole):
            values["completeness", None] &= ~2
    whole = reading.frames
    if any(f.flags & RST and f.flags & (SYN | FIN) for f in whole):
        reading.read_other(f._replace(flags=f.flags & ~(SYN | FIN)) if f.flags & RST else f for f in whole)
        reading.edits.append(edit)


def ignored_reset(reading):
    """A RST that its receiver would not accept, before the close began: counted in resets_ignored, not listed."""
    unlisted = {frame.number for frame, sides in walk(reading.frames)
                if frame.flags & RST and frame.number not in reading.pairing.listed
                and sides.reset_is_acceptable(frame) is False}
    if len(unlisted) <= reading.record.resets_ignored + reading.record.lost:
        reading.read_other(f for f in reading.frames if f.number not in unlisted)


def survived_reset(reading):
    """
    A RST with the right number that did not end its receiver: the other side acknowledges what that sent after it, or
    it acknowledges what the other side sent behind the RST. One that had taken it is CLOSED and sends nothing but RSTs
    (RFC 9293 section 3.10.7.4).
    """
    survived = {f.number for f in reading.frames if f.flags & RST and f.number not in reading.pairing.listed
                and is_survived(reading.frames, f)}
    if len(survived) <= reading.record.resets_ignored:
        reading.drop(lambda f: f.number in survived)


def is_survived(frames, reset):
    later = [f for f in frames if f.number > reset.number and not f.flags & (RST | SYN)]
    if any(f.side != reset.side and f.flags & ACK and 0 < distance(f.ack, reset.seq) < REORDER for f in later):
        return True
    sent = next((f for f in later if f.side != reset.side and f.length), None)
    return sent is not None and any(f.side == reset.side and f.flags & ACK and f.number > sent.number
                                    and 0 <= distance(f.ack, end_of(sent)) < REORDER for f in later)


def numbers_come_back(reading):
    """
    A sender's numbers grow within its window (RFC 9293 section 3.4): a few segments far from those before and behind
    them are not its own.
    """
    foreign = {f.number for side in (0, 1) for f in astray([f for f in reading.frames if f.side == side])}
    reading.drop(lambda f: f.number in foreign)


def astray(frames):
    """Of one side: runs of frames that are far from the number that its later frames go on from."""
    end, run, found = None, [], []
    for frame in frames:
        if frame.flags & (SYN | RST) or end is None:
            end, run = end_of(frame), []
        elif abs(distance(frame.seq, end)) <= REORDER:
            end = max(end_of(frame), end, key=lambda number: distance(number, end))
            found, run = found + run, []
        elif len(run) < FOREIGN_MOST:
            run.append(frame)
        else:
            end, run = end_of(frame), []
    return found


def forged_fin(reading):
    """
    A FIN whose numbers its receiver cannot have expected, or had before the sender's first FIN. One whose end, behind
    all data, was acknowledged already is a copy of a FIN that was not captured. The one of several ends that is
    acknowledged is real: a receiver knows no other.
    """
    forged, fins, real = set(), set(), [acknowledged_fin(reading.frames, side) for side in (0, 1)]
    for frame, sides in walk(reading.frames):
        if not frame.flags & FIN:
            continue
        fin = frame.side, end_of(frame)
        left = fin not in fins and sides.fin_is_left(frame) and not follows_its_ack(reading.frames, frame)
        if real[frame.side] != fin[1] and (left or not sides.fin_is_plausible(frame)):
            forged.add(frame.number)
        else:
            fins.add(fin)
    reading.read_other(f for f in reading.frames if f.number not in forged)


def acknowledged_fin(frames, side):
    """Of a side's FINs with different ends that of the one that is acknowledged behind it; None unless there is one."""
    fins = [f for f in frames if f.side == side and f.flags & FIN]
    ends = {end_of(fin) for fin in fins if any(acknowledges(f, fin) and f.number > fin.number for f in frames)}
    return ends.pop() if len(ends) == 1 and len({end_of(fin) for fin in fins}) > 1 else None


def follows_its_ack(frames, fin):
    """Whether its end is behind all data of its side, and stands acknowledged ahead of it."""
    data = any(f.side == fin.side and f.length and not f.flags & FIN and distance(end_of(f), end_of(fin)) >= 0
               for f in frames)
    return not data and any(acknowledges(f, fin) and f.number < fin.number for f in frames)


def other_fin(reading):
    """
    Of two FINs of a side with different ends one is forged: the one that is not acknowledged, where the other is; else
    the first one, if the other is next in sequence.
    """
    chosen = [acknowledged_fin(reading.frames, side) for side in (0, 1)]
    firm, acked = ([end is not None for end in chosen] for _ in range(2))
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
    """After the RST that ended the connection, FINs and acknowledgments are no steps of its close."""
    record = reading.record
    reset = next((f for f, sides in walk(reading.frames) if f.flags & RST and abs(f.time - record.end) <= 1000
                  and sides.reset_is_acceptable(f) is not False), None)
    if record.outcome in RESET and reset:
        reading.read_other(f._replace(flags=f.flags & ~(FIN | ACK))
                           if f.time >= reset.time and f.number > reset.number and not f.flags & RST else f
                           for f in reading.frames)


# ---- values ----

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


def ack_ahead(reading):
    """An acknowledgment of the FIN stands ahead of it in the file: how long it took is not known."""
    def edit(values, facts):
        for side, fin in enumerate(facts.fins):
            if fin and reading.record.values()["fin_ack_time", side] is None and any(
                    acknowledges(f, fin) and f.number < fin.number for f in reading.frames):
                values["fin_ack_time", side] = None
    reading.edits.append(edit)


def order_by_numbers(reading):
    """A FIN that acknowledges the other came second; if neither does, both sides closed first."""
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
    The time from the first SYN to the ACK of its sender that completes the handshake. tshark has it from the latest SYN
    to the next ACK of either side, that of a RST included, and has no value for 0.
    """
    time = handshake_time(reading.frames)

    def edit(values, _facts):
        values["initial_rtt", None] = time
    reading.edits.append(edit)


def handshake_ends(frames):
    """The SYN and the ACK that completes its handshake; None where not there. The SYN may come after its SYN-ACK."""
    syn = next((f for f in frames if f.flags & (SYN | ACK | RST) == SYN), None)
    answer = syn and next((f for f in frames if is_answer(f, syn)), None)
    ack = answer and next((f for f in frames if f.number > answer.number and completes(f, answer)), None)
    return syn, ack


def handshake_time(frames):
    """
    None where a part is missing, or the SYN comes last in the file; or where a filter for SYN, FIN and RST has left no
    ACK that could complete a handshake: a FIN comes later.
    """
    syn, ack = handshake_ends(frames)
    if all(f.flags & (SYN | FIN | RST) for f in frames):
        return None
    return max(0, ack.time - syn.time) if ack and ack.number > syn.number else None


def is_answer(frame, syn):
    return frame.flags & (SYN | ACK | RST) == SYN | ACK and frame.side != syn.side and acknowledges_syn(frame, syn)


def acknowledges_syn(frame, syn):
    return bool(frame.flags & ACK) and (frame.ack - syn.seq - 1) % 2**32 <= syn.length


def other_synack(reading):
    """A SYN-ACK that acknowledges another SYN than the connection's is none of its handshake."""
    def edit(values, _facts):
        syn = next((f for f in reading.frames if f.flags & (SYN | ACK) == SYN), None)
        if syn and not any(is_answer(f, syn) for f in reading.frames):
            values["completeness", None] &= ~2
    reading.edits.append(edit)


def syn_after_answer(reading):
    """The SYN comes after its SYN-ACK in the file. tshark counts a SYN only where it begins the stream."""
    syn = any(f.flags & (SYN | ACK) == SYN for f in reading.frames)

    def edit(values, _facts):
        values["completeness", None] |= syn & reading.record.completeness
    reading.edits.append(edit)


def ack_with_data(reading):
    """An ACK came with data or a FIN; tshark counts only pure ACKs."""
    listed = any(s.flags & (SYN | RST | ACK) == ACK for s in reading.record.segments())
    answers = [f for f in reading.frames if f.flags & (SYN | ACK | RST) == SYN | ACK]
    completed = any(completes(f, answer) for answer in answers for f in reading.frames if f.number > answer.number)

    def edit(values, _facts):
        values["completeness", None] |= 4 * (listed or completed)
    reading.edits.append(edit)


def half_view(reading):
    """
    Whose FIN was the first is not told where the other side's may have passed unseen: the only one acknowledges more
    than the payload that was captured of the other side. ACKs alone have the number behind their side's FIN as well.
    """
    def edit(values, facts):
        fins = [fin for fin in facts.fins if fin]
        others = [distance(fins[0].ack, end_of(f)) for f in reading.frames
                  if fins and f.side != fins[0].side and not f.flags & RST and (f.length or f.flags & SYN)]
        unseen = fins and all(ahead > 0 for ahead in others if abs(ahead) < REORDER)
        if reading.record.closer == "unknown" and len(fins) == 1 and unseen:
            values["first_fin_sender", None] = None
    reading.edits.append(edit)


def fin_missed(reading):
    """
    Of a FIN that stands behind its own acknowledgment only a copy was captured. What it acknowledged when it was sent
    first is not known, so whose FIN was the first is not told.
    """
    def edit(values, facts):
        missed = any(fin and acknowledges(f, fin) and f.number < fin.number and fin.time - f.time > SIGHTED_TWICE
                     for fin in facts.fins for f in reading.frames)
        if reading.record.closer == "unknown" and missed:
            values["first_fin_sender", None] = None
    reading.edits.append(edit)


def zeek_takes_all(reading):
    """
    Zeek takes a FIN or RST whatever its numbers. Our conn_state leaves out what its receiver ignored: a RST without the
    number that it expected (RFC 5961 section 3.2), or behind which it goes on, and a FIN with foreign numbers. Where
    the list had no room for all RSTs, it counts them.
    """
    listed = list(reading.record.segments())
    marked = [s for s in listed if s.flags & IGNORED]
    unlisted = [f for f in reading.frames if f.flags & RST and not any(is_counted_in(f, s) for s in listed)]
    marked += unlisted if marked and len(unlisted) <= reading.record.lost else []
    ignored = {f.number for f, sides in walk(reading.frames)
               if any(f is s or is_counted_in(f, s) for s in marked) and is_ignored(reading.frames, f, sides)}
    taken = [reading.as_it_came(f) for f in reading.frames if f.number not in ignored]
    state = zeek.judge(taken, reading.record.source).conn_state()

    def edit(values, _facts):
        if ignored:
            values["conn_state", None] = state
    reading.edits.append(edit)


def is_counted_in(frame, segment):
    """Whether the listed segment stands for the frame. One that counts several copies has the time of the first."""
    if (frame.seq, frame.side, frame.flags & CONTROL) != (segment.seq, segment.side, segment.flags & CONTROL):
        return False
    return frame.time == segment.time or (segment.number > 1 and frame.time > segment.time)


def is_ignored(frames, frame, sides):
    """Whether the numbers say, or its receiver's next segments, that nobody acted on a FIN or RST."""
    if not frame.flags & RST:
        return not sides.fin_is_plausible(frame)
    sent = sides.side[frame.side].end
    inexact = sides.side[1 - frame.side].ack not in (None, frame.seq) or (sent and distance(frame.seq, sent) < 0)
    return inexact or answers_challenge(frames, frame) or any(
        f.number > frame.number and f.side != frame.side and not f.flags & RST for f in frames)


def answers_challenge(frames, reset):
    """
    A RST of the sender of a SYN that nothing accepted, with another number than the one behind that SYN, is the answer
    to an ACK of an older connection (RFC 9293 section 3.10.7.3, first step): it is meant for that one.
    """
    syn = next((f for f in frames if f.side == reset.side and f.flags & (SYN | ACK | RST) == SYN), None)
    return bool(syn) and not any(is_answer(f, syn) for f in frames) and reset.seq not in (syn.seq, end_of(syn))


def fragmented_data(reading):
    """Data in the first fragment of a datagram: tshark does not give its length and counts none."""
    held = any(f.flags & FRAGMENT and f.length for f in reading.frames)

    def edit(values, _facts):
        values["completeness", None] |= 8 * held
    reading.edits.append(edit)


def cut_data(reading):
    """The file's writer cut the frame and lost its length: the numbers say what tshark cannot see, that it had data."""
    held = any(f.flags & CUT and f.length for f in reading.frames)

    def edit(values, _facts):
        values["completeness", None] |= 8 * held
    reading.edits.append(edit)


def data_by_numbers(reading):
    """The capture has no data segment, but later numbers prove that data was sent."""
    def edit(values, facts):
        starts = [start for f in reading.frames if f.flags & SYN for start in starts_of(f)]
        if any(is_beyond(f, start, facts.fins) for start in starts for f in reading.frames):
            values["completeness", None] |= 8 & reading.record.completeness
    reading.edits.append(edit)


def starts_of(syn):
    """(side, number of its first byte) from a SYN or SYN-ACK."""
    own = [(syn.side, syn.seq + 1)]
    return own + [(1 - syn.side, syn.ack)] if syn.flags & ACK else own


def is_beyond(frame, start, fins):
    """Whether the frame proves data in the direction whose first byte has that number."""
    side, first = start
    if frame.flags & SYN or (frame.side != side and not frame.flags & ACK):
        return False
    number, fin = frame.seq if frame.side == side else frame.ack, fins[side]
    return distance(number, first) > bool(fin and number == end_of(fin))


def unlisted_data(reading):
    """ACKs and data that the record does not list: without a handshake later numbers need not prove them."""
    def edit(values, _facts):
        record = reading.record
        if not (record.midstream or record.outcome == "unknown"):
            return
        listed = record.completeness
        for segment in record.segments():
            if segment.flags & ACK and not segment.flags & SYN:
                listed |= 8 if segment.length else 4
        values["completeness", None] &= ~12 | listed
    reading.edits.append(edit)


RULES = [other_frames, cut_frames, split_by_tshark, foreign_syn, several_connections, clock_jumped, clock_runs_back,
         numbers_come_back, older_segments, after_report, sighted_twice, reset_first, contradicting_flags,
         ignored_reset, survived_reset, forged_fin, other_fin, handshake_rtt, after_reset, saturated, fragmented_fin,
         ack_ahead, order_by_numbers, other_synack, syn_after_answer, ack_with_data, half_view, fin_missed,
         zeek_takes_all, fragmented_data, cut_data, data_by_numbers, unlisted_data]


def name_of(rule):
    return rule.__name__.replace("_", "-")


def steps(pairing, view):
    """Yields (name, values) from the plain reading, whose name is "", to the last rule."""
    reading = Reading(pairing, view)
    yield "", reading.values()
    for rule in RULES:
        rule(reading)
        yield name_of(rule), reading.values()


# ---- streams without a record ----

def why_unreported(stream, pairings):
    """The name of the rule by which a stream has no record, or None. pairings: those of its ends."""
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
    """A SYN that opened nothing while the tuple had a connection: at most challenged (RFC 5961 section 4)."""
    return opened_nothing(stream) and any(p.home and p.home is not stream and p.first < stream.first().number
                                          for p in pairings)


def continues(stream, streams):
    """The stream begins without a valid SYN, at the numbers that another stream has reached."""
    first = stream.first()
    before = [f for other in streams if other is not stream for f in other.frames() if f.number < first.number]
    heard = Sides()
    for frame in before:
        heard.hear(frame)
    end = heard.side[first.side].end
    return not first.flags & SYN and end is not None and abs(distance(first.seq, end)) < REORDER


def opened_nothing(stream):
    """The SYN that begins the stream was neither accepted nor refused."""
    frames = stream.frames()
    syn = frames[0]
    if syn.flags & (SYN | ACK) != SYN:
        return False
    return not any(is_answer(f, syn) or (f.flags & RST and f.side != syn.side and acknowledges_syn(f, syn))
                   for f in frames)


def is_confirmed(frames):
    """
    Whether both sides took part with matching numbers: a FIN or RST fits the numbers of both, or the other side
    acknowledged a FIN or SYN-ACK.
    """
    so_far, synack, fins = Sides(), None, set()
    for frame, sides in walk(frames):
        if contradicts(frame) or (frame.flags & FIN and not sides.fin_is_plausible(frame)):
            continue
        flags = frame.flags & (CONTROL | ACK)
        if flags & (FIN | RST) and not fins and not synack and so_far.is_evident(frame):
            return True
        if flags & ACK and not flags & RST and (1 - frame.side, frame.ack) in fins:
            return True
        if synack and completes(frame, synack):
            return True
        if flags & FIN:
            fins.add((frame.side, end_of(frame)))
        if flags & (SYN | ACK) == SYN | ACK:
            synack = frame
        if not flags & CONTROL and flags & ACK:
            so_far.hear(frame)
    return False


def completes(frame, synack):
    """Whether the frame completes the handshake of this SYN-ACK."""
    if frame.side == synack.side or frame.flags & (ACK | RST) != ACK:
        return False
    seq = frame.seq + bool(frame.flags & SYN)
    return (frame.ack - synack.seq - 1) % 2**32 < HANDSHAKE_SLACK and (seq - synack.ack) % 2**32 < HANDSHAKE_SLACK


# ---- records that tshark's streams do not show ----

def is_another(pairing):
    """Whether a further record of a stream is another connection: it opens with a SYN, or the one before had ended."""
    before = [rival for rival in pairing.rivals if rival.first < pairing.first]
    first = next(f for f in pairing.home.frames() if f.number == pairing.first)
    return bool(first.flags & SYN) or all(first.time >= rival.record.end for rival in before)
