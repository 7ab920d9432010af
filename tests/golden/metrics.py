#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
What records say, metrics say: the records of the golden captures are added up here, and the file of --metrics-file must
say the same, bucket by bucket. Several captures are read at a time.

metrics.py [CAPTURE...]     the golden captures, unless some are named
"""
import json
import os
import sys
import tempfile

import tracer
from exposition import Malformed, Metrics, faults
from tables import chosen

AT_A_TIME = 10
WAYS = (("--show-open",), ("--all-segments",), ("--where", "close > 1ms or outcome = reset"))


def metrics_faults(captures, path, options):
    """Captures whose connections have one event.id are read apart: nothing says whether these count as one."""
    run = tracer.trace(captures[0], "json", (*[f"--read={one}" for one in captures[1:]], *options,
                                             f"--metrics-file={path}"))
    final = [record for record in map(json.loads, run.stdout.decode().splitlines()) if record["tcp"]["final"]]
    half = len(captures) // 2
    if half and len({record["event"]["id"] for record in final}) < len(final):
        return [*metrics_faults(captures[:half], path, options), *metrics_faults(captures[half:], path, options)]
    try:
        with open(path, encoding="utf-8") as file:
            return list(faults(Metrics(file.read()), final))
    except Malformed as why:
        return [f"malformed: {why}"]


def main(names):
    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix="tcpfin-metrics-") as folder:
        path = os.path.join(folder, "tcpfin.prom")
        captures = [capture for _, capture in chosen(names, folder)]
        for first in range(0, len(captures), AT_A_TIME):
            some, options = captures[first:first + AT_A_TIME], WAYS[first // AT_A_TIME % len(WAYS)]
            found = metrics_faults(some, path, options)
            passed += tracer.print_result(f"{os.path.basename(some[0])} and so on, {options[0]}", found[:5])
            failed += bool(found)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
