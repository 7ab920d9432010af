#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
waits.py TCPFIN-TRACE [NAME...]: waits that are reported while they last, and the last records that replace them. As
root. lab/harness.py has how tests are run and what they print.
"""
import re
import resource
import socket
import sys
import time

from lab import frames
from lab.closes import close_in_turn, talk
from lab.harness import PROGRAM, Suite, about, expect, one_each, paths, raw_socket, watch
from lab.netlab import SYN, Tracer, check, equal, ipv4, ipv6, mac, until

suite = Suite()
test = suite.test

SECONDS_OF_SYN = 1.2  # Linux repeats a SYN after a second


def connecting(path, port):
    """A socket whose SYN is on its way."""
    sock = path.client.socket(path.family)
    sock.setblocking(False)
    sock.connect_ex((path.address, port))
    return sock


def ids(records):
    return {record["event"]["id"] for record in records}


def finals(tracer):
    return [record["tcp"]["final"] for record in tracer.all_records()]


def connections_in_summary(tracer, count):
    check(re.search(rf"^{count} connections?$", tracer.stderr, re.MULTILINE), f"not {count} in: {tracer.stderr}")


def counter(tracer, name):
    found = re.search(rf"^  {name} +(\d+)$", tracer.stderr, re.MULTILINE)
    return int(found[1]) if found else 0


class Syns:
    """SYNs byte by byte, over IPv4 or IPv6, to a port of the server."""

    def __init__(self, lab, six=False):
        self.wire = lab.stack.enter_context(raw_socket(lab.client))
        self.ends = (ipv6(0, 1), ipv6(0, 2)) if six else (ipv4(0, 1), ipv4(0, 2))

    def send(self, port, isn, to=9):
        segment = frames.tcp_segment(*self.ends, (port, to), SYN, isn, 0, b"")
        self.wire.send(frames.ethernet(mac(0, 1), mac(0, 2), (), frames.ip_packet(*self.ends, segment)))


@test
def syn_answered_late(lab):
    """The second SYN is answered, when the first one has been reported: one connection, graceful, with its copies."""
    for path in paths(lab):
        tracer = watch(lab, "--syn-timeout=0.3")
        with path.listen() as listener, about(f"IPv{path.version}"):
            port = listener.getsockname()[1]
            with lab.server.dropping(f"tcp dport {port}"):
                client = connecting(path, port)
                tracer.wait_for(1)
                time.sleep(0.1)
            expect(tracer.all_records()[0], {"tcp.final": False, "tcp.outcome": "unanswered",
                                             "tcp.isn.destination": None})
            server, _ = listener.accept()
            client.setblocking(True)
            close_in_turn(client, server)
            until(lambda: finals(tracer)[-1], "last record")
            record, = tracer.stop()
            expect(record, {"tcp.outcome": "graceful", "tcp.closer": "source", "tcp.late_reset": False})
            check(record["tcp"]["retransmits"]["syn"] >= 1, "no copy of the SYN")
            equal("final", finals(tracer), [False, True])
            connections_in_summary(tracer, 1)


@test
def syn_given_up(lab):
    """An attempt is given up when no SYN has come for long (--idle-timeout, if that is shorter): all its SYNs count."""
    tracer, syns = watch(lab, "--syn-timeout=0.3", "--idle-timeout=2"), Syns(lab)
    with lab.server.dropping("tcp dport 9"):
        for pause in (0, 0.8, 1.2):  # each longer than the time-out
            time.sleep(pause)
            syns.send(4000, 1000)
        until(lambda: True in finals(tracer), "last record", 8)
    equal("final", finals(tracer), [False, True])
    equal("connections", len(ids(tracer.all_records())), 1)
    record, = tracer.stop()
    expect(record, {"tcp.outcome": "unanswered", "tcp.retransmits.syn": 2})
    connections_in_summary(tracer, 1)


@test
def half_closed_by_either(lab):
    """A half closed connection is reported so far, and once more when its other end closes; whoever was first."""
    for path in paths(lab):
        for first in ("source", "destination"):
            tracer = watch(lab, "--close-timeout=0.3")
            connection = path.connect()
            talk(connection)
            ends = (connection.client, connection.server) if first == "source" else connection[1::-1]
            ends[0].close()
            tracer.wait_for(1)
            ends[1].close()
            until(lambda: finals(tracer)[-1], "last record")
            with about(f"IPv{path.version}, {first} first"):
                equal("final", finals(tracer), [False, True])
                expect(tracer.all_records()[0], {"tcp.outcome": "unfinished", "tcp.closer": first})
                record = one_each(tracer.stop(), [connection.key])[connection.key]
                expect(record, {"tcp.outcome": "graceful", "tcp.closer": first, "tcp.late_reset": False})
                connections_in_summary(tracer, 1)


@test
def reset_behind_an_interim_record(lab):
    """An RST that ends a half closed connection is no late one, though a record came before it."""
    tracer, path = watch(lab, "--close-timeout=0.3"), paths(lab)[0]
    connection = path.connect()
    connection.client.shutdown(socket.SHUT_WR)
    tracer.wait_for(1)
    connection.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.server.close()
    until(lambda: finals(tracer)[-1], "last record")
    record, = tracer.stop()
    expect(record, {"tcp.outcome": "reset", "tcp.reset.by": "destination", "tcp.closer": "source",
                    "tcp.late_reset": False})


@test
def stopped_while_waiting(lab):
    """What still waits when the watch ends gets its last record then."""
    tracer, path = watch(lab, "--close-timeout=0.3"), paths(lab)[0]
    connection = path.connect()
    connection.client.close()
    tracer.wait_for(1)
    record, = tracer.stop()
    expect(record, {"tcp.outcome": "unfinished", "tcp.final": True, "tcp.missing": "destination_fin"})
    equal("final", finals(tracer), [False, True])


def refused(lab, isns, six):
    """SYNs of one port with these numbers, 580 ms apart. Returns the stopped program."""
    tracer, syns = watch(lab), Syns(lab, six)
    for isn in isns:
        syns.send(4000, isn)
        time.sleep(0.58)  # longer than --settle, which is 200 ms
    until(lambda: len(tracer.all_records()) >= len(isns), "records")
    tracer.stop()
    return tracer


@test
def refused_syn_repeated(lab):
    """A refused SYN that comes again with its number updates the record; with another number it is another attempt."""
    for six in (False, True):
        tracer = refused(lab, (1000, 1000, 1000), six)
        record, = tracer.records()
        expect(record, {"tcp.outcome": "refused", "tcp.final": True, "tcp.retransmits.syn": 2})
        equal("final", finals(tracer), [True, True, True])
        equal("connections", len(ids(tracer.all_records())), 1)
        connections_in_summary(tracer, 1)
    tracer = refused(lab, (1000, 5000), False)
    equal("connections", len(tracer.records()), 2)
    connections_in_summary(tracer, 2)


@test
def interim_records_do_not_count(lab):
    """-c 1 ends with the first last record, not with one that says how it is so far."""
    tracer, path = watch(lab, "--close-timeout=0.3", "-c", "1"), paths(lab)[0]
    connection = path.connect()
    connection.client.close()
    tracer.wait_for(1)
    time.sleep(0.5)
    equal("exit code", tracer.code, None)
    connection.server.close()
    equal("exit code", tracer.wait(), 0)
    equal("final", finals(tracer), [False, True])


@test
def interim_text(lab):
    """In text, and drawn, an interim record says "so far"."""
    for form in ("text", "ladder"):
        tracer = Tracer(lab, lab.client, PROGRAM, ("eth0",), "--close-timeout=0.3", "-v", f"--format={form}")
        tracer.wait_for_all()
        connection = paths(lab)[0].connect()
        connection.client.close()
        until(lambda: "unfinished" in tracer.stdout, "record")
        check("so far" in tracer.stdout, f"{form}: no \"so far\" in: {tracer.stdout}")
        before = tracer.stdout.count("so far")
        connection.server.close()
        until(lambda: "graceful" in tracer.stdout, "last record")
        equal("times \"so far\"", tracer.stdout.count("so far"), before)
        tracer.kill()


@test
def silence_of_all_segments(lab):
    """With --all-segments the silence before a close is known live, whoever closes; without them it is null."""
    for options in ((), ("--all-segments",)):
        for path in paths(lab):
            tracer = watch(lab, *options)
            connection = path.connect()
            talk(connection)
            time.sleep(1.5)
            close_in_turn(*(connection[:2] if path.version == 4 else connection[1::-1]))
            tracer.wait_for(1)
            silence = one_each(tracer.stop(), [connection.key])[connection.key]["tcp"]["silence"]
            if options:
                check(silence and 1.4e9 < silence < 3e9, f"silence is {silence}")
            else:
                equal("silence", silence, None)


@test
def scan_without_answers(lab):
    """2,000 SYNs without an answer: so many interim records at once, the others are counted; each gets its last one."""
    tracer, syns = watch(lab, "--syn-timeout=0.3", "--idle-timeout=3"), Syns(lab)
    with lab.server.dropping("tcp dport 9"):
        for port in range(2000):
            syns.send(10000 + port, 1000)
        until(lambda: sum(finals(tracer)) >= 2000, "last records", 15, 0.3)
    records = tracer.stop()
    interim = len(finals(tracer)) - sum(finals(tracer))
    equal("connections", (len(records), sum(finals(tracer))), (2000, 2000))
    check(1000 <= interim < 1500, f"{interim} interim records")
    equal("interim_limited", counter(tracer, "interim_limited"), 2000 - interim)
    connections_in_summary(tracer, 2000)


@test
def closes_that_fill_the_table(lab):
    """1,100 half closed connections in room for 1,024: the oldest are given up, and the next closes are all seen."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    tracer, path = watch(lab, "--close-timeout=0.3", "--max-closing=1024", "--no-sockets"), paths(lab)[0]
    kept = [path.connect() for _ in range(1100)]
    for n, connection in enumerate(kept):
        connection.client.close()
        if n % 100 == 99:
            time.sleep(0.3)  # so that they are in interim records
    until(lambda: sum(finals(tracer)) >= 1100 - 1024 * 7 // 8, "records of those that are given up")
    given_up = {record["source"]["port"] for record in tracer.records() if record["tcp"]["final"]}
    ports = [connection.key[1] for connection in kept]
    check(set(ports[:100]) <= given_up, "the oldest are not all given up")
    newest = max(ports.index(port) for port in given_up)
    check(newest < 700, f"of {len(given_up)} given up, the newest is number {newest}")
    keys = [connection.key for connection in kept]
    for connection in kept[-100:]:
        connection.server.close()
    records = one_each(tracer.stop(), keys)
    equal("graceful", sum(record["tcp"]["outcome"] == "graceful" for record in records.values()), 100)
    check(counter(tracer, "interim_evicted") >= len(given_up), "not all of them are counted")
    equal("closing_full", counter(tracer, "closing_full"), 0)


if __name__ == "__main__":
    suite.main(sys.argv)
