#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
accounting.py TCPFIN-TRACE [NAME...]: made = reported + still open + counted as lost, to the connection, however hard it
gets; as root. harness.py says how tests are run and what they print. Tests that take long run only when named.
"""
import collections
import contextlib
import csv
import os
import re
import resource
import shutil
import signal
import sys
import threading
import time

from lab.closes import Path, abort, close_in_turn, talk
from lab.harness import PROGRAM, Suite
from lab.netlab import Process, Skip, Tracer, check, equal, ipv4, mac, until

BUILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build")
CONNS, FLOOD = os.path.join(BUILD, "bench/conns"), os.path.join(BUILD, "tests/flood")
SETTLE = 0.8  # s: the default of --settle, and a sweep
PORTS, SOURCES, FIRST_SOURCE = 8, 16, 100  # enough tuples for TIME-WAIT never to stop the client

suite = Suite()
test, long_test = suite.test, suite.long_test


class Maker:
    """Makes real connections from the client to the server, each of them closed by the client."""

    def __init__(self, lab):
        self.lab = lab
        for i in range(FIRST_SOURCE, FIRST_SOURCE + SOURCES):
            lab.client.run(f"ip address add 10.99.0.{i}/24 dev eth0")
            lab.server.run(f"ip neighbour replace 10.99.0.{i} lladdr {mac(0, 1)} dev eth0 nud permanent")
        lab.client.run("sysctl -qw net.ipv4.tcp_max_tw_buckets=2000000")
        server = Process(lab, lab.server, [CONNS, "serve", ipv4(0, 2), "8000", str(PORTS)])
        until(lambda: "ready" in server.stdout, "server")

    def start(self, seconds):
        return Process(self.lab, self.lab.client, [CONNS, "open", ipv4(0, 2), "8000", str(PORTS),
                                                   f"10.99.0.{FIRST_SOURCE}", str(SOURCES), str(seconds)])

    @staticmethod
    def made(maker):
        """How many connections it has made, once it is done."""
        equal("exit code of the maker", maker.wait(120), 0)
        return int(maker.stdout.split()[0])


def counters_of(tracer):
    """The counters of the summary."""
    found = re.findall(r"^  (\w+) +(\d+)$", tracer.stderr, re.MULTILINE)
    return collections.Counter({name: int(number) for name, number in found})


class Account:
    """
    What a run of the program says it did with the connections, all of which were made after its start. One of them is

    - reported with its opening,
    - still open: in the table of established flows, or
    - counted as lost: the table of established flows was full, or that of closing flows.

    Where the rest of a lost one was seen it is reported nevertheless, as one whose opening nobody saw (midstream).
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
        self.reported = sum(self.verdicts.values()) - self.midstream
        self.open = self.counters["established"] - self.counters["established_closed"] - self.counters["idle_forgotten"]
        self.lost = sum(self.counters[name] for name in ("established_full", "closing_full", "records_lost"))

    def __str__(self):
        return (f"{self.reported} reported, {self.midstream} midstream, {self.open} open, {self.lost} lost; "
                f"{dict(self.verdicts)}, {dict(self.counters)}")

    def holds(self, made):
        check(made > 0 and made == self.reported + self.open + self.lost, f"{made} made, and {self}")
        equal("segments not recorded", self.counters["contended"], 0)

    def all_told(self, made):
        """None was lost, and none has a wrong verdict: the client closes, and both sides finish."""
        self.holds(made)
        equal("verdicts", dict(self.verdicts), {("graceful", "source"): made})


def watch(lab, *options, **settings):
    return Tracer(lab, lab.client, PROGRAM, ["eth0"], "--format=csv", *options, **settings)


# ---- as fast as this machine makes connections ----

def at_full_rate(lab, seconds, *options):
    maker, tracer = Maker(lab), watch(lab, *options)
    made = maker.made(maker.start(seconds))
    time.sleep(SETTLE)
    Account(tracer).all_told(made)


@test
def full_rate(lab):
    """2 s at full rate: every connection is reported, with the right verdict."""
    at_full_rate(lab, 2)


@long_test
def full_rate_10(lab):
    """10 s at full rate."""
    at_full_rate(lab, 10)


@test
def ring_of_one_page(lab):
    """A ring of 4,096 bytes holds four closes, and none is lost: they wait in their table."""
    at_full_rate(lab, 2, "--ring=4096")


@test
def reader_stopped(lab):
    """SIGSTOP for 5 s with room for what closes meanwhile: nothing is lost."""
    maker, tracer = Maker(lab), watch(lab, "--max-closing=131072", "--ring=64K")
    tracer.signal(signal.SIGSTOP)
    begin = time.monotonic()
    made = maker.made(maker.start(2))
    time.sleep(max(0, begin + 5 - time.monotonic()))
    tracer.signal(signal.SIGCONT)
    time.sleep(SETTLE)
    Account(tracer).all_told(made)


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
    Account(tracer, path).all_told(made)


@test
def cpu_offline(lab):
    """CPU 1 goes and comes back while connections close, and is away when it is all added up: the sum is exact."""
    if "TCPFIN_GUEST" not in os.environ:
        raise Skip("it takes a CPU from everything else: only in a guest of tests/guests")
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
    check(times > 3, f"it went {times} times only")
    time.sleep(SETTLE)
    switch("0")
    Account(tracer).all_told(made)


SWITCH = "/sys/devices/system/cpu/cpu1/online"


def switch(value):
    with open(SWITCH, "w", encoding="ascii") as file:
        file.write(value)


def copy_all(source, path):
    with os.fdopen(source, "rb") as pipe, open(path, "wb") as copy:
        shutil.copyfileobj(pipe, copy)


# ---- floods ----

class Slow:
    """Real connections that last; each is opened, talked on and closed on its own time."""

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
        """Closes them all, in each of the ways by turns."""
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
    """Beside the flood 200 connections are opened before and during it, talk, and close; each must have its verdict."""
    tracer, slow = watch(lab), Slow(lab)
    slow.dial(100)
    # To the client, whose interface is watched: what a host under attack sees.
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
                # Half open ones that the table held to the end, or until their time was up.
                check(kind != "fin" and kind != "rst" and record["tcp_outcome"] in ("unanswered", "unknown"),
                      f"a record of nothing: {record['tcp_outcome']}")
    equal("verdicts that differ", {key: told for key, told in verdicts.items() if told != [slow.expected.get(key)]}, {})
    equal("connections without a record", set(slow.expected) - set(verdicts), set())
    return int(attack.stdout), counters_of(tracer)


@test
def floods(lab):
    """SYNs, FINs and RSTs of nobody by turns: they evict only their own kind, and are counted."""
    sent, counters = flood(lab, "mixed", 8)
    told = counters["unproven_evicted"] + counters["stray"] + counters["stray_rst"]
    check(sent > 50000 and told > sent / 2, f"{sent} sent, {dict(counters)}")


@long_test
def flood_syn(lab):
    """A flood of SYNs."""
    sent, counters = flood(lab, "syn", 20)
    check(sent > 100000 and counters["unproven_evicted"] > sent / 2, f"{sent} sent, {dict(counters)}")


@long_test
def flood_fin(lab):
    """A flood of FINs of no connection makes no record."""
    sent, counters = flood(lab, "fin", 20)
    told = counters["unproven_evicted"] + counters["stray"]
    check(sent > 100000 and told > sent / 2, f"{sent} sent, {dict(counters)}")


@long_test
def flood_rst(lab):
    """A flood of RSTs of no connection makes no record."""
    sent, counters = flood(lab, "rst", 20)
    check(sent > 100000 and counters["stray_rst"] > sent / 2, f"{sent} sent, {dict(counters)}")


# ---- more than the tables hold ----

@test
def tables_of_1024(lab):
    """Tables of 1,024 entries at full rate: what is lost is counted, to the connection."""
    maker, tracer = Maker(lab), watch(lab, "--max-flows=1024", "--max-closing=1024", "--max-unproven=1024")
    made = maker.made(maker.start(2))
    time.sleep(SETTLE)
    account = Account(tracer)
    account.holds(made)
    check(account.lost and account.reported, f"nothing is tested: {account}")


@test
def reader_stopped_too_long(lab):
    """SIGSTOP until the table of closing flows overflows: the same, and after it all is well again."""
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
    Connections of one tuple, each aborted at once. Eight of a tuple have room until the reader comes by; of those that
    have none the RST is lost, and the next one's SYN tells that they were replaced.
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
    """What SIGUSR1 has it say: (established, closing, settling) flows it keeps, once it has come to rest."""
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
    """SOAK (5,000,000) connections through one process: memory stays, the tables empty themselves, all are reported."""
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
    told = [int(re.search(pattern, tracer.stderr, re.MULTILINE)[1]) for pattern in (r"^(\d+) conn", r"^  graceful +(\d+)")]
    equal("connections reported, graceful ones", told, [made, made])
    # It is that of the busiest moment, and no byte a connection more.
    (half, then), (end, last) = memory[len(memory) // 2 - 1], memory[-1]
    check((last - then) * 1024 <= 2 * (end - half), f"memory grew: {memory}")


if __name__ == "__main__":
    suite.main(sys.argv)
