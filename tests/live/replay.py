#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
replay.py TCPFIN-TRACE CAPTURE...: the records of live traffic are those of its capture, whatever the kernel.

Each capture is sent frame by frame, at its own pace, over a veth pair of its own, and has a program of its own there:
what one program sees of a connection at several interfaces is one record, and many captures have the same ends. Apart
from times, the records must be those of the file with -r, which depends on no kernel.

A capture can be sent if it is Ethernet, whole, no longer than LONGEST, and one station has sent all frames of one time,
so that they go in the capture's order. Others are left out. Where a busy machine did not keep a capture's pace, and its
records differ, it is sent again by itself.

A file waits for 135 s for what the alleged sender of an RST does; live the record of an RST is made after --settle, and
replaced where that shows something else. Of the captures in BEHIND_RESET the records must be those of both parts.
"""
import contextlib
import ctypes
import heapq
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from lab.netlab import Failure, Lab, Process, check, equal, libc, until

LONGEST = 9.5   # s from the first to the last frame: a live wait is news after 10
LARGEST = 65535 # bytes of a frame: an interface's largest MTU
STAGGER = 0.03  # s between the starts of two captures
BATCH = 20      # captures at a time
SETTLE = 0.5    # s: the default of --settle
PACE = 0.01     # s by which a frame may be late, beside the others of its capture
TWICE = 0.001   # s within which equal frames are one packet that was seen twice
BURST = 0.00005 # s within which equal RSTs are; frames so close are sent by one call
TRIES = 5       # of a capture that was not sent at its pace
SMALL = ("--max-flows=1024", "--max-closing=1024", "--max-unproven=1024", "--ring=64K")  # tables that are made quickly
ETHERNET = 1    # LINKTYPE_ETHERNET
LEFT_OUT = {
    "a17_rst_storm": "milliseconds decide how many of its resets come within the settling time",
    "a6_resets_fill_the_log_and_nothing_more": "live, a connection goes on behind RSTs that were challenged, until it "
                                               "closes or is idle for --idle-timeout; a file has ended",
    "a6_resets_fill_the_log_ipv6": "its equal ACKs are a millisecond apart, and closer ones are one packet seen twice",
    "synack_sighted_late": "its sightings are 700 us apart, of the millisecond that they may be",
    "mirrored_late": "its sightings are 900 us apart, of the millisecond that they may be: the sender may miss that",
    "fin_in_a_cut_frame": "an interface gives a frame's true length, which that capture has lost",
}
BEHIND_RESET = {  # what comes behind the RST has numbers of its own, of both sides, and no SYN
    # Live, the record of the RST is made and its numbers are forgotten: what comes then is another connection (RFC 9293
    # section 3.6.1). A file leaves the RST open for 135 s to what its alleged sender does. Foreign numbers of both
    # sides say nothing of it: whoever has forged the RST can forge those as well (reliability:forged_forwarded_shared).
    "p6_reuse_without_syn_after_reset",
}
MAGIC = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\x4d\x3c\xb2\xa1": ("<", 1),  # byte order, ns of a fraction's unit
         b"\xa1\xb2\xc3\xd4": (">", 1000), b"\xa1\xb2\x3c\x4d": (">", 1)}


class Frame(NamedTuple):
    """at: seconds after the first. up: from the station that sent the first."""

    at: float
    up: bool
    data: bytes


class Unfit(Exception):
    """The capture cannot be sent."""


def demand(condition):
    if not condition:
        raise Unfit


def packets_of(data):
    """(time in ns, bytes) of each packet of a classic pcap file."""
    demand(data[:4] in MAGIC)
    order, unit = MAGIC[data[:4]]
    demand(struct.unpack_from(order + "I", data, 20) == (ETHERNET,))
    offset = 24
    while offset < len(data):
        seconds, fraction, held, wire = struct.unpack_from(order + "IIII", data, offset)
        packet = data[offset + 16:offset + 16 + held]
        demand(14 <= held == wire == len(packet) and fraction * unit < 10**9)
        yield seconds * 10**9 + fraction * unit, packet
        offset += 16 + held


def frames_of(path):
    """The capture's frames; an empty list where it cannot be sent."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        packets = list(packets_of(data))
        demand(packets)
        times = [at for at, _ in packets]
        demand(all(one[0] < two[0] or (one[0] == two[0] and one[1][6:12] == two[1][6:12])
                   for one, two in itertools.pairwise(packets)))
        demand(times[-1] - times[0] <= LONGEST * 1e9 and max(len(packet) for _, packet in packets) <= LARGEST)
    except (Unfit, struct.error):
        return []
    station = packets[0][1][6:12]
    return [Frame((at - times[0]) / 1e9, packet[6:12] == station, packet) for at, packet in packets]


def lay_links(lab, names):
    """A veth pair from the client to the server for each name."""
    path = lab.file("batch")
    with open(path, "w", encoding="ascii") as batch:
        for name in names:
            batch.write(f"link add {name} mtu {LARGEST} type veth peer name {name} mtu {LARGEST} netns "
                        f"{lab.server.path}\n")
            batch.write(f"link set {name} addrgenmode none up\n")
    lab.client.run(f"ip -batch {path}")
    with open(path, "w", encoding="ascii") as batch:
        batch.writelines(f"link set {name} addrgenmode none up\n" for name in names)
    lab.server.run(f"ip -batch {path}")


class Message(ctypes.Structure):
    """struct mmsghdr, of a frame: its one struct iovec is what parts points to."""

    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("parts", ctypes.c_void_p),
                ("count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("padding", ctypes.c_uint32), ("sent", ctypes.c_uint32)]


def send_burst(sender, frames):
    """Sends the frames by one call, so that the kernel alone is between them."""
    parts = [(ctypes.c_size_t * 2)(ctypes.cast(frame, ctypes.c_void_p).value, len(frame)) for frame in frames]
    messages = (Message * len(frames))(*(Message(parts=ctypes.addressof(part), count=1) for part in parts))
    equal("frames sent", libc.sendmmsg(sender.fileno(), messages, len(frames), 0), len(frames))


def bursts_of(frames):
    """Lists of frames that one station sends within BURST."""
    bursts = []
    for frame in frames:
        if bursts and bursts[-1][0].up == frame.up and frame.at - bursts[-1][0].at < BURST:
            bursts[-1].append(frame)
        else:
            bursts.append([frame])
    return bursts


def kept_pace(sent):
    """Whether frames, (when each was to be sent, before and after it was), came as in their capture."""
    late = [before - planned for planned, before, _ in sent]
    twins = all(after - before < limit for number, (one, before, _) in enumerate(sent)
                for two, _, after in itertools.takewhile(lambda item: item[0] - one < TWICE, sent[number + 1:])
                for limit in (BURST, TWICE) if two - one < limit)
    return twins and max(late) - min(late) < PACE


def sockets_of(place, names, held):
    """A socket of that namespace for each interface, which sends there. held: an ExitStack."""
    found = {}
    for name in names:
        found[name] = held.enter_context(place.socket(socket.AF_PACKET, socket.SOCK_RAW))
        found[name].bind((name, 0))
    return found


def send(lab, captures):
    """
    Sends all captures, {interface: frames}, each from STAGGER seconds after the one before. Returns the interfaces
    whose frames did not keep their pace.
    """
    sent = {name: [] for name in captures}
    plan = heapq.merge(*([(number * STAGGER + burst[0].at, number, burst, name) for burst in bursts_of(frames)]
                         for number, (name, frames) in enumerate(captures.items())), key=lambda item: item[:2])
    with contextlib.ExitStack() as held:
        senders = sockets_of(lab.server, captures, held), sockets_of(lab.client, captures, held)
        start = time.monotonic()
        for at, number, burst, name in plan:
            time.sleep(max(0, start + at - time.monotonic()))
            before = time.monotonic()
            send_burst(senders[burst[0].up][name], [frame.data for frame in burst])
            sent[name].extend((number * STAGGER + frame.at, before, time.monotonic()) for frame in burst)
    return [name for name, times in sent.items() if not kept_pace(times)]


def without_times(record):
    """The fields that must be the same. Of a timing that is whether there is one."""
    del record["@timestamp"]
    record.pop("observer", None)  # a file has none
    for name in ("start", "end", "duration", "id"):  # the id depends on the start
        del record["event"][name]
    record.pop("host", None)  # nor has a file this one
    if not record["tcp"]["reset"]["forged"]:  # what follows tells that it is not; the file ends with it
        del record["tcp"]["reset"]["forged"]
    timing = record["tcp"]["timing"]
    record["tcp"]["timing"] = {name: timing[name] is not None for name in timing}
    for segment in record["tcp"]["segments"]:
        del segment["t"]
    for name in ("bytes_approximate",  # depends on how long the replay takes
                 "silence", "silence_at_most", "mtu_black_hole",  # live, data is not listed
                 "related"):  # by what the other interfaces carry
        record["tcp"].pop(name, None)
    return record


def of_file(program, path):
    done = subprocess.run([program, "-q", "--format=json", "-r", path], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def part_of(data):
    """The capture as a file."""
    part = tempfile.NamedTemporaryFile(suffix=".pcap")
    part.write(data)
    part.flush()
    return part


def settled(path, records):
    """The capture up to where the last of these live records of an RST was made, and behind it; () without such."""
    resets = [record["tcp"]["segments"][at]["t"] / 1e9 for record in records
              if record["tcp"]["outcome"] == "reset" and (at := record["tcp"]["evidence"]["reset"]) is not None]
    if not resets:
        return ()
    with open(path, "rb") as file:
        data = file.read()
    first, size = None, 24
    for time_ns, packet in packets_of(data):
        first = time_ns if first is None else first
        if (time_ns - first) / 1e9 > max(resets) + SETTLE:
            break
        size += 16 + len(packet)
    return part_of(data[:size]), part_of(data[:24] + data[size:])


def difference_of(program, path, live):
    """The first difference between the live records and those of the file; "" without one."""
    if os.path.basename(path).partition(".")[0] in BEHIND_RESET:
        expected = [record for part in settled(path, live) for record in of_file(program, part.name)]
    else:
        expected = of_file(program, path)
    return difference(in_order(live), in_order(expected))


def in_order(records):
    """Of a connection's records the last one: live, what comes much later makes another one."""
    records = {record["event"]["id"]: record for record in records}.values()
    records = sorted(records, key=lambda record: (record["event"]["start"], record["source"]["port"]))
    return [without_times(record) for record in records]


def without_handshake(got, expected):
    """
    Second sightings of SYN and SYN-ACK are counted in files alone: the file's record, with the live one's count where
    so many more are of these.
    """
    twice, again = got["captured_twice"], expected["retransmits"]
    if twice <= expected["captured_twice"] <= twice + 2 + again["syn"] + again["syn_ack"]:
        return expected | {"captured_twice": twice}
    return expected


def difference(got, expected, path=""):
    """The first difference as text; "" without one."""
    if path.endswith(".tcp"):
        expected = without_handshake(got, expected)
    if isinstance(expected, dict) and isinstance(got, dict):
        pairs = [(f"{path}.{key}", got.get(key), expected.get(key)) for key in expected | got]
    elif isinstance(expected, list) and isinstance(got, list) and len(got) == len(expected):
        pairs = [(f"{path}[{number}]", *pair) for number, pair in enumerate(zip(got, expected))]
    else:
        return "" if got == expected else f"{path or 'records'}: live {brief(got)}, in the file {brief(expected)}"
    return next(filter(None, (difference(a, b, name) for name, a, b in pairs)), "")


def brief(value):
    return f"{len(value)} of them" if isinstance(value, list) else repr(value)


def start(lab, program, interfaces):
    """Starts a program for each interface and waits until all are attached."""
    tracers = {name: Process(lab, lab.client, [program, "--format=json", *SMALL, name]) for name in interfaces}
    for name, tracer in tracers.items():
        until(lambda: tracer.code is not None or len(lab.client.attached(name)) == 2, "attached programs", 60)
        check(tracer.code is None, f"the program ended at once: {tracer.stderr.strip()}")
    return tracers


def replay(program, captures):
    """
    captures: {name: (path, frames)}. Sends all of them. Returns {name: the first difference or ""}, and the names of
    those that were not sent at their pace.
    """
    live = {}
    with Lab() as lab:
        links = {f"r{number}": name for number, name in enumerate(captures)}
        lay_links(lab, links)
        tracers = start(lab, program, list(links))
        late = send(lab, {link: captures[name][1] for link, name in links.items()})
        time.sleep(1)  # the default settling time, and the reader's period
        for link, tracer in tracers.items():
            tracer.signal(signal.SIGINT)
            equal("exit code", tracer.wait(60), 0)
            live[links[link]] = [json.loads(line) for line in tracer.stdout.splitlines()]
    differences = {name: difference_of(program, path, live[name]) for name, (path, _) in captures.items()}
    return differences, [links[link] for link in late]


def replay_again(program, wrong, late, captures):
    """Sends those again that are wrong and were not sent at their pace."""
    for _ in range(TRIES - 1):
        for name in [name for name in late if wrong[name]]:
            again, still_late = replay(program, {name: captures[name]})
            wrong.update(again)
            if not still_late:
                late.remove(name)


def judge(program, captures):
    """Prints a line for each capture. Returns how many failed."""
    try:
        wrong, late = replay(program, captures)
        replay_again(program, wrong, late, captures)
    except (Failure, OSError) as error:
        wrong = dict.fromkeys(captures, error)
    for name, why in wrong.items():
        print(f"not ok replay_{name} - {why}" if why else f"ok replay_{name}", flush=True)
    return sum(map(bool, wrong.values()))


def main(program, *paths):
    captures = {os.path.basename(path).partition(".")[0]: (path, frames)
                for path in sorted(paths) if (frames := frames_of(path))}
    skipped = [name for name in LEFT_OUT if captures.pop(name, None)]
    for name in skipped:
        print(f"skip replay_{name} - {LEFT_OUT[name]}")
    names, failed = sorted(captures, key=lambda name: captures[name][1][-1].at), 0  # long ones at one time
    for first in range(0, len(names), BATCH):
        failed += judge(os.path.abspath(program), {name: captures[name] for name in names[first:first + BATCH]})
    print(f"{len(names) - failed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or os.geteuid() != 0:
        sys.exit("usage: replay.py TCPFIN-TRACE CAPTURE..., as root")
    sys.exit(main(*sys.argv[1:]))
