# SPDX-License-Identifier: GPL-2.0-or-later
"""Artefacts of how and where a close is captured: offloads, links, tags, fragments, cut packets, times.

Most captures show one and the same four-way close, and must give its record.
"""
import struct
from dataclasses import replace

from scapy.layers.inet import IPOption
from scapy.layers.inet6 import (HBHOptUnknown, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting)
from scapy.packet import Raw

from packets import (C_HDLC, EPOCH, ETHERNET, LOOP, NULL, PPP, PPP_ETHER, PPP_HDLC, RAW, SLL, SLL2, Capture, Frame,
                     case, frame_of, link_header)

IPV6 = ("2001:db8::1", "2001:db8::9")


def closed(c):
    return c.opened() + c.four_way()


def sack(conversation, side, left, right):
    """TCP options with a SACK block in the other side's relative numbers."""
    isn = conversation.isn[1 - side]
    return [("NOP", None), ("NOP", None), ("SAck", ((isn + left) % 2**32, (isn + right) % 2**32))]


# ---- offloads ----

def half_closed_by_super_packet(c, **super_packet):
    """The destination's 20000 bytes and FIN are one super-packet."""
    return c.handshake() + [c.dst(100, "FP.", 1, 1, 20000, **super_packet), c.src(100.1, ".", 1, 20002),
                            c.src(150, "F.", 1, 20002), c.dst(160, ".", 20002, 2)]


@case
def gro_super_packet(c):
    """GRO merged the FIN into the data before it: its number follows 20000 bytes."""
    return half_closed_by_super_packet(c)


@case
def gro_ip_length_zero(c):
    """A super-packet with an IPv4 total length of 0: the packet's own length counts."""
    return half_closed_by_super_packet(c, ip={"len": 0})


@case
def big_tcp_ipv6_length_zero(c):
    """BIG TCP: 70000 bytes and FIN in one IPv6 packet of payload length 0."""
    c = replace(c, ips=IPV6)
    return c.handshake() + [c.dst(100, "FP.", 1, 1, 70000, ip={"plen": 0}), c.src(100.1, ".", 1, 70002),
                            c.src(150, "F.", 1, 70002), c.dst(160, ".", 70002, 2)]


@case
def big_tcp_jumbo_option(c):
    """70000 bytes and FIN in one IPv6 packet with the jumbo payload option in a hop-by-hop header (RFC 2675)."""
    c = replace(c, ips=IPV6)
    fin = c.dst(100, "FP.", 1, 1, 70000)
    packet = fin.packet()
    tcp = packet.payload
    jumbo = HBHOptUnknown(otype=0xC2, optdata=(70020 + 8).to_bytes(4, "big"))
    data = bytes(IPv6(src=packet.src, dst=packet.dst, hlim=64, plen=0) / IPv6ExtHdrHopByHop(options=[jumbo]) / tcp)
    return c.handshake() + [frame_of(fin, data), c.src(100.1, ".", 1, 70002), c.src(150, "F.", 1, 70002),
                            c.dst(160, ".", 70002, 2)]


@case
def tso_super_packet(c):
    """30000 bytes leave in one packet before the FIN, and the FIN's packet has 30000 more."""
    return c.handshake() + [c.src(99, "P.", 1, 1, 30000), c.src(100, "FP.", 30001, 1, 30000), c.dst(110, ".", 1, 60002),
                            c.dst(150, "F.", 1, 60002), c.src(150.2, ".", 60002, 2)]


@case
def jumbo_frame(c):
    """A FIN behind 8900 bytes in one frame."""
    return c.handshake() + [c.src(100, "FP.", 1, 1, 8900), c.dst(110, ".", 1, 8902), c.dst(150, "F.", 1, 8902),
                            c.src(150.2, ".", 8902, 2)]


@case
def checksum_bad(c):
    """Wrong TCP checksums, as transmit offload leaves them, are no reason to drop a segment."""
    return [replace(s, tcp={"chksum": 0x1234}) for s in closed(c)]


@case
def ethernet_padding(c):
    """Short frames padded to 60 bytes: the payload's length comes from IP."""
    frames = [s.frame() for s in closed(c)]
    return [replace(f, data=f.data.ljust(60, b"\0")) for f in frames]


# ---- links and tags ----

@case
def link_raw(c):
    """No link header."""
    return Capture(closed(c), link=RAW)


@case
def link_raw_ipv6(c):
    """No link header, IPv6."""
    return Capture(closed(replace(c, ips=IPV6)), link=RAW)


@case
def link_sll(c):
    """Linux cooked capture."""
    return Capture(closed(c), link=SLL)


@case
def link_sll2(c):
    """Linux cooked capture, version 2."""
    return Capture(closed(c), link=SLL2)


@case
def link_sll2_ipv6(c):
    """Linux cooked capture, version 2, IPv6."""
    return Capture(closed(replace(c, ips=IPV6)), link=SLL2)


def at_interfaces(segments, indexes):
    """SLL2 frames at those interfaces, one after the other."""
    frames = [(s.frame(SLL2), indexes(s)) for s in segments]
    return [replace(f, data=f.data[:4] + struct.pack(">I", index) + f.data[8:]) for f, index in frames]


@case
def link_sll2_forwarded(c):
    """`tcpdump -i any` on a router: every packet comes by interface 2 and goes by 3, or the other way."""
    twins = [twin for s in closed(c) for twin in (s, s.sighted(30_000, ttl=63))]
    return Capture(at_interfaces(twins, lambda s: 2 + ((s.ttl == 63) ^ s.side)), link=SLL2)


@case
def link_sll2_asymmetric(c):
    """`tcpdump -i any`: what each side sends takes an interface of its own."""
    return Capture(at_interfaces(closed(c), lambda s: 7 - s.side), link=SLL2)


@case
def link_null(c):
    """BSD loopback: the address family in the byte order of the capturing host."""
    return Capture(closed(c), link=NULL)


@case
def link_null_ipv6(c):
    """BSD loopback, IPv6: 30 is AF_INET6 of macOS."""
    return Capture(closed(replace(c, ips=IPV6)), link=NULL)


@case
def link_loop(c):
    """OpenBSD loopback: the address family in network byte order."""
    return Capture(closed(c), link=LOOP)


@case
def vlan(c):
    """One 802.1Q tag, priority 5."""
    return closed(replace(c, tags=((0x8100, 0xA064),)))


@case
def vlan_priority_tag(c):
    """A tag with VLAN identifier 0."""
    return closed(replace(c, tags=((0x8100, 0xA000),)))


@case
def qinq(c):
    """802.1ad outside, 802.1Q inside."""
    return closed(replace(c, tags=((0x88A8, 100), (0x8100, 200))))


@case
def qinq_old_ethertype(c):
    """The outer tag has ethertype 0x9100, which was used before 802.1ad."""
    return closed(replace(c, tags=((0x9100, 100), (0x8100, 200))))


@case
def vlan_three_tags(c):
    """Three tags: only two are parsed."""
    return closed(replace(c, tags=((0x88A8, 1), (0x8100, 2), (0x8100, 3))))


@case
def vlan_eight_tags(c):
    """Eight tags: only two are parsed."""
    return closed(replace(c, tags=((0x8100, 7),) * 8))


@case
def vlan_one_direction(c):
    """Hardware stripped the tag of one direction only: it is one connection."""
    tagged = replace(c, tags=((0x8100, 100),))
    return [replace(s, conversation=tagged) if s.side else s for s in closed(c)]


# ---- headers between link and IP, which are passed over ----

def inserted(segment, ethertype, header):
    """The segment's Ethernet frame with a header of that type between Ethernet (and its tags) and IP."""
    packet = bytes(segment.packet())
    link = link_header(ETHERNET, segment.side, packet[0] >> 4, segment.conversation.tags)
    return Frame(segment.time, link[:-2] + struct.pack(">H", ethertype) + header + packet)


def labels(*numbers):
    """An MPLS label stack, TTL 63."""
    last = len(numbers) - 1
    return b"".join(struct.pack(">I", number << 12 | (n == last) << 8 | 63) for n, number in enumerate(numbers))


def pppoe(segment, compressed=False):
    """A PPPoE session header with PPP's protocol."""
    packet = segment.packet()
    number = 0x57 if packet.version == 6 else 0x21
    protocol = struct.pack(">B" if compressed else ">H", number)
    return struct.pack(">BBHH", 0x11, 0, 0x1234, len(protocol) + len(packet)) + protocol


@case
def link_ppp(c):
    """PPP without address and control."""
    return Capture(closed(c), link=PPP)


@case
def link_ppp_ipv6(c):
    """PPP, IPv6."""
    return Capture(closed(replace(c, ips=IPV6)), link=PPP)


@case
def link_ppp_mixed(c):
    """One PPP capture with and without address and control, and with the protocol in one byte."""
    heads = (b"\xff\x03\x00\x21", b"\x00\x21", b"\x21", b"\xff\x03\x21")
    return Capture([Frame(s.time, heads[n % 4] + bytes(s.packet())) for n, s in enumerate(closed(c))], link=PPP)


@case
def link_ppp_hdlc(c):
    """PPP in HDLC-like framing: address and control first."""
    return Capture(closed(c), link=PPP_HDLC)


@case
def link_ppp_hdlc_cisco(c):
    """A serial line's capture with Cisco's framing."""
    return Capture([s.frame(C_HDLC) for s in closed(c)], link=PPP_HDLC)


@case
def link_cisco_hdlc(c):
    """Cisco HDLC, IPv6."""
    return Capture(closed(replace(c, ips=IPV6)), link=C_HDLC)


@case
def link_ppp_ether(c):
    """A capture that begins with the PPPoE header."""
    return Capture([Frame(s.time, pppoe(s) + bytes(s.packet())) for s in closed(c)], link=PPP_ETHER)


@case
def mpls_one_label(c):
    """One label."""
    return [inserted(s, 0x8847, labels(100)) for s in closed(c)]


@case
def mpls_one_direction(c):
    """Only one direction is labelled (the last hop takes labels off), IPv6, a stack of three, below a VLAN tag."""
    c = replace(c, ips=IPV6, tags=((0x8100, 100),))
    return [inserted(s, 0x8847, labels(100, 200, 300)) if s.side else s for s in closed(c)]


@case
def mpls_eight_labels(c):
    """Eight labels, the most that are passed over; the upstream-assigned ethertype."""
    return [inserted(s, 0x8848, labels(*range(16, 24))) for s in closed(c)]


@case
def mpls_nine_labels(c):
    """Nine labels are counted."""
    return [inserted(s, 0x8847, labels(*range(16, 25))) for s in closed(c)]


@case
def mpls_pseudowire(c):
    """Ethernet behind a control word, whose first four bits are 0 for that reason: not IP."""
    return [inserted(s, 0x8847, labels(100) + b"\0" * 4 + s.frame().data[:14]) for s in closed(c)]


@case
def pppoe_session(c):
    """A PPPoE session."""
    return [inserted(s, 0x8864, pppoe(s)) for s in closed(c)]


@case
def pppoe_session_ipv6(c):
    """A PPPoE session, IPv6, with the protocol in one byte and a VLAN tag outside."""
    c = replace(c, ips=IPV6, tags=((0x8100, 7),))
    return [inserted(s, 0x8864, pppoe(s, compressed=True)) for s in closed(c)]


@case
def pppoe_no_session(c):
    """Other versions, and codes that a session does not have, carry nothing."""
    return [inserted(s, 0x8864, head + pppoe(s)[2:]) for s in closed(c) for head in (b"\x11\x09", b"\x21\x00")]


# ---- IP headers ----

def authenticated(segment, words=6):
    """The segment behind an authentication header of so many 32-bit words (RFC 4302)."""
    packet = segment.packet()
    head, tcp = bytes(packet)[:-len(packet.payload)], bytes(packet.payload)
    header = struct.pack(">BBHII", 6, words - 2, 0, 0x100, 1) + b"\xaa" * (4 * words - 12)
    if packet.version == 6:
        made = head[:4] + struct.pack(">HB", len(header) + len(tcp), 51) + head[7:]
    else:
        made = head[:2] + struct.pack(">H", len(bytes(packet)) + len(header)) + head[4:9] + b"\x33" + head[10:]
    return frame_of(segment, made + header + tcp)


@case
def ah_ipv4(c):
    """An authentication header behind IPv4, with an integrity check value of 96 bits."""
    return [authenticated(s) for s in closed(c)]


@case
def ah_ipv4_lengths(c):
    """Authentication headers of several lengths, one behind IPv4 options."""
    return [authenticated(replace(s, ip={"options": [IPOption(b"\x01" * 8)]} if n == 4 else {}), 3 + n)
            for n, s in enumerate(closed(c))]


@case
def ah_ipv6(c):
    """An authentication header behind IPv6."""
    return [authenticated(s) for s in closed(replace(c, ips=IPV6))]


@case
def ipv4_no_extension_headers(c):
    """IPv4 has no destination options: the number 60 is another protocol there."""
    return [replace(f, data=f.data[:23] + b"\x3c" + f.data[24:34] + b"\x06\0" + b"\0" * 6 + f.data[34:])
            for f in (s.frame() for s in closed(c))]


@case
def ipv4_options(c):
    """IP header lengths from 5 to 15 words."""
    return [replace(s, ip={"options": [IPOption(b"\x01" * (4 * n))] if n else []}) for n, s in enumerate(closed(c))]


def with_extensions(segment, headers):
    """The segment with IPv6 extension headers between IP and TCP."""
    packet = segment.packet()
    layers = IPv6(src=packet.src, dst=packet.dst, hlim=packet.hlim)
    for header in headers:
        layers = layers / header
    return frame_of(segment, bytes(layers / packet.payload))


def options_header(kind=IPv6ExtHdrDestOpt, size=6):
    return kind(options=[HBHOptUnknown(otype=0x1E, optdata=b"\0" * (size - 2))])


@case
def ipv6(c):
    """The four-way close on IPv6."""
    return closed(replace(c, ips=IPV6))


@case
def ipv6_extension_headers(c):
    """IPv6 with each extension header: hop-by-hop, destination options, routing, atomic fragment, and all in a row."""
    chain = [options_header(IPv6ExtHdrHopByHop), options_header(size=14), IPv6ExtHdrRouting(segleft=0, addresses=[]),
             IPv6ExtHdrFragment(id=9), options_header()]
    chains = [[], chain[:1], chain[1:2], chain[2:3], chain[3:4], chain]
    return [with_extensions(s, chains[n % 6]) for n, s in enumerate(closed(replace(c, ips=IPV6)))]


@case
def ipv6_eight_extension_headers(c):
    """Eight IPv6 extension headers in a row, the most that are walked."""
    return [with_extensions(s, [options_header() for _ in range(8)]) for s in closed(replace(c, ips=IPV6))]


def fragments_of(segment, first_bytes):
    """IPv4 fragments of the segment, the first with that many bytes of it."""
    packet = segment.packet()
    data = bytes(packet.payload)
    first, rest = packet.copy(), packet.copy()
    first.flags, first.len = "MF", None
    rest.flags, rest.frag, rest.len = 0, first_bytes // 8, None
    for part, piece in ((first, data[:first_bytes]), (rest, data[first_bytes:])):
        part.remove_payload()
        part.add_payload(Raw(piece))
        part.proto = 6
    return [frame_of(segment, bytes(first)), frame_of(segment, bytes(rest))]


def fragmented(c, fin):
    """A close whose first FIN, with 2000 bytes, is in the frames `fin`."""
    return c.opened() + fin + [c.dst(110, ".", 501, 2052), c.dst(150, "F.", 501, 2052), c.src(150.2, ".", 2052, 502)]


@case
def fragments(c):
    """A fragmented FIN: its number follows the whole datagram, of which the first fragment holds 1460 bytes."""
    return fragmented(c, fragments_of(c.src(100, "FP.", 51, 501, 2000), 1480))


@case
def fragments_reversed(c):
    """A fragmented FIN whose second fragment comes first."""
    return fragmented(c, fragments_of(c.src(100, "FP.", 51, 501, 2000), 1480)[::-1])


@case
def fragments_first_missing(c):
    """Of a fragmented FIN only the second fragment is in the file; it is sent again whole 200 ms later."""
    late = [c.src(300, "FP.", 51, 501, 2000), c.dst(310, ".", 501, 2052), c.dst(350, "F.", 501, 2052),
            c.src(350.2, ".", 2052, 502)]
    return c.opened() + fragments_of(c.src(100, "FP.", 51, 501, 2000), 1480)[1:] + late


# ---- numbers ----

@case
def seq_wrap_before_fin(c):
    """The source's numbers wrap 10 bytes before its FIN, the destination's within its data."""
    return closed(replace(c, isn=(2**32 - 41, 2**32 - 200)))


@case
def fin_at_last_number(c):
    """Both FINs have the number 2^32 - 1: acknowledged by 0."""
    return closed(replace(c, isn=(2**32 - 52, 2**32 - 502)))


@case
def fin_at_zero(c):
    """Both FINs have the number 0."""
    return closed(replace(c, isn=(2**32 - 51, 2**32 - 501)))


@case
def isn_zero(c):
    """Initial sequence numbers 0 and 2^32 - 1."""
    return closed(replace(c, isn=(0, 2**32 - 1)))


@case
def five_gigabytes(c):
    """5 * 10^9 bytes in one direction, 10^9 between two captured segments: more than sequence numbers can count.

    The largest window there is allows that: 2^30 bytes in 10 ms.
    """
    far = 5 * 10**9
    data = [s for n in range(1, 6) for s in (c.src(1000 * n, "P.", 1 + n * 10**9 - 100, 1, 100),
                                             c.dst(1000 * n + 10, ".", 1, 1 + n * 10**9))]
    segments = c.handshake() + data + [c.src(6000, "F.", 1 + far, 1), c.dst(6010, ".", 1, 2 + far),
                                       c.dst(6050, "F.", 1, 2 + far), c.src(6050.2, ".", 2 + far, 2)]
    return [replace(s, win=65535, options=[("WScale", 14)] if "S" in s.flags else []) for s in segments]


@case
def fin_sacked_before_acked(c):
    """The FIN arrives before the 1000 bytes ahead of it and is SACKed, which is no acknowledgment."""
    return c.opened() + [c.src(95, "P.", 51, 501, 1000), c.src(100, "F.", 1051, 501),
                         c.dst(110, ".", 501, 51, options=sack(c, 1, 1051, 1052)), c.src(130, "P.", 51, 501, 1000),
                         c.dst(140, ".", 501, 1052), c.dst(150, "F.", 501, 1052), c.src(150.2, ".", 1052, 502)]


@case
def keepalive_after_own_fin(c):
    """Keepalive probes in FIN-WAIT-2 have the FIN's number, but are no retransmissions of it."""
    probes = [s for ms in (1000, 2000) for s in (c.src(ms, ".", 51, 501), c.dst(ms + 10, ".", 501, 52))]
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52)] + probes + [
        c.dst(2500, "F.", 501, 52), c.src(2500.2, ".", 52, 502)]


@case
def zero_window_probe(c):
    """The destination's window is zero and probed with one byte and with none; later the byte comes with the FIN."""
    probes = [c.dst(30, ".", 501, 51, win=0), c.src(230, ".", 50, 501), c.dst(240, ".", 501, 51, win=0),
              c.src(640, ".", 51, 501, 1), c.dst(650, ".", 501, 51, win=0), c.dst(900, ".", 501, 51, win=502)]
    return c.opened() + probes + [c.src(1000, "FP.", 51, 501, 1), c.dst(1010, ".", 501, 53), c.dst(1050, "F.", 501, 53),
                                  c.src(1050.2, ".", 53, 502)]


@case
def window_scale_unknown(c):
    """Midstream, no window scale is known: 502 is 502 bytes to 8 MB, so a RST 100000 ahead cannot be judged."""
    return c.opened()[3:] + [c.dst(100, "R.", 100_501, 51)]


@case
def window_scale_unknown_inside(c):
    """Midstream, a RST 100 ahead: inside the window of at least 502 bytes whatever the scale is."""
    return c.opened()[3:] + [c.dst(100, "R.", 601, 51)]


@case
def window_scale_offered_by_one(c):
    """Scaling needs an offer in both SYNs (RFC 7323): 502 is 502 bytes, and a RST 1000 ahead is outside."""
    opened = c.opened()
    opened[1] = replace(opened[1], options=[("MSS", 1460)])
    return opened + [c.dst(50, "R.", 1501, 51)] + c.four_way()


# ---- sightings ----

@case
def sighted_twice(c):
    """Every packet twice within 10 us with the same IP id, by two hooks or a mirrored port: no retransmissions."""
    return [twin for s in closed(c) for twin in (s, s.sighted(10_000))]


@case
def repeated_within_a_millisecond(c):
    """The SYN-ACK is lost behind the capture; its copy answers the SYN's within 1 ms. IPv6 has no identification."""
    v6 = replace(c, ips=IPV6)
    return [v6.src(0, "S"), v6.dst(0.5, "S.", 0, 1), v6.src(1000, "S"), v6.dst(1000.5, "S.", 0, 1),
            v6.src(1000.6, ".", 1, 1)] + [replace(s, time=s.time + 1_000_000_000) for s in
                                          v6.opened()[3:] + v6.four_way()]


@case
def sighted_twice_ipv6(c):
    """Every packet twice within 10 us on IPv6, which has no IP id."""
    return [twin for s in closed(replace(c, ips=IPV6)) for twin in (s, s.sighted(10_000))]


@case
def sighted_twice_routed(c):
    """Every packet before and behind a router: the TTL is one less."""
    return [twin for s in closed(c) for twin in (s, s.sighted(30_000, ttl=63))]


@case
def reordered_handshake(c):
    """Two capture queues: the SYN-ACK is before its SYN in the file, with the right times."""
    syn, answer, *rest = closed(c)
    return [answer, syn] + rest


@case
def reordered_reset(c):
    """Two capturing CPUs: the RST is in the file before the ACK of the FIN, which has the earlier time."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(120, "R.", 501, 52), c.dst(110, ".", 501, 52)]


@case
def reordered_last_ack(c):
    """Two capturing CPUs: the last ACK is in the file before the FIN that it acknowledges."""
    segments = c.opened() + c.four_way()
    return segments[:-2] + [segments[-1], segments[-2]]


@case
def reordered_three_way_ipv6(c):
    """Two capturing CPUs, IPv6: the FIN that answers is in the file before the closer's FIN."""
    v6 = replace(c, ips=IPV6)
    fin, answer, last = v6.src(100, "F.", 51, 501), v6.dst(110, "F.", 501, 52), v6.src(110.2, ".", 52, 502)
    return v6.opened() + [answer, fin, last]


@case
def nat_two_tuples(c):
    """One connection before and behind a NAT, 20 us apart: two tuples, two records."""
    translated = replace(c, ips=("192.0.2.7", c.ips[1]), ports=(61001, c.ports[1]))
    return [twin for s in closed(c) for twin in (s, s.sighted(20_000, conversation=translated, ttl=63))]


@case
def two_connections_interleaved(c):
    """The packets of two connections alternate: two records."""
    segments = closed(c) + closed(c.other(40002, isn=(77, 99), start=c.start + 3_000_000))
    return sorted(segments, key=lambda s: s.time)


# ---- cut packets ----

@case
def snaplen_96(c):
    """Packets cut behind their headers: payload lengths come from IP."""
    return Capture(closed(c), snaplen=96)


@case
def snaplen_54(c):
    """Packets cut behind the fixed TCP header: the SYNs' options are missing."""
    return Capture(closed(c), snaplen=54)


@case
def snaplen_47(c):
    """Packets cut before the TCP flags: none can be read."""
    return Capture(closed(c), snaplen=47)


@case
def cut_at_every_byte(c):
    """FINs of the destination, cut at every byte before their flags, do not count; the source closes first."""
    fin = c.dst(50, "F.", 501, 51).frame()
    cut = [Frame(fin.time + n * 1000, fin.data[:n], len(fin.data)) for n in range(48)]
    return c.opened() + cut + c.four_way()


# ---- times ----

@case
def times_microseconds(c):
    """A file with time stamps in microseconds."""
    return Capture(closed(c), nano=False)


@case
def times_other_byte_order(c):
    """A file written on a big-endian machine."""
    return Capture(closed(c), order=">")


@case
def times_equal(c):
    """All packets at one instant."""
    return [replace(s, time=EPOCH) for s in closed(c)]


@case
def times_zero(c):
    """All packets at the time 0."""
    return [replace(s, time=0) for s in closed(c)]


@case
def times_year_2100(c):
    """A capture of the year 2100."""
    return closed(replace(c, start=4102444800 * 10**9))


@case
def times_out_of_order(c):
    """The ACK of the FIN has an earlier time than the FIN (two clocks): the close counts, no duration is negative."""
    return [replace(s, time=s.time - 20_000_000) if (s.side, s.ack) == (1, 52) and s.flags == "." else s
            for s in closed(c)]


@case
def times_backwards(c):
    """Every packet has a time one second before the packet ahead of it."""
    return [replace(s, time=EPOCH + (100 - n) * 10**9) for n, s in enumerate(closed(c))]


@case
def times_fraction_over_a_second(c):
    """Packet times whose microseconds exceed a million."""
    records = [Capture([s], nano=False).file()[24:] for s in closed(c)]
    return Capture([], nano=False).file() + b"".join(moved_second(r) for r in records)


def moved_second(record):
    """The record with one second less and a million microseconds more: the same time."""
    seconds, fraction = (int.from_bytes(record[at:at + 4], "little") for at in (0, 4))
    return (seconds - 1).to_bytes(4, "little") + (fraction + 1_000_000).to_bytes(4, "little") + record[8:]


# ---- segments that the capture lacks ----

@case
def first_fin_missed(c):
    """The destination's FIN was not captured, its acknowledgment was, and so was a copy of that FIN."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.src(150.2, ".", 52, 502),
                         c.dst(350, "F.", 501, 52)]


@case
def first_fin_missed_of_source(c):
    """The destination closes first, over IPv6; it is the source's FIN that was not captured."""
    c = replace(c, ips=IPV6)
    return c.opened() + [c.dst(100, "F.", 501, 51), c.src(110, ".", 51, 502), c.dst(150.2, ".", 502, 52),
                         c.src(350, "F.", 51, 502)]


@case
def first_fin_missed_both_close(c):
    """Both sides close at once. What the source sent behind its FIN was captured ahead of that FIN's copy."""
    return c.opened() + [c.dst(100, "F.", 501, 51), c.dst(103, ".", 502, 52), c.src(110, ".", 52, 502),
                         c.src(300, "F.", 51, 502), c.dst(310, ".", 502, 52)]


@case
def acked_fin_reordered(c):
    """The FIN that answers has overtaken the ACK and the data that were sent ahead of it."""
    return c.opened() + [c.dst(100, "F.", 501, 51), c.src(112, "F.", 151, 502), c.src(113, "P.", 51, 502, 100),
                         c.src(114, ".", 51, 502), c.dst(124, ".", 502, 152)]


@case
def window_probe_behind_fin(c):
    """A probe of the window (RFC 9293 section 3.8.6.1) follows the FIN that answers; its number is older."""
    return c.opened() + [c.dst(100, "F.", 501, 51), c.src(112, "FP.", 51, 502, 100), c.src(400, ".", 50, 502),
                         c.dst(424, ".", 502, 152)]


def without_synack(segments):
    return [s for s in segments if s.flags != "S."]


@case
def synack_missed_forged_reset(c):
    """An RST is forged in the source's name; both sides go on, and nobody saw the SYN-ACK."""
    return without_synack(c.opened()) + [c.src(50, "R", 9000), c.src(400, "P.", 51, 501, 20), c.dst(410, ".", 501, 71),
                                         c.src(1400, "F.", 71, 501), c.dst(1410, ".", 501, 72),
                                         c.dst(1450, "F.", 501, 72), c.src(1450.2, ".", 72, 502)]


@case
def synack_missed_still_open(c):
    """Both sides talk, a minute later as well; the SYN-ACK was not captured."""
    return without_synack(c.opened()) + [c.dst(60000, "P.", 501, 51, 10), c.src(60010, ".", 51, 511)]
