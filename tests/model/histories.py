# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares tcpfin-trace with the model over random histories (tests/histories), whose truth is known from both ends.

histories.py [--binary PATH] [-n COUNT] [-s SEED] [-v]   -v shows each difference.

Where the two differ in a field that the capture decides, the history says who is right: that must be the program. Of
other fields the differences are counted, by the model's word and the program's.
"""
import argparse
import collections
import os
import sys
import tempfile

import compare
import model
from compare import DIFFERED

sys.path.insert(1, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "histories"))

from history import capture, make  # noqa: E402 - of the other suite
from truth import Truth, Undecided  # noqa: E402

AT_ONCE = 250  # histories in one capture
PROGRAM, MODEL, NEITHER, OPEN = "program", "model", "neither", "nobody"


def ends_of(history):
    return compare.key(zip(history.addresses, history.ports))


def by_ends(found, ends):
    groups = collections.defaultdict(list)
    for one in found:
        groups[ends(one)].append(one)
    return groups


def modelled_ends(one):
    _, fields = one
    return compare.key((fields[side + ".ip"], fields[side + ".port"]) for side in ("source", "destination"))


def who_is_right(truth, field, modelled, printed):
    """By what happened at both ends; nobody knows what the capture does not decide, or the history does not name."""
    right = truth.get(field, Undecided(None))
    if isinstance(right, Undecided):
        return OPEN
    return PROGRAM if printed == right else MODEL if modelled == right else NEITHER


def is_bound(printed, field, modelled, found):
    """The page, tcp.silence_at_most: the silence may be shorter than tcp.silence tells."""
    return field == "tcp.silence" and None not in (modelled, found) and modelled <= found and \
        all(record["tcp"]["silence_at_most"] for record in printed)


def differences(history, modelled, printed):
    """(field, who is right, the model's, the program's); who: None where the two agree or the model does not decide."""
    truth = Truth(history).fields()
    for _, field, result, wanted, got in compare.compared(modelled, printed):
        differs = result == DIFFERED and not is_bound(printed, field, wanted, got)
        yield field, who_is_right(truth, field, wanted, got) if differs else None, wanted, got


def compared(seed, played):
    """(history, its fields) of each."""
    with tempfile.TemporaryDirectory(prefix="tcpfin-model-") as directory:
        capture(path := os.path.join(directory, "histories.pcap"), played, seed)
        modelled = by_ends(model.records(path), modelled_ends)
        printed = by_ends(compare.program_records(path), compare.ends_of)
    for history in played:
        ends = ends_of(history)
        yield history, list(differences(history, modelled[ends], printed[ends]))


def compared_alone(seed, numbers):
    """
    The same, with what differs looked at in a capture of its own: of two connections whose last numbers share a place
    the program has forgotten one's.
    """
    for history, found in compared(seed, [make(seed, number) for number in numbers]):
        if any(who for _, who, _, _ in found):
            [(_, found)] = compared(seed, [history])
        yield history, found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=compare.tracer.BINARY)
    parser.add_argument("-n", "--count", type=int, default=500)
    parser.add_argument("-s", "--seed", default="1")
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser.parse_args()


def print_history(seed, history, found, verbose):
    """Whether the program is never wrong."""
    fine = True
    for field, who, modelled, printed in found:
        wrong = who in (MODEL, NEITHER)
        fine &= not wrong
        if wrong or (who and verbose):
            name = f"history {seed}/{history.number} - {history.script} {history.left_out}"
            print(f"{'not ok' if wrong else '#'} {name}: {field}: the program says {printed}, the model {modelled}, "
                  f"right is {who}")
    return fine


def main():
    options = arguments()
    compare.tracer.BINARY = os.path.abspath(options.binary)
    kinds, failed = collections.Counter(), 0
    for first in range(0, options.count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, options.count))
        for history, found in compared_alone(options.seed, numbers):
            failed += not print_history(options.seed, history, found, options.verbose)
            kinds.update((field, who) for field, who, _, _ in found)
    differ = {kind: number for kind, number in kinds.items() if kind[1]}
    for (field, who), number in sorted(differ.items(), key=lambda item: -item[1]):
        print(f"# {field}: {number}, right is {who}")
    print(f"# {options.count} histories, {sum(kinds.values())} fields, of which {sum(differ.values())} differ")
    print(f"{options.count - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
