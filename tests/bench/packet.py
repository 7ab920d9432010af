# SPDX-License-Identifier: GPL-2.0-or-later
"""
The packet path: what a segment and a whole connection cost in the kernel. The programs measured are those of a tracer
that runs on an interface, so its reader is the one that it has in life; packets come by BPF_PROG_TEST_RUN.
"""
import os
import statistics
import subprocess

from table import ratios
from work import LAST_CPU, at_most_pairs, fields, netlab, program, reference, reported, tracing

ROUNDS = {"connections": 25, "data": 15, "flow": 15}
STEPS = 11  # segments of a connection
MILLION = 1 << 20
HOOKS = {"tc": "tcx ingress", "xdp": "xdp"}
# The options for evidence of no, some and all flows go here once the tracer has them: {"evidence off": ["--..."], ...}
EVIDENCE = {"": []}


def run(lab, what, hook, names, **programs):
    """What packet_path prints: {set: {program: [ns a packet, one a round]}}, and {program: count} of both counts."""
    candidates = [(name, reference(name)) for name in names] + list(programs.items())
    command = [program("packet_path"), what, hook, "eth0", str(at_most_pairs(ROUNDS[what])),
               *(f"{name}={which}" for name, which in candidates)]
    with lab.client:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    sets, counts = {}, {"played": {}, "reported": {}}
    for line in done.stdout.splitlines():
        first, name, *values = line.split()
        if first in counts:
            counts[first][name] = int(values[0])
        else:
            sets.setdefault(first, {})[name] = [float(value) for value in values]
    return sets, counts


def own(ns, name):
    """What the program adds to one that does nothing, round by round."""
    return [value - nothing for value, nothing in zip(ns[name], ns["empty"])]


def whole(ns, name):
    """What it takes to have the program on the packet's way: its call included."""
    return [value + bare for value, bare in zip(own(ns, name), ns["bare"])]


def watched(tracer, hook):
    """The number of the tracer's program at the hook; its process goes to the last CPU, away from the packets."""
    os.sched_setaffinity(tracer.child.pid, {LAST_CPU})
    found = [number for _, where, number in tracer.programs if where == HOOKS[hook]]
    netlab.check(found, f"nothing at {HOOKS[hook]}: {tracer.programs}")
    return found[0]


def connections(table, lab):
    with tracing(lab, "--hook=tc", "--no-sockets", "--format=json", "--max-flows=262144",
                 "--max-closing=65536") as tracer:
        sets, counts = run(lab, "connections", "tc", ("empty", "parse", "lean"), ours=watched(tracer, "tc"))
    netlab.equal("closes that the lean tracker reported", counts["reported"]["lean"], counts["played"]["lean"])
    for name, ns in sets.items():
        slots = int(name.split(".")[1])
        title = f"connection, {slots:,} interleaved"
        cost = {each: [value * STEPS for value in own(ns, each)] for each in ("ours", "lean", "parse")}
        goal = 1.0 if slots > 1 else None
        table.add(title, statistics.median(cost["ours"]), "ns", ratios(cost["ours"], cost["lean"]), at_most=goal,
                  of="lean tracker")
        table.add(title + ": lean tracker", statistics.median(cost["lean"]), "ns")
        table.add(title + ": parse only", statistics.median(cost["parse"]), "ns")
    made, found = counts["played"]["ours"], reported(tracer)
    table.add("connections reported of those played", found, f"of {made:,}", [found / made], at_least=1, of="all")


def counted(flows):
    return "1 flow" if flows == 1 else f"{flows:,} flows"


def kernel_memory(tracer):
    """Bytes of all maps that the tracer's process has open, as the kernel counts them."""
    total, seen = 0, set()
    for fd in os.listdir(f"/proc/{tracer.child.pid}/fdinfo"):
        with open(f"/proc/{tracer.child.pid}/fdinfo/{fd}", encoding="ascii") as file:
            found = fields(file.read())
        if "map_id" in found and found["map_id"] not in seen:
            seen.add(found["map_id"])
            total += int(found["memlock"])
    return total


def data(table, lab, hook, evidence):
    """Returns what all maps take, for MILLION flows."""
    with tracing(lab, f"--hook={hook}", "--no-sockets", f"--max-flows={MILLION}", *EVIDENCE[evidence]) as tracer:
        sets, _ = run(lab, "data", hook, ("empty", "parse", "lean"), ours=watched(tracer, hook))
        memory = kernel_memory(tracer)
    one = None
    for name, ns in sets.items():
        title = f"{hook}: segment of {counted(int(name.split('.')[1]))}" + (f", {evidence}" if evidence else "")
        ours, parse = whole(ns, "ours"), whole(ns, "parse")
        one = one or ours
        table.add(title, statistics.median(ours), "ns", ratios(ours, parse), at_most=1.5, of="parse only")
        table.add(title + ": lean tracker", statistics.median(whole(ns, "lean")), "ns")
    table.add(title + " against 1 flow", statistics.median(ours), "ns", ratios(ours, one), at_most=1.2, of="1 flow")
    return memory


def all_segments(table, lab):
    with tracing(lab, "--hook=tc", "--no-sockets", "--all-segments") as tracer:
        sets, _ = run(lab, "flow", "tc", ("empty", "parse"), ours=watched(tracer, "tc"))
    for ns in sets.values():
        ours, parse = whole(ns, "ours"), whole(ns, "parse")
        table.add("tc: segment of 1 flow with --all-segments", statistics.median(ours), "ns", ratios(ours, parse),
                  at_most=2.5, of="parse only")


def packet(table):
    with netlab.Lab() as lab:
        connections(table, lab)
        for evidence in EVIDENCE:
            memory = {hook: data(table, lab, hook, evidence) for hook in HOOKS}
        all_segments(table, lab)
        with tracing(lab, "--hook=tc", "--no-sockets", f"--max-flows={MILLION // 2}") as tracer:
            half = kernel_memory(tracer)
    table.add("kernel memory for an established flow", (memory["tc"] - half) / (MILLION // 2), "bytes", at_most=256)
