#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
kernels.py TCPFIN-TRACE [NAME...]: every way of a close as real kernels do it, as root, all of them or those named.

Each test plays connections in a fresh laboratory and holds the records against three witnesses: what was planned, the
kernel's own word (socket states by ss, counters of the namespace), and tcpdump on the same interface. Tests run side by
side, since they mostly wait. Prints "ok NAME", "not ok NAME - why" or "skip NAME - why" a test, then the times of a
path with 50 ms each way as both of its ends tell them, and the sum. Exit code 1 if one failed.
"""
import concurrent.futures
import contextlib
import datetime
import errno
import functools
import multiprocessing
import os
import signal
import socket
import struct
import sys
import time
from typing import Callable, NamedTuple

import frames
from closes import LATE, REPLY, REQUEST, Connection, Path, abort, close_in_turn, heard_the_end, receive, talk
from netlab import ACK, FIN, PR_SET_PDEATHSIG, RST, SYN, Failure, Lab, Skip, Tracer, check, equal, ipv4, ipv6, libc, mac
from netlab import need, until
from relay import DEVICE, KEPT, Relay, Rule, realtime
from run import about, expect, key_of, raw_socket
from witness import TOLERANCE, Capture, Close, of_connection, one_after_another, retransmissions

WORKERS = 6  # tests at a time
TIME_LIMIT = 60  # s, of one test
PROGRAM = []  # the command of the program under test
ROLES = ("source", "destination")  # the client, the server

# Of /proc/net/netstat and /proc/net/snmp: those that tell of a close. A scenario names the ones it moves, the others
# stay 0.
COUNTERS = ("TCPAbortOnData", "TCPAbortOnClose", "TCPAbortOnLinger", "TCPAbortOnTimeout", "TCPAbortOnMemory",
            "TCPAbortFailed", "TCPChallengeACK", "TCPSYNChallenge", "TCPFastOpenActive", "TCPFastOpenPassive",
            "TCPFastOpenCookieReqd", "TCPKeepAlive", "TCPTimeWaitOverflow", "TWRecycled", "TCPOFOQueue", "EstabResets",
            "AttemptFails")

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
TCP_RECV_QUEUE, TCP_SEND_QUEUE, TCP_REPAIR_OFF_NO_WP = 1, 2, -1
TCP_USER_TIMEOUT = 18

MS = 0.001
ROUND_TRIP, THINKING = 100 * MS, 300 * MS  # of the path and the application whose times are planned

# What the two ends of that path must say of a close: the closer is `near`, the other end `far`. The round trip is in
# the time to the acknowledgment of one's own FIN; the other end sees only how fast its own kernel answers. The
# application's time is the same at both.
PLAN = {"near": {"fin_to_ack": ROUND_TRIP, "half_closed": THINKING, "peer_fin_to_ack": 0,
                 "close": ROUND_TRIP + THINKING},
        "far": {"fin_to_ack": 0, "half_closed": THINKING, "peer_fin_to_ack": ROUND_TRIP,
                "close": ROUND_TRIP + THINKING}}


# ---- what a scenario says ----

class Scenario(NamedTuple):
    """
    tells: what the record of each connection must say. server_tells: what the server's end of the path must say, where
    it differs. client, server: the counters that move in their kernels. kernel_knows: states that the wire does not
    show. relay: arguments of the Relay, a veth pair without. early: the record comes before the program ends.
    """

    play: Callable
    tells: tuple
    server_tells: tuple
    client: dict
    server: dict
    kernel_knows: dict
    sysctl: dict
    relay: tuple
    options: tuple
    early: bool


TESTS = {}
ANY = object()


def scenario(*tells, server_tells=None, client=None, server=None, kernel_knows=None, sysctl=None, relay=None,
             options=(), early=True, versions=(4, 6)):
    def add(play):
        told = Scenario(play, tells, server_tells or tells, client or {}, server or {}, kernel_knows or {}, sysctl or {},
                        relay, options, early)
        for version in versions:
            TESTS[play.__name__ + ("" if version == 4 else "_ipv6")] = functools.partial(perform, told, version)
        return play
    return add


def story(outcome, **fields):
    """Fields of a record's "tcp", where what is not given is as in an undisturbed close. What is ANY is not looked at."""
    up, down = fields.pop("bytes", (len(REQUEST), len(REPLY)))
    told = {"pattern": None, "missing": None, "reset.by": None, "reset.phase": None, "reset.validity": None,
            "late_reset": False, "resets_ignored": 0, "segments_lost": 0, "midstream": False, "retransmits.syn": 0,
            "retransmits.syn_ack": 0, "outcome": outcome}
    told |= {name.replace("__", "."): value for name, value in fields.items()}
    told = {"source.bytes": up, "destination.bytes": down} | {f"tcp.{name}": value for name, value in told.items()}
    return {name: value for name, value in told.items() if value is not ANY}


def graceful(closer, pattern="four_way", **fields):
    return story("graceful", **{"closer": closer, "pattern": pattern, "time_wait": closer} | fields)


def reset(by, phase, **fields):
    return story("reset", **{"closer": by, "reset__by": by, "reset__phase": phase, "reset__validity": "exact"} | fields)


def unfinished(missing, **fields):
    return story("unfinished", **{"closer": "source", "missing": missing} | fields)


# ---- the stage ----

class Scene:
    """
    Where a scenario plays: a laboratory, the way from client to server, and at each watched end of it tcpdump, the
    program, and the kernel to ask.
    """

    def __init__(self, lab, told, version):
        self.lab, self.told, self.version = lab, told, version
        self.namespaces = dict(zip(ROLES, (lab.client, lab.server)))
        for role, settings in told.sysctl.items():
            for setting in settings.split():
                self.namespaces[role].try_run(f"sysctl -qw net.ipv4.{setting}")
        self.relay = told.relay and Relay(lab, *told.relay)
        own, other = (("10.98.0.1", "10.98.0.2") if version == 4 else ("fd98::1", "fd98::2")) if told.relay else \
            (address(0, end) for address in [ipv4 if version == 4 else ipv6] for end in (1, 2))
        self.addresses = dict(zip(ROLES, (own, other)))
        self.path = Path(lab.client, lab.server, other)
        interface, ends = (DEVICE, ROLES) if told.relay else ("eth0", ROLES[:1])
        self.captures = {role: Capture(lab, self.namespaces[role], interface) for role in ends}
        self.tracers = {role: Tracer(lab, self.namespaces[role], PROGRAM, [interface], "--format=json", *([] if any("settle" in option for option in told.options) else ["--settle=200"]),
                                     *told.options) for role in ends}
        self.forged, self.ignored = [], lambda segment: False
        self.agreed, self.afterwards = set(), lambda records, segments: None

    # connections

    def open(self, listener, port=0, isn=None, **options):
        """Connects to the listener, from the given port, with the given ISN and TCP options of the client's socket."""
        client = self.namespaces["source"].socket(self.path.family)
        client.settimeout(5)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for name, value in options.items():
            client.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if isn is not None:
            queue_number(client, TCP_SEND_QUEUE, isn)
        client.bind((self.addresses["source"], port))
        client.connect((self.path.address, listener.getsockname()[1]))
        return self.accept(listener, client)

    def accept(self, listener, client):
        server, peer = listener.accept()
        server.settimeout(5)
        return Connection(client, server, (self.version, peer[1], server.getsockname()[1]))

    def connect(self):
        """A connection on which a question was asked and answered."""
        c = self.path.connect()
        talk(c)
        return c

    @contextlib.contextmanager
    def cut(self, key):
        """Nothing of the connection reaches the server inside `with`."""
        with self.lab.server.dropping(f"tcp sport {key[1]} tcp dport {key[2]}"):
            yield

    # the kernel's word

    def state(self, role, key):
        """The state of that side's socket as ss tells it."""
        local, remote = key[1:] if role == "source" else key[:0:-1]
        for line in self.namespaces[role].run(f"ss -tanH{self.version}").splitlines():
            state, _, _, own, other = line.split()[:5]
            if (own.rpartition(":")[2], other.rpartition(":")[2]) == (str(local), str(remote)):
                return {"ESTAB": "ESTABLISHED", "SYN-RECV": "SYN-RECEIVED"}.get(state, state)
        return "CLOSED"

    def reach(self, key, source, destination):
        """Waits until ss says these states."""
        for role, wanted in zip(ROLES, (source, destination)):
            until(lambda role=role, wanted=wanted: self.state(role, key) == wanted, f"{wanted} of the {role} in ss",
                  pause=0.05)

    def counters(self, role):
        with self.namespaces[role]:
            return {name: number for file in ("netstat", "snmp") for name, number in proc_table(file)}

    def count_reaches(self, role, name, least):
        until(lambda: self.counters(role)[name] >= least, f"{name} of {least} in the {role}'s kernel")

    def agree(self, key, end):
        """Waits for the record of that end, and makes sure that the kernels are in the states it says, now."""
        if (key, end) in self.agreed:
            return
        self.agreed.add((key, end))
        told = {}

        def record_came():
            told.update({key_of(record): record["tcp"]["state"] for record in self.tracers[end].records()})
            return key in told
        until(record_came, f"record at the {end}", 8)
        for role in ROLES if len(self.tracers) == 1 else [end]:
            state = self.kernel_state(told[key][role], role)
            with contextlib.suppress(Failure):  # the loop below has its own words
                until(lambda role=role, state=state: self.state(role, key) == state, "state", 2, 0.05)
            equal(f"state of the {role} in ss after the record said {told[key][role]}", self.state(role, key), state)

    def kernel_state(self, told, role):
        return self.told.kernel_knows.get(role, told)

    # forgeries, on the veth only

    def forge(self, connection, forger, flags, ahead=0):
        """
        Sends a segment in the forger's name from its namespace. Its number is `ahead` of what the other side's kernel
        expects next.
        """
        victim = connection.server if forger == "source" else connection.client
        seq = (queue_number(victim, TCP_RECV_QUEUE) + ahead) & 0xffffffff
        addresses = [self.addresses[role] for role in ROLES]
        ports, macs = list(connection.key[1:]), [mac(0, 1), mac(0, 2)]
        if forger == "destination":
            for pair in (addresses, ports, macs):
                pair.reverse()
        packet = frames.ip_packet(*addresses, frames.tcp_segment(*addresses, ports, flags, seq, 0, b""))
        self.forged.append((ports[0], flags, seq))
        with raw_socket(self.namespaces[forger]) as wire:
            wire.send(frames.ethernet(*macs, [], packet))

    def is_forged(self, segment):
        return (segment.sport, segment.flags, segment.seq) in self.forged


def queue_number(sock, queue, new=None):
    """The sequence number at which the kernel goes on in this direction, or is to begin."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
    if new is not None:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack("=I", new & 0xffffffff))
    number = sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP)
    return number


def proc_table(file):
    """Names and numbers of a file in /proc/net, which has them in pairs of lines, for this thread's namespace."""
    with open(f"/proc/thread-self/net/{file}", encoding="ascii") as lines:
        rows = [line.split() for line in lines]
    for names, numbers in zip(rows[::2], rows[1::2]):
        if names[0] in ("TcpExt:", "Tcp:"):
            yield from zip(names[1:], (int(number) for number in numbers[1:]))


def seconds(timestamp):
    """Since the epoch, of a record's time stamp."""
    whole = datetime.datetime.fromisoformat(timestamp[:19] + "+00:00").timestamp()
    return whole + float(f"0{timestamp[19:-1]}")


def error_of(sock):
    """The errno that the kernel has kept for the socket."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


# ---- the judgment ----

def perform(told, version, lab):
    """Plays the scenario and holds all that was told of it against each other."""
    need("nft", "ss", "sysctl")
    scene = Scene(lab, told, version)
    played = told.play(scene)
    keys = played if isinstance(played, list) else [played]
    if told.early:
        for end in scene.tracers:
            scene.agree(keys[-1], end)
    records = {end: tracer.stop() for end, tracer in scene.tracers.items()}
    segments = {end: capture.stop() for end, capture in scene.captures.items()}
    for end in scene.tracers:
        with about(f"at the {end}"):
            judge_records(scene, keys, told.tells if end == "source" else told.server_tells, records[end], segments[end])
            for role in ROLES if len(scene.tracers) == 1 else [end]:
                judge_counts(scene, role, set(keys), segments[end])
    for role, expected in zip(ROLES, (told.client, told.server)):
        counters = scene.counters(role)
        equal(f"counters of the {role}'s kernel", {name: counters[name] for name in COUNTERS if counters.get(name)},
              expected)
    scene.afterwards(records["source"], segments["source"])
    return times_told(scene, keys, records, segments)


def judge_records(scene, keys, tells, records, segments):
    """One record a connection, in the order in which they began, each as planned and as tcpdump saw it."""
    segments = [s for s in segments if not (scene.is_forged(s) and s.flags & SYN)]
    records.sort(key=lambda record: record["event"]["start"])
    equal("connections told", [key_of(record) for record in records], keys)
    seen = {key: one_after_another(segments, key) for key in keys}
    for number, (key, record, told) in enumerate(zip(keys, records, tells)):
        mine = seen[key].pop(0)
        with about(f"connection {number + 1}") if len(keys) > 1 else contextlib.nullcontext():
            expect(record, told)
            Close(up_to_end(mine, record, scene), key).agree(record)
    check(not any(seen.values()), "tcpdump saw more connections than were made")


def up_to_end(segments, record, scene):
    """Those that belong to the record: of a connection that was cut off, what came before its end."""
    segments = [s for s in segments if not scene.ignored(s)]
    if record["tcp"]["outcome"] == "reset":
        ends = next((index for index, s in enumerate(segments) if s.flags & RST), len(segments))
        return segments[:ends + 1]
    if record["tcp"]["outcome"] == "graceful":
        return segments
    return [s for s in segments if s.time <= seconds(record["event"]["end"]) + TOLERANCE]


def judge_counts(scene, role, keys, segments):
    """The kernel counts as many resets and retransmissions as tcpdump saw of its side."""
    kernel, resets, repeated = scene.counters(role), 0, 0
    segments = [s for s in segments if not scene.is_forged(s)]
    for key in keys:
        for connection in one_after_another(segments, key):
            sent = [s for s in connection if s.sport == key[1 + ROLES.index(role)]]
            resets += sum(bool(s.flags & RST) for s in sent)
            repeated += retransmissions(sent)
    equal(f"resets that tcpdump saw of the {role}, counted by its kernel,", resets, kernel["OutRsts"])
    equal(f"retransmissions that tcpdump saw of the {role}, counted by its kernel,", repeated, kernel["RetransSegs"])


# ---- graceful closes ----

@scenario(graceful("both", "simultaneous", timing__half_closed=None),
          relay=(20 * MS, Rule(lambda p: p.acks_fin, KEPT)))
def simultaneous(s):
    """Two FINs cross on the path. Their ACKs are kept until both kernels are in CLOSING."""
    c = s.connect()
    c.client.shutdown(socket.SHUT_WR)
    c.server.shutdown(socket.SHUT_WR)
    s.reach(c.key, "CLOSING", "CLOSING")
    s.relay.lift_rules()
    s.reach(c.key, "TIME-WAIT", "TIME-WAIT")
    return c.key


@scenario(graceful("source", half_closed_bytes=len(LATE), bytes=(len(REQUEST), len(REPLY) + len(LATE))))
def half_close_with_data(s):
    """The client ends its request, the server goes on to send."""
    c = s.connect()
    c.client.shutdown(socket.SHUT_WR)
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    c.server.sendall(LATE)
    receive(c.client, len(LATE))
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    c.server.close()
    heard_the_end(c.client)
    s.reach(c.key, "TIME-WAIT", "CLOSED")
    return c.key


@scenario(graceful("source"), server_tells=[graceful("source", retransmits__fin_source=0)],
          relay=(10 * MS, Rule(lambda p: p.up and p.flags & FIN)))
def fin_lost(s):
    """The FIN is lost on the way and sent again: the server's end sees only the one that arrives."""
    c = s.connect()
    c.client.shutdown(socket.SHUT_WR)
    s.reach(c.key, "FIN-WAIT-1", "ESTABLISHED")
    s.relay.lift_rules()
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    c.server.close()
    heard_the_end(c.client)
    s.reach(c.key, "TIME-WAIT", "CLOSED")
    return c.key


@scenario(graceful("source"), relay=(10 * MS, Rule(lambda p: p.up and p.pure_ack and p.acks_fin)),
          options=("--settle=2500",))
def last_ack_lost(s):
    """The last ACK is lost, more than once: the FIN is repeated into TIME-WAIT."""
    c = s.connect()
    c.client.close()
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    c.server.close()
    s.reach(c.key, "TIME-WAIT", "LAST-ACK")
    s.count_reaches("destination", "RetransSegs", 2)
    s.relay.lift_rules()
    s.reach(c.key, "TIME-WAIT", "CLOSED")
    return c.key


@scenario(graceful("source", bytes=(len(REQUEST) + len(REPLY), len(REPLY))), server={"TCPOFOQueue": 1},
          relay=(10 * MS, Rule(lambda p: p.up and p.len == len(REPLY), 40 * MS, 1)))
def fin_overtakes_data(s):
    """The FIN is faster than the last data."""
    c = s.connect()
    c.client.sendall(REPLY)
    c.client.shutdown(socket.SHUT_WR)
    receive(c.server, len(REPLY))
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    c.server.close()
    heard_the_end(c.client)
    s.reach(c.key, "TIME-WAIT", "CLOSED")
    return c.key


@scenario(graceful("source", late_reset=True, time_wait=None, reset__by="source", reset__phase="closed",
                   reset__validity="exact"),
          server_tells=[reset("source", "closing")], client={"TCPTimeWaitOverflow": 1},
          sysctl={"source": "tcp_max_tw_buckets=0"},
          relay=(10 * MS, Rule(lambda p: p.up and p.pure_ack and p.acks_fin)), options=("--settle=1500",))
def no_time_wait(s):
    """The client has no room for a TIME-WAIT, and its last ACK is lost: the FIN's copy is answered by a reset."""
    c = s.connect()
    c.client.shutdown(socket.SHUT_WR)
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    c.server.shutdown(socket.SHUT_WR)
    s.reach(c.key, "CLOSED", "CLOSED")
    equal("error of the server's socket", error_of(c.server), errno.ECONNRESET)
    return c.key


# ---- closes that are not finished ----

@scenario(unfinished("destination_ack"), client={"TCPAbortOnTimeout": 1}, sysctl={"source": "tcp_orphan_retries=3"},
          options=("--close-timeout=1",))
def fin_never_acknowledged(s):
    """The peer is cut off; the client's kernel gives up in silence."""
    c = s.connect()
    with s.cut(c.key):
        c.client.close()
        s.reach(c.key, "FIN-WAIT-1", "ESTABLISHED")
        s.agree(c.key, "source")
        s.reach(c.key, "CLOSED", "ESTABLISHED")
        s.path.keep(c)
    return c.key


@scenario(unfinished("destination_ack", bytes=(len(REQUEST) + len(REPLY), len(REPLY))),
          client={"TCPAbortOnTimeout": 1}, server={"TCPOFOQueue": 1}, sysctl={"source": "tcp_orphan_retries=3"},
          relay=(10 * MS, Rule(lambda p: p.up and p.len == len(REPLY))), options=("--close-timeout=1",))
def hole_before_the_fin(s):
    """The last data never arrives, so the FIN behind it is none yet."""
    c = s.connect()
    c.client.sendall(REPLY)
    c.client.close()
    s.reach(c.key, "FIN-WAIT-1", "ESTABLISHED")
    for end in ROLES:
        s.agree(c.key, end)
    s.reach(c.key, "CLOSED", "ESTABLISHED")
    s.path.keep(c)
    return c.key


@scenario(graceful("source"), server_tells=[unfinished("source_ack")], sysctl={"destination": "tcp_orphan_retries=3"},
          server={"TCPAbortOnTimeout": 1}, options=("--close-timeout=1", "--settle=4000"),
          relay=(10 * MS, Rule(lambda p: p.up and p.pure_ack and p.acks_fin)))
def last_ack_never_arrives(s):
    """The client's end has seen a whole close, the server's end a FIN that nobody answered."""
    c = s.connect()
    c.client.close()
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    c.server.close()
    s.reach(c.key, "TIME-WAIT", "LAST-ACK")
    s.agree(c.key, "destination")
    s.reach(c.key, "TIME-WAIT", "CLOSED")
    return c.key


@scenario(unfinished("destination_fin"), options=("--close-timeout=1",), sysctl={"source": "tcp_fin_timeout=4"})
def fin_wait2_stuck(s):
    """The server never closes. When it does, the client's kernel has forgotten; the reset tells nothing new."""
    c = s.connect()
    c.client.close()
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    s.agree(c.key, "source")
    s.reach(c.key, "CLOSED", "CLOSE-WAIT")
    c.server.close()
    s.reach(c.key, "CLOSED", "CLOSED")
    return c.key


@scenario(reset("source", "closing"), sysctl={"source": "tcp_fin_timeout=1"})
def fin_wait2_expired(s):
    """The same, reported as a whole: the server's late FIN is answered by a reset."""
    c = s.connect()
    c.client.close()
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    s.reach(c.key, "CLOSED", "CLOSE-WAIT")
    c.server.close()
    s.reach(c.key, "CLOSED", "CLOSED")
    return c.key


# ---- resets ----

@scenario(reset("source", "established"), client={"TCPAbortOnData": 1, "EstabResets": 1}, server={"EstabResets": 1})
def linger_0(s):
    """SO_LINGER 0 in ESTABLISHED. The kernel counts it as TCPAbortOnData."""
    c = s.connect()
    abort(c.client)
    s.reach(c.key, "CLOSED", "CLOSED")
    equal("error of the server's socket", error_of(c.server), errno.ECONNRESET)
    return c.key


@scenario(reset("destination", "established", bytes=(2 * len(REQUEST), len(REPLY))), client={"EstabResets": 1},
          server={"TCPAbortOnClose": 1, "EstabResets": 1})
def unread_data(s):
    """The server closes with data unread."""
    c = s.connect()
    c.client.sendall(REQUEST)
    c.server.close()
    s.reach(c.key, "CLOSED", "CLOSED")
    return c.key


@scenario(reset("destination", "half_closed", closer="source", bytes=(2 * len(REQUEST), len(REPLY))),
          server={"TCPAbortOnClose": 1, "EstabResets": 1})
def unread_data_in_close_wait(s):
    """The same after the client's FIN."""
    c = s.connect()
    c.client.sendall(REQUEST)
    c.client.close()
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    c.server.close()
    s.reach(c.key, "CLOSED", "CLOSED")
    return c.key


@scenario(reset("destination", "half_closed", closer="source"), server={"TCPAbortOnData": 1, "EstabResets": 1})
def linger_0_in_close_wait(s):
    """SO_LINGER 0 after the client's FIN."""
    c = s.connect()
    c.client.close()
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    abort(c.server)
    s.reach(c.key, "CLOSED", "CLOSED")
    return c.key


@scenario(reset("source", "half_closed"), client={"TCPAbortOnLinger": 1}, server={"EstabResets": 1})
def linger2_in_fin_wait2(s):
    """TCP_LINGER2 below 0: the client's kernel will not wait in FIN-WAIT-2."""
    c = s.connect()
    c.client.shutdown(socket.SHUT_WR)
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    c.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, -1)
    c.client.close()
    s.reach(c.key, "CLOSED", "CLOSED")
    return c.key


@scenario(reset("source", "half_closed", bytes=(len(REQUEST), 2 * len(REPLY))), client={"TCPAbortOnData": 1},
          server={"EstabResets": 1}, relay=(60 * MS,))
def late_data_in_fin_wait1(s):
    """The client is gone while the answer is on its way: its FIN is not acknowledged yet."""
    c = s.connect()
    c.client.close()
    c.server.sendall(REPLY)
    s.reach(c.key, "CLOSED", "CLOSED")
    return c.key


@scenario(reset("source", "half_closed", bytes=(len(REQUEST), 2 * len(REPLY))), server={"EstabResets": 1})
def late_data_in_fin_wait2(s):
    """The client is gone when the answer comes. Its kernel has a FIN-WAIT-2 without a socket, and counts nothing."""
    c = s.connect()
    c.client.close()
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    c.server.sendall(REPLY)
    s.reach(c.key, "CLOSED", "CLOSED")
    return c.key


@scenario(reset("source", "established"), client={"TCPKeepAlive": 2, "TCPAbortOnTimeout": 1, "EstabResets": 1},
          kernel_knows={"destination": "ESTABLISHED"})
def keepalive(s):
    """The peer is cut off: two probes, then a reset that never reaches it."""
    c = s.connect()
    with s.cut(c.key):
        for name, value in (("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 2)):
            c.client.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        c.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        s.reach(c.key, "CLOSED", "ESTABLISHED")
        equal("error of the client's socket", error_of(c.client), errno.ETIMEDOUT)
        s.agree(c.key, "source")
        s.path.keep(c)
    return c.key


@scenario(story("open", closer="unknown", bytes=(len(REQUEST) + len(REPLY), len(REPLY)),
                state={"source": "ESTABLISHED", "destination": "ESTABLISHED"}),
          client={"TCPAbortOnTimeout": 1, "EstabResets": 1}, options=("--show-open",), early=False)
def gives_up_in_silence(s):
    """The peer is cut off and data unacknowledged: the kernel sends nothing, so for the wire the connection is open."""
    c = s.connect()
    with s.cut(c.key):
        c.client.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 1000)
        c.client.sendall(REPLY)
        s.reach(c.key, "CLOSED", "ESTABLISHED")
        equal("error of the client's socket", error_of(c.client), errno.ETIMEDOUT)
        s.path.keep(c)
    return c.key


# ---- forged segments ----

def goes_on(s, c):
    """Both kernels still have the connection, it carries data, and it is closed in turn."""
    s.reach(c.key, "ESTABLISHED", "ESTABLISHED")
    talk(c)
    close_in_turn(c.client, c.server)
    s.reach(c.key, "TIME-WAIT", "CLOSED")


TALKED_TWICE = (2 * len(REQUEST), 2 * len(REPLY))


@scenario(graceful("source", bytes=TALKED_TWICE, resets_ignored=2))
def rst_outside_the_window(s):
    """Forged resets far ahead and one number behind what the client expects: no kernel takes them."""
    c = s.connect()
    s.forge(c, "destination", RST, 1 << 30)
    s.forge(c, "destination", RST, -1)
    goes_on(s, c)
    return c.key


@scenario(graceful("source", bytes=TALKED_TWICE, resets_ignored=1), client={"TCPChallengeACK": 1})
def rst_inside_the_window(s):
    """A forged reset in the window: a challenge ACK."""
    c = s.connect()
    s.forge(c, "destination", RST, 1000)
    s.count_reaches("source", "TCPChallengeACK", 1)
    goes_on(s, c)
    return c.key


@scenario(graceful("source", bytes=TALKED_TWICE), client={"TCPChallengeACK": 1, "TCPSYNChallenge": 1})
def syn_inside(s):
    """A forged SYN inside the connection: a challenge ACK, and no other connection."""
    c = s.connect()
    s.forge(c, "destination", SYN, 1000)
    s.count_reaches("source", "TCPSYNChallenge", 1)
    goes_on(s, c)
    return c.key


@scenario(reset("destination", "established"), client={"EstabResets": 1},
          kernel_knows={"destination": "ESTABLISHED"})
def rst_exact(s):
    """A forged reset with the very number: the client's kernel ends the connection, the server's knows nothing."""
    c = s.connect()
    s.forge(c, "destination", RST)
    s.reach(c.key, "CLOSED", "ESTABLISHED")
    equal("error of the client's socket", error_of(c.client), errno.ECONNRESET)
    s.agree(c.key, "source")
    c.server.close()
    s.reach(c.key, "CLOSED", "CLOSED")
    return c.key


@scenario(reset("source", "half_closed"), server={"EstabResets": 1}, kernel_knows={"source": "FIN-WAIT-2"})
def rst_one_less_in_close_wait(s):
    """A forged reset with the number of the FIN itself, which Linux takes in CLOSE-WAIT."""
    c = s.connect()
    c.client.shutdown(socket.SHUT_WR)
    heard_the_end(c.server)
    s.reach(c.key, "FIN-WAIT-2", "CLOSE-WAIT")
    s.forge(c, "source", RST, -1)
    s.reach(c.key, "FIN-WAIT-2", "CLOSED")
    equal("error of the server's socket", error_of(c.server), errno.EPIPE)  # only CLOSE-WAIT gives this one
    s.path.keep(c)
    return c.key


# ---- the next connection on the tuple ----

def server_closes_first(s, c):
    close_in_turn(c.server, c.client)
    s.reach(c.key, "CLOSED", "TIME-WAIT")


@scenario(graceful("destination"), graceful("source"))
def port_reused(s):
    """The server is in TIME-WAIT and takes the client's new SYN, which is newer."""
    with s.path.listen() as listener:
        one = s.open(listener)
        talk(one)
        server_closes_first(s, one)
        two = s.open(listener, one.key[1])
        s.reach(two.key, "ESTABLISHED", "ESTABLISHED")
        talk(two)
        close_in_turn(two.client, two.server)
        s.reach(two.key, "TIME-WAIT", "CLOSED")
    s.afterwards = continues_time_wait
    return [one.key, two.key]


def continues_time_wait(records, _segments):
    """The kernel gives a connection born from a TIME-WAIT an ISN 65537 above the last number of the old one."""
    old, new = ([segment for segment in record["tcp"]["segments"] if segment["from"] == "destination"]
                for record in records)
    isn = next(segment["raw_seq"] for segment in new if segment["flags"] == "S.")
    fin = next(segment for segment in old if "F" in segment["flags"])
    equal("ISN of the second connection after the first one's FIN", (isn - fin["raw_seq"]) & 0xffffffff, 1 + 65537)


@scenario(graceful("source"), graceful("destination"), client={"TWRecycled": 1}, sysctl={"source": "tcp_tw_reuse=1"})
def port_reused_by_closer(s):
    """The client itself is in TIME-WAIT, and its kernel lets it use the port again after a second."""
    with s.path.listen() as listener:
        one = s.open(listener)
        talk(one)
        close_in_turn(one.client, one.server)
        s.reach(one.key, "TIME-WAIT", "CLOSED")
        time.sleep(1.2)
        two = s.open(listener, one.key[1])
        s.reach(two.key, "ESTABLISHED", "ESTABLISHED")
        talk(two)
        close_in_turn(two.server, two.client)
        s.reach(two.key, "CLOSED", "TIME-WAIT")
    return [one.key, two.key]


def leave_time_wait(s, listener):
    """A connection that leaves a TIME-WAIT at the server. Returns it and an ISN that is old there."""
    c = s.open(listener)
    talk(c)
    old = queue_number(c.client, TCP_SEND_QUEUE) - 1_000_000
    server_closes_first(s, c)
    return c, old


@scenario(graceful("destination"), graceful("source", retransmits__syn=1, resets_ignored=1),
          sysctl={"source": "tcp_timestamps=0"})
def port_reuse_refused(s):
    """The server in TIME-WAIT answers an old SYN with its old numbers; the client's reset ends it, its next SYN is taken."""
    with s.path.listen() as listener:
        one, isn = leave_time_wait(s, listener)
        two = s.open(listener, one.key[1], isn)
        talk(two)
        close_in_turn(two.client, two.server)
        s.reach(two.key, "TIME-WAIT", "CLOSED")
    s.ignored = lambda segment: segment.flags == RST
    return [one.key, two.key]


@scenario(graceful("destination"),
          story("unanswered", closer="unknown", retransmits__syn=ANY, bytes=(0, None), resets_ignored=ANY,
                segments_lost=ANY),
          client={"TCPAbortOnTimeout": 1, "AttemptFails": 1}, kernel_knows={"source": "CLOSED"},
          sysctl={"source": "tcp_timestamps=0", "destination": "tcp_rfc1337=1"}, options=("--syn-timeout=1",))
def port_reuse_refused_for_good(s):
    """The same where resets do not end a TIME-WAIT (RFC 1337): no SYN of the client is taken."""
    with s.path.listen() as listener:
        one, isn = leave_time_wait(s, listener)
        try:
            s.open(listener, one.key[1], isn, TCP_SYNCNT=1)
        except TimeoutError as error:
            equal("error of connect()", error.errno, errno.ETIMEDOUT)
        else:
            raise Failure("the client's SYN was taken")
        s.reach(one.key, "CLOSED", "TIME-WAIT")
    s.ignored = lambda segment: segment.flags == RST
    s.afterwards = lambda records, segments: equal("resets_ignored of the refused connection", records[1]["tcp"][
        "resets_ignored"], sum(segment.flags == RST for segment in segments))
    return [one.key, one.key]


# ---- TCP Fast Open ----

@scenario(graceful("source"), graceful("source"), client={"TCPFastOpenActive": 1},
          server={"TCPFastOpenPassive": 1, "TCPFastOpenCookieReqd": 1}, sysctl={"destination": "tcp_fastopen=3"})
def fast_open(s):
    """The first connection gets a cookie, the second one carries its request in the SYN."""
    keys = []
    with s.path.listen() as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        for _ in range(2):
            client = s.path.client.socket(s.path.family)
            client.sendto(REQUEST, socket.MSG_FASTOPEN, listener.getsockname()[:2])
            client.settimeout(5)
            c = s.accept(listener, client)
            receive(c.server, len(REQUEST))
            c.server.sendall(REPLY)
            receive(c.client, len(REPLY))
            close_in_turn(c.client, c.server)
            s.reach(c.key, "TIME-WAIT", "CLOSED")
            keys.append(c.key)
    s.afterwards = lambda records, segments: equal("bytes in the SYNs", [
        record["tcp"]["segments"][0]["len"] for record in records], [0, len(REQUEST)])
    return keys


# ---- times ----

def ends_of_the_path(closer):
    return {"near" if role == closer else "far": role for role in ROLES}


def long_way(s, closer):
    """A path with a round trip of 100 ms; the application at its end takes 300 ms before it closes, too."""
    with realtime():
        c = s.connect()
        first, second = (c.client, c.server) if closer == "source" else (c.server, c.client)
        first.shutdown(socket.SHUT_WR)
        heard_the_end(second)
        time.sleep(THINKING)
        second.close()
        heard_the_end(first)
    s.planned = ends_of_the_path(closer)
    return c.key


@scenario(graceful("source"), relay=(ROUND_TRIP / 2,))
def times_client_closes(s):
    """The client closes first."""
    return long_way(s, "source")


@scenario(graceful("destination"), relay=(ROUND_TRIP / 2,))
def times_server_closes(s):
    """The server closes first."""
    return long_way(s, "destination")


# ---- the runner ----

def times_told(scene, keys, records, segments):
    return None


def give_up(_signal, frame):
    raise Failure(f"not done after {TIME_LIMIT} s")


def run(name):
    """Runs one test. Returns the first word of its line, the line, and the times it has to tell."""
    signal.alarm(TIME_LIMIT)
    times, verdict, why = None, "ok", ""
    try:
        with Lab() as lab:
            times = TESTS[name](lab)
    except Skip as reason:
        verdict, why = "skip", reason
    except Failure as failure:
        verdict, why = "not ok", failure
    except Exception as error:  # whatever it is, the other tests shall run
        verdict, why = "not ok", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    return verdict, f"{verdict} {name}" + (f" - {why}".replace("\n", " | ") if why else ""), times


def begin_worker():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGALRM, give_up)


def main(program, *names):
    unknown = [name for name in names if name not in TESTS]
    if unknown:
        sys.exit(f"kernels.py: no test {' '.join(unknown)}; there are: {' '.join(TESTS)}")
    if os.geteuid() != 0:
        sys.exit("kernels.py: network namespaces need root")
    PROGRAM[:] = [os.path.abspath(program)]
    verdicts, table = [], []
    with concurrent.futures.ProcessPoolExecutor(WORKERS, multiprocessing.get_context("fork"), begin_worker) as pool:
        for verdict, line, times in pool.map(run, names or TESTS):
            print(line, flush=True)
            verdicts.append(verdict)
    failed = verdicts.count("not ok")
    print(f"{verdicts.count('ok')} passed, {failed} failed, {verdicts.count('skip')} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: kernels.py TCPFIN-TRACE [NAME...]")
    sys.exit(main(*sys.argv[1:]))
