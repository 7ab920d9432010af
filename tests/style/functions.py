# SPDX-License-Identifier: GPL-2.0-or-later
"""How long are the functions of each folder? And which may not be called."""
import os
import re
from collections import defaultdict

from tree import code, in_c

BANNED = ("strtok", "sprintf", "vsprintf", "strcpy", "strcat", "atoi", "atol", "atof", "gets")


def banned_functions(paths):
    """Each writes past its buffer, hides an error, or keeps state that two callers share."""
    for path in in_c(paths):
        for number, line in enumerate(code(path).split("\n"), 1):
            for name in re.findall(rf"\b({'|'.join(BANNED)})\s*\(", line):
                yield f"{path}:{number}: {name}"


def functions(path):
    """(line number, name, lines from the opening to the closing brace, both counted) of each function."""
    lines = code(path).split("\n")
    name = start = None
    for number, line in enumerate(lines, 1):
        found = re.match(r"[A-Za-z_][^;=]*?\b(\w+)\(", line)
        if found and not line.startswith("#"):
            name = found[1]
        if line.startswith("{") and name:
            start = number
        elif line.startswith("}") and start:
            yield start, name, number - start + 1
            name = start = None


def by_folder(paths):
    """{folder: [(lines, "path:number: name")], shortest function first}"""
    found = defaultdict(list)
    for path in in_c(paths):
        found[os.path.dirname(path)] += [(size, f"{path}:{number}: {name}") for number, name, size in functions(path)]
    return {folder: sorted(sizes) for folder, sizes in sorted(found.items()) if sizes}


def figures(sizes):
    lengths = [size for size, _ in sizes]
    return (f"{len(lengths)} functions, median {lengths[len(lengths) // 2]}, "
            f"p90 {lengths[len(lengths) * 9 // 10]}, max {lengths[-1]}")
