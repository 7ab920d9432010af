# SPDX-License-Identifier: GPL-2.0-or-later
"""
Live: real short connections between two namespaces, from both cores, with one watcher after the other on the client's
interface. Between any two of them nothing is attached, and one of the watchers is nobody: the idle control.
"""
import contextlib
import shutil
import statistics
import time

from bpf_time import bpf_statistics, kernel_times
from table import ratios
from traffic import Bench
from watchers import Watcher, argus, attached, nobody, softflowd, tracer
from work import SETTLE, cpu_of, netlab, reported, rounds, tracing

WARM_SECONDS, RATE_SECONDS, KERNEL_SECONDS = 0.2, 0.7, 0.4
ROUNDS, BULK_ROUNDS = 15, 5
RATES_MOST, KERNEL_MOST, PAIRS_MOST = 280, 90, 30  # s
TRACING = ("--hook=auto",)  # text, as it prints without options
JSON = (*TRACING, "--format=json")
TOP = ("--hook=auto", "--top", "--by=process,peer,port,reason")
PACKETS_ONLY = (*TRACING, "--no-sockets")
METRICS = (*TRACING, "--metrics=9435")


# ---- connections a second ----

def cpu(process):
    return cpu_of(process.child.pid) if process else 0


def settle(process):
    """Until the process has done all that the connections before mean to it."""
    time.sleep(SETTLE + 0.1 if isinstance(process, netlab.Tracer) else 0.1)


def plain(lab):
    lab.connections(WARM_SECONDS)
    return lab.connections(RATE_SECONDS)[1]


def watched_rate(lab, watcher):
    """Connections a second, once the program has the memory that it needs for so many."""
    with watcher.start(lab) as process:
        first, _ = lab.connections(WARM_SECONDS)
        before = cpu(process)
        count, rate = lab.connections(RATE_SECONDS)
        if process:
            settle(process)
            watcher.cpu.append((cpu(process) - before) / count * 1e6)
    if isinstance(process, netlab.Tracer):
        watcher.made += first + count
        watcher.reported += reported(process)
    return rate


def measure_rates(lab, watchers):
    """Each watcher's rate against the runs before and behind it, in which nothing is attached."""
    bare = [plain(lab)]
    for number in rounds(ROUNDS, RATES_MOST):
        for watcher in watchers if number % 2 == 0 else reversed(watchers):
            rate = watched_rate(lab, watcher)
            bare.append(plain(lab))
            watcher.rate.append(rate)
            watcher.kept.append(rate / ((bare[-2] + bare[-1]) / 2))
    return bare


# ---- time in the kernel ----

def measure_kernel(lab, watcher):
    with watcher.start(lab) as process:
        lab.connections(WARM_SECONDS)
        settle(process)
        before = kernel_times(lab, process)
        count, _ = lab.connections(KERNEL_SECONDS)
        settle(process)
        behind = kernel_times(lab, process)
    used = [(b - a) / count / 1e3 for a, b in zip(before, behind)]
    for series, value in zip((watcher.kernel, watcher.collecting, watcher.sockets), used):
        series.append(value)


def measure_kernel_times(lab, watchers):
    with bpf_statistics():
        for number in rounds(ROUNDS, KERNEL_MOST):
            for watcher in watchers if number % 2 == 0 else reversed(watchers):
                measure_kernel(lab, watcher)


# ---- the rows ----

def add_rates(table, bare, idle, watchers):
    table.add("live, nothing attached: connections a second", statistics.median(bare), "/s")
    table.add("live, idle control: connections a second", statistics.median(idle.rate), "/s", idle.kept,
              of="nothing attached")
    for watcher in watchers:
        ours = watcher.name.startswith("tcpfin-trace")
        table.add(f"live, {watcher.name}: connections a second", statistics.median(watcher.rate), "/s",
                  ratios(watcher.kept, idle.kept), at_least=0.93 if ours else None, of="idle control")


def add_reported(table, watchers):
    for watcher in watchers:
        table.add(f"live, {watcher.name}: connections reported", watcher.reported, f"of {watcher.made:,}",
                  [watcher.reported / watcher.made], at_least=1, of="all")


def add_against(table, watchers, beside):
    for watcher in watchers:
        table.add(f"live, {watcher.name}: against softflowd", statistics.median(watcher.rate), "/s",
                  ratios(watcher.kept, beside.kept), at_least=1.0, of="softflowd")


def add_cpu(table, watchers, goals):
    for watcher in watchers:
        table.add(f"live, {watcher.name}: CPU of the process", statistics.median(watcher.cpu), "us/connection",
                  at_most=goals.get(watcher))


def add_metrics(table, metrics, without):
    more = [a - b for a, b in zip(metrics.cpu, without.cpu)]
    table.add(f"live, {metrics.name}: CPU more with metrics", statistics.median(more), "us/connection", at_most=0.3)


def add_kernel(table, empty, lean, packets, sockets):
    net = {watcher: [a - b for a, b in zip(watcher.kernel, empty.kernel)] for watcher in (lean, packets, sockets)}
    table.add("live, empty programs: kernel time, taken off below", statistics.median(empty.kernel), "us/connection")
    table.add("live, lean tracker: kernel time", statistics.median(net[lean]), "us/connection")
    table.add(f"live, {packets.name}: kernel time", statistics.median(net[packets]), "us/connection",
              ratios(net[packets], net[lean]), at_most=1.1, of="lean tracker")
    collecting = statistics.median(packets.collecting)
    if collecting:
        table.add(f"live, {packets.name}: collecting in the kernel", collecting, "us/connection")
    more = [a + b - c for a, b, c in zip(net[sockets], sockets.sockets, net[packets])]
    table.add(f"live, {sockets.name}: kernel time more with sockets", statistics.median(more), "us/connection",
              at_most=2.5)


def add_pairs(table, lab, name, unit, scale, once, most, goal):
    """A rate with the tracer attached against nothing attached, in pairs."""
    bare, watched = [], []
    for number in rounds(most, PAIRS_MOST):
        for attach in (False, True) if number % 2 == 0 else (True, False):
            with tracing(lab, *PACKETS_ONLY) if attach else contextlib.nullcontext():
                (watched if attach else bare).append(once())
    table.add(f"live, tcpfin-trace --no-sockets: {name}", statistics.median(watched) * scale, unit,
              ratios(watched, bare), at_least=goal, of="nothing attached")


def live(table):
    idle = Watcher("idle", nobody)
    packets, sockets = Watcher("tcpfin-trace --no-sockets", tracer(*PACKETS_ONLY)), \
        Watcher("tcpfin-trace", tracer(*TRACING))
    json = Watcher("tcpfin-trace --format=json", tracer(*JSON))
    top = Watcher("tcpfin-trace --top", tracer(*TOP))
    metrics = Watcher("tcpfin-trace --metrics", tracer(*METRICS))
    lean, empty = Watcher("lean tracker", attached("lean")), Watcher("empty programs", attached("empty"))
    others = [Watcher(function.__name__, function) for function in (softflowd, argus)
              if shutil.which(function.__name__)]
    with Bench() as lab:
        lab.connections(1)  # caches, slabs, neighbours
        bare = measure_rates(lab, [idle, packets, sockets, metrics, json, top, lean, *others])
        add_rates(table, bare, idle, [packets, sockets, metrics, json, top, lean, *others])
        add_reported(table, (packets, sockets, metrics, json, top))
        for beside in others:
            if beside.name == "softflowd":
                add_against(table, (packets, sockets), beside)
        add_cpu(table, [packets, sockets, json, top, lean, *others], {packets: 3, sockets: 4.5, top: 4.5})
        add_metrics(table, metrics, sockets)
        measure_kernel_times(lab, [empty, lean, packets, sockets])
        add_kernel(table, empty, lean, packets, sockets)
        add_pairs(table, lab, "bulk out", "Gbit/s", 8e-9, lab.bulk_out, BULK_ROUNDS, 0.98)
        add_pairs(table, lab, "bulk in", "Gbit/s", 8e-9, lab.bulk_in, BULK_ROUNDS, 0.98)
        add_pairs(table, lab, "64-byte frames of 1,000 connections", "/s", 1, lab.frames, ROUNDS, 0.85)
