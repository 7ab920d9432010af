# SPDX-License-Identifier: GPL-2.0-or-later
"""A change to a capture that does not change what happened must not change the verdict.

Each case of cases_close.py and cases_attacks.py is changed so: other sequence numbers, addresses in the opposite order,
IPv6, every packet seen twice, a FIN before its last data, and crossing segments in every order in which some place on
the path can have seen them. And two runs on the same file must print the same, however many connections it has.

invariance.py [--binary PATH] [NAME...]
"""
import itertools
import os
import re
import struct
import subprocess
import sys
import tempfile
from dataclasses import replace

import cases_attacks  # noqa: F401 - registers its cases
import cases_close    # noqa: F401
import tracer
from packets import CASES, Capture, Conversation, Segment

SAME = ("outcome", "pattern", "closer", "time_wait", "missing", "reset.by", "reset.phase", "reset.validity",
        "late_reset", "midstream", "retransmits.syn", "retransmits.syn_ack", "retransmits.fin_source",
        "retransmits.fin_destination")
PLAIN = Conversation()
MODULES = ("cases_close", "cases_attacks")
MOST_SEGMENTS = 150  # storms are left out


def segments_of(name, conversation=PLAIN):
    return CASES[name](conversation)


def suits(name):
    """Only cases of plain segments are changed: a packet made by hand cannot be."""
    if CASES[name].__module__ not in MODULES:
        return False
    segments = segments_of(name)
    return len(segments) <= MOST_SEGMENTS and all(isinstance(s, Segment) and not s.ip for s in segments)


# ---- changes: from a case to captures that mean the same, each with a label ----

def ipv6(name):
    """IPv6 for IPv4."""
    yield "", segments_of(name, replace(PLAIN, ips=("2001:db8::1", "2001:db8::9")))


def source_sorts_higher(name):
    """The source's end is the higher one of the flow's key: by address, by the low half of IPv6, by port."""
    yield "IPv4", segments_of(name, replace(PLAIN, ips=PLAIN.ips[::-1]))
    yield "IPv6", segments_of(name, replace(PLAIN, ips=("2001:db8::9", "2001:db8::1")))
    yield "port", segments_of(name, replace(PLAIN, ips=("10.0.0.1", "10.0.0.1")))


def numbers_wrap(name):
    """Each number that either side sends becomes 0 once, so that the numbers before it lie just below 2^32."""
    sent = [set(), set()]
    for s in segments_of(name):
        first = s.conversation.isn[s.side] + s.seq
        sent[s.side] |= {first % 2**32, (first + s.end - s.seq) % 2**32}
    sent = [sorted(numbers) or [0] for numbers in sent]
    for n in range(max(map(len, sent))):
        zero = [numbers[n % len(numbers)] for numbers in sent]
        isn = tuple((PLAIN.isn[side] - zero[side]) % 2**32 for side in (0, 1))
        yield f"ISNs {isn[0]:#x} {isn[1]:#x}", segments_of(name, replace(PLAIN, isn=isn))


def sighted_twice(name):
    """Every packet again after 10 us with the same IP id."""
    yield "", [twin for s in segments_of(name) for twin in (s, s.sighted(10_000))]


def swapped(segments, n):
    """Segments n and n + 1 captured in the other order."""
    one, two = segments[n:n + 2]
    return segments[:n] + [replace(two, time=one.time), replace(one, time=two.time)] + segments[n + 2:]


def crossing(segments):
    """The place of the first two neighbouring FINs that do not acknowledge each other; None without."""
    for n, (one, two) in enumerate(zip(segments, segments[1:])):
        if "F" in one.flags and "F" in two.flags and one.side != two.side and two.ack < one.end and one.ack < two.end:
            return n
    return None


def can_be_seen(order):
    """Each side's segments in the order sent, and no acknowledgment of a FIN before that FIN."""
    sent, fins = [-1, -1], [False, False]  # by side: place of its last segment, and whether its FIN has come by
    ends = {s.side: s.end for _, s in order if "F" in s.flags}
    for place, s in order:
        if place < sent[s.side] or (s.ack == ends[1 - s.side] and not fins[1 - s.side]):
            return False
        sent[s.side] = place
        fins[s.side] |= "F" in s.flags
    return True


def crossing_permuted(name):
    """The segments from two crossing FINs on, in every order that some place on the path can see."""
    segments = segments_of(name)
    begin = crossing(segments)
    tail = segments[begin:] if begin is not None else []
    fins = {(s.side, s.end) for s in tail if "F" in s.flags}
    if len(fins) != 2 or any(s.tcp for s in tail):  # none crossed, or forged and broken ones among them
        return
    for order in itertools.permutations(enumerate(tail)):
        if can_be_seen(order):
            moved = [replace(s, time=at.time) for (_, s), at in zip(order, tail)]
            yield " ".join(str(place) for place, _ in order), segments[:begin] + moved


def fin_overtakes_data(name):
    """A FIN before the data that it follows in sequence."""
    segments = segments_of(name)
    for n, (one, two) in enumerate(zip(segments, segments[1:])):
        if one.side == two.side and one.length and "F" not in one.flags and "F" in two.flags and one.end == two.seq:
            yield f"segment {n}", swapped(segments, n)


CHANGES = (ipv6, source_sorts_higher, numbers_wrap, sighted_twice, crossing_permuted, fin_overtakes_data)


# ---- comparing ----

def verdicts(segments, path):
    """The fields of each record that must not change. OSError where the program fails."""
    with open(path, "wb") as out:
        out.write(Capture(segments).file())
    process = tracer.trace(path)
    if process.returncode:
        raise OSError(f"exit {process.returncode}: {process.stderr.decode('utf-8', 'replace').strip()}")
    return [{key: tracer.look_up(r["tcp"], key) for key in SAME} for r in tracer.records_of(process)]


def difference(plain, changed):
    if len(plain) != len(changed):
        return f"{len(changed)} records for {len(plain)}"
    return ", ".join(f"{key} {old[key]} became {new[key]}" for old, new in zip(plain, changed)
                     for key in SAME if old[key] != new[key])


def check(name, change, plain, path):
    """(whether the change applies to the case, faults)."""
    faults, applied = [], False
    for label, segments in change(name):
        applied = True
        try:
            found = difference(plain, verdicts(segments, path))
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            found = str(error)
        if found:
            faults.append(f"{label}: {found}".lstrip(": "))
    return applied, faults


# ---- the same file again ----

CROWD = 20_000  # connections open at once: some of them share their cell of last_seen with another
CROWD_STEPS = ((0, 0, 0, 0x02), (1, 0, 1, 0x12), (0, 1, 1, 0x10), (0, 1, 1, 0x18), (1, 1, 1, 0x10), (0, 1, 1, 0x11),
               (1, 1, 2, 0x11), (0, 2, 2, 0x10))  # sender, seq, ack, flags


def crowd():
    """A capture of raw IPv4 packets: one step of all connections after the other, then the next step."""
    yield struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
    for n, (side, seq, ack, flags) in enumerate(CROWD_STEPS):
        for i in range(CROWD):
            ends = ((0x0a000000 + i, 40000), (0xc0a80001, 443))
            us = (n * CROWD + i) * 100
            yield struct.pack("<IIII", 1_700_000_000 + us // 1_000_000, us % 1_000_000, 40, 40)
            yield struct.pack(">BBHHHBBHII", 0x45, 0, 40, i & 0xffff, 0, 64, 6, 0, ends[side][0], ends[not side][0])
            yield struct.pack(">HHIIBBHHH", ends[side][1], ends[not side][1], seq, ack, 5 << 4, flags, 64000, 0, 0)


def read_again(path):
    """What is wrong with two runs on the crowd's capture."""
    with open(path, "wb") as out:
        out.writelines(crowd())
    first, second = (tracer.trace(path) for _ in range(2))
    if len(tracer.records_of(first)) != CROWD:
        return [f"{len(tracer.records_of(first))} records of {CROWD} connections"]
    return [] if first.stdout == second.stdout else ["the second run's records differ"]


# ---- more connections than --max-flows ----

LIMIT = 1024


def rows():
    """A capture of connections that stay open, one in four with a FIN that is not answered, one in four a lone SYN."""
    yield struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
    for i in range(CROWD * 4):
        for n, (side, seq, ack, flags) in enumerate(CROWD_STEPS[:(1, 3, 3, 6)[i % 4]]):
            ends, us = ((0x0a000000 + i, 40000), (0xc0a80001, 443)), i * 100 + n
            yield struct.pack("<IIII", 1_700_000_000 + us // 1_000_000, us % 1_000_000, 40, 40)
            yield struct.pack(">BBHHHBBHII", 0x45, 0, 40, i & 0xffff, 0, 64, 6, 0, ends[side][0], ends[not side][0])
            yield struct.pack(">HHIIBBHHH", ends[side][1], ends[not side][1], seq, ack, 5 << 4, flags, 64000, 0, 0)


def counters_of(process):
    return {name: int(n) for name, n in re.findall(r"^  (flows_\w+) +(\d+)$", process.stderr.decode(), re.M)}


def lines_of(process):
    return process.stdout.count(b"\n")


PEAK = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def peak_kib(path, *options):
    """Memory of a run; of a small process's child, since a fork begins with its parent's peak."""
    return int(subprocess.check_output([sys.executable, "-c", PEAK, tracer.BINARY, "-q", "-r", path, *options]))


def limited(path):
    """What is wrong with runs on many more connections than may be held: made = reported + forgotten."""
    with open(path, "wb") as out:
        out.writelines(rows())
    made, half, limit = CROWD * 4, CROWD * 2, f"--max-flows={LIMIT}"
    first, second = (tracer.trace(path, options=[limit, "--strict"], quiet=False) for _ in range(2))
    reported, every = lines_of(first), lines_of(tracer.trace(path, options=[limit, "--show-open"]))
    counters, peaks, faults = counters_of(first), (peak_kib(path, limit), peak_kib(path)), []
    if first.stdout != second.stdout:
        faults.append("the second run's records differ")
    if (reported, every) != (half, made):
        faults.append(f"{made} made, {reported} reported, with open ones {every}")
    if not all(half - LIMIT <= counters.get(name, 0) < half for name in ("flows_forgotten", "flows_cut")):
        faults.append(f"counters {counters}")
    if first.returncode != 4:
        faults.append(f"exit code {first.returncode} although connections were lost")
    if peaks[0] * 2 > peaks[1]:
        faults.append(f"{peaks[0]} KiB of memory, {peaks[1]} without a limit")
    return faults


def check_case(name):
    """[(change, its faults)] of the changes that apply to the case."""
    with tempfile.TemporaryDirectory(prefix="tcpfin-invariance-") as directory:
        path = os.path.join(directory, "case.pcap")
        plain = verdicts(segments_of(name), path)
        checked = [(change, *check(name, change, plain, path)) for change in CHANGES]
    return [(change.__name__, faults) for change, applied, faults in checked if applied]


def main():
    options = tracer.command_line(__doc__).parse_args()
    tracer.BINARY = os.path.abspath(options.binary)
    names = options.names or [name for name in CASES if suits(name)]
    results, used = [], set()
    for name, checked in zip(names, tracer.on_all_cpus(check_case, names)):
        for change, faults in checked:
            used.add(change)
            results.append(tracer.print_result(f"{name} {change}", faults))
    with tempfile.TemporaryDirectory(prefix="tcpfin-invariance-") as directory:
        path = os.path.join(directory, "case.pcap")
        if not options.names:
            results.append(tracer.print_result("read_again", read_again(path)))
            results.append(tracer.print_result("limited", limited(path)))
    if not options.names and len(used) < len(CHANGES):
        sys.exit("a change applied to no case")
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
