#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
--top on captures. The records of each golden capture are grouped here once more, and the tables must say the same:
every count of every group, percentiles, and sums of groups, others and intervals. As text, no line is wider than the
terminal, every value stands under its heading, and the figures are those of JSON.

tables.py [CAPTURE...]     the golden captures, unless some are named
"""
import json
import os
import sys
import tempfile
from collections import Counter, defaultdict

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))

import text_table  # noqa: E402
import tracer  # noqa: E402
from build_captures import build  # noqa: E402
from exposition import counted_once  # noqa: E402

WIDTHS = (0, 60, 80, 120, 200)
GROUPINGS = ("port", "outcome,peer", "process,peer,port,interface,outcome,reason")
OPTIONS = ["--show-open"]


# ---- the same from records ----

def values_of(record):
    """By the names of --by. Of a capture no process is known, and so the peer is the client."""
    observer = record.get("observer")
    return {"process": None, "peer": record["source"]["ip"], "port": record["destination"]["port"],
            "interface": observer and observer["ingress"]["interface"]["name"], "outcome": record["tcp"]["outcome"],
            "reason": None}


def group_of(record, by):
    values = values_of(record)
    return tuple(values[name] for name in by.split(","))


def counts_of(records):
    """What a line of a table says of these records, percentiles apart."""
    tcp = [record["tcp"] for record in records]
    waits = Counter(one["time_wait"] for one in tcp if one["time_wait"])
    return {"connections": len(tcp), "outcome": Counter(one["outcome"] for one in tcp),
            "closer": Counter(one["closer"] or "unknown" for one in tcp), "time_wait": waits}


def steps_of(records):
    """{step: sorted values} of the steps that were seen."""
    steps = defaultdict(list)
    for record in records:
        for name, value in record["tcp"]["timing"].items():
            if value is not None:
                steps[name].append(value)
    return {name: sorted(values) for name, values in steps.items()}


# ---- comparing ----

def counts_faults(line, want):
    if line["connections"] != want["connections"]:
        yield f"{line['connections']} connections, not {want['connections']}"
    for kind in ("outcome", "closer", "time_wait"):
        printed = Counter({name: n for name, n in line[kind].items() if n})
        if printed != want[kind]:
            yield f"{kind} {dict(printed)}, not {dict(want[kind])}"


def step_faults(line, steps):
    for name, printed in line["timing"].items():
        values = steps.get(name, [])
        if printed["count"] != len(values):
            yield f"{name} of {printed['count']}, not {len(values)}"
        for key, percent in (("p50", 50), ("p99", 99)) if values else ():
            want = values[-(-len(values) * percent // 100) - 1]
            if abs(printed[key] - want) > (want / 16 if len(values) > 4 else 0):
                yield f"{name} {key} {printed[key]}, not {want}"


def line_faults(line, records):
    yield from counts_faults(line, counts_of(records))
    yield from step_faults(line, steps_of(records))


def run_faults(lines, records, by):
    """The table of the run: each group as counted here, and no other one."""
    groups = defaultdict(list)
    for record in records:
        groups[group_of(record, by)].append(record)
    printed = [line for line in lines if line["row"] == "group"]
    for line in printed:
        if list(line["group"]) != by.split(","):
            yield f"a group of {list(line['group'])}"
        elif tuple(line["group"].values()) not in groups:
            yield f"a group {line['group']} that there is not"
        else:
            yield from line_faults(line, groups[tuple(line["group"].values())])
    if len(printed) != len(groups):
        yield f"{len(printed)} groups, not {len(groups)}"
    order = [line["connections"] for line in printed]
    if order != sorted(order, reverse=True) or [line["rank"] for line in printed] != list(range(1, len(order) + 1)):
        yield f"not in order: {order}"
    yield from line_faults(next(line for line in lines if line["row"] == "total"), records)


def numbers(line):
    """Every count of a line, by its path."""
    for name, value in line.items():
        if name in ("connections", "half_closed", "stuck"):
            yield name, value or 0
        elif name in ("outcome", "closer", "time_wait"):
            yield from ((f"{name}.{word}", n) for word, n in value.items())
        elif name == "timing":
            yield from ((f"timing.{step}", one["count"]) for step, one in value.items())


def sum_of(lines):
    total = Counter()
    for line in lines:
        total.update(dict(numbers(line)))
    return +total


def tables_of(lines):
    """Lists of lines: a table each ends with its total."""
    table = []
    for line in lines:
        table.append(line)
        if line["row"] == "total":
            yield table
            table = []


def sum_faults(table):
    if sum_of(table[:-1]) != sum_of(table[-1:]):
        yield f"groups and others are {dict(sum_of(table[:-1]))}, the total is {dict(sum_of(table[-1:]))}"


def gauges_off(total):
    return {name: n for name, n in total.items() if name not in ("half_closed", "stuck")}


def table_faults(tables, records, by, rows):
    for table in tables:
        yield from sum_faults(table)
    intervals = [table[-1] for table in tables if table[0]["span"] == "interval"]
    run = tables[-1]
    if run[0]["span"] != "run" or [table for table in tables[:-1] if table[0]["span"] == "run"]:
        yield "the table of the run is not the last one, or not the only one"
    if gauges_off(sum_of(intervals)) != gauges_off(sum_of(run[-1:])):
        yield f"intervals are {sum_of(intervals)}, the run is {sum_of(run[-1:])}"
    if rows is None:
        yield from run_faults(run, records, by)


def json_lines(process):
    return [json.loads(line) for line in process.stdout.decode("utf-8").splitlines()]


# ---- text ----

def text_faults(capture, by, want, width):
    """want: the same tables from JSON. As text, a table that counts nothing is its head alone."""
    want = [lines for lines in want if +sum_of(lines[-1:])]
    environment = dict(tracer.ENVIRONMENT, COLUMNS=str(width)) if width else tracer.ENVIRONMENT
    process = tracer.trace(capture, "text", [*OPTIONS, "--top=0.5", f"--by={by}"], environment=environment)
    yield from tracer.error_faults(process, process.returncode)
    text = process.stdout.decode("utf-8")
    for line in text.splitlines():
        if width and len(line) > width:
            yield f"{len(line)} columns of {width}: {line}"
    tables = list(text_table.tables(text, by))
    if len(tables) != len(want):
        yield f"{len(tables)} tables as text, {len(want)} as JSON"
        return
    for table, lines in zip(tables, want):
        yield from text_table.faults(table, lines, width)


# ---- captures ----

def capture_faults(capture, by):
    records = counted_once(json_lines(tracer.trace(capture, "json", OPTIONS)))
    for rows in (500, 1):
        process = tracer.trace(capture, "json", [*OPTIONS, "--top=0.5", f"--by={by}", f"--rows={rows}"])
        yield from tracer.error_faults(process, process.returncode)
        tables = list(tables_of([line["rate"] for line in json_lines(process)]))
        if tables:
            yield from table_faults(tables, records, by, None if rows == 500 else rows)
        elif records:
            yield "no table"
    want = list(tables_of([line["rate"] for line in json_lines(
        tracer.trace(capture, "json", [*OPTIONS, "--top=0.5", f"--by={by}"]))]))
    for width in WIDTHS:
        yield from text_faults(capture, by, want, width)


def chosen(arguments, folder):
    if arguments:
        return [(os.path.basename(path), path) for path in arguments]
    seeds = os.path.join(TOP, "tests", "golden", "captures")
    return sorted([(name, os.path.join(seeds, name)) for name in os.listdir(seeds)] +
                  list(build(os.path.join(folder, "captures")).items()))


def different_faults(capture):
    _, path, by = capture
    return list(dict.fromkeys(capture_faults(path, by)))


def main(arguments):
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="tcpfin-tables-") as folder:
        captures = [(name, path, GROUPINGS[i % len(GROUPINGS)])
                    for i, (name, path) in enumerate(chosen(arguments, folder))]
        for (name, _, by), faults in zip(captures, tracer.on_all_cpus(different_faults, captures)):
            print(f"not ok {name} by {by} - {'; '.join(faults)[:600]}" if faults else f"ok {name}")
            failed += bool(faults)
            passed += not faults
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
