# SPDX-License-Identifier: GPL-2.0-or-later
"""Boxes in the path, half a view, and what captures do to a close, as people reported them from the field.

Unless a case says otherwise, opened() has left the numbers at 51 and 501, and the close or the RST comes at 100 ms.
"""
from dataclasses import replace

from cases_artefacts import IPV6
from packets import SLL2, Capture, case


# ---- RSTs that their alleged sender did not send, taken by their receiver ----

def forged_to_source(c, ms=100, first=501, ttl=101):
    """A box sends the source a RST in the destination's name. The destination sends on; a closed socket answers."""
    return [c.src(ms, "P.", 51, first, 400), c.dst(ms + 6, "R", first, 0, ttl=ttl), c.dst(ms + 20, ".", first, 451),
            c.dst(ms + 24, "P.", first, 451, 1460), c.src(ms + 24.1, "R", 451)]


def forged_to_destination(c, ms=100):
    """A box sends the destination a RST in the source's name; the source sends on."""
    return [c.src(ms, "R.", 51, 501, ttl=33), c.src(ms + 50, "P.", 51, 501, 300), c.dst(ms + 60, "R", 501)]


@case
def forged_rst_in_destinations_name(c):
    """The victim's kernel acts on the RST, and later answers the data of the other end as a closed socket does."""
    return c.opened() + forged_to_source(c)


@case
def forged_rst_in_destinations_name_again(c):
    """The same, for --all-segments."""
    return forged_rst_in_destinations_name(c)


@case
def forged_rst_in_sources_name(c):
    """The same in the other direction."""
    return c.opened() + forged_to_destination(c)


@case
def forged_rst_ipv6(c):
    """The same in IPv6, with other numbers, and the usual hop limit: the box imitates it."""
    c = replace(c, ips=IPV6, isn=(0xfffffff0, 0x7fffffff))
    return c.opened() + forged_to_source(c, ttl=64)


@case
def forged_rst_midstream(c):
    """The same of a connection that was open before the capture."""
    return c.opened()[3:] + forged_to_source(c)


@case
def forged_rst_only_repeats_follow(c):
    """The alleged sender has nothing new to send: it repeats, for it had no acknowledgment."""
    return c.opened() + [c.dst(99, "P.", 501, 51, 200), c.dst(100, "R.", 701, 51), c.dst(330, "P.", 501, 51, 200),
                         c.src(330.1, "R", 51)]


@case
def forged_rst_then_fin_late(c):
    """The alleged sender is idle when the RST comes, and closes a minute later; its FIN is answered by a RST."""
    return c.opened() + [c.dst(100, "R.", 501, 51, ttl=101), c.dst(60000, "F.", 501, 51), c.src(60000.1, "R", 51)]


@case
def forged_rst_in_sources_name_then_fin_late(c):
    """The same in the other direction, over IPv6."""
    c = replace(c, ips=IPV6)
    return c.opened() + [c.src(100, "R.", 51, 501, ttl=101), c.src(60000, "F.", 51, 501), c.dst(60000.1, "R", 501)]


@case
def forged_rst_of_refusal(c):
    """A box refuses in the destination's name; then the destination accepts, and is answered by a RST."""
    return [c.src(0, "S"), c.dst(2, "R.", 0, 1, tcp={"seq": 0}), c.dst(10, "S.", 0, 1), c.src(10.1, "R", 1)]


@case
def true_rst_to_a_sender_of_much(c):
    """The destination aborts an upload: data that was on its way still comes, and each segment is answered by a RST."""
    return c.opened() + [c.src(99, "P.", 51, 501, 1000), c.dst(100, "R.", 501, 51)] + [
        s for n in range(4) for s in (c.src(101 + n, ".", 1051 + 1000 * n, 501, 1000),
                                      c.dst(101.05 + n, "R", 501, ip_id=900 + n))]


# ---- RSTs that their receiver did not take ----

@case
def rst_survived_upload(c):
    """A forged RST is lost on its way; the source sends on, the destination acknowledges, and nothing else tells."""
    return c.opened() + [c.dst(50, "R.", 501, 51), c.src(60, "P.", 51, 501, 20), c.dst(70, ".", 501, 71),
                         c.src(80, "P.", 71, 501, 20), c.dst(90, ".", 501, 91), c.src(100, "F.", 91, 501),
                         c.dst(110, ".", 501, 92), c.dst(150, "F.", 501, 92), c.src(150.2, ".", 92, 502)]


@case
def rst_survived_then_reset(c):
    """A forged RST is lost on its way; after five seconds of silence behind the last payload the source aborts."""
    return c.opened() + [c.dst(50, "R.", 501, 51), c.src(60, "P.", 51, 501, 20), c.dst(70, "P.", 501, 71, 30),
                         c.src(70.1, ".", 71, 531), c.src(5070, "R.", 71, 531)]


@case
def reset_repeated_for_data_in_flight(c):
    """The destination aborts; data that was on its way is answered by further RSTs, and ends no silence."""
    return c.opened() + [c.dst(5000, "R.", 501, 51), c.src(5001, "P.", 51, 501, 20), c.dst(5002, "R", 501),
                         c.src(5003, "P.", 71, 501, 20), c.dst(5004, "R", 501)]


@case
def rst_behind_own_fin_ignored(c):
    """The source's FIN was ahead of its RST, whose number was received then: the destination repeats its own FIN."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(157, "P.", 501, 51, 17), c.src(157.1, "R", 51),
                         c.dst(179, "F.", 518, 52)] + [c.dst(179 + 200 * 2**n, "F.", 518, 52) for n in range(5)]


@case
def rst_behind_own_fin_ignored_by_source(c):
    """The other side's RST behind its own FIN."""
    return c.opened() + [c.dst(100, "F.", 501, 51), c.src(157, "P.", 51, 501, 17), c.dst(157.1, "R", 501),
                         c.src(179, "F.", 68, 502)] + [c.src(179 + 200 * 2**n, "F.", 68, 502) for n in range(5)]


@case
def rst_in_syn_sent_ignored(c):
    """A forged RST in SYN-SENT that the source ignores."""
    return [c.src(0, "S"), c.dst(2, "R.", 1000, 1), c.dst(10, "S.", 0, 1)] + c.opened()[2:] + c.four_way()


@case
def rst_in_syn_received_ignored(c):
    """A forged RST in the source's name, behind the SYN-ACK; the destination goes on."""
    return c.opened()[:2] + [c.src(10.05, "R", 1)] + c.opened()[2:] + c.four_way()


# ---- where the capture was made changes nothing ----

def closed_with_rst(c, rst_at, ack_at):
    """The destination closes first; the source closes, and sends a RST right behind its FIN."""
    return c.opened() + [c.dst(100, "F.", 501, 51), c.src(101, ".", 51, 502), c.src(140, "F.", 51, 502),
                         *sorted((c.src(rst_at, "R.", 52, 502), c.dst(ack_at, ".", 502, 52)), key=lambda s: s.time)]


@case
def rst_behind_the_last_ack(c):
    """Captured near the destination: the ACK of the FIN is ahead of the RST."""
    return closed_with_rst(c, 140.2, 140.1)


@case
def rst_before_the_last_ack(c):
    """Captured near the source: the ACK of the FIN comes a round trip later."""
    return closed_with_rst(c, 140.1, 150)


@case
def rst_before_the_last_ack_of_destination(c):
    """The source closes first, and the destination sends a RST behind its FIN."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(150, "F.", 501, 52),
                         c.dst(150.1, "R.", 502, 52), c.src(150.3, ".", 52, 502)]


# ---- equal time stamps ----

@case
def rst_then_fin_at_one_time(c):
    """RST, data and FIN bear one time stamp: the file's order counts."""
    return c.opened() + [c.src(100, "R.", 51, 501, ip_id=7), c.dst(100, "P.", 501, 51, 378, ip_id=8),
                         c.dst(100, "F.", 879, 51, ip_id=9)]


@case
def fin_then_rst_at_one_time(c):
    """The same the other way about: the FIN is first."""
    return c.opened() + [c.dst(100, "F.", 501, 51, ip_id=9), c.src(100, "R.", 51, 501, ip_id=7)]


# ---- FINs whose numbers do not fit what was seen ----

def behind_a_gap(c, gap=70_000):
    """The capture lacks so many bytes of the destination; its FIN is acknowledged by its very number."""
    return [c.dst(100, "F.", 501 + gap, 51), c.src(101, ".", 51, 502 + gap), c.src(140, "F.", 51, 502 + gap),
            c.dst(150, ".", 502 + gap, 52)]


@case
def fin_behind_uncaptured_data(c):
    """More bytes than a window holds are not in the capture."""
    return c.opened() + behind_a_gap(replace(c))


@case
def fin_behind_much_uncaptured_data(c):
    """Twelve million bytes are not in the capture."""
    return c.opened() + behind_a_gap(c, 12_000_000)


@case
def fin_behind_uncaptured_data_midstream(c):
    """The same of a connection that was open before the capture."""
    return c.opened()[3:] + behind_a_gap(c)


@case
def fin_behind_uncaptured_data_of_source(c):
    """The same of the source, in IPv6, across the wrap of its numbers."""
    c = replace(c, ips=IPV6, isn=(0xffff0000, 77))
    return c.opened() + [c.src(100, "F.", 80_051, 501), c.dst(110, ".", 501, 80_052), c.dst(150, "F.", 501, 80_052),
                         c.src(150.2, ".", 80_052, 502)]


@case
def syn_fin_filter(c):
    """What a filter for SYN, FIN and RST leaves of a connection with much data."""
    return c.handshake()[:2] + [c.dst(100, "F.", 70_501, 51), c.src(110, "F.", 51, 70_502)]


def filtered(c, *segments):
    """A filter for SYN, FIN and RST leaves these of a connection with much data."""
    return c.handshake()[:2] + list(segments)


@case
def filtered_reset(c):
    """The source aborts: the numbers of its RST show that both sides had sent data."""
    return filtered(c, c.src(5000, "R.", 451, 70_501))


@case
def filtered_reset_of_destination(c):
    """The destination's RST is ahead of all that a window without scaling can hold."""
    return filtered(c, c.dst(5000, "R.", 70_501, 51))


@case
def filtered_reset_without_ack_ipv6(c):
    """The destination's answer to late data, over IPv6: what the source had sent is not known."""
    c = replace(c, ips=IPV6)
    return filtered(c, c.dst(5000, "R", 501))


@case
def filtered_fin_then_reset(c):
    """The destination closes, the source sends more and aborts: its RST acknowledges the FIN."""
    return filtered(c, c.dst(100, "F.", 70_501, 51), c.src(300, "R.", 451, 70_502))


@case
def filtered_fin_reset(c):
    """The source's socket is gone: its RST has the number that the destination's FIN acknowledges."""
    return filtered(c, c.dst(100, "F.", 70_501, 51), c.src(100.1, "R", 51))


@case
def filtered_close_then_reset(c):
    """The source closes and answers late data by two RSTs."""
    return filtered(c, c.src(100, "F.", 451, 70_501), c.src(120, "R", 452), c.src(120.1, "R", 452))


@case
def filtered_handshake_reset(c):
    """A connect that is given up looks the same with and without a filter."""
    return filtered(c, c.src(10.1, "R", 1))


@case
def fin_answers_behind_a_gap(c):
    """The FIN that answers is behind more bytes than a window holds, which the capture lacks."""
    return c.opened() + [c.src(100, "FP.", 70_051, 501, 10), c.dst(110, "F.", 80_501, 70_062),
                         c.src(110.2, ".", 70_062, 80_502)]


@case
def fin_left_of_window(c):
    """A FIN with the SYN's own number, which its receiver drops; only the destination closes."""
    return c.handshake() + [c.src(100, "F.", 0, 1), c.dst(110, ".", 1, 1), c.dst(120, "F.", 1, 1),
                            c.src(130, ".", 1, 2)]


@case
def fin_left_of_acknowledged_data(c):
    """A forged FIN with the number of a byte that was acknowledged; the real close comes later."""
    return c.opened() + [c.src(50, "F.", 30, 501), c.dst(60, ".", 501, 51)] + c.four_way()


@case
def fin_in_a_cut_frame(c):
    """The capture's writer cut the frame of the FIN with data and lost its length; the numbers are whole."""
    fin = c.src(100, "FP.", 51, 501, 1064)
    whole = fin.frame()
    return c.opened() + [replace(whole, data=whole.data[:116]), c.dst(110, ".", 501, 1116),
                         c.dst(150, "F.", 501, 1116), c.src(150.2, ".", 1116, 502)]


# ---- half a view ----

def only(side, segments):
    return [s for s in segments if s.side == side]


@case
def half_client_server_first(c):
    """The client's half: it had acknowledged one number beyond all data before its own FIN."""
    return only(0, c.opened() + [c.dst(100, "F.", 501, 51), c.src(100.1, ".", 51, 502), c.src(600, "F.", 51, 502)])


@case
def half_client_first(c):
    """The client's half: what it acknowledges after its FIN shows that the server was still open."""
    return only(0, c.opened() + [c.src(100, "F.", 51, 501), c.src(140, ".", 52, 701), c.src(150, ".", 52, 702)])


@case
def half_server(c):
    """The server's half, from its SYN-ACK on."""
    return only(1, c.opened() + [c.dst(100, "F.", 501, 51), c.src(101, "F.", 51, 502), c.dst(140, ".", 502, 52)])


@case
def half_server_ipv6(c):
    """The same in IPv6."""
    return half_server(replace(c, ips=IPV6))


@case
def half_server_open(c):
    """The server's half of a connection that does not close."""
    return only(1, c.opened())


def midstream_half(c, side):
    """What one side sends of a connection that is older than the capture; the source closes first."""
    return only(side, c.opened()[3:] + c.four_way())


@case
def half_client_midstream(c):
    """The client's half, from its payload on. What it acknowledges after its FIN shows that the server was open."""
    return midstream_half(c, 0)


@case
def half_server_midstream_ipv6(c):
    """The server's half over IPv6. Whether the client closed before is not known."""
    return midstream_half(replace(c, ips=IPV6), 1)


@case
def half_client_midstream_all_segments(c):
    """With all segments counted."""
    return midstream_half(c, 0)


@case
def half_fin_of_another_midstream(c):
    """A FIN that is nowhere near what its side has sent is a stray one."""
    return only(0, c.opened()[3:] + [c.src(100, "F.", 1_500_000_000, 501)])


def without_synack(segments):
    return segments[:1] + segments[2:]


@case
def synack_not_captured(c):
    """A capture lost the SYN-ACK: what the destination acknowledges behind it is no challenge of the SYN."""
    return without_synack(c.opened() + c.four_way())


@case
def synack_not_captured_reset(c):
    """A capture lost the SYN-ACK, and the destination resets: its number follows its data, its ACK the source's."""
    return without_synack(c.opened() + [c.dst(100, "R.", 501, 51)])


@case
def synack_not_captured_reset_ipv6(c):
    """The same in IPv6, behind the source's FIN, by an RST without ACK."""
    v6 = replace(c, ips=IPV6)
    return without_synack(v6.opened() + [v6.src(100, "F.", 51, 501), v6.dst(110, ".", 501, 52), v6.dst(115, "R", 501)])


@case
def asymmetric_any(c):
    """Requests at one interface, answers at another: one connection."""
    frames = [s.frame(SLL2) for s in c.opened() + c.four_way()]
    number = {0: b"\x00\x00\x00\x02", 1: b"\x00\x00\x00\x05"}
    sides = [s.side for s in c.opened() + c.four_way()]
    return Capture([replace(f, data=f.data[:4] + number[side] + f.data[8:]) for f, side in zip(frames, sides)],
                   link=SLL2)


# ---- closes of which little was seen ----

def backed_off(c, side, first=300, count=10):
    send = c.dst if side else c.src
    times = [0] + [first * 2**n - first for n in range(1, count)]
    return [send(t, "F.", 51, 501) for t in times]


@case
def fin_only_backoff(c):
    """A FIN sent ten times, with pauses that double; nobody answers."""
    return backed_off(c, 0)


@case
def fin_only_backoff_of_destination(c):
    """The other side's, in IPv6, five times."""
    return backed_off(replace(c, ips=IPV6), 1, 200, 5)


@case
def fin_only_regular(c):
    """A scan repeats its FIN at even pauses: no connection."""
    return [c.src(1000 * n, "F.", 51, 501) for n in range(6)]


@case
def midstream_fins_cross(c):
    """Both FINs cross with the numbers that the other acknowledges, and are reset."""
    return [c.dst(0, "P.", 501, 51, 31), c.dst(1, "F.", 532, 51), c.src(160, "P.", 51, 501, 31),
            c.src(161, "F.", 82, 501), c.src(165, "R", 51), c.dst(280, "R", 501)]


@case
def midstream_data_reset(c):
    """Data of a connection that its receiver does not know: a RST with the number that the data acknowledges."""
    return [c.src(0, "P.", 51, 501, 31), c.src(200, "P.", 51, 501, 31), c.dst(210, "R", 501)]


@case
def midstream_data_reset_by_source(c):
    """The other side's data."""
    return [c.dst(0, "P.", 501, 51, 31), c.src(10, "R", 51)]


@case
def midstream_data_reset_elsewhere(c):
    """A RST with another number belongs to nothing."""
    return [c.src(0, "P.", 51, 501, 31), c.dst(210, "R", 502)]


@case
def data_repeated_behind_fin(c):
    """Linux repeats the data before the FIN, not the FIN, and gets no answer."""
    return c.opened() + [c.src(100, "P.", 51, 501, 300), c.src(300, "P.", 51, 501, 300), c.src(400, "F.", 351, 501)] + [
        c.src(700 * 2**n, "P.", 51, 501, 300) for n in range(3)]


@case
def fin_behind_a_full_log(c):
    """Data without a handshake fills the list of segments; the FIN is listed all the same."""
    return [c.src(0, "S"), c.src(10, ".", 1, 1)] + [s for n in range(20) for s in (
        c.src(20 + 10 * n, "P.", 1 + 10 * n, 1 + n, 10), c.src(25 + 10 * n, ".", 11 + 10 * n, 2 + n))] + [
        c.src(900, "F.", 201, 21)]


@case
def data_out_of_window_is_all_that_was_heard(c):
    """Of the destination nothing was captured but a segment that a window cannot hold, until its FIN."""
    return [c.src(0, "S"), c.src(40, ".", 1, 1), c.dst(270, ".", 358_121_108, 1, 100), c.src(300, ".", 1, 114),
            c.src(700, "F.", 1, 114), c.dst(730, ".", 114, 2), c.dst(770, "F.", 114, 2), c.src(800, ".", 2, 115)]


def half_closed_download(c, copies=0):
    """The source closes first; twelve segments come behind its FIN, each acknowledged, and FINs of the destination."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52)] + [s for n in range(12) for s in (
        c.dst(1000 + 100 * n, "P.", 501 + 10 * n, 52, 10), c.src(1010 + 100 * n, ".", 52, 511 + 10 * n))] + [
        c.dst(3000 + 400 * n, "F.", 621, 52) for n in range(copies + 1)] + [c.src(3010 + 400 * copies, ".", 52, 622)]


@case
def fin_copies_behind_a_full_log(c):
    """Data behind the first FIN has filled the list; one of its segments was duplicated on its way."""
    c = replace(c, ips=IPV6)
    segments = half_closed_download(c, 2)
    return segments[:12] + [segments[11].sighted(200_000)] + segments[12:]


@case
def fin_copies_behind_a_full_log_mirrored(c):
    """The same, each packet seen twice by a mirror port."""
    return [twin for s in half_closed_download(c, 2) for twin in (s, s.sighted(400))]


@case
def fin_acked_behind_a_full_log(c):
    """RSTs outside the window have filled the list; a FIN is acknowledged, and comes again with its acknowledgment."""
    c = replace(c, ips=IPV6)
    segments = [c.src(0, "S"), c.src(66, ".", 1, 1)] + [
        c.src(400 + 10 * n, "R", 9008 + 9000 * n) for n in range(6)] + [
        c.dst(500, ".", 1, 1), c.src(1000, "F.", 1, 1), c.dst(1030, ".", 1, 2), c.dst(1200, "F.", 1, 2),
        c.src(1240, ".", 2, 2), c.dst(1600, "F.", 1, 2), c.src(1640, ".", 2, 2)]
    return [twin for s in segments for twin in (s, s.sighted(400))]


# ---- packets that are seen twice, and some that are not ----

@case
def mirrored(c):
    """A mirror port sends each packet twice, microseconds apart."""
    return [twin for s in c.opened() + c.four_way() for twin in (s, s.sighted(4_000))]


@case
def mirrored_ipv6(c):
    """The same over IPv6, which has no IP id."""
    return mirrored(replace(c, ips=IPV6))


def in_bursts(segments, size):
    """So many segments back to back, and then their copies."""
    return [s for i in range(0, len(segments), size) for s in segments[i:i + size] +
            [s.sighted(4_000 + segments[min(i + size, len(segments)) - 1].time - s.time) for s in segments[i:i + size]]]


@case
def mirrored_bursts(c):
    """A mirror port sends four segments before it sends the copy of the first one."""
    burst = [c.dst(30 + ms, "P.", 501 + i * 100, 51, 100) for i, ms in enumerate((0, 0.002, 0.004, 0.006))]
    end = [c.src(40, ".", 51, 901), c.src(100, "F.", 51, 901), c.dst(110, ".", 901, 52), c.dst(150, "F.", 901, 52),
           c.src(150.2, ".", 52, 902)]
    return in_bursts(c.opened(), 1) + in_bursts(burst, 4) + in_bursts(end, 1)


@case
def mirrored_bursts_ipv6(c):
    return mirrored_bursts(replace(c, ips=IPV6))


@case
def mirrored_late(c):
    """The copies come later than what the packets are answered by."""
    sighted = [s for s in c.opened() + c.four_way()]
    return sorted(sighted + [s.sighted(900_000) for s in sighted], key=lambda s: s.time)


def on_a_lan(c):
    """As opened() and four_way(), with a round trip of 100 us."""
    return [c.src(0, "S"), c.dst(0.1, "S.", 0, 1), c.src(0.15, ".", 1, 1), c.src(0.2, "P.", 1, 1, 50),
            c.dst(0.3, ".", 1, 51), c.dst(0.35, "P.", 1, 51, 500), c.src(0.4, ".", 51, 501),
            c.src(100, "F.", 51, 501), c.dst(100.1, ".", 501, 52), c.dst(100.15, "F.", 501, 52),
            c.src(100.2, ".", 52, 502)]


@case
def mirrored_behind_answers(c):
    """Two switches mirror a LAN's packets: each comes twice, 700 us apart, and its whole close between the two."""
    return sorted((twin for s in on_a_lan(c) for twin in (s, s.sighted(700_000))), key=lambda s: s.time)


@case
def mirrored_between_answers(c):
    """The copy of the SYN comes behind the SYN-ACK, and so on: one segment stands between the two."""
    return sorted((twin for s in on_a_lan(c) for twin in (s, s.sighted(120_000))), key=lambda s: s.time)


@case
def mirrored_between_answers_ipv6(c):
    """The same over IPv6, which has no IP id."""
    return mirrored_between_answers(replace(c, ips=IPV6))


@case
def mirrored_half_closed(c):
    """Thirty segments and ACKs behind the first FIN, each twice, fill the list."""
    data = [s for i in range(30) for s in (c.dst(200 + i, "P.", 501 + i * 100, 52, 100),
                                           c.src(200.5 + i, ".", 52, 601 + i * 100))]
    return in_bursts(c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52)] + data +
                     [c.dst(500, "F.", 3501, 52), c.src(500.2, ".", 52, 3502)], 1)


@case
def mirrored_many_resets(c):
    """Twenty RSTs, each twice, fill the list; the SYN-ACK was not captured."""
    opened = [c.src(0, "S"), c.src(10.1, ".", 1, 1)]
    return in_bursts(opened + [c.src(50 + i, "R", 1) for i in range(20)], 1)


@case
def duplicate_acks_ipv6(c):
    """Equal ACKs within a millisecond say that three segments came behind a hole: each is one."""
    c = replace(c, ips=IPV6)
    return c.opened() + [c.src(50 + 0.2 * n, ".", 51, 501) for n in range(3)] + c.four_way()


@case
def mirrored_abort_behind_challenges(c):
    """
    An abort overtakes data. The challenges of its RSTs, and their own RSTs, fill the log, in which a mirror port has
    each packet twice. The last RST alone has the number that its receiver expects.
    """
    late = [c.dst(100, "R.", 1001, 51)]
    for ms, ack in ((110, 501), (120, 501), (130, 701), (140, 701)):
        late += [c.src(ms, ".", 51, ack), c.dst(ms + 3, "R", 501, ip_id=ms)]
    late += [c.dst(105, "P.", 501, 51, 200), c.dst(125, "P.", 701, 51, 300), c.src(150, ".", 51, 1001),
             c.dst(160, "R", 1001, ip_id=160)]
    late = sorted(late, key=lambda s: s.time)
    return [twin for s in c.opened() + late for twin in (s, s.sighted(400))]


@case
def resets_with_id_zero(c):
    """Two RSTs answer two segments; their IP id of 0 tells nothing."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, "P.", 501, 51, 50), c.src(110.1, "R", 51, ip_id=0),
                         c.dst(110.2, "F.", 551, 51), c.src(110.3, "R", 51, ip_id=0)]


@case
def synack_again(c):
    """A SYN-ACK repeated into an open connection is traffic."""
    return c.handshake() + [c.dst(1000, "S.", 0, 1), c.src(1010, ".", 1, 1), c.src(2000, "F.", 1, 1),
                            c.dst(2010, "F.", 1, 2), c.src(2010.2, ".", 2, 2)]


@case
def synack_again_at_once(c):
    """
    A SYN that was on its way for long comes again, and the SYN-ACK for each within a millisecond, with the first one's
    ACK between them: not one packet that was seen twice.
    """
    return [c.src(0, "S"), c.src(1000, "S"), c.dst(1020, "S.", 0, 1), c.src(1020.2, ".", 1, 1),
            c.dst(1020.3, "S.", 0, 1), c.src(1020.5, ".", 1, 1), c.src(2000, "F.", 1, 1), c.dst(2010, "F.", 1, 2),
            c.src(2010.2, ".", 2, 2)]


@case
def synack_sighted_late(c):
    """The second sighting of each packet is late, and that of the SYN-ACK behind the ACK."""
    return sorted((twin for s in c.opened() + c.four_way() for twin in (s, s.sighted(700_000))),
                  key=lambda s: s.time)


@case
def accept_queue_full(c):
    """The destination repeats its SYN-ACK although the source has answered and sends data, and resets at last."""
    rounds = [s for n in range(4) for s in (c.src(500 * 2**n, "P.", 1, 1, 200), c.dst(700 * 2**n, "S.", 0, 1),
                                            c.src(700 * 2**n + 1, ".", 201, 1))]
    return c.handshake() + rounds + [c.src(9000, "P.", 1, 1, 200), c.dst(9010, "R", 1)]


# ---- answers to a SYN that are none of the connection ----

def challenged(c, times=(0, 1000, 3000, 7000)):
    """A new SYN each time, which an ACK of the older connection answers."""
    late = c.again(60_000)
    return [s for t in times for s in (late.src(t, "S"), replace(c, start=late.start).dst(t + 20, ".", 501, 51))]


@case
def syn_challenged_by_open(c):
    """The destination still has the connection that the source has lost, and the source never resets it."""
    return c.opened() + challenged(c)


@case
def syn_challenged_by_open_ipv6(c):
    """The same in IPv6, twice."""
    c = replace(c, ips=IPV6)
    return c.opened() + challenged(c, (0, 1000))


@case
def syn_challenged_once(c):
    """A forged SYN inside an open connection is challenged, and begins nothing."""
    return c.opened() + challenged(c, (0,))


def challenged_and_reset(c, times):
    """
    Linux in SYN-SENT answers each challenge ACK by a RST with IP id 0, 20 microseconds later: no two RSTs are one
    packet that was seen twice, although the ACK between them has just come.
    """
    rounds = [(c.src(t, "S", -900_000), c.dst(t + 0.05, ".", 502, 52), c.src(t + 0.07, "R", 52, ip_id=0))
              for t in times]
    return [segment for segments in rounds for segment in segments]


@case
def syn_challenged_and_reset(c):
    """TIME-WAIT challenges the SYN and ignores the RSTs (tcp_rfc1337)."""
    return c.opened() + c.four_way() + challenged_and_reset(c, (2000, 3000, 5000, 9000))


@case
def syn_challenged_and_reset_ipv6(c):
    """The same over IPv6, three times."""
    c = replace(c, ips=IPV6)
    return c.opened() + c.four_way() + challenged_and_reset(c, (2000, 3000, 5000))


@case
def second_synack(c):
    """Another server answers the same SYN with another number, again and again."""
    other = [c.dst(t, "S.", 50_000, 1, ttl=55) for t in (20, 2000, 6000)]
    return sorted(c.opened() + other + c.four_way(8000), key=lambda s: s.time)


# ---- siblings of the cases above ----

@case
def synack_again_mirrored(c):
    """A mirror port sends each packet twice; the SYN-ACK comes again when the connection is open."""
    return [twin for s in synack_again(c) for twin in (s, s.sighted(4_000))]


@case
def synack_again_mirrored_ipv6(c):
    """The same over IPv6, which has no IP id."""
    return synack_again_mirrored(replace(c, ips=IPV6))


def ignored_resets(c, side):
    """Left of the window, far ahead of it, and left of it once more, each from that side."""
    send = (c.src, c.dst)[side]
    return [send(30, "R", 0), send(40, "R.", 500_000_000, 1), send(50, "R", 0, ip_id=0)]


@case
def resets_ignored_mirrored(c):
    """A mirror port sends each packet twice: three RSTs that nobody acts on are three."""
    return [twin for s in c.opened() + ignored_resets(c, 0) + c.four_way() for twin in (s, s.sighted(4_000))]


@case
def resets_ignored_of_destination_mirrored(c):
    """The other side's, over IPv6, whose RSTs come far enough from each other to be three."""
    c = replace(c, ips=IPV6)
    return [twin for s in c.opened() + ignored_resets(c, 1) + c.four_way() for twin in (s, s.sighted(4_000))]


def behind_guesses(c, count):
    """Resets inside the window, challenged, and a close whose second FIN is sent three times; every packet twice."""
    guesses = [s for n in range(count) for s in (
        c.dst(30 + 2 * n, "R", 8501 + 900 * n), c.src(30.1 + 2 * n, ".", 51, 501))]
    copies = [s for ms in (350, 550) for s in (c.dst(ms, "F.", 501, 52), c.src(ms + 0.2, ".", 52, 502))]
    return [twin for s in c.opened() + guesses + c.four_way() + copies for twin in (s, s.sighted(4_000))]


@case
def fin_copies_mirrored(c):
    """The list is full when the close begins."""
    return behind_guesses(c, 5)


@case
def fin_acked_mirrored(c):
    """The list is full when the second FIN comes."""
    return behind_guesses(c, 4)


@case
def fin_copies_behind_equal_acks(c):
    """Two equal ACKs over IPv6 in half a millisecond; data fill the list; the second FIN is sent three times."""
    c = replace(c, ips=IPV6)
    data = [s for n in range(12) for s in (
        c.dst(120 + 10 * n, "P.", 501 + 10 * n, 52, 10), c.src(120.2 + 10 * n, ".", 52, 511 + 10 * n))]
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(110.5, ".", 501, 52)] + data + [
        c.dst(500, "F.", 621, 52), c.dst(700, "F.", 621, 52), c.dst(900, "F.", 621, 52), c.src(900.2, ".", 52, 622)]


@case
def fin_acked_behind_a_forged_one(c):
    """A FIN far ahead in the destination's name, a mirror port, FINs that come again: one ACK finds no place."""
    def closing(ms):
        return [c.src(ms, "F.", 1, 1), c.dst(ms + 10, ".", 2, 2), c.dst(ms + 40, "F.", 1, 2)]
    opening = [c.src(0, "S"), c.dst(10, "S.", 0, 1), c.src(1000, "S"), c.dst(1010, "S.", 0, 1),
               c.dst(3010, "S.", 0, 1), c.dst(7010, "S.", 0, 1), c.src(7020, ".", 1, 1)]
    segments = opening + [
        c.dst(7400, "F.", 728805395, 1), c.src(7410, ".", 1, 1), c.src(7770, "F.", 1, 1), c.dst(7780, ".", 1, 2),
        *closing(7970), *closing(8370), c.src(8420, ".", 2, 2)]
    return [twin for s in segments for twin in (s, s.sighted(5))]


@case
def fins_left_of_the_window(c):
    """Six FINs in the name of the destination, of numbers that have passed: they are no copies of its own."""
    return c.opened() + [c.dst(30 + n, "F.", 101 + 10 * n, 51) for n in range(6)] + c.four_way()


def challenged_near(c, new):
    """The number of the SYN is near those of the older connection, whose RST so seems to be one of the new one."""
    challenge = [new.src(0, "S"), c.dst(2010, ".", 502, 52), c.src(2010.1, "R", 52)]
    accepted = replace(new, start=new.start + 1_000_000_000)
    return challenge + accepted.handshake() + [
        accepted.src(100, "F.", 1, 1), accepted.dst(110, ".", 1, 2), accepted.dst(150, "F.", 1, 2),
        accepted.src(150.2, ".", 2, 2)]


@case
def p2_reuse_refused_near(c):
    """TIME-WAIT answers a SYN whose number is 3,000 less than the old ones; the new connection carries no payload."""
    old = [c.dst(100, "F.", 501, 51), c.src(100.5, ".", 51, 502), c.src(101, "F.", 51, 502), c.dst(111, ".", 502, 52)]
    return c.opened() + old + challenged_near(c, c.again(2000, jump=(-3000, 70_000_000)))


@case
def p2_reuse_refused_near_ipv6(c):
    """The same over IPv6."""
    return p2_reuse_refused_near(replace(c, ips=IPV6))


@case
def p1_reuse_without_payload(c):
    """The tuple's next connection carries nothing: how long the one before it was silent says nothing of it."""
    new = c.again(9000)
    return c.opened() + c.four_way() + new.handshake() + [
        new.src(100, "F.", 1, 1), new.dst(110, ".", 1, 2), new.dst(150, "F.", 1, 2), new.src(150.2, ".", 2, 2)]


@case
def ack_ahead_of_its_fin(c):
    """Two capturing queues: the ACK of the first FIN is in the capture 50 us ahead of it, in time, too."""
    ack = [c.dst(99.95, ".", 501, 52), c.src(100, "F.", 51, 501)]
    return c.opened() + ack + [c.dst(150, "F.", 501, 52), c.src(150.2, ".", 52, 502)]


@case
def ack_ahead_of_its_fin_midstream(c):
    """The same of the destination's FIN, of a connection that is older than the capture."""
    ack = [c.src(99.95, ".", 51, 502), c.dst(100, "F.", 501, 51)]
    return c.opened()[3:] + ack + [c.src(150, "F.", 51, 502), c.dst(160, ".", 502, 52)]


def inexact_reset(c, ms=100):
    """In the source's name, inside the window; the challenge that it deserves is not sent (RFC 5961 section 7)."""
    return [c.src(ms, "R", 1051)]


@case
def rst_inexact_then_other_aborts(c):
    """The destination takes no inexact RST; 800 ms later it aborts by itself, which no closed socket does."""
    return c.opened() + inexact_reset(c) + [c.dst(900, "R.", 501, 51)]


@case
def rst_guessed_then_exact(c):
    """A guess inside the window in the source's name, and then the source's own RST."""
    return c.opened() + inexact_reset(c) + [c.src(150, "R.", 51, 501)]


@case
def rst_guessed_then_exact_half_closed(c):
    """The same over IPv6 of the destination, behind the source's FIN."""
    c = replace(c, ips=IPV6)
    return c.opened() + [c.src(90, "F.", 51, 501), c.dst(91, ".", 501, 52), c.dst(100, "R", 1501),
                         c.dst(150, "R.", 501, 52)]


@case
def rst_ahead_of_its_data(c):
    """The RST overtakes 500 bytes, whose acknowledgment its sender, who is gone, answers by the same number."""
    return c.opened() + [c.dst(100, "R.", 1001, 51), c.dst(128, "P.", 501, 51, 500), c.src(166, ".", 51, 1001),
                         c.dst(170, "R", 1001)]


@case
def rst_ahead_of_its_data_of_source(c):
    """The same of the source, over IPv6."""
    c = replace(c, ips=IPV6)
    return c.opened() + [c.src(100, "R.", 1051, 501), c.src(128, "P.", 51, 501, 1000), c.dst(166, ".", 501, 1051),
                         c.src(170, "R", 1051)]


@case
def rst_ahead_of_its_data_in_two(c):
    """The same in two segments, of which the last one alone is acknowledged."""
    return c.opened() + [c.dst(100, "R.", 1001, 51), c.dst(110, "P.", 501, 51, 200), c.dst(128, "P.", 701, 51, 300),
                         c.src(166, ".", 51, 1001), c.dst(170, "R", 1001)]


@case
def rst_inexact_then_other_aborts_midstream(c):
    """The same, over IPv6, of a connection whose windows are not known."""
    c = replace(c, ips=IPV6)
    return c.opened()[3:] + inexact_reset(c) + [c.dst(900, "R.", 501, 51)]


@case
def rst_challenged_then_exact_midstream(c):
    """The windows of a connection that is older than the capture are not known; the second RST has the right number."""
    return c.opened()[3:] + inexact_reset(c) + [c.dst(110, ".", 501, 51), c.src(110.1, "R", 51)]


@case
def half_source_rst_left_of_window(c):
    """Only the source is seen: a RST in its name that is left of what it has sent, then its close."""
    return [s for s in c.opened() + [c.src(90, "R", 20)] + c.four_way() if s.side == 0]


@case
def half_destination_rst_left_of_window(c):
    """The same of the destination alone, which closes second."""
    return [s for s in c.opened() + [c.dst(90, "R", 400)] + c.four_way() if s.side == 1]


@case
def half_destination_aborts(c):
    """Only the destination is seen. The source's FIN may have come before the RST."""
    return [s for s in c.opened() + [c.dst(300, "R.", 501, 51)] if s.side == 1]


@case
def rst_in_unknown_window(c):
    """The capture cut the SYNs' options off: nobody can say that the RST is out of a window whose scale was there."""
    return Capture([replace(s, win=5000) for s in c.opened()] + [c.src(100, "R", 500_051)], snaplen=54)


@case
def half_source_denies_rst(c):
    """Only the source is seen. It goes on behind an RST in its name, and acknowledges the other side's FIN later."""
    return only(0, c.opened() + [c.src(90, "R.", 51, 501, ttl=99), c.src(140, "P.", 51, 501, 20)] + [
        c.src(2000, "F.", 71, 501), c.src(2050.2, ".", 72, 502)])


@case
def fin_left_of_window_midstream(c):
    """A forged FIN of a connection that is older than the capture; its receiver's ACK is none of it."""
    return c.opened()[3:] + [c.src(60, "F.", 50, 501), c.dst(60.1, ".", 501, 51)] + c.four_way()


@case
def fin_left_of_window_midstream_of_destination(c):
    """The same in the other side's name, over IPv6."""
    c = replace(c, ips=IPV6)
    return c.opened()[3:] + [c.dst(60, "F.", 500, 51), c.src(60.1, ".", 51, 501)] + c.four_way()


@case
def forged_syn_first(c):
    """The capture begins with a forged SYN, whose number is near those of the connection, and its challenge."""
    return [c.dst(90, "S", 8_000_000), c.src(90.1, ".", 51, 501)] + c.four_way()


@case
def forged_syn_first_of_source(c):
    """The same in the other side's name, over IPv6."""
    c = replace(c, ips=IPV6)
    return [c.src(80, "S", 6_000_000), c.dst(90, ".", 501, 51)] + c.four_way()
