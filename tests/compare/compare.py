#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Compares tcpfin-trace's records with tshark's view of the same captures, stream by stream and field by field.

Folders are searched for captures. Prints how many values agree, how many differ, and each difference that no rule of
contract.py justifies; known.tsv has the reason of each rule. A file passes if it has no such difference. The exit code
is 1 if a file failed. The binary is build/tcpfin-trace, or the one in TCPFIN_TRACE.
"""
import argparse
import fnmatch
import functools
import gzip
import multiprocessing
import os
import shutil
import sys
import tempfile
import traceback
import zlib
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.pool import ThreadPool

import judge
import records
import tshark
from command import confine

HERE = os.path.dirname(os.path.abspath(__file__))
GZIP = bytes.fromhex("1f8b")
UNPACKED_MOST, PIECE = 2**30, 2**16  # bytes

# Where our reader stops and tshark goes on: words of our error line -> kind of difference.
REFUSALS = {"of the pcap format is unknown": "file-version",
            "is not supported; capture on": "link-type",
            "no multiple of 4": "odd-block-length"}


@dataclass
class Result:
    """The result for one file. status: ok, fail or skip."""
    path: str
    status: str = "ok"
    note: str = ""
    streams: int = 0
    compared: Counter = field(default_factory=Counter)   # values, by field
    justified: Counter = field(default_factory=Counter)
    differing: Counter = field(default_factory=Counter)  # without justification
    kinds: Counter = field(default_factory=Counter)      # justified differences, by kind
    unreported: Counter = field(default_factory=Counter)  # streams without a record by contract, by rule
    skipped: Counter = field(default_factory=Counter)    # streams that are not compared, by reason
    shown: list = field(default_factory=list)            # lines, some of the differences without justification


@dataclass
class Options:
    seconds: float
    megabytes: int
    most: int      # lines of differences
    settings: str  # an empty folder


# ---- what is known ----

@functools.lru_cache(maxsize=None)
def known():
    """known.tsv's rows: pattern of the file, pattern of the field, kind, reason."""
    with open(os.path.join(HERE, "known.tsv"), encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if line.strip() and not line.startswith("#")]
    assert all(len(row) == 4 for row in rows), "known.tsv has a row that is not of four columns"
    return rows


def is_known(kind, name, path):
    return any(kind == row[2] and fnmatch.fnmatch(name, row[1]) and fnmatch.fnmatch(path, row[0]) for row in known())


def is_justified(difference, path):
    return bool(difference.kinds) and all(is_known(kind, difference.field, path) for kind in difference.kinds)


def reason(kind):
    return next(row[3] for row in known() if row[2] == kind)


# ---- one file ----

class Fault(Exception):
    """The file fails for the reason in the text."""


class Skip(Exception):
    """The file cannot be compared."""


def first_line(text):
    return next((line for line in text.splitlines() if not line.startswith("Running as user")), "")


def checked(report, seconds):
    """The program must end by itself, with 0, or with 1 and one line of error, and print only records."""
    end = report.end
    if end.late:
        raise Fault(f"tcpfin-trace did not end in {seconds:g} s")
    if end.code not in (0, 1):
        raise Fault(f"tcpfin-trace: exit code {end.code}: {first_line(end.errors)}")
    if report.unreadable:
        raise Fault(f"tcpfin-trace: no record: {report.unreadable}")
    if end.code == 1 and len(end.errors.splitlines()) != 1:
        raise Fault(f"tcpfin-trace: exit code 1 and not one line of error: {end.errors!r}")
    return report


def kind_of_refusal(text):
    """Why our reader reads no further where tshark does; None where that is not known."""
    return next((kind for words, kind in REFUSALS.items() if words in text), None)


def check_refusal(result, report, view, taken):
    """Our reader stopped. So must tshark, or it is known why we read no further. taken: packets before; 0: unknown."""
    text = report.end.errors
    result.note = text
    if view.frames <= taken or (not taken and view.end.code):
        return
    kind = kind_of_refusal(text)
    if not kind or not is_known(kind, "file", result.path):
        raise Fault(f"tshark reads on where we stop: {text}")
    result.kinds[kind] += 1
    if not taken:
        raise Skip(text)


def read_both(result, path, options):
    report = checked(records.read(path, options.seconds), options.seconds)
    taken = records.packets_read(path, options.seconds) if report.end.code else 0
    view = tshark.read(path, options.seconds, options.settings, taken)
    if view.end.late:
        raise Skip(f"tshark did not end in {options.seconds:g} s")
    if view.end.code < 0 or (view.end.code and not view.frames and not report.end.code):
        raise Skip(f"tshark: exit code {view.end.code}: {first_line(view.end.errors)}")
    if report.end.code:
        check_refusal(result, report, view, taken)
    elif view.end.code:
        result.note = first_line(view.end.errors)
    return report, view


def count(result, comparison, path, most):
    result.compared = comparison.compared
    result.unreported = comparison.unreported
    for difference in comparison.differences:
        if is_justified(difference, path):
            result.justified[difference.field] += 1
            result.kinds.update(difference.kinds)
            continue
        result.differing[difference.field] += 1
        if len(result.shown) < most:
            kinds = f" (unknown: {', '.join(difference.kinds)})" if difference.kinds else ""
            result.shown.append(f"{path}: {difference.where}: {difference.field}: tshark {difference.theirs}, "
                                f"ours {difference.ours}{kinds}")


def compare_capture(result, path, options):
    report, view = read_both(result, path, options)
    result.streams = len(view.streams)
    result.skipped = Counter({why: len(numbers - {-1}) for why, numbers in view.skipped.items()})
    comparison = judge.compare(view, report)
    result.skipped["too long"] += comparison.too_long
    count(result, comparison, result.path, options.most)
    if result.differing:
        raise Fault(f"{sum(result.differing.values())} differences")


def compare_packed(result, path, options):
    """Of a gzip file: the file inside is compared like any other, and the program must say the same of both."""
    with tempfile.NamedTemporaryFile(dir=options.settings) as plain:
        for piece in unpacked(path):
            plain.write(piece)
        plain.flush()
        compare_file(result, plain.name, options)
        inside, packed = (checked(records.read(p, options.seconds), options.seconds) for p in (plain.name, path))
        if [r.values() for r in inside.records] != [r.values() for r in packed.records]:
            raise Fault("tcpfin-trace says other things of the file than of what is packed in it")


def is_packed(path):
    with open(path, "rb") as file:
        return file.read(len(GZIP)) == GZIP


def unpacked(path):
    """The content of a gzip file in pieces; of a cut file, as much as can be unpacked."""
    with gzip.open(path) as packed:
        for _ in range(UNPACKED_MOST // PIECE):
            try:
                piece = packed.read(PIECE)
            except (OSError, EOFError, zlib.error):
                return
            if not piece:
                return
            yield piece


def compare_file(result, path, options):
    if not os.path.isfile(path):
        raise Skip("no regular file")
    if tshark.format_of(path):
        compare_capture(result, path, options)
    elif is_packed(path) and path == result.path:
        compare_packed(result, path, options)
    else:
        report = checked(records.read(path, options.seconds), options.seconds)
        if not report.end.code:
            raise Fault("tcpfin-trace reads what is neither pcap nor pcapng")
        raise Skip(f"neither pcap nor pcapng; {report.end.errors}")


def compare_one(path, options):
    result = Result(path)
    try:
        compare_file(result, path, options)
    except Fault as fault:
        result.status, result.note = "fail", str(fault)
    except Skip as skip:
        result.status, result.note = "skip", str(skip)
    except MemoryError:
        result.status, result.note = "skip", f"needs more than {options.megabytes} MB"
    except OSError as error:
        result.status, result.note = "skip", str(error)
    except Exception:  # a fault of this script must not end the run over all files
        result.status, result.note = "fail", "compare.py: " + traceback.format_exc(limit=-3)
    return result


def work(sender, path, options):
    confine(options.megabytes)
    sender.send(compare_one(path, options))


def in_process(path, options):
    """Compares each file in a process of its own, so that one that crashes ends no other."""
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(sender, path, options), daemon=True)
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return Result(path, "fail", "compare.py: its process died")
    finally:
        process.join()
        receiver.close()


# ---- all files ----

def files_of(arguments):
    for argument in arguments:
        if not os.path.isdir(argument):
            yield argument
        for folder, folders, names in os.walk(argument):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    yield path


def printable(text):
    """The text without control characters, which file names and errors may have."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def print_file(result, verbose):
    word = {"ok": "ok", "fail": "not ok", "skip": "skip"}[result.status]
    if result.status != "ok" or result.note or verbose:
        print(printable(f"{word} {result.path}" + (" - " + result.note if result.note else "")), flush=True)


def print_fields(results):
    total = {name: sum((getattr(result, name) for result in results), Counter())
             for name in ("compared", "justified", "differing")}
    print(f"\n{'field':18} {'compared':>9} {'agree':>9} {'differ':>9} {'justified':>9}")
    for name in judge.FIELDS:
        compared, justified, differing = (total[kind][name] for kind in ("compared", "justified", "differing"))
        print(f"{name:18} {compared:9} {compared - justified - differing:9} {differing:9} {justified:9}")


def print_counts(title, counts, text=lambda name: name):
    if counts:
        print(f"\n{title}")
    for name, number in counts.most_common():
        print(f"  {number:7} {text(name)}")


def print_summary(results, most):
    print_fields(results)
    total = {name: sum((getattr(result, name) for result in results), Counter())
             for name in ("kinds", "unreported", "skipped")}
    print_counts("justified by", total["kinds"], lambda kind: f"{kind}: {reason(kind)}")
    print_counts("streams without a record, by contract", total["unreported"], lambda kind: f"{kind}: {reason(kind)}")
    print_counts("streams not compared", +total["skipped"])
    shown = [line for result in results for line in result.shown]
    if shown:
        print("\ndifferences")
    for line in shown[:most]:
        print("  " + printable(line))
    left = sum(sum(result.differing.values()) for result in results) - len(shown[:most])
    if left:
        print(f"  and {left} more")
    status = Counter(result.status for result in results)
    print(f"\n{sum(result.streams for result in results)} streams in {len(results)} files")
    print(f"{status['ok']} passed, {status['fail']} failed, {status['skip']} skipped")


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="files at a time")
    parser.add_argument("--max", type=int, default=200, help="differences to show")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for each program on each file")
    parser.add_argument("--memory", type=int, default=4096, help="megabytes for each program")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each file, not only for odd ones")
    parser.add_argument("paths", nargs="+", metavar="FILE-OR-FOLDER")
    return parser.parse_args(arguments)


def run(arguments):
    options = parse_arguments(arguments)
    sys.stdout.reconfigure(errors="backslashreplace")
    if not os.access(records.BINARY, os.X_OK):
        sys.exit(f"{records.BINARY}: no such program; build it, or name it in TCPFIN_TRACE")
    if not shutil.which("tshark"):
        sys.exit("tshark is not installed")
    missing = [path for path in options.paths if not os.path.exists(path)]
    if missing:
        sys.exit(f"{missing[0]}: no such file or folder")
    results = []
    with tempfile.TemporaryDirectory(prefix="tcpfin-compare-") as settings, ThreadPool(options.jobs) as pool:
        compare = functools.partial(in_process, options=Options(options.timeout, options.memory, options.max, settings))
        for result in pool.imap(compare, files_of(options.paths)):
            print_file(result, options.verbose)
            results.append(result)
    print_summary(results, options.max)
    return any(result.status == "fail" for result in results)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
