#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Golden cases: builds every capture, runs tcpfin-trace on it and compares with cases.txt.

run.py [-v] [--binary PATH] [NAME...]   Runs all cases, or those whose names begin so. -v prints the records; the binary
may also come from TCPFIN_TRACE. A case that fails names its line in cases.txt, and prints the record's line of text.

A new case is a row in cases.txt and, beside it, the builder of its capture: a function marked @case in cases_*.py, or a
file in captures/.
"""
import json
import os
import subprocess
import sys
import tempfile

import tracer
from build_captures import build
from expectations import ANYTHING, COMPUTED, FILE, HERE, Duration, in_unit_of, read_cases
from packets import CASES


def committed():
    """Captures that are files of the repository, by name."""
    folder = os.path.join(HERE, "captures")
    return {os.path.splitext(name)[0]: os.path.join(folder, name) for name in sorted(os.listdir(folder))}


def first_fin(record, side):
    """SEQ/ACK of the first FIN of that side, in the form of cases.txt."""
    for segment in record["tcp"]["segments"]:
        if segment["from"] == side and "F" in segment["flags"]:
            return f"{segment['seq']}/{segment['ack']}"
    return None


def reset_header(record):
    """TTL/IP id/window of the RST that the verdict rests on, in the form of cases.txt."""
    segment = record["tcp"]["segments"][record["tcp"]["evidence"]["reset"]]
    return f"{segment['ttl']}/{segment.get('ip_id')}/{segment['win']}"


def actual(record, path):
    if path == "reset_header":
        return reset_header(record)
    if path in COMPUTED:
        return first_fin(record, path.removeprefix("fin_"))
    found = tracer.look_up(record, path)
    return None if found is tracer.MISSING else found


def shown(value, like):
    """A value as the case would have it: durations in its unit."""
    if isinstance(like, Duration) and isinstance(value, int):
        return in_unit_of(value, like)
    return json.dumps(value)


def differences(expected, record):
    found = [(path, wanted, actual(record, path)) for path, wanted in expected.items() if wanted != ANYTHING]
    return [f"{path.removeprefix('tcp.')} is {shown(got, wanted)}, expected {shown(wanted, wanted)}"
            for path, wanted, got in found if wanted != got]


def at(line, faults):
    return [f"tests/golden/{FILE}:{line}: {fault}" for fault in faults]


def count_faults(case, records):
    if len(records) == len(case.records):
        return []
    summary = ", ".join(f"{r['tcp'].get('outcome', 'stray')} {r['source']['ip']}:{r['source']['port']}"
                        for r in records[:5])
    return [f"{len(records)} records, expected {len(case.records)}: {summary}"]


def relation_faults(wanted, record, placed):
    """wanted: places of the records that the record is related to, joined by +."""
    got = sorted(record["tcp"].get("related", []))
    ids = [placed[int(place)][1]["event"]["id"] for place in str(wanted).split("+")]
    return [] if got == sorted(ids) else [f"related is {got}, expected {ids}"]


def record_faults(case, placed, text):
    """placed: as tracer.placed_records has them. text: the lines of text, a record each in the output's order."""
    faults = []
    for n, (expected, (place, record)) in enumerate(zip(case.records, placed), 1):
        fields = dict(expected.fields)
        related = fields.pop("tcp.related_to", None)
        found = differences(fields, record) + tracer.object_faults(record)
        found += relation_faults(related, record, placed) if related is not None else []
        faults += at(expected.line, [f"record {n}: {fault}" for fault in found])
        faults += [f"record {n}: {line}" for line in text[place:place + 1] if found]
    return faults


def form_faults(case, form, process, count):
    faults = [f"{form}: {fault}" for fault in tracer.error_faults(process, case.exit)]
    return faults + tracer.format_faults(form, process, count)


def note_faults(case, capture):
    """Of a case with notes: -q leaves them out, so the program runs once more without it."""
    if not case.notes:
        return []
    notes = tracer.trace(capture, "text", case.options, quiet=False).stderr.decode("utf-8", "replace")
    return [f"stderr: no {words!r} in {notes!r}" for words in case.notes if words not in notes]


def forms(case):
    return ("text",) if "--strays" in case.options else ("text", "csv", "ladder")


def other_forms(case, capture, runs):
    """What the capture gives in other forms than JSON, by options. The columns of text are the same for both inputs."""
    columns = "--columns=date,time,interface,source,destination,outcome,closer,lifetime,notes,flags"
    return {**{("--format=" + form,): run.stdout for form, run in runs.items() if form != "text"},
            (columns,): tracer.trace(capture, "text", [*case.options, columns]).stdout}


def case_faults(case, capture, verbose):
    process = tracer.trace(capture, "json", case.options)
    faults = at(case.line, tracer.error_faults(process, case.exit))
    try:
        placed = tracer.placed_records(process)
    except ValueError as error:
        return faults + at(case.line, [f"no JSON: {error}"])
    records = [record for _, record in placed]
    if verbose:
        for record in records:
            print(json.dumps(record, indent=2))
    runs = {form: tracer.trace(capture, form, case.options) for form in forms(case)}
    if process.stdout:
        strays = "--strays" in case.options
        faults += at(case.line, tracer.readback_faults(process.stdout, other_forms(case, capture, runs), strays))
    text = runs["text"].stdout.decode("utf-8", "replace")
    faults += at(case.line, count_faults(case, records)) + record_faults(case, placed, tracer.text_records(text))
    for form, process in runs.items():
        faults += at(case.line, form_faults(case, form, process, len(records)))
    faults += at(case.line, [f"text: no {words!r}" for words in case.text if words not in text])
    return faults + at(case.line, note_faults(case, capture))


def faults_of(case, capture, verbose):
    """Faults of a case. A program that hangs is one."""
    try:
        return case_faults(case, capture, verbose)
    except subprocess.TimeoutExpired as error:
        return at(case.line, [f"no end after {error.timeout} s"])


def arguments():
    parser = tracer.command_line(__doc__)
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser.parse_args()


def main():
    options = arguments()
    tracer.BINARY = os.path.abspath(options.binary)
    if not os.access(tracer.BINARY, os.X_OK):
        sys.exit(f"{tracer.BINARY}: no such program; build it, or say where it is with --binary")
    cases = read_cases()
    known = {**CASES, **committed()}
    unmatched = sorted(known.keys() ^ cases.keys())
    if unmatched:
        sys.exit(f"not both a capture and a case in {FILE}: {' '.join(unmatched)}")
    unknown = [begin for begin in options.names if not any(name.startswith(begin) for name in cases)]
    if unknown:
        sys.exit(f"no such case: {' '.join(unknown)}")
    names = [name for name in cases if name.startswith(tuple(options.names or [""]))]
    with tempfile.TemporaryDirectory(prefix="tcpfin-golden-") as directory:
        paths = {**committed(), **build(directory, [n for n in names if n in CASES])}
        results = [tracer.print_result(name, faults_of(cases[name], paths[name], options.verbose)) for name in names]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
