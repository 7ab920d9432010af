# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the parts of the benchmark have in common: programs by name, runs to their end, CPU time, and the tracer beside it.
"""
import contextlib
import glob
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "..", "build")
sys.path.insert(0, os.path.join(HERE, "..", "live"))
from lab import netlab  # noqa: E402 (its place is known only now)

TRACER = os.path.join(BUILD, "tcpfin-trace")
LAST_CPU = os.cpu_count() - 1
SETTLE = 0.5  # s, the default of --settle
PAIRS_LIMIT = int(os.environ.get("BENCH_PAIRS", 0))  # 0: none


def program(name):
    return os.path.join(BUILD, "bench", name)


def reference(name):
    """The object file of a program to compare with."""
    return program(f"{name}.bpf.o")


def at_most_pairs(number):
    """`number`, or BENCH_PAIRS of the environment, if that is smaller."""
    return min(number, PAIRS_LIMIT) if PAIRS_LIMIT else number


def rounds(number, seconds, least=3):
    """0, 1, ... number - 1; fewer, but no fewer than `least`, where the time is over before."""
    end = time.monotonic() + seconds
    for i in range(at_most_pairs(number)):
        if i >= least and time.monotonic() >= end:
            return
        yield i


def finish(argv, stdout=subprocess.DEVNULL):
    """Runs a program to its end. Returns its CPU seconds and its peak memory in bytes."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise OSError(f"{argv[0]} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def cpu_of(group):
    """CPU seconds, user and system, that the live processes of a process group have used, all threads."""
    total = 0
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            with open(path, encoding="latin-1") as file:  # any byte may be in a name
                words = file.read().rsplit(")", 1)[1].split()
            if int(words[2]) == group:
                for task in glob.glob(os.path.dirname(path) + "/task/*/schedstat"):
                    with open(task, encoding="utf-8") as file:
                        total += int(file.read().split()[0])
    return total / 1e9


def fields(text):
    """What a file of /proc says, a "NAME: VALUE" a line."""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


@contextlib.contextmanager
def tracing(lab, *options):
    """tcpfin-trace on the client's eth0 inside `with`, its records thrown away; reported() works after it."""
    with open("/dev/null", "wb") as nowhere:
        tracer = netlab.Tracer(lab, lab.client, [TRACER], ["eth0"], *options, stdout=nowhere)
    try:
        tracer.wait_for_all()
        yield tracer
    finally:
        tracer.signal(signal.SIGINT)
        code = tracer.wait(60)
    if code:
        raise OSError(f"tcpfin-trace ended with {code}: {tracer.stderr}")


def reported(tracer):
    """How many graceful closes the tracer's summary counts."""
    found = re.search(r"^\s*graceful\s+([\d,]+)", tracer.stderr, re.MULTILINE)
    return int(found.group(1).replace(",", "")) if found else 0
