# SPDX-License-Identifier: GPL-2.0-or-later
"""
Writes a run's table into README.md beside this file, between its two markers. No figure there is edited by hand.
"""
import os

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md")
BEGIN, END = "<!-- table: written by tests/bench/run --document -->\n", "<!-- end of table -->\n"


def machine_line(machine):
    return (f"Measured on {machine['cpu']}, {machine['cores']} cores, {round(machine['memory_mib'] / 1024)} GiB, "
            f"Linux {machine['kernel'].partition('-')[0]}, load before the run {machine['load_before']}:")


def document(machine, table, path=README):
    """`machine` as in bench.json, `table` the lines as printed. ValueError where a marker is missing or there twice."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{path}: each marker of the table must be there once")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    written = "\n".join([machine_line(machine), "", "```", *(line.rstrip() for line in table), "```"])
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}{written}\n{END}{after}")
