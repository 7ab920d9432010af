#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
reliability.py TCPFIN-TRACE [NAME...]: what no stranger, no load and no other program may do to the verdicts. As root.
lab/harness.py has how tests are run and what they print. Long tests run only by name.
"""
import collections
import contextlib
import itertools
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from datetime import datetime
from typing import NamedTuple

from accounting import SETTLE, Account, Maker, counters_of, figures, watch as watch_as_csv
from lab.closes import Path, abort, heard_the_end, talk
from lab.frames import ethernet, ip_packet, tcp_segment
from lab.harness import PROGRAM, Suite, foreign_object, key_of, paths, router
from lab.netlab import ACK, FIN, RST, SYN, Tracer, check, equal, ipv4, ipv6, mac, need, until

suite = Suite(workers=2)
test, long_test = suite.test, suite.long_test


def watch(lab, namespace, interface, *options):
    """The program on an interface of that namespace, after all of it has started."""
    tracer = Tracer(lab, namespace, PROGRAM, [interface], "--format=json", "--settle=200", "-v", *options)
    tracer.wait_for_all()
    return tracer


def verdict(record):
    return record["tcp"]["outcome"], record["tcp"]["closer"]


GRACEFUL = ("graceful", "source")


def close_by(first, second):
    """A close in four steps, without a pause."""
    first.shutdown(socket.SHUT_WR)
    heard_the_end(second)
    second.close()
    heard_the_end(first)
    first.close()


# ---- numbers of a socket, by which a test can tell what a stranger cannot know ----

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
REPAIR_ON, REPAIR_OFF_SILENTLY, SEND_QUEUE = 1, -1, 2


def stop_sending(sock):
    """From now on the socket sends nothing, not even at its close. Returns its next sequence number."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_ON)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, SEND_QUEUE)
    return sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & 0xffffffff


def next_number(sock):
    number = stop_sending(sock)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF_SILENTLY)
    return number


# ---- forged segments ----

FAR = 1 << 26  # a stranger's number is at least so far from the right one: no window reaches it
LIVE, STRANGERS = 20, 20000  # connections of a way and IP version; tuples, more than --evidence is


class Ground(NamedTuple):
    """Where connections are forged: the attacker's raw socket, and the hardware address it sends to."""

    paths: list
    raw: socket.socket
    address: str  # of the attacker's own interface
    target: str

    def send(self, source, destination, ports, flags, seq, ack):
        segment = tcp_segment(source, destination, ports, flags, seq, ack, b"")
        self.raw.send(ethernet(self.address, self.target, [], ip_packet(source, destination, segment)))


class Victim:
    """A live connection, and segments in its name by somebody who knows its tuple and nothing else."""

    def __init__(self, ground, path, source):
        self.ground, self.connection = ground, path.connect()
        self.addresses, self.ports = (source, path.address), self.connection.key[1:]
        talk(self.connection)
        numbers = next_number(self.connection.client), next_number(self.connection.server)
        self.up, self.down = (far_from(number) for number in numbers)

    def forge_up(self, flags, ahead=0, acked=0):
        """As if from the client. ahead, acked: how far the numbers have moved since the first forged ones."""
        self.ground.send(*self.addresses, self.ports, flags, (self.up + ahead) % 2**32,
                         (self.down + acked) % 2**32 if flags & ACK else 0)

    def forge_down(self, flags, ahead=0, acked=0):
        self.ground.send(*self.addresses[::-1], self.ports[::-1], flags, (self.down + ahead) % 2**32,
                         (self.up + acked) % 2**32 if flags & ACK else 0)

    def close(self):
        """What was to be harmed lives: it carries data, and then its client closes it."""
        talk(self.connection)
        close_by(self.connection.client, self.connection.server)


def far_from(number):
    return (number + random.randrange(FAR, 2**32 - FAR)) % 2**32


def acks_of_both(victim):
    """Numbers that agree with each other, so that they look like those of a connection."""
    for _ in range(2):
        victim.forge_up(ACK)
        victim.forge_down(ACK)


def poison(victim):
    acks_of_both(victim)
    victim.forge_up(RST)


def forged_close(victim):
    acks_of_both(victim)
    victim.forge_down(FIN | ACK)
    victim.forge_up(FIN | ACK, acked=1)
    victim.forge_down(ACK, ahead=1, acked=1)


def open_falsely(victim):
    victim.forge_up(SYN)
    victim.forge_down(SYN | ACK, acked=1)
    victim.forge_up(ACK, ahead=1, acked=1)


def answer_falsely(victim):
    victim.forge_up(SYN)
    victim.forge_down(SYN | ACK, acked=1)


def from_one_side(count, last):
    """That many segments, of which the last one has the flags `last`; all the others acknowledge."""
    def forge(victim):
        for _ in range(count - 1):
            victim.forge_up(ACK)
        victim.forge_up(last)
    return forge


def by_the_server(flags):
    return lambda victim: victim.forge_down(flags)


WAYS = {"rst": from_one_side(1, RST), "fin": from_one_side(1, FIN | ACK), "poison": poison, "pfin": forged_close,
        "syn": from_one_side(1, SYN), "server_rst": by_the_server(RST), "server_fin": by_the_server(FIN | ACK),
        "two_rst": from_one_side(2, RST), "two_fin": from_one_side(2, FIN | ACK),
        "ten_rst": from_one_side(10, RST), "ten_fin": from_one_side(10, FIN | ACK)}
FALSE_OPENINGS = {"connection": open_falsely, "answer": answer_falsely}
EVICTED = {"evict_rst": WAYS["rst"], "evict_fin": WAYS["fin"]}


def displace(ground, victim):
    """ACKs of strangers to the victim's server, of more tuples than the program remembers numbers of."""
    _, server = victim.addresses
    net = "198.18" if ":" not in server else "2001:db8:"
    for number in range(STRANGERS):
        high, low = divmod(number, 200)
        stranger = f"{net}.{high}.{low + 1}" if ":" not in server else f"{net}:{high:x}:{low + 1:x}"
        ground.send(stranger, server, (random.randrange(1024, 65536), victim.ports[1]), ACK, random.getrandbits(32),
                    random.getrandbits(32))


def wrong_of(records, victims, may_be_unknown):
    """
    The verdicts on these connections that are not one graceful close by the source each: {text: how many}. A record
    that says `unknown` beside it may be let pass.
    """
    found, wrong = collections.defaultdict(list), collections.Counter()
    for record in records:
        found[key_of(record)].append(record)
    for victim in victims:
        of_it = [r for r in found.pop(victim.connection.key, [])
                 if not may_be_unknown or r["tcp"]["outcome"] != "unknown"]
        if [(*verdict(r), r["tcp"]["midstream"]) for r in of_it] != [(*GRACEFUL, False)]:
            wrong[", ".join(f"{r['tcp']['outcome']} by {r['tcp']['closer']}" for r in of_it) or "no record"] += 1
    return dict(wrong)


def forge(ground, tracer, ways, evict=False, may_be_unknown=False):
    """
    LIVE connections of each way and IP version are attacked and then closed. Fails with all verdicts that are wrong,
    and with the records of no connection.
    """
    victims = {(way, path.version): [Victim(ground, path, source) for _ in range(LIVE)]
               for way in ways for path, source in ground.paths}
    time.sleep(0.3)
    for (way, _), attacked in victims.items():
        if evict:
            displace(ground, attacked[0])
        for victim in attacked:
            ways[way](victim)
    time.sleep(1)  # several times --settle, so that a false close has been reported
    everyone = [victim for attacked in victims.values() for victim in attacked]
    for victim in everyone:
        victim.close()
    time.sleep(SETTLE)
    records = tracer.stop()
    wrong = {f"{way} IPv{version}": found for (way, version), attacked in victims.items()
             if (found := wrong_of(records, attacked, may_be_unknown))}
    equal(f"wrong verdicts, of {LIVE} each", wrong, {})
    if may_be_unknown:
        records = [record for record in records if record["tcp"]["outcome"] != "unknown"]
    equal("records", len(records), len(everyone))


def ground_of(lab):
    """The attacker is in the client's network, and the server's host is watched."""
    return attack_from(lab, lab.client, "eth0", 0, list(zip(paths(lab), (ipv4(0, 1), ipv6(0, 1)))))


def attack_from(lab, namespace, interface, number, both):
    raw = lab.stack.enter_context(namespace.socket(socket.AF_PACKET, socket.SOCK_RAW))
    raw.bind((interface, 0))
    return Ground(both, raw, mac(number, 1), mac(number, 2))


def forge_at_the_server(lab, ways, *options, **settings):
    forge(ground_of(lab), watch(lab, lab.server, "eth0", *options), ways, **settings)


def forge_on_the_way(lab, ways, *options, **settings):
    """A box that forwards is watched: it has no socket of any connection, and none can be asked."""
    box, over = router(lab)
    both = list(zip(over, (ipv4(8, 1), ipv6(8, 1))))
    ground = attack_from(lab, lab.client, "eth8", 8, both)
    forge(ground, watch(lab, box, "eth8", *options), ways, **settings)


@test
def forged(lab):
    """Segments with the right tuple and wrong numbers end, begin and hide nothing. The kernel's sockets are asked."""
    forge_at_the_server(lab, WAYS)


@test
def forged_all_segments(lab):
    """Forged segments, where every segment is counted."""
    forge_at_the_server(lab, WAYS, "--all-segments")


@test
def forged_no_sockets(lab):
    """Forged segments, without the programs that follow sockets."""
    forge_at_the_server(lab, WAYS, "--no-sockets")


@test
def forged_evicted(lab):
    """A forged RST or FIN after strangers have displaced the numbers that the program remembers."""
    forge_at_the_server(lab, EVICTED, "--no-sockets", evict=True)


@test
def forged_xdp(lab):
    """XDP programs cannot ask sockets: the program at tc ingress behind them does."""
    forge_at_the_server(lab, WAYS, "--hook=xdp")


@test
def forged_xdp_generic(lab):
    """The same in the kernel's generic code."""
    forge_at_the_server(lab, WAYS, "--hook=xdp-generic")


@test
def forged_xdp_evicted(lab):
    """A forged RST or FIN after strangers have displaced the numbers, with XDP in."""
    forge_at_the_server(lab, EVICTED, "--hook=xdp", "--no-sockets", evict=True)


@test
def forged_forwarded(lab):
    """All ways on a box that forwards, which remembers the numbers of more connections than there are."""
    forge_on_the_way(lab, WAYS, "--evidence=1048576")


@test
def forged_forwarded_evicted(lab):
    """A forged RST or FIN after displaced numbers, watched on a box that forwards."""
    forge_on_the_way(lab, EVICTED, evict=True)


@test
def forged_forwarded_shared(lab):
    """On a box that forwards, with numbers of fewer connections than there are: most are displaced again and again."""
    forge_on_the_way(lab, {way: forge_it for way, forge_it in WAYS.items() if way != "pfin"}, "--evidence=1024")


@test
def forged_connection(lab):
    """A whole forged handshake with the tuple of a live connection: its socket denies it."""
    forge_at_the_server(lab, FALSE_OPENINGS)


@test
def forged_connection_forwarded(lab):
    """
    The same on a box that forwards. Nothing on the wire tells a forged handshake from one of a new connection whose
    predecessor has died unseen, so the older one may be `unknown`; the close that follows is right.
    """
    forge_on_the_way(lab, {"connection": open_falsely}, may_be_unknown=True)


# ---- tables that were full ----

def close_both_ways(lab, count):
    """Connections one after the other, closed by the client and by the server in turn: {key: verdict}."""
    path, expected = paths(lab)[0], {}
    for number in range(count):
        connection = path.connect()
        talk(connection)
        ends = (connection.client, connection.server)
        close_by(*ends[::-1] if number % 2 else ends)
        expected[connection.key] = ("graceful", "destination" if number % 2 else "source")
    return expected


def overflow(lab, *options):
    """More closes than the table holds while nobody reads; the client closes each."""
    maker, tracer = Maker(lab), watch_as_csv(lab, "--max-closing=1024", *options)
    work = maker.start(3)
    tracer.signal(signal.SIGSTOP)
    time.sleep(2)
    tracer.signal(signal.SIGCONT)
    made = maker.made(work)
    time.sleep(SETTLE)
    return tracer, made


@test
def overflow_counted(lab):
    """The table of closing flows overflows: made = reported + open + lost, no midstream record and no wrong closer."""
    tracer, made = overflow(lab)
    account = Account(tracer)
    account.holds(made)
    check(account.counters["closing_full"] and account.reported, f"nothing was lost or nothing reported: {account}")
    equal("midstream records", account.midstream, 0)
    equal("verdicts", set(account.verdicts), {GRACEFUL})


@test
def overflow_settles_early(lab):
    """More closes than there are logs while they settle: those whose end is decided give theirs back sooner."""
    maker, tracer = Maker(lab), watch_as_csv(lab, "--max-closing=1024", "--settle=2000")
    made = maker.made(maker.start(2))
    time.sleep(2 + SETTLE)
    account = Account(tracer)
    account.holds(made)
    check(account.counters["settled_early"] > 1024, f"they settled: {account}")
    equal("verdicts", set(account.verdicts), {GRACEFUL})


@test
def overflow_passes(lab):
    """After an overflow 500 of the next 500 are reported, each with the right closer."""
    tracer, _ = overflow(lab)
    before = collections.Counter(verdicts_of(tracer))
    expected = collections.Counter(close_both_ways(lab, 500).values())
    time.sleep(SETTLE)
    equal("verdicts of the next 500", collections.Counter(verdicts_of(tracer)) - before, expected)
    check(Account(tracer).counters["closing_full"], "the table did not overflow")


@test
def overflow_refused(lab):
    """More refusals than there are logs for handshakes, while nobody reads: some are lost, and none is unanswered."""
    tracer, made = watch_as_csv(lab, "--max-unproven=4096", "--max-closing=1024"), 3000
    tracer.signal(signal.SIGSTOP)
    for number in range(made):
        path = paths(lab)[number % 2]
        path.dial(9).close()
    tracer.signal(signal.SIGCONT)
    time.sleep(SETTLE)
    account = Account(tracer)
    account.holds(made)
    check(account.counters["closing_full"] and account.reported, f"nothing was lost or nothing reported: {account}")
    equal("outcomes", {outcome for outcome, _ in account.verdicts}, {"refused"})


@test
def overflow_refused_settles_early(lab):
    """More refusals than there are logs while they settle: they give theirs back sooner."""
    tracer, made = watch_as_csv(lab, "--max-unproven=4096", "--max-closing=1024", "--settle=2000"), 3000
    for number in range(made):
        paths(lab)[number % 2].dial(9).close()
        if number % 100 == 0:
            time.sleep(0.04)  # two polls: less than what they leave free comes between them, however fast the machine
    time.sleep(2 + SETTLE)
    account = Account(tracer)
    account.holds(made)
    check(account.counters["settled_early"] > 1024, f"they settled: {account}")
    equal("outcomes", {outcome for outcome, _ in account.verdicts}, {"refused"})


@test
def overflow_half_closed(lab):
    """The second FINs of closes that found no room come when there is room: they make no record and take none of it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    tracer, path = watch_as_csv(lab, "--max-closing=1024"), paths(lab)[0]
    opened = [path.connect() for _ in range(3000)]
    for connection in opened:
        talk(connection)
        connection.client.shutdown(socket.SHUT_WR)
    for part in (opened[:1024], opened[1024:]):
        for connection in part:
            connection.server.close()
            connection.client.close()
        time.sleep(SETTLE)
    expected = collections.Counter(close_both_ways(lab, 500).values())
    time.sleep(SETTLE)
    account = Account(tracer)
    account.holds(3500)
    check(account.counters["closing_full"] > 1000, f"the table did not overflow: {account}")
    equal("midstream records", account.midstream, 0)
    expected[GRACEFUL] += account.reported - 500
    equal("verdicts", account.verdicts, expected)


def verdicts_of(tracer):
    """Of the records so far, which are CSV."""
    head, *lines = tracer.stdout.splitlines()
    outcome, closer = (head.split(",").index(f"tcp_{name}") for name in ("outcome", "closer"))
    return [(fields[outcome], fields[closer]) for fields in (line.split(",") for line in lines)]


@test
def rst_leak(lab):
    """1,024 connections, each with a RST inside its window, fall silent: what they held comes back."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    tracer = watch(lab, lab.server, "eth0", "--no-sockets", "--max-closing=1024", "--idle-timeout=4",
                   "--close-timeout=2")
    fall_silent_after_rst(lab, 1024)
    until(lambda: figures(tracer)[1:] == (0, 0), "end of what is held", 15, 0.5)
    time.sleep(5)  # --idle-timeout, and a round of ageing
    before, expected = len(tracer.records()), close_both_ways(lab, 200)
    time.sleep(SETTLE)
    found = {key_of(record): verdict(record) for record in tracer.stop()}
    counters = counters_of(tracer)
    equal("verdicts of the next 200", {key: found.get(key) for key in expected}, expected)
    equal("records before them, closes begun, forgotten as idle",
          (before, counters["closes_begun"], counters["idle_forgotten"]), (0, 200, 1024))  # no RST began a close


@test
def rst_counted(lab):
    """Connections that live on after a RST inside their window are still counted as open, and once when they close."""
    ground, tracer = ground_of(lab), watch_as_csv(lab)
    kept = list(after_rst(ground, 20))
    time.sleep(SETTLE)
    for connection in kept[:10]:
        talk(connection)
        close_by(connection.client, connection.server)
    time.sleep(SETTLE)
    account = Account(tracer)
    account.holds(20)
    equal("verdicts, open", (dict(account.verdicts), account.open), ({GRACEFUL: 10}, 10))


def after_rst(ground, count):
    """Each gets a RST beside the expected number: a challenge ACK answers (RFC 5961 section 3.2), and nothing ends."""
    path, source = ground.paths[0]
    for _ in range(count):
        connection = path.connect()
        talk(connection)
        number = next_number(connection.client)
        ground.send(source, path.address, connection.key[1:], RST, (number + 10) % 2**32, 0)
        yield connection


def fall_silent_after_rst(lab, count):
    kept = list(after_rst(ground_of(lab), count))
    time.sleep(0.5)
    for connection in kept:
        for end in (connection.client, connection.server):
            stop_sending(end)
        for end in (connection.client, connection.server):
            end.close()


# ---- others' programs in generic mode ----

def all_seen(lab, tracer):
    """100 connections over both versions of IP: each is reported, with the right verdict."""
    expected = {}
    for path in paths(lab):
        for _ in range(50):
            connection = path.connect()
            talk(connection)
            close_by(connection.client, connection.server)
            expected[connection.key] = GRACEFUL
    time.sleep(SETTLE)
    equal("records", {key_of(r): verdict(r) for r in tracer.stop()}, expected)


def beside_foreign(lab, section):
    lab.server.try_run(f"ip link set dev eth0 xdpgeneric obj {foreign_object(lab)} sec {section}")
    all_seen(lab, watch(lab, lab.server, "eth0"))


@test
def generic_xdp(lab):
    """Another's XDP program in generic mode hides nothing."""
    beside_foreign(lab, "xdp")


@test
def generic_xdp_frags(lab):
    """Another's XDP program for packets in pieces, in generic mode, hides nothing."""
    beside_foreign(lab, "xdp.frags")


@test
def generic_xdp_without_frags(lab):
    """In generic mode none of our XDP programs is one for packets in pieces, which would hide headers from others."""
    need("strace")
    log = lab.file("strace")
    traced = ["strace", "-D", "-e", "trace=bpf", "-o", log, *PROGRAM]
    Tracer(lab, lab.server, traced, ["eth0"], "--hook=xdp-generic", "-q", stdout=subprocess.DEVNULL).kill()
    with open(log, encoding="utf-8", errors="replace") as lines:
        loads = [line for line in lines if "BPF_PROG_LOAD" in line and re.search(r'prog_name="tcpfin_\w*xdp', line)]
    check(loads and all("prog_flags=0," in line for line in loads), f"loaded as {loads}")


@test
def generic_xdp_of_ours(lab):
    """Two of this program on one interface, one with generic XDP: both see all."""
    generic = watch(lab, lab.server, "eth0", "--hook=xdp-generic")
    all_seen(lab, watch(lab, lab.server, "eth0"))
    equal("records of the one with XDP", len(generic.stop()), 100)


# ---- sources that share a hash ----

def colliding_sources(k):
    """
    4^k IPv6 addresses that a hash by multiplication maps to 2^k values, whatever its key is: the upper k bits of a word
    change only the upper k bits of its product, and the next word takes that back.
    """
    for i, j in itertools.product(range(1 << k), repeat=2):
        yield struct.pack("!QQ", 0x20010db8 << 32 ^ i << (64 - k), 1 ^ j << (64 - k) ^ j << (32 - k))


def write_syns(path, sources):
    """A capture of a SYN of each source. Returns how many."""
    segment = tcp_segment("::", "2001:db8::2", (40000, 443), SYN, 1, 0, b"")
    frame = bytearray(ethernet(mac(0, 1), mac(0, 2), [], ip_packet("::", "2001:db8::2", segment)))
    with open(path, "wb") as capture:
        capture.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for number, source in enumerate(sources):
            frame[22:38] = source
            capture.write(struct.pack("=IIII", 1767225600, number, len(frame), len(frame)) + frame)
    return number + 1


def seconds_to_read(path, limit):
    """CPU time. Fails where it reaches the limit."""
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*PROGRAM, "-q", "--format=csv", "-r", path], stdout=subprocess.DEVNULL, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1)))
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    check(done.returncode != -signal.SIGXCPU, f"not read within {limit} s of CPU time")
    equal("exit code", done.returncode, 0)
    return end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime


@test
def collide(lab):
    """The time for SYNs whose sources were chosen to share hashes is linear: at most 2.5 times as much a packet."""
    path, growth = lab.file("pcap"), 2.5
    few = write_syns(path, colliding_sources(8))
    a_packet = seconds_to_read(path, 10) / few
    many = write_syns(path, colliding_sources(9))
    allowed = growth * a_packet * many
    taken = seconds_to_read(path, int(allowed) + 1)
    check(taken <= allowed, f"{taken:.2f} s for {many} packets, {a_packet * few:.2f} s for {few}")


# ---- load with known ends ----

REUSED, FIRST_PORT, ROUNDS = 20, 40000, 100  # ports of the client, each in use again within milliseconds


class Played(NamedTuple):
    """One connection: its tuple, when it was there, and what must be said of it."""

    key: tuple
    begin: float  # s since 1970
    end: float
    verdict: tuple


def play(path, listener, port, way):
    """Opens from that port, talks and closes in that way, none of which leaves the tuple in TIME-WAIT at the client."""
    begin, client = time.time(), path.client.socket(path.family)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("", port))
    client.connect(listener.getsockname()[:2])
    server, _ = listener.accept()
    client.sendall(b"request")
    server.recv(7)
    key = path.version, port, listener.getsockname()[1]
    if way == "server_first":
        close_by(server, client)
        return Played(key, begin, time.time(), ("graceful", "destination"))
    ends = (client, server) if way == "client_rst" else (server, client)
    abort(ends[0])
    ends[1].close()
    return Played(key, begin, time.time(), ("reset", "source" if way == "client_rst" else "destination"))


def started(record):
    return datetime.fromisoformat(record["event"]["start"].replace("Z", "+00:00")[:26] + "+00:00").timestamp()


def match(played, records):
    """(connections without a record, records that differ): a record is the connection's whose time it began in."""
    by_key, missing, wrong = collections.defaultdict(list), 0, collections.Counter()
    for record in records:
        by_key[key_of(record)].append((started(record), verdict(record)))
    for one in played:
        of_it = [found for found in by_key[one.key] if one.begin - 1e-4 <= found[0] <= one.end]
        missing += not of_it
        if of_it and [found for _, found in of_it] != [one.verdict]:
            wrong[f"{one.verdict} is {[found for _, found in of_it]}"] += 1
        for found in of_it:
            by_key[one.key].remove(found)
    wrong["of no connection"] += sum(map(len, by_key.values()))
    return missing, +wrong


def match_all(tracer, played):
    """Each of the connections played has its record, or is counted as lost. Returns how many are lost."""
    missing, wrong = match(played, tracer.stop())
    counters = counters_of(tracer)
    equal("wrong verdicts", dict(wrong), {})
    equal("connections without a record", missing, counters["closing_full"] + counters["established_full"])
    return missing


@test
def load(lab):
    """4,000 connections over both versions of IP, tuples again within ms: no verdict is wrong, and loss is counted."""
    tracer, played = watch(lab, lab.server, "eth0"), []
    ways = itertools.cycle(("server_first", "client_rst", "server_rst"))
    with contextlib.ExitStack() as stack:
        listeners = [(path, stack.enter_context(path.listen())) for path in paths(lab)]
        for _, port in itertools.product(range(ROUNDS), range(FIRST_PORT, FIRST_PORT + REUSED)):
            played += [play(path, listener, port, next(ways)) for path, listener in listeners]
    time.sleep(SETTLE)
    match_all(tracer, played)


@test
def one_tuple_while_the_reader_stands(lab):
    """40 connections of one tuple, which has room for 14 until the first is reported: the others are counted."""
    tracer = watch(lab, lab.server, "eth0")
    path = paths(lab)[0]
    with path.listen() as listener:
        tracer.signal(signal.SIGSTOP)
        played = [play(path, listener, FIRST_PORT, "client_rst") for _ in range(40)]
        tracer.signal(signal.SIGCONT)
        time.sleep(SETTLE)
        played += [play(path, listener, FIRST_PORT, way) for way in ("client_rst", "server_first")]
    time.sleep(SETTLE)
    check(match_all(tracer, played) > 0, "none found the sets of its tuple full")


if __name__ == "__main__":
    suite.main(sys.argv)
