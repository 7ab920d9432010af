#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
join.py TCPFIN-TRACE [NAME...]: two agents, and a box between them that loses, delays, injects and translates. Every
line of the box's log is in the path of the joined records, and there is nothing else. As root. lab/harness.py has how
tests are run and what they print; of tests that are named, a table as well: what the box did, what each end's agent
said, and what --join says.
"""
import json
import subprocess
import sys
import time
from collections import Counter

from lab.box import DELAY, FIN_ONWARD, LOSE, OUTSIDE, RESET, RESET_ONWARD, Box, Deed
from lab.closes import Path, abort, close_in_turn, receive, talk
from lab.harness import PROGRAM, Suite, about
from lab.netlab import ACK, FIN, PSH, RST, SYN, Tracer, check, equal

suite = Suite()
test = suite.test

DELAYS = 0.005  # s each way
LETTERS = {"F": FIN, "S": SYN, "R": RST, "P": PSH, ".": ACK}


# ---- connections that the box does something to, each once ----

def close(connection):
    """A question and an answer, closed by the client."""
    talk(connection)
    time.sleep(0.05)  # all is acknowledged: the FIN is alone on its way
    close_in_turn(connection.client, connection.server)


def closed_by_server(connection):
    talk(connection)
    time.sleep(0.05)
    close_in_turn(connection.server, connection.client)


def aborted(connection):
    """The client's RST is lost. The server is left alone, and closes when that RST would long have come."""
    talk(connection)
    time.sleep(0.05)
    abort(connection.client)
    time.sleep(1.2)
    connection.server.close()
    time.sleep(0.1)


def reset(connection):
    """The box answers this question by ending the connection in both names."""
    talk(connection)
    time.sleep(0.05)
    connection.client.sendall(b"?" * 7)
    time.sleep(0.2)
    abort(connection.client)
    abort(connection.server)


def reset_at_server(connection):
    """The server is told that the client has aborted. What the client sends then, the server's kernel answers."""
    talk(connection)
    time.sleep(0.05)
    connection.client.sendall(b"?" * 7)
    time.sleep(0.2)
    abort(connection.server)
    connection.client.sendall(b"!" * 9)
    time.sleep(0.1)
    abort(connection.client)


def fin_at_server(connection):
    """The server is told that the client has nothing more to send, a while before that is so."""
    talk(connection)
    time.sleep(0.05)
    connection.client.sendall(b"?" * 7)
    receive(connection.server, 7)
    time.sleep(0.2)
    close_in_turn(connection.client, connection.server)


def flags_are(wanted, up):
    return lambda is_up, flags, _length: is_up == up and flags & (SYN | FIN | RST) == wanted


def question(up, _flags, length):
    return up and length == 7


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


CASES = {
    "nothing": ((), close),
    "client_fin_lost": ([(LOSE, flags_are(FIN, True))], close),
    "server_fin_lost": ([(LOSE, flags_are(FIN, False))], closed_by_server),
    "syn_lost": ([(LOSE, flags_are(SYN, True))], close),
    "syn_ack_lost": ([(LOSE, syn_ack), (LOSE, SecondSyn())], close),
    "last_ack_lost": ([(LOSE, LastAck())], close),
    "reset_lost": ([(LOSE, flags_are(RST, True))], aborted),
    "client_fin_delayed": ([(DELAY, flags_are(FIN, True))], close),
    "server_fin_delayed": ([(DELAY, flags_are(FIN, False))], closed_by_server),
    "reset_made": ([(RESET, question)], reset),
    "reset_made_for_server": ([(RESET_ONWARD, question)], reset_at_server),
    "fin_made_for_server": ([(FIN_ONWARD, question)], fin_at_server),
}


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
    _, perform = CASES[name]
    before = len(box.entries())
    perform(path.connect())
    time.sleep(0.1)
    return Counter(deed_of_log(entry) for entry in box.entries()[before:])


def judge(name, record, log):
    with about(name):
        equal("views", len(record["tcp"]["views"]), 2)
        check(record["tcp"]["path"] is not None, "the order of the views is not known")
        counts = Counter()
        for entry in record["tcp"]["path"]:
            counts[deed_of_path(entry)] += entry.get("count", 1)
        equal("path less log", sorted((counts - log).elements()), [])
        equal("log less path", sorted((log - counts).elements()), [])
        first, second = record["tcp"]["views"]
        equal("views in order", (first["clock"]["ahead"], abs(second["clock"]["ahead"]) <= second["clock"]["error"]),
              (0, True))
        if name.startswith("reset_made"):
            equal("closer", record["tcp"]["closer"], "network")
        elif name == "nothing":
            equal("verdict", (record["tcp"]["outcome"], record["tcp"]["closer"]), ("graceful", "source"))


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
    lists = [[Deed(*deed) for deed in deeds] for deeds, _ in CASES.values()]
    box, logs = Box(lab, DELAYS, *lists, translate=translate), {}
    path, agents = Path(lab.client, lab.server, address), Agents(lab)
    for number, (name, (deeds, _)) in enumerate(CASES.items()):
        box.choose(number)
        logs[name] = play(path, box, name)
        check(bool(logs[name]) == bool(deeds), f"{name}: the box did {logs[name]}")
    time.sleep(1)
    records = sorted(agents.joined(), key=lambda record: record["event"]["start"])
    equal("connections", len(records), len(CASES))
    alone = [sorted(tracer.records(), key=lambda record: record["event"]["start"])
             for tracer in agents.tracers]
    rows = []
    for record, ends, (name, log) in zip(records, zip(*alone), logs.items()):
        judge(name, record, log)
        rows.append(table_row(name, log, [end["tcp"] for end in ends], record))
        equal("translated", record["source"].get("nat", {}).get("ip"), OUTSIDE[version == 6] if translate else None)
    return rows


@test
def box_ipv4(lab):
    """Lost, delayed and made segments of each kind."""
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
