# SPDX-License-Identifier: GPL-2.0-or-later
"""
Histories of TCP connections with a known truth, through the program as captures.

run.py [--binary PATH] [-n COUNT] [-s SEED] [-1 NUMBER]   -1 shows one history, its record and what is expected.

Where nothing that decides a field was left out of the capture, the field must be what happened: "unknown" is a failure.
Where it was, truth.py names the field, and it may also be unknown. Both rates are printed; the first must be 100 %.
"""
import argparse
import collections
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "golden"))

import tracer  # noqa: E402 - of the golden suite
from history import capture, make  # noqa: E402
from truth import Truth, Undecided  # noqa: E402

AT_ONCE = 500  # histories in one capture
NOTHING = (None, "unknown", "none", tracer.MISSING)


def records(histories, seed):
    """(number of the history) -> its records."""
    options = ("--show-open", "--all-segments") if histories[0].number // AT_ONCE % 2 else ("--show-open",)
    with tempfile.TemporaryDirectory(prefix="tcpfin-histories-") as directory:
        capture(path := os.path.join(directory, "histories.pcap"), histories, seed)
        process = tracer.trace(path, options=options)
    if process.returncode or process.stderr:
        sys.exit(f"exit {process.returncode}: {process.stderr.decode()}")
    found = collections.defaultdict(list)
    for record in tracer.records_of(process):
        ends = frozenset((record[side]["ip"], record[side]["port"]) for side in ("source", "destination"))
        found[ends].append(record)
    return {h.number: found[frozenset(zip(h.addresses, h.ports))] for h in histories}


def compared(history, found):
    """(field, decided?, wanted, got) of each field that the truth names."""
    truth = Truth(history)
    wanted = truth.fields()
    yield "records", not isinstance(wanted["tcp.outcome"], Undecided), 1, len(found)
    for field, value in wanted.items():
        decided = not isinstance(value, Undecided)
        got = tracer.look_up(found[0], field) if found else tracer.MISSING
        if found or not history.hidden:
            yield field, decided, value if decided else value.happened, got


def judge(history, found, counts):
    """Faults of one history, in words; counts grows."""
    faults = []
    for field, decided, wanted, got in compared(history, found):
        if not decided:
            counts[field, "right" if got == wanted else "unknown" if got in NOTHING else "other"] += 1
        elif got == wanted or (wanted is None and got is tracer.MISSING):
            counts[field, "decided"] += 1
        else:
            counts[field, "wrong"] += 1
            faults.append(f"{history.script} {field} is {got}, was {wanted}")
    return faults


def total(counts, *kinds):
    return sum(number for (_, kind), number in counts.items() if kind in kinds)


def percent(part, whole):
    return f"{part} of {whole} ({100 * part / whole if whole else 100:.4g} %)"


def print_rates(histories, counts):
    decided, wrong = total(counts, "decided"), total(counts, "wrong")
    right, unknown, other = (total(counts, kind) for kind in ("right", "unknown", "other"))
    print(f"# {histories} histories; fields that were decided: {percent(decided, decided + wrong)} as it happened")
    print(f"# fields that were not: {percent(right, right + unknown + other)} as it happened, {unknown} unknown, "
          f"{other} as the rest of the capture looks")


def show(seed, number):
    history = make(seed, number)
    print(history.script, history.left_out, history.addresses, history.ports, history.network.quality)
    for s in sorted(history.segments + history.hidden, key=lambda s: s.seen):
        isn = [end.isn for end in history.ends]
        print(f"{s.seen / 1e6:12.3f} {'><'[s.side]} flags {s.flags:2} seq {s.seq - isn[s.side]} "
              f"ack {s.ack and s.ack - isn[1 - s.side]} len {s.length}{' forged' * s.forged}"
              f"{' left out' * (s in history.hidden)}")
    for line in compared(history, records([history], seed)[number]):
        print(*line)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=tracer.BINARY)
    parser.add_argument("-n", "--count", type=int, default=1000)
    parser.add_argument("-s", "--seed", default="1")
    parser.add_argument("-1", "--one", type=int)
    return parser.parse_args()


def main():
    options = arguments()
    tracer.BINARY = os.path.abspath(options.binary)
    if options.one is not None:
        return show(options.seed, options.one)
    counts, results = collections.Counter(), []
    for first in range(0, options.count, AT_ONCE):
        histories = [make(options.seed, n) for n in range(first, min(first + AT_ONCE, options.count))]
        found = records(histories, options.seed)
        for h in histories:
            faults = judge(h, found[h.number], counts)
            results.append(not faults)
            if faults:
                print(f"not ok history {options.seed}/{h.number} - {'; '.join(faults)}")
    print_rates(options.count, counts)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
