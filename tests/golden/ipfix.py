#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
What records say, IPFIX says: the golden captures are exported over TCP to a reader on libfixbuf, and every element of
every connection must be what its record has, and no other element be there. Several captures are read at a time; of
some the records are read back and exported again.

ipfix.py [CAPTURE...]     the golden captures, unless some are named
"""
import csv
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import tracer
from exported import differences, own_numbers
from tables import chosen

AT_A_TIME = 20
WAYS = ((), ("--all-segments",), ("--where", "close > 1ms or outcome = reset"))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
READER = os.path.join(TOP, "build", "tests", "ipfix_reader")
PRIMITIVES = os.path.join(TOP, "user", "ipfix", "nfacctd.primitives")
ENTERPRISE = 32473
TYPES = {"vlen": 13, "8": 4, "1": 11}  # by nfacctd's lengths: string, unsigned64, boolean (RFC 5610)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Reader:
    """The reader on libfixbuf; its lines go to a file."""

    def __init__(self, path):
        self.path, self.port = path, free_port()
        with open(path, "wb") as out:
            self.child = subprocess.Popen([READER, "tcp", "127.0.0.1", str(self.port)], stdout=out)
        self.wait_for("listening")

    def lines(self):
        with open(self.path, encoding="utf-8") as file:
            return [json.loads(line) for line in file.read().split("\n")[:-1]]

    def wait_for(self, word):
        end = time.monotonic() + 20
        while not any(word in line for line in self.lines()):
            if time.monotonic() > end or self.child.poll() is not None:
                raise OSError(f"the reader: nothing {word}")
            time.sleep(0.02)

    def end(self):
        """(exported records, {name: element as it was described}), once the exporter has closed."""
        self.wait_for("described")
        self.child.kill()
        self.child.wait()
        lines = self.lines()
        return ([line for line in lines if "template" in line],
                {line["element"]: line for line in lines if "element" in line})


def exported(captures, path, options):
    """(CSV rows, records, exported records, elements) of the captures in one run, or two that are equal."""
    reader = Reader(path)
    files = [f"--read={one}" for one in captures[1:]]
    rows = tracer.trace(captures[0], "csv", (*files, *options, f"--ipfix=127.0.0.1:{reader.port}",
                                             "--ipfix-transport=tcp"))
    records = tracer.trace(captures[0], "json", (*files, *options))
    found, elements = reader.end()
    return (list(csv.DictReader(io.StringIO(rows.stdout.decode()))),
            [json.loads(line) for line in records.stdout.decode().splitlines()], found, elements)


def record_faults(rows, records, found, read_back=False):
    if not len(rows) == len(records) == len(found):
        yield f"{len(found)} were exported of {len(records)}"
        return
    for row, record, one in zip(rows, records, found):
        for name, got, expected in differences(one, record, row, read_back):
            yield f"{record['event']['id']}: {name} is {got!r}, not {expected!r}"


def read_back_faults(records, path):
    """
    The same of the records as JSON lines, which are read and exported again. Connections of several captures can have
    one event.id, of which one record alone counts.
    """
    lines, by_id = path + ".json", {record["event"]["id"]: record for record in records}
    with open(lines, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in by_id.values())
    rows, again, found, _ = exported([lines], path, ())
    yield from record_faults(rows, again, found, read_back=True)


def element_faults(elements, columns):
    """Each was described, by the number that is its column's place."""
    numbers = own_numbers(columns)
    for name in sorted(numbers.keys() ^ elements.keys()):
        yield f"{name} is {'not ' if name in numbers else ''}described"
    for name in numbers.keys() & elements.keys():
        one = elements[name]
        if (one["enterprise"], one["number"]) != (ENTERPRISE, numbers[name]) or not one["description"]:
            yield f"{name} is described as {one}"


def primitive_faults(elements):
    """The file for nfacctd has each of them, with its type."""
    with open(PRIMITIVES, encoding="ascii") as file:
        own = {name: (int(number), TYPES[length]) for name, number, length in
               re.findall(rf"^name=(\w+)\s+field_type={ENTERPRISE}:(\d+)\s+len=(\w+)\s", file.read(), re.M)}
    for name in sorted(own.keys() | elements.keys()):
        there = elements.get(name) and (elements[name]["number"], elements[name]["type"])
        if own.get(name) != there:
            yield f"{PRIMITIVES}: {name} is {own.get(name)}, and exported as {there}"


def main(names):
    failed = passed = seen = 0
    with tempfile.TemporaryDirectory(prefix="tcpfin-ipfix-") as folder:
        path = os.path.join(folder, "exported")
        captures = [capture for _, capture in chosen(names, folder)]
        for first in range(0, len(captures), AT_A_TIME):
            some, options = captures[first:first + AT_A_TIME], WAYS[first // AT_A_TIME % len(WAYS)]
            rows, records, found, elements = exported(some, path, options)
            faults = list(record_faults(rows, records, found))
            seen += len(found)
            if records and first // AT_A_TIME % 4 == 1:
                faults += read_back_faults(records, path)
            if rows and not first:
                faults += [*element_faults(elements, list(rows[0])), *primitive_faults(elements)]
            passed, failed = (passed, failed + 1) if faults else (passed + 1, failed)
            name = f"{os.path.basename(some[0])} and {len(some) - 1} more"
            print(f"not ok {name} - {'; '.join(faults[:5])}" if faults else f"ok {name}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not seen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
