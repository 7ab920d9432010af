# SPDX-License-Identifier: GPL-2.0-or-later
"""Seed corpora from the golden captures and written by hand: seeds.py DIRECTORY makes DIRECTORY/TARGET/NAME."""
import json
import os
import struct
import sys

from scapy.error import Scapy_Exception
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapReader

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "golden"))

from build_captures import build  # noqa: E402

ETHERNET, RAW = 1, (12, 14, 101)
LINK_ETHERNET, LINK_IP = 0, 1  # enum packet_link
ISN, END, ACKED = 1, 2, 3      # enum number of script.h
TALKS = 6                      # those of IPv4

COMMANDS = """-r FILE|--read=FILE|-r -|eth0|eth0 eth1 lo|--hook=auto eth0|--hook=xdp eth0|--hook=xdp-generic eth0
--hook=tc eth0|-c 10 eth0|--count=1000000000000 eth0|-d 1.5 eth0|--duration=0.001 eth0|-4 eth0|-6 eth0|-4 -6 eth0
--ipv4 --port=80 --port=443 eth0|--host=10.0.0.0/8 eth0|--host=2001:db8::/32 eth0|--host=::1 --host=1.2.3.4 eth0
--outcome=reset,unfinished eth0|--outcome=open --show-open eth0|--format=json -r FILE|--format=ladder -v -r FILE
--format=csv -q -r FILE|--format=text -n --stats --strict eth0|--settle=60000 eth0|--settle=0 eth0
--syn-timeout=10 --close-timeout=60.25 --idle-timeout=7200 eth0|--max-flows=1024 --max-closing=2048 eth0
--max-unproven=524288 --ring=4K eth0|--evidence=65536 eth0
--ring=1G eth0|--ring=4096 eth0|--help|--version|--he|--v|-- eth0|-x|--what
--join FILE -|--join --format=json FILE FILE
eth0 --|any|a/b|-r FILE eth0|-r|--port|--port=|--stats=1|-vqn4r FILE""".replace("\n", "|").split("|")


# What each kind of member of a record looks like, and what only some records have.
SEGMENTS = [{"t": 0, "from": "source", "flags": "S", "seq": 0, "ack": 0, "raw_seq": 4294967295, "raw_ack": 0, "len": 0,
             "win": 64240, "ttl": 64, "ip_id": 7},
            {"t": None, "from": "destination", "flags": "R.", "seq": 0, "ack": 1, "raw_seq": 0, "raw_ack": 0, "len": 0,
             "win": 0, "ttl": 1, "count": 2, "copy": True, "ignored": True}]
TRAFFIC = {"packets": 3, "bytes": 5, "retransmits": 0, "retransmitted_bytes": 0, "last_data": None,
           "flags": [["S", 1], ["P.", 2]], "flags_lost": 0}
SOCKET = {"process": {"pid": 1, "name": "a\u202eb", "unit": "a.service", "uid": 0, "cgroup": 1,
                      "netns": 4026531840, "how": "close"},
          "holder": {"pid": 1, "name": "x", "unit": "\u202e", "uid": 0, "holders": 2},
          "container": {"id": "c"}, "orchestrator": {"pod": {"uid": "p"}},
          "socket": {"unread_bytes": None, "unsent_bytes": 0, "close_to_fin": 1, "peer_fin_to_close": None, "srtt": 1,
                     "retransmits": 0, "reset_received": None, "lost": True, "states": [{"t": -5, "state": "CLOSED"}]}}
RECORD = {
    "@timestamp": "2026-11-22T06:07:35.565665123Z",
    "event": {"dataset": "tcpfin.close", "id": "0123456789abcdef" * 2, "start": "2026-11-22T06:07:35.000000000Z"},
    "host": {"name": "h"}, "observer": {"ingress": {"interface": {"name": "eth0"}}},
    "network": {"vlan": [1, 2], "tunnel": {"type": "vxlan", "id": 1}},
    "source": {"ip": "10.0.0.1", "port": 40000, "bytes": 1, **SOCKET},
    "destination": {"ip": "10.0.0.2", "port": 443, "bytes": None},
    "tcp": {"final": True, "outcome": "reset", "closer": "network", "pattern": None, "time_wait": None,
            "state": {"source": "CLOSED"}, "missing": "source_fin",
            "reset": {"by": "source", "phase": "established", "validity": "exact", "forged": True, "mptcp": "reset"},
            "basis": {"reset": "wire"}, "timing": {"close": 1, "lifetime": None}, "isn": {"source": 1},
            "window_scale": {"source": 14}, "conn_state": "RSTO", "history": "ShR", "related": ["f" * 32],
            "icmp": {"type": 3, "code": 1, "by": "10.0.0.3"}, "evidence": {"reset": 1, "fin": None},
            "traffic": {"source": TRAFFIC, "destination": TRAFFIC, "idle": None}, "segments": SEGMENTS}}


def write(directory, target, name, data):
    folder = os.path.join(directory, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as out:
        out.write(data)


def packets_of(path):
    """(time in ns, link, bytes, length on the wire) of each packet until the file ends or is broken."""
    try:
        reader = RawPcapReader(path)
        unit = 1 if getattr(reader, "nano", False) else 1000
        for data, meta in reader:
            if hasattr(meta, "sec"):
                yield meta.sec * 10**9 + meta.usec * unit, reader.linktype, data, meta.wirelen
    except (Scapy_Exception, EOFError, struct.error):
        return


# ---- packets ----

def packet_seed(link, data, wire):
    """The head that fuzz_packet.c's parse_meta reads: link, shift, ethertype, tag, length that was not captured."""
    return struct.pack(">BBHHH", link, 0, 0, 0, min(max(wire - len(data), 0), 65535)) + data


# ---- scripts ----

def tcp_of(link, data):
    """(IP, TCP) layers, or None where the packet has none or is cut."""
    if link != ETHERNET and link not in RAW:
        return None
    try:
        packet = Ether(data) if link == ETHERNET else (IPv6 if data[0] >> 4 == 6 else IP)(data)
    except (struct.error, IndexError):
        return None
    ip = packet.getlayer(IP) or packet.getlayer(IPv6)
    return (ip, packet[TCP]) if ip and TCP in packet else None


class Talk:
    """The sequence numbers of one conversation that script.h keeps."""

    def __init__(self, number, isn):
        self.number, self.known = number, [{ISN: n, END: n, ACKED: n} for n in isn]

    def offset(self, side, value):
        """The (from, offset) that is nearest to a sequence number of that side."""
        signed = {base: (value - n + 2**31) % 2**32 - 2**31 for base, n in self.known[side].items()}
        base = min(signed, key=lambda b: abs(signed[b]))
        return base, max(-32768, min(32767, signed[base]))

    def note(self, side, tcp, length):
        mine, flags = self.known[side], int(tcp.flags)
        end = (tcp.seq + length + bool(flags & 2) + (flags & 1)) % 2**32
        if flags & 2:
            mine[ISN] = mine[END] = tcp.seq
        if 0 < (end - mine[END]) % 2**32 < 2**31:
            mine[END] = end
        if flags & 16:
            self.known[1 - side][ACKED] = tcp.ack


def time_code(ns):
    code = 0x8000 if ns < 0 else 0
    ns, shift = abs(ns), 0
    while ns > 0x3ff:
        ns, shift = ns >> 1, shift + 1
    return code | min(shift, 31) << 10 | ns


def segment(talk, side, ip, tcp, since):
    length = len(tcp.payload)
    scale = dict(o for o in tcp.options if len(o) == 2).get("WScale", 15) if tcp.flags & 2 else 0
    (seq_from, seq), (ack_from, ack) = talk.offset(side, tcp.seq), talk.offset(1 - side, tcp.ack)
    talk.note(side, tcp, length)
    return struct.pack(">BBhhHHBB", int(tcp.flags) & 255, side | seq_from << 1 | ack_from << 4, seq, ack,
                       min(length, 0x7fff), time_code(since), tcp.window >> 8, scale & 15 | talk.number << 4)


def script(segments):
    """The bytes of script.h from [(time, IP, TCP)]."""
    talks, out, before = {}, b"", segments[0][0]
    first = segments[0][2]
    for time, ip, tcp in segments:
        ends = (ip.src, tcp.sport), (ip.dst, tcp.dport)
        key, side = frozenset(ends), int(ends[0] > ends[1])
        if not talks:
            isn = (first.seq, first.ack) if side == 0 else (first.ack, first.seq)
        talk = talks.setdefault(key, Talk(len(talks) % TALKS, isn))
        out += segment(talk, side, ip, tcp, time - before)
        before = time
    return struct.pack(">II", *isn) + out


def flow_seeds(directory, name, segments):
    first = int(segments[0][2].flags)
    for n, how in enumerate((0, 2 + 8, 1 + 4 + 16)):  # styles, order and reason: see fuzz_flow.c
        head = struct.pack(">BBHB", 0 if first & 2 else 1, how, 80 + 40 * n, 0)
        write(directory, "flow", f"{name}-{n}", head + script(segments))


def capture_seeds(directory, name, path):
    with open(path, "rb") as file:
        data = file.read()
    write(directory, "capture", name, data)
    write(directory, "reader", name, data)
    segments = []
    for n, (time, link, data, wire) in enumerate(packets_of(path)):
        if n < 12 and (link == ETHERNET or link in RAW):
            write(directory, "packet", f"{name}-{n}",
                  packet_seed(LINK_ETHERNET if link == ETHERNET else LINK_IP, data, wire))
        layers = tcp_of(link, data)
        if layers:
            segments.append((time, *layers))
    if segments:
        flow_seeds(directory, name, segments[:60])
        for how in (0, 1, 2):
            write(directory, "table", f"{name}-{how}", bytes([how]) + script(segments[:300]))


def main(directory):
    captures = os.path.join(directory, "captures")
    for name, path in sorted(build(captures).items()):
        capture_seeds(directory, name, path)
    for step in range(1, 8):  # any bytes make a record
        write(directory, "writers", f"step-{step}", bytes(n * step & 255 for n in range(1200)))
    line = json.dumps(RECORD).encode() + b"\n"
    write(directory, "records", "record", line)
    write(directory, "records", "lines", line.replace(b"10.0.0.", b"2001:db8::") + b'{"event":{}}\n' + line)
    for n, command in enumerate(COMMANDS):
        write(directory, "options", f"command-{n}", command.replace(" ", "\0").encode())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
