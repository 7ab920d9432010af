# SPDX-License-Identifier: GPL-2.0-or-later
"""Each source file says its licence once, on its first line, in the form of its language."""
import os
import re

from tree import data, is_script, text

TAG = "SPDX-License-" + "Identifier:"
FORM = {".c": "// {}", ".h": "/* {} */", ".py": "# {}", ".bash": "# {}", ".in": "# {}"}
MAN = '.\\" {}'


def licence(path):
    """What is compiled for the kernel only is part of it; all else may be linked with later licences."""
    kernel = path.startswith("bpf/") and path.endswith((".bpf.c", ".bpf.h"))
    return "GPL-2.0-only" if kernel else "GPL-2.0-or-later"


def form_of(path):
    """None: not a source file, such as a capture, a table of cases or a document."""
    if path.startswith("tests/fuzz/regressions/"):
        return None
    if re.search(r"\.[1-9]$", path):
        return MAN
    if os.path.basename(path) == "Makefile" or is_script(path) or data(path).startswith(b"#!"):
        return "# {}"
    return FORM.get(os.path.splitext(path)[1])


def wrong_licences(paths):
    """A file without its licence may be used by nobody; one with two, by nobody who is sure."""
    for path in paths:
        form = form_of(path)
        if form is None:
            continue
        lines = text(path).split("\n")
        first = lines[1] if lines[0].startswith("#!") else lines[0]
        wanted = form.format(f"{TAG} {licence(path)}")
        if first != wanted:
            yield f"{path}: its first line is not `{wanted}`"
        elif sum(TAG in line for line in lines) != 1:
            yield f"{path}: more than one {TAG}"
