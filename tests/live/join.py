#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
join.py TCPFIN-TRACE [NAME...]: two agents, and a box between them that loses, delays, reorders, injects and translates.
Every line of the box's log is in the path of the joined records, and there is nothing else. As root. lab/harness.py has
how tests are run and what they print; of tests that are named, a table as well: what the box did, what each end's
agent said, and what --join says.
"""
import calendar
import json
import socket
import subprocess
import sys
import time
from collections import Counter

from lab.box import (DELAY, FIN_ONWARD, LOSE, OUTSIDE, REORDER, RESET, RESET_ONWARD, SYN_ACK_BACK, SYN_AHEAD,
                     SYN_ONWARD, Box, Deed)
from lab.closes import Path, abort, close_in_turn, heard_the_end, heard_the_reset, receive, talk
from lab.harness import PROGRAM, Suite, about
from lab.netlab import ACK, FIN, PSH, RST, SYN, Tracer, check, equal

suite = Suite(time_limit=180)  # a path of 21 connections takes 50 s where nothing else runs
test = suite.test

DELAYS = 0.005  # s each way
LETTERS = {"F": FIN, "S": SYN, "R": RST, "P": PSH, ".": ACK}


# ---- connections that the box does something to, each once ----

def opened(path):
    """A question and an answer, and all of it acknowledged: what comes next is alone on its way."""
    connection = path.connect()
    talk(connection)
    time.sleep(0.05)
    return connection


def close(path):
    connection = opened(path)
    close_in_turn(connection.client, connection.server)


def closed_by_server(path):
    connection = opened(path)
    close_in_turn(connection.server, connection.client)


def aborted(path):
    """The client's RST is lost. The server is left alone, and closes when that RST would long have come."""
    connection = opened(path)
    abort(connection.client)
    time.sleep(1.2)
    connection.server.close()
    time.sleep(0.1)


def closed_and_aborted(by_client):
    """The RST overtakes the FIN."""
    def perform(path):
        first, second = opened(path)[:2] if by_client else opened(path)[1::-1]
        first.shutdown(socket.SHUT_WR)
        abort(first)
        time.sleep(0.2)
        second.close()
    return perform


def closed_at_once(path):
    """The FIN overtakes the ACK that completes the handshake."""
    with path.listen() as listener:
        client = path.dial(listener.getsockname()[1])
        client.shutdown(socket.SHUT_WR)
        server, _ = listener.accept()
    heard_the_end(server)
    server.close()
    heard_the_end(client)
    client.close()


def reset_by_server(path):
    """The client takes the box's SYN-ACK, of whose numbers the server knows nothing."""
    with path.listen() as listener, path.dial(listener.getsockname()[1]) as client:
        heard_the_reset(client)
        time.sleep(0.2)


def reset(path):
    """The box answers this question by ending the connection in both names."""
    connection = opened(path)
    connection.client.sendall(b"?" * 7)
    time.sleep(0.2)
    abort(connection.client)
    abort(connection.server)


def reset_at_one(at_server):
    """One is told that the other one has aborted. What that one sends then, the first one's kernel answers."""
    def perform(path):
        told, other = opened(path)[1::-1] if at_server else opened(path)[:2]
        other.sendall(b"?" * 7)
        time.sleep(0.2)
        abort(told)
        other.sendall(b"!" * 9)
        time.sleep(0.1)
        abort(other)
    return perform


def asked_and_closed(by_client):
    """A question, behind which the box tells something; a while later who asked closes, as if nothing had been."""
    def perform(path):
        first, second = opened(path)[:2] if by_client else opened(path)[1::-1]
        first.sendall(b"?" * 7)
        receive(second, 7)
        time.sleep(0.2)
        close_in_turn(first, second)
    return perform


def closed_for_the_box(path):
    """The server closes because of the FIN that the box made; the client much later."""
    connection = opened(path)
    connection.client.sendall(b"?" * 7)
    receive(connection.server, 7)
    heard_the_end(connection.server)
    connection.server.close()
    time.sleep(0.3)
    connection.client.close()
    time.sleep(0.3)


def flags_are(wanted, up):
    return lambda is_up, flags, _length: is_up == up and flags & (SYN | FIN | RST) == wanted


def question(up, _flags, length):
    return up and length == 7


def question_of_server(up, _flags, length):
    return not up and length == 7


def handshake_ack(up, flags, length):
    return up and flags & (SYN | FIN | RST | ACK) == ACK and not length


def syn_ack(up, flags, _length):
    return not up and flags & (SYN | ACK) == SYN | ACK


class SecondSyn:
    """Else the server answers it while its own copy of the SYN-ACK is due: two within a millisecond count once."""

    def __init__(self):
        self.syns = 0

    def __call__(self, up, flags, _length):
        self.syns += up and flags & (SYN | ACK) == SYN
        return self.syns == 2


class LastAck:
    """The client's ACK of the server's FIN: the first pure ACK from the client behind that FIN."""

    def __init__(self):
        self.closed = False

    def __call__(self, up, flags, length):
        self.closed |= not up and bool(flags & FIN)
        return up and self.closed and flags & (SYN | FIN | RST | ACK) == ACK and not length


CASES = {  # what the box does, to what, and who closed
    "nothing": ((), close, "source"),
    "client_fin_lost": ([(LOSE, flags_are(FIN, True))], close, "source"),
    "server_fin_lost": ([(LOSE, flags_are(FIN, False))], closed_by_server, "destination"),
    "syn_lost": ([(LOSE, flags_are(SYN, True))], close, "source"),
    "syn_ack_lost": ([(LOSE, syn_ack), (LOSE, SecondSyn())], close, "source"),
    "last_ack_lost": ([(LOSE, LastAck())], close, "source"),
    "reset_lost": ([(LOSE, flags_are(RST, True))], aborted, "source"),
    "client_fin_delayed": ([(DELAY, flags_are(FIN, True))], close, "source"),
    "server_fin_delayed": ([(DELAY, flags_are(FIN, False))], closed_by_server, "destination"),
    "client_fin_reordered": ([(REORDER, flags_are(FIN, True))], closed_and_aborted(True), "source"),
    "server_fin_reordered": ([(REORDER, flags_are(FIN, False))], closed_and_aborted(False), "destination"),
    "handshake_ack_reordered": ([(REORDER, handshake_ack)], closed_at_once, "source"),
    "reset_made": ([(RESET, question)], reset, "network"),
    "reset_made_for_server": ([(RESET_ONWARD, question)], reset_at_one(True), "network"),
    "reset_made_for_client": ([(RESET_ONWARD, question_of_server)], reset_at_one(False), "network"),
    "fin_made_for_server": ([(FIN_ONWARD, question)], asked_and_closed(True), "source"),
    "fin_made_for_client": ([(FIN_ONWARD, question_of_server)], asked_and_closed(False), "destination"),
    "fin_made_that_ends": ([(FIN_ONWARD, question)], closed_for_the_box, "network"),
    "syn_made": ([(SYN_ONWARD, flags_are(SYN, True))], close, "source"),
    "syn_made_ahead": ([(SYN_AHEAD, flags_are(SYN, True))], close, "source"),
    "syn_ack_made": ([(SYN_ACK_BACK, flags_are(SYN, True))], close, "source"),
    "syn_ack_made_first": ([(SYN_ACK_BACK, flags_are(SYN, True)), (REORDER, syn_ack)], reset_by_server, "destination"),
}
NOT_TRANSLATED = {"syn_ack_made_first", "syn_made_ahead"}  # the ends know other numbers: addresses alone make it one
SLACK = 0.01  # s by which what a segment took and --join's delay may differ


# ---- two agents ----

class Agents:
    """The program at both ends of the box's path."""

    def __init__(self, lab, *options):
        self.lab = lab
        self.tracers = [Tracer(lab, namespace, PROGRAM, ("tun0",), "--format=json", "--no-sockets", *options)
                        for namespace in (lab.client, lab.server)]
        for tracer in self.tracers:
            tracer.wait_for_all()

    def joined(self):
        """Stops both. The joined records."""
        paths = []
        for tracer in self.tracers:
            tracer.stop()
            paths.append(self.lab.file("json"))
            with open(paths[-1], "w", encoding="utf-8") as out:
                out.write(tracer.stdout)
        done = subprocess.run([*PROGRAM, "-q", "--join", "--format=json", *paths], capture_output=True, text=True,
                              check=False)
        equal("exit code", (done.returncode, done.stderr), (0, ""))
        return [json.loads(line) for line in done.stdout.splitlines()]


def deed_of_log(entry):
    kept = entry["flags"] & (SYN | FIN | RST | ACK)
    return entry["what"], entry["up"], kept, entry["seq"], entry["ack"]


def deed_of_path(entry):
    flags = sum(LETTERS[letter] for letter in entry["flags"])
    number = entry["raw_seq"]
    return (entry["what"], entry["from"] == "source", flags & (SYN | FIN | RST | ACK), number,
            entry["raw_ack"] if flags & ACK else 0)


def play(path, box, name):
    """One case. Returns what the box's log says of it."""
    _, perform, _ = CASES[name]
    before = len(box.entries())
    perform(path)
    time.sleep(0.1)
    return Counter(deed_of_log(entry) for entry in box.entries()[before:])


def time_ns(text):
    """ns since 1970 of a record's time."""
    second, fraction = text.rstrip("Z").split(".")
    return calendar.timegm(time.strptime(second, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(fraction)


def took(entry, record, sent):
    """
    s beyond the box's delay from when the first agent saw the segment until the box sent it: on purpose, or because of
    the machine's load. All clocks are one.
    """
    seen = time_ns(record["tcp"]["views"][entry["view"]]["start"]) + entry["t"]
    times = [one["time"] for one in sent if deed_of_log(one)[1:] == deed_of_path(entry)[1:] and one["time"] > seen]
    return (times[0] - seen) / 1e9 - DELAYS if times else 0


def judge_delay(entry, record, sent, log):
    """The segment took as long as the entry says. Did the box do it? What load has done, however long, is in no log."""
    what, real = deed_of_path(entry), took(entry, record, sent)
    check(abs(entry["delay"] / 1e9 - real) < SLACK, f"{in_words({what: 1})} by {entry['delay'] / 1e9} s, it was {real}")
    return what in log


def judge(name, record, log, sent):
    with about(name):
        equal("views", sum(not view["made"] for view in record["tcp"]["views"]), 2)
        check(record["tcp"]["path"] is not None, "the order of the views is not known")
        counts = Counter()
        for entry in record["tcp"]["path"]:
            if entry["what"] != DELAY or judge_delay(entry, record, sent, log):
                counts[deed_of_path(entry)] += entry.get("count", 1)
        equal("path less log", sorted((counts - log).elements()), [])
        equal("log less path", sorted((log - counts).elements()), [])
        first, second = record["tcp"]["views"][:2]
        equal("views in order", (first["clock"]["ahead"], abs(second["clock"]["ahead"]) <= second["clock"]["error"]),
              (0, True))
        equal("closer", record["tcp"]["closer"], CASES[name][2])


def flags_text(bits):
    return "".join(letter for letter, bit in LETTERS.items() if bits & bit)


def in_words(deeds):
    """Of deeds of the log or the path."""
    return ", ".join(f"{what} {'>' if up else '<'}{flags_text(flags)}" + f" x{count}" * (count > 1)
                     for (what, up, flags, _, _), count in deeds.items()) or "-"


def verdict_of(tcp):
    return f"{tcp['outcome']}, {tcp['closer'] or 'unknown'}"


def table_row(name, log, ends, joined):
    """ends: what each agent alone said of the connection."""
    path = Counter()
    for entry in joined["tcp"]["path"]:
        path[deed_of_path(entry)] += entry.get("count", 1)
    return [name, in_words(log), *map(verdict_of, ends), verdict_of(joined["tcp"]), in_words(path)]


def print_table(tables):
    head = ["connection", "the box", "source's agent", "destination's agent", "joined", "path"]
    for rows in filter(None, tables):
        widths = [max(map(len, column)) for column in zip(head, *rows)]
        for row in [head, *rows]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def run_cases(lab, version, translate=False):
    address = "10.98.0.2" if version == 4 else "fd98::2"
    names = [name for name in CASES if not translate or name not in NOT_TRANSLATED]
    lists = [[Deed(*deed) for deed in CASES[name][0]] for name in names]
    box, logs = Box(lab, DELAYS, *lists, translate=translate), {}
    path, agents = Path(lab.client, lab.server, address), Agents(lab)
    for number, name in enumerate(names):
        box.choose(number)
        logs[name] = play(path, box, name)
        check(bool(logs[name]) == bool(CASES[name][0]), f"{name}: the box did {logs[name]}")
    time.sleep(1)
    records = sorted(agents.joined(), key=lambda record: record["event"]["start"])
    equal("connections", len(records), len(names))
    alone = {one["event"]["id"]: one for tracer in agents.tracers for one in tracer.records()}
    rows, sent = [], box.entries(sent=True)
    for record, (name, log) in zip(records, logs.items()):
        ends = [alone[view["id"]] for view in record["tcp"]["views"][:2]]
        judge(name, record, log, sent)
        rows.append(table_row(name, log, [end["tcp"] for end in ends], record))
        equal("translated", record["source"].get("nat", {}).get("ip"), OUTSIDE[version == 6] if translate else None)
    return rows


@test
def box_ipv4(lab):
    """Lost, delayed, reordered and made segments of each kind."""
    return run_cases(lab, 4)


@test
def box_ipv6(lab):
    """The same over IPv6."""
    return run_cases(lab, 6)


@test
def box_translates_ipv4(lab):
    """The server's agent knows the client by another address."""
    return run_cases(lab, 4, translate=True)


@test
def box_translates_ipv6(lab):
    """Another address over IPv6."""
    return run_cases(lab, 6, translate=True)


if __name__ == "__main__":
    suite.main(sys.argv, print_table if len(sys.argv) > 2 else None)
