# SPDX-License-Identifier: GPL-2.0-or-later
"""Golden cases: builds every capture, runs tcpfin-trace on it and compares with cases.txt.

run.py [-v] [--binary PATH] [NAME...]   Runs all cases, or those whose names begin so. -v prints the records; the binary
may also come from TCPFIN_TRACE.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import tracer
from build_captures import build
from expectations import ANYTHING, COMPUTED, HERE, read_cases
from packets import CASES


def committed():
    """Captures that are files of the repository, by name."""
    folder = os.path.join(HERE, "captures")
    return {os.path.splitext(name)[0]: os.path.join(folder, name) for name in sorted(os.listdir(folder))}


def first_fin(record, side):
    """SEQ/ACK of the first FIN of that side, as expectations write it."""
    for segment in record["tcp"]["segments"]:
        if segment["from"] == side and "F" in segment["flags"]:
            return f"{segment['seq']}/{segment['ack']}"
    return None


def reset_header(record):
    """TTL/IP id/window of the RST that the verdict rests on, as expectations write it."""
    segment = record["tcp"]["segments"][record["tcp"]["evidence"]["reset"]]
    return f"{segment['ttl']}/{segment.get('ip_id')}/{segment['win']}"


def actual(record, path):
    if path == "reset_header":
        return reset_header(record)
    if path in COMPUTED:
        return first_fin(record, path.removeprefix("fin_"))
    found = tracer.look_up(record, path)
    return None if found is tracer.MISSING else found


def differences(expected, record):
    found = [(path, wanted, actual(record, path)) for path, wanted in expected.items() if wanted != ANYTHING]
    return [f"{path}: {json.dumps(got)}, expected {json.dumps(wanted)}" for path, wanted, got in found if wanted != got]


def record_faults(case, records):
    faults = []
    if len(records) != len(case.records):
        summary = ", ".join(f"{r['tcp']['outcome']} {r['source']['ip']}:{r['source']['port']}" for r in records[:5])
        faults.append(f"{len(records)} records, expected {len(case.records)}: {summary}")
    for n, (expected, record) in enumerate(zip(case.records, records), 1):
        faults += [f"record {n}: {fault}" for fault in differences(expected, record) + tracer.record_faults(record)]
    return faults


def case_faults(case, capture, verbose):
    process = tracer.trace(capture, "json", case.options)
    faults = tracer.error_faults(process, case.exit)
    try:
        records = tracer.records_of(process)
    except ValueError as error:
        return faults + [f"no JSON: {error}"]
    if verbose:
        for record in records:
            print(json.dumps(record, indent=2))
    faults += record_faults(case, records)
    for form in ("text", "csv", "ladder"):
        process = tracer.trace(capture, form, case.options)
        faults += [f"{form}: {fault}" for fault in tracer.error_faults(process, case.exit)]
        faults += tracer.format_faults(form, process, len(records))
        if form == "text":
            text = process.stdout.decode("utf-8", "replace")
            faults += [f"text: no {words!r}" for words in case.text if words not in text]
    return faults


def outcome(case, capture, verbose):
    """Faults of a case, a program that hangs included."""
    try:
        return case_faults(case, capture, verbose)
    except subprocess.TimeoutExpired as error:
        return [f"no end after {error.timeout} s"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--binary", default=tracer.BINARY)
    parser.add_argument("names", nargs="*", metavar="NAME")
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
        sys.exit(f"a capture without expectation, or the other way round: {' '.join(unmatched)}")
    unknown = [begin for begin in options.names if not any(name.startswith(begin) for name in cases)]
    if unknown:
        sys.exit(f"no such case: {' '.join(unknown)}")
    names = [name for name in cases if name.startswith(tuple(options.names or [""]))]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="tcpfin-golden-") as directory:
        paths = {**committed(), **build(directory, [n for n in names if n in CASES])}
        for name in names:
            faults = outcome(cases[name], paths[name], options.verbose)
            print(f"not ok {name}" if faults else f"ok {name}")
            for fault in faults:
                print(f"    {fault}")
            failed += bool(faults)
    print(f"{len(names) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
