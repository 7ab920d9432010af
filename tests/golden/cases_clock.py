# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets whose time stamp is wrong: the close is judged by the numbers; what they begin or end has no time."""
from dataclasses import replace

from cases_artefacts import IPV6, closed
from cases_close import g3_first_fin_lost
from packets import case

DAY = 86400 * 10**9
YEAR = 365 * DAY


def jumped(segments, index, by):
    """The segments in their order; the clock of one is wrong by so many ns."""
    wrong = segments[index]
    return [replace(s, time=s.time + by) if s is wrong else s for s in segments]


@case
def clock_jump_syn_ack(c):
    """The SYN-ACK is 48 years ahead."""
    return jumped(closed(c), 1, 48 * YEAR)


@case
def clock_jump_syn(c):
    """The file's first packet is 30 years behind."""
    return jumped(closed(c), 0, -30 * YEAR)


@case
def clock_jump_fin(c):
    """The first FIN is a day ahead."""
    return jumped(closed(c), -4, DAY)


@case
def clock_jump_fin_ack_ipv6(c):
    """IPv6: the ACK of the first FIN is two minutes behind."""
    return jumped(closed(replace(c, ips=IPV6)), -3, -120 * 10**9)


@case
def clock_jump_last(c):
    """The file's last packet is two years ahead, and none behind it tells that this was no pause."""
    return jumped(closed(c), -1, 2 * YEAR)


@case
def clock_jump_data(c):
    """What is not listed may have jumped without harm."""
    return jumped(closed(c), 3, YEAR)


@case
def clock_jump_request(c):
    """Of the request behind a silence, which an RST answers, the time is not known: nor is how long it was silent."""
    return jumped(c.opened() + [c.src(361022, "P.", 51, 501, 300), c.dst(361023, "R", 501)], -2, YEAR)


@case
def clock_jump_reset(c):
    """The RST that ends an open connection is a year ahead; the other side's ACKs that crossed it are behind it."""
    return c.opened() + [replace(c.src(200, "R", 51), time=c.src(200, "R", 51).time + YEAR), c.dst(200.5, ".", 501, 51)]


@case
def clock_set(c):
    """The clock is set an hour ahead and stays there: a pause, as far as the file tells."""
    handshake, rest = closed(c)[:3], closed(c)[3:]
    return handshake + [replace(s, time=s.time + 3600 * 10**9) for s in rest]


def set_back(segments, index, ms):
    """From that segment on the capture's clock is so many ms behind."""
    return segments[:index] + [replace(s, time=s.time - ms * 10**6) for s in segments[index:]]


@case
def clock_set_back_ahead_of_a_fin_copy(c):
    """Both close. The copy of the source's FIN, which acknowledges the other's, has a time from before the first."""
    return set_back(g3_first_fin_lost(c), -2, 32_000)


@case
def clock_set_back_behind_an_rst(c):
    """An RST with the number behind the next one, which is challenged; all that follows has a time from before it."""
    segments = closed(c)
    rst = [c.src(60, "R", 52), c.dst(70, ".", 501, 51)]
    return set_back(segments[:-4] + rst + segments[-4:], -5, 32_000)


@case
def clock_set_back_behind_an_rst_of_destination_ipv6(c):
    """IPv6: in the destination's name, and the clock is set by an hour."""
    c = replace(c, ips=IPV6)
    segments = closed(c)
    return set_back(segments[:-4] + [c.dst(60, "R", 502), c.src(60.5, ".", 51, 501)] + segments[-4:], -5, 3_600_000)
