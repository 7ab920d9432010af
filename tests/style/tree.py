# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of the tree, as paths from the top, and their text."""
import os
import re

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
NOT_OURS = {".git", "build", "__pycache__"}


def files():
    """Every file that is written by hand, sorted."""
    found = []
    for folder, folders, names in os.walk(TOP):
        folders[:] = [name for name in folders if name not in NOT_OURS]
        found += [os.path.relpath(os.path.join(folder, name), TOP) for name in names if name not in NOT_OURS]
    return sorted(found)


def data(path):
    with open(os.path.join(TOP, path), "rb") as file:
        return file.read()


def text(path):
    return data(path).decode("utf-8", "replace")


def is_script(path):
    """Is it run by a shell?"""
    first = data(path)[:64].split(b"\n")[0]
    return first.startswith(b"#!") and re.search(rb"\b(ba|da)?sh$", first) is not None


def in_c(paths):
    return [path for path in paths if path.endswith((".c", ".h"))]


def code(path):
    """The C text with comments and the contents of strings blanked out, line for line."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text(path), flags=re.S)
