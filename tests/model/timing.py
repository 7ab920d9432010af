# SPDX-License-Identifier: GPL-2.0-or-later
"""When each step was seen, and how long it took, as tcpfin-trace-record(5) defines the durations."""
from segment import ACK, RST, SYN
from verdict import UNDECIDED


def between(begin, end):
    """Nanoseconds, or None where an end was not seen. Packets out of order of time have no decided duration."""
    if begin is None or end is None:
        return None
    return end - begin if end >= begin else UNDECIDED


def handshake_times(verdict):
    """(SYN, SYN-ACK, the ACK that completes the handshake), each None where it was not seen."""
    def first(side, ack):
        return next((s.time for s in verdict.segments
                     if s.side == side and s.has(SYN) and s.has(ACK) == ack and s.valid), None)
    place = verdict.established
    done = verdict.time(place) if place is not None and place >= 0 else None
    syn, answer = first(0, False), first(1, True)
    if done is not None and answer is None:
        done = UNDECIDED  # it acknowledges the SYN-ACK's number, which was not seen (RFC 9293 section 3.5)
    if done is not None and (verdict.segments[place].side != 0 or verdict.segments[place].has(SYN)):
        done = UNDECIDED  # a simultaneous open has no ACK that only completes
    return syn, answer, done


def close_times(verdict):
    """(first FIN, its ACK, second FIN, its ACK): places, each None where it was not seen."""
    first = 0 if verdict.first == "both" else verdict.first
    if first is None:
        return None, None, None, None
    if verdict.first == "both":
        first = min((0, 1), key=lambda side: verdict.fins[side].place)
    mine, other = verdict.fins[first], verdict.fins[1 - first]
    return mine.place, mine.acked, other and other.place, other and other.acked


def last_step(verdict):
    """The time of the last step of the verdict."""
    times = [segment.time for segment in verdict.segments]
    if times != sorted(times):
        return UNDECIDED
    if verdict.complete is not None:
        return max(verdict.time(fin.acked) for fin in verdict.fins)
    if verdict.reset:
        return verdict.time(verdict.reset.place)
    return UNDECIDED  # the page does not say whether a copy of the FIN, or of its acknowledgment, is a step


def undecided_or(function, *times):
    return UNDECIDED if UNDECIDED in times else function(*times)


def timings(verdict):
    syn, answer, done = handshake_times(verdict)
    fin, fin_ack, peer_fin, peer_ack = (verdict.time(place) for place in close_times(verdict))
    last, crossed = last_step(verdict), verdict.first == "both"
    ended = verdict.complete is not None or verdict.reset is not None
    if crossed:
        fin = fin_ack = peer_fin = peer_ack = UNDECIDED  # the page does not say which of two closers is meant
    return {
        "syn_to_synack": between(syn, answer),
        "synack_to_ack": undecided_or(between, answer, done),
        "initial_rtt": undecided_or(between, syn, done),
        "fin_to_ack": undecided_or(between, fin, fin_ack),
        "half_closed": None if crossed else between(fin_ack, peer_fin),
        "peer_fin_to_ack": undecided_or(between, peer_fin, peer_ack),
        "close": undecided_or(between, fin, last) if ended else None,
        "lifetime": undecided_or(between, syn, last),
    }


def silence(verdict):
    """From the last payload to the first FIN or the RST. Payload that only an RST answered is a case of its own."""
    ends = [fin.place for fin in verdict.fins if fin]
    if verdict.reset and not verdict.late:
        ends.append(verdict.reset.place)
    if not ends:
        return UNDECIDED
    end = verdict.segments[min(ends, key=verdict.time)]
    payload = new_payload(verdict, min(ends))
    if not payload or verdict.lacks_a_part() or end.length or not payload[0].time:
        return UNDECIDED if payload or end.length else None
    asked = next((n for n, s in enumerate(payload) if not answered(verdict, s)), None)
    if asked is None:
        return between(payload[-1].time, end.time)
    if end.has(RST) and end.side == payload[asked].side:
        return UNDECIDED  # its own sender's RST left no time for an answer
    return between(payload[asked - 1].time, payload[asked].time) if asked else None


def new_payload(verdict, end):
    """Payload ahead of place `end` that was not sent before: a retransmission says nothing of the application."""
    found, sent = [], [None, None]
    for s in verdict.segments[:end]:
        length = s.length if not s.has(SYN) or taken_with_syn(verdict, s) else 0
        taken = s.valid or any(o.side != s.side and o.ack == s.end for o in verdict.segments)
        if length and taken and not s.has(RST) and (sent[s.side] is None or s.end > sent[s.side]):
            found.append(s)
            sent[s.side] = s.end
    return found


def taken_with_syn(verdict, syn):
    """Data in a SYN that the SYN-ACK does not acknowledge is sent again, and counts then (RFC 7413 section 4.1.2)."""
    answer = next((s for s in verdict.segments if s.side != syn.side and s.has(SYN) and s.ack is not None), None)
    return answer is not None and answer.ack == syn.end


def answered(verdict, data):
    return any(s.side != data.side and s.ack is not None and s.ack > data.seq and s.valid and not s.has(RST)
               for s in verdict.segments)
