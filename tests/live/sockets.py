#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
sockets.py TCPFIN-TRACE [NAME...]: who closed, how and why, from the sockets of this host; as root. Expected values come
from /proc and ss, the reasons of resets from the kernel's code. lab/harness.py has how tests are run.
"""
import contextlib
import csv
import ctypes
import itertools
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from lab import frames
from lab.closes import (Connection, Path, abort, close_in_turn, heard_the_end, receive, reset_has_come, scenario_named,
                        talk)
from lab.harness import (PROGRAM, TRACEPOINTS, Suite, about, as_nobody, expect, field, key_of, one_each, paths,
                         raw_socket, watch, with_error, with_kernel_types, with_raw_tracepoints)
from lab.netlab import RST, SYN, Process, Skip, Tracer, check, descriptors, equal, ipv4, ipv6, libc, mac, need, until
from lab.scene import TCP_SEND_QUEUE, queue_number

PR_SET_NAME = 15
TCP_LINGER2 = 8
PAUSE = 0.05  # s

suite = Suite(workers=2)
test = suite.test


# ---- processes that hold one end ----

class Holder:
    """A process that is the only holder of a socket. At go() it does `action` with it, then waits for kill()."""

    def __init__(self, lab, sock, others, action, name=b"holder", uid=0):
        self.orders, tell = os.pipe()
        ready, self.ready = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.be(sock, (*others, tell, ready), action, name, uid)
        lab.stack.callback(self.kill)
        for fd in (self.orders, self.ready):
            os.close(fd)
        self.tell = tell
        sock.close()
        os.read(ready, 1)
        os.close(ready)
        self.facts = facts_of(self.pid)

    def be(self, sock, others, action, name, uid):
        """The child. It never returns."""
        try:
            for other in others:
                os.close(other if isinstance(other, int) else other.fileno())
            libc.prctl(PR_SET_NAME, ctypes.c_char_p(name))
            os.setuid(uid)
            os.write(self.ready, b"r")
            os.read(self.orders, 1)
            action(sock)
            os.read(self.orders, 1)
        finally:
            os._exit(0)

    def go(self):
        os.write(self.tell, b"g")

    def kill(self):
        """Kills the process if it still runs."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.tell)
            self.pid = 0


def facts_of(pid):
    """The expected `process` of a record, from /proc."""
    with open(f"/proc/{pid}/comm", "rb") as comm:
        name = comm.read()[:-1].decode(errors="replace")
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        uid = int(re.search(r"^Uid:\t(\d+)", status.read(), re.MULTILINE)[1])
    return {"pid": pid, "name": name, "uid": uid}


def inode(namespace):
    return os.stat(namespace.path).st_ino


def mapped_path(lab):
    """A path of IPv6 sockets with IPv4-mapped addresses."""
    path = Path(lab.client, lab.server, ipv4(0, 2))
    path.family, path.address = socket.AF_INET6, f"::ffff:{path.address}"
    return path


def every_path(lab):
    return [("ipv4", paths(lab)[0]), ("ipv6", paths(lab)[1]), ("mapped", mapped_path(lab))]


def connect(path):
    c = path.connect()
    version = 4 if path.address.startswith("::ffff:") else path.version
    return Connection(c.client, c.server, (version, *c.key[1:]))


def ss(namespace, options, port):
    """ss's lines for the sockets with that local port."""
    need("ss")
    return namespace.run(f"ss -Htn {options} sport = :{port}")


def exit_silently(_sock):
    os._exit(0)


def has_reasons(tracer):
    return "why it resets" not in tracer.stderr


def reason_is(tracer, record, *reasons):
    """Checks that the record has one of these reasons, or none where the kernel reports none."""
    got = record["tcp"]["reset"].get("reason")
    check(got in reasons if has_reasons(tracer) else got is None, f"reason is {got}, expected {' or '.join(reasons)}")


# ---- who, and how ----

def close_in_thread(sock):
    """Closes in a thread whose name is not the process's."""
    def close():
        libc.prctl(PR_SET_NAME, b"not this one")
        sock.close()
    thread = threading.Thread(target=close)
    thread.start()
    thread.join()


ACTIONS = [
    ("close", lambda s: s.close(), "close"),
    ("thread", close_in_thread, "close"),
    ("shutdown", lambda s: s.shutdown(socket.SHUT_WR), "shutdown"),
    ("shutdown_both", lambda s: s.shutdown(socket.SHUT_RDWR), "shutdown"),
    ("exit", exit_silently, "exit"),
    ("killed", lambda s: time.sleep(60), "exit"),
    ("abort", abort, "abort"),
]


def play(lab, path, name, action):
    """Closes both ends, the client's by a process of its own. Returns key and holder."""
    c = connect(path)
    holder = Holder(lab, c.client, [c.server], action, name.encode(), 1000)
    holder.go()
    if name == "killed":
        time.sleep(PAUSE)
        holder.kill()
    if name == "abort":
        until(lambda: reset_has_come(c.server), "reset")
    else:
        heard_the_end(c.server)
    c.server.close()
    return c.key, holder


@test
def who_closed(lab):
    """close(), shutdown(), exit(), SIGKILL and SO_LINGER 0 by another process, on three kinds of sockets."""
    tracer, played = watch(lab), {}
    for version, path in every_path(lab):
        for name, action, how in ACTIONS:
            key, holder = play(lab, path, name, action)
            played[key] = f"{name}/{version}", holder, how
    tracer.wait_for(len(played))
    for key, record in one_each(tracer.stop(), played).items():
        name, holder, how = played[key]
        with about(name):
            process = record["source"]["process"]
            process.pop("cgroup")
            equal("process", process, holder.facts | {"netns": inode(lab.client), "how": how})
            far = record["destination"]["process"]
            equal("netns of the other end", far["netns"], inode(lab.server))
            kernel = how == "abort"
            equal("how the other end was closed", far["how"], "kernel" if kernel else "close")
            equal("pid of the other end", far["pid"], None if kernel else os.getpid())


@test
def cgroup(lab):
    """The cgroup's identifier is its directory's inode number."""
    with open("/proc/self/cgroup", encoding="ascii") as lines:
        own = re.search(r"^0::(.*)$", lines.read(), re.MULTILINE)
    with open("/proc/self/mounts", encoding="utf-8") as lines:
        mount = re.search(r"^\S+ (\S+) cgroup2 ", lines.read(), re.MULTILINE)
    if not own or not mount:
        raise Skip("no cgroup2 hierarchy is mounted")
    tracer = watch(lab)
    scenario_named("client_first").play(paths(lab)[0])
    tracer.wait_for(1)
    equal("cgroup", tracer.stop()[0]["source"]["process"]["cgroup"], os.stat(mount[1] + own[1]).st_ino)


@test
def last_holder(lab):
    """Of two processes that hold a socket, the one that closes it last is the closer."""
    tracer = watch(lab)
    c = connect(paths(lab)[0])
    keeper = os.dup(c.client.fileno())
    holder = Holder(lab, c.client, [c.server, keeper], lambda s: s.close(), b"second")
    os.close(keeper)
    first = Holder(lab, socket.socket(fileno=os.dup(c.server.fileno())), [], exit_silently, b"first")
    first.go()  # it ends, and c.server goes on
    os.waitpid(first.pid, 0)
    first.pid = 0
    holder.go()
    heard_the_end(c.server)
    c.server.close()
    tracer.wait_for(1)
    record = tracer.stop()[0]
    expect(record, {"source.process.name": "second", "source.process.how": "close",
                    "destination.process.pid": os.getpid(), "destination.process.how": "close"})


@test
def states_and_times(lab):
    """The record has the states that ss shows on the way, and how long the application took."""
    tracer = watch(lab)
    c = connect(paths(lab)[0])
    took = {}
    begin = time.monotonic_ns()
    c.client.shutdown(socket.SHUT_WR)
    heard_the_end(c.server)
    took["source"] = time.monotonic_ns() - begin
    check("FIN-WAIT-2" in ss(lab.client, "-a", c.key[1]), "ss does not show FIN-WAIT-2")
    check("CLOSE-WAIT" in ss(lab.server, "-a", c.key[2]), "ss does not show CLOSE-WAIT")
    time.sleep(PAUSE)
    closed = time.monotonic_ns()
    c.server.close()
    heard_the_end(c.client)
    took["destination"] = time.monotonic_ns() - closed
    tracer.wait_for(1)
    record = tracer.stop()[0]
    walk = {end: [step["state"] for step in record[end]["socket"]["states"]] for end in ("source", "destination")}
    equal("walk of the source", walk["source"], ["FIN-WAIT-1", "FIN-WAIT-2", "CLOSED"])
    equal("walk of the destination", walk["destination"], ["CLOSE-WAIT", "LAST-ACK", "CLOSED"])
    for end in ("source", "destination"):
        times = [step["t"] for step in record[end]["socket"]["states"]]
        equal(f"order of the {end}'s states", times, sorted(times))
        check(0 < record[end]["socket"]["close_to_fin"] < took[end],
              f"close() to FIN takes too long, not {took[end]} ns")
        check(record[end]["socket"]["srtt"] > 0, "no round trip time")
    equal("source's share", record["source"]["socket"]["peer_fin_to_close"], None)
    share = record["destination"]["socket"]["peer_fin_to_close"]
    check(PAUSE * 1e9 <= share < closed + took["destination"] - begin, f"the destination's share is {share} ns")


@test
def not_closed(lab):
    """The end of a leaked CLOSE-WAIT has no process and no `how`."""
    tracer = watch(lab, "--close-timeout=0.3")
    c = connect(paths(lab)[0])
    c.client.close()
    heard_the_end(c.server)
    tracer.wait_for(1)
    record = tracer.stop()[0]
    expect(record, {"tcp.missing": "destination_fin", "source.process.how": "close"})
    check("process" not in record["destination"], "somebody is said to have closed")
    equal("states", [step["state"] for step in record["destination"]["socket"]["states"]], ["CLOSE-WAIT"])
    c.server.close()


# ---- what was left ----

@test
def unread_bytes(lab):
    """unread_bytes are those of ss's Recv-Q, before and after the other end's FIN."""
    tracer, wanted = watch(lab), {}
    for fin in (False, True):
        c = connect(paths(lab)[0])
        c.server.sendall(b"u" * 300)
        if fin:
            c.server.shutdown(socket.SHUT_WR)
        until(lambda port=c.key[1]: int(ss(lab.client, "-a", port).split()[1]) >= 300, "data")
        wanted[c.key] = 300
        c.client.close()
        c.server.close()
    tracer.wait_for(len(wanted))
    for key, record in one_each(tracer.stop(), wanted).items():
        with about(f"{record['source']['socket']}, {tracer.stderr}"):
            equal("unread_bytes", record["source"]["socket"]["unread_bytes"], wanted[key])
        reason_is(tracer, record, "TCP_ABORT_ON_CLOSE")
        equal("how", record["source"]["process"]["how"], "close")


def notsent(lab, port):
    """ss's "notsent", once the kernel has sent all that the window allows."""
    before, now = None, ""
    while before != now:
        time.sleep(PAUSE)
        before, now = now, re.search(r"notsent:(\d+)|$", ss(lab.client, "-i", port))[1]
    check(now, "ss shows nothing unsent")
    return int(now)


@test
def unsent_bytes(lab):
    """unsent_bytes are those of ss's "notsent" while the other end's window is zero."""
    tracer = watch(lab)
    c = connect(paths(lab)[0])
    c.client.setblocking(False)
    try:
        while True:
            c.client.send(b"u" * 65536)
    except BlockingIOError:
        pass
    unsent = notsent(lab, c.key[1])
    abort(c.client)
    c.server.close()
    tracer.wait_for(1)
    equal("unsent_bytes", tracer.stop()[0]["source"]["socket"]["unsent_bytes"], unsent)


# ---- why it was reset ----

def one_record(tracer):
    tracer.wait_for(1, 10)
    records = tracer.stop()
    equal("number of records", len(records), 1)
    return records[0]


@test
def linger_0(lab):
    """With SO_LINGER 0, close() calls tcp_disconnect(), which resets because of the state."""
    tracer = watch(lab)
    scenario_named("linger0").play(paths(lab)[0])
    record = one_record(tracer)
    reason_is(tracer, record, "TCP_STATE")
    expect(record, {"source.process.how": "abort", "destination.process.how": "kernel"})
    check(record["destination"]["socket"]["reset_received"] >= 0, "no reset was received")


@test
def no_listener(lab):
    tracer = watch(lab)
    scenario_named("refused").play(paths(lab)[1])
    record = one_record(tracer)
    reason_is(tracer, record, "NO_SOCKET")
    expect(record, {"source.process.how": "kernel", "source.process.pid": None})
    check("process" not in record["destination"], "a port without a listener has a process")


@test
def data_after_close(lab):
    """Data to a closed socket that the kernel still has (a long TCP_LINGER2), and to its FIN-WAIT-2 remains."""
    tracer, expected = watch(lab), {}
    for linger2, reason in ((120, "TCP_ABORT_ON_DATA"), (1, "TCP_TIMEWAIT_SOCKET")):
        c = connect(paths(lab)[0])
        c.client.setsockopt(socket.IPPROTO_TCP, TCP_LINGER2, linger2)
        c.client.close()
        heard_the_end(c.server)
        c.server.send(b"late")
        until(lambda sock=c.server: reset_has_come(sock), "reset")
        c.server.close()
        expected[c.key] = reason
    tracer.wait_for(2)
    for key, record in one_each(tracer.stop(), expected).items():
        reason_is(tracer, record, expected[key])
        equal("how", record["source"]["process"]["how"], "close")


@test
def keepalive(lab):
    tracer = watch(lab)
    c = connect(paths(lab)[0])
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 1)):
        c.client.setsockopt(socket.IPPROTO_TCP, option, value)
    c.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with lab.server.dropping(f"tcp sport {c.key[1]} tcp flags & rst == 0"):
        record = one_record(tracer)
    reason_is(tracer, record, "TCP_KEEPALIVE_TIMEOUT")
    expect(record, {"source.process.how": "kernel", "source.process.pid": None})
    c.client.close()
    c.server.close()


@test
def destroyed(lab):
    """After ss -K the closer is ss."""
    tracer = watch(lab)
    c = connect(paths(lab)[0])
    check(str(c.key[1]) in lab.client.run(f"ss -HtnK sport = :{c.key[1]}"), "ss destroyed nothing")
    until(lambda: reset_has_come(c.server), "reset")
    record = one_record(tracer)
    reason_is(tracer, record, "TCP_STATE")
    if has_reasons(tracer):
        expect(record, {"source.process.how": "abort", "source.process.name": "ss"})
    else:
        expect(record, {"source.process.how": "kernel"})
    c.client.close()
    c.server.close()


# ---- what the listener said ----

def watch_server(lab, *options):
    """The program on the server's interface."""
    tracer = Tracer(lab, lab.server, PROGRAM, ("eth0",), "--format=json", "--settle=200", *options)
    tracer.wait_for_all()
    return tracer


def listening(lab, path, address=None, backlog=1, name=None):
    """A listener and its port; with a name, in a process of its own that never accepts."""
    listener = lab.server.socket(path.family)
    listener.bind((path.address if address is None else address, 0))
    listener.listen(backlog)
    port = listener.getsockname()[1]
    if name:
        return Holder(lab, listener, [], lambda s: None, name, 1000), port
    lab.stack.callback(listener.close)
    return listener, port


def dial(lab, path, port, count):
    """Begins connections, and returns the ports of their clients."""
    ports = set()
    for _ in range(count):
        sock = path.client.socket(path.family)
        lab.stack.callback(sock.close)
        sock.setblocking(False)
        sock.connect_ex((path.address, port))
        ports.add(sock.getsockname()[1])
    return ports


def fill(lab, path, port):
    """Two connections, one more than the backlog, that wait in the queue."""
    for _ in range(2):
        sock = path.dial(port)
        lab.stack.callback(sock.close)


def attempts(tracer, count):
    """The unanswered ones of the records, so many."""
    def found():
        return [record for record in tracer.records() if record["tcp"]["outcome"] == "unanswered"]
    until(lambda: len(found()) >= count, f"{count} unanswered records", 15)
    equal("unanswered", len(found()), count)
    return found()


def listener_of(record):
    """What the listener said, and s from the first SYN to the question, which comes after the SYN that was repeated."""
    listener = dict(record["destination"]["listener"])
    time_asked = listener.pop("t") / 1e9
    listener.pop("unit", None)  # of the login, where systemd runs it; the suite cgroups has units of its own
    check(1 <= time_asked < 9, f"asked {time_asked} s after the first SYN")
    return listener


@test
def listen_queue_full(lab):
    """Twenty clients of a listener with a backlog of 1 that never accepts: whose it is, how many wait, as ss says."""
    wanted, played = {}, []
    for path, address in zip((*paths(lab), paths(lab)[0]), (None, None, "0.0.0.0")):
        holder, port = listening(lab, path, address, name=b"sleeper")
        wanted[port] = {"state": "full", "queue": 2, "backlog": 1, "uid": 0, "pid": holder.pid, "name": "sleeper"}
        played.append((path, port))
    tracer = watch_server(lab, "--syn-timeout=1.5")
    for path, port in played:
        fill(lab, path, port)
        dial(lab, path, port, 20)
    for record in attempts(tracer, 60):
        equal("listener", listener_of(record), wanted[record["destination"]["port"]])
    for _, port in played:
        equal("ss", ss(lab.server, "-l", port).split()[1:3], ["2", "1"])
    tracer.stop()


@test
def listen_queue_full_of_both_families(lab):
    """A listener of IPv6 takes IPv4 as well, unless told not to. It began after the watch: who called listen()?"""
    tracer, path = watch_server(lab, "--syn-timeout=1.5"), paths(lab)[0]
    full = {"state": "full", "queue": 2, "backlog": 1} | facts_of(os.getpid())
    for only, wanted in ((0, full), (1, {"state": "none"})):
        listener = lab.server.socket(socket.AF_INET6)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        listener.bind(("::", 0))
        listener.listen(1)
        lab.stack.callback(listener.close)
        port = listener.getsockname()[1]
        fill(lab, paths(lab)[only], port)
        with lab.server.dropping(f"tcp dport {port}") if only else contextlib.nullcontext():
            dial(lab, path, port, 1)
            until(lambda port=port: [r for r in tracer.records() if r["destination"]["port"] == port and
                                     r["tcp"]["outcome"] == "unanswered"], "record", 15)
        record, = (record for record in attempts(tracer, 1 + only) if record["destination"]["port"] == port)
        with about(f"IPV6_V6ONLY {only}"):
            equal("listener", listener_of(record), wanted)
    tracer.stop()


@test
def listener_has_room(lab):
    """A packet filter drops SYNs: the listener has room, or there is none; for others' addresses nothing is said."""
    _, port = listening(lab, paths(lab)[0], "0.0.0.0", 128, b"server")
    free, tracer = port + 1, watch_server(lab, "--syn-timeout=1.5")
    lab.client.run(f"ip neighbour replace 10.99.0.77 lladdr {mac(0, 2)} dev eth0 nud permanent")
    elsewhere = Path(lab.client, lab.server, "10.99.0.77")
    with lab.server.dropping(f"tcp dport {{ {port}, {free} }}"):
        for path, to in ((paths(lab)[0], port), (paths(lab)[0], free), (elsewhere, port)):
            dial(lab, path, to, 1)
        found = {(r["destination"]["ip"], r["destination"]["port"]): r for r in attempts(tracer, 3)}
    ready, none = (listener_of(found[ipv4(0, 2), to]) for to in (port, free))
    equal("listener", {name: ready[name] for name in ("state", "queue", "backlog", "name")},
          {"state": "ready", "queue": 0, "backlog": 128, "name": "server"})
    equal("listener", none, {"state": "none"})
    check("listener" not in found["10.99.0.77", port]["destination"], "another host's port has a listener")
    tracer.stop()


@test
def listener_not_asked(lab):
    """Nothing is said of a listener with --no-sockets, on the client's side, and where a SYN was answered at once."""
    _, port = listening(lab, paths(lab)[0])
    fill(lab, paths(lab)[0], port)
    tracers = [watch_server(lab, "--syn-timeout=1.5", "--no-sockets"), watch(lab, "--syn-timeout=3.2"),
               watch_server(lab, "--syn-timeout=1.5")]
    dial(lab, paths(lab)[0], port, 1)
    key = scenario_named("client_first").play(paths(lab)[0])
    for tracer, asked in zip(tracers, (False, False, True)):
        equal("asked", "listener" in attempts(tracer, 1)[0]["destination"], asked)
        records = {key_of(record): record for record in tracer.stop()}
        check("listener" not in records[key]["destination"], "a listener that answered was asked")


@test
def listener_in_text(lab):
    """The full queue is in the text line and in the sentence of -v."""
    _, port = listening(lab, paths(lab)[0], name=b"sleeper")
    tracer = Tracer(lab, lab.server, PROGRAM, ("eth0",), "-v", "--syn-timeout=1.5", "--format=text")
    tracer.wait_for_all()
    fill(lab, paths(lab)[0], port)
    dial(lab, paths(lab)[0], port, 1)
    until(lambda: "unanswered" in tracer.stdout, "record", 15)
    check("listen queue full" in tracer.stdout, f"not in: {tracer.stdout}")
    words = r"after the first SYN the listen queue of sleeper\[\d+\] was full: 2 waited in it, its backlog is 1"
    check(re.search(words, tracer.stdout), f"not in: {tracer.stdout}")
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(), 0)


@test
def rejected_by_packet_filter(lab):
    """A packet filter's RST, to a SYN and to data: this host's TCP has sent none."""
    for path in paths(lab):
        tracer, listener = watch_server(lab), path.listen()
        port = listener.getsockname()[1]
        c = connect(path)
        with lab.server.filtering(f"tcp dport {{ {port}, {c.key[2]} }}", "reject with tcp reset"):
            path.dial(port)
            c.client.send(b"data")
            until(lambda c=c: reset_has_come(c.client), "reset")
        tracer.wait_for(2)
        records = tracer.stop()
        for sock in (listener, c.client, c.server):
            sock.close()
        for record in records:
            with about(f"IPv{path.version}, {record['tcp']['outcome']}"):
                expect(record, {"tcp.reset.by": "destination", "tcp.reset.reason": "PACKET_FILTER"})


@test
def rejected_by_tcp(lab):
    """An RST that TCP answers without a socket is no packet filter's, also where sockets are not followed."""
    for options, reasons in (((), ("NO_SOCKET",)), (("--no-sockets",), ())):
        for path in paths(lab):
            with about(f"IPv{path.version} {options}"):
                tracer = watch_server(lab, *options)
                path.dial(9)
                tracer.wait_for(1)
                record, = tracer.stop()
                expect(record, {"tcp.outcome": "refused", "tcp.closer": "destination"})
                check(not record["tcp"]["reset"]["forged"], "forged")
                if reasons:
                    reason_is(tracer, record, *reasons)
                else:
                    check("reason" not in record["tcp"]["reset"], "a reason that nobody has told")


def reset_in_its_name(raw, c):
    """An RST as if from the client, with the very number that the server expects."""
    version, *ports = c.key
    ends = [{4: ipv4, 6: ipv6}[version](0, number) for number in (1, 2)]
    segment = frames.tcp_segment(*ends, ports, RST, queue_number(c.client, TCP_SEND_QUEUE), 0, b"")
    raw.send(frames.ethernet(mac(0, 1), mac(0, 2), [], frames.ip_packet(*ends, segment)))


@test
def reset_dropped_by_packet_filter(lab):
    """A packet filter drops RSTs behind the hook: the socket lives, and what ends it later is told."""
    raw = raw_socket(lab.client)
    for (name, path), hook in zip(every_path(lab), ("tc", "xdp", "tc")):
        with about(f"{name}, {hook}"):
            tracer, forged, gone = watch_server(lab, f"--hook={hook}"), connect(path), connect(path)
            for c in (forged, gone):
                talk(c)
            with lab.server.filtering("tcp flags & rst != 0", "drop"):
                for _ in range(3):
                    reset_in_its_name(raw, forged)
                    time.sleep(0.01)  # else they are one packet that was captured twice
                abort(gone.client)
                time.sleep(1)
                for c in (forged, gone):
                    check(ss(lab.server, "state established", c.key[2]), "the socket has ended")
                equal("records while the sockets live", tracer.records(), [])
                close_in_turn(forged.client, forged.server)
            gone.server.send(b"data")  # its client's kernel answers, and nobody drops that
            until(lambda c=gone: reset_has_come(c.server), "reset")
            gone.server.close()
            tracer.wait_for(2)
            of = {key_of(record): record for record in tracer.stop()}
            expect(of[forged.key], {"tcp.outcome": "graceful", "tcp.closer": "source", "tcp.resets_ignored": 3})
            expect(of[gone.key], {"tcp.outcome": "reset", "tcp.closer": "source", "tcp.basis.reset": "socket",
                                  "tcp.resets_ignored": 1})


# ---- connections older than the watch ----

def close_by_each_hand(connections, holder):
    """The first is closed by its holder, the second by the other end's reset, the third by nobody."""
    held, reset, leaked = connections
    holder.go()
    heard_the_end(held.server)
    held.server.close()
    abort(reset.server)
    leaked.server.close()


@test
def held_at_start(lab):
    """Where nobody or the kernel closed, the record names the process that held the socket when the watch began."""
    connections = [connect(paths(lab)[0]) for _ in range(3)]
    # Not this process: its children share its sockets between fork and exec.
    keeper, second, third = (
        Holder(lab, c.client, [c.server for c in connections] + [c.client for c in connections[n + 1:]],
               lambda s: s.close(), b"keeper")
        for n, c in enumerate(connections))
    tracer = watch(lab, "--close-timeout=0.3")
    for c in connections[1:]:
        c.server.sendall(b"and on")
    time.sleep(0.1)  # until it is acknowledged
    close_by_each_hand(connections, keeper)
    tracer.wait_for(3)
    records = one_each(tracer.stop(), [c.key for c in connections])
    held, reset, leaked = (records[c.key] for c in connections)
    expect(held, {"source.process.pid": keeper.pid, "source.process.how": "close"})
    check("holder" not in held["source"], "a holder is reported beside the closer")
    expect(reset, {"source.process.how": "kernel", "source.process.pid": None,
                   "source.holder": second.facts | {"holders": 1}})
    expect(leaked, {"tcp.missing": "source_fin", "source.holder": third.facts | {"holders": 1}})
    check("process" not in leaked["source"], "somebody is said to have closed")
    for record in (held, reset, leaked):
        check("holder" not in record["destination"], "an end in another namespace has a holder")


@test
def held_by_two(lab):
    """All holders at the start are counted, one that has ended since included; a later connection has no holder."""
    path = paths(lab)[0]
    shared = connect(path)
    heir = Holder(lab, socket.socket(fileno=os.dup(shared.client.fileno())), [], exit_silently, b"heir")
    tracer = watch(lab)
    heir.kill()
    later = connect(path)
    talk(shared)
    abort(shared.server)
    abort(later.server)
    tracer.wait_for(2)
    records = one_each(tracer.stop(), [shared.key, later.key])
    process = records[shared.key]["source"]["holder"]
    equal("holder", (process["pid"], process["holders"]), (min(os.getpid(), heir.facts["pid"]), 2))
    check("holder" not in records[later.key]["source"], "a later connection has a holder")


@test
def holders_forbidden(lab):
    """Without the right to look into processes there are no holders, and -v reports why; closers are known."""
    c = connect(paths(lab)[0])
    tracer = watch(lab, "-v", program=as_nobody(lab, "bpf", "perfmon", "net_admin"))
    talk(c)
    abort(c.server)
    record = one_record(tracer)
    expect(record, {"source.process.how": "kernel"})
    check("holder" not in record["source"], "a holder is named")
    check("who holds the sockets" in tracer.stderr, "nothing is said")
    c.client.close()


def open_on_loopback(namespace, listener):
    client = namespace.socket(socket.AF_INET)
    client.connect(listener.getsockname())
    return Connection(client, listener.accept()[0], (4, client.getsockname()[1], listener.getsockname()[1]))


class Many:
    """A process with both ends of many connections on the client's loopback. At a byte on `tell` it resets the last."""

    def __init__(self, lab, port, count):
        (self.orders, self.tell), (self.answer, self.ready) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.be(lab, port, count)
        lab.stack.callback(self.kill)
        os.close(self.orders)
        os.close(self.ready)

    def be(self, lab, port, count):
        """The child. It never returns."""
        try:
            listener = lab.client.socket(socket.AF_INET)
            listener.bind(("127.0.0.1", port))
            listener.listen()
            held = [open_on_loopback(lab.client, listener) for _ in range(count)]
            os.write(self.ready, struct.pack("H", held[-1].key[1]))
            os.read(self.orders, 1)
            talk(held[-1])
            abort(held[-1].server)
            time.sleep(60)
        finally:
            os._exit(1)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.tell)
        os.close(self.answer)


CONNS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/bench/conns")


def busy_elsewhere(lab):
    """Connections at full rate for 30 s in a namespace that is not watched: the tracepoints see their closes, too."""
    server = Process(lab, lab.server, [CONNS, "serve", "127.0.0.1", "8000", "8"])
    until(lambda: "ready" in server.stdout, "server")
    Process(lab, lab.server, [CONNS, "open", "127.0.0.1", "8000", "8", "127.0.0.1", "8", "30"])


@test
def a_hundred_thousand(lab):
    """With 100,000 sockets of six processes the program starts within seconds and knows the holder of each."""
    each, hard = 8400, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 2 * each + 100:
        raise Skip(f"a process may have {hard} descriptors only")
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    if available < 1500:
        raise Skip(f"{available} MiB of memory are too few")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    many = {Many(lab, 61001 + i, each): 61001 + i for i in range(6)}
    keys = {(4, struct.unpack("H", os.read(m.answer, 2))[0], port): m for m, port in many.items()}
    busy_elsewhere(lab)
    begin = time.monotonic()
    tracer = watch(lab, interfaces=("lo",))
    took = time.monotonic() - begin
    for m in many:
        os.write(m.tell, b"t")
    tracer.wait_for(len(keys))
    for key, record in one_each(tracer.stop(), keys).items():
        expect(record, {"source.process.how": "kernel", "source.holder.pid": keys[key].pid, "source.holder.holders": 1,
                        "destination.process.how": "abort", "destination.process.pid": keys[key].pid})
    check(took < 10, f"it began after {took:.1f} s")
    check(len(lab.client.run("ss -Htn").splitlines()) >= 100000, "there were fewer sockets")


@test
def slow_reader(lab):
    """
    However long the reader takes from one of its calls to the next, a record has all socket events that came before it.
    A busy machine may take some ten milliseconds from a RST to the state of the socket that receives it: settling takes
    longer.
    """
    need("strace")
    tracer, keys = watch(lab, "--settle=50"), []
    strace = Process(lab, lab.client, ["strace", "-e", "trace=bpf", "-e", "inject=bpf:delay_enter=150000",
                                       "-p", str(tracer.child.pid)])
    until(lambda: "attached" in strace.stderr, "strace")
    end = time.monotonic() + 7
    while time.monotonic() < end:
        keys.append(scenario_named("linger0").play(paths(lab)[0]))
        time.sleep(0.03)
    strace.signal(signal.SIGINT)
    strace.wait()
    tracer.wait_for(len(keys))
    records = one_each(tracer.stop(), keys)
    for record in records.values():
        expect(record, {"source.process.how": "abort", "destination.process.how": "kernel"})


def closes_elsewhere(lab, namespace, seconds):
    """Closes connections at full rate on the namespace's loopback, which nobody watches. Returns how many."""
    server = Process(lab, namespace, [CONNS, "serve", "127.0.0.1", "8000", "8"])
    until(lambda: "ready" in server.stdout, "server")
    client = Process(lab, namespace, [CONNS, "open", "127.0.0.1", "8000", "8", "127.0.0.1", "8", str(seconds)])
    client.wait(seconds + 30)
    server.kill()
    return int(re.search(r"\d+", client.stdout)[0])


@test
def half_closed_for_long(lab):
    """
    Whoever half closed a connection is still known after more closes than the table has places, in the watched
    namespace and in another one.
    """
    options = ("--strict",)
    for namespace in (lab.client, lab.namespace()):
        namespace.try_run("ip link set lo up")
        tracer = Tracer(lab, lab.client, PROGRAM, ["eth0"], "--format=json", "--settle=200", *options)
        tracer.wait_for_all()
        held, closes = [connect(path) for path in paths(lab) * 3], 0
        for c in held:
            c.client.shutdown(socket.SHUT_WR)
            heard_the_end(c.server)
        while closes < 40000:
            closes += closes_elsewhere(lab, namespace, 3)
        for c in held:
            c.server.close()
            heard_the_end(c.client)
        tracer.wait_for(len(held))
        for record in one_each(tracer.stop(), [c.key for c in held]).values():
            expect(record, {"source.process.how": "shutdown", "source.process.pid": os.getpid(),
                            "destination.process.how": "close"})
            check("lost" not in record["source"]["socket"], "an event was lost")
        check("lost" not in tracer.stderr, "something of a watched connection was lost")


@test
def closes_elsewhere_change_nothing(lab):
    """While another namespace closes as fast as it can, each close here has who closed it and how, and none is lost."""
    elsewhere, seconds, keys = lab.namespace(), 5, {}
    tracer = watch(lab, "--strict")
    server = Process(lab, elsewhere, [CONNS, "serve", "127.0.0.1", "8000", "8"])
    until(lambda: "ready" in server.stdout, "server")
    client = Process(lab, elsewhere, [CONNS, "open", "127.0.0.1", "8000", "8", "127.0.0.1", "8", str(seconds)])
    while client.code is None:
        for path in paths(lab):
            keys[scenario_named("linger0").play(path)] = ("abort", "kernel")
            keys[scenario_named("client_first").play(path)] = ("shutdown", "close")
    tracer.wait_for(len(keys), 20)
    for key, record in one_each(tracer.stop(), keys).items():
        expect(record, dict(zip(("source.process.how", "destination.process.how"), keys[key])))
    check("lost" not in tracer.stderr, f"something was lost: {tracer.stderr}")
    rate = int(client.stdout.split()[0]) / seconds
    print(f"# {rate:.0f} closes a second elsewhere: {len(keys)} here are as they were", flush=True)


# ---- sockets are never joined to another connection ----

def bound_client(path, port, listener):
    """A connection from that port, which may have been in use just before."""
    client = path.client.socket(path.family)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("", port))
    client.connect((path.address, listener.getsockname()[1]))
    return client, listener.accept()[0]


@test
def tuple_reused(lab):
    """Thirty connections of one tuple in a row, closed in turn in three ways, have the right closers."""
    tracer, path, expected = watch(lab), paths(lab)[0], []
    with path.listen() as listener:
        for i in range(30):
            if i % 3 == 0:
                time.sleep(0.3)  # no more than 14 connections of a tuple are kept between two polls
            client, server = bound_client(path, 20000, listener)
            if i % 3 == 0:
                abort(client)
                until(lambda sock=server: reset_has_come(sock), "reset")
                server.close()
                expected.append(("abort", "kernel"))
            elif i % 3 == 1:
                server.send(b"x")
                receive(client, 1)
                abort(server)
                until(lambda sock=client: reset_has_come(sock), "reset")
                client.close()
                expected.append(("kernel", "abort"))
            else:
                server.send(b"x")
                until(lambda sock=client: sock.recv(1, socket.MSG_PEEK), "data")
                client.close()
                until(lambda sock=server: reset_has_come(sock), "reset")
                server.close()
                expected.append(("close", "kernel"))
    tracer.wait_for(len(expected))
    records = sorted(tracer.stop(), key=lambda record: record["event"]["start"])
    equal("who closed how", [tuple(field(record, f"{end}.process.how") for end in ("source", "destination"))
                             for record in records], expected)


def twin_of(lab):
    """Two more namespaces with the laboratory's own addresses."""
    client, server = lab.namespace(), lab.namespace()
    client.run(f"ip link add eth0 type veth peer name eth0 netns {server.path}")
    for namespace, own in ((client, 1), (server, 2)):
        namespace.run("ip link set eth0 addrgenmode none up")
        namespace.run(f"ip address add {ipv4(0, own)}/24 dev eth0")
    return Path(client, server, ipv4(0, 2))


def same_tuple(lab, path, twin):
    """A connection in each pair of namespaces, with the same ports. The twin's end is held by another process."""
    pairs = []
    for each in (path, twin):
        listener = each.server.socket(each.family)
        listener.bind((each.address, 30000))  # the lower port is taken as the server's
        listener.listen()
        pairs.append(bound_client(each, 30001, listener))
        listener.close()
    (client, server), (other_client, other_server) = pairs
    holder = Holder(lab, other_client, [client, server, other_server], exit_silently, b"twin")
    return client, server, other_server, holder


def close_both(client, server, other_server, holder):
    holder.go()
    client.shutdown(socket.SHUT_WR)
    heard_the_end(other_server)
    heard_the_end(server)
    other_server.close()
    server.close()


@test
def namespaces(lab):
    """The same tuple at the same time in other namespaces is another connection."""
    tracer, path, twin = watch(lab), paths(lab)[0], twin_of(lab)
    close_both(*same_tuple(lab, path, twin))
    expect(one_record(tracer), {
        "source.process.pid": os.getpid(), "source.process.netns": inode(lab.client), "source.process.how": "shutdown",
        "destination.process.pid": os.getpid(), "destination.process.netns": inode(lab.server)})


@test
def namespaces_midstream(lab):
    """Without the handshake the namespace decides; an end in another namespace has no process."""
    path, twin = paths(lab)[0], twin_of(lab)
    ends = same_tuple(lab, path, twin)
    tracer = watch(lab)
    close_both(*ends)
    record = one_record(tracer)
    expect(record, {"tcp.midstream": True, "source.process.pid": os.getpid(),
                    "source.process.netns": inode(lab.client)})
    check("process" not in record["destination"] and "socket" not in record["destination"],
          "an end in another namespace was joined without its number")


@test
def forwarded(lab):
    """With NAT between the ends, only the end whose addresses the interface shows has a process."""
    need("nft")
    path = paths(lab)[0]
    lab.client.try_run("nft add table ip nat")
    lab.client.run("nft add chain ip nat out '{ type nat hook output priority -100; }'")
    lab.client.run(f"nft add rule ip nat out ip daddr 10.99.0.77 dnat to {ipv4(0, 2)}")
    lab.client.run("ip route add 10.99.0.77 dev eth0")
    tracer = watch(lab)
    with path.listen() as listener:
        client = lab.client.socket(socket.AF_INET)
        client.connect(("10.99.0.77", listener.getsockname()[1]))
        server = listener.accept()[0]
    client.shutdown(socket.SHUT_WR)
    heard_the_end(server)
    server.close()
    record = one_record(tracer)
    check("process" not in record["source"], "a socket with other addresses was joined")
    equal("pid of the server", record["destination"]["process"]["pid"], os.getpid())


# ---- what the verdict on a FIN or RST rests on ----

def reset_by(c):
    c.client.send(b"x")
    receive(c.server, 1)
    abort(c.client)
    until(lambda: reset_has_come(c.server), "reset")
    c.server.close()


def graceful_by(c):
    c.client.close()
    heard_the_end(c.server)
    c.server.close()


@test
def basis_socket(lab):
    """A socket of the interface's namespace is asked, at either end of the connection, in each family, at each hook."""
    for namespace, hook in itertools.product((lab.client, lab.server), ("tc", "xdp", "xdp-generic")):
        tracer = Tracer(lab, namespace, PROGRAM, ["eth0"], "--format=json", "--settle=200", f"--hook={hook}")
        tracer.wait_for_all()
        resets = {(name, c.key) for name, path in every_path(lab) for c in [connect(path)] if not reset_by(c)}
        closes = {(name, c.key) for name, path in every_path(lab) for c in [connect(path)] if not graceful_by(c)}
        tracer.wait_for(len(resets) + len(closes))
        records = one_each(tracer.stop(), [key for _, key in resets | closes])
        for name, key in resets:
            with about(f"{name}, {hook}, RST"):
                expect(records[key], {"tcp.basis.reset": "socket", "tcp.basis.fin": None})
        for name, key in closes:
            with about(f"{name}, {hook}, FIN"):
                expect(records[key], {"tcp.basis.reset": None, "tcp.basis.fin": "socket"})


@test
def basis_both_ends(lab):
    """On loopback both ends are of the interface's namespace."""
    tracer = watch(lab, interfaces=("lo",))
    with lab.client.socket(socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        resets, closes = [[open_on_loopback(lab.client, listener) for _ in range(2)] for _ in range(2)]
    for c in resets:
        reset_by(c)
    for c in closes:
        graceful_by(c)
    tracer.wait_for(4)
    records = one_each(tracer.stop(), [c.key for c in resets + closes])
    for c in resets:
        expect(records[c.key], {"tcp.basis.reset": "socket", "tcp.basis.fin": None})
    for c in closes:
        expect(records[c.key], {"tcp.basis.reset": None, "tcp.basis.fin": "socket"})


@test
def basis_wire(lab):
    """Sockets of other namespaces than the interface's are not asked: forwarded connections rest on the wire."""
    router, far = lab.namespace(), lab.namespace()
    router.run(f"ip link add left type veth peer name eth1 netns {lab.client.path}")
    router.run(f"ip link add right type veth peer name eth0 netns {far.path}")
    for namespace, dev, own, net in ((router, "left", 1, 7), (lab.client, "eth1", 2, 7), (router, "right", 1, 8),
                                     (far, "eth0", 2, 8)):
        namespace.run(f"ip link set {dev} up")
        namespace.run(f"ip address add 10.98.{net}.{own}/24 dev {dev}")
    router.run("sysctl -qw net.ipv4.ip_forward=1")
    lab.client.run("ip route add 10.98.8.0/24 via 10.98.7.1")
    far.run("ip route add default via 10.98.8.1")
    path = Path(lab.client, far, "10.98.8.2")
    tracer = Tracer(lab, router, PROGRAM, ["left"], "--format=json", "--settle=200")
    tracer.wait_for_all()
    reset, close = connect(path), connect(path)
    reset_by(reset)
    graceful_by(close)
    tracer.wait_for(2)
    records = one_each(tracer.stop(), [reset.key, close.key])
    # The kernel of this host says of its own RST, in any namespace, that a TCP socket has sent it.
    expect(records[reset.key], {"tcp.basis.reset": "socket", "tcp.basis.fin": None})
    expect(records[close.key], {"tcp.basis.reset": None, "tcp.basis.fin": "wire"})


# ---- bad input and missing features ----

def queued(path, fin):
    """A connection with a byte in it that its listener has not accepted. Returns listener, client and key."""
    listener = path.listen()
    client = path.client.socket(path.family)
    client.connect(listener.getsockname())
    client.send(b"x")
    if fin:
        client.shutdown(socket.SHUT_WR)
    version = 4 if path.address.startswith("::ffff:") else path.version
    return listener, client, (version, client.getsockname()[1], client.getpeername()[1])


LISTENER_ENDS = [("close", lambda s: s.close()), ("exit", exit_silently), ("killed", lambda s: time.sleep(60))]


def end_listener(lab, name, action, listener, client):
    """Has the listener closed by a process of its own, and waits for the reset. Returns that process's facts."""
    holder = Holder(lab, listener, [client], action, name.encode(), 1000)
    time.sleep(PAUSE)  # until the byte is acknowledged
    holder.go()
    if name == "killed":
        time.sleep(PAUSE)
        holder.kill()
    until(lambda: reset_has_come(client), "reset")
    client.close()
    return holder.facts


@test
def unaccepted(lab):
    """Closing a listener resets what it has not accepted: its process did it, with and without a FIN of the client."""
    tracer, played = watch(lab), {}
    for _, path in every_path(lab):
        for fin in (False, True):
            for name, action in LISTENER_ENDS:
                listener, client, key = queued(path, fin)
                facts = end_listener(lab, name, action, listener, client)
                played[key] = {"tcp.closer": "source" if fin else "destination",
                               **{f"destination.process.{field}": value for field, value in facts.items()}}
    tracer.wait_for(len(played))
    records = one_each(tracer.stop(), list(played))
    for key, expected in played.items():
        record = records[key]
        expect(record, {"tcp.outcome": "reset", "destination.process.how": "unaccepted",
                        "destination.process.netns": inode(lab.server), "destination.socket.unread_bytes": 1,
                        **expected})
        reason_is(tracer, record, "TCP_STATE")


@test
def unaccepted_midstream(lab):
    """Of a connection older than the watch, whose socket had no holder, the listener's process is named as well."""
    for path in paths(lab):
        listener, client, _ = queued(path, False)
        tracer = Tracer(lab, lab.server, PROGRAM, ["eth0"], "--format=json", "--settle=200")
        tracer.wait_for_all()
        client.send(b"x")
        facts = end_listener(lab, "closer", lambda s: s.close(), listener, client)
        record = one_record(tracer)
        check("holder" not in record["destination"], "somebody held it")
        expect(record, {"destination.process.how": "unaccepted", "destination.process.pid": facts["pid"]})


@test
def unaccepted_reset_by_client(lab):
    """A RST of the client ends a connection that was not accepted: the listener's process did nothing."""
    tracer = watch(lab)
    listener, client, _ = queued(paths(lab)[0], False)
    time.sleep(PAUSE)
    abort(client)
    record = one_record(tracer)
    listener.close()
    expect(record, {"tcp.closer": "source", "destination.process.how": "kernel", "destination.process.pid": None})


IPPROTO_MPTCP = 262


@test
def kernels_own(lab):
    """MPTCP subflows are kernel sockets, closed by its workers or within a call: no process is named."""
    try:
        listener = lab.server.socket(socket.AF_INET, protocol=IPPROTO_MPTCP)
        client = lab.client.socket(socket.AF_INET, protocol=IPPROTO_MPTCP)
    except OSError as error:
        raise Skip(f"no MPTCP: {error}") from error
    tracer = watch(lab)
    with listener:
        listener.bind((ipv4(0, 2), 0))
        listener.listen()
        client.connect(listener.getsockname())
        server = listener.accept()[0]
    client.close()
    equal("end of the stream", server.recv(1), b"")
    server.close()
    record = one_record(tracer)
    for end in ("source", "destination"):
        process = record[end].get("process", {"how": "kernel", "pid": None})
        equal(f"{end}'s process", (process["how"], process["pid"]), ("kernel", None))
        states = [step["state"] for step in record[end].get("socket", {"states": []})["states"]]
        equal(f"{end}'s states", states, list(dict.fromkeys(states)))


def resets_sent(namespace):
    """The namespace's OutRsts."""
    names, values = [line.split() for line in namespace.run("cat /proc/net/snmp").splitlines() if line[:4] == "Tcp:"]
    return int(values[names.index("OutRsts")])


def syn_frame(port):
    """A SYN from an unused address to a port without a listener."""
    segment = frames.tcp_segment(ipv4(0, 3), ipv4(0, 2), (port, 9), SYN, port, 0, b"")
    return frames.ethernet(mac(0, 1), mac(0, 2), (), frames.ip_packet(ipv4(0, 3), ipv4(0, 2), segment))


@test
def answers_flooded(lab):
    """A flood of SYNs to a port without a listener, and its resets, costs no close its process."""
    tracer, path, wire, played = watch(lab), paths(lab)[0], raw_socket(lab.client), set()
    syns = [syn_frame(port) for port in range(1024, 2048)]
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for syn in syns:
            wire.send(syn)
        played |= {scenario_named(name).play(path) for name in ("linger0", "three_way")}
    wire.close()
    check(resets_sent(lab.server) > 20000, f"only {resets_sent(lab.server)} resets were sent")
    until(lambda: len(played & {key_of(record) for record in tracer.records()}) == len(played), "records")
    for record in tracer.stop():
        if key_of(record) in played:
            equal("pid", record["source"]["process"]["pid"], os.getpid())
            check(record["destination"]["process"]["how"] in ("close", "kernel"), "the other end is not known")
    check("who closed was lost" not in tracer.stderr, f"the flood displaced changes of state: {tracer.stderr}")


NAMES = [b"\x1b[31m\n\x07", b'a"b\\c', b"\xff\xfe", b" ", b"0123456789abcdefXX", "é".encode()]


@test
def strange_names(lab):
    """Control bytes of a process name reach no format's output, and each format names the closer."""
    for options in (["json"], ["text", "-v"], ["csv"], ["ladder"]):
        program, holders = Tracer(lab, lab.client, PROGRAM, ["eth0"], f"--format={options[0]}", *options[1:]), []
        program.wait_for_all()
        for name in NAMES:
            c = connect(paths(lab)[0])
            holders.append(Holder(lab, c.client, [c.server], lambda s: s.close(), name))
            holders[-1].go()
            heard_the_end(c.server)
            c.server.close()
        program.signal(signal.SIGINT)
        equal("exit code", program.wait(), 0)
        with about(options[0]):
            check(not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", program.stdout), "control bytes in the output")
            CLOSERS[options[0]](program.stdout, holders)


def json_closers(out, holders):
    processes = [json.loads(line)["source"]["process"] for line in out.splitlines()]
    equal("closers", [p["pid"] for p in processes], [holder.pid for holder in holders])
    check({"\x1b[31m\n\x07", 'a"b\\c', " ", "0123456789abcde", "é"} < {p["name"] for p in processes}, f"{processes}")


def csv_closers(out, holders):
    rows = list(csv.DictReader(out.splitlines()))
    equal("closers", [(row["source_process_pid"], row["source_process_how"]) for row in rows],
          [(str(holder.pid), "close") for holder in holders])
    equal("names", [row["source_process_name"] for row in rows[1:5:3]], ['a"b\\c', "0123456789abcde"])


def text_closers(out, holders):
    for holder in holders:
        equal(f"lines with {holder.pid}", len(re.findall(rf"\[{holder.pid}\] close", out)), 2)


def ladder_closers(out, holders):
    for holder in holders:
        equal(f"lines with {holder.pid}", len(re.findall(rf"source: \S+\[{holder.pid}\] close", out)), 1)


CLOSERS = {"json": json_closers, "csv": csv_closers, "text": text_closers, "ladder": ladder_closers}


@test
def three_capabilities(lab):
    """Beside CAP_BPF and CAP_NET_ADMIN, CAP_PERFMON suffices to know the process."""
    tracer = watch(lab, program=as_nobody(lab, "bpf", "perfmon", "net_admin"))
    scenario_named("linger0").play(paths(lab)[0])
    record = one_record(tracer)
    expect(record, {"source.process.pid": os.getpid(), "source.process.how": "abort"})
    reason_is(tracer, record, "TCP_STATE")


@test
def no_sockets(lab):
    """With --no-sockets no tracepoint is attached and no record has a process, socket or reason."""
    tracer = watch(lab, "--no-sockets")
    for info in descriptors(tracer):
        check(info.get("link_type") != "raw_tracepoint", "a tracepoint is attached")
    scenario_named("linger0").play(paths(lab)[0])
    record = one_record(tracer)
    for end in ("source", "destination"):
        check(not {"process", "socket"} & set(record[end]), "a socket was asked")
    check("reason" not in record["tcp"]["reset"], "a reason is reported")




def tracepoint_programs(tracer):
    """{tracepoint of sockets: type of the program that is attached to it}; those of cgroups are always raw"""
    tool, found = shutil.which("bpftool", path=os.environ["PATH"] + ":/usr/sbin"), {}
    if not tool:
        raise Skip("bpftool is not installed")
    for info in descriptors(tracer):
        if info.get("link_type") == "raw_tracepoint" and not info["tp_name"].startswith("cgroup_"):
            shown = subprocess.run([tool, "-j", "prog", "show", "id", info["prog_id"]], capture_output=True, check=True)
            found[info["tp_name"]] = json.loads(shown.stdout)["type"]
    return found


def all_is_known(lab, tracer, *raw):
    """Checks processes and reasons where the named tracepoints are raw ones and the others are not."""
    names = ["inet_sock_set_state", "tcp_receive_reset", *(["tcp_send_reset"] if has_reasons(tracer) else [])]
    equal("programs", tracepoint_programs(tracer),
          {name: "raw_tracepoint" if name in raw else "tracing" for name in names})
    key = scenario_named("linger0").play(paths(lab)[0])
    tracer.wait_for(1)
    record = one_each(tracer.stop(), [key])[key]
    expect(record, {"source.process.pid": os.getpid(), "source.process.how": "abort",
                    "destination.process.how": "kernel"})
    check(record["destination"]["socket"]["reset_received"] >= 0, "no reset was received")
    reason_is(tracer, record, "TCP_STATE")


@test
def raw_tracepoints(lab):
    """A tracepoint that the kernel's BTF lacks is attached as a raw one, and reports the same."""
    for unknown in ({"inet_sock_set_state"}, TRACEPOINTS):
        all_is_known(lab, watch(lab, program=with_raw_tracepoints(lab, unknown)), *unknown)


@test
def typed_refused(lab):
    """Where the kernel refuses programs by BTF, all tracepoints are raw ones, and report the same."""
    refused = with_error(lab, "bpf", "EINVAL", 2, "BPF_PROG_LOAD", "BPF_TRACE_RAW_TP")  # libbpf asks twice, for a log
    all_is_known(lab, watch(lab, program=refused), *TRACEPOINTS)


@test
def no_tracepoint(lab):
    """A tracepoint that the kernel lacks causes one note; the others are used."""
    tracer = watch(lab, program=with_error(lab, "bpf", "ENOENT", 1, "BPF_LINK_CREATE", "BPF_TRACE_RAW_TP"))
    scenario_named("linger0").play(paths(lab)[0])
    record = one_record(tracer)
    expect(record, {"tcp.outcome": "reset"})
    check("how" not in record["source"].get("process", {}), "somebody closed")
    check(record["destination"]["socket"]["reset_received"] >= 0, "no reset was received")
    reason_is(tracer, record, "TCP_STATE")
    equal("notes", tracer.stderr.count("does not tell which process closes"), 1)


@test
def no_btf(lab):
    """A kernel without BTF causes one note; closes are reported without a process."""
    tracer = watch(lab, program=with_kernel_types(None))
    scenario_named("client_first").play(paths(lab)[0])
    record = one_record(tracer)
    expect(record, {"tcp.outcome": "graceful"})
    check("process" not in record["source"], "a process is known")
    equal("notes", len([line for line in tracer.stderr.splitlines() if "sockets" in line]), 1)


if __name__ == "__main__":
    suite.main(sys.argv)
