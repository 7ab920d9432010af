#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
-w on captures: what it writes is read again with the same records, byte for byte; tshark and capinfos read it; its
packets are those of the capture, and those alone that belong to the records.

flight.py DIRECTORY... [-k NAME]     all tests on the captures in the directories, or those whose names begin so
"""
import argparse
import gzip
import json
import os
import signal
import subprocess
import tempfile
import time

import tracer
from flight_file import frames_of, packets_of, section_comment

SEED = os.path.join(tracer.TOP, "tests", "golden", "captures", "seed-ssh-close.pcap")
TESTS = []


def test(function):
    TESTS.append(function)
    return function


# ---- running ----

def run(*arguments, **how):
    return subprocess.run([tracer.BINARY, "-q", *arguments], capture_output=True, timeout=60, env=tracer.ENVIRONMENT,
                          check=False, **{"stdin": subprocess.DEVNULL, **how})


def records(path, *options):
    return run("-r", path, "--format=json", "--show-open", *options).stdout


def equal(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: {str(got)[:300]}, expected {str(expected)[:300]}")


def in_sets(lines):
    return sorted(lines.splitlines())


# ---- every golden capture ----

def round_trip_faults(path):
    """All records kept, then those of each outcome alone."""
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept.pcapng")
        try:
            first = records(path, "-w", kept)
            outcomes = {json.loads(line)["tcp"]["outcome"] for line in first.splitlines()}
            equal("read again", records(kept), first)
            comments = [packet["comment"] for packet in packets_of(kept) if packet["comment"]]
            equal("verdicts in comments", sum(c.count(", closer ") for c in comments), len(first.splitlines()))
            for outcome in sorted(outcomes) * (len(first.splitlines()) > 1):
                some = records(path, "-w", kept, "--outcome=" + outcome)
                again = records(kept, "--outcome=" + outcome)
                verdicts = [[(r["source"], r["destination"], r["event"]["id"], r["tcp"]["closer"])
                             for r in map(json.loads, lines.splitlines())] for lines in (some, again)]
                # The SYN that ends a connection is with it, and may be one more connection.
                equal(f"of {outcome}, not read again", [v for v in verdicts[0] if v not in verdicts[1]], [])
        except (AssertionError, ValueError) as fault:
            return [f"{os.path.basename(path)}: {fault}"]
    return []


@test
def same_records(paths):
    """What is written is read again with the same records, and each has its comment."""
    faults = [fault for found in tracer.on_all_cpus(round_trip_faults, paths) for fault in found]
    equal("faults", faults, [])


# ---- whose packets ----

@test
def packets_of_one(paths):
    """Of two captures read together, the packets of the one connection that matches: all of it, its bytes unchanged."""
    with tempfile.TemporaryDirectory() as directory:
        kept, other = os.path.join(directory, "kept.pcapng"), named(paths, "r3_abort")
        out = run("-r", SEED, "-r", other, "--port=22", "-w", kept)
        equal("exit code", (out.returncode, out.stderr), (0, b""))
        expected = list(frames_of(SEED))
        equal("packets", [(p["time"], p["bytes"], p["length"]) for p in packets_of(kept)], expected)
        run("-r", SEED, "-r", other, "--outcome=reset", "-w", kept)
        equal("packets of the reset one", [(p["bytes"], p["length"]) for p in packets_of(kept)],
              [frame[1:] for frame in frames_of(other)])


@test
def nothing_matches(paths):
    """A file without packets is whole."""
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept.pcapng")
        equal("exit code", run("-r", SEED, "--outcome=reset", "-w", kept).returncode, 0)
        equal("packets", list(packets_of(kept)), [])
        equal("tshark", subprocess.run(["tshark", "-r", kept], capture_output=True, check=False).returncode, 0)


@test
def port_used_again(paths):
    """A connection's packets are its own, though its addresses and ports are used again."""
    with tempfile.TemporaryDirectory() as directory:
        kept, both = os.path.join(directory, "kept.pcapng"), named(paths, "p1_reuse_after_settling")
        whole = [json.loads(line) for line in records(both).splitlines()]
        equal("connections", len(whole), 2)
        begins = tracer.ns_of(whole[1]["event"]["start"])
        for record, inside in (whole[0], lambda t: t < begins), (whole[1], lambda t: t >= begins):
            run("-r", both, "--where", f"isn_source = {record['tcp']['isn']['source']}", "-w", kept)
            equal("packets", [p["time"] for p in packets_of(kept)],
                  [frame[0] for frame in frames_of(both) if inside(frame[0])])


# ---- files of all kinds ----

@test
def interfaces_and_links(paths):
    """Interfaces of several link types and snap lengths stay what they are, with their names."""
    several = named(paths, "pcapng_mixed_links")
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept.pcapng")
        run("-r", several, "-w", kept)
        equal("links", {(p["link"], p["snaplen"], p["name"]) for p in packets_of(kept)},
              {(p["link"], p["snaplen"], p["name"]) for p in packets_of(several)})
        equal("packets", [(p["bytes"], p["length"]) for p in packets_of(kept)],
              [(p["bytes"], p["length"]) for p in packets_of(several)])


@test
def packed_and_piped(paths):
    """gzip, zstd, a pipe, and a packed pipe give the same file."""
    with tempfile.TemporaryDirectory() as directory:
        plain, kept = os.path.join(directory, "plain.pcapng"), os.path.join(directory, "kept.pcapng")
        packed = os.path.join(directory, "seed.gz")
        run("-r", SEED, "-w", plain)
        with open(SEED, "rb") as file, open(packed, "wb") as out:
            out.write(gzip.compress(file.read()))
        subprocess.run(["zstd", "-q", SEED, "-o", os.path.join(directory, "seed.zst")], check=True)
        for source in (packed, os.path.join(directory, "seed.zst"), SEED):
            for arguments, how in ((["-r", source], {}), (["-r", "-"], {"stdin": open(source, "rb")}),
                                   (["-r", "-"], {"stdin": subprocess.Popen(["cat", source],
                                                                            stdout=subprocess.PIPE).stdout})):
                done = run(*arguments, "-w", kept, **how)
                equal(f"{arguments}", (done.returncode, done.stderr), (0, b""))
                equal(f"of {source}", list(packets_of(kept)), list(packets_of(plain)))
        equal("left beside it", sorted(os.listdir(directory)), ["kept.pcapng", "plain.pcapng", "seed.gz", "seed.zst"])


@test
def stopped(paths):
    """A pipe that goes on is stopped by SIGINT: what was reported has its packets."""
    with tempfile.TemporaryDirectory() as directory, open(SEED, "rb") as file:
        kept = os.path.join(directory, "kept.pcapng")
        with subprocess.Popen([tracer.BINARY, "-q", "-r", "-", "-w", kept], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=tracer.ENVIRONMENT) as process:
            process.stdin.write(file.read())
            process.stdin.flush()
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            equal("exit code", process.wait(20), 0)
        equal("packets", [p["bytes"] for p in packets_of(kept)], [frame[1] for frame in frames_of(SEED)])


@test
def readers(paths):
    """tshark and capinfos read the file without complaint, comments included."""
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept.pcapng")
        run("-r", SEED, "-w", kept)
        shown = subprocess.run(["tshark", "-r", kept, "-Y", "frame.comment", "-T", "fields", "-e", "frame.number", "-e",
                                "frame.comment"], capture_output=True, text=True, check=True)
        number, comment = shown.stdout.rstrip("\n").split("\t")
        equal("the last ACK", number, "22")
        equal("its comment", comment.split("\\n")[0],
              "192.168.139.29:63164 > 110.42.175.115:22: graceful, closer source")
        equal("its sentence", comment.split("\\n")[1][:36], "closed by the source: its FIN (seq 3")
        info = subprocess.run(["capinfos", kept], capture_output=True, text=True, check=True).stdout
        equal("packets", "Number of packets:   22" in info, True)
        equal("comment of the section", section_comment(kept).split("\n")[0],
              "1 connection, with all packets that the captures have of them")


# ---- files that follow each other ----

@test
def files_by_size(paths):
    """-C: each file is whole in itself and says what its interfaces are; together they have all packets."""
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept.pcapng")
        done = run("-r", SEED, "-w", kept, "-C", "2K")
        equal("exit code", (done.returncode, done.stderr), (0, b""))
        files = [kept, *sorted((os.path.join(directory, n) for n in os.listdir(directory) if n != "kept.pcapng"),
                               key=lambda name: int(name.rsplit("pcapng", 1)[1]))]
        equal("several files", len(files) > 3, True)
        equal("packets", [p["bytes"] for name in files for p in packets_of(name)],
              [frame[1] for frame in frames_of(SEED)])
        equal("read again", run(*[w for name in files for w in ("-r", name)], "--format=json").stdout,
              run("-r", SEED, "--format=json").stdout)


# ---- what goes wrong ----

@test
def bad_places(paths):
    """The start fails, and says why; nothing is overwritten."""
    with tempfile.TemporaryDirectory() as directory, open(SEED, "rb") as file:
        copy, lines = os.path.join(directory, "copy.pcap"), os.path.join(directory, "records.json")
        content = file.read()
        with open(copy, "wb") as out:
            out.write(content)
        with open(lines, "wb") as out:
            out.write(records(SEED))
        busy = "is read, or written to for something else; give another file"
        for arguments, code, why in (
                (["-r", SEED, "-w", directory], 1, f"{directory}: Is a directory"),
                (["-r", SEED, "-w", "/no/such/file"], 1, "/no/such/file: No such file or directory"),
                (["-r", copy, "-w", copy], 1, f"{copy}: {busy}"),
                (["-r", copy, "-w", directory + "/./copy.pcap"], 1, f"{directory}/./copy.pcap: {busy}"),
                (["-r", SEED, "-o", lines + "2", "-w", lines + "2"], 1, f"{lines}2: {busy}"),
                (["-r", lines, "-w", copy + "2"], 1, "-w keeps packets, and files of records have none; give captures"),
                (["-r", SEED, "-w", "-"], 2, "-w - would mix packets with records on standard output; give a file")):
            done = run(*arguments)
            equal(" ".join(arguments), (done.returncode, done.stderr.decode()), (code, f"tcpfin-trace: {why}\n"))
        with open(copy, "rb") as file_again:
            equal("the capture", file_again.read(), content)


def named(paths, name):
    return next(path for path in paths if os.path.basename(path) == name + ".pcap")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+")
    parser.add_argument("-k", dest="name", default="")
    arguments = parser.parse_args()
    paths = sorted(os.path.join(d, name) for d in arguments.directories for name in os.listdir(d))
    failed, chosen = 0, [one for one in TESTS if one.__name__.startswith(arguments.name)]
    for one in chosen:
        try:
            one(paths)
            faults = []
        except (AssertionError, ValueError, subprocess.SubprocessError) as fault:
            faults = [str(fault)]
        failed += not tracer.print_result(one.__name__, faults)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    raise SystemExit(main())
