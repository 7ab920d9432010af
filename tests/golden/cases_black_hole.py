# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths that swallow large segments (RFC 2923 section 2.1), and losses that look like it.

handshake() leaves both numbers at 1. Full-size segments have 1448 bytes; copies come by Linux's back-off from 200 ms
on.
"""
from dataclasses import replace

from cases_artefacts import IPV6
from packets import case

FULL = 1448
BACKOFF = (0, 200, 600, 1400, 3000, 6200)


def asked(c):
    """A request of 100 bytes and its ACK: the numbers are 101 and 1."""
    return c.handshake() + [c.src(20, "P.", 1, 1, 100), c.dst(30, ".", 1, 101)]


def answer(c, times=BACKOFF, length=FULL):
    """The destination's full-size answer, and its copies."""
    return [c.dst(40 + ms, ".", 1, 101, length) for ms in times]


def source_gives_up(c, ms=2000):
    """The source closes without having got anything, and the destination's ACK reaches it: the FIN comes once."""
    return [c.src(ms, "F.", 101, 1), c.dst(ms + 10, ".", 1 + FULL, 102)]


def in_order(segments):
    return sorted(segments, key=lambda s: s.time)


@case
def black_hole_of_destination(c):
    """The source closes between the copies of an answer that never reaches it."""
    return in_order(asked(c) + answer(c, BACKOFF + (12600,)) + source_gives_up(c))


@case
def black_hole_of_destination_again(c):
    """The same, with --all-segments."""
    return black_hole_of_destination(c)


@case
def black_hole_of_destination_ipv6(c):
    return black_hole_of_destination(replace(c, ips=IPV6))


@case
def black_hole_midstream(c):
    """Without the handshake."""
    return black_hole_of_destination(c)[3:]


@case
def black_hole_mirrored(c):
    """Each packet twice: copies count once."""
    return [twin for s in black_hole_of_destination(c) for twin in (s, s.sighted(4_000))]


@case
def black_hole_of_source(c):
    """An upload; the destination's idle time-out closes."""
    upload = [c.src(20 + ms, ".", 1, 1, FULL) for ms in BACKOFF + (12600,)]
    return in_order(c.handshake() + upload + [c.dst(2000, "F.", 1, 1), c.src(2010, ".", 1 + FULL, 2)])


@case
def black_hole_with_duplicate_acks(c):
    """Small segments behind the large one pass; each is answered by a duplicate ACK."""
    heartbeats = [s for ms in (1000, 2000) for s in (c.dst(ms, "P.", 1 + FULL, 101, 10), c.src(ms + 10, ".", 101, 1))]
    return in_order(asked(c) + answer(c) + heartbeats + [c.dst(9000, "R.", 1 + FULL + 20, 101)])


@case
def black_hole_small_segments_pass(c):
    """After three losses the sender tries a smaller segment, which passes, and so does the rest (RFC 4821)."""
    return in_order(asked(c) + answer(c, BACKOFF[:4]) + [
        c.dst(3040, ".", 1, 101, 512), c.src(3050, ".", 101, 513), c.dst(3060, ".", 513, 101, 512),
        c.dst(3060.1, ".", 1025, 101, 424), c.src(3070, ".", 101, 1449), c.src(4000, "F.", 101, 1449),
        c.dst(4010, "F.", 1449, 102), c.src(4020, ".", 102, 1450)])


@case
def black_hole_small_segments_pass_again(c):
    """The same, with --all-segments."""
    return black_hole_small_segments_pass(c)


# ---- what is none ----

@case
def no_black_hole_burst_retransmitted_in_parts(c):
    """A host hands bursts to its device, which cuts them: a burst, its copies and a single segment at last."""
    return asked(c) + [c.dst(40, ".", 1, 101, 8 * FULL), c.dst(240, ".", 1, 101, 2 * FULL),
                       c.dst(640, ".", 1, 101, FULL), c.dst(1440, ".", 1, 101, FULL), c.src(1450, ".", 101, 1 + FULL),
                       c.dst(1460, ".", 1 + FULL, 101, 7 * FULL)] + closed_with_answer(c, 1470, 8)


@case
def no_black_hole_receiver_without_memory(c):
    """The receiver drops each copy and says so by a window of 0; then it has room."""
    copies = answer(c, BACKOFF[:5])
    acks = [c.src((s.time - c.start) / 1e6 + 10, ".", 101, 1, win=0) for s in copies]
    return in_order(asked(c) + copies + acks + closed_with_answer(c, 3055)) + [c.src(9000, ".", 102, 2 + FULL)]


def closed_with_answer(c, ms, segments=1):
    """The answer, of so many full segments, is acknowledged at last, and the source closes."""
    end = 1 + segments * FULL
    return [c.src(ms, ".", 101, end), c.src(ms + 100, "F.", 101, end), c.dst(ms + 110, "F.", end, 102),
            c.src(ms + 120, ".", 102, end + 1)]


@case
def no_black_hole_loss_that_recovers(c):
    """A large segment is lost four times, and its next copy of that size passes."""
    return asked(c) + answer(c, BACKOFF[:5]) + closed_with_answer(c, 3050)


@case
def no_black_hole_loss_between_signs_of_life(c):
    """The same, while small segments pass: the size was not the reason."""
    return in_order(asked(c) + answer(c) + [c.dst(500, "P.", 1 + FULL, 101, 10), c.src(510, ".", 101, 1)] +
                    [c.src(6250, ".", 101, 11 + FULL), c.src(6350, "F.", 101, 11 + FULL),
                     c.dst(6360, "F.", 11 + FULL, 102), c.src(6370, ".", 102, 12 + FULL)])


@case
def no_black_hole_dead_host(c):
    """The source says nothing more; the destination closes at last."""
    return asked(c) + answer(c, BACKOFF + (12600, 25400)) + [c.dst(30000, "F.", 1 + FULL, 101)]


@case
def no_black_hole_deaf_host(c):
    """Nothing reaches the source: it repeats its FIN, since the (small) ACK of it is lost, too."""
    fins = [c.src(2000 + ms, "F.", 101, 1) for ms in BACKOFF]
    acks = [c.dst(2010 + ms, ".", 1 + FULL, 102) for ms in BACKOFF]
    return in_order(asked(c) + answer(c, BACKOFF + (12600,)) + fins + acks)


@case
def no_black_hole_small_segments(c):
    """Segments of 400 bytes are lost: no path may swallow them for their size (RFC 9293 section 3.7.1)."""
    return in_order(asked(c) + answer(c, BACKOFF + (12600,), 400) +
                    [c.src(2000, "F.", 101, 1), c.dst(2010, ".", 401, 102)])


@case
def no_black_hole_answered(c):
    """Each copy is answered by a duplicate ACK: it arrived, and its receiver would not take it."""
    copies = answer(c, BACKOFF + (12600,))
    acks = [c.src((s.time - c.start) / 1e6 + 10, ".", 101, 1) for s in copies]
    return in_order(asked(c) + copies + acks + source_gives_up(c))
