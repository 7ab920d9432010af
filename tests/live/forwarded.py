#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
forwarded.py TCPFIN-TRACE [NAME...]: RSTs that pass a router, which has no socket of either end: what comes behind the
last record amends it. As root. lab/harness.py has how tests are run and what they print.
"""
import re
import socket
import sys
import time

from hooks import TCP_REPAIR, restored
from lab import frames
from lab.closes import Connection, abort, close_in_turn, heard_the_reset, receive, talk
from lab.harness import PROGRAM, Suite, expect, key_of, raw_socket, router
from lab.netlab import ACK, RST, Tracer, check, equal, ipv4, ipv6, mac, until
from reliability import next_number
from waits import counter

suite = Suite(workers=3)
test = suite.test

LATER = 2          # s: long behind --settle, which is 200 ms
ISN_CLOCK = 1 << 24  # a little more than Linux's initial numbers grow in a second


class Scene:
    """A watched router between both hosts, and somebody beside the server who forges in its name."""

    def __init__(self, lab, *options, hook="tc", interfaces=("eth8",), older=False):
        self.lab = lab
        self.box, self.paths = router(lab)
        self.older = [(path, path.connect()) for path in self.paths] if older else []
        self.wire = lab.stack.enter_context(raw_socket(lab.server, "eth9"))
        self.tracer = Tracer(lab, self.box, PROGRAM, interfaces, "--format=json", "--settle=200", "-v",
                             f"--hook={hook}", *options)
        self.tracer.wait_for_all()

    def opened(self, count=1):
        """[(path, a connection that has talked)], so many over each path."""
        opened = [(path, path.connect()) for path in self.paths for _ in range(count)]
        for _, connection in opened:
            talk(connection)
        return opened

    def forge(self, path, connection):
        """A RST in the name of the server, with the numbers that the client expects."""
        ends = (ipv4(9, 2), ipv4(8, 1)) if path.version == 4 else (ipv6(9, 2), ipv6(8, 1))
        numbers = next_number(connection.server), next_number(connection.client)
        segment = frames.tcp_segment(*ends, connection.key[:0:-1], RST | ACK, *numbers, b"")
        self.wire.send(frames.ethernet(mac(9, 2), mac(9, 1), (), frames.ip_packet(*ends, segment)))

    def forge_dropped(self, opened, pause=0):
        """Forges a RST to each, which the client drops for `pause` s longer than it takes until all have a record."""
        with self.lab.client.dropping("tcp flags & rst == rst"):
            for path, connection in opened:
                self.forge(path, connection)
            for record, in self.histories(len(opened)).values():
                expect(record, {"tcp.outcome": "reset", "tcp.reset.forged": None})
            time.sleep(pause)

    def histories(self, count=0, timeout=5.0):
        """{event.id: records of it}, once there are so many records, all of which are final."""
        until(lambda: len(self.tracer.all_records()) >= count, f"{count} records", timeout)
        found = {}
        for record in self.tracer.all_records():
            equal("final", record["tcp"]["final"], True)
            found.setdefault(record["event"]["id"], []).append(record)
        return found

    def stop(self, connections, records):
        """Stops the program, and checks the sums. Returns `histories`."""
        self.tracer.stop()
        found = self.histories()
        check(re.search(rf"^{connections} connections?$", self.tracer.stderr, re.MULTILINE),
              f"not {connections} in: {self.tracer.stderr}")
        equal("connections", len(found), connections)
        equal("records", sum(map(len, found.values())), records)
        for name in ("closing_full", "established_full", "midstream_full", "contended"):
            equal(name, counter(self.tracer, name), 0)
        return found


# ---- it was not taken ----

def not_taken(lab, hook, *interfaces):
    scene = Scene(lab, hook=hook, interfaces=interfaces)
    opened = scene.opened()
    scene.forge_dropped(opened, LATER)
    for record, in scene.histories().values():
        equal("by", record["tcp"]["reset"]["by"], "destination")
    for _ in range(2):
        for _, connection in opened:
            talk(connection)
        time.sleep(LATER / 2)
    for _, connection in opened:
        close_in_turn(connection.client, connection.server)
    scene.histories(4)
    for first, last in scene.stop(2, 4).values():
        equal("interfaces", sorted(last["tcp"].get("interfaces", ["eth8"])), sorted(interfaces))
        expect(last, {"tcp.outcome": "graceful", "tcp.closer": "source", "tcp.pattern": "four_way",
                      "tcp.resets_ignored": 1, "tcp.midstream": False, "tcp.reset.by": None, "tcp.late_reset": False})
        equal("connection", key_of(last), key_of(first))


@test
def not_taken_tc(lab):
    """The client drops a RST, and both go on 2 s later: the last record is the graceful close, the RST ignored."""
    not_taken(lab, "tc", "eth8")


@test
def not_taken_xdp(lab):
    """The same with XDP in."""
    not_taken(lab, "xdp", "eth8")


@test
def not_taken_two_interfaces(lab):
    """The same at both interfaces of the router: records and counts are those of one."""
    not_taken(lab, "tc", "eth8", "eth9")


@test
def not_taken_and_closed_at_once(lab):
    """What comes behind the record is the close: it is in the log that began with the RST."""
    scene = Scene(lab)
    opened = scene.opened()
    scene.forge_dropped(opened)
    for _, connection in opened:
        talk(connection)
        close_in_turn(connection.server, connection.client)
    scene.histories(4)
    for _, last in scene.stop(2, 4).values():
        expect(last, {"tcp.outcome": "graceful", "tcp.closer": "destination", "tcp.resets_ignored": 1,
                      "tcp.midstream": False})


@test
def not_taken_midstream(lab):
    """Of connections that are older than the watch."""
    scene = Scene(lab, "--syn-timeout=0.5", older=True)
    opened = scene.older
    for _, connection in opened:
        talk(connection)
    scene.forge_dropped(opened, LATER)
    for _, connection in opened:
        talk(connection)
        time.sleep(LATER / 2)
        close_in_turn(connection.client, connection.server)
    scene.histories(4)
    clients = {connection.key[1] for _, connection in opened}
    for _, last in scene.stop(2, 4).values():
        expect(last, {"tcp.outcome": "graceful", "tcp.resets_ignored": 1, "tcp.midstream": True})
        check(last[last["tcp"]["closer"]]["port"] in clients, "not the client's close")


@test
def not_taken_still_open(lab):
    """The watch ends while they go on: the last word is not the RST."""
    scene = Scene(lab)
    opened = scene.opened()
    scene.forge_dropped(opened)
    for _, connection in opened:
        talk(connection)
    time.sleep(LATER)
    for _, last in scene.stop(2, 4).values():
        expect(last, {"tcp.outcome": "open", "tcp.resets_ignored": 1, "tcp.reset.by": None})


# ---- it was not the server's ----

def taken(lab, hook, *interfaces):
    scene = Scene(lab, hook=hook, interfaces=interfaces)
    opened = scene.opened()
    for path, connection in opened:
        scene.forge(path, connection)
        heard_the_reset(connection.client)
    for record, in scene.histories(2).values():
        expect(record, {"tcp.outcome": "reset", "tcp.closer": "destination", "tcp.reset.forged": None})
    time.sleep(LATER)
    for _, connection in opened:
        connection.server.sendall(b"late")
        heard_the_reset(connection.server)
    scene.histories(4)
    time.sleep(LATER)
    for _, last in scene.stop(2, 4).values():
        equal("interfaces", sorted(last["tcp"].get("interfaces", ["eth8"])), sorted(interfaces))
        expect(last, {"tcp.outcome": "reset", "tcp.closer": "network", "tcp.reset.by": "destination",
                      "tcp.reset.forged": True, "tcp.resets_ignored": 0})


@test
def taken_tc(lab):
    """The client takes a forged RST; 2 s later the server sends on, and the client answers: nobody made the RST."""
    taken(lab, "tc", "eth8")


@test
def taken_xdp(lab):
    """The same with XDP in."""
    taken(lab, "xdp", "eth8")


@test
def taken_two_interfaces(lab):
    """The same at both interfaces of the router."""
    taken(lab, "tc", "eth8", "eth9")


# ---- it was real ----

def connected(lab, path, port, listener):
    client = lab.client.socket(path.family)
    client.settimeout(5)
    client.bind(("", port))
    client.connect((path.address, listener.getsockname()[1]))
    server, peer = listener.accept()
    server.settimeout(5)
    return Connection(client, server, (path.version, peer[1], listener.getsockname()[1]))


def reset_by_client(connection):
    talk(connection)
    abort(connection.client)
    heard_the_reset(connection.server)
    connection.server.close()


@test
def used_again(lab):
    """After a real RST the tuple is used again, 1 and 3 s later: three connections, each by itself."""
    scene = Scene(lab)
    listeners = [path.listen() for path in scene.paths]
    for pause in (1, 2, 0):
        for path, listener in zip(scene.paths, listeners):
            reset_by_client(connected(lab, path, 40000, listener))
        time.sleep(pause)
    scene.histories(6)
    for record, in scene.stop(6, 6).values():
        expect(record, {"tcp.outcome": "reset", "tcp.closer": "source", "tcp.midstream": False, "source.bytes": 100,
                        "destination.bytes": 1000, "tcp.resets_ignored": 0})


def as_int(number):
    """The sequence number as a C int of the same bits."""
    return (number + 2**31) % 2**32 - 2**31


@test
def used_again_without_syn(lab):
    """The same where no SYN of the next one passes: its numbers are as far on as 3 s make them, or anywhere."""
    scene = Scene(lab)
    path = scene.paths[0]
    with path.listen() as listener:
        ends = (ipv4(8, 1), 40000), (path.address, listener.getsockname()[1])
        for ahead in (3 * ISN_CLOCK, 3 * ISN_CLOCK, 1_500_000_000):
            one = connected(lab, path, 40000, listener)
            numbers = [as_int(next_number(sock) + ahead) for sock in (one.client, one.server)]
            reset_by_client(one)
            time.sleep(LATER)
            two = Connection(restored(lab.client, *ends, numbers), restored(lab.server, *ends[::-1], numbers[::-1]),
                             one.key)
            for sock in two[:2]:
                sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)  # sends a window probe
            talk(two)
            close_in_turn(two.server, two.client)
    scene.histories(6)
    records = [record for record, in scene.stop(6, 6).values()]
    for record in records:
        midstream = record["tcp"]["midstream"]
        expect(record, {"tcp.outcome": "graceful" if midstream else "reset", "tcp.resets_ignored": 0})
        equal("closed by the client", record[record["tcp"]["closer"]]["port"] == 40000, not midstream)
    equal("midstream", sum(record["tcp"]["midstream"] for record in records), 3)


@test
def one_tuple_often(lab):
    """One tuple has 30 connections, one behind the other, each of which is reset: it holds no more than one of them."""
    scene = Scene(lab, "--settle=50")
    path = scene.paths[0]
    with path.listen() as listener:
        for number in range(30):
            reset_by_client(connected(lab, path, 40000, listener))
            scene.histories(number + 1)
    for record, in scene.stop(30, 30).values():
        expect(record, {"tcp.outcome": "reset", "tcp.closer": "source", "tcp.midstream": False})


# ---- many ----

@test
def many(lab):
    """
    600 RSTs, of which 128 can be held: each connection has its record, nothing is lost, and those that were forged last
    are amended. Half of them are taken by their receiver.
    """
    scene = Scene(lab, "--max-closing=1024")
    for path, connection in scene.opened(280):
        reset_by_client(connection)
    scene.histories(560, 20)
    opened = scene.opened(20)
    for path, connection in opened:
        scene.forge(path, connection)
        heard_the_reset(connection.client)
    keys = {connection.key for _, connection in opened}
    until(lambda: keys <= set(map(key_of, scene.tracer.all_records())), "records of those that were forged", 20)
    for number, (_, connection) in enumerate(opened):
        if number % 2:
            connection.server.sendall(b"late")
            heard_the_reset(connection.server)
    scene.histories(620, 20)
    amended = [records[-1] for records in scene.stop(600, 620).values() if len(records) == 2]
    equal("amended", len(amended), 20)
    for record in amended:
        expect(record, {"tcp.outcome": "reset", "tcp.closer": "network", "tcp.reset.forged": True})


@test
def many_closes_beside(lab):
    """Logs that are held give way to closes that begin: 800 at once where there are 1024 logs."""
    scene = Scene(lab, "--max-closing=1024")
    for path, connection in scene.opened(100):
        reset_by_client(connection)
    scene.histories(200, 20)
    opened = scene.opened(400)
    for _, connection in opened:
        connection.client.shutdown(socket.SHUT_WR)
    for _, connection in opened:
        equal("end", connection.server.recv(1), b"")
        connection.server.close()
    scene.histories(1000, 20)
    scene.stop(1000, 1000)


if __name__ == "__main__":
    suite.main(sys.argv)
