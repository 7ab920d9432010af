# SPDX-License-Identifier: GPL-2.0-or-later
"""
TCP conversations built byte by byte, for links on which this kernel has no sockets: VLAN tags and tun devices.
"""
import socket
import struct
import time

from lab.netlab import ACK, FIN, PSH, SYN

GAP = 0.002  # s between two packets
UP, DOWN = b"u" * 10, b"d" * 20

# One graceful close in four steps, begun by the client: (sender is the client, flags, payload).
CLIENT_FIRST = ((True, SYN, b""), (False, SYN | ACK, b""), (True, ACK, b""), (True, PSH | ACK, UP),
                (False, PSH | ACK, DOWN), (True, FIN | ACK, b""), (False, ACK, b""), (False, FIN | ACK, b""),
                (True, ACK, b""))


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def ip_packet(source, destination, payload, protocol=socket.IPPROTO_TCP):
    source, destination = packed(source), packed(destination)
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + source + destination + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol, 0)
    head += source + destination
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp_segment(source, destination, ports, flags, seq, ack, payload):
    head = struct.pack("!HHIIBBHHH", *ports, seq, ack, 5 << 4, flags, 64240, 0, 0)
    pseudo = packed(source) + packed(destination) + struct.pack("!HH", socket.IPPROTO_TCP, len(head) + len(payload))
    return head[:16] + struct.pack("!H", checksum(pseudo + head + payload)) + head[18:] + payload


def icmp_error(sender, receiver, kind, code, quoted):
    """An IP packet: the ICMP or ICMPv6 error about the IP packet `quoted`."""
    protocol = socket.IPPROTO_ICMPV6 if ":" in sender else socket.IPPROTO_ICMP
    body = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    pseudo = packed(sender) + packed(receiver) + struct.pack("!II", len(body), protocol) if ":" in sender else b""
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    return ip_packet(sender, receiver, body, protocol)


def conversation(client, server, ports, script=CLIENT_FIRST):
    """IP packets of the script: [(sender is the client, bytes)]. client, server: addresses; ports: in that order."""
    next_seq = {True: 0xfffffff8, False: 7000}  # the client's numbers wrap
    packets = []
    for up, flags, payload in script:
        source, destination = (client, server) if up else (server, client)
        ack = next_seq[not up] if flags & ACK else 0
        segment = tcp_segment(source, destination, ports if up else ports[::-1], flags, next_seq[up], ack, payload)
        packets.append((up, ip_packet(source, destination, segment)))
        next_seq[up] = (next_seq[up] + len(payload) + bool(flags & (SYN | FIN))) & 0xffffffff
    return packets


def authenticated(packet):
    """The IP packet, its TCP behind an authentication header (RFC 4302)."""
    header = struct.pack("!BBHIIQI", socket.IPPROTO_TCP, 4, 0, 1, 1, 0, 0)
    if packet[0] >> 4 == 6:
        return packet[:4] + struct.pack("!HB", len(packet) - 40 + len(header), 51) + packet[7:40] + header + packet[40:]
    return (packet[:2] + struct.pack("!H", len(packet) + len(header)) + packet[4:9] + b"\x33" + packet[10:20] + header +
            packet[20:])


def mpls(packet):
    """The IP packet behind two labels, and the ethertype of those."""
    return struct.pack("!II", 100 << 12 | 64, 200 << 12 | 1 << 8 | 64) + packet, 0x8847


def pppoe(packet):
    """The IP packet in a PPPoE session, and the ethertype of that."""
    number = 0x57 if packet[0] >> 4 == 6 else 0x21
    return struct.pack("!BBHHH", 0x11, 0, 7, 2 + len(packet), number) + packet, 0x8864


def outer(payload, version, protocol):
    """The payload in an IP packet of a tunnel. Which end sends is not looked at."""
    ends = {4: ("203.0.113.1", "203.0.113.2"), 6: ("2001:db8:f::1", "2001:db8:f::2")}[version]
    source, destination = map(packed, ends)
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 60) + source + destination + payload
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 5, 0, 60, protocol, 0) + source + destination + payload


def udp(payload, version, port):
    return outer(struct.pack("!HHHH", 50000, port, 8 + len(payload), 0) + payload, version, socket.IPPROTO_UDP)


def vxlan(packet, version, vni=7):
    frame = ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", [], packet)
    return udp(struct.pack("!II", 8 << 24, vni << 8) + frame, version, 4789)


def geneve(packet, version):
    """With two words of options."""
    frame = ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", [], packet)
    return udp(struct.pack("!BBHIQ", 2, 0, 0x6558, 0xffffff << 8, 0) + frame, version, 6081)


def gre(packet, version):
    """With checksum, key and sequence number."""
    ethertype = 0x86dd if packet[0] >> 4 == 6 else 0x0800
    return outer(struct.pack("!HHIII", 0xb000, ethertype, 0, 77, 1) + packet, version, socket.IPPROTO_GRE)


def nvgre(packet, version):
    frame = ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", [], packet)
    return outer(struct.pack("!HHI", 0x2000, 0x6558, 0x5000 << 8 | len(packet) % 256) + frame, version,
                 socket.IPPROTO_GRE)


def ip_in_ip(packet, version):
    return outer(packet, version, 41 if packet[0] >> 4 == 6 else 4)


# Type and identifier as records have them, and what puts a packet in.
TUNNELS = (("vxlan", 7, vxlan), ("geneve", 0xffffff, geneve), ("gre", 77, gre), ("gre", 0x5000, nvgre),
           ("ipip", None, ip_in_ip))


def ethernet(source, destination, tags, packet, ethertype=None):
    """tags: [(ethertype of the tag, VLAN identifier)], outer first. ethertype: None: that of the IP packet."""
    if ethertype is None:
        ethertype = 0x86dd if packet[0] >> 4 == 6 else 0x0800
    frame = bytes.fromhex((destination + source).replace(":", ""))
    for tag, identifier in tags:
        frame += struct.pack("!HH", tag, identifier)
    return frame + struct.pack("!H", ethertype) + packet


def play(packets, send_up, send_down):
    """Sends the client's packets by send_up and the server's by send_down."""
    for up, packet in packets:
        (send_up if up else send_down)(packet)
        time.sleep(GAP)
