#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
waits.py TCPFIN-TRACE [NAME...]: waits that are reported while they last, and the last records that replace them. As
root. lab/harness.py has how tests are run and what they print.
"""
import re
import resource
import signal
import socket
import struct
import sys
import time

from lab import frames
from lab.closes import abort, close_in_turn, reset_has_come, talk
from lab.harness import (PROGRAM, TRACEPOINTS, Suite, about, expect, key_of, one_each, paths, raw_socket, watch,
                         with_raw_tracepoints)
from lab.netlab import ACK, FIN, PSH, RST, SYN, Tracer, check, equal, ipv4, ipv6, mac, until

suite = Suite(workers=3)
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
    """With --all-segments the silence before a close is known live, whoever closes; without both it is null."""
    for options in (("--no-sockets",), ("--all-segments", "--no-sockets")):
        for path in paths(lab):
            tracer = watch(lab, *options)
            connection = path.connect()
            talk(connection)
            time.sleep(1.5)
            close_in_turn(*(connection[:2] if path.version == 4 else connection[1::-1]))
            tracer.wait_for(1)
            silence = one_each(tracer.stop(), [connection.key])[connection.key]["tcp"]["silence"]
            if "--all-segments" in options:
                check(silence and 1.4e9 < silence < 3e9, f"silence is {silence}")
            else:
                equal("silence", silence, None)


# ---- silence, from the sockets of this host ----

SILENCE = 1.3  # s
ETH_P_ALL = 3
TICKS = 0.025  # s: two of the kernel's ticks, if it has 100 a second, and a little


class Silence:
    """By the clock of the endpoints: between last payload and the end."""

    def __init__(self):
        self.last = None  # when the last payload passed: at the earliest and at the latest
        self.end = None

    def spoke(self, since):
        self.last = since, time.monotonic()

    def ends(self, action):
        before = time.monotonic()
        action()
        self.end = before, time.monotonic()

    def compare(self, record, at_most=False, room=0.0):
        """room: s that the record's value may be too large."""
        low, high = self.end[0] - self.last[1] - TICKS, self.end[1] - self.last[0] + TICKS + room
        silence = record["tcp"]["silence"]
        check(silence is not None and low * 1e9 <= silence <= high * 1e9,
              f"silence is {silence}, expected {low:.3f} to {high:.3f} s")
        equal("silence_at_most", record["tcp"]["silence_at_most"], at_most)


def talked(path):
    """A connection that carried a question and an answer just now, and its silence."""
    connection, silence, since = path.connect(), Silence(), time.monotonic()
    talk(connection)
    silence.spoke(since)
    return connection, silence


def after_silence(lab, endings):
    """The ends of connections, one for each, after the silence; each family. {key: (name, silence, at_most, room)}."""
    opened = [(name, *talked(path), *more) for path in paths(lab) for name, *more in endings]
    time.sleep(SILENCE)
    played = {}
    for name, connection, silence, end, at_most, room in opened:
        silence.ends(lambda c=connection, act=end: act(lab, c))
        played[connection.key] = name, silence, at_most, room
    return played, opened


def judge_silences(records, played):
    for key, record in one_each(records, played).items():
        name, silence, at_most, room = played[key]
        with about(f"{name}, IPv{key[0]}"):
            silence.compare(record, at_most, room)


def last_words(lab, connection):
    """A question that the other host's packet filter answers by an RST."""
    with lab.server.filtering(f"tcp dport {connection.key[2]}", "reject with tcp reset"):
        connection.client.send(b"still there?")
        until(lambda: reset_has_come(connection.client), "reset")


def lost_words(lab, connection):
    """A question that is dropped, again and again, until its sender gives up by an RST."""
    with lab.server.dropping(f"tcp dport {connection.key[2]} tcp flags & rst == 0"):
        connection.client.send(b"still there?")
        time.sleep(0.5)
        abort(connection.client)


# Name, what ends it, whether payload may hide an earlier one, and for how long (s) that was repeated.
ENDINGS = (
    ("the client's FIN", lambda lab, c: close_in_turn(c.client, c.server), False, 0),
    ("the server's FIN", lambda lab, c: close_in_turn(c.server, c.client), False, 0),
    ("the client's RST", lambda lab, c: abort(c.client), False, 0),
    ("the server's RST", lambda lab, c: abort(c.server), False, 0),
    ("half closed for long", lambda lab, c: (c.client.shutdown(socket.SHUT_WR), c.server.sendall(b"late")), False, 0),
    ("a RST that answers payload", last_words, True, 0),
    ("payload without an answer", lost_words, True, 0),
)


@test
def silence_of_sockets(lab):
    """Both ends are on this host: FIN and RST by either end, payload that a RST answers, or nothing."""
    tracer = watch(lab, "--close-timeout=0.5", "--syn-timeout=0.5")
    played, opened = after_silence(lab, ENDINGS)
    never = [path.connect() for path in paths(lab)]
    time.sleep(0.3)
    for connection in never:
        close_in_turn(connection.client, connection.server)
    for _, connection, *_ in opened:
        connection.client.close()
        connection.server.close()
    tracer.wait_for(len(played) + len(never), 10)
    records = tracer.stop()
    mute = {connection.key for connection in never}
    judge_silences([record for record in records if key_of(record) not in mute], played)
    for record in records:
        if key_of(record) in mute:
            expect(record, {"tcp.silence": None, "tcp.silence_at_most": False})


REPEATED = 3.5  # s for which payload is repeated: four copies, and the time-out has grown to 3.2 s
PROBE = 0.3     # s: Linux may send a first copy as a loss probe, of which its socket keeps no time

REPEATED_ENDINGS = (
    ("the sender's RST", lambda c: abort(c.client)),
    ("the other end's RST", lambda c: abort(c.server)),
    ("the other end's FIN", lambda c: c.server.shutdown(socket.SHUT_WR)),
)


@test
def silence_before_repeated_payload(lab):
    """
    Payload that nothing answers is sent again and again: the silence ended when it was first sent. Programs at raw
    tracepoints read the same.
    """
    raw = with_raw_tracepoints(lab, TRACEPOINTS)
    tracers, played = [watch(lab, "--close-timeout=1", program=program) for program in (None, raw)], {}
    opened = [(name, *talked(path), end) for path in paths(lab) for name, end in REPEATED_ENDINGS]
    time.sleep(SILENCE)
    with lab.server.dropping("meta l4proto tcp tcp flags & rst == 0"):
        for name, connection, silence, _ in opened:
            silence.ends(lambda c=connection: c.client.send(b"still there?"))
            played[connection.key] = name, silence, True, PROBE
        time.sleep(REPEATED)
        for *_, connection, _, end in opened:
            end(connection)
        time.sleep(1.5)
        found = [tracer.stop() for tracer in tracers]
    for records in found:
        judge_silences(records, played)


@test
def silence_older_than_the_watch(lab):
    """The watch begins in the silence of a connection: its socket knows how long that has been."""
    opened = [(*talked(path), number) for path in paths(lab) for number in range(2)]
    tracer, played = watch(lab), {}
    time.sleep(SILENCE)
    for connection, silence, number in opened:
        first, second = connection[number], connection[1 - number]
        silence.ends(lambda first=first, second=second: close_in_turn(first, second))
        played[connection.key] = f"closed by {number}", silence, False, 0
    tracer.wait_for(len(played))
    judge_silences(tracer.stop(), played)


class FarServer:
    """A server that is no socket of this host: it answers byte by byte, at an address that no interface has."""

    def __init__(self, lab, six):
        self.own, self.peer = ("fd99:0::77", ipv6(0, 1)) if six else ("10.99.0.77", ipv4(0, 1))
        lab.client.run(f"ip neighbour replace {self.own} lladdr {mac(0, 2)} dev eth0 nud permanent")
        self.wire = lab.stack.enter_context(lab.server.socket(socket.AF_PACKET, socket.SOCK_RAW))
        self.wire.bind(("eth0", ETH_P_ALL))
        self.wire.settimeout(3)
        self.client = lab.client.socket(socket.AF_INET6 if six else socket.AF_INET)
        lab.stack.callback(self.client.close)
        self.client.bind((self.peer, 0))
        self.port, self.seq, self.ack = self.client.getsockname()[1], 7000, 0
        self.key = 6 if six else 4, self.port, 80

    def hear(self, flags):
        """Waits for the client's next segment with these flags, and takes its numbers."""
        start = 54 if ":" in self.own else 34
        while True:
            frame = self.wire.recv(2000)
            if frame[12:14] != (b"\x86\xdd" if ":" in self.own else b"\x08\x00") or len(frame) < start + 20:
                continue
            source, _, seq, _, offset, got = struct.unpack_from("!HHIIBB", frame, start)
            if source == self.port and got & flags == flags:
                payload = len(frame) - start - (offset >> 4) * 4
                self.ack = (seq + payload + bool(got & (SYN | FIN))) & 0xffffffff
                return

    def say(self, flags, payload=b""):
        segment = frames.tcp_segment(self.own, self.peer, (80, self.port), flags, self.seq, self.ack, payload)
        packet = frames.ip_packet(self.own, self.peer, segment)
        self.wire.send(frames.ethernet(mac(0, 2), mac(0, 1), (), packet))
        self.seq += len(payload) + bool(flags & (SYN | FIN))

    def talk(self):
        """Handshake, question and answer."""
        self.client.setblocking(False)
        self.client.connect_ex((self.own, 80))
        self.hear(SYN)
        self.say(SYN | ACK)
        self.hear(ACK)
        self.client.settimeout(3)
        silence, since = Silence(), time.monotonic()
        self.client.send(b"question")
        self.hear(PSH)
        self.say(ACK | PSH, b"answer")
        self.client.recv(10)
        silence.spoke(since)
        return silence

    def reset_question(self):
        """The server has forgotten the connection."""
        self.client.send(b"still there?")
        self.hear(PSH)
        self.say(RST)
        until(lambda: reset_has_come(self.client), "reset")

    def finish_after(self, payload):
        self.say(FIN | ACK | (PSH if payload else 0), payload)
        self.client.recv(10)
        self.client.close()
        self.hear(FIN)
        self.say(ACK)


FAR_ENDINGS = (
    ("the far end's FIN", lambda far: far.finish_after(b""), False),
    ("the far end's FIN with payload", lambda far: far.finish_after(b"last"), True),
    ("the far end's RST", lambda far: far.say(RST | ACK), False),
    ("the near end's RST", lambda far: abort(far.client), False),
    ("a RST that answers payload", lambda far: far.reset_question(), True),
)


@test
def silence_of_one_socket(lab):
    """One end is elsewhere: its FIN, with and without payload, a RST by either end, payload that a RST answers."""
    tracer, played = watch(lab), {}
    opened = [(name, FarServer(lab, six), end, at_most) for six in (False, True) for name, end, at_most in FAR_ENDINGS]
    silences = [far.talk() for _, far, *_ in opened]
    time.sleep(SILENCE)
    for (name, far, end, at_most), silence in zip(opened, silences):
        silence.ends(lambda far=far, end=end: end(far))
        played[far.key] = name, silence, at_most, 0
    tracer.wait_for(len(played), 10)
    judge_silences(tracer.stop(), played)


@test
def silence_of_no_socket(lab):
    """No end is on this host: null."""
    tracer, wires = watch(lab), (raw_socket(lab.client), raw_socket(lab.server))
    for number, (client, server) in enumerate((("10.99.0.7", "10.99.0.8"), ("fd99:0::7", "fd99:0::8"))):
        packets = frames.conversation(client, server, (4000 + number, 80))
        frames.play([(up, frames.ethernet(mac(0, 1 if up else 2), mac(0, 2 if up else 1), (), packet))
                     for up, packet in packets], *(wire.send for wire in wires))
    tracer.wait_for(2)
    for record in tracer.stop():
        expect(record, {"tcp.silence": None, "tcp.silence_at_most": False})


@test
def silence_in_text(lab):
    """Ten seconds of silence before a RST are in the text line, in the sentence of -v and in the summary."""
    tracer = Tracer(lab, lab.client, PROGRAM, ("eth0",), "-v", "--format=text")
    tracer.wait_for_all()
    connections = [path.connect() for path in paths(lab)]
    for connection in connections:
        talk(connection)
    time.sleep(10.3)
    for connection in connections:
        abort(connection.server)
    until(lambda: tracer.stdout.count("silent") >= 4, "records")
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(), 0)
    for words in (r"silent 10\.\d", r"the connection had been silent for 10\.\d"):
        equal(f"lines with {words}", len(re.findall(words, tracer.stdout)), 2)
    check(re.search(r"^resets after .*10.* of silence: 2$", tracer.stderr, re.MULTILINE), f"not in: {tracer.stderr}")


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
