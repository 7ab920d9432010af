# SPDX-License-Identifier: GPL-2.0-or-later
"""The reader of captures against Wireshark's: both find the same frames in each golden capture, with the same times,
lengths and bytes (MD5).

frames.py PROGRAM     the built frames.c
"""
import os
import subprocess
import sys
import tempfile

from build_captures import build
from run import committed

FIELDS = ("frame.time_epoch", "frame.cap_len", "frame.len", "frame.md5_hash")
ENVIRONMENT = {"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"}

# Errors of ours after which Wireshark may read on: it rounds such a length up, knows more link types, unpacks files and
# finds a format for nearly every file.
STRICTER = ("no multiple of 4", "is not supported", "is compressed", "unknown file format")

# What mergecap does not copy as it is: a fraction above a second, and (version 4.0) a pcapng of several sections.
APART = ("times_fraction_over_a_second",)


def lines_of(command):
    """What it prints, line by line, and its last line on stderr."""
    process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, env=ENVIRONMENT,
                             text=True, check=False)
    return process.stdout.splitlines(), process.stderr.strip().split("\n")[-1]


def ours(program, path):
    frames, error = lines_of([program, path])
    return [tuple(frame.split()) for frame in frames], error


def nanoseconds(text):
    """ns from seconds as text; 0 without a time. A fraction is held below a second, and a time at 1970 or later."""
    whole, _, fraction = (text or "0.0").partition(".")
    return str(max(0, int(whole) * 10**9 + min(int(fraction.ljust(9, "0")), 10**9 - 1)))


def wiresharks(path):
    fields = [word for field in FIELDS for word in ("-e", field)]
    rows, _ = lines_of(["tshark", "-n", "-r", path, "-o", "frame.generate_md5_hash:TRUE", "-T", "fields", *fields])
    return [(nanoseconds(row.split("\t")[0]), *row.split("\t")[1:]) for row in rows]


def fault(found, expected):
    """The first difference, or None."""
    if len(found) != len(expected):
        return f"{len(found)} frames, {len(expected)} for Wireshark"
    pairs = enumerate(zip(found, expected), 1)
    return next((f"frame {n}: {a}, {b} for Wireshark" for n, (a, b) in pairs if a != b), None)


def single_fault(program, path):
    """Of a file by itself. If it ends in an error, Wireshark must stop there, too."""
    (frames, error), expected = ours(program, path), wiresharks(path)
    if any(words in error for words in STRICTER):
        expected = expected[:len(frames)]
    return fault(frames, expected)


def joined_fault(program, paths, folder):
    """Of whole files together: starting Wireshark for each would take a minute."""
    joined = os.path.join(folder, "joined.pcapng")
    subprocess.run(["mergecap", "-a", "-w", joined, *paths], check=True, env=ENVIRONMENT)
    expected, apart = wiresharks(joined), [frame for path in paths for frame in ours(program, path)[0]]
    return fault(apart, expected) or fault(ours(program, joined)[0], expected)


def is_pcapng(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\n\r\r\n"


def main(program):
    with tempfile.TemporaryDirectory(prefix="tcpfin-frames-") as folder:
        paths = {**committed(), **build(folder)}
        single = {name: path for name, path in paths.items()
                  if name in APART or is_pcapng(path) or ours(program, path)[1]}
        faults = {name: single_fault(program, path) for name, path in single.items()}
        rest = [path for name, path in paths.items() if name not in single]
        faults[f"joined ({len(rest)} files)"] = joined_fault(program, rest, folder)
    for name, found in faults.items():
        print(f"not ok {name} - {found}" if found else f"ok {name}")
    failed = sum(bool(found) for found in faults.values())
    print(f"{len(faults) - failed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
