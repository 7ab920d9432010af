# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments in relative numbers, and the capture files they go into.

Nothing here keeps the state of a connection: the case gives every time, number and flag, so that its source shows what
is in the capture. Times, ISNs, addresses and IP ids are fixed: a case gives the same file on every machine.
"""
import struct
from dataclasses import dataclass, field, replace

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

EPOCH = 1767225600 * 10**9  # 2026-01-01T00:00:00Z in ns; cases count from here

# LINKTYPE_ values of pcap
ETHERNET, NULL, RAW, LOOP, SLL, SLL2 = 1, 0, 101, 108, 113, 276
PPP, PPP_HDLC, PPP_ETHER, C_HDLC = 9, 50, 51, 104


def ns(milliseconds):
    return round(milliseconds * 1_000_000)


@dataclass(frozen=True)
class Conversation:
    """Two ends. src() and dst() make a segment of either; seq and ack are relative, as in Wireshark (the SYN is 0)."""
    ips: tuple = ("10.0.0.1", "10.0.1.9")
    ports: tuple = (40001, 443)
    isn: tuple = (0x10000000, 0x90000000)
    start: int = EPOCH  # ns; times of segments are milliseconds behind it
    tags: tuple = ()    # VLAN tags, outer first: (ethertype, tci)

    def src(self, ms, flags, seq=0, ack=0, length=0, **more):
        return Segment(self, 0, self.start + ns(ms), flags, seq, ack, length, **more)

    def dst(self, ms, flags, seq=0, ack=0, length=0, **more):
        return Segment(self, 1, self.start + ns(ms), flags, seq, ack, length, **more)

    def handshake(self):
        return [self.src(0, "S"), self.dst(10, "S.", 0, 1), self.src(10.1, ".", 1, 1)]

    def opened(self):
        """Handshake, 50 bytes from the source and 500 back: the next numbers are 51 and 501."""
        return self.handshake() + [self.src(11, "P.", 1, 1, 50), self.dst(21, ".", 1, 51),
                                   self.dst(22, "P.", 1, 51, 500), self.src(22.1, ".", 51, 501)]

    def four_way(self, ms=100):
        """The source closes what opened() opened, the destination 50 ms later."""
        return [self.src(ms, "F.", 51, 501), self.dst(ms + 10, ".", 501, 52),
                self.dst(ms + 50, "F.", 501, 52), self.src(ms + 50.2, ".", 52, 502)]

    def again(self, ms, jump=(50_000_000, 70_000_000), **changes):
        """A later conversation of the same ends with other ISNs."""
        isn = tuple((old + more) % 2**32 for old, more in zip(self.isn, jump))
        return replace(self, start=self.start + ns(ms), isn=isn, **changes)

    def other(self, port=40002, **changes):
        """Another conversation of the same hosts at the same time."""
        return replace(self, ports=(port, self.ports[1]), **changes)


SYN_OPTIONS = ([("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 7)],
               [("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 9)])


@dataclass(frozen=True)
class Segment:
    conversation: Conversation
    side: int     # sender: 0 source, 1 destination
    time: int     # ns since 1970
    flags: str    # tcpdump's letters
    seq: int
    ack: int
    length: int = 0
    win: int = None      # as in the header
    options: list = None
    ttl: int = 64
    ip_id: int = None    # None: from the time, so that no two segments of a case share one
    ip: dict = field(default_factory=dict)   # IP and TCP header fields that override the usual ones
    tcp: dict = field(default_factory=dict)

    @property
    def end(self):
        return self.seq + self.length + ("S" in self.flags) + ("F" in self.flags)

    def sighted(self, later, **changes):
        """The same packet seen again, that many ns later: the IP id stays."""
        return replace(self, time=self.time + later, ip_id=self._ip_id(), **changes)

    def _ip_id(self):
        return self.time // 10_000 % 65536 if self.ip_id is None else self.ip_id

    def _ip(self):
        c = self.conversation
        ends = {"src": c.ips[self.side], "dst": c.ips[1 - self.side]}
        if ":" in c.ips[0]:
            return IPv6(**{"hlim": self.ttl, **ends, **self.ip})
        return IP(**{"ttl": self.ttl, "id": self._ip_id(), "flags": "DF", **ends, **self.ip})

    def _tcp(self):
        c = self.conversation
        syn = "S" in self.flags
        options = self.options if self.options is not None else SYN_OPTIONS[self.side] if syn else []
        win = self.win if self.win is not None else 64240 if syn else 502
        fields = {"sport": c.ports[self.side], "dport": c.ports[1 - self.side], "flags": self.flags.replace(".", "A"),
                  "seq": (c.isn[self.side] + self.seq) % 2**32,
                  "ack": (c.isn[1 - self.side] + self.ack) % 2**32 if "." in self.flags else 0,
                  "window": win, "options": options}
        return TCP(**{**fields, **self.tcp})

    def packet(self):
        """The IP packet as scapy layers."""
        return self._ip() / self._tcp() / (b"x" * self.length)

    def frame(self, link=ETHERNET):
        return frame_of(self, bytes(self.packet()), link)


@dataclass(frozen=True)
class Frame:
    """Bytes on the link at a time; wire is the length on the wire where the capture holds less."""
    time: int
    data: bytes
    wire: int = None

    def frame(self, _link):
        return self


def frame_of(segment, packet, link=ETHERNET):
    """The link header that the segment's sender would put before these bytes of an IP packet."""
    tags = segment.conversation.tags
    return Frame(segment.time, link_header(link, segment.side, packet[0] >> 4, tags) + packet)


def link_header(link, side, version, tags=()):
    ethertype = 0x86DD if version == 6 else 0x0800
    mac = bytes([2, 0, 0, 0, 0, 10 + side]), bytes([2, 0, 0, 0, 0, 11 - side])
    family = 30 if version == 6 else 2  # NULL and LOOP: AF_INET, AF_INET6 of the host; 30 is macOS's
    if link == ETHERNET:
        tagged = b"".join(struct.pack(">HH", *tag) for tag in tags)
        return mac[1] + mac[0] + tagged + struct.pack(">H", ethertype)
    if link in (PPP, PPP_HDLC):
        return b"\xff\x03" * (link == PPP_HDLC) + struct.pack(">H", 0x57 if version == 6 else 0x21)
    if link == C_HDLC:
        return struct.pack(">HH", 0x0F00, ethertype)
    if link == SLL:
        return struct.pack(">HHH8sH", 4 * side, 1, 6, mac[0], ethertype)
    if link == SLL2:
        return struct.pack(">HHIHBB8s", ethertype, 0, 2, 1, 4 * side, 6, mac[0])
    return {RAW: b"", NULL: struct.pack("<I", family), LOOP: struct.pack(">I", family)}[link]


@dataclass(frozen=True)
class Capture:
    """A classic pcap file. items: segments and frames in file order."""
    items: list
    link: int = ETHERNET
    nano: bool = True
    snaplen: int = 262144
    order: str = "<"

    def file(self):
        magic = 0xA1B23C4D if self.nano else 0xA1B2C3D4
        head = struct.pack(self.order + "IHHiIII", magic, 2, 4, 0, 0, self.snaplen, self.link)
        return head + b"".join(self._record(item.frame(self.link)) for item in self.items)

    def _record(self, frame):
        unit = 1 if self.nano else 1000
        held = frame.data[:self.snaplen]
        wire = frame.wire or len(frame.data)
        head = struct.pack(self.order + "IIII", frame.time // 10**9, frame.time % 10**9 // unit, len(held), wire)
        return head + held


CASES = {}


def case(function):
    """Registers a case: a function of a Conversation that gives segments and frames, a Capture, or a file's bytes."""
    CASES[function.__name__] = function
    return function


def capture_of(name, conversation=Conversation()):
    made = CASES[name](conversation)
    return made if isinstance(made, (bytes, Capture)) else Capture(list(made))


def file_of(name):
    made = capture_of(name)
    return made if isinstance(made, bytes) else made.file()
