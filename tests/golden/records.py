#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Files of records (-r FILE.json): which record of a connection counts, filters, tables and checks over them, packed and
several files, and what is said of lines that cannot be used. That every form of output is the same as from the capture
itself is tested for each golden case (run.py).

records.py [NAME...]   Only tests whose names begin so.
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))

import tracer  # noqa: E402
from build_captures import build  # noqa: E402

TESTS = {}
CASES_OF = {"graceful": "g1_four_way", "reset": "r3_abort", "refused": "r1_refused", "reset6": "forged_rst_ipv6"}


def test(function):
    TESTS[function.__name__] = function
    return function


def run(*words, data=None):
    return subprocess.run([tracer.BINARY, *words], input=data, capture_output=True, timeout=30, env=tracer.ENVIRONMENT,
                          check=False)


def lines_of(records):
    return b"".join(json.dumps(r, separators=(",", ":")).encode() + b"\n" for r in records)


def summary(process):
    """The counts of the summary: word -> number."""
    words = [line.split() for line in process.stderr.decode().splitlines()]
    counts = {w[0]: int(w[1]) for w in words if len(w) > 1 and w[1].isdigit()}
    return {**counts, "connections": next((int(w[0]) for w in words if w[1:] in (["connection"], ["connections"])), 0)}


def expect(what, got, wanted):
    return [] if got == wanted else [f"{what}: {got!r}, expected {wanted!r}"]


def waiting(record, outcome="unanswered"):
    """The interim record of a connection, before its final one."""
    tcp = {**record["tcp"], "final": False, "outcome": outcome}
    return {**record, "tcp": tcp}


@test
def final_record_counts(r):
    """The interim record is printed as it was when it was news, and its connection counts once, by the final one."""
    lines = lines_of([waiting(r["graceful"]), r["reset"], r["graceful"]])
    process = run("-r", "-", "--format=json", data=lines)
    counts = summary(process)
    return (expect("lines", len(process.stdout.splitlines()), 3)
            + expect("connections", counts["connections"], 2)
            + expect("unanswered", counts.get("unanswered"), None)
            + expect("graceful", counts.get("graceful"), 1))


@test
def interim_record_counts_where_none_follows(r):
    """Of two interim records of one connection, the last one counts."""
    lines = lines_of([waiting(r["graceful"]), r["reset"], waiting(r["graceful"], "unfinished")])
    counts = summary(run("-r", "-", "--format=json", data=lines))
    return (expect("connections", counts["connections"], 2) + expect("unfinished", counts.get("unfinished"), 1)
            + expect("unanswered", counts.get("unanswered"), None))


@test
def repeated_final_record_counts_once(r):
    process = run("-r", "-", data=lines_of([r["graceful"], r["graceful"]]))
    said = b"not counted again: 1" in process.stderr
    return expect("connections", summary(process)["connections"], 1) + expect("it is said", said, True)


@test
def filters_hold(r):
    lines, faults = lines_of(r.values()), []
    for option, wanted in ((["--outcome=refused"], ["refused"]), (["-6"], ["reset6"]),
                           (["--where", "outcome = 'graceful'"], ["graceful"]), (["--port=!443"], []),
                           (["--closer=source", "-4", "--outcome=reset"], ["reset"])):
        process = run("-q", "-r", "-", "--format=json", *option, data=lines)
        ids = [json.loads(line)["event"]["id"] for line in process.stdout.splitlines()]
        faults += expect(f"{option}", ids, [r[name]["event"]["id"] for name in wanted])
    return faults


@test
def expression_holds(r):
    process = run("-q", "-r", "-", "--format=json", "ip6 and port 443", data=lines_of(r.values()))
    return expect("records", len(process.stdout.splitlines()), 1)


@test
def check_holds(r):
    lines = lines_of(r.values())
    return (expect("exit", run("-q", "-r", "-", "--check=resets > 1", data=lines).returncode, 5)
            + expect("exit", run("-q", "-r", "-", "--check=resets > 9", data=lines).returncode, 0))


@test
def table_has_all(r):
    process = run("-q", "-r", "-", "--top=3600", "--by=outcome", "--format=json", data=lines_of(r.values()))
    rows = [json.loads(line)["rate"] for line in process.stdout.splitlines()]
    total = [row["connections"] for row in rows if row["span"] == "run" and row["row"] == "total"]
    return expect("total", total, [len(r)])


@test
def table_counts_interim_records_that_stay(r):
    lines = lines_of([r["graceful"], waiting(r["reset"])])
    process = run("-q", "-r", "-", "--top=3600", "--by=outcome", "--format=json", data=lines)
    rows = [json.loads(line)["rate"] for line in process.stdout.splitlines()]
    outcomes = [row["outcome"]["unanswered"] for row in rows if row["span"] == "run" and row["row"] == "total"]
    return expect("unanswered", outcomes, [1])


@test
def processes_have_a_column(r):
    process = {"pid": 7, "name": "shop", "uid": 0, "cgroup": 1, "netns": 1, "how": "close"}
    named = {**r["graceful"], "source": {**r["graceful"]["source"], "process": process}}
    text = run("-q", "-r", "-", data=lines_of([r["reset"], named])).stdout.decode()
    return expect("column", "PROCESS" in text and ">shop[7] close" in text, True)


@test
def count_and_duration_stop(r):
    lines = lines_of(r.values())
    late = {**r["graceful"], "@timestamp": "2027-01-01T00:00:00.000000000Z"}
    two = run("-q", "-r", "-", "-c", "2", "--format=json", data=lines).stdout
    soon = run("-q", "-r", "-", "-d", "0.001", "--format=json", data=lines_of([r["reset"], late])).stdout
    return expect("-c 2", len(two.splitlines()), 2) + expect("-d", len(soon.splitlines()), 1)


@test
def packed_and_several_files(r):
    """gzip, and the records of several files in the order of their last steps."""
    with tempfile.TemporaryDirectory(prefix="tcpfin-records-") as folder:
        paths = [os.path.join(folder, name) for name in ("a.json.gz", "b.json")]
        late = {**r["graceful"], "@timestamp": "2027-01-01T00:00:00.000000000Z"}
        with gzip.open(paths[0], "wb") as file:
            file.write(lines_of([r["reset"], late]))
        with open(paths[1], "wb") as file:
            file.write(lines_of([r["refused"]]))
        process = run("-q", "-r", *paths, "--format=json")
    got = [json.loads(line)["tcp"]["outcome"] for line in process.stdout.splitlines()]
    return expect("outcomes", sorted(got[:2]) + got[2:], ["refused", "reset", "graceful"])


@test
def captures_are_read_apart(r):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(lines_of([r["reset"]]))
        file.flush()
        process = run("-r", file.name, os.path.join(TOP, "tests/golden/captures/seed-ssh-close.pcap"))
    return (expect("exit", process.returncode, 1)
            + expect("said", b"records and captures are read apart" in process.stderr, True))


@test
def broken_line_is_named(r):
    """What came before it is reported; the error has the line's number, and is the only one."""
    lines = lines_of([r["reset"], r["graceful"]]) + b'{"event":{"dataset":"tcpfin.close"}}\n' + lines_of([r["refused"]])
    process = run("-q", "-r", "-", "--format=json", data=lines)
    said = process.stderr.decode()
    return (expect("records", len(process.stdout.splitlines()), 2) + expect("exit", process.returncode, 1)
            + expect("line", "standard input:3: no readable record:" in said and said.count("\n") == 1, True))


@test
def cut_line_is_named(r):
    process = run("-q", "-r", "-", data=lines_of([r["reset"]]) + lines_of([r["graceful"]])[:200])
    return (expect("exit", process.returncode, 1)
            + expect("line", b"standard input:2: no readable record: byte" in process.stderr, True))


@test
def unknown_values_are_said(r):
    more = {**r["graceful"], "labels": {"site": "x", "rack": [1, 2]}, "host": {"os": {"family": "debian"}}}
    process = run("-r", "-", "--format=json", data=lines_of([more, r["reset"]]))
    plain = run("-r", "-", "--format=json", data=lines_of([r["graceful"], r["reset"]]))
    said = b"values that this version does not know, passed over: 4, the first one is labels.site" in process.stderr
    return (expect("said", said, True) + expect("records", process.stdout, plain.stdout)
            + expect("nothing said of known ones", b"passed over" in plain.stderr, False))


@test
def other_datasets_are_said(r):
    process = run("-r", "-", data=b'{"event":{"dataset":"nginx.access"}}\n' + lines_of([r["graceful"]]) + b"\n")
    return (expect("said", b"lines of other datasets, passed over: 1" in process.stderr, True)
            + expect("connections", summary(process)["connections"], 1))


def records():
    """Records of golden cases, by outcome."""
    with tempfile.TemporaryDirectory(prefix="tcpfin-records-") as folder:
        paths = build(folder, list(CASES_OF.values()))
        found = {name: tracer.records_of(tracer.trace(paths[case])) for name, case in CASES_OF.items()}
    for number, one in enumerate(found.values()):  # golden cases share ends, numbers and start, and so event.id
        one[0]["event"]["id"] = f"{number:032x}"
    return {name: one[0] for name, one in found.items()}


def main():
    results = []
    made = records()
    for name, function in TESTS.items():
        if name.startswith(tuple(sys.argv[1:] or [""])):
            results.append(tracer.print_result(name, function(made)))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
