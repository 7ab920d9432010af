#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
views.py TCPFIN-TRACE [NAME...]: connections that several watched interfaces see: one record, which lists them. As root.
lab/harness.py has how tests are run and what they print.
"""
import contextlib
import itertools
import json
import re
import signal
import socket
import sys
import time

from hooks import counts_of, idle_transfer
from lab import frames
from lab.closes import SCENARIOS, Path, abort, close_in_turn, heard_the_reset, scenario_named, talk
from lab.harness import (GRACEFUL, PROGRAM, Suite, about, close_some, expect, field, key_of, one_each, paths,
                         raw_socket, router)
from lab.netlab import ACK, FIN, RST, SYN, Process, Tracer, check, equal, ipv4, ipv6, join, mac, need
from lab.witness import Capture, of_connection
from waits import counter

suite = Suite(workers=2)
test = suite.test

INTERFACE, INTERFACES = "observer.ingress.interface.name", "interfaces"


class Watch(Tracer):
    """The program on interfaces of the namespace. words: what stands for them on the command line."""

    def __init__(self, lab, namespace, interfaces, *options, words=None, output="--format=json"):
        self.namespace, self.interfaces = namespace, interfaces
        before = self.attached()
        Process.__init__(self, lab, namespace, [*PROGRAM, output, "--settle=200", "-v", *options,
                                                *(words or interfaces)])
        self.wait_for_all()
        self.programs = self.attached() - before
        check(self.code is None, f"ended: {self.stderr}")


def interfaces_of(record):
    """The names that the record lists; of one interface there is no list."""
    return record["tcp"].get(INTERFACES, [field(record, INTERFACE)])


def joined(tracer, keys, interfaces, expected=None, wait=True):
    """
    Stops the program, once all is reported: one record each, which lists the interfaces, the first one first. Returns
    {key: record}.
    """
    if wait:
        tracer.wait_for(len(keys))
    records = one_each(tracer.stop(), keys)
    for key, record in records.items():
        with about(str(key)):
            expect(record, (expected or {}) | {"tcp.final": True})
            equal("interfaces", sorted(interfaces_of(record)), sorted(interfaces))
            equal("the first one", interfaces_of(record)[0], field(record, INTERFACE))
            check("related" not in record["tcp"], "a record of its own is related to it")
    equal("views joined", counter(tracer, "views_joined"), len(keys) * (len(interfaces) - 1))
    return records


# ---- a router ----

def routed(lab, hook):
    """Every way to close, over a router whose two interfaces are watched."""
    need("nft")
    box, both = router(lab)
    tracer = Watch(lab, box, ["eth8", "eth9"], f"--hook={hook}", "--close-timeout=1")
    played = {}
    for path in both:
        for scenario in SCENARIOS:
            played[scenario.play(path)] = scenario
    time.sleep(1.2)  # those that stand still are in an interim record
    for key, record in joined(tracer, played, ["eth8", "eth9"]).items():
        with about(f"{played[key].name}/ipv{key[0]}"):
            expect(record, played[key].expected)
            equal("the first one", field(record, INTERFACE), "eth8")


@test
def routed_tc(lab):
    """Every way to close, both versions of IP, at tc."""
    routed(lab, "tc")


@test
def routed_xdp(lab):
    """The same with XDP in."""
    routed(lab, "xdp")


@test
def routed_any(lab):
    """`any`, and a pattern: as if all were named."""
    box, both = router(lab)
    for words in (["any"], ["eth*"], ["eth9", "any"]):
        tracer = Watch(lab, box, ["eth8", "eth9"], "--settle=0", words=words)
        keys = list(itertools.chain.from_iterable(close_some(path, 3) for path in both))
        joined(tracer, keys, ["eth8", "eth9"], GRACEFUL)


@test
def waits_are_joined(lab):
    """An interim record and the final one that replaces it have one name; so has what the end of the watch cuts."""
    box, both = router(lab)
    tracer = Watch(lab, box, ["eth8", "eth9"], "--close-timeout=0.5", "--show-open")
    held = []
    for path in both:
        opened, closing = path.connect(), path.connect()
        closing.client.shutdown(socket.SHUT_WR)
        held += [opened, closing]
    tracer.wait_for(len(both))
    interim = tracer.all_records()
    equal("interim records", len(interim), len(both))
    records = joined(tracer, [c.key for c in held], ["eth8", "eth9"], wait=False)
    for record in interim:
        equal("final", record["tcp"]["final"], False)
        equal("interfaces", record["tcp"][INTERFACES], ["eth8", "eth9"])
        equal("id", records[key_of(record)]["event"]["id"], record["event"]["id"])


@contextlib.contextmanager
def syns_dropped(lab, both):
    """Connects over each path, where the server drops what comes, for as long as `with` lasts. Gives the keys."""
    keys = []
    with lab.server.dropping("tcp dport 9"):
        for path in both:
            client = path.client.socket(path.family)
            client.setblocking(False)
            client.connect_ex((path.address, 9))
            keys.append((path.version, client.getsockname()[1], 9))
            path.keep(client)
        yield keys


@test
def unanswered(lab):
    """A SYN that nobody answers, and its copies, are one record."""
    need("nft")
    box, both = router(lab)
    tracer = Watch(lab, box, ["eth8", "eth9"], "--syn-timeout=0.6")
    with syns_dropped(lab, both) as keys:
        tracer.wait_for(len(keys), 20)  # it is seen to wait between two copies of the SYN
        joined(tracer, keys, ["eth8", "eth9"], {"tcp.outcome": "unanswered"})


def check_traffic(records, witnesses):
    """What --all-segments has counted is what tcpdump saw at those interfaces, each side's at one of them."""
    segments = [segment for witness in witnesses for segment in witness.stop()]
    for key, record in records.items():
        seen = of_connection(segments, key)
        with about(str(key)):
            expect(record, counts_of([s for s in seen if s.sport == key[1]], "source"))
            expect(record, counts_of([s for s in seen if s.dport == key[1]], "destination"))


@test
def routed_all_segments(lab):
    """--all-segments: what two interfaces see is counted once."""
    box, both = router(lab)
    witness, tracer = Capture(lab, box, "eth8"), Watch(lab, box, ["eth8", "eth9"], "--all-segments")
    keys = [idle_transfer(path) for path in both]
    check_traffic(joined(tracer, keys, ["eth8", "eth9"], GRACEFUL), [witness])


@test
def mirrored_all_segments(lab):
    """Of packets that come twice, at any time in a tick of the clock, --all-segments counts one."""
    tracer = Watch(lab, lab.client, ["eth0"], "--all-segments")
    keys, apart_by = [(4, port, 443) for port in range(20_000, 20_400)], {}
    with raw_socket(lab.server) as wire:
        for key in keys:
            packets = frames.conversation("192.0.2.1", "192.0.2.2", key[1:])
            for _, packet in packets:
                frame, began = frames.ethernet(mac(0, 2), mac(0, 1), [], packet), time.monotonic()
                wire.send(frame)
                wire.send(frame)
                apart_by[key] = max(apart_by.get(key, 0), time.monotonic() - began)
    up = sum(up for up, _ in packets)
    records = joined(tracer, keys, ["eth0"], GRACEFUL)
    soon = [key for key in keys if apart_by[key] < 0.0005]  # the others were not sent within a millisecond
    check(len(soon) > 100, f"{len(soon)} connections were sent as a mirror port sends them")
    for key in soon:
        with about(str(key)):
            expect(records[key], {
                "tcp.traffic.source.packets": up, "tcp.traffic.destination.packets": len(packets) - up,
                "tcp.traffic.source.retransmits": 0, "tcp.traffic.destination.retransmits": 0,
                "tcp.captured_twice": len(packets) - 2})  # SYN and SYN-ACK came before all was counted


# ---- what a box between its own interfaces does ----

def apart(tracer, key):
    """The two records of one connection, of eth8 and of eth9, which name each other."""
    records = {field(record, INTERFACE): record for record in tracer.stop()}
    equal("interfaces", set(records), {"eth8", "eth9"})
    for one, other in (("eth8", "eth9"), ("eth9", "eth8")):
        equal("key", key_of(records[one]), key)
        check(INTERFACES not in records[one]["tcp"], "an interface that saw something else is listed")
        equal("related", records[one]["tcp"].get("related"), [records[other]["event"]["id"]])
    check(re.search(r"^1 connection\b", tracer.stderr, re.MULTILINE), f"not counted once: {tracer.stderr}")
    return records["eth8"], records["eth9"]


@test
def fin_kept_back(lab):
    """The router does not pass the FIN on: one interface has seen it, the other has not."""
    need("nft")
    box, both = router(lab)
    for path in both:
        tracer = Watch(lab, box, ["eth8", "eth9"], "--show-open")
        c = path.connect()
        talk(c)
        with box.filtering("tcp flags & fin == fin", "drop", "forward"):
            c.client.shutdown(socket.SHUT_WR)
            time.sleep(1.5)
            near, far = apart(tracer, c.key)
            abort(c.client)  # before a copy of the FIN may pass
            heard_the_reset(c.server)
        expect(near, {"tcp.outcome": "unfinished", "tcp.closer": "source"})
        expect(far, {"tcp.outcome": "open"})


@test
def reset_by_the_box(lab):
    """The router answers data by an RST in the server's name: the server's side has not seen one."""
    need("nft")
    box, both = router(lab)
    for path in both:
        tracer = Watch(lab, box, ["eth8", "eth9"], "--show-open")
        c = path.connect()
        talk(c)
        with box.filtering(f"tcp dport {c.key[2]}", "reject with tcp reset", "forward"):
            c.client.sendall(b"x")
            time.sleep(1)
        near, far = apart(tracer, c.key)
        expect(near, {"tcp.outcome": "reset", "tcp.reset.by": "destination"})
        expect(far, {"tcp.outcome": "open"})


# ---- other kinds of interfaces ----

@test
def bridge(lab):
    """Through a bridge and its port, a router's interface on a bridge, as it were."""
    lab.client.try_run("ip link add br0 type bridge")
    lab.client.run("ip address flush dev eth0")
    lab.client.run("ip link set eth0 master br0")
    lab.client.run("ip link set br0 addrgenmode none up")
    for address, far, length in ((ipv4(0, 1), ipv4(0, 2), 24), (ipv6(0, 1), ipv6(0, 2), 64)):
        lab.client.run(f"ip address add {address}/{length} dev br0" + (" nodad" if length == 64 else ""))
        lab.client.run(f"ip neighbour replace {far} lladdr {mac(0, 2)} dev br0 nud permanent")
    tracer = Watch(lab, lab.client, ["br0", "eth0"])
    keys = list(itertools.chain.from_iterable(close_some(path, 3) for path in paths(lab)))
    joined(tracer, keys, ["br0", "eth0"], GRACEFUL | {"tcp.retransmits.fin_source": 0})


@test
def bridged(lab):
    """Two bridges, joined by a veth pair whose ends are both watched: four ports."""
    box = lab.namespace()
    for number, end in ((8, lab.client), (9, lab.server)):
        end.run(f"ip link add eth{number} address {mac(number, 1)} type veth peer name eth{number} netns {box.path}")
        end.run(f"ip link set eth{number} addrgenmode none up")
        box.run(f"ip link set eth{number} addrgenmode none up")
    box.try_run("ip link add va type veth peer name vb")
    for bridge_name, ports in (("br1", ("eth8", "va")), ("br2", ("vb", "eth9"))):
        box.try_run(f"ip link add {bridge_name} type bridge")
        box.run(f"ip link set {bridge_name} addrgenmode none up")
        for port in ports:
            box.run(f"ip link set {port} master {bridge_name} addrgenmode none up")
    lab.client.run("ip address add 10.98.0.1/24 dev eth8")
    lab.server.run("ip address add 10.98.0.2/24 dev eth9")
    tracer = Watch(lab, box, ["eth8", "va", "vb", "eth9"])
    keys = close_some(Path(lab.client, lab.server, "10.98.0.2"), 3)
    for record in joined(tracer, keys, ["eth8", "va", "vb", "eth9"], GRACEFUL).values():
        equal("interfaces by time", interfaces_of(record), ["eth8", "va", "vb", "eth9"])


@test
def vlan_and_parent(lab):
    """A VLAN device over its parent, as two interfaces show it: the tag is in the record, whoever saw the SYN first."""
    lab.link(1)
    key, tags = (4, 4000, 443), [(0x8100, 7)]
    with raw_socket(lab.server) as parent, raw_socket(lab.server, "eth1") as device:
        for order in (1, -1):
            tracer = Watch(lab, lab.client, ["eth0", "eth1"])
            views = [(parent, mac(0, 2), mac(0, 1), tags), (device, mac(1, 2), mac(1, 1), [])][::order]
            for _, packet in frames.conversation("192.0.2.1", "192.0.2.2", key[1:]):
                for sock, near, far, tagged in views:
                    sock.send(frames.ethernet(near, far, tagged, packet))
                time.sleep(0.01)
            names = ["eth0", "eth1"][::order]
            record = joined(tracer, [key], names, GRACEFUL | {"network.vlan": [7]})[key]
            equal("interfaces by time", interfaces_of(record), names)


# ---- each direction at another interface ----

def two_ways(lab):
    """
    A router between client and server. What the client sends passes its eth8 and eth9, what the server sends its eth7
    and eth6. Returns it, and the paths over both IPs.
    """
    box, both = router(lab)
    join(lab.client, box, 6)
    join(box, lab.server, 7)
    for namespace, names in ((box, ("eth6", "eth7", "eth9")), (lab.client, ("eth6", "eth8"))):
        namespace.run("sysctl -qw net.ipv4.conf.all.rp_filter=0 " +
                      " ".join(f"net.ipv4.conf.{name}.rp_filter=0" for name in names))
    lab.server.run(f"ip route replace 10.99.8.0/24 via {ipv4(7, 1)}")
    lab.server.run(f"ip route replace fd99:8::/64 via {ipv6(7, 1)}")
    box.run(f"ip route add {ipv4(8, 1)}/32 via {ipv4(6, 1)}")
    box.run(f"ip route add {ipv6(8, 1)}/128 via {ipv6(6, 1)}")
    return box, both


def play_all(both):
    """Every way to close, over all paths: {key: scenario}."""
    return {scenario.play(path): scenario for path in both for scenario in SCENARIOS}


def check_two_ways(tracer, played, interfaces, first):
    for key, record in joined(tracer, played, interfaces).items():
        with about(f"{played[key].name}/ipv{key[0]}"):
            expect(record, played[key].expected)
            equal("the first one", field(record, INTERFACE), first)


@test
def two_ways_tc(lab):
    """Every way to close, the client's segments at one interface and the server's at another."""
    need("nft")
    box, both = two_ways(lab)
    tracer = Watch(lab, box, ["eth8", "eth6"], "--hook=tc", "--close-timeout=1")
    played = play_all(both)
    time.sleep(1.2)
    check_two_ways(tracer, played, ["eth8", "eth6"], "eth8")


@test
def two_ways_xdp(lab):
    """The same with XDP in; the server's segments leave at tc."""
    need("nft")
    box, both = two_ways(lab)
    tracer = Watch(lab, box, ["eth8", "eth7"], "--hook=xdp", "--close-timeout=1")
    check_two_ways(tracer, play_all(both), ["eth8", "eth7"], "eth8")


@test
def two_ways_and_more(lab):
    """All four interfaces of that router, and three of them: still one record."""
    need("nft")
    box, both = two_ways(lab)
    for interfaces in (["eth8", "eth9", "eth6"], ["eth8", "eth9", "eth7", "eth6"]):
        tracer = Watch(lab, box, interfaces, "--close-timeout=1")
        check_two_ways(tracer, play_all(both), interfaces, "eth8")


@test
def two_ways_and_whole(lab):
    """A bond's members, one of which sends and the other receives, and the bond: as if it were the bond alone."""
    lab.link(1)
    lab.link(2)
    names, ports = ["eth0", "eth1", "eth2"], (4000, 443)
    wires = [lab.stack.enter_context(raw_socket(lab.server, name)) for name in names]
    for bond, sends, receives in itertools.permutations(range(3)):
        tracer = Watch(lab, lab.client, names)
        for up, packet in frames.conversation("192.0.2.1", "192.0.2.2", ports):
            for number in (bond, sends if up else receives):
                wires[number].send(frames.ethernet(mac(number, 2), mac(number, 1), [], packet))
            time.sleep(0.01)
        joined(tracer, [(4, *ports)], names, GRACEFUL)


def ways_of_a_host(lab):
    """The client sends by one interface and receives by another one."""
    need("nft")
    lab.link(1)
    lab.client.run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 "
                   "net.ipv4.conf.eth1.rp_filter=0")
    lab.server.run(f"ip route add {ipv4(0, 1)}/32 via {ipv4(1, 1)}")
    lab.server.run(f"ip route add {ipv6(0, 1)}/128 via {ipv6(1, 1)}")
    return paths(lab)


def check_host(tracer, played, hook):
    for key, record in joined(tracer, played, ["eth0", "eth1"]).items():
        with about(f"{played[key].name}/ipv{key[0]}/{hook}"):
            expect(record, played[key].expected)
            check("process" in record["source"] or played[key].name == "refused", "no process")


@test
def two_ways_of_a_host(lab):
    """This host's own connections: it sends by one interface and receives by another one; who closed is known."""
    ways = ways_of_a_host(lab)
    for hook in ("tc", "xdp"):
        tracer = Watch(lab, lab.client, ["eth0", "eth1"], f"--hook={hook}", "--close-timeout=1")
        check_host(tracer, play_all(ways), hook)


@test
def two_ways_of_a_host_stopped(lab):
    """The same, where the process does not run meanwhile: it finds both views of a connection at once."""
    ways = ways_of_a_host(lab)
    for hook in ("tc", "xdp"):
        tracer = Watch(lab, lab.client, ["eth0", "eth1"], f"--hook={hook}", "--close-timeout=1")
        tracer.signal(signal.SIGSTOP)
        played = play_all(ways)
        time.sleep(0.3)  # longer than --settle
        tracer.signal(signal.SIGCONT)
        check_host(tracer, played, hook)


@test
def two_ways_after_much_data(lab):
    """Hundreds of segments each way fill both logs before the close: each of its steps is there all the same."""
    box, both = two_ways(lab)
    tracer = Watch(lab, box, ["eth8", "eth6"])
    played = {}
    for path in both:
        for end in ("client", "server", "abort"):
            c = path.connect()
            for _ in range(60):
                talk(c)
            if end == "abort":
                abort(c.server)
                heard_the_reset(c.client)
            else:
                close_in_turn(*((c.client, c.server) if end == "client" else (c.server, c.client)))
            played[c.key] = end
    for key, record in joined(tracer, played, ["eth8", "eth6"]).items():
        closer = "source" if played[key] == "client" else "destination"
        with about(f"{played[key]}/ipv{key[0]}"):
            expect(record, {"tcp.closer": closer, "source.bytes": 6000, "destination.bytes": 60000})
            if played[key] == "abort":
                expect(record, {"tcp.outcome": "reset", "tcp.reset.phase": "established"})
                continue
            expect(record, {"tcp.outcome": "graceful", "tcp.pattern": "four_way"})
            timing = record["tcp"]["timing"]
            check(15e6 < timing["half_closed"] < 200e6, f"half closed {timing['half_closed']}")
            check(0 <= timing["fin_to_ack"] < 15e6, f"FIN to ACK {timing['fin_to_ack']}")
            equal("close", timing["close"], timing["fin_to_ack"] + timing["half_closed"] + timing["peer_fin_to_ack"])


@test
def two_ways_all_segments(lab):
    """--all-segments: each side is counted where it passes, also one that sends its SYN-ACK and nothing more."""
    box, both = two_ways(lab)
    witnesses = [Capture(lab, box, name) for name in ("eth8", "eth6")]
    tracer = Watch(lab, box, ["eth8", "eth6"], "--all-segments")
    keys = [idle_transfer(path) for path in both]
    for path in both:
        c = path.connect()
        abort(c.client)
        heard_the_reset(c.server)
        keys.append(c.key)
    tracer.wait_for(len(keys))
    check_traffic(joined(tracer, keys, ["eth8", "eth6"], {"tcp.closer": "source"}), witnesses)


@test
def two_ways_while_open(lab):
    """A connection that goes on does not wait; at the end it is open, and one that is half closed is unfinished."""
    box, both = two_ways(lab)
    held = []  # for as long as any watch lasts
    for shown in (False, True):
        tracer = Watch(lab, box, ["eth8", "eth6"], "--syn-timeout=0.3", "--close-timeout=0.5", "--all-segments",
                       *(["--show-open"] if shown else []))
        opened, closing = [path.connect() for path in both], [path.connect() for path in both]
        held += opened + closing
        for c in closing:
            talk(c)
            c.client.shutdown(socket.SHUT_WR)
        time.sleep(2)
        tracer.wait_for(len(closing))
        interim = tracer.all_records()
        equal("interim records", sorted(key_of(record) for record in interim), sorted(c.key for c in closing))
        keys = [c.key for c in closing + (opened if shown else [])]
        records = one_each(tracer.stop(), keys)
        for record in interim:
            equal("id", records[key_of(record)]["event"]["id"], record["event"]["id"])
        for c in closing:
            expect(records[c.key], {"tcp.outcome": "unfinished", "tcp.missing": "destination_fin",
                                    "tcp.closer": "source"})
        for c in opened if shown else []:
            expect(records[c.key], {"tcp.outcome": "open"})


@test
def two_ways_midstream(lab):
    """A watch that begins in the middle: one record. An ACK ahead of the second FIN may have passed unseen."""
    box, both = two_ways(lab)
    held = [path.connect() for path in both for _ in range(2)]
    for c in held:
        talk(c)
    tracer = Watch(lab, box, ["eth8", "eth6"])
    for number, c in enumerate(held):
        close_in_turn(*((c.client, c.server) if number % 2 else (c.server, c.client)))
    tracer.wait_for(len(held))
    records = tracer.stop()
    found = {key_of(record): record for record in records}
    equal("records", len(records), len(held))
    for number, c in enumerate(held):
        record = found[c.key if c.key in found else (c.key[0], c.key[2], c.key[1])]
        closed = c.key[1 if number % 2 else 2]  # its port: who the source is can only be guessed
        expect(record, {"tcp.outcome": "graceful", "tcp.midstream": True, "tcp.pattern": None,
                        "tcp.timing.fin_to_ack": None})
        equal("closer", field(record, f"{record['tcp']['closer']}.port"), closed)
        equal("interfaces", sorted(interfaces_of(record)), ["eth6", "eth8"])


def use_port_again(path, times):
    """Connects so many times from one port, each time as soon as the connection before is closed, by the server."""
    with path.listen() as listener:
        for _ in range(times):
            client = path.client.socket(path.family)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("", 45_678))
            client.connect(listener.getsockname())
            server, _ = listener.accept()
            close_in_turn(server, client)
            time.sleep(0.02)
            path.keep(client)
            path.keep(server)


def check_reused(tracer, times):
    tracer.wait_for(times)
    records = tracer.stop()
    equal("records", len(records), times)
    for record in records:
        expect(record, {"tcp.outcome": "graceful", "tcp.pattern": "four_way", "tcp.closer": "destination"})
        equal("interfaces", interfaces_of(record), ["eth8", "eth6"])


@test
def two_ways_port_reused(lab):
    """The client connects from the same port again at once, several times: each connection is a record."""
    box, both = two_ways(lab)
    for path in both:
        tracer = Watch(lab, box, ["eth8", "eth6"])
        use_port_again(path, 4)
        check_reused(tracer, 4)


@test
def two_ways_port_reused_stopped(lab):
    """The same, where the process finds several connections of one tuple at once."""
    box, both = two_ways(lab)
    for path in both:
        tracer = Watch(lab, box, ["eth8", "eth6"])
        tracer.signal(signal.SIGSTOP)
        use_port_again(path, 4)
        tracer.signal(signal.SIGCONT)
        check_reused(tracer, 4)


@test
def one_way_dropped(lab):
    """Nothing comes back: one record of what the client sent, as with one interface."""
    need("nft")
    box, both = two_ways(lab)
    tracer = Watch(lab, box, ["eth8", "eth6"], "--syn-timeout=0.5")
    with syns_dropped(lab, both) as keys:
        tracer.wait_for(len(keys), 20)
        for record in one_each(tracer.stop(), keys).values():
            expect(record, {"tcp.outcome": "unanswered", INTERFACE: "eth8"})


@test
def one_way_watched(lab):
    """Where the way back is not watched, half of the connection is told, and nothing is made up."""
    box, both = two_ways(lab)
    for interfaces in (["eth8", "eth9"], ["eth6", "eth7"]):
        tracer = Watch(lab, box, interfaces, "--idle-timeout=1")
        keys = list(itertools.chain.from_iterable(close_some(path, 2) for path in both))
        tracer.wait_for(len(keys))
        for record in one_each(tracer.stop(), keys).values():
            check(record["tcp"]["outcome"] in ("unknown", "unfinished"), record["tcp"]["outcome"])
            check(record["tcp"]["closer"] in ("unknown", "source"), record["tcp"]["closer"])


@test
def two_ways_counted_once(lab):
    """In the summary, --top, the metrics and -c."""
    box, both = two_ways(lab)
    names = ["eth8", "eth6"]
    equal("summary", summary_of(one_run(lab, box, both, names=names, seconds=2)), 6)
    top = one_run(lab, box, both, "--top=0.3", "--by=interface", names=names, seconds=2)
    runs = [json.loads(line)["rate"] for line in top.stdout.splitlines()]
    equal("--top", [(line["row"], line["connections"]) for line in runs if line["span"] == "run"],
          [("group", 6), ("other", 0), ("total", 6)])
    path = lab.file(".prom")
    one_run(lab, box, both, f"--metrics-file={path}", names=names, seconds=2)
    with open(path, encoding="utf-8") as lines:
        closes = [float(line.split()[1]) for line in lines if line.startswith("tcpfin_connections_total{")]
    equal("metrics", sum(closes), 6)
    equal("-c", len(one_run(lab, box, both, "-c4", count=2, names=names, seconds=2).all_records()), 4)


# ---- strays ----

def stray_from(path, gateway, kind):
    """Sends a segment of no connection to the path's server by the router: its source port."""
    source, port = {4: ipv4, 6: ipv6}[path.version](8, 1), 40_000 + path.version
    segment = frames.tcp_segment(source, path.address, (port, 9), kind, 7000, 0, b"")
    with raw_socket(path.client, "eth8") as wire:
        wire.send(frames.ethernet(mac(8, 1), gateway, [], frames.ip_packet(source, path.address, segment)))
    return port


@test
def strays_once(lab):
    """An RST of no connection that a router forwards is told of once, with both interfaces."""
    box, both = router(lab)
    tracer = Watch(lab, box, ["eth8", "eth9"], "--strays")
    with lab.server.dropping("tcp dport 9"):
        ports = [stray_from(path, mac(8, 2), RST) for path in both]
        time.sleep(0.3)
    tracer.stop()
    strays = [one for one in tracer.all_records() if one["event"]["dataset"] == "tcpfin.stray"]
    equal("source ports", [one["source"]["port"] for one in strays], ports)
    equal("interfaces", [interfaces_of(stray) for stray in strays], [["eth8", "eth9"]] * 2)
    equal("views joined", counter(tracer, "views_joined"), 2)


@test
def stray_fins_once(lab):
    """So is a FIN of no connection, which waits for what it may be part of."""
    box, both = router(lab)
    tracer = Watch(lab, box, ["eth8", "eth9"], "--strays", "--idle-timeout=1")
    with lab.server.dropping("tcp dport 9"):
        ports = [stray_from(path, mac(8, 2), FIN | ACK) for path in both]
        time.sleep(3)
    tracer.stop()
    strays = [one for one in tracer.all_records() if one["event"]["dataset"] == "tcpfin.stray"]
    equal("source ports", sorted(one["source"]["port"] for one in strays), sorted(ports))
    equal("interfaces", [interfaces_of(stray) for stray in strays], [["eth8", "eth9"]] * 2)
    equal("views joined", counter(tracer, "views_joined"), 2)


@test
def strays_repeated(lab):
    """An RST that is sent twice, by one interface: two of them, though another one is watched, too."""
    box, both = router(lab)
    tracer = Watch(lab, box, ["eth8", "eth9"], "--strays")
    with lab.server.dropping("tcp dport 9"):
        stray_from(both[0], mac(8, 2), RST)
        stray_from(both[0], mac(8, 2), RST)
        time.sleep(0.3)
    tracer.stop()
    strays = [one for one in tracer.all_records() if one["event"]["dataset"] == "tcpfin.stray"]
    equal("interfaces", [interfaces_of(stray) for stray in strays], [["eth8", "eth9"]] * 2)


# ---- it counts once ----

def summary_of(tracer):
    """Connections by the summary."""
    found = re.search(r"^(\d+) connections?$", tracer.stderr, re.MULTILINE)
    check(found, f"no summary: {tracer.stderr}")
    return int(found[1])


def one_run(lab, box, both, *options, count=3, seconds=1.0, names=("eth8", "eth9"), **output):
    """Makes so many connections on each path. names: the interfaces. Returns the program, stopped."""
    tracer = Watch(lab, box, list(names), *options, **output)
    for path in both:
        close_some(path, count)
    time.sleep(seconds)
    if tracer.code is None:
        tracer.signal(signal.SIGINT)
    tracer.wait()
    return tracer


@test
def counted_once(lab):
    """In the text, the summary, --top, the metrics, --check and -c."""
    box, both = router(lab)
    text = one_run(lab, box, both, "--color=never", output="--format=text")
    rows = text.stdout.splitlines()
    equal("rows", [row.split()[2] for row in rows if row[0].isdigit()],
          ["eth8,eth9"] * 6)
    equal("summary", summary_of(text), 6)
    top = one_run(lab, box, both, "--top=0.3", "--by=interface")
    runs = [json.loads(line)["rate"] for line in top.stdout.splitlines()]
    equal("--top", [(line["row"], line["connections"]) for line in runs if line["span"] == "run"],
          [("group", 6), ("other", 0), ("total", 6)])
    path = lab.file(".prom")
    one_run(lab, box, both, f"--metrics-file={path}")
    with open(path, encoding="utf-8") as lines:
        closes = [float(line.split()[1]) for line in lines if line.startswith("tcpfin_connections_total{")]
    equal("metrics", sum(closes), 6)
    equal("-c", len(one_run(lab, box, both, "-c4", count=2).all_records()), 4)
    equal("--check that holds not", one_run(lab, box, both, "--check=connections > 6").code, 0)
    equal("--check that holds", one_run(lab, box, both, "--check=connections > 5").code, 5)


def translating(lab):
    """A router whose client is behind its own address. Returns it, and the path over IPv4."""
    box, both = router(lab)
    box.try_run("nft add table ip nat")
    box.run("nft add chain ip nat out '{ type nat hook postrouting priority 100; }'")
    box.run("nft add rule ip nat out oifname eth9 tcp sport != 65535 masquerade random")
    return box, both[0]


@test
def translated(lab):
    """With NAT a connection has two records that name each other, and counts once, refused or whole; so read back."""
    box, path = translating(lab)
    for scenario in ("client_first", "linger0", "refused"):
        tracer = Watch(lab, box, ["eth8", "eth9"])
        scenario_named(scenario).play(path)
        tracer.wait_for(2)
        records = tracer.stop()
        with about(scenario):
            equal("records", len({record["source"]["ip"] for record in records}), 2)
            equal("related", sum(len(record["tcp"].get("related", [])) >= 1 for record in records) >= 1, True)
            equal("summary", summary_of(tracer), 1)
            again = Process(lab, box, [*PROGRAM, "--format=json", "-r", tracer.paths[0]])
            equal("exit code", again.wait(), 0)
            equal("summary of what was read back", summary_of(again), 1)


@test
def one_number_for_all(lab):
    """SYNs of many sources with one initial sequence number, which nobody answers, are as many connections."""
    lab.link(1)
    tracer = Watch(lab, lab.client, ["eth0", "eth1"], "--syn-timeout=0.5", "--show-open")
    with lab.client.dropping("tcp dport 9"), raw_socket(lab.server) as wire:
        for number in range(1, 51):
            source = f"10.99.0.{number + 100}"
            segment = frames.tcp_segment(source, ipv4(0, 1), (40_000, 9), SYN, 1000, 0, b"")
            wire.send(frames.ethernet(mac(0, 2), mac(0, 1), [], frames.ip_packet(source, ipv4(0, 1), segment)))
        time.sleep(1)
        tracer.stop()
    equal("summary", summary_of(tracer), 50)


if __name__ == "__main__":
    suite.main(sys.argv)
