#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
accounting.py TCPFIN-TRACE [NAME...]: made = reported + still open + counted as lost, exactly, under any load. As root.
lab/harness.py has how tests are run and what they print. Long tests run only by name.
"""
import collections
import contextlib
import csv
import datetime
import os
import re
import resource
import shutil
import signal
import socket
import sys
import threading
import time

from lab.closes import Path, abort, close_in_turn, talk
from lab.harness import PROGRAM, Suite
from lab.netlab import Process, Skip, Tracer, check, equal, ipv4, mac, until

BUILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build")
CONNS, FLOOD = os.path.join(BUILD, "bench/conns"), os.path.join(BUILD, "tests/flood")
SETTLE = 0.8  # s: the default of --settle, and a few polls
PORTS, SOURCES, FIRST_SOURCE = 8, 16, 100  # enough tuples that TIME-WAIT never stops the client

suite = Suite()
test, long_test = suite.test, suite.long_test


class Maker:
    """Makes real connections from the client, whose addresses the device has, to the server. The client closes them."""

    def __init__(self, lab, device="eth0"):
        self.lab = lab
        for i in range(FIRST_SOURCE, FIRST_SOURCE + SOURCES):
            lab.client.run(f"ip address add 10.99.0.{i}/24 dev {device}")
            lab.server.run(f"ip neighbour replace 10.99.0.{i} lladdr {mac(0, 1)} dev eth0 nud permanent")
        lab.client.run("sysctl -qw net.ipv4.tcp_max_tw_buckets=2000000")
        server = Process(lab, lab.server, [CONNS, "serve", ipv4(0, 2), "8000", str(PORTS)])
        until(lambda: "ready" in server.stdout, "server")

    def start(self, seconds):
        return Process(self.lab, self.lab.client, [CONNS, "open", ipv4(0, 2), "8000", str(PORTS),
                                                   f"10.99.0.{FIRST_SOURCE}", str(SOURCES), str(seconds)])

    @staticmethod
    def made(maker):
        """Waits for the maker's end. Returns how many connections it made."""
        equal("exit code of the maker", maker.wait(120), 0)
        return int(maker.stdout.split()[0])


def counters_of(tracer):
    """The counters of the summary."""
    found = re.findall(r"^  (\w+) +(\d+)$", tracer.stderr, re.MULTILINE)
    return collections.Counter({name: int(number) for name, number in found})


class Account:
    """
    What became of the connections, all made after the program's start, by its records and counters. Each one is

    - reported,
    - still open, or
    - counted as lost: as many as --max-flows were established, or no slot or no log block was free.

    Without its opening (midstream) is reported only what was evicted while it opened.
    """

    def __init__(self, tracer, path=None):
        if tracer.code is None:
            tracer.signal(signal.SIGINT)
        equal("exit code", tracer.wait(60), 0)
        tracer.left_nothing()
        self.verdicts = collections.Counter()
        self.midstream = 0
        with open(path or tracer.paths[0], encoding="utf-8", newline="") as lines:
            for record in csv.DictReader(lines):
                self.verdicts[record["tcp_outcome"], record["tcp_closer"]] += 1
                self.midstream += record["tcp_midstream"] == "true"
        self.counters = counters_of(tracer)
        self.reported = sum(self.verdicts.values())
        self.open = self.counters["established"] - self.counters["established_closed"] - self.counters["idle_forgotten"]
        self.lost = sum(self.counters[name] for name in ("established_full", "closing_full", "midstream_full"))

    def __str__(self):
        return (f"{self.reported} reported ({self.midstream} midstream), {self.open} open, {self.lost} lost; "
                f"{dict(self.verdicts)}, {dict(self.counters)}")

    def holds(self, made):
        check(made > 0 and made == self.reported + self.open + self.lost, f"{made} made, and {self}")
        check(self.midstream <= self.counters["unproven_evicted"], f"midstream: {self}")
        equal("segments not recorded", self.counters["contended"], 0)

    def all_reported(self, made):
        """Checks that none was lost, and that every verdict is graceful, closed by the source."""
        self.holds(made)
        equal("verdicts", dict(self.verdicts), {("graceful", "source"): made})


def watch(lab, *options, interfaces=("eth0",), **settings):
    return Tracer(lab, lab.client, PROGRAM, interfaces, "--format=csv", "-v", *options, **settings)


# ---- at the full rate of this machine ----

def at_full_rate(lab, seconds, *options):
    maker, tracer = Maker(lab), watch(lab, *options)
    made = maker.made(maker.start(seconds))
    time.sleep(SETTLE)
    Account(tracer).all_reported(made)


@test
def full_rate(lab):
    """2 s at full rate: every connection is reported, with the right verdict."""
    at_full_rate(lab, 2)


@test
def full_rate_two_views(lab):
    """As fast as it goes, seen by a bridge and its port: one record each, and what the other one saw is counted."""
    lab.client.try_run("ip link add br0 type bridge")
    lab.client.run("ip address flush dev eth0")
    lab.client.run("ip link set eth0 master br0")
    lab.client.run("ip link set br0 addrgenmode none up")
    lab.client.run(f"ip neighbour replace {ipv4(0, 2)} lladdr {mac(0, 2)} dev br0 nud permanent")
    # Twice as many logs as by default: two of a connection settle for half a second, of 15,000 connections a second.
    maker, tracer = Maker(lab, "br0"), watch(lab, "--max-closing=32768", interfaces=("br0", "eth0"))
    made = maker.made(maker.start(3))
    time.sleep(SETTLE)
    account = Account(tracer)
    account.all_reported(made)
    equal("views", account.counters["views_joined"], made)


@long_test
def full_rate_10(lab):
    """10 s at full rate."""
    at_full_rate(lab, 10)


@test
def ring_of_one_page(lab):
    """A ring of 4,096 bytes holds four closes, and none is lost: the others wait in their slots."""
    at_full_rate(lab, 2, "--ring=4096")


@test
def reader_stopped(lab):
    """SIGSTOP for 5 s with room for all closes meanwhile: nothing is lost."""
    maker, tracer = Maker(lab), watch(lab, "--max-closing=131072", "--ring=64K")
    tracer.signal(signal.SIGSTOP)
    begin = time.monotonic()
    made = maker.made(maker.start(2))
    time.sleep(max(0, begin + 5 - time.monotonic()))
    tracer.signal(signal.SIGCONT)
    time.sleep(SETTLE)
    Account(tracer).all_reported(made)


@test
def pipe_full(lab):
    """Standard output is a pipe that nobody reads for 4 s: nothing is lost, and no line is cut."""
    reader, writer = os.pipe()
    path = lab.file("piped")
    maker, tracer = Maker(lab), watch(lab, "--max-closing=131072", stdout=writer)
    os.close(writer)
    begin = time.monotonic()
    made = maker.made(maker.start(2))
    time.sleep(max(0, begin + 4 - time.monotonic()))
    copier = threading.Thread(target=copy_all, args=(reader, path))
    copier.start()
    time.sleep(SETTLE)
    tracer.signal(signal.SIGINT)
    copier.join(30)
    Account(tracer, path).all_reported(made)


@test
def cpu_offline(lab):
    """CPU 1 goes off and on while connections close, and is offline when counters are read: the sum is exact."""
    if "TCPFIN_GUEST" not in os.environ:
        raise Skip("it takes a CPU offline: only in a guest of tests/guests")
    if not os.path.exists(SWITCH):
        raise Skip("one CPU only")
    lab.stack.callback(switch, "1")
    maker, tracer = Maker(lab), watch(lab)
    running, times = maker.start(4), 0
    while running.code is None:
        for value in ("0", "1"):
            switch(value)
            time.sleep(0.2)
        times += 1
    made = maker.made(running)
    check(times > 3, f"CPU 1 went offline only {times} times")
    time.sleep(SETTLE)
    switch("0")
    Account(tracer).all_reported(made)


SLEEP = 8  # s
ALARM = "/sys/class/rtc/rtc0/wakealarm"


def suspend(seconds):
    """Suspends this machine to memory. Returns how long no monotonic time passed."""
    def behind():
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    before = behind()
    for path, text in ((ALARM, f"+{seconds}"), ("/sys/power/state", "mem")):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    return behind() - before


@test
def suspended(lab):
    """
    The machine sleeps while connections are open, half closed and just closed: each is reported with the times of day
    at which it was closed, and with durations that leave the sleep out.
    """
    if os.environ.get("GUEST_ROOT") != "memory":
        raise Skip("it suspends the machine: only in a guest of tests/guests with GUEST_ROOT=memory")
    tracer, path, closed = watch(lab), Path(lab.client, lab.server, ipv4(0, 2)), {}

    def close(connections):
        for connection in connections:
            close_in_turn(connection.client, connection.server)
            closed[connection.key[1:]] = time.time()
    close(path.connect() for _ in range(50))
    held, half = [[path.connect() for _ in range(50)] for _ in range(2)]
    for connection in half:
        connection.client.shutdown(socket.SHUT_WR)
    close(path.connect() for _ in range(50))
    awake = time.monotonic()
    slept = suspend(SLEEP)
    check(slept > SLEEP / 2, f"it slept {slept:.1f} s only")
    close(held + half)
    awake = time.monotonic() - awake + 5
    close(path.connect() for _ in range(50))
    time.sleep(SETTLE)
    account = Account(tracer)
    account.all_reported(250)
    with open(tracer.paths[0], encoding="utf-8", newline="") as lines:
        for record in csv.DictReader(lines):
            off = datetime.datetime.fromisoformat(record["timestamp"][:26] + "+00:00").timestamp()
            off -= closed[int(record["source_port"]), int(record["destination_port"])]
            check(abs(off) < 1, f"a time of day that is {off:.1f} s off, and {slept:.1f} s were slept")
            check(0 <= int(record["timing_lifetime"]) < awake * 1e9, f"a lifetime of {record['timing_lifetime']} ns")
    print(f"# {slept:.1f} s slept: 250 closes reported, at their times", flush=True)


SWITCH = "/sys/devices/system/cpu/cpu1/online"


def switch(value):
    with open(SWITCH, "w", encoding="ascii") as file:
        file.write(value)


def copy_all(source, path):
    with os.fdopen(source, "rb") as pipe, open(path, "wb") as copy:
        shutil.copyfileobj(pipe, copy)


# ---- floods ----

class Slow:
    """Real connections beside a flood, which are opened, used and closed one by one."""

    ENDS = ("client_first", "server_first", "linger0")

    def __init__(self, lab):
        self.path = Path(lab.client, lab.server, ipv4(0, 2))
        self.open, self.expected = [], {}

    def dial(self, count):
        for _ in range(count):
            self.open.append(self.path.connect())

    def talk(self):
        for connection in self.open:
            talk(connection)

    def close(self):
        """Closes all of them, by turns in each of the ways."""
        for number, connection in enumerate(self.open):
            end = self.ENDS[number % len(self.ENDS)]
            if end == "client_first":
                close_in_turn(connection.client, connection.server)
                verdict = ("graceful", "source")
            elif end == "server_first":
                close_in_turn(connection.server, connection.client)
                verdict = ("graceful", "destination")
            else:
                abort(connection.client)
                verdict = ("reset", "source")
            self.expected[connection.key[1:]] = verdict
        self.open = []


def flood(lab, kind, seconds):
    """200 connections are opened before and during the flood, used and closed; each must have the right verdict."""
    tracer, slow = watch(lab), Slow(lab)
    slow.dial(100)
    # Towards the client, whose interface is watched, as a host under attack sees it.
    attack = Process(lab, lab.server, [FLOOD, "eth0", mac(0, 1), kind, ipv4(0, 1), "80", str(seconds)])
    end = time.monotonic() + seconds
    slow.dial(100)
    slow.talk()
    slow.close()
    check(time.monotonic() < end, "the connections took longer than the flood")
    equal("exit code of the flood", attack.wait(seconds + 5), 0)
    time.sleep(SETTLE)
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(30), 0)
    verdicts, real = collections.defaultdict(list), {ipv4(0, 1), ipv4(0, 2)}
    with open(tracer.paths[0], encoding="utf-8", newline="") as lines:
        for record in csv.DictReader(lines):
            if {record["source_ip"], record["destination_ip"]} == real:
                key = int(record["source_port"]), int(record["destination_port"])
                verdicts[key].append((record["tcp_outcome"], record["tcp_closer"]))
            else:
                # Half-open ones of the flood that the table held until the end or their time-out.
                check(kind != "fin" and kind != "rst" and record["tcp_outcome"] in ("unanswered", "unknown"),
                      f"a record of the flood: {record['tcp_outcome']}")
    wrong = {key: found for key, found in verdicts.items() if found != [slow.expected.get(key)]}
    equal("verdicts that differ", wrong, {})
    equal("connections without a record", set(slow.expected) - set(verdicts), set())
    return int(attack.stdout), counters_of(tracer)


@test
def floods(lab):
    """A flood of SYNs, FINs and RSTs of no connection evicts only its own kind, and is counted."""
    sent, counters = flood(lab, "mixed", 8)
    counted = counters["unproven_evicted"] + counters["stray"] + counters["stray_rst"]
    check(sent > 50000 and counted > sent / 2, f"{sent} sent, {dict(counters)}")


@long_test
def flood_syn(lab):
    """A flood of SYNs."""
    sent, counters = flood(lab, "syn", 20)
    check(sent > 100000 and counters["unproven_evicted"] > sent / 2, f"{sent} sent, {dict(counters)}")


@long_test
def flood_fin(lab):
    """A flood of FINs of no connection makes no record."""
    sent, counters = flood(lab, "fin", 20)
    counted = counters["unproven_evicted"] + counters["stray"]
    check(sent > 100000 and counted > sent / 2, f"{sent} sent, {dict(counters)}")


@long_test
def flood_rst(lab):
    """A flood of RSTs of no connection makes no record."""
    sent, counters = flood(lab, "rst", 20)
    check(sent > 100000 and counters["stray_rst"] > sent / 2, f"{sent} sent, {dict(counters)}")


# ---- more than the tables hold ----

@test
def tables_of_1024(lab):
    """Tables of 1,024 entries at full rate: lost connections are counted exactly."""
    maker, tracer = Maker(lab), watch(lab, "--max-flows=1024", "--max-closing=1024", "--max-unproven=1024")
    made = maker.made(maker.start(2))
    time.sleep(SETTLE)
    account = Account(tracer)
    account.holds(made)
    check(account.lost and account.reported, f"nothing was lost or nothing reported: {account}")
    equal("verdicts", set(account.verdicts), {("graceful", "source")})


@test
def reader_stopped_too_long(lab):
    """SIGSTOP until no log block is free: lost ones are counted exactly, and after it none is lost."""
    maker, tracer = Maker(lab), watch(lab, "--max-closing=4096", "--ring=64K")
    work = maker.start(4)
    tracer.signal(signal.SIGSTOP)
    time.sleep(2)
    tracer.signal(signal.SIGCONT)
    made = maker.made(work)
    time.sleep(SETTLE)
    account = Account(tracer)
    account.holds(made)
    check(account.lost and account.reported and not account.open, f"{account}")


def same_port(lab, times):
    """
    Connections of one tuple, each aborted at once. Fourteen of a tuple have room between two polls of the reader; the
    SYNs of the others find no slot.
    """
    tracer, path = watch(lab), Path(lab.client, lab.server, ipv4(0, 2))
    with path.listen() as listener:
        for _ in range(times):
            client = lab.client.socket(path.family)
            client.bind(("", 45000))
            client.connect(listener.getsockname())
            abort(client)
            listener.accept()[0].close()
    time.sleep(SETTLE)
    account = Account(tracer)
    account.holds(times)
    check(account.reported, f"nothing was reported: {account}")


@test
def same_port_1000(lab):
    """1,000 connections of one tuple, as fast as they come: reported + lost = 1,000."""
    same_port(lab, 1000)


@long_test
def same_port_10000(lab):
    """10,000 connections of one tuple."""
    same_port(lab, 10000)


@test
def held_open(lab):
    """5,000 connections held open and room for 1,024: open + lost = 5,000."""
    tracer, path = watch(lab, "--max-flows=1024"), Path(lab.client, lab.server, ipv4(0, 2))
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    with contextlib.ExitStack() as sockets, path.listen() as listener:
        for _ in range(5000):
            sockets.enter_context(path.dial(listener.getsockname()[1]))
            sockets.enter_context(listener.accept()[0])
        account = Account(tracer)
    account.holds(5000)
    equal("open", account.open, 1024)


# ---- a long run ----

def figures(tracer):
    """The numbers of established, closing and settling flows, printed at SIGUSR1."""
    lines = tracer.stderr.count("stats:")
    tracer.signal(signal.SIGUSR1)
    until(lambda: tracer.stderr.count("stats:") > lines and tracer.stderr.endswith("\n"), "figures")
    last = tracer.stderr.rstrip().splitlines()[-1]
    return tuple(int(n) for n in re.search(r"established (\d+)/\d+ closing (\d+)/\d+ settling (\d+)", last).groups())


def memory_of(tracer):
    """Resident memory, KiB."""
    with open(f"/proc/{tracer.child.pid}/status", encoding="ascii") as lines:
        return int(re.search(r"VmRSS:\s+(\d+)", lines.read())[1])


@long_test
def soak(lab):
    """SOAK (5,000,000) connections through one process: memory does not grow, tables become empty, all are reported."""
    wanted, made, memory = int(os.environ.get("SOAK", "5000000")), 0, []  # memory: [(connections so far, KiB)]
    with open(os.devnull, "wb") as nothing:
        maker, tracer = Maker(lab), watch(lab, stdout=nothing)
    while made < wanted:
        made += maker.made(maker.start(10))
        time.sleep(SETTLE)
        equal("flows kept at rest", figures(tracer), (0, 0, 0))
        memory.append((made, memory_of(tracer)))
        print(f"# {made} connections, {memory[-1][1]} KiB", flush=True)
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(30), 0)
    patterns = (r"^(\d+) conn", r"^  graceful +(\d+)")
    reported = [int(re.search(pattern, tracer.stderr, re.MULTILINE)[1]) for pattern in patterns]
    equal("connections reported, graceful ones", reported, [made, made])
    # Memory is that of the busiest moment, and does not grow with each connection.
    (half, then), (end, last) = memory[len(memory) // 2 - 1], memory[-1]
    check((last - then) * 1024 <= 2 * (end - half), f"memory grew: {memory}")


if __name__ == "__main__":
    suite.main(sys.argv)
