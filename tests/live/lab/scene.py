# SPDX-License-Identifier: GPL-2.0-or-later
"""
Closes by real kernels, and how their records are judged.

A scenario plays connections in a laboratory and has the expected fields of each record. perform() compares the records
with these, with the kernels (socket states by ss, counters of the namespaces), and with tcpdump on the same interface.
"""
import datetime
import socket
import struct
from typing import Callable, NamedTuple

from lab import frames
from lab.closes import Connection, Path, talk
from lab.harness import about, expect, key_of, raw_socket
from lab.netlab import RST, SYN, Tracer, check, equal, ipv4, ipv6, mac, need, until
from lab.relay import DEVICE, Relay
from lab.witness import TOLERANCE, Capture, Close, one_after_another, retransmissions

ROLES = ("source", "destination")  # the client, the server

# Counters of closes in /proc/net/netstat and /proc/net/snmp. A scenario gives those that it raises; the others stay 0.
COUNTERS = ("TCPAbortOnData", "TCPAbortOnClose", "TCPAbortOnLinger", "TCPAbortOnTimeout", "TCPAbortOnMemory",
            "TCPAbortFailed", "TCPChallengeACK", "TCPSYNChallenge", "TCPFastOpenActive", "TCPFastOpenPassive",
            "TCPFastOpenCookieReqd", "TCPKeepAlive", "TCPTimeWaitOverflow", "TWRecycled", "TCPOFOQueue", "EstabResets",
            "AttemptFails")

SS_NAMES = {"ESTAB": "ESTABLISHED", "SYN-RECV": "SYN-RECEIVED"}  # where ss differs from RFC 9293
SS_PAUSE = 0.05  # s between two runs of ss

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
TCP_RECV_QUEUE, TCP_SEND_QUEUE, TCP_REPAIR_OFF_NO_WP = 1, 2, -1


class Scenario(NamedTuple):
    """
    expected: fields of each connection's record, in the order in which they began; server_expected: of the records at
    the server's end of the path. client, server: the counters that rise in their kernels. kernel_knows: states of the
    last connection that the wire does not show. sysctl: one setting of net.ipv4 for each role. relay: the Relay's
    arguments; without them the path is a veth pair. at_exit: the record comes when the program ends.
    """

    play: Callable
    expected: tuple
    server_expected: tuple
    client: dict
    server: dict
    kernel_knows: dict
    sysctl: dict
    relay: tuple
    options: tuple
    at_exit: bool


class Scene:
    """
    Where a scenario plays: a laboratory, the path from client to server, and tcpdump and the program at each watched
    end of it. The play may set `ignored`, a function that is true for segments without effect on the connection of
    their ports, and `afterwards`, which is called with all records and segments by end.
    """

    def __init__(self, lab, scenario, version, program):
        self.lab, self.scenario, self.version = lab, scenario, version
        self.namespaces = dict(zip(ROLES, (lab.client, lab.server)))
        for role, setting in scenario.sysctl.items():
            self.namespaces[role].try_run(f"sysctl -qw net.ipv4.{setting}")
        self.relay = Relay(lab, *scenario.relay) if scenario.relay else None
        addresses = {4: ("10.98.0.1", "10.98.0.2"), 6: ("fd98::1", "fd98::2")} if self.relay else \
            {4: (ipv4(0, 1), ipv4(0, 2)), 6: (ipv6(0, 1), ipv6(0, 2))}
        self.addresses = dict(zip(ROLES, addresses[version]))
        self.path = Path(lab.client, lab.server, self.addresses["destination"])
        interface, ends = (DEVICE, ROLES) if self.relay else ("eth0", ROLES[:1])
        self.captures = {end: Capture(lab, self.namespaces[end], interface) for end in ends}
        self.tracers = {end: Tracer(lab, self.namespaces[end], program, [interface], "--format=json",
                                    *(scenario.options or ["--settle=200"])) for end in ends}
        self.forged, self.agreed = [], set()
        self.ignored, self.afterwards = lambda segment: False, lambda records, segments: None

    def visible(self, end):
        """The roles whose segments all pass that end. On a veth pair nothing is lost before both kernels counted it."""
        return [end] if self.relay else ROLES

    # connections

    def connect(self):
        """A connection with a request and a reply."""
        c = self.path.connect()
        talk(c)
        return c

    def open(self, listener, port=0, isn=None, **options):
        """Connects to the listener, from the given port, with the given ISN and TCP options of the client's socket."""
        client = self.namespaces["source"].socket(self.path.family, protocol=listener.proto)
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

    def cut(self, connection, verdict="drop"):
        """Inside `with` no segment of the connection reaches the server: each gets the verdict."""
        return self.lab.server.filtering(f"tcp sport {connection.key[1]} tcp dport {connection.key[2]}", verdict)

    # what the kernel knows

    def state(self, role, key):
        """The state of that side's socket by ss."""
        ports = [str(port) for port in (key[1:] if role == "source" else key[:0:-1])]
        for line in self.namespaces[role].run(f"ss -tanH{self.version}").splitlines():
            state, _, _, *ends = line.split()[:5]
            if [end.rpartition(":")[2] for end in ends] == ports:
                return SS_NAMES.get(state, state)
        return "CLOSED"

    def reach(self, key, source, destination):
        """Waits until ss shows these states."""
        for role, state in zip(ROLES, (source, destination)):
            until(lambda role=role, state=state: self.state(role, key) == state, f"{state} of the {role} in ss", 10,
                  SS_PAUSE)

    def counters(self, role):
        with self.namespaces[role]:
            return {name: number for file in ("netstat", "snmp") for name, number in proc_table(file)}

    def count_reaches(self, role, name, least):
        until(lambda: self.counters(role)[name] >= least, f"{name} of {least} in the {role}'s kernel", 10)

    def agree(self, key, end, number=1):
        """Waits for the tuple's record of that number at that end, and until the kernels are in the record's states."""
        if (key, end) in self.agreed:
            return
        self.agreed.add((key, end))
        until(lambda: len(self.reported_states(key, end)) >= number, f"record at the {end}", 10)
        reported = self.reported_states(key, end)[-1]
        for role in self.visible(end):
            state = self.scenario.kernel_knows.get(role, reported[role])
            until(lambda role=role, state=state: self.state(role, key) == state,
                  f"{state} in ss for the {role}, which is {reported[role]} in the record of the {end},", 2, SS_PAUSE)

    def reported_states(self, key, end):
        return [record["tcp"]["state"] for record in self.tracers[end].records() if key_of(record) == key]

    # forgeries, on the veth pair only

    def forge(self, connection, forger, flags, ahead=0, payload=b""):
        """Like forge_at, with a number that is `ahead` of the one that the victim's kernel expects next."""
        victim = connection.server if forger == "source" else connection.client
        self.forge_at(queue_number(victim, TCP_RECV_QUEUE) + ahead, connection.key, forger, flags, payload)

    def forge_at(self, seq, key, forger, flags, payload=b""):
        """Sends a segment with the forger's addresses from the forger's namespace."""
        addresses, ports, macs = list(self.addresses.values()), list(key[1:]), [mac(0, 1), mac(0, 2)]
        if forger == "destination":
            for pair in (addresses, ports, macs):
                pair.reverse()
        seq &= 0xffffffff
        packet = frames.ip_packet(*addresses, frames.tcp_segment(*addresses, ports, flags, seq, 0, payload))
        self.forged.append((ports[0], flags, seq))
        with raw_socket(self.namespaces[forger]) as wire:
            wire.send(frames.ethernet(*macs, [], packet))

    def is_forged(self, segment):
        return (segment.sport, segment.flags, segment.seq) in self.forged


def queue_number(sock, queue, new=None):
    """The kernel's next sequence number in this direction, which is set to `new` first if that is given."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
    if new is not None:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack("=I", new & 0xffffffff))
    number = sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP)
    return number & 0xffffffff


def error_is(role, sock, error):
    """Checks the errno that the kernel keeps for the socket."""
    equal(f"error of the {role}'s socket", sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), error)


def proc_table(file):
    """(name, number) of each TCP counter in a file of /proc/net, for this thread's namespace."""
    with open(f"/proc/thread-self/net/{file}", encoding="ascii") as lines:
        rows = [line.split() for line in lines]
    for names, numbers in zip(rows[::2], rows[1::2]):
        if names[0] in ("TcpExt:", "Tcp:"):
            yield from zip(names[1:], map(int, numbers[1:]))


# ---- judging ----

def perform(scenario, version, program, lab):
    """Plays the scenario and compares records, kernels and captures. Returns the result of `afterwards`."""
    need("nft", "ss", "sysctl")
    scene = Scene(lab, scenario, version, program)
    played = scenario.play(scene)
    keys = played if isinstance(played, list) else [played]
    if not scenario.at_exit:
        for end in scene.tracers:
            scene.agree(keys[-1], end, keys.count(keys[-1]))
    records = {end: in_order(tracer.stop()) for end, tracer in scene.tracers.items()}
    segments = {end: capture.stop() for end, capture in scene.captures.items()}
    for end, expected in zip(ROLES, (scenario.expected, scenario.server_expected)):
        if end in scene.tracers:
            with about(f"at the {end}"):
                judge_records(scene, keys, expected, records[end], segments[end])
                for role in scene.visible(end):
                    judge_counts(scene, role, set(keys), segments[end])
    for role, expected in zip(ROLES, (scenario.client, scenario.server)):
        counters = scene.counters(role)
        equal(f"counters of the {role}'s kernel", {name: counters[name] for name in COUNTERS if counters.get(name)},
              expected)
    return scene.afterwards(records, segments)


def in_order(records):
    return sorted(records, key=lambda record: record["event"]["start"])


def judge_records(scene, keys, expected, records, segments):
    """Each connection has one record, with the expected fields, that agrees with tcpdump."""
    equal("connections reported", [key_of(record) for record in records], keys)
    segments = [s for s in segments if not (scene.is_forged(s) and s.flags & SYN)]
    seen = {key: one_after_another(segments, key) for key in keys}
    for number, (key, record, fields) in enumerate(zip(keys, records, expected), 1):
        with about(f"connection {number}"):
            expect(record, fields)
            Close(of_record(seen[key].pop(0), record, scene.ignored), key).agree(record)
    check(not any(seen.values()), "tcpdump saw more connections than were made")


def of_record(segments, record, ignored):
    """The connection's segments that can be in the record: none behind its last reset, none after a time-out."""
    segments = [s for s in segments if not ignored(s)]
    if record["tcp"]["outcome"] == "reset":
        resets = [index for index, s in enumerate(segments) if s.flags & RST]
        ignored = min(record["tcp"]["resets_ignored"], len(resets) - 1)
        return segments[:resets[ignored] + 1] if resets else segments
    if record["tcp"]["outcome"] == "graceful":
        return segments
    return [s for s in segments if s.time <= since_epoch(record["event"]["end"]) + TOLERANCE]


def since_epoch(timestamp):
    """Seconds of a record's time stamp."""
    return datetime.datetime.fromisoformat(timestamp[:19] + "+00:00").timestamp() + float(f"0{timestamp[19:-1]}")


def judge_counts(scene, role, keys, segments):
    """The kernel counts as many resets and retransmissions as tcpdump saw of its side."""
    kernel, resets, repeated = scene.counters(role), 0, 0
    segments = [s for s in segments if not scene.is_forged(s)]
    for key in keys:
        for connection in one_after_another(segments, key):
            sent = [s for s in connection if s.sport == key[1 + ROLES.index(role)]]
            resets += sum(bool(s.flags & RST) for s in sent)
            repeated += retransmissions(sent)
    equal(f"OutRsts of the {role}'s kernel", kernel["OutRsts"], resets)
    equal(f"RetransSegs of the {role}'s kernel", kernel["RetransSegs"], repeated)
