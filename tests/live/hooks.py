#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
hooks.py TCPFIN-TRACE [NAME...]: every hook and kind of interface; when the program starts, stops and stands still; what
cannot work. As root. lab/harness.py has how tests are run and what they print.
"""
import contextlib
import ipaddress
import itertools
import json
import os
import platform
import re
import select
import signal
import socket
import subprocess
import sys
import time

from lab import frames
from lab.closes import (SCENARIOS, Connection, Path, abort, close_in_turn, heard_the_reset, receive, scenario_named,
                        talk)
from lab.harness import (GRACEFUL, PROGRAM, Suite, about, as_nobody, close_some, expect, field,
                     foreign_object, key_of, one_close_seen, one_each,
                     paths, raw_socket, refuses, router, watch, without, without_tcx)
from lab.netlab import ACK, FIN, RST, SYN, Process, Skip, Tracer, Tun, check, equal, ipv4, ipv6, join, mac, need, until
from lab.scene import TCP_QUEUE_SEQ, TCP_RECV_QUEUE, TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE
from lab.witness import Capture, Close, of_connection, retransmissions
from waits import connecting, counter

suite = Suite(workers=3)
test = suite.test


# ---- every way to close, on every hook ----

def play_every_scenario(all_paths):
    """Plays every scenario on each path. Returns {key: scenario}."""
    played = {}
    for path in all_paths:
        for scenario in SCENARIOS:
            played[scenario.play(path)] = scenario
    return played


def every_scenario_on(lab, hook, reason):
    """reason: a pattern for the line on stderr about the hook."""
    need("nft")
    witness = Capture(lab, lab.client, "eth0")
    tracer = watch(lab, f"--hook={hook}", "--close-timeout=1")
    both = paths(lab)
    played = play_every_scenario(both)
    tracer.wait_for(len(played))
    records, segments = one_each(tracer.stop(), played), witness.stop()
    for key, scenario in played.items():
        with about(f"{scenario.name}/ipv{key[0]}"):
            expect(records[key], scenario.expected)
            expect(records[key], {"observer.ingress.interface.name": "eth0"})
            Close(segments, key).agree(records[key])
    choice = [line for line in tracer.stderr.splitlines() if "eth0" in line]
    check(choice and re.search(reason, choice[0]), f"stderr does not say {reason!r} of eth0: {choice}")


@test
def closes_tc(lab):
    """Every scenario, IPv4 and IPv6, with --hook=tc."""
    every_scenario_on(lab, "tc", r"\btc\b.*as asked")


@test
def closes_xdp(lab):
    """Every scenario with --hook=xdp (native on veth)."""
    every_scenario_on(lab, "xdp", r"native XDP\b.*as asked")


@test
def closes_xdp_generic(lab):
    """Every scenario with --hook=xdp-generic."""
    every_scenario_on(lab, "xdp-generic", r"generic XDP\b.*as asked")


@test
def closes_auto(lab):
    """Every scenario with --hook=auto, which takes tc on a veth and says why."""
    every_scenario_on(lab, "auto", r"\btc\b.*veth")


def names_the_ends(record):
    """Whoever closed is the client's or the server's program; the one who closed first is known."""
    names = {end: record[end].get("process", {}).get("name") for end in ("source", "destination")}
    for end, program in (("source", "client"), ("destination", "server")):
        check(names[end] in (program, None), f"the {end}'s program is {names[end]!r}")
    if field(record, "tcp.outcome") != "refused":  # nobody closed that one
        check(names.get(field(record, "tcp.closer"), "both"), "nobody is named who closed")


@test
def demo(lab):
    """`make run` shows every way to close, each with the record that its caption announces, and ends by itself."""
    del lab  # the demo makes one of its own
    need("nft")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.py")
    shown = subprocess.run([sys.executable, script, *PROGRAM, "--format=json"], capture_output=True, text=True,
                           check=True)
    records = (record for record in map(json.loads, shown.stdout.splitlines()) if record["tcp"]["final"])
    records = sorted(records, key=lambda record: record["event"]["start"])
    equal("number of records", len(records), len(SCENARIOS))
    for record, scenario in zip(records, SCENARIOS):
        with about(scenario.name):
            expect(record, scenario.expected)
            check(f": {scenario.caption}\n" in shown.stderr, "no caption")
            names_the_ends(record)
    equal("programs of the first record", [field(records[0], f"{end}.process.name")
                                           for end in ("source", "destination")], ["client", "server"])
    check(f"\n{len(SCENARIOS)} connections\n" in shown.stderr, "no summary")


# ---- kinds of links ----

@test
def loopback(lab):
    """On lo a segment passes egress and ingress; the record has it once."""
    witness, tracer = Capture(lab, lab.client, "lo"), watch(lab, interfaces=["lo"])
    played = {}
    for address in ("127.0.0.1", "::1"):
        for name in ("no_data", "client_first", "linger0"):
            played[scenario_named(name).play(Path(lab.client, lab.client, address))] = scenario_named(name)
    tracer.wait_for(len(played))
    records, segments = one_each(tracer.stop(), played), witness.stop()
    for key, scenario in played.items():
        close, record = Close(segments, key), records[key]
        with about(f"{scenario.name}/ipv{key[0]}"):
            expect(record, scenario.expected)
            expect(record, {"tcp.retransmits": {"syn": 0, "syn_ack": 0, "fin_source": 0, "fin_destination": 0}})
            close.agree(record)
            equal("SYNs, FINs and RSTs", [s["flags"] for s in record["tcp"]["segments"] if s["flags"][0] in "SFR"],
                  [s.letters for s in close.segments if s.letters[0] in "SFR"])


@test
def two_interfaces(lab):
    """Two interfaces at once: every record names its own."""
    lab.link(1)
    tracer = watch(lab, interfaces=["eth0", "eth1"])
    made = {key: f"eth{number}" for number in (0, 1) for path in paths(lab, number) for key in close_some(path, 3)}
    tracer.wait_for(len(made))
    for key, record in one_each(tracer.stop(), made).items():
        expect(record, GRACEFUL | {"observer.ingress.interface.name": made[key]})


@test
def two_tracers(lab):
    """Two instances on one interface do not disturb each other."""
    first, second = watch(lab, "--hook=tc"), watch(lab, "--hook=tc")
    keys = close_some(paths(lab)[0], 3)
    for tracer in (first, second):
        tracer.wait_for(len(keys))
        one_each(tracer.stop(), keys)


BUILT = GRACEFUL | {"source.bytes": len(frames.UP), "destination.bytes": len(frames.DOWN), "tcp.midstream": False}


def built_conversations():
    """{key: packets} of two hand-built conversations of hosts that exist nowhere."""
    return {(6 if ":" in client else 4, 4000, 443): frames.conversation(client, server, (4000, 443))
            for client, server in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2"))}


@test
def tun(lab):
    """A tun device has no Ethernet header."""
    device = Tun(lab, lab.client, "tun0")
    tracer = watch(lab, interfaces=["tun0"])
    talks = built_conversations()
    for packets in talks.values():
        frames.play(packets, device.send, device.receive)
    tracer.wait_for(len(talks))
    for record in one_each(tracer.stop(), talks).values():
        expect(record, BUILT)


def frames_seen(lab, hook, framed, expected):
    """Plays conversations over the veth. framed(source MAC, destination MAC, IP packet) makes their frames."""
    tracer = watch(lab, f"--hook={hook}")
    talks = built_conversations()
    with raw_socket(lab.client) as client, raw_socket(lab.server) as server:
        for packets in talks.values():
            frames.play(packets, lambda packet: client.send(framed(mac(0, 1), mac(0, 2), packet)),
                        lambda packet: server.send(framed(mac(0, 2), mac(0, 1), packet)))
    tracer.wait_for(len(talks))
    for record in one_each(tracer.stop(), talks).values():
        expect(record, BUILT | expected)


def vlan_seen(lab, hook, tags):
    """Plays conversations with these VLAN tags; the records must have the tags."""
    frames_seen(lab, hook, lambda source, destination, packet: frames.ethernet(source, destination, tags, packet),
                {"network.vlan": [identifier for _, identifier in tags]})


@test
def vlan_tc(lab):
    """802.1Q on tc: the tag is in metadata on the way in, in the bytes on the way out."""
    vlan_seen(lab, "tc", [(0x8100, 100)])


@test
def vlan_xdp(lab):
    """802.1Q on XDP: the tag is in the bytes."""
    vlan_seen(lab, "xdp", [(0x8100, 100)])


@test
def qinq_tc(lab):
    """Two tags (802.1ad and 802.1Q) on tc."""
    vlan_seen(lab, "tc", [(0x88a8, 100), (0x8100, 200)])


@test
def qinq_xdp(lab):
    """Two tags on XDP."""
    vlan_seen(lab, "xdp", [(0x88a8, 100), (0x8100, 200)])


def headers_passed_over(lab, hook):
    """Plays conversations behind MPLS labels, in a PPPoE session, and with authentication headers, tagged and not."""
    for tags in ([], [(0x8100, 100)]):
        for header in (frames.mpls, frames.pppoe):
            with about(f"{header.__name__}, tags {tags}"):
                frames_seen(lab, hook, lambda source, destination, packet, add=header, tags=tags:
                            frames.ethernet(source, destination, tags, *add(packet)), {})
        with about(f"authentication headers, tags {tags}"):
            frames_seen(lab, hook, lambda source, destination, packet, tags=tags:
                        frames.ethernet(source, destination, tags, frames.authenticated(packet)), {})


@test
def headers_tc(lab):
    """MPLS labels, PPPoE sessions and authentication headers at tc."""
    headers_passed_over(lab, "tc")


@test
def headers_xdp(lab):
    """MPLS labels, PPPoE sessions and authentication headers at XDP."""
    headers_passed_over(lab, "xdp")


def tunnels_opened(lab, hook):
    """Plays conversations in every kind of tunnel over both kinds of IP."""
    for version in (4, 6):
        for kind, identifier, wrap in frames.TUNNELS:
            with about(f"{wrap.__name__} over IPv{version}"):
                frames_seen(lab, hook, lambda source, destination, packet, wrap=wrap, version=version:
                            frames.ethernet(source, destination, [(0x8100, 100)], wrap(packet, version)),
                            {"network.tunnel": {"type": kind, "id": identifier}})


@test
def tunnels_tc(lab):
    """VXLAN, Geneve, GRE and IP in IP at tc."""
    tunnels_opened(lab, "tc")


@test
def tunnels_xdp(lab):
    """VXLAN, Geneve, GRE and IP in IP at XDP."""
    tunnels_opened(lab, "xdp")


@test
def tunnels_apart(lab):
    """One conversation in two VXLANs and outside of them at once is three connections."""
    tracer = watch(lab)
    packets = built_conversations()[4, 4000, 443]
    with raw_socket(lab.client) as client, raw_socket(lab.server) as server:
        def send(up, packet):
            ends = (mac(0, 1), mac(0, 2)) if up else (mac(0, 2), mac(0, 1))
            for inner in (packet, frames.vxlan(packet, 4, 7), frames.vxlan(packet, 4, 8)):
                (client if up else server).send(frames.ethernet(*ends, [], inner))
        frames.play(packets, lambda packet: send(True, packet), lambda packet: send(False, packet))
    tracer.wait_for(3)
    records = tracer.stop()
    equal("tunnels", sorted(record["network"].get("tunnel", {"id": 0})["id"] for record in records), [0, 7, 8])
    for record in records:
        expect(record, BUILT)


@test
def tunnel_not_opened(lab):
    """Packets in ESP are counted, and said once."""
    tracer = watch(lab)
    packets = built_conversations()[4, 4000, 443]
    with raw_socket(lab.client) as client:
        for _, packet in packets:
            client.send(frames.ethernet(mac(0, 1), mac(0, 2), [], frames.outer(packet, 4, 50)))
        until(lambda: "packets in ESP are not looked into" in tracer.stderr, 5)
    equal("records", tracer.stop(), [])
    equal("times said", tracer.stderr.count("packets in ESP"), 1)


@test
def vxlan_device(lab):
    """Real connections through a VXLAN device: in the tunnel at eth0, and bare at the device."""
    for namespace, number in ((lab.client, 1), (lab.server, 2)):
        namespace.try_run(f"ip link add vx0 type vxlan id 42 dstport 4789 remote {ipv4(0, 3 - number)} dev eth0")
        namespace.run(f"ip address add 198.18.0.{number}/24 dev vx0")
        namespace.run("ip link set vx0 up")
    tunnels = {("eth0",): {"type": "vxlan", "id": 42}, ("vx0",): None, ("eth0", "vx0"): {"type": "vxlan", "id": 42}}
    for interfaces, tunnel in tunnels.items():
        tracer = watch(lab, interfaces=interfaces)
        keys = close_some(Path(lab.client, lab.server, "198.18.0.2"), 3)
        tracer.wait_for(len(keys))
        for record in one_each(tracer.stop(), keys).values():
            expect(record, GRACEFUL | {"tcp.midstream": False})
            equal("tunnel", record["network"].get("tunnel"), tunnel)
            equal("interfaces", set(record["tcp"].get("interfaces", interfaces)), set(interfaces))


def set_mtu(lab, mtu):
    for namespace in (lab.client, lab.server):
        namespace.run(f"ip link set eth0 mtu {mtu}")


@test
def jumbo_xdp(lab):
    """XDP attaches at MTU 9000, and lets the administrator set it while attached."""
    set_mtu(lab, 9000)
    one_close_seen(lab, "--hook=xdp")
    set_mtu(lab, 1500)
    tracer = watch(lab, "--hook=xdp")
    set_mtu(lab, 9000)
    key, sent = big_transfer(paths(lab)[0])
    tracer.wait_for(1)
    expect(one_each(tracer.stop(), [key])[key], GRACEFUL | sent)


# ---- much data ----

def pump(sender, receiver, size):
    """Sends size bytes and receives them at the other end, in turn."""
    block, left, missing = b"x" * 65536, size, size
    sender.setblocking(False)
    while missing:
        if left:
            with contextlib.suppress(BlockingIOError):
                left -= sender.send(block[:left])
        if select.select([receiver], [], [], 0 if left else 5)[0]:
            missing -= len(receiver.recv(1 << 20))
    sender.settimeout(5)


def big_transfer(path):
    """3 MB up and 1 MB down, then a close in turn. Returns the key and the record's expected bytes."""
    connection, up, down = path.connect(), 3_000_000, 1_000_001
    pump(connection.client, connection.server, up)
    pump(connection.server, connection.client, down)
    close_in_turn(connection.client, connection.server)
    return connection.key, {"source.bytes": up, "destination.bytes": down}


def big_transfers_on(lab, hook):
    witness, tracer = Capture(lab, lab.client, "eth0"), watch(lab, f"--hook={hook}")
    sent = dict(big_transfer(path) for path in paths(lab))
    tracer.wait_for(len(sent))
    records, segments = one_each(tracer.stop(), sent), witness.stop()
    check(max(segment.len for segment in segments) > 9000, "no super-packet was made: nothing was tested")
    for key, record in records.items():
        expect(record, GRACEFUL | sent[key])
        Close(segments, key).agree(record)


@test
def big_transfer_tc(lab):
    """Bytes are exact, and the FIN's number is tcpdump's, with TSO and GRO super-packets on tc."""
    big_transfers_on(lab, "tc")


@test
def big_transfer_xdp(lab):
    """Bytes are exact, and the FIN's number is tcpdump's, with TSO and GRO super-packets on XDP."""
    big_transfers_on(lab, "xdp")


# ---- ICMP errors ----

PROHIBITED = {4: (3, 13), 6: (1, 1)}  # type and code, RFC 1812 section 5.2.7.1, RFC 4443 section 3.1


def refusals(lab, hook, path, where, at):
    """A SYN that nftables rejects in the namespace `where`, at its hook `at`: the record, after all checks but who."""
    tracer = watch(lab, f"--hook={hook}", "--syn-timeout=0.3")
    with where.filtering("tcp dport 9", "reject with icmpx type admin-prohibited", at), connecting(path, 9) as client:
        until(lambda: select.select([], [client], [], 0)[1], "end of the attempt")
        key = path.version, client.getsockname()[1], 9
    tracer.wait_for(1)
    record = one_each(tracer.stop(), [key])[key]
    kind, code = PROHIBITED[path.version]
    expect(record, {"tcp.outcome": "refused", "tcp.icmp.type": kind, "tcp.icmp.code": code})
    return record


def icmp_on(lab, hook):
    """The destination itself rejects, then a router before it."""
    far, router = lab.namespace(), lab.server
    join(router, far, 1)
    router.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    for net, gateway in (("10.99.1.0/24", ipv4(0, 2)), ("fd99:1::/64", ipv6(0, 2))):
        lab.client.run(f"ip route add {net} via {gateway}")
    for path in paths(lab):
        with about(f"destination, IPv{path.version}"):
            expect(refusals(lab, hook, path, lab.server, "input"),
                   {"tcp.closer": "destination", "tcp.icmp.by": str(ipaddress.ip_address(path.address))})
        beyond = Path(lab.client, far, {4: ipv4, 6: ipv6}[path.version](1, 2))
        with about(f"router, IPv{path.version}"):
            expect(refusals(lab, hook, beyond, router, "forward"),
                   {"tcp.closer": "network", "tcp.icmp.by": str(ipaddress.ip_address(path.address))})


@test
def icmp_tc(lab):
    """A handshake that a packet filter rejects by ICMP is refused, by the destination or by the network."""
    icmp_on(lab, "tc")


@test
def icmp_xdp(lab):
    """The same packet filters' ICMP errors are joined to their connections on XDP."""
    icmp_on(lab, "xdp")


def too_big_on(lab, hook):
    """A router's next link takes smaller packets: it says so to open connections, which go on and close well."""
    box, both = router(lab)
    box.run("ip link set eth9 mtu 1280")
    tracer = watch(lab, f"--hook={hook}", "-v", interfaces=("eth8",))
    for path in both:
        c = path.connect()
        c.client.sendall(b"x" * 20_000)
        receive(c.server, 20_000)
        close_in_turn(c.client, c.server)
    tracer.wait_for(len(both))
    for record in tracer.stop():
        version = key_of(record)[0]
        kind, code, by = {4: (3, 4, ipv4(8, 2)), 6: (2, 0, str(ipaddress.ip_address(ipv6(8, 2))))}[version]
        with about(f"{hook}, IPv{version}"):
            expect(record, {"tcp.outcome": "graceful", "tcp.pattern": "four_way", "source.bytes": 20_000,
                            "tcp.icmp.type": kind, "tcp.icmp.code": code, "tcp.icmp.by": by})
    equal("forged", counter(tracer, "icmp_forged"), 0)


@test
def icmp_too_big_tc(lab):
    """An ICMP error about a large segment of an open connection is in its record."""
    too_big_on(lab, "tc")


@test
def icmp_too_big_xdp(lab):
    """The same with XDP in."""
    too_big_on(lab, "xdp")


def forge_icmp(lab, path, port):
    """Tells the client that the destination rejects its SYN, with a number that the SYN did not have."""
    client = {4: ipv4, 6: ipv6}[path.version](0, 1)
    (_, quoted), = frames.conversation(client, path.address, (port, 9), [(True, SYN, b"")])
    error = frames.icmp_error(path.address, client, *PROHIBITED[path.version], quoted)
    with raw_socket(lab.server) as wire:
        wire.send(frames.ethernet(mac(0, 2), mac(0, 1), [], error))


@test
def icmp_forged(lab):
    """An ICMP error whose number was never in flight is counted, explains nothing and ends nothing."""
    for path, hook in itertools.product(paths(lab), ("tc", "xdp")):
        tracer = watch(lab, f"--hook={hook}", "--syn-timeout=0.3", "-v")
        with lab.server.dropping("tcp dport 9"), connecting(path, 9) as client:
            port = client.getsockname()[1]
            forge_icmp(lab, path, port)
            tracer.wait_for(1)
        with about(f"{hook}, IPv{path.version}"):
            record, = tracer.stop()
            expect(record, {"tcp.outcome": "unanswered", "tcp.closer": "unknown"})
            check("icmp" not in record["tcp"], "the forged error is in the record")
            equal("counted", [counter(tracer, name) for name in ("icmp_errors", "icmp_forged")], [1, 1])


# ---- segments of no connection ----

def inject(lab, path, ports, flags, payload=b"", count=1, number=0):
    """
    Segments to the client in the server's name that belong to nothing. ports: the client's, the server's. number: of
    the link; the addresses are those of the first one.
    """
    client = {4: ipv4, 6: ipv6}[path.version](0, 1)
    (_, packet), = frames.conversation(client, path.address, ports, [(False, flags, payload)])
    with raw_socket(lab.server) as wire:
        wire.bind((f"eth{number}", 0))
        for _ in range(count):
            wire.send(frames.ethernet(mac(number, 2), mac(number, 1), [], packet))


def strays_of(tracer):
    return [one for one in tracer.all_records() if one["event"]["dataset"] == "tcpfin.stray"]


def reasons_are_known():
    return tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (6, 10)


def read_back(records):
    """These records and strays, written by the program that has read them."""
    done = subprocess.run([*PROGRAM, "-q", "-r", "-", "--strays", "--format=json"], check=True, capture_output=True,
                          text=True, input="".join(json.dumps(one) + "\n" for one in records))
    return [json.loads(line) for line in done.stdout.splitlines()]


def strays_on(lab, hook):
    """
    A segment that came by another interface, from a port that the client never spoke to: its kernel answers with an
    RST, from a port in use.
    """
    lab.link(1)
    lab.client.run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0")
    for path in paths(lab):
        tracer = watch(lab, f"--hook={hook}", "--strays")
        tracer.wait_for_all()
        connection = path.connect()
        port = connection.client.getsockname()[1]
        inject(lab, path, (port, 9), ACK, b"x" * 30, number=1)
        inject(lab, path, (port, 8), RST)
        until(lambda: len(strays_of(tracer)) >= 2, "two strays", 10)
        abort(connection.client)
        close, = [one for one in tracer.stop() if one["event"]["dataset"] == "tcpfin.close"]
        sent, = [one for one in strays_of(tracer) if one["destination"]["port"] == 9]
        received, = [one for one in strays_of(tracer) if one["source"]["port"] == 8]
        with about(f"IPv{path.version}"):
            expect(sent, {"source.port": port, "tcp.flags": "R", "tcp.related": [close["event"]["id"]],
                          "network.direction": "egress"})
            if reasons_are_known():
                equal("reason", sent["tcp"]["reset"]["reason"], "NO_SOCKET")
            expect(received, {"destination.port": port, "tcp.related": [close["event"]["id"]],
                              "network.direction": "ingress"})
            check(re.search(r"^1 connection$", tracer.stderr, re.MULTILINE), f"strays count: {tracer.stderr}")
            equal("read back", read_back(tracer.all_records()), tracer.all_records())


@test
def strays_tc(lab):
    """--strays tells of RSTs of no connection, sent and received, with the kernel's reason and their connection."""
    strays_on(lab, "tc")


@test
def strays_xdp(lab):
    """The same with XDP at ingress."""
    strays_on(lab, "xdp")


@test
def strays_fin(lab):
    """A FIN of no connection is told of; its answer, an RST, is kept back here."""
    tracer = watch(lab, "--strays", "--syn-timeout=0.3")
    with lab.client.filtering("tcp flags rst", "drop", "output"):
        inject(lab, paths(lab)[0], (40444, 9), FIN | ACK)
        time.sleep(0.5)
    tracer.stop()
    stray, = strays_of(tracer)
    expect(stray, {"source.port": 9, "destination.port": 40444, "tcp.flags": "F.", "tcp.seq": 7000})


@test
def strays_not_asked_for(lab):
    """Without --strays they are counted and nothing else."""
    tracer = watch(lab, "-v")
    inject(lab, paths(lab)[0], (40444, 9), RST, count=3)
    time.sleep(0.3)
    equal("records", tracer.stop(), [])
    equal("counted", counter(tracer, "stray_rst"), 3)


@test
def strays_flood(lab):
    """A flood of RSTs of no connection: some are told of, the others are counted, and a connection has its record."""
    tracer, path = watch(lab, "--strays", "-v"), paths(lab)[0]
    inject(lab, path, (40444, 9), RST, count=20_000)
    key = scenario_named("no_data").play(path)
    time.sleep(1.5)
    records = tracer.stop()
    strays = strays_of(tracer)
    one_each([one for one in records if one["event"]["dataset"] == "tcpfin.close"], [key])
    check(50 <= len(strays) <= 2_000, f"{len(strays)} strays are told of")
    equal("told, and counted", len(strays) + counter(tracer, "strays_limited"), counter(tracer, "stray_rst"))


# ---- when the program starts, stops and stands still ----

def runs_of(segments):
    """[[flags, how many]] in order."""
    return [[letters, len(list(group))] for letters, group in itertools.groupby(s.letters for s in segments)]


def counts_of(segments, role):
    """The record's expected counts of one side's segments, from tcpdump's."""
    runs, most = runs_of(segments), 16
    return {f"tcp.traffic.{role}.packets": len(segments),
            f"tcp.traffic.{role}.bytes": sum(s.len for s in segments),
            f"tcp.traffic.{role}.retransmits": retransmissions([s for s in segments if s.len]),
            f"tcp.traffic.{role}.flags": runs[:most],
            f"tcp.traffic.{role}.flags_lost": sum(count for _, count in runs[most:])}


def idle_transfer(path):
    """Data through a path that loses some of it, then 300 ms of silence, then a close. Returns the key."""
    connection = path.connect()
    with path.server.dropping(f"tcp dport {connection.key[2]} numgen inc mod 4 == 2"):
        pump(connection.client, connection.server, 300_000)
    pump(connection.server, connection.client, 100_000)
    time.sleep(0.3)
    close_in_turn(connection.client, connection.server)
    return connection.key


def all_segments_on(lab, hook):
    witness, tracer = Capture(lab, lab.client, "eth0"), watch(lab, f"--hook={hook}", "--all-segments")
    keys = [idle_transfer(path) for path in paths(lab)]
    tracer.wait_for(len(keys))
    records, segments = one_each(tracer.stop(), keys), witness.stop()
    for key, record in records.items():
        seen = of_connection(segments, key)
        source = [s for s in seen if s.sport == key[1]]
        check(retransmissions([s for s in source if s.len]), "nothing was retransmitted: nothing was tested")
        expect(record, GRACEFUL | counts_of(source, "source"))
        expect(record, counts_of([s for s in seen if s.dport == key[1]], "destination"))
        check(0.29 < field(record, "tcp.traffic.idle") / 1e9 < 0.5, f"idle: {field(record, 'tcp.traffic.idle')} ns")


@test
def all_segments_tc(lab):
    """--all-segments on tc: packets, bytes, retransmissions and flags as tcpdump saw them, and the idle time."""
    all_segments_on(lab, "tc")


@test
def all_segments_xdp(lab):
    """--all-segments on XDP: packets, bytes, retransmissions and flags as tcpdump saw them, and the idle time."""
    all_segments_on(lab, "xdp")


@test
def midstream(lab):
    """A connection older than the program is marked midstream, has no handshake times, and the right closer."""
    talks = []
    for path in paths(lab):
        for server_closes in (False, True):
            connection = path.connect()
            talk(connection)
            talks.append((connection, server_closes))
    tracer = watch(lab)
    for connection, server_closes in talks:
        talk(connection)
        close_in_turn(*(connection[1::-1] if server_closes else connection[:2]))
    tracer.wait_for(len(talks))
    by_ports = {frozenset(key_of(record)): record for record in tracer.stop()}
    equal("number of records", len(by_ports), len(talks))
    for connection, server_closes in talks:
        record, closer_port = by_ports[frozenset(connection.key)], connection.key[2 if server_closes else 1]
        expect(record, {"tcp.outcome": "graceful", "tcp.pattern": "four_way", "tcp.midstream": True,
                        "tcp.timing.syn_to_synack": None, "tcp.timing.synack_to_ack": None,
                        "tcp.timing.initial_rtt": None})
        equal("port of the closer", field(record, f"{field(record, 'tcp.closer')}.port"), closer_port)


@test
def midstream_half_closed(lab):
    """Of connections older than the program one FIN is seen: this host's socket tells whether that is all there is."""
    path = paths(lab)[0]
    goes_on, had_closed = path.connect(), path.connect()
    had_closed.client.shutdown(socket.SHUT_WR)
    equal("the server reads", had_closed.server.recv(1), b"")
    tracer = watch(lab, "--close-timeout=1")
    for connection in (goes_on, had_closed):
        connection.server.close()
    tracer.wait_for(2)
    records = one_each(tracer.all_records(), [goes_on.key, had_closed.key])
    expect(records[goes_on.key], {"tcp.final": False, "tcp.outcome": "unfinished", "tcp.closer": "destination",
                                  "tcp.missing": "source_fin"})
    expect(records[had_closed.key], {"tcp.final": False, "tcp.outcome": "unknown", "tcp.closer": "unknown"})


def open_from(namespace, port, address, listener):
    """A connection from that port: (client, server, its key)."""
    client = namespace.socket(listener.family)
    client.bind(("", port))
    client.connect((address, listener.getsockname()[1]))
    return client, listener.accept()[0], (6 if ":" in address else 4, port, listener.getsockname()[1])


@test
def midstream_opener(lab):
    """This host's sockets show who opened a connection older than the program, at either end and on loopback."""
    talks, listeners = [], []
    for namespace, address, family in ((lab.server, ipv4(0, 2), socket.AF_INET),
                                       (lab.server, ipv6(0, 2), socket.AF_INET6),
                                       (lab.client, "127.0.0.1", socket.AF_INET)):
        listeners.append(namespace.socket(family))
        listeners[-1].bind((address, 61000 + len(listeners)))  # above the clients': these look like a server's
        listeners[-1].listen()
        talks.append(open_from(lab.client, 33000 + len(listeners), address, listeners[-1]))
    by_server = open_from(lab.client, 1000, ipv4(0, 2), listeners[0])  # only the server knows
    tracers = [watch(lab, interfaces=("eth0", "lo")), Tracer(lab, lab.server, PROGRAM, ("eth0",), "--format=json")]
    tracers[1].wait_for_all()  # it has asked for the sockets that are open at its start
    for client, server, _ in [*talks, by_server]:
        close_in_turn(server, client)
    for tracer, keys in zip(tracers, ([key for _, _, key in talks], [key for _, _, key in [*talks[:2], by_server]])):
        tracer.wait_for(len(keys))
        found = {key_of(record): record for record in tracer.stop()}
        for key in keys:
            check(key in found, f"{key} is not among {sorted(found)}")
            expect(found[key], {"tcp.midstream": True, "tcp.closer": "destination", "tcp.time_wait": "destination"})


def restored(namespace, own, other, numbers):
    """An end of an open connection with these next numbers, restored by TCP_REPAIR: nothing is sent."""
    sock = namespace.socket(socket.AF_INET)
    sock.settimeout(5)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    for queue, number in zip((TCP_SEND_QUEUE, TCP_RECV_QUEUE), numbers):
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, number)
    sock.bind(own)
    sock.connect(other)
    return sock


@test
def reuse_without_syn(lab):
    """After a reset the tuple has another connection, which no SYN began: two records."""
    tracer, ends = watch(lab), ((ipv4(0, 1), 40000), (ipv4(0, 2), 443))
    with lab.server.socket(socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(ends[1])
        listener.listen()
        client = lab.client.socket(socket.AF_INET)
        client.bind(ends[0])
        client.connect(ends[1])
        one = Connection(client, listener.accept()[0], (4, 40000, 443))
    talk(one)
    abort(one.client)
    heard_the_reset(one.server)
    one.server.close()
    tracer.wait_for(1)
    numbers = (1_500_000_000, 500_000_000)
    two = Connection(restored(lab.client, *ends, numbers), restored(lab.server, *ends[::-1], numbers[::-1]), one.key)
    for sock in two[:2]:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)  # sends a window probe
    talk(two)
    close_in_turn(two.client, two.server)
    tracer.wait_for(2)
    records = tracer.stop()
    equal("connections", [key_of(record) for record in records], [one.key, two.key])
    expect(records[0], {"tcp.outcome": "reset", "tcp.closer": "source", "tcp.midstream": False})
    expect(records[1], {"tcp.outcome": "graceful", "tcp.closer": "source", "tcp.midstream": True,
                        "tcp.timing.syn_to_synack": None})


@test
def late_fin(lab):
    """A close that stands still is reported so far; when it ends later, its last record replaces that one."""
    tracer = watch(lab, "--close-timeout=1")
    path = paths(lab)[0]
    key = scenario_named("never_closes").play(path)
    tracer.wait_for(1)
    expect(one_each(tracer.all_records(), [key])[key], {"tcp.final": False, "tcp.outcome": "unfinished"})
    path.kept[0].server.close()
    until(lambda: len(tracer.all_records()) > 1, "last record")
    expect(one_each(tracer.stop(), [key])[key], {"tcp.final": True, "tcp.outcome": "graceful", "tcp.late_reset": False})
    equal("records", len(tracer.all_records()), 2)
    check(re.search(r"^1 connection$", tracer.stderr, re.MULTILINE), f"it counts once: {tracer.stderr}")


@test
def show_open(lab):
    """--show-open reports an idle connection when it is forgotten, an active one at the end, each with its bytes."""
    tracer = watch(lab, "--show-open", "--idle-timeout=1")
    path = paths(lab)[0]
    idle = path.connect()
    talk(idle)
    tracer.wait_for(1)
    busy = path.connect()
    talk(busy)
    records = one_each(tracer.stop(), [idle.key, busy.key])
    for record in records.values():
        expect(record, {"tcp.outcome": "open", "tcp.closer": "unknown", "tcp.conn_state": "S1",
                        "source.bytes": 100, "destination.bytes": 1000})


@test
def ctrl_c(lab):
    """SIGINT: a close that has begun is reported as unknown; the summary is on stderr, the exit code is 0."""
    tracer = watch(lab)
    path = paths(lab)[0]
    keys = close_some(path, 2)
    tracer.wait_for(len(keys))
    keys.append(scenario_named("never_closes").play(path))
    records = one_each(tracer.stop(signal.SIGINT), keys)
    expect(records[keys[2]], {"tcp.outcome": "unknown", "tcp.closer": "source"})
    for pattern in ("3 connections", r"graceful +2\b", r"unknown +1\b", "p50.*p90.*p99", r"fin_to_ack +3\b"):
        check(re.search(pattern, tracer.stderr), f"the summary does not have {pattern!r}: {tracer.stderr}")


@test
def sigterm(lab):
    """SIGTERM ends it as SIGINT does."""
    tracer = watch(lab)
    keys = close_some(paths(lab)[0], 1)
    one_each(tracer.stop(signal.SIGTERM), keys)


@test
def duration(lab):
    """--duration=1 ends by itself after one second."""
    begin = time.monotonic()
    tracer = watch(lab, "--duration=1")
    keys = close_some(paths(lab)[0], 1)
    equal("exit code", tracer.wait(), 0)
    check(time.monotonic() - begin >= 1, "it ended early")
    one_each(tracer.stop(), keys)


@test
def count(lab):
    """-c 2 ends by itself after two records, however many connections there are."""
    tracer = watch(lab, "-c", "2")
    keys = close_some(paths(lab)[0], 4)
    equal("exit code", tracer.wait(), 0)
    records = tracer.stop()
    equal("number of records", len(records), 2)
    check({key_of(record) for record in records} <= set(keys), "a record of a connection that was not made")


@test
def stdout_closed(lab):
    """A reader that leaves (| head -1) ends the program without a message."""
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as lines:
        tracer = watch(lab, stdout=writer)
        os.close(writer)
        path = paths(lab)[0]
        keys = close_some(path, 1)
        equal("connection of the first line", key_of(json.loads(lines.readline())), keys[0])
    close_some(path, 1)
    equal("exit code", tracer.wait(), 0)
    tracer.left_nothing()
    check(not re.search(r"(?i)pipe|error|write|traceback", tracer.stderr), f"not quiet: {tracer.stderr}")


@test
def stopped_consumer(lab):
    """SIGSTOP for 3 s while 500 connections close; after SIGCONT all of them are reported."""
    tracer = watch(lab)
    tracer.signal(signal.SIGSTOP)
    resume = time.monotonic() + 3
    keys = [scenario_named("three_way").play(path) for path in paths(lab) for _ in range(250)]
    time.sleep(max(0, resume - time.monotonic()))
    check(len(tracer.records()) == 0, "it reported while it was stopped")
    tracer.signal(signal.SIGCONT)
    tracer.wait_for(len(keys))
    for record in one_each(tracer.stop(), keys).values():
        expect(record, {"tcp.outcome": "graceful", "tcp.closer": "source", "tcp.segments_lost": 0})


def killed(lab, hook):
    tracer = watch(lab, f"--hook={hook}")
    tracer.kill()
    left = tracer.attached()
    if left and all(where.startswith("clsact") for _, where, _ in left):
        one_close_seen(lab, f"--hook={hook}")  # no tcx in this kernel: the next start cleans up
    tracer.left_nothing()
    need("bpftool")
    ids = {number for _, _, number in tracer.programs}
    until(lambda: not ids & loaded_programs(), f"end of the programs {sorted(ids)}")


def loaded_programs():
    done = subprocess.run(["bpftool", "--json", "prog", "show"], capture_output=True, text=True, check=False)
    return {program["id"] for program in json.loads(done.stdout or "[]")}


@test
def kill_9_tc(lab):
    """SIGKILL leaves nothing attached and nothing loaded (tc)."""
    killed(lab, "tc")


@test
def kill_9_xdp(lab):
    """SIGKILL leaves nothing attached and nothing loaded (XDP)."""
    killed(lab, "xdp")


@test
def interface_vanishes(lab):
    """The interface is deleted: one line names it, closes seen are reported, and the exit code is 1 within 2 s."""
    tracer = watch(lab)
    before = tracer.stderr
    keys = close_some(paths(lab)[0], 1)
    lab.client.run("ip link delete eth0")
    equal("exit code", tracer.wait(2), 1)
    named = [line for line in tracer.stderr[len(before):].splitlines() if "eth0" in line]
    equal("number of lines on stderr that name eth0", len(named), 1)
    one_each(tracer.records(), keys)


# ---- what cannot work ----

@test
def no_such_interface(lab):
    """An interface that is not there: exit code 2 and one line that names it."""
    refuses(lab, [*PROGRAM, "eth7"], 2, "eth7")
    refuses(lab, [*PROGRAM, "eth0", "eth7"], 2, "eth7")
    equal("programs attached", lab.client.attached("eth0"), set())


@test
def no_capabilities(lab):
    """Without a needed capability: exit code 3 and one line that names it."""
    refuses(lab, [*as_nobody(lab), "eth0"], 3, "CAP_BPF", "CAP_NET_ADMIN")
    refuses(lab, [*as_nobody(lab, "net_admin"), "eth0"], 3, "CAP_BPF")
    refuses(lab, [*as_nobody(lab, "bpf"), "eth0"], 3, "CAP_NET_ADMIN")


@test
def two_capabilities(lab):
    """
    CAP_BPF and CAP_NET_ADMIN suffice, without root. A note names what takes CAP_PERFMON. Before 6.12 the verifier asks
    for that one, too, and the error says so.
    """
    if tuple(int(n) for n in platform.release().split(".")[:2]) < (6, 12):
        refused = Process(lab, lab.client, [*as_nobody(lab, "bpf", "net_admin"), "eth0"])
        equal("exit code", refused.wait(10), 3)
        check("loads the BPF programs only with CAP_PERFMON" in refused.stderr, refused.stderr)
        raise Skip("this kernel's verifier asks for CAP_PERFMON, and the error says so")
    for hook, more in itertools.product(("tc", "xdp"), ((), ("--all-segments",))):
        tracer = one_close_seen(lab, f"--hook={hook}", *more, program=as_nobody(lab, "bpf", "net_admin"))
        check("which process closes is not known: that takes CAP_PERFMON" in tracer.stderr, tracer.stderr)


@test
def foreign_xdp(lab):
    """With another XDP program attached --hook=xdp refuses, auto takes tc, and the other program stays."""
    lab.client.try_run(f"ip link set dev eth0 xdp obj {foreign_object(lab)} sec xdp")
    foreign = lab.client.attached("eth0")
    equal("number of foreign programs", len(foreign), 1)
    for hook in ("xdp", "xdp-generic"):
        refuses(lab, [*PROGRAM, f"--hook={hook}", "eth0"], 1, "eth0", "XDP")
        equal("programs attached", lab.client.attached("eth0"), foreign)
    tracer = one_close_seen(lab, "--hook=auto")
    check(re.search(r"eth0.*\btc\b.*XDP", tracer.stderr), f"no reason for tc: {tracer.stderr}")
    equal("programs attached", lab.client.attached("eth0"), foreign)


# ---- --probe ----

PROBED = ("ring buffer", "mapped arrays", "programs at tc", "programs at XDP", "tcx links", "socket look-up at tc",
          "tracepoint of socket states", "tracepoint of resets sent", "tracepoint of resets received", "reset reasons")


def probe(lab, *interfaces, program=None, code=0):
    """{feature: (yes or no, the rest of its line)}, and what was said on stderr."""
    run = Process(lab, lab.client, [*(program or PROGRAM), "--probe", *interfaces])
    equal("exit code", run.wait(20), code)
    head, kernel, *lines = run.stdout.splitlines()
    equal("head", head.split(), ["WHAT", "HERE", "WITHOUT", "IT"])
    equal("kernel", kernel.split(), ["kernel", platform.release()])
    return {line[:34].strip(): (line[34:40].strip(), line[40:]) for line in lines}, run.stderr


def attached_to(lab):
    """All that a program or a filter would show in: of every interface of the client."""
    need("tc", "bpftool")
    commands = ["ip -d link show", "tc qdisc show", "bpftool net"]
    commands += [f"tc filter show dev eth0 {direction}" for direction in ("ingress", "egress")]
    return [lab.client.run(command) for command in commands], lab.client.attached("eth0")


@contextlib.contextmanager
def nothing_changed(lab):
    """Every program that was attached is, and no other one."""
    until(lambda: "state UP" in lab.client.run("ip link show dev eth0"), "carrier")
    before = attached_to(lab)
    yield
    equal("what is attached", attached_to(lab), before)


@contextlib.contextmanager
def links_made(lab):
    """The command that runs the program, and the calls of bpf(2), filled in behind `with`, that made an XDP link."""
    need("strace")
    log, made = lab.file("strace"), []
    yield ["strace", "-e", "trace=bpf", "-o", log, *PROGRAM], made
    with open(log, encoding="utf-8", errors="replace") as lines:
        made += [line for line in lines if re.search(r"BPF_LINK_CREATE.*attach_type=BPF_XDP,.*= \d+$", line)]


@test
def probe_tries(lab):
    """Each feature is tried, each hook of eth0 by attaching, and afterwards nothing is attached."""
    with nothing_changed(lab), links_made(lab) as (program, made):
        found, stderr = probe(lab, "eth0", "lo", program=program)
    equal("stderr", stderr, "")
    features = [name for name in found if not name.startswith(("CAP_", "eth0", "lo"))]
    equal("features", features, list(PROBED))
    check(all(found[name][0] == "yes" for name in ("CAP_BPF", *PROBED[:4], "socket look-up at tc")), str(found))
    equal("tc and generic XDP", [found[f"eth0: {hook}"][0] for hook in ("tc", "generic XDP")], ["yes"] * 2)
    check("no native XDP" in found["lo: native XDP"][1] and found["lo: native XDP"][0] == "no", str(found))
    equal("XDP links made on eth0 and lo", len(made), 1 + (found["eth0: native XDP"][0] == "yes") + 1)


@test
def probe_patterns(lab):
    """Patterns and any stand for the interfaces that are there, each once; a pattern may stand for none."""
    lab.client.run("ip link property add dev eth0 altname the-first")
    for words, interfaces in ((["eth*"], {"eth0"}), (["any"], {"lo", "eth0"}), (["lo", "eth0", "any"], {"lo", "eth0"}),
                              (["the-first"], {"eth0"}), (["none*"], set())):
        found, stderr = probe(lab, *words)
        equal("stderr", stderr, "")
        equal(f"interfaces of {words}", {name.split(":")[0] for name in found if ": " in name}, interfaces)


@test
def probe_without_tcx(lab):
    """Without tcx that is said, the filters of clsact are tried instead, and neither they nor the qdisc stay."""
    with nothing_changed(lab):
        found, _ = probe(lab, "eth0", program=without_tcx())
    equal("tcx links", found["tcx links"][0], "no")
    equal("tc", found["eth0: tc"], ("yes", "it cannot be watched (here by clsact filters)"))


@test
def probe_beside_others(lab):
    """XDP programs of others stay, and their number is the reason; so do others' filters, and a running instance's."""
    foreign = foreign_object(lab)
    lab.client.try_run(f"ip link set dev eth0 xdp obj {foreign} sec xdp")
    lab.client.run("tc qdisc add dev eth0 clsact")
    lab.client.run(f"tc filter add dev eth0 ingress bpf direct-action obj {foreign} sec classifier")
    running = watch(lab)
    number = next(program for where, program in lab.client.attached("eth0") if where == "xdp")
    for program in (None, without_tcx()):
        with nothing_changed(lab):
            found, _ = probe(lab, "eth0", program=program)
        for hook in ("native XDP", "generic XDP"):
            here, why = found[f"eth0: {hook}"]
            check(here == "no" and f"XDP program {number} is attached already" in why, f"{hook}: {here} {why}")
        equal("tc", found["eth0: tc"][0], "yes")
    keys = close_some(paths(lab)[0], 2)
    one_each(running.stop(), keys)


@test
def probe_without_rights(lab):
    """Without the rights to try: exit 3, and which capability is missing; without CAP_PERFMON only what takes it."""
    for kept, missing in (((), "CAP_BPF, CAP_NET_ADMIN"), (("net_admin",), "CAP_BPF"), (("bpf",), "CAP_NET_ADMIN")):
        found, stderr = probe(lab, "eth0", program=as_nobody(lab, *kept), code=3)
        check(f"needs {missing}:" in stderr, f"{missing} is not said to be missing: {stderr}")
        equal("rights that it has", {name for name in found if found[name][0] == "yes"},
              {f"CAP_{name.upper()}" for name in kept})
        check(not any(":" in name for name in found), f"tried all the same: {found}")
    _, stderr = probe(lab, program=without("bpf"), code=3)
    check("not permitted" in stderr, stderr)
    refuses(lab, [*PROGRAM, "--probe", "eth7"], 2, "eth7", "no such interface")


@test
def probe_without_perfmon(lab):
    """With the two capabilities, what takes CAP_PERFMON is not here, and that is the reason given."""
    if tuple(int(n) for n in platform.release().split(".")[:2]) < (6, 12):
        raise Skip("this kernel's verifier asks for CAP_PERFMON")
    with nothing_changed(lab):
        found, _ = probe(lab, "eth0", program=as_nobody(lab, "bpf", "net_admin"))
    equal("tc", found["eth0: tc"][0], "yes")
    equal("CAP_PERFMON", found["CAP_PERFMON"][0], "no")
    for name in PROBED[6:9]:
        check(found[name][0] == "no" and "that takes CAP_PERFMON" in found[name][1], f"{name}: {found[name]}")


if __name__ == "__main__":
    suite.main(sys.argv)
