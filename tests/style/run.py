#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Rules of the tree that no compiler checks. Each is a generator of complaints; its docstring says why it exists.

usage: tests/style/run.py [RULE...]
"""
import re
import subprocess
import sys

import tree
from editorconfig import disobeyed
from functions import banned_functions, by_folder, figures
from layers import climbing_includes, include_circles, missing_includes
from spdx import wrong_licences

AT_TOP = {"bpf", "user", "vmlinux", "tests", "Makefile", "README.md", "LICENSE"}

# The longest function that a folder may have, in lines with its braces; DEFAULT where nothing stands. A bound may be
# lowered when the longest one has been split, and is not raised.
DEFAULT = 40
LONGEST = {"bpf": 59, "bpf/core": 50, "user/capture": 61, "user/record": 47, "tests/diff": 51, "tests/unit": 63}

# A checkout in somebody's home or under /tmp, that only its owner has.
CHECKOUT = re.compile(r"""(?:^|[\s"'=:(`])(/(?:home|work|tmp)/[\w.-]+/)""")


def unformatted(paths):
    """Layout is clang-format's, so that nobody reviews it: `make format`."""
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", *tree.in_c(paths)], cwd=tree.TOP,
                         capture_output=True, text=True)
    yield from dict.fromkeys(re.findall(r"^(\S+:\d+):\d+: error", run.stderr, re.M))
    if run.returncode and "error" not in run.stderr:
        yield f"clang-format: {run.stderr.strip()}"


def strangers_at_top(paths):
    """The top level is the door: whoever comes in sees four folders."""
    for name in sorted({path.split("/")[0] for path in paths}):
        if name not in AT_TOP and not name.startswith("."):
            yield f"{name}: not of the top level"


def checkouts(paths):
    """A path of one machine is a command that fails on every other."""
    for path in paths:
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            found = CHECKOUT.search(line)
            if found:
                yield f"{path}:{number}: {found[1]}"


def broken_scripts(paths):
    """A script's last lines run only when something went wrong: their mistakes would come on top of that."""
    for path in paths:
        if tree.is_script(path) or path.endswith(".bash"):
            run = subprocess.run(["bash", "-n", path], cwd=tree.TOP, capture_output=True, text=True)
            yield from run.stderr.strip().split("\n") if run.returncode else ()
        elif path.endswith(".py") or b"python" in tree.data(path)[:64].split(b"\n")[0]:
            try:
                compile(tree.data(path), path, "exec")
            except SyntaxError as error:
                yield f"{path}: {error}"


def long_functions(paths):
    """A function that does not fit on a page is read twice."""
    for folder, sizes in by_folder(paths).items():
        bound = LONGEST.get(folder, DEFAULT)
        yield from (f"{place}: {size} lines, {folder} allows {bound}" for size, place in sizes if size > bound)


RULES = (unformatted, disobeyed, wrong_licences, missing_includes, climbing_includes, include_circles,
         strangers_at_top, banned_functions, long_functions, checkouts, broken_scripts)


def show_lengths(paths):
    folders = by_folder(paths)
    for folder, sizes in folders.items():
        print(f"ok | {folder}: {figures(sizes)}")
    print(f"all of C: {figures(sorted(sum(folders.values(), [])))}")


def main(names):
    paths = tree.files()
    failed = 0
    rules = [rule for rule in RULES if not names or rule.__name__ in names]
    for rule in rules:
        complaints = list(rule(paths))
        print(f"not ok {rule.__name__} - {rule.__doc__}" if complaints else f"ok {rule.__name__}")
        for complaint in complaints:
            print(f"    {complaint}")
        failed += bool(complaints)
    show_lengths(paths)
    print(f"{len(rules) - failed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
