# SPDX-License-Identifier: GPL-2.0-or-later
"""The fields of a record that the RFCs and tcpfin-trace-record(5) define, from a verdict."""
import ipaddress

from segment import ACK, FIN, ORDER, RST, SYN
from timing import last_step, silence, timings
from verdict import NAMES, UNDECIDED

AT_LEAST = 255  # counts end there
TIMES = {"event.start", "last_step", "tcp.silence"}


def stream_bytes(verdict, side):
    """Payload by sequence numbers: from the SYN to the FIN, or to the last that was sent."""
    stream, fin, isn = verdict.exchange.streams[side], verdict.fins[side], initial(verdict, side)
    if isn is None or stream.high is None:
        return UNDECIDED if stream.known() else None
    if not any(verdict.fins) and not verdict.resets:
        return UNDECIDED  # the page does not say whether bytes between opening and close are seen without a close
    data = [s.seq + s.has(SYN) + s.length for s in verdict.segments if s.side == side and s.valid and not s.has(RST)]
    taken = [stream.acked] if stream.acked is not None and stream.gap else []
    if taken and not fin and taken[0] > max(data + [isn + 1]):
        return UNDECIDED  # the last number may have been a FIN's
    return ((fin.end - 1 if fin else max(data + [isn + 1])) - isn - 1) % ORDER


def initial(verdict, side):
    """The SYN's number, or one less than what the SYN-ACK acknowledges (RFC 9293 section 3.5, figure 6)."""
    if verdict.exchange.streams[side].isn is not None:
        return verdict.exchange.streams[side].isn
    answer = verdict.segments[0]
    return answer.ack - 1 if answer.has(SYN) and answer.ack is not None and answer.side != side else None


def half_closed_bytes(verdict):
    """What the other side sends from its acknowledgment of the FIN on. That segment's own payload was sent with it."""
    if verdict.first is None or (verdict.first != "both" and verdict.fins[verdict.first].acked is None):
        return None
    if verdict.first == "both":
        return UNDECIDED
    other = 1 - verdict.first
    begin, fin = verdict.segments[verdict.fins[verdict.first].acked].seq, verdict.fins[other]
    sent = [s.seq + s.length for s in verdict.segments if s.side == other and s.valid and not s.has(RST)]
    return max(0, (fin.end - 1 if fin else max(sent)) - begin)


def completeness(verdict):
    """A sum over all segments. What a receiver ignores makes it undecided: Wireshark takes it, this page does not."""
    if any(not s.valid for s in verdict.segments) or verdict.ignored() or verdict.midstream:
        return UNDECIDED
    total = 0
    for place, s in enumerate(verdict.segments):
        if verdict.settled(place):
            break
        # Wireshark's rule: a segment with ACK and without SYN counts as data or, without payload, as ACK.
        opening = 1 if s.has(SYN) and not s.has(ACK) else 2 if s.has(SYN) else 0
        plain = 8 if s.length else 4 if s.has(ACK) and not s.has(SYN) else 0
        total |= opening | plain | (16 if s.has(FIN) else 0) | (32 if s.has(RST) else 0)
    sent = [stream_bytes(verdict, side) for side in (0, 1)]
    return UNDECIDED if UNDECIDED in sent else total | (8 if any(sent) else 0)


def copies(verdict, side, ack):
    """Copies of a SYN (ack: SYN-ACK) of that side."""
    first = None
    count = 0
    for s in verdict.segments:
        if s.side == side and s.has(SYN) and s.has(ACK) == ack and not s.has(RST) and not s.has(FIN):
            count += first is not None and s.seq == first
            first = s.seq if first is None and s.valid else first
    return min(count, AT_LEAST)


def fin_copies(verdict, side):
    fin = verdict.fins[side]
    return min(sum(not verdict.settled(place) for place in fin.copies), AT_LEAST) if fin else 0


def scale(verdict, side):
    """RFC 7323 section 2.3 has 14 for more; the page says what the side offered."""
    offered = verdict.exchange.scales[side]
    return UNDECIDED if offered is not None and offered > 14 else offered


def fin_original(verdict, side):
    """Whether the first FIN seen directly follows what was captured of its side."""
    fin = verdict.fins[side]
    if fin is None or verdict.midstream:
        return UNDECIDED
    begin = verdict.segments[fin.place].seq
    before = [s for s in verdict.segments[:fin.place] if s.side == side and s.valid and not s.has(RST)]
    if any(s.span == 0 and s.seq == fin.end for s in before):
        return False  # the side has used the FIN's number before
    isn = initial(verdict, side)
    return any(s.end == begin for s in before) or (isn is not None and begin == isn + 1)


def mptcp(verdict):
    subtypes = verdict.segments[verdict.reset.place].mptcp if verdict.reset else ()
    return "fastclose" if 7 in subtypes else "reset" if 8 in subtypes else None


def ttl_differs(verdict):
    if verdict.reset is None:
        return None
    opening = next((s for s in verdict.segments if s.side == verdict.reset.side and s.has(SYN) and s.valid), None)
    return None if opening is None else (verdict.segments[verdict.reset.place].ttl != opening.ttl) or None


def address(end):
    found = ipaddress.ip_address(end[0])
    mapped = found.version == 6 and found.ipv4_mapped
    return f"::ffff:{mapped}" if mapped else str(found)  # RFC 5952 section 5


def identity(verdict):
    fields = {}
    for name, end in zip(NAMES, verdict.connection.ends):
        fields[name + ".ip"], fields[name + ".port"] = address(end), end[1]
    return fields


def sides(verdict):
    fields = {}
    for side, name in enumerate(NAMES):
        isn = initial(verdict, side)
        fields[name + ".bytes"] = stream_bytes(verdict, side)
        fields["tcp.state." + name] = verdict.state(side)
        fields["tcp.isn." + name] = None if isn is None else isn % ORDER
        fields["tcp.window_scale." + name] = scale(verdict, side)
        fields["tcp.retransmits.fin_" + name] = fin_copies(verdict, side)
        fields["tcp.fin_original." + name] = fin_original(verdict, side)
    return fields


def reset_fields(verdict):
    reset = verdict.reset
    validity = reset and (reset.validity or UNDECIDED)
    fields = {"by": NAMES[reset.side] if reset else None, "phase": verdict.reset_phase(), "validity": validity,
              "mptcp": mptcp(verdict), "ttl_differs": ttl_differs(verdict)}
    if verdict.unsure and not reset:
        fields = dict.fromkeys(fields, UNDECIDED)
    return {"tcp.reset." + name: value for name, value in fields.items()}


def captured_twice(verdict):
    """Without --all-segments only a part of the packets is looked at: how many, the page does not say."""
    return UNDECIDED if any(s.twice for s in verdict.segments) else 0


def record(verdict):
    """Every field by its dotted path. "event.start" and "last_step" are ns since 1970."""
    fields = {
        **identity(verdict), **sides(verdict), **reset_fields(verdict),
        "event.start": UNDECIDED if verdict.midstream else verdict.connection.start(), "last_step": last_step(verdict),
        "tcp.outcome": verdict.outcome(), "tcp.pattern": verdict.pattern(), "tcp.closer": verdict.closer(),
        "tcp.time_wait": verdict.time_wait(), "tcp.missing": verdict.missing(), "tcp.late_reset": verdict.late,
        "tcp.half_closed_bytes": half_closed_bytes(verdict), "tcp.completeness": completeness(verdict),
        "tcp.midstream": verdict.midstream, "tcp.resets_ignored": verdict.ignored(), "tcp.silence": silence(verdict),
        "tcp.captured_twice": captured_twice(verdict),
        "tcp.handshake.challenge_acks": verdict.connection.challenges,
        "tcp.retransmits.syn": copies(verdict, 0, False), "tcp.retransmits.syn_ack": copies(verdict, 1, True),
    }
    fields.update(("tcp.timing." + name, time) for name, time in timings(verdict).items())
    if verdict.jumped:
        fields.update((name, UNDECIDED) for name in fields if name.startswith("tcp.timing.") or name in TIMES)
    if verdict.connection.ends[0] == verdict.connection.ends[1]:
        # A socket that is connected to itself (RFC 9293 section 3.5, simultaneous open) has no other side.
        return {**dict.fromkeys(fields, UNDECIDED), **identity(verdict)}
    return fields
