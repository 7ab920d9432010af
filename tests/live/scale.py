#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
scale.py TCPFIN-TRACE [NAME...]: faults at the scale of a busy host, each accounted for exactly. As root; RATE_SECONDS=N
is how long `rate` lasts. lab/harness.py has how tests are run and what they print.
"""
import collections
import csv
import multiprocessing
import os
import signal
import socket
import struct
import sys
import time

from accounting import SETTLE, Account, Maker, figures, memory_of, watch
from lab.closes import Path
from lab.frames import conversation
from lab.harness import Suite
from lab.netlab import check, equal, ipv4, mac

AT_ONCE, HOLDERS = 50000, 8
STOPPED = 60       # s
RESTARTS = 10
TAGGED, TAG = 20000, 42

suite = Suite()
test, long_test = suite.test, suite.long_test


def hold_and_close(path, count, opened, close):
    """In a process of its own, for a limit of descriptors: opens, waits for the word, closes."""
    with path.listen() as listener:
        pairs = [(path.dial(listener.getsockname()[1]), listener.accept()[0]) for _ in range(count)]
    opened.release()
    close.wait()
    for side in range(2):
        for pair in pairs:
            pair[side].close()


@long_test
def fifty_thousand_at_once(lab):
    """50,000 connections are open at once, and closed at once: each is reported, closed by the source."""
    path = Path(lab.client, lab.server, ipv4(0, 2))
    tracer = watch(lab, "--max-flows=131072", "--max-closing=131072")
    opened, close = multiprocessing.Semaphore(0), multiprocessing.Event()
    holders = [multiprocessing.Process(target=hold_and_close, args=(path, AT_ONCE // HOLDERS, opened, close))
               for _ in range(HOLDERS)]
    for holder in holders:
        holder.start()
    for _ in holders:
        check(opened.acquire(timeout=120), "connections were not opened in time")
    equal("open", figures(tracer)[0], AT_ONCE)
    begun = time.monotonic()
    close.set()
    for holder in holders:
        holder.join()
    took = time.monotonic() - begun
    time.sleep(SETTLE + 1)
    Account(tracer).all_reported(AT_ONCE)
    print(f"# {AT_ONCE} closed in {took:.1f} s: all reported", flush=True)


@long_test
def reader_stopped_for_a_minute(lab):
    """The reader is stopped for 60 s, at full rate: what found no room is counted, and afterwards nothing is lost."""
    maker, tracer = Maker(lab), watch(lab)
    running = maker.start(STOPPED + 3)
    time.sleep(1)
    tracer.signal(signal.SIGSTOP)
    time.sleep(STOPPED)
    tracer.signal(signal.SIGCONT)
    made = maker.made(running)
    more = maker.made(maker.start(2))
    time.sleep(SETTLE)
    account = Account(tracer)
    account.holds(made + more)
    check(account.lost and not account.open, f"{account}")
    print(f"# {made + more} made: {account.reported} reported, {account.lost} counted as lost, {account.open} open",
          flush=True)


def whole(path):
    """What names each connection whose record is graceful and has its handshake."""
    with open(path, encoding="utf-8", newline="") as lines:
        for record in csv.DictReader(lines):
            check(record["tcp_outcome"] in ("graceful", "unknown", "unfinished"), f"outcome {record['tcp_outcome']}")
            if record["tcp_outcome"] == "graceful" and record["tcp_midstream"] == "false":
                equal("closer", record["tcp_closer"], "source")
                yield tuple(record[name] for name in ("source_ip", "source_port", "destination_port", "isn_source",
                                                      "isn_destination"))


@long_test
def ten_restarts(lab):
    """
    Ten times, at full rate, another instance starts and the one before ends a second later: every connection is in the
    records of one of them, whole.
    """
    maker, tracers = Maker(lab), [watch(lab)]
    running = maker.start(3 * RESTARTS + 4)
    for _ in range(RESTARTS):
        time.sleep(1)
        tracers.append(watch(lab))
        time.sleep(1)
        tracers[-2].signal(signal.SIGINT)
        equal("exit code", tracers[-2].wait(60), 0)
    made = maker.made(running)
    time.sleep(SETTLE)
    tracers[-1].signal(signal.SIGINT)
    equal("exit code", tracers[-1].wait(60), 0)
    tracers[-1].left_nothing()
    seen = collections.Counter(name for tracer in tracers for name in whole(tracer.paths[0]))
    equal("connections seen whole", len(seen), made)
    print(f"# {made} made over {RESTARTS} restarts: all reported whole, {sum(seen.values()) - made} of them by two",
          flush=True)


def instances(lab, count):
    maker, tracers = Maker(lab), [watch(lab) for _ in range(count)]
    made = maker.made(maker.start(3))
    time.sleep(SETTLE)
    for tracer in tracers:
        tracer.signal(signal.SIGINT)
        equal("exit code", tracer.wait(60), 0)
    for tracer in tracers:
        Account(tracer).all_reported(made)
    print(f"# {count} instances, {made} connections: each reports all of them", flush=True)


@test
def two_instances(lab):
    """Two instances on one interface: each reports every connection."""
    instances(lab, 2)


@test
def eight_instances(lab):
    """Eight of them."""
    instances(lab, 8)


def tagged(client, server, number):
    """One close in frames with a VLAN tag: both directions, as at a mirror port."""
    ports = 1024 + number % 60000, 8000 + number // 60000
    for up, packet in conversation(client, server, ports):
        ends = (mac(0, 1), mac(0, 2)) if up else (mac(0, 2), mac(0, 1))
        addresses = b"".join(bytes.fromhex(end.replace(":", "")) for end in ends)
        yield addresses + struct.pack("!HHH", 0x8100, TAG, 0x0800) + packet


@test
def vlan_at_rate(lab):
    """20,000 closes in tagged frames through AF_PACKET, as fast as they can be sent: each is reported, with its tag."""
    frames = [frame for n in range(TAGGED) for frame in tagged("10.50.0.1", "10.50.0.2", n)]
    tracer = watch(lab, "--max-closing=65536")
    with lab.server.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("eth0", 0))
        begun = time.monotonic()
        for frame in frames:
            sender.send(frame)
        took = time.monotonic() - begun
    time.sleep(SETTLE)
    account = Account(tracer)
    account.all_reported(TAGGED)
    with open(tracer.paths[0], encoding="utf-8", newline="") as lines:
        equal("tags", {record["network_vlan_outer"] for record in csv.DictReader(lines)}, {str(TAG)})
    print(f"# {len(frames) / took:.0f} tagged frames a second: {TAGGED} closes reported", flush=True)


@long_test
def rate(lab):
    """RATE_SECONDS (60) at full rate through one process: all are reported, nothing is kept, and memory stays."""
    wanted, made, memory = int(os.environ.get("RATE_SECONDS", "60")), 0, []
    with open(os.devnull, "wb") as nothing:
        maker, tracer = Maker(lab), watch(lab, "--stats", stdout=nothing)
    begun = time.monotonic()
    while time.monotonic() - begun < wanted:
        made += maker.made(maker.start(10))
        memory.append(memory_of(tracer))
    took = time.monotonic() - begun
    time.sleep(SETTLE)
    equal("flows kept at rest", figures(tracer), (0, 0, 0))
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(30), 0)
    check(f"{made} conn" in tracer.stderr.replace(",", ""), f"{made} made, and {tracer.stderr[-2000:]}")
    check(memory[-1] <= 1.2 * memory[len(memory) // 2], f"memory grew: {memory}")
    print(f"# {made} closes in {took:.0f} s ({made / took:.0f} a second): all reported, {memory[-1]} KiB", flush=True)


if __name__ == "__main__":
    suite.main(sys.argv)
