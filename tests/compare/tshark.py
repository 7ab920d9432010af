# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs tshark on a capture and gathers its view, stream by stream, while it prints."""
import functools
import ipaddress
import os
import re
from collections import Counter, namedtuple

from command import End, run_lines
from stream import FRAGMENT, NO_SCALE, SECOND, Frame, Stream

FIELDS = """
frame.number frame.time_epoch frame.len frame.cap_len frame.protocols tcp.stream ip.src ip.dst ipv6.src
ipv6.dst tcp.srcport tcp.dstport tcp.flags tcp.seq_raw tcp.ack_raw tcp.len tcp.hdr_len tcp.window_size_value
tcp.urgent_pointer tcp.options.wscale.shift ip.id ip.len ip.hdr_len ipv6.plen ip.flags.mf ipv6.fraghdr.more
sll.ifindex tcp.completeness tcp.analysis.initial_rtt communityid
""".split()
Row = namedtuple("Row", [field.replace(".", "_") for field in FIELDS])

# Each frame by itself: nothing is reassembled. Two passes, so that completeness is that of the whole stream.
OPTIONS = ["-n", "-2", "--enable-protocol", "communityid", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
           "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "ip.tso_support:TRUE", "-o", "ipv6.tso_support:TRUE"]

# The capture formats that both read, by magic number. tshark would read other files as text or pictures.
PCAP, PCAPNG = "Wireshark/tcpdump/... - pcap", "Wireshark/... - pcapng"
FORMATS = {bytes.fromhex("a1b2c3d4"): PCAP, bytes.fromhex("d4c3b2a1"): PCAP,    # microseconds
           bytes.fromhex("a1b23c4d"): PCAP, bytes.fromhex("4d3cb2a1"): PCAP,    # nanoseconds
           bytes.fromhex("a1b2cd34"): PCAP, bytes.fromhex("34cdb2a1"): PCAP,    # Kuznetzov's
           bytes.fromhex("0a0d0d0a"): PCAPNG}

# An interface's own TCP: one IP header behind at most two VLAN tags, with the IPv6 extension headers that are walked.
# There is no link header where the capture's link type is an IP version.
PLAIN = re.compile(r"((?P<link>eth:ethertype|sll:ethertype|null|raw)(?P<tags>(:(vlan|ieee8021ad):ethertype){0,2}):)?"
                   r"(ip|ipv6(:(ipv6\.(hopopts|routing|fraghdr|dstopts|shim6)|ah|hip|mipv6)){0,8}):tcp(:|$)")
LINK_BYTES = {"eth:ethertype": 14, "null": 4, "raw": 0, None: 0}
SLL_BYTES, SLL2_BYTES, TAG_BYTES = 16, 20, 4
ORDINARY = {"eth", "ethertype", "sll", "null", "raw", "vlan", "ieee8021ad", "ip", "ipv6", "tcp"}


class View:
    """tshark's view of one file."""

    def __init__(self):
        self.streams = {}       # by (tshark's number, interface index)
        self.skipped = {}       # reason -> numbers of the streams without some frames
        self.frames = 0
        self.backwards = False  # a frame's time is before that of one ahead of it
        self.latest = None      # time of the latest frame
        self.end = End()


@functools.lru_cache(maxsize=65536)
def packed_address(text):
    return ipaddress.ip_address(text).packed


@functools.lru_cache(maxsize=65536)
def ends_of(source, sport, destination, dport):
    """Both ends in ascending order, and the sender's index."""
    sender, receiver = (packed_address(source), int(sport)), (packed_address(destination), int(dport))
    return ((sender, receiver), 0) if sender <= receiver else ((receiver, sender), 1)


def nanoseconds(text):
    """
    ns from seconds as text, exactly. A fraction of more than nine digits is a second or more in the file: it is held
    below a second. Times after the year 2262, beyond 63 bits of ns, are held there.
    """
    whole, _, fraction = text.partition(".")
    value = min(abs(int(whole)) * SECOND + min(int(fraction.ljust(9, "0")), SECOND - 1), 2**63 - 1)
    return -value if whole.startswith("-") else value


@functools.lru_cache(maxsize=4096)
def outlandish(protocols):
    """The reason why a frame of these protocols is not the interface's own TCP; None if it is."""
    if PLAIN.match(protocols):
        return None
    before = protocols.split(":tcp")[0].split(":")
    for name in before:
        if name not in ORDINARY and not name.startswith("ipv6.") and name != "udp":
            return name
    if before.count("vlan") + before.count("ieee8021ad") > 2:
        return "more than two VLAN tags"
    if before.count("ip") + before.count("ipv6") > 1:
        return "IP in IP"
    return "more than eight extension headers" if "ipv6" in before else protocols


def link_bytes(row):
    match = PLAIN.match(row.frame_protocols)
    link, tags = match.group("link"), (match.group("tags") or "").count("ethertype")
    if link == "sll:ethertype":
        return SLL2_BYTES if row.sll_ifindex else SLL_BYTES
    return LINK_BYTES[link] + tags * TAG_BYTES


def is_broken(row):
    """Whether the frame cannot be read: its lengths contradict each other, or its TCP header was cut off."""
    if not row.tcp_urgent_pointer or not row.tcp_hdr_len or int(row.tcp_hdr_len) < 20:
        return True
    held = int(row.frame_len) - link_bytes(row)
    declared = int(row.ip_len) if row.ip_len else int(row.ipv6_plen or 0) + 40
    return declared > held or (not row.tcp_len and not is_fragment(row))


def is_true(text):
    return text not in ("", "0", "False")


def is_fragment(row):
    return is_true(row.ip_flags_mf) or is_true(row.ipv6_fraghdr_more)


def payload_length(row):
    """The payload's length. tshark has none for fragments; there it is that of the first one."""
    if row.tcp_len:
        return int(row.tcp_len)
    if row.ip_len:
        return max(0, int(row.ip_len) - int(row.ip_hdr_len) - int(row.tcp_hdr_len))
    return max(0, int(row.ipv6_plen) - 8 - int(row.tcp_hdr_len))


def frame_of(row, time, side):
    flags = int(row.tcp_flags, 0) & 0xfff
    return Frame(int(row.frame_number), time, int(row.tcp_seq_raw), int(row.tcp_ack_raw), payload_length(row),
                 int(row.tcp_window_size_value), int(row.ip_id or "0", 0), flags | FRAGMENT * is_fragment(row), side,
                 int(row.tcp_options_wscale_shift or NO_SCALE))


def skip(view, why, number):
    view.skipped.setdefault(why, set()).add(number)


def take(view, row, frames):
    view.frames += 1
    if frames and view.frames > frames:
        skip(view, "behind our reader's end", int(row.tcp_stream or -1))
        return
    time = nanoseconds(row.frame_time_epoch or "0")  # a simple packet block has no time
    if view.latest is not None and time < view.latest:
        view.backwards = True
    else:
        view.latest = time
    if not row.tcp_stream:
        return
    number = int(row.tcp_stream)
    why = outlandish(row.frame_protocols)
    if why or is_broken(row):
        skip(view, why or "broken frames", number)
        return
    ends, side = ends_of(row.ip_src or row.ipv6_src, row.tcp_srcport, row.ip_dst or row.ipv6_dst, row.tcp_dstport)
    key = number, int(row.sll_ifindex or 0)
    stream = view.streams.get(key)
    if stream is None:
        stream = view.streams[key] = Stream(number, ends)
        stream.community_id = row.communityid or None
    stream.cut |= row.frame_cap_len != row.frame_len
    stream.completeness = int(row.tcp_completeness)
    if row.tcp_analysis_initial_rtt and stream.initial_rtt is None:
        stream.initial_rtt = nanoseconds(row.tcp_analysis_initial_rtt)
    stream.add(frame_of(row, time, side))


def format_of(path):
    """tshark's name of the file's format; None where it is no capture."""
    with open(path, "rb") as file:
        return FORMATS.get(file.read(4))


def read(path, seconds, settings, frames=0):
    """
    settings: an empty folder, so that no preferences count. frames: how many are taken, 0 for all; one more is read, to
    see whether tshark stops there.
    """
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC", "HOME": settings,
                   "XDG_CONFIG_HOME": settings, "WIRESHARK_CONFIG_DIR": settings}
    command = ["tshark", "-r", path, "-X", "read_format:" + format_of(path), *OPTIONS,
               "-T", "fields", "-E", "separator=/t", "-E", "occurrence=f"]
    if frames:
        command += ["-c", str(frames + 1)]
    for field in FIELDS:
        command += ["-e", field]
    view = View()
    for line in run_lines(command, seconds, view.end, environment):
        values = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
        try:
            take(view, Row._make(values), frames)
        except (TypeError, ValueError):  # no line of fields, or a frame without a time
            skip(view, "odd lines of tshark", -1)
    mark_partial(view)
    return view


def mark_partial(view):
    left_out = set().union(*view.skipped.values())
    interfaces = Counter(number for number, _ in view.streams)
    for (number, _), stream in view.streams.items():
        stream.partial = number in left_out or interfaces[number] > 1
