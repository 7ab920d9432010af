# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs tshark on a capture and gathers its view, stream by stream, while it prints."""
import functools
import ipaddress
import os
from array import array
from collections import Counter, namedtuple

from command import End, run_lines
from layers import layers_of
from stream import CUT, FRAGMENT, NO_SCALE, SECOND, Frame, Stream

FIELDS = """
frame.number frame.time_epoch frame.len frame.cap_len frame.protocols tcp.stream ip.src ip.dst ipv6.src
ipv6.dst tcp.srcport tcp.dstport tcp.flags tcp.seq_raw tcp.ack_raw tcp.len tcp.hdr_len tcp.window_size_value
tcp.urgent_pointer tcp.options.wscale.shift ip.id ip.len ip.hdr_len ipv6.plen ip.flags.mf ipv6.fraghdr.more
tcp.completeness tcp.checksum.status tcp.analysis.initial_rtt communityid vxlan.vni vxlan.flags geneve.vni
geneve.version gre.key mpls.label pppoe.code pppoe.version pppoe.type
""".split()
SEVERAL = {"ip.src", "ip.dst", "ip.id", "ip.len", "ip.hdr_len", "ip.flags.mf", "ipv6.src", "ipv6.dst", "ipv6.plen",
           "mpls.label"}
VALUES = ";"  # between the values of a field that a frame has several times
Row = namedtuple("Row", [field.replace(".", "_") for field in FIELDS])

# Each frame by itself: nothing is reassembled. Two passes, so that completeness is that of the whole stream.
OPTIONS = ["-n", "-2", "--enable-protocol", "communityid", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
           "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "ip.tso_support:TRUE", "-o", "ipv6.tso_support:TRUE",
           "-o", "tcp.check_checksum:TRUE", "-d", "udp.port==8472,vxlan"]  # the port that Linux takes by itself

# The capture formats that both read, by magic number. tshark would read other files as text or pictures.
PCAP, PCAPNG = "Wireshark/tcpdump/... - pcap", "Wireshark/... - pcapng"
FORMATS = {bytes.fromhex("a1b2c3d4"): PCAP, bytes.fromhex("d4c3b2a1"): PCAP,    # microseconds
           bytes.fromhex("a1b23c4d"): PCAP, bytes.fromhex("4d3cb2a1"): PCAP,    # nanoseconds
           bytes.fromhex("a1b2cd34"): PCAP, bytes.fromhex("34cdb2a1"): PCAP,    # Kuznetzov's
           bytes.fromhex("0a0d0d0a"): PCAPNG}

PPPOE_SESSION = 0, "1", "1"  # code, version, type
MOST_LABELS = 8
BAD_CHECKSUM = "0"
NVGRE_LEAST = 0x100000  # key of a virtual network: identifiers of RFC 7637 begin at 0x1000, behind them a flow's byte
HEADERS = 40             # bytes: of IPv4 and TCP without options
CLOCK_JUMP, CLOCK_AHEAD, CLOCK_PAUSE = 60 * SECOND, 8, 365 * 86400 * SECOND


class View:
    """tshark's view of one file."""

    def __init__(self):
        self.streams = {}       # by (tshark's number, virtual network of the tunnel)
        self.skipped = {}       # reason -> numbers of the streams without some frames
        self.frames = 0
        self.clock = array("q")    # time of each frame, in order of the file
        self.jumped = frozenset()  # numbers of frames whose time is far from those around them
        self.backwards = False     # a frame's time is before that of one ahead of it, jumps aside
        self.latest = None         # time of the latest frame, jumps aside
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


def row_of(line):
    """The row of a line. Of TCP's fields the first value counts: a connection may carry others' headers."""
    values = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
    if VALUES.encode() in line:
        values = [value.split(VALUES)[0] if name not in SEVERAL else value for name, value in zip(FIELDS, values)]
    return Row._make(values)


def place(values, index):
    """Of a field that a frame has several times."""
    return "" if index is None else values.split(VALUES)[index]


def plain_row(row, layers):
    """The row with the segment's own IP header, whatever it is inside."""
    ip, ipv6 = layers.ip, layers.ipv6
    return row._replace(ip_src=place(row.ip_src, ip), ip_dst=place(row.ip_dst, ip), ip_id=place(row.ip_id, ip),
                        ip_len=place(row.ip_len, ip), ip_hdr_len=place(row.ip_hdr_len, ip),
                        ip_flags_mf=place(row.ip_flags_mf, ip), ipv6_src=place(row.ipv6_src, ipv6),
                        ipv6_dst=place(row.ipv6_dst, ipv6), ipv6_plen=place(row.ipv6_plen, ipv6))


def not_read(row, layers):
    """Why the program does not read the frame, or None."""
    if layers.odd:
        return layers.odd
    if row.pppoe_code and (int(row.pppoe_code, 0), row.pppoe_version, row.pppoe_type) != PPPOE_SESSION:
        return "PPPoE that is no session (RFC 2516 section 6)"
    if row.mpls_label.count(VALUES) >= MOST_LABELS:
        return "more than eight MPLS labels"
    if layers.tunnel == "geneve" and row.geneve_version != "0":
        return "Geneve of another version (RFC 8926 section 3.4)"
    if layers.tunnel == "vxlan" and row.vxlan_flags and not int(row.vxlan_flags, 0) & 0x0800:
        return "VXLAN without a valid VNI (RFC 7348 section 5)"
    return None


def network_of(row, layers):
    """The virtual network that the frame belongs to; None without one."""
    if layers.tunnel in ("vxlan", "geneve"):
        return layers.tunnel, int(row.vxlan_vni or row.geneve_vni, 0)
    if layers.tunnel == "gre" and row.gre_key:
        key = int(row.gre_key, 0)
        ethernet = "gre:eth:" in row.frame_protocols
        return "gre", key >> 8 if ethernet and key >= NVGRE_LEAST else key
    return None


def is_broken(row, layers):
    """
    Whether the frame cannot be read: its TCP header was cut off or is too short, or IP says more bytes than the frame
    has, and that cannot be the writer's doing, who cuts behind the headers.
    """
    if not row.tcp_urgent_pointer or not row.tcp_hdr_len or int(row.tcp_hdr_len) < 20:
        return True
    cut = is_cut(row, layers) and int(row.frame_len) - layers.before <= HEADERS
    return cut or (not row.tcp_len and not is_fragment(row))


def is_cut(row, layers):
    """Whether IP says more bytes than the frame had: its writer cut it, and lost its length."""
    declared = int(row.ip_len) if row.ip_len else int(row.ipv6_plen or 0) + 40
    return declared > int(row.frame_len) - layers.before


def is_true(text):
    return text not in ("", "0", "False")


def is_fragment(row):
    return is_true(row.ip_flags_mf) or is_true(row.ipv6_fraghdr_more)


def payload_length(row, layers):
    """
    The payload's length, by IP's where tshark's is that of a cut frame. tshark has none for fragments; there it is that
    of the first one.
    """
    if row.tcp_len and not is_cut(row, layers):
        return int(row.tcp_len)
    if row.ip_len:
        return max(0, int(row.ip_len) - int(row.ip_hdr_len) - int(row.tcp_hdr_len))
    return max(0, int(row.ipv6_plen) - 8 * is_fragment(row) - int(row.tcp_hdr_len))


def odd_flags(row, layers):
    return FRAGMENT * is_fragment(row) | CUT * is_cut(row, layers)


def frame_of(row, layers, time, side):
    flags = int(row.tcp_flags, 0) & 0xfff
    return Frame(int(row.frame_number), time, int(row.tcp_seq_raw), int(row.tcp_ack_raw), payload_length(row, layers),
                 int(row.tcp_window_size_value), int(row.ip_id or "0", 0), odd_flags(row, layers) | flags, side,
                 int(row.tcp_options_wscale_shift or NO_SCALE))


def skip(view, why, number):
    view.skipped.setdefault(why, set()).add(number)


def take(view, row, frames):
    view.frames += 1
    if frames and view.frames > frames:
        skip(view, "behind our reader's end", int(row.tcp_stream or -1))
        return
    time = nanoseconds(row.frame_time_epoch or "0")  # a simple packet block has no time
    view.clock.append(time)
    if not row.tcp_stream:
        return
    number = int(row.tcp_stream)
    layers = layers_of(row.frame_protocols)
    why = not_read(row, layers)
    row = row if why else plain_row(row, layers)
    if why or is_broken(row, layers):
        skip(view, why or "broken frames", number)
        return
    ends, side = ends_of(row.ip_src or row.ipv6_src, row.tcp_srcport, row.ip_dst or row.ipv6_dst, row.tcp_dstport)
    key = number, network_of(row, layers)
    stream = view.streams.get(key)
    if stream is None:
        stream = view.streams[key] = Stream(number, ends)
        stream.community_id = row.communityid or None
    stream.cut |= row.frame_cap_len != row.frame_len
    stream.broken |= row.tcp_checksum_status == BAD_CHECKSUM
    stream.completeness = int(row.tcp_completeness)
    if row.tcp_analysis_initial_rtt and stream.initial_rtt is None:
        stream.initial_rtt = nanoseconds(row.tcp_analysis_initial_rtt)
    stream.add(frame_of(row, layers, time, side))


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
               "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=" + VALUES]
    if frames:
        command += ["-c", str(frames + 1)]
    for field in FIELDS:
        command += ["-e", field]
    view = View()
    for line in run_lines(command, seconds, view.end, environment):
        try:
            take(view, row_of(line), frames)
        except (IndexError, TypeError, ValueError):  # no line of fields, or a frame without a time
            skip(view, "odd lines of tshark", -1)
    mark_partial(view)
    judge_clock(view)
    return view


def has_jumped(clock, at, last):
    """
    Whether the time of the frame at that place is wrong: it is far from the last one believed, and one of the next
    frames comes back to that. The last frame has none behind it: a pause of more than a year is none.
    """
    if abs(clock[at] - last) <= CLOCK_JUMP:
        return False
    ahead = clock[at + 1:at + 1 + CLOCK_AHEAD]
    back = any(abs(time - last) <= CLOCK_JUMP for time in ahead)
    return back or (not ahead and not 0 <= clock[at] - last <= CLOCK_PAUSE)


def first_time(clock):
    """The time that two of the first three frames agree on, or the first one's."""
    if len(clock) > 2 and abs(clock[0] - clock[1]) > CLOCK_JUMP >= abs(clock[1] - clock[2]):
        return clock[1]
    return clock[0]


def judge_clock(view):
    """Which frames' clocks jumped, and whether the others run backwards."""
    clock, jumped = view.clock, set()
    last = view.latest = first_time(clock) if clock else None
    for at, time in enumerate(clock):
        if has_jumped(clock, at, last):
            jumped.add(at + 1)
            continue
        view.backwards |= time < view.latest
        last, view.latest = time, max(time, view.latest)
    view.jumped = frozenset(jumped)


def mark_partial(view):
    left_out = set().union(*view.skipped.values())
    networks = Counter(number for number, _ in view.streams)
    for (number, _), stream in view.streams.items():
        stream.partial = number in left_out or networks[number] > 1
