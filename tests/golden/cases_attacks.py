# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile and malformed traffic: it must leave no record, and must not change the record of a real connection.

Unless a case says otherwise, forged segments come before 100 ms, and the source closes at 100 ms.
"""
from dataclasses import replace

from scapy.layers.inet import IP, UDP, in4_chksum
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP

from cases_artefacts import IPV6, closed, fragments_of, options_header, with_extensions
from packets import Frame, case, frame_of


def disturbed(c, *disturbances):
    """An open connection, the disturbances, and its real close."""
    return c.opened() + list(disturbances) + c.four_way()


def scan(c, flags, answer=None):
    """20 ports get a segment each. answer: a function of conversation and time that makes a port's answer, or None."""
    segments = []
    for n in range(20):
        probe = replace(c, ports=(50000 + n, 1 + n), isn=(7_000_000 * n, 9_000_000 * n))
        segments.append(probe.src(n, flags, 1, 1))
        if answer:
            segments.append(answer(probe, n + 0.5))
    return segments


# ---- scans and backscatter ----

@case
def a3_fin_scan(c):
    """A FIN scan of open ports, which do not answer."""
    return scan(c, "F")


@case
def a3_fin_scan_answered(c):
    """Closed ports answer a FIN scan by RST+ACK with sequence 0."""
    return scan(c, "F", lambda p, t: p.dst(t, "R.", 0, 2, tcp={"seq": 0}))


@case
def a3_fin_ack_scan_answered(c):
    """A scan by FIN+ACK, answered by RSTs with the number that it acknowledges."""
    return scan(c, "F.", lambda p, t: p.dst(t, "R", 1))


@case
def a3_ack_scan_answered(c):
    """A scan by ACKs, each answered by a RST."""
    return scan(c, ".", lambda p, t: p.dst(t, "R", 1))


@case
def a3_xmas_and_null_scan(c):
    """Scans by FIN+PSH+URG and by no flag at all; closed ports answer by RST."""
    answer = lambda p, t: p.dst(t, "R.", 0, 2, tcp={"seq": 0})
    return scan(c, "FPU", answer) + scan(c.other(start=c.start + 10**9), "", answer)


@case
def a3_rst_backscatter(c):
    """Backscatter: RSTs that answer SYNs with forged source addresses."""
    return [replace(s, side=1) for s in scan(c, "R.")]


@case
def a3_syn_ack_backscatter(c):
    """Backscatter: SYN-ACKs that nobody asked for, each answered by a RST."""
    return scan(c, "S.", lambda p, t: p.dst(t, "R", 1))


@case
def a3_lone_rst(c):
    """One RST, and nothing else of that connection."""
    return [c.dst(0, "R", 501)]


# ---- forged resets, challenge ACKs, forged FINs ----

@case
def a4_forged_resets(c):
    """Forged RSTs to both ends: far ahead, old, and inside the window, which is challenged."""
    return disturbed(c, c.dst(40, "R.", 900_000_000, 51), c.dst(41, "R", 401), c.src(42, "R.", 2_000_000_000, 501),
                     c.src(43, "R", 5), c.dst(44, "R", 2501), c.src(44.1, ".", 51, 501))


@case
def a4_exact_reset_survived(c):
    """An exact RST that did not reach its victim: both ends go on, so it did not end the connection."""
    return c.opened() + [c.dst(50, "R.", 501, 51), c.src(60, "P.", 51, 501, 20), c.dst(70, "P.", 501, 71, 30),
                         c.src(70.1, ".", 71, 531), c.src(100, "F.", 71, 531), c.dst(110, ".", 531, 72),
                         c.dst(150, "F.", 531, 72), c.src(150.2, ".", 72, 532)]


@case
def a4_forged_reset_then_real_one(c):
    """A RST out of the window first, the real one later: the real one is the end."""
    return c.opened() + [c.dst(50, "R.", 900_000_000, 51), c.src(100, "R.", 51, 501)]


@case
def a4_forged_ack_prepares_reset(c):
    """A forged ACK far outside, then a RST with the number that it acknowledges: a receiver drops both."""
    return disturbed(c, c.src(50, ".", 800_000_000, 900_000_000), c.dst(51, "R", 900_000_000))


@case
def a5_challenge_ack_is_no_ack_of_fin(c):
    """A forged SYN causes a challenge ACK while the FIN is on its way: it does not acknowledge the FIN."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.src(101, "S", 900_000_000), c.dst(111, ".", 501, 51),
                         c.dst(140, ".", 501, 52), c.dst(150, "F.", 501, 52), c.src(150.2, ".", 52, 502)]


@case
def a5_syn_in_last_ack(c):
    """A SYN while the peer is in LAST-ACK is challenged and ends nothing."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(150, "F.", 501, 52),
                         c.src(152, "S", 900_000_000), c.dst(162, ".", 502, 52), c.src(170, ".", 52, 502)]


@case
def a5_ack_beyond_the_fin(c):
    """An acknowledgment of more than was ever sent acknowledges no FIN."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(105, ".", 501, 5000), c.dst(110, ".", 501, 52),
                         c.dst(150, "F.", 501, 52), c.src(150.2, ".", 52, 502)]


@case
def a6_forged_fin_far(c):
    """A forged FIN of the destination, five million bytes ahead: the source closes first."""
    return disturbed(c, c.dst(50, "F.", 5_000_501, 51))


@case
def a6_forged_fin_gap(c):
    """A forged FIN of the destination inside the window, behind a gap that never fills: the real one counts."""
    return disturbed(c, c.dst(50, "F.", 10_501, 51))


@case
def a6_forged_data_mirrored(c):
    """Forged data far ahead of the window in a capture that has each packet twice: it ends no silence."""
    forged = disturbed(c, c.src(50, "P.", 800_000_000, 501, 100))
    return [twin for s in forged for twin in (s, s.sighted(400))]


@case
def a6_forged_fin_old(c):
    """A forged FIN of the destination with a number that was data long before."""
    return disturbed(c, c.dst(50, "F.", 101, 51))


@case
def a6_forged_fin_wrong_ack(c):
    """A forged FIN in sequence that acknowledges numbers never sent: every receiver drops it."""
    return disturbed(c, c.dst(50, "F.", 501, 500_000_000))


@case
def a6_forged_data_before_fin(c):
    """Forged data far ahead of the window before the real FIN: the FIN must not look old by it."""
    return disturbed(c, c.src(50, "P.", 800_000_000, 501, 100))


@case
def a6_forged_data_back_before_fin(c):
    """The same in the destination's name, on IPv6."""
    c = replace(c, ips=IPV6)
    return disturbed(c, c.dst(50, "P.", 800_000_000, 51, 100))


@case
def a6_forged_data_then_data(c):
    """Forged data far ahead, and real data behind it: the silence is counted from the real one."""
    return c.opened() + [c.src(50, "P.", 800_000_000, 501, 100), c.src(60, "P.", 51, 501, 10), c.dst(65, ".", 501, 61),
                         c.src(100, "F.", 61, 501), c.dst(110, ".", 501, 62), c.dst(150, "F.", 501, 62),
                         c.src(150.2, ".", 62, 502)]


@case
def a6_forged_syn_prepares_fin(c):
    """A forged SYN, then a FIN that continues its numbers."""
    return disturbed(c, c.src(50, "S", 800_000_000), c.dst(60, ".", 501, 51), c.src(61, "F.", 800_000_001, 501))


@case
def a6_forged_talk_at_once(c):
    """A FIN that nobody acknowledges. Segments forged both ways at once do not prove an RST a minute later."""
    return [c.src(0, "S"), c.dst(10, "P.", 1, 1, 500), c.dst(100, "F.", 501, 1), c.src(110, ".", 900_000_000, 501),
            c.dst(115, ".", 502, 900_000_000), c.src(70000, "R", 900_000_000), c.dst(70100, "F.", 501, 1)]


@case
def a6_forged_talk_a_minute_later(c):
    """A FIN that nobody acknowledges. Segments forged one way a minute later do not prove an RST."""
    return [c.src(0, "S"), c.dst(10, "P.", 1, 1, 500), c.dst(100, "F.", 501, 1), c.src(69000, ".", 900_000_000, 501),
            c.dst(69100, "P.", 1, 1, 500), c.src(69200, ".", 900_000_000, 501), c.src(70000, "R", 900_000_000),
            c.dst(70100, "F.", 501, 1)]


def forged_close(c, x, y):
    """
    Somebody who does not know the numbers forges both sides of a close: the source's begins with x, the destination's
    with y.
    """
    talk = [s for t in (51, 53) for s in (c.src(t, ".", x, y), c.dst(t + 1, ".", y, x))]
    return disturbed(c, c.src(50, "F.", x, y), *talk, c.dst(55, "F.", y, x), c.src(56, "F.", x, y + 1),
                     c.dst(57, ".", y + 1, x + 1))


@case
def a6_forged_close(c):
    """A whole forged close, and later the real one."""
    return forged_close(c, 800_000_000, 2_500_000_000)


@case
def a6_forged_close_ipv6(c):
    """A whole forged close over IPv6."""
    return forged_close(replace(c, ips=IPV6), 2_500_000_000, 800_000_000)


@case
def a7_low_ttl(c):
    """A RST out of the window with TTL 1 and a bad checksum ends nothing."""
    return disturbed(c, c.dst(50, "R.", 900_000_000, 51, ttl=1, tcp={"chksum": 0}))


# ---- broken headers ----

def broken(c, *changes, at=50):
    """FINs of the destination in sequence, each with the header fields of one change."""
    return [c.dst(at + n / 100, "F.", 501, 51, **change) for n, change in enumerate(changes)]


@case
def a8_bad_ipv4_headers(c):
    """FINs with broken IPv4 headers: IHL 0 to 4 and 15, total length beyond the packet or too short, other versions."""
    return disturbed(c, *broken(c, *({"ip": {"ihl": n}} for n in range(5)), {"ip": {"len": 1500}}, {"ip": {"len": 39}},
                                {"ip": {"len": 20}}, {"ip": {"len": 1}}, {"ip": {"version": 5}},
                                {"ip": {"version": 6}}, {"ip": {"ihl": 15}}))


@case
def a9_nine_extension_headers(c):
    """More IPv6 extension headers than are walked, up to 64."""
    segments = closed(replace(c, ips=IPV6))
    return [with_extensions(s, [options_header() for _ in range(n)]) for s, n in zip(segments, [9, 10, 16, 64] * 3)]


@case
def a9_no_tcp_behind(c):
    """Bytes like a FIN behind ESP, behind "no next header", and behind an extension header longer than the packet."""
    v6 = replace(c, ips=IPV6)
    fin = v6.dst(50, "F.", 501, 51)
    tcp = bytes(fin.packet().payload)
    head = IPv6(src=v6.ips[1], dst=v6.ips[0])
    long = head.copy()
    long.nh = 60
    none = head.copy()
    none.nh = 59
    forged = [bytes(head / ESP(data=tcp)), bytes(none / tcp), bytes(long / (b"\x06\xff" + b"\0" * 6 + tcp))]
    return disturbed(v6, *(frame_of(fin, data) for data in forged))


@case
def a10_later_fragment_like_fin(c):
    """A later fragment whose payload looks like a FIN in sequence has no TCP header."""
    fin = c.dst(50, "F.", 501, 51, ip={"frag": 100, "flags": 0})
    return disturbed(c, fin)


@case
def a10_tiny_fragment(c):
    """A FIN whose first fragment ends before the flags (RFC 1858) does not count."""
    return disturbed(c, *fragments_of(c.dst(50, "F.", 501, 51, 100), 8))


@case
def a12_bad_data_offsets(c):
    """FINs with data offsets of 0 to 4, and of 15 where the packet is shorter."""
    return disturbed(c, *broken(c, *({"tcp": {"dataofs": n}} for n in (0, 1, 2, 3, 4, 15))))


def with_options(segment, options):
    """The segment with these bytes as TCP options."""
    packet = segment.packet()
    tcp = packet.payload.copy()
    tcp.options, tcp.dataofs, tcp.chksum = [], 5 + len(options) // 4, 0
    packet.remove_payload()
    packet.proto = 6
    data = bytearray(bytes(tcp) + options)
    data[16:18] = in4_chksum(6, packet, bytes(data)).to_bytes(2, "big")
    return frame_of(segment, bytes(packet / bytes(data)))


@case
def a12_bad_options(c):
    """SYN options of length 0 and 255, and scales behind the end of options: none of them is read."""
    opened = c.opened()
    syn = with_options(opened[0], bytes.fromhex("0204 05b4 0500 0303 0700 0000"))
    syn_ack = with_options(opened[1], bytes.fromhex("0204 05b4 0003 0309"))
    return [syn, syn_ack] + opened[2:] + c.four_way()


@case
def a12_option_past_end(c):
    """The last option is longer than the header; the window scale before it counts."""
    opened = c.opened()
    syn = with_options(opened[0], bytes.fromhex("0303 0701 1eff 0000"))
    return [syn] + opened[1:] + c.four_way()


@case
def a12_scale_above_14(c):
    """Shift counts above 14 mean 14 (RFC 7323 section 2.3)."""
    opened = c.opened()
    return [replace(opened[0], options=[("WScale", 200)]), replace(opened[1], options=[("WScale", 15)])
            ] + opened[2:] + c.four_way()


@case
def a14_contradicting_flags(c):
    """SYN+FIN, no flag, FIN+PSH+URG without ACK; SYN+RST, FIN+RST and all flags far out of the window: RSTs."""
    far = 900_000_000
    return disturbed(c, c.src(40, "SF", 51), c.dst(41, "SF.", 501, 51), c.src(42, "", 51), c.dst(43, "FPU", 501),
                     c.dst(44, "SR.", far, 51), c.dst(45, "FR.", far, 51), c.src(46, "FSRP.UEC", far, 501))


@case
def a14_fin_rst_in_sequence(c):
    """FIN and RST in one segment in sequence: the RST is processed first (RFC 9293 section 3.10.7.4)."""
    return c.opened() + [c.src(100, "FR.", 51, 501)]


@case
def a14_syn_rst_in_sequence(c):
    """SYN and RST in one segment in sequence: the RST is processed first (RFC 9293 section 3.10.7.4)."""
    return c.opened() + [c.src(100, "SR.", 51, 501)]


@case
def a14_syn_rst_refuses(c):
    """An answer to a SYN with SYN, RST and ACK: SYN-SENT checks RST first, too (RFC 9293 section 3.10.7.3)."""
    return [c.src(0, "S"), c.dst(10, "SR.", 0, 1)]


@case
def a14_syn_rst_without_ack(c):
    """The destination's RST with SYN and no ACK, with the number that the source expects: no new connection."""
    return c.opened() + [c.dst(100, "SR", 501)]


@case
def a14_syn_fin_alone(c):
    """A scan of 20 ports by SYN+FIN: no connection."""
    return scan(c, "SF")


# ---- a SYN or SYN-ACK in a connection whose opening the capture lacks ----

def midstream_disturbed(c, forged):
    """Data both ways without a handshake, the forged segment and its challenge ACK, and the close."""
    return c.opened()[3:] + [forged, c.dst(60, ".", 501, 51)] + c.four_way()


@case
def a16_syn_midstream(c):
    """Its number is 900 million from the connection's."""
    return midstream_disturbed(c, c.src(50, "S", 900_000_000))


@case
def a16_syn_midstream_of_destination(c):
    """In the destination's name, over IPv6."""
    v6 = replace(c, ips=IPV6)
    return v6.opened()[3:] + [v6.dst(50, "S", 900_000_000), v6.src(60, ".", 51, 501)] + v6.four_way()


@case
def a16_syn_ack_midstream(c):
    """A SYN-ACK that answers no SYN."""
    return midstream_disturbed(c, c.dst(50, "S.", 900_000_000, 700_000_000))


@case
def a16_syn_midstream_reset(c):
    """The connection is reset behind the forged SYN."""
    return c.opened()[3:] + [c.src(50, "S", 900_000_000), c.dst(60, ".", 501, 51), c.dst(100, "R.", 501, 51)]


@case
def a16_syn_before_first_fin(c):
    """Nothing but the forged SYN and the close was captured."""
    return [c.src(50, "S", 900_000_000)] + c.four_way()


@case
def a16_syn_behind_first_fin(c):
    """Of the connection nothing but its close was captured, and the SYN comes between its segments."""
    four_way = c.four_way()
    return four_way[:1] + [c.src(105, "S", 900_000_000)] + four_way[1:]


@case
def a16_syn_without_synack(c):
    """The SYN-ACK was not captured. A forged SYN takes no tuple from who has acknowledged it."""
    return [s for s in c.opened() if s.flags != "S."] + [c.src(50, "S", 900_000_000), c.dst(60, ".", 501, 51)] + \
        c.four_way()


@case
def a16_syn_inside_handshake(c):
    """A forged SYN between SYN-ACK and ACK."""
    opened = c.opened()
    return opened[:2] + [c.src(10.05, "S", 900_000_000)] + opened[2:] + c.four_way()


def next_behind_forged_syn(c, close):
    """A forged SYN of the destination is challenged. A minute after the close the tuple is used again."""
    late, forged = c.again(60_000), [c.dst(50, "S", 900_000_000), c.src(60, ".", 51, 501)]
    return c.opened() + forged + c.four_way() + late.opened() + close(late)


@case
def a16_syn_hides_no_next(c):
    """The forged SYN is of the other side than the next connection's: they do not open one at the same time."""
    return next_behind_forged_syn(c, lambda late: late.four_way())


@case
def a16_syn_hides_no_next_reset(c):
    """The same over IPv6, where the next connection is reset."""
    return next_behind_forged_syn(replace(c, ips=IPV6), lambda late: [late.src(100, "R.", 51, 501)])


def behind_foreign_synack(c, challenges):
    """
    A forged SYN came first: the destination answers that one, which the source resets and, where it asks by an ACK what
    the real SYN is to mean, that as well. Then the source repeats its SYN.
    """
    first = [c.src(5, "S"), c.dst(10, "S.", -99, 5001), c.src(10.5, "R", 5001)]
    asked = [c.dst(25, ".", -98, 5001), c.src(25.5, "R", 5001)] if challenges else []
    later = [c.src(1005, "S"), c.dst(1025, "S.", 0, 1), c.src(1025.5, ".", 1, 1), c.src(1030, "P.", 1, 1, 50),
             c.dst(1050, "P.", 1, 51, 500), c.src(1050.5, ".", 51, 501)]
    return first + asked + later + c.four_way(1200)


@case
def a16_foreign_synack_is_refused(c):
    """The RST that refuses it ends nothing."""
    return behind_foreign_synack(c, False)


@case
def a16_foreign_synack_is_refused_ipv6(c):
    """The same over IPv6, with a challenge ACK behind it."""
    return behind_foreign_synack(replace(c, ips=IPV6), True)


@case
def a6_forged_fin_hides_no_syn(c):
    """
    By a forged FIN far ahead, and a FIN behind the ACK that follows it, the recorder takes the connection for one that
    goes on. The SYNs behind its close, which nothing answers, are not challenged, and no stray ones.
    """
    late = c.again(1000, jump=(3000, 70_000_000))
    first, _, second, last = c.four_way()
    return [c.dst(50, "F.", 260_000_000, 51), first, c.dst(110, ".", 502, 52), second, last] + \
        [late.src(t, "S") for t in (0, 1000, 3000)]


@case
def a16_fin_scan_hides_no_syn(c):
    """A FIN scan of the tuple, then a SYN that nothing answers: the SYN is reported."""
    return [c.src(-50, "F.", 700_000_000, 800_000_000), c.src(0, "S"), c.src(1000, "S"), c.src(3000, "S")]


@case
def a16_fin_scan_hides_no_close(c):
    """A FIN scan of the tuple, then a connection."""
    return [c.src(-50, "F.", 700_000_000, 800_000_000)] + c.opened() + c.four_way()


# ---- acknowledgments that were overtaken, or forged ----

def overtaken(c):
    """500 bytes more from the destination, which the source acknowledges; its older ACK arrives behind that one."""
    return c.opened() + [c.dst(30, "P.", 501, 51, 500), c.src(31, ".", 51, 1001), c.src(35, ".", 51, 501)]


@case
def a16_reset_behind_overtaken_ack(c):
    """A forged RST, which its alleged sender, who owed nothing, denies much later than --settle."""
    return overtaken(c) + [c.dst(100, "R", 1001), c.dst(800, "P.", 1001, 51, 10), c.src(801, "R", 51)]


@case
def a16_reset_behind_overtaken_ack_ipv6(c):
    """The ends have changed their parts."""
    v6 = replace(c, ips=IPV6)
    return v6.opened() + [v6.src(30, "P.", 51, 501, 500), v6.dst(31, ".", 501, 551), v6.dst(35, ".", 501, 51),
                          v6.src(100, "R", 551), v6.src(800, "P.", 551, 501, 10), v6.dst(801, "R", 501)]


@case
def a4_reset_denied_late(c):
    """Forged; its alleged sender closes much later than --settle, and its receiver answers as one that is gone."""
    return c.opened() + [c.dst(100, "R", 501), c.dst(900, "F.", 501, 51), c.src(901, "R", 51)]


@case
def a4_reset_denied_late_ipv6(c):
    """The other side's, and data instead of a FIN."""
    c = replace(c, ips=IPV6)
    return c.opened() + [c.src(100, "R.", 51, 501), c.src(900, "P.", 51, 501, 10), c.dst(901, "R", 501)]


@case
def a4_reset_survived_late(c):
    """Neither end has taken it: both go on much later than --settle, and close."""
    return c.opened() + [c.dst(100, "R", 501), c.dst(900, "P.", 501, 51, 10), c.src(901, ".", 51, 511)] + [
        c.src(1600, "F.", 51, 511), c.dst(1610, ".", 511, 52), c.dst(1650, "F.", 511, 52), c.src(1650.2, ".", 52, 512)]


@case
def a4_reset_survived_late_ipv6(c):
    """The other side's; nothing comes between it and the close."""
    c = replace(c, ips=IPV6)
    return c.opened() + [c.src(100, "R.", 51, 501)] + c.four_way(1500)


@case
def a4_reset_survived_until_another(c):
    """The connection goes on and is aborted by the side that the first one was sent to."""
    return c.opened() + [c.dst(100, "R", 501), c.dst(900, "P.", 501, 51, 10), c.src(901, ".", 51, 511),
                         c.src(1600, "R.", 51, 511)]


@case
def a16_ack_ahead_is_taken_back(c):
    """A forged ACK of what was never sent, then a real one: an RST with the expected number is exact."""
    return c.opened() + [c.src(30, ".", 51, 400_000), c.dst(31, "P.", 501, 51, 500), c.src(32, ".", 51, 1001),
                         c.dst(100, "R.", 1001, 51)]


# ---- reuse of the tuple ----

@case
def a15_reuse_without_close(c):
    """The client rebooted: its SYN is challenged, its RST ends the old connection, its second SYN opens a new one."""
    new = c.again(2000)
    accepted = replace(new, start=new.start + 1_000_000_000)
    return c.opened() + [new.src(0, "S"), c.dst(2010, ".", 501, 51), c.src(2010.1, "R", 51)
                         ] + accepted.opened() + accepted.four_way()


@case
def a15_reuse_replaces(c):
    """A SYN on a tuple that never closed is answered by a SYN-ACK: the old connection's end was not seen."""
    new = c.again(2000)
    return c.opened() + new.opened() + new.four_way()


@case
def a15_reuse_of_half_closed(c):
    """The old connection's close had begun when the tuple is opened again."""
    new = c.again(2000)
    return c.opened() + c.four_way()[:2] + new.opened() + new.four_way()


@case
def a15_same_isn(c):
    """The source of the next connection has the same ISN as before."""
    new = c.again(2000, jump=(0, 70_000_000))
    return c.opened() + c.four_way() + new.opened() + new.four_way()


@case
def a15_from_the_other_side(c):
    """The former server opens the next connection on the tuple."""
    new = c.again(2000)
    new = replace(new, ips=new.ips[::-1], ports=new.ports[::-1], isn=new.isn[::-1])
    return c.opened() + c.four_way() + new.opened() + new.four_way()


@case
def a15_reset_and_again(c):
    """Five connections in a row on one tuple, each ended by SO_LINGER 0."""
    rounds = [c] + [c.again(200 * n, jump=(50_000_000 * n, 70_000_000 * n)) for n in range(1, 5)]
    return [s for r in rounds for s in r.opened() + [r.src(100, "R.", 51, 501)]]


# ---- storms ----

@case
def a17_fin_storm(c):
    """A FIN a thousand times: one record, whose count ends at 255."""
    return c.opened() + [c.src(100 + 2 * n, "F.", 51, 501) for n in range(1000)]


@case
def a17_rst_storm(c):
    """A RST a thousand times: one record."""
    return c.opened() + [c.src(100 + 2 * n, "R.", 51, 501) for n in range(1000)]


# ---- odd ends ----

@case
def a19_port_zero(c):
    """Ports 0 and 65535."""
    return closed(replace(c, ports=(65535, 0)))


@case
def a19_same_address(c):
    """Both ends on one host."""
    return closed(replace(c, ips=("127.0.0.1", "127.0.0.1")))


@case
def a19_ipv4_mapped(c):
    """On the wire, ::ffff:10.0.0.1 is an IPv6 address and no end of 10.0.0.1's connection."""
    mapped = replace(c, ips=("::ffff:10.0.0.1", "::ffff:10.0.1.9"), start=c.start + 1_000_000)
    return sorted(closed(c) + closed(mapped), key=lambda s: s.time)


@case
def a19_self_connect(c):
    """A socket connected to itself: it answers its own SYN, and its one FIN closes both directions."""
    c = replace(c, ips=("127.0.0.1", "127.0.0.1"), ports=(5000, 5000), isn=(1000, 1000))
    return [c.src(0, "S"), c.src(0.02, "S.", 0, 1), c.src(0.04, ".", 1, 1), c.src(100, "F.", 1, 1),
            c.src(100.02, ".", 2, 2)]


# ---- noise ----

@case
def arp_and_noise(c):
    """ARP, unknown and empty frames between a connection's packets."""
    noise = [Frame(c.start + 50_000_000 + n, data) for n, data in enumerate((
        b"\xff" * 6 + b"\x02" * 6 + b"\x08\x06" + b"\0" * 28, b"\0" * 14, b"\0" * 13, b"", b"\0" * 6 + b"\x45" * 60))]
    return disturbed(c, *noise)


def guesses_fill_the_log(c, side):
    """40 forged RSTs of that side inside the window of an open connection, each challenged."""
    send, answer = ((c.src, c.dst), (c.dst, c.src))[side]
    seq, ack = ((51, 501), (501, 51))[side]
    return c.opened() + [s for n in range(40) for s in (
        send(50 + n, "R", seq + 99 + 10 * n), answer(50.2 + n, ".", ack, seq))]


@case
def a6_resets_fill_the_log(c):
    """40 forged RSTs inside the window, each challenged; for the real one behind them a place is kept."""
    return guesses_fill_the_log(c, 1) + [c.dst(100, "R", 501)]


@case
def a6_resets_fill_the_log_ipv6(c):
    """The other side's; the real one comes twice."""
    c = replace(c, ips=IPV6)
    return guesses_fill_the_log(c, 0) + [c.src(100, "R.", 51, 501), c.src(101, "R.", 51, 501)]


@case
def a6_resets_fill_the_log_of_the_other(c):
    """The side aborts that the forged ones were sent to."""
    return guesses_fill_the_log(c, 1) + [c.src(100, "R.", 51, 501)]


@case
def a6_resets_fill_the_log_mirrored(c):
    """A mirror port sends each packet twice."""
    segments = guesses_fill_the_log(c, 0) + [c.src(100, "R.", 51, 501)]
    return [twin for s in segments for twin in (s, s.sighted(4_000))]


@case
def a6_resets_fill_the_log_and_close(c):
    """All were forged: the connection goes on to its close."""
    return guesses_fill_the_log(c, 1) + c.four_way()


@case
def a6_resets_fill_the_log_and_nothing_more(c):
    """Not one has the number that is expected. An old receiver would have taken one of those that found no place."""
    return guesses_fill_the_log(c, 1)
