#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
What is printed about packets that nobody wrote: the golden captures with bytes of their packets changed, in each
format. Every line of JSON is one object to Python and to jq, and holds what every record must; no format prints control
bytes.

output.py [SEED]     another seed changes other bytes; what fails is kept in build/output
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))

import tracer  # noqa: E402
from build_captures import build  # noqa: E402

KEPT = os.path.join(TOP, "build", "output")
FORMATS = ("text", "csv", "ladder")
COUNT_OBJECTS = 'reduce inputs as $r (0; if ($r | type) == "object" then . + 1 else error("no object") end)'
# Of a capture, the head and the packets' heads stay: what they say is broken is tests/fuzz/fuzz_capture.c's matter.
FILE_HEAD, PACKET_HEAD = 24, 16
ORDERS = {bytes.fromhex("d4c3b2a1"): "<", bytes.fromhex("4d3cb2a1"): "<",
          bytes.fromhex("a1b2c3d4"): ">", bytes.fromhex("a1b23c4d"): ">"}


def packet_spans(data):
    """(first byte, byte after the last) of each packet of a pcap file; none of other files."""
    order, at = ORDERS.get(data[:4]), FILE_HEAD
    while order and at + PACKET_HEAD <= len(data):
        captured = struct.unpack_from(order + "I", data, at + 8)[0]
        at += PACKET_HEAD
        if at + captured > len(data):
            return
        yield at, at + captured
        at += captured


def changed(data, chance):
    """Bytes of half of the packets; most of them where headers are."""
    data = bytearray(data)
    for begin, end in packet_spans(bytes(data)):
        for _ in range(chance.choice((0, 0, 1, 3)) if end > begin else 0):
            at = begin + min(int(chance.expovariate(1 / 40)), end - begin - 1)
            data[at] = chance.choice((0, 1, 0xff, chance.randrange(256), data[at] ^ 1 << chance.randrange(8)))
    return bytes(data)


def unique(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name twice: {names}")
    return dict(pairs)


def no_number(text):
    raise ValueError(f"{text} is no JSON")


def end_faults(process):
    return tracer.error_faults(process, process.returncode if process.returncode in (0, 1) else 0)


def faults_of(capture, lines):
    """lines: takes the lines of JSON, for jq."""
    process = tracer.trace(capture, "json", ["--show-open"])
    faults = end_faults(process)
    if not tracer.printable(process.stdout):
        faults.append("json: control bytes")
    try:
        records = [json.loads(line, object_pairs_hook=unique, parse_constant=no_number)
                   for line in process.stdout.decode("utf-8").splitlines()]
    except ValueError as error:
        return faults + [f"json: {error}"]
    lines.append(process.stdout)
    for record in records:
        faults += tracer.record_faults(record)
    for form in FORMATS:
        process = tracer.trace(capture, form, ["--show-open", "-v"] if form == "ladder" else ["--show-open"])
        faults += end_faults(process) + tracer.format_faults(form, process, len(records))
    return faults


def keep(name, data):
    os.makedirs(KEPT, exist_ok=True)
    path = os.path.join(KEPT, name + ".pcap")
    with open(path, "wb") as out:
        out.write(data)
    return path


def check(name, data, folder, lines):
    path = os.path.join(folder, "changed.pcap")
    with open(path, "wb") as out:
        out.write(data)
    faults = faults_of(path, lines)
    print(f"not ok {name} - {'; '.join(faults)[:500]} ({keep(name, data)})" if faults else f"ok {name}")
    return not faults


def jq_agrees(lines):
    """All lines at once: jq must find as many objects as there are lines."""
    text = b"".join(lines)
    process = subprocess.run(["jq", "-n", COUNT_OBJECTS], input=text, capture_output=True, check=False)
    count = text.count(b"\n")
    if process.stdout.strip() == str(count).encode() and count:
        print(f"ok jq ({count} records)")
        return True
    print(f"not ok jq - {count} lines, jq: {process.stdout!r} {process.stderr!r}")
    return False


def main(arguments):
    seed, lines, results = arguments[0] if arguments else "1", [], []
    with tempfile.TemporaryDirectory(prefix="tcpfin-output-") as folder:
        for name, path in sorted(build(os.path.join(folder, "captures")).items()):
            with open(path, "rb") as file:
                data = file.read()
            results.append(check(name, changed(data, random.Random(f"{seed} {name}")), folder, lines))
    results.append(jq_agrees(lines))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed, 0 skipped")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
