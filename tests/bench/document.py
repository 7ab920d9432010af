# SPDX-License-Identifier: GPL-2.0-or-later
"""
Writes the table of build/bench.json into README.md beside this file, between its two markers. No figure there is edited
by hand.
"""
import os

from table import Table

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md")
BEGIN, END = "<!-- table: written by tests/bench/run --show -->\n", "<!-- end of table -->\n"


def machine_line(machine):
    few = f", at most {machine['most_pairs']} pairs of each ratio" if "most_pairs" in machine else ""
    return (f"{machine['cpu']}, {machine['cores']} cores, {round(machine['memory_mib'] / 1024)} GiB, "
            f"Linux {machine['kernel'].partition('-')[0]}, load before the run {machine['load_before']}{few}")


def machine_lines(parts):
    """Where the parts were measured: a line a run."""
    runs = {}
    for name, part in parts.items():
        runs.setdefault(machine_line(part["machine"]), []).append(name)
    return [f"Measured on {machine} ({', '.join(names)})." for machine, names in runs.items()]


def document(parts, path=README):
    """`parts` as in bench.json. ValueError where a marker is missing or there twice."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{path}: each marker of the table must be there once")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    table = Table(row for part in parts.values() for row in part["rows"])
    written = "\n".join([*machine_lines(parts), "", "```", *table.lines(), "```"])
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}{written}\n{END}{after}")
