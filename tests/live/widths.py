#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
widths.py TCPFIN-TRACE [NAME...]: what people read fits their terminal, in each mode but --top (top.py), by rules: no
line is wider, every value begins under its heading, sums agree. As root. lab/harness.py has how tests are run.
"""
import fcntl
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import termios
import time
import unicodedata

from lab.closes import SCENARIOS
from lab.harness import PROGRAM, Suite, about, paths, watch
from lab.netlab import check, equal

WIDTHS = (60, 80, 120, 200)
CAPTURES = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/captures", name)
            for name in ("seed-ssh-close.pcap", "seed-http6-close.pcap")]

suite = Suite()
test = suite.test


def width_of(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def read_all(master, process):
    """What the process writes to its terminal."""
    out = b""
    while True:
        try:
            if select.select([master], [], [], 0.2)[0]:
                out += os.read(master, 65536)
            elif process.poll() is not None:
                return out
        except OSError:
            return out


def lines_of(namespace, columns, *options):
    """The lines that the program writes to a terminal of that width, messages on stderr left out."""
    master, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with namespace:
        process = subprocess.Popen([*PROGRAM, *options], stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
                                   env=dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm"))
    os.close(terminal)
    text = re.sub(r"\x1b\[[0-9;]*m", "", read_all(master, process).decode()).replace("\r\n", "\n")
    equal("exit code", process.wait(), 0)
    os.close(master)
    lines = [line for line in text.splitlines() if not line.startswith("tcpfin-trace: ")]
    for line in lines:
        check(width_of(line) <= columns, f"{width_of(line)} columns of {columns}: {line}")
    return lines


def headings_of(line):
    """[(name, column)]: headings are separated by two blanks at least."""
    return [(found[0], found.start()) for found in re.finditer(r"\S+(?: \S+)*", line)]


def table(lines, first):
    """[{heading: value}] of the table whose line of headings begins with that; each value begins under its own."""
    at = next(i for i, line in enumerate(lines) if line.startswith(first))
    headings, rows = headings_of(lines[at]), []
    for line in lines[at + 1:]:
        if not line or line.startswith("...") or re.match(r"\d+ connection", line):
            break
        row = {}
        for (name, begin), (_, end) in zip(headings, [*headings[1:], ("", len(line))]):
            check(begin == 0 or line[begin - 1:begin] in ("", " "), f"{name}: what stands there in {line!r}?")
            check(line[begin:begin + 1] not in ("", " "), f"nothing under {name} in {line!r}")
            row[name] = line[begin:end].strip()
        rows.append(row)
    return rows


# ---- connections ----

@test
def text(lab):
    """One row a connection, and the summary."""
    for columns in WIDTHS:
        with about(f"{columns} columns"):
            lines = lines_of(lab.client, columns, *(f"-r{path}" for path in CAPTURES))
            head = next(line for line in lines if "SOURCE" in line)
            rows = table(lines, head.split()[0])[:len(CAPTURES)]
            equal("outcomes", ["graceful" in row["OUTCOME"] for row in rows], [True] * len(CAPTURES))
            check(columns < 80 or "CLOSER" in head, f"no closer: {head}")
            check(any(line.startswith("2 connections") for line in lines), f"no summary: {lines}")


@test
def ladder(lab):
    """The close drawn as two lifelines, which stand at one column in all lines."""
    for columns in WIDTHS:
        with about(f"{columns} columns"):
            lines = lines_of(lab.client, columns, "--format=ladder", *(f"-r{path}" for path in CAPTURES))
            check(any("FIN" in line for line in lines), f"no ladder: {lines}")


@test
def joined(lab):
    """--join of what was seen at both ends."""
    records = []
    for namespace in (lab.client, lab.server):
        records.append(lab.file(".json"))
    first = watch(lab)
    for path in paths(lab):
        for scenario in SCENARIOS[:3]:
            scenario.play(path)
    first.wait_for(6)
    made = first.stop()
    for path in records:
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n" for record in made)
    for columns in WIDTHS:
        with about(f"{columns} columns"):
            check(lines_of(lab.client, columns, "--join", *records), "nothing")


@test
def probed(lab):
    """--probe: what is missing stands under its heading, however long it is."""
    for columns in WIDTHS:
        with about(f"{columns} columns"):
            lines = lines_of(lab.client, columns, "--probe", "eth0", "lo")
            where = {name: begin for name, begin in headings_of(lines[0])}
            for line in lines[1:]:
                if not line[0].isspace():
                    check(line[where["HERE"] - 1] == " " and line[where["HERE"]] != " ", f"not under HERE: {line!r}")
                else:
                    equal(f"begin of {line!r}", len(line) - len(line.lstrip()), where["WITHOUT IT"])


# ---- this host's sockets ----

def half_closed(path, count):
    """So many closes of which the server's application owes its step."""
    for _ in range(count):
        c = path.connect()
        c.client.shutdown(socket.SHUT_WR)
        path.keep(c)


@test
def stuck(lab):
    """--stuck: three tables of the same closes."""
    both = paths(lab)
    half_closed(both[0], 3)
    half_closed(both[1], 2)
    time.sleep(0.3)
    for columns in WIDTHS:
        with about(f"{columns} columns"):
            lines = lines_of(lab.server, columns, "--stuck=0.1", "-c1")
            check(re.search(r"  5 closes have stood still", lines[0]), lines[0])
            equal("by process", sum(int(row["CLOSES"]) for row in table(lines, "PROCESS")), 5)
            equal("by pair", sum(int(row["CLOSES"]) for row in table(lines, "SOURCE")), 5)
            closes = table(lines, "SINCE")
            equal("closes", len(closes), 5)
            check(all(row["WHO MUST ACT"].startswith("this appl") for row in closes), f"{closes}")


@test
def time_wait(lab):
    """--time-wait: by host pair."""
    for path, count in zip(paths(lab), (3, 2)):
        for _ in range(count):
            SCENARIOS[0].play(path)
    for columns in WIDTHS:
        with about(f"{columns} columns"):
            lines = lines_of(lab.client, columns, "--time-wait", "-c1")
            check(re.search(r"  5 in TIME-WAIT", lines[0]), lines[0])
            rows = table(lines, "SOURCE")
            equal("by pair", sum(int(row["TIME-WAIT"]) for row in rows), 5)
            check(all("PER SEC" in row and "RUN OUT" in row for row in rows), f"what matters is left out: {rows}")


if __name__ == "__main__":
    suite.main(sys.argv)
