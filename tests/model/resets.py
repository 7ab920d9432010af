# SPDX-License-Identifier: GPL-2.0-or-later
"""RSTs: how their number fits, and whether the receiver acts on them (RFC 9293 section 3.10.7, RFC 5961 section 3)."""
from segment import ACK, RST, SYN

ENDS, IGNORED, UNDECIDED = "ends", "ignored", "undecided"


class Reset:
    def __init__(self, place, side, validity, fate):
        self.place, self.side, self.validity, self.fate = place, side, validity, fate


def established_at(segments, opener):
    """The place of the segment that completes the handshake: each SYN is acknowledged. None where it was not completed.

    Without a SYN in the capture (midstream) that is place -1: it was complete before. With the SYN-ACK as the first
    segment the SYN's acknowledgment is known.
    """
    if not any(s.has(SYN) and s.valid for s in segments):
        return -1
    numbers, done = [None, None], [opener is None, False]
    for place, s in enumerate(segments):
        if not s.valid or s.has(RST):
            continue
        if s.has(SYN):
            numbers[s.side] = s.seq
        other = 1 - s.side
        if s.ack is not None and (numbers[other] is not None and s.ack > numbers[other]):
            done[other] = True
        elif s.ack is not None and not s.has(SYN) and numbers[other] is None and s.side == 0:
            done[1] = True  # the SYN-ACK was not captured; the source acknowledges it
        if s.side == 0 and not s.has(SYN) and done[1]:
            done[0] = True  # the source acknowledges the SYN-ACK, so that had acknowledged the SYN
        if all(done):
            return place
    return None


def in_syn_sent(exchange, at, side):
    """The receiver of an RST by `side` is in SYN-SENT: it has sent a SYN, and no SYN of the other side came."""
    out, back = exchange.before[at][side], exchange.before[at][1 - side]
    return back["isn"] is not None and not any(out[number] is not None for number in ("isn", "next", "acked"))


def validity_of(exchange, at):
    """exact, in_window, out_of_window or unknown, by RFC 5961 section 3.2; None where only a part of it is known."""
    s, (out, back) = exchange.segments[at], sides(exchange, at)
    if in_syn_sent(exchange, at, s.side):
        # RFC 9293 section 3.10.7.3: it is acceptable if the ACK field acknowledges the SYN.
        fits = s.ack is not None and back["isn"] < s.ack <= back["high"]
        return "exact" if fits else "out_of_window"
    if out["next"] is None and out["acked"] is None:
        return "unknown"
    low = out["next"] if out["acked"] is None else out["acked"]
    high = low if out["next"] is None else max(low, out["next"])
    if s.seq == high:
        return "exact"
    if s.seq < low:
        return "out_of_window"
    if s.seq < high:
        return None  # what was sent last may have arrived or not
    if out["limit"] is None:
        return "unknown"
    if s.seq < out["limit"]:
        return "in_window"
    return "unknown" if s.seq < out["loose"] else "out_of_window"


def sides(exchange, at):
    """The streams' bounds as a segment passed: its sender's, its receiver's."""
    side = exchange.segments[at].side
    return exchange.before[at][side], exchange.before[at][1 - side]


def went_on(exchange, at):
    """The receiver lives: it acknowledges what was sent behind the RST, or sends what is then acknowledged."""
    segments, side = exchange.segments, exchange.segments[at].side
    out, back = sides(exchange, at)
    sent, taken = out["high"], back["high"]
    for n in range(at + 1, len(segments)):
        s = segments[n]
        if s.has(RST) or not s.valid or s.ack is None:
            continue
        if s.side != side and sent is not None and s.ack > max(sent, out["acked"] or sent):
            return True
        if s.side == side and taken is not None and s.ack > max(taken, back["acked"] or taken):
            return True
    return repeats(segments[at + 1:], 1 - side)


def repeats(segments, side):
    """The side retransmits what it has sent since: an end that has deleted its connection has nothing to retransmit."""
    sent = set()
    for s in segments:
        if s.side == side and s.span and not s.has(RST) and not s.has(SYN):  # a refused SYN is tried again
            if s.end in sent:
                return True
            sent.add(s.end)
    return False


def challenged(exchange, at):
    """The receiver answers with an ACK that does not take the RST (RFC 5961 section 3.2)."""
    segments, s = exchange.segments, exchange.segments[at]
    answer = next((o for o in segments[at + 1:] if o.side != s.side), None)
    out, _ = sides(exchange, at)
    if answer is None or answer.span or answer.has(RST):
        return False
    return answer.ack is not None and answer.ack == out["acked"]


def fate_of(exchange, at, validity):
    if validity == "out_of_window":
        return IGNORED
    if went_on(exchange, at):
        return IGNORED
    if validity == "in_window":
        # RFC 5961 section 3.2 asks for a challenge ACK. Silence shows an older stack, or that all is over.
        return IGNORED if challenged(exchange, at) else UNDECIDED
    return UNDECIDED if validity == "unknown" else ENDS


def resets_of(exchange):
    """All RSTs in order. Behind one that ends the connection the others are answers of a closed end."""
    found = []
    for at, segment in enumerate(exchange.segments):
        if segment.has(RST):
            validity = validity_of(exchange, at)
            found.append(Reset(at, segment.side, validity, fate_of(exchange, at, validity)))
    return found
