# SPDX-License-Identifier: GPL-2.0-or-later
"""
Capture files: segments a CPU second, and memory an open connection, beside the least tracker on libpcap.
"""
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from work import BUILD, TRACER, finish, netlab, program, rounds

FORMATS = {"text": [TRACER, "-q", "-r"], "JSON": [TRACER, "-q", "--format=json", "-r"]}
# (connections, segments of each, open at a time, pairs of which the first three are always made)
FILES = ((100_000, 10, 1, 15), (100_000, 10, 1_000, 15), (100_000, 10, 100_000, 15), (1_000_000, 10, 1_000_000, 3),
         (25_000, 40, 1, 15), (25_000, 40, 1_000, 15), (50_000, 40, 50_000, 5))
PAIRS_MOST = 25  # s, for one file
SEGMENT_BYTES = 95  # in the file, on average
OPEN_BYTES = 1000  # what an open connection may take, to judge whether a file can be read at all


def available_memory():
    with open("/proc/meminfo", encoding="utf-8") as file:
        return int(re.search(r"MemAvailable:\s*(\d+)", file.read()).group(1)) * 1024


def fits(directory, connections, segments, open_at_a_time):
    """The file must stay in the page cache, or the disk is measured."""
    size = connections * segments * SEGMENT_BYTES
    return shutil.disk_usage(directory).free > 2 * size and \
        available_memory() > 2 * (size + open_at_a_time * OPEN_BYTES)


def peak_memory(argv):
    """The most bytes of memory of its own that a program has while it runs: no mapped files."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while child.poll() is None:
        with open(f"/proc/{child.pid}/status", encoding="utf-8") as status:
            found = re.search(r"^RssAnon:\s*(\d+) kB", status.read(), re.MULTILINE)
        peak = max(peak, int(found.group(1)) * 1024 if found else 0)
        time.sleep(0.005)
    netlab.equal(f"exit code of {argv[0]}", child.returncode, 0)
    return peak


def check_records(path, connections):
    """All is reported: else the figures are those of another work."""
    done = subprocess.run([*FORMATS["JSON"], path], stdout=subprocess.PIPE, check=True)
    netlab.equal("records", done.stdout.count(b'"outcome":"graceful"'), connections)


def measure(table, path, segments, name, pairs):
    commands = {"lean": [program("lean_pcap"), path], **{each: [*argv, path] for each, argv in FORMATS.items()}}
    cpu = {each: [] for each in commands}
    for number in rounds(pairs, PAIRS_MOST):
        for each in commands if number % 2 == 0 else reversed(commands):
            cpu[each].append(finish(commands[each])[0])
    table.add(f"{name}: lean tracker", segments / statistics.median(cpu["lean"]), "segments/s")
    for each in FORMATS:
        table.add(f"{name}: {each}", segments / statistics.median(cpu[each]), "segments/s",
                  [lean / ours for lean, ours in zip(cpu["lean"], cpu[each])], at_least=0.7, of="lean tracker")


def captures(table):
    one = None
    with tempfile.TemporaryDirectory(prefix="bench-", dir=BUILD) as directory:
        for connections, segments, open_at_a_time, pairs in FILES:
            name = f"capture, {segments} segments a connection, {open_at_a_time:,} open"
            if not fits(directory, connections, segments, open_at_a_time):
                print(f"# {name}: no room")
                continue
            path = os.path.join(directory, "capture.pcap")
            subprocess.run([program("gencap"), str(connections), str(segments), str(open_at_a_time), path], check=True)
            if connections < 1_000_000:
                check_records(path, connections)
            measure(table, path, connections * segments, name, pairs)
            memory = peak_memory([*FORMATS["JSON"], path])
            one = one or memory
            if open_at_a_time > 10_000:
                table.add(f"{name}: peak memory of each", (memory - one) / open_at_a_time, "bytes", at_most=256)
            os.unlink(path)
