# SPDX-License-Identifier: GPL-2.0-or-later
"""
The small parts: records a second, the time to start, and the size of the BPF programs.
"""
import os
import re
import signal
import statistics
import subprocess
import time

from work import BUILD, TRACER, netlab, program


def records(table):
    done = subprocess.run([program("format_rate")], stdout=subprocess.PIPE, text=True, check=True)
    rate = {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}
    table.add("records: JSON, verdict included, one core", rate["report"], "records/s", at_least=250_000)
    table.add("records: JSON, formatting alone", rate["format"], "records/s")
    table.add("metrics: counting a record", rate["metrics"], "ns", at_most=300)


def start(table):
    """From exec to the line on stderr that says how the interface is watched: by then the programs are attached."""
    times = []
    with netlab.Lab() as lab:
        for _ in range(15):
            with lab.client:
                begin = time.monotonic()
                child = subprocess.Popen([TRACER, "eth0"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE, text=True)
            try:
                line = child.stderr.readline()
                times.append((time.monotonic() - begin) * 1000)
                netlab.check(": eth0: " in line, f"unexpected first line: {line!r}")
            finally:
                child.send_signal(signal.SIGINT)
                child.communicate()
    table.add("start: exec to attached", statistics.median(times), "ms", at_most=150)


def budget(table):
    """The suite judges each program; here is the largest of each way to load them."""
    done = subprocess.run([os.path.join(BUILD, "tests", "budget")], stdout=subprocess.PIPE, text=True, check=False)
    largest = {}
    for line in done.stdout.splitlines():
        found = re.match(r"(?:not )?ok budget_\w+?_(instructions|verified)(\w*)\D+(\d+), at most (\d+)", line)
        if found:
            what, mode, value, most = found.groups()
            largest[mode, what] = max(largest.get((mode, what), (0, 0)), (int(value), int(most)))
    for (mode, what), (value, most) in largest.items():
        table.add(f"largest program{mode.replace('_', ' ')}: {what}", value, "instructions", at_most=most)
