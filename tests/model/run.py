# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares tcpfin-trace with the model, connection by connection and field by field.

run.py [--binary PATH] [-f] DIRECTORY...   All captures of the directories, or with names those whose names begin so:
run.py ... -n NAME...                      -f lists a count a field.

Each difference is decided by the RFC or the page, and the side that was wrong was mended. What stands is in
decided.tsv with the rule and with who is right. A difference that is not listed fails; a listed one that no longer
occurs fails, too.
"""
import argparse
import collections
import os
import subprocess
import sys

import compare
import model
from compare import AGREED, DIFFERED, NOT_DECIDED

HERE = os.path.dirname(os.path.abspath(__file__))
DECIDED = os.path.join(HERE, "decided.tsv")


def decided():
    """(capture, connection, field) -> the line's number. Lines: capture, connection, field, who is right, the rule."""
    listed = {}
    with open(DECIDED, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("#") or not line.strip():
                continue
            words = line.rstrip("\n").split("\t")
            if len(words) != 5 or words[3] not in ("program", "model") or not words[4].strip():
                sys.exit(f"{DECIDED}:{number}: not capture, connection, field, program|model, rule")
            listed[(words[0], int(words[1]), words[2])] = number
    return listed


def captures(directories, names):
    for directory in directories:
        for file in sorted(os.listdir(directory)):
            name = file.split(".")[0]
            if not names or name.startswith(tuple(names)):
                yield name, os.path.join(directory, file)


def faults_of(name, path, listed, used, counts):
    """Differences that are not listed, in words; counts grows by each field."""
    faults = []
    for number, field, result, wanted, got in compare.compared(model.records(path), compare.program_records(path)):
        counts[field][result] += 1
        place = (name, number, field)
        if result == DIFFERED and place in listed:
            used.add(place)
            counts[field]["listed"] += 1
        elif result == DIFFERED:
            faults.append(f"{name} {number} {field}: the program says {got}, the model {wanted}")
    return faults


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=compare.tracer.BINARY)
    parser.add_argument("-f", "--fields", action="store_true")
    parser.add_argument("-n", "--names", nargs="+", default=[])
    parser.add_argument("directories", nargs="+", metavar="DIRECTORY")
    return parser.parse_args()


def print_counts(counts, each):
    total = collections.Counter()
    for field, results in counts.items():
        total.update(results)
        if each:
            print(f"{field}: {results[AGREED]} agreed, {results[NOT_DECIDED]} undecided, {results[DIFFERED]} differed")
    print(f"fields: {total[AGREED]} agreed, {total[NOT_DECIDED]} undecided, {total[DIFFERED]} differed, "
          f"{total['listed']} of them decided")


def main():
    options = arguments()
    compare.tracer.BINARY = os.path.abspath(options.binary)
    if not os.access(compare.tracer.BINARY, os.X_OK):
        sys.exit(f"{options.binary}: no such program; build it, or say where it is with --binary")
    listed, used, counts = decided(), set(), collections.defaultdict(collections.Counter)
    results = []
    for name, path in captures(options.directories, options.names):
        try:
            faults = faults_of(name, path, listed, used, counts)
        except (subprocess.TimeoutExpired, ValueError) as error:
            faults = [f"{name}: {error}"]
        results.append(compare.tracer.print_result(name, faults))
    stale = [] if options.names else sorted(listed.keys() - used)
    for place in stale:
        fault = f"{place} does not differ any more"
        results.append(compare.tracer.print_result(f"decided.tsv:{listed[place]}", [fault]))
    print_counts(counts, options.fields)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
