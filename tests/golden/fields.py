#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
The fields that are printed against those that tcpfin-trace-record(5) describes: the golden captures, records with what
no capture gives (field_list json), and --stuck and --time-wait on sockets of a network namespace. What is printed
stands in the page with its type, null and left out only where the page says so; what stands in the page is printed by
some case. The page's list is the one that the table of fields gives; CSV has the columns that the page names.

fields.py [sockets BINARY]     with `sockets`, in a namespace of its own: prints what the two tables say
"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import tracer

PAGE = os.path.join(tracer.TOP, "user", "man", "tcpfin-trace-record.5")
FIELD_LIST = os.path.join(tracer.TOP, "build", "tests", "field_list")
SEEDS = os.path.join(tracer.TOP, "tests", "golden", "captures")

# Sections of the page by the dataset that they describe.
SECTIONS = {"JSON": "tcpfin.close", "STUCK CLOSES": "tcpfin.stuck", "TIME-WAIT": "tcpfin.time_wait",
            "RATES": "tcpfin.rate", "JOINED CONNECTIONS": "tcpfin.joined", "STRAYS": "tcpfin.stray"}

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_natural(value):
    return is_integer(value) and value >= 0


def is_text(value):
    return isinstance(value, str)


TYPES = {
    "time": lambda v: is_text(v) and TIME.fullmatch(v), "ns": is_natural, "signed ns": is_integer,
    "bytes": is_natural, "count": is_natural, "number": is_natural, "fraction": lambda v: isinstance(v, (int, float)),
    "word": is_text, "text": is_text, "address": lambda v: re.fullmatch(r"[0-9a-f.:]+", v),
    "true or false": lambda v: isinstance(v, bool), "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "pairs": lambda v: isinstance(v, list) and len(v) == 2 and is_text(v[0]) and is_natural(v[1]),
}


# ---- the page ----

class Field:
    """What the page says of a path: .Em TYPE[ or null][, optional]"""

    def __init__(self, words):
        words, self.optional = re.subn(r", optional$", "", words)
        self.type, self.nullable = re.subn(r" or null$", "", words)

    def fault(self, value):
        if value is None:
            return None if self.nullable else "null"
        return None if TYPES[self.type](value) else f"{json.dumps(value)}, no {self.type}"


def documented(page):
    """Fields by path, by dataset."""
    found, fields = {dataset: {} for dataset in SECTIONS.values()}, None
    for line, following in zip(page, page[1:]):
        if line.startswith(".Sh "):
            fields = found.get(SECTIONS.get(line[4:]))
        elif fields is not None and line.startswith(".It Cm ") and following.startswith(".Em "):
            for path in line[7:].split(" , "):
                fields[path] = Field(following[4:].removesuffix(" ."))
    return found


def page_columns(page):
    return [name for line, before in zip(page[1:], page) if before == "CSV:" and line.startswith(".Cm ")
            for name in line[4:].removesuffix(" .").split(" , ")]


def list_in(page):
    """The part of the page that is made from the table."""
    marks = [n for n, line in enumerate(page) if line.startswith('.\\" fields ')]
    return page[marks[0] + 1:marks[1]] if len(marks) == 2 else None


# ---- what is printed ----

def leaves(value, path=""):
    """(path, value) of everything in an object, objects and arrays included; arrays of arrays are values."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and not path.endswith("[]"):
        for member in value:
            yield from leaves(member, path + "[]")


def object_faults(fields, one):
    """What is wrong with a printed object by the page, and the paths that it has."""
    faults, seen = set(), set()
    for path, value in leaves(one):
        seen.add(path)
        holds = any(known.startswith((path + ".", path + "[]")) for known in fields)
        if path in fields:
            fault = fields[path].fault(value)
            faults |= {f"{path} is {fault}"} if fault else set()
        elif not holds or not isinstance(value, (dict, list)):
            faults.add(f"{path} is not in the page")
    faults |= {f"{path} is left out" for path, field in fields.items()
               if not field.optional and path not in seen and not path.startswith("tcp_")}
    return faults, seen


def captures(folder):
    from build_captures import build  # not at the top: scapy looks for interfaces, and a new namespace has none
    paths = [os.path.join(SEEDS, name) for name in sorted(os.listdir(SEEDS))]
    return paths + [path for _, path in sorted(build(folder).items())]


def records():
    with tempfile.TemporaryDirectory(prefix="tcpfin-fields-") as folder:
        for path in captures(folder):
            yield from tracer.records_of(tracer.trace(path, "json", ["--show-open", "--all-segments"]))
    output = subprocess.run([FIELD_LIST, "json"], capture_output=True, check=True).stdout
    yield from (json.loads(line) for line in output.decode().splitlines())


def rates():
    output = subprocess.run([FIELD_LIST, "rates"], capture_output=True, check=True).stdout
    yield from (json.loads(line) for line in output.decode().splitlines())
    for name in sorted(os.listdir(SEEDS)):
        output = tracer.trace(os.path.join(SEEDS, name), "json", ["--top", "--by=port"]).stdout
        yield from (json.loads(line) for line in output.decode().splitlines())


def strays():
    from build_captures import CASES, build  # not at the top, as in captures()
    with tempfile.TemporaryDirectory(prefix="tcpfin-fields-") as folder:
        for path in build(folder, [name for name in CASES if name.startswith("strays_")]).values():
            yield from (one for one in tracer.records_of(tracer.trace(path, "json", ["--strays"]))
                        if one["event"]["dataset"] == "tcpfin.stray")
    output = subprocess.run([FIELD_LIST, "strays"], capture_output=True, check=True).stdout
    yield from (json.loads(line) for line in output.decode().splitlines())


# ---- sockets of a namespace ----

def pair(listener):
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]


def make_sockets():
    """Closes that stand still at either end, accepted or not, held or not; and a TIME-WAIT. Returns what stays open."""
    listener = socket.create_server(("127.0.0.1", 0))
    held, orphaned, done = pair(listener), pair(listener), pair(listener)
    held[0].shutdown(socket.SHUT_WR)
    orphaned[0].close()
    unaccepted = socket.create_connection(listener.getsockname())
    unaccepted.shutdown(socket.SHUT_WR)
    done[0].close()
    time.sleep(0.1)
    done[1].close()
    return listener, held, orphaned[1], unaccepted


def print_sockets(binary):
    """In a namespace without a route but its loopback."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    kept = make_sockets()
    time.sleep(1.2)
    for mode in ("--stuck=1", "--time-wait"):
        for netns in ([], [f"--netns={os.getpid()}"]):
            subprocess.run([binary, mode, *netns, "-q", "-c", "1", "--format=json"], check=True)
    assert kept


def socket_objects():
    """None where a namespace cannot be had."""
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        return None
    command = ["unshare", "--net", sys.executable, __file__, "sockets", tracer.BINARY]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    return [json.loads(line) for line in output.decode().splitlines()]


# ---- tests ----

class Results:
    passed = failed = skipped = 0

    def test(self, name, faults):
        faults = sorted(faults)
        print(f"not ok {name}" if faults else f"ok {name}")
        for fault in faults:
            print(f"    {fault}")
        self.failed += bool(faults)
        self.passed += not faults

    def skip(self, name, why):
        print(f"skip {name} - {why}")
        self.skipped += 1


def list_faults(page):
    made = subprocess.run([FIELD_LIST], capture_output=True, check=True).stdout.decode().splitlines()
    if list_in(page) == made:
        return []
    return ["the page's list of fields is not that of user/record/record_fields.h: run `make man-fields`"]


def column_faults(page):
    process = tracer.trace(os.path.join(SEEDS, "seed-ssh-close.pcap"), "csv")
    printed, known = set(process.stdout.decode().splitlines()[0].split(",")), set(page_columns(page))
    return ([f"{name} is not in the page" for name in printed - known] +
            [f"{name} is no column" for name in known - printed])


def dataset_faults(dataset, fields, objects):
    faults, seen, count = set(), set(), 0
    for one in objects:
        found, paths = object_faults(fields, one)
        faults, seen, count = faults | found, seen | paths, count + 1
        if one["event"]["dataset"] != dataset:
            faults.add(f"event.dataset is {one['event']['dataset']}")
    unseen = {path for path in fields if path not in seen and not path.startswith("tcp_")}
    faults |= {f"{path} stands in the page, and no case prints it" for path in unseen}
    return faults if count else {"no object was printed"}


def main():
    with open(PAGE, encoding="utf-8") as file:
        page = file.read().splitlines()
    fields, results = documented(page), Results()
    results.test("list", list_faults(page))
    results.test("columns", column_faults(page))
    results.test("tcpfin.close", dataset_faults("tcpfin.close", fields["tcpfin.close"], records()))
    results.test("tcpfin.rate", dataset_faults("tcpfin.rate", fields["tcpfin.rate"], rates()))
    results.test("tcpfin.stray", dataset_faults("tcpfin.stray", fields["tcpfin.stray"], strays()))
    objects = socket_objects()
    for dataset in ("tcpfin.stuck", "tcpfin.time_wait"):
        if objects is None:
            results.skip(dataset, "no network namespace can be made here")
            continue
        chosen = [one for one in objects if one["event"]["dataset"] == dataset]
        results.test(dataset, dataset_faults(dataset, fields[dataset], chosen))
    print(f"{results.passed} passed, {results.failed} failed, {results.skipped} skipped")
    return results.failed > 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["sockets"]:
        print_sockets(sys.argv[2])
    else:
        sys.exit(main())
