# SPDX-License-Identifier: GPL-2.0-or-later
"""
The tables of --top as text: cut into cells by their headings, and held against the same tables as JSON. Groups are set
left and begin under their heading, figures are set right and end under it; nothing may stand between two cells.
"""
import re

OUTCOMES = {"GRACEFUL": "graceful", "RESET": "reset", "REFUSED": "refused", "HS-RESET": "handshake_reset",
            "UNANSW": "unanswered", "UNFIN": "unfinished", "OPEN": "open", "UNKNOWN": "unknown"}
CLOSERS = {"BY-SRC": "source", "BY-DST": "destination", "BY-BOTH": "both", "BY-?": "unknown", "BY-NET": "network"}
WAITS = {"TW-SRC": "source", "TW-DST": "destination"}
STEPS = {"SYN": "syn_to_synack", "SACK": "synack_to_ack", "RTT": "initial_rtt", "FIN": "fin_to_ack",
         "HALF": "half_closed", "FIN2": "peer_fin_to_ack", "CLO": "close", "LIFE": "lifetime"}
UNITS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9, "d": 86400e9}
HEAD = re.compile(r"\d\d:\d\d:\d\d  (last|all) \S+: (\d+) connections?")
MARKS = ("+", "…")


def tables(text, by):
    """[(groups, headings, lines)] of each table; a head without a table is left out."""
    first = by.split(",")[0].upper()
    for block in re.split(r"\n(?=\d\d:\d\d:\d\d  (?:last|all) )|\n\n", text):
        lines = block.strip("\n").splitlines()
        if len(lines) > 1 and HEAD.match(lines[0]):
            if not lines[1].startswith(first[:2]):
                raise ValueError(f"no heading: {lines[1]}")
            yield len(by.split(",")), lines[1], lines[2:], lines[0]


def headings(line):
    """[(word, first column, column after the last)]"""
    return [(found[0], found.start(), found.end()) for found in re.finditer(r"\S+", line)]


def cells(groups, heading, line):
    """The line's cells by their headings. ValueError where something stands under none."""
    words, found = headings(heading), {}
    for i, (word, begin, end) in enumerate(words):
        if i < groups: # the last one's cell ends at a blank
            found[word] = line[begin:words[i + 1][1]].strip() if i + 1 < groups else re.match(r"\S*", line[begin:])[0]
        else:
            last_end = words[i - 1][2]
            value = re.search(r"(\S*)$", line[:end])[1]
            if end < len(line) and line[end] != " ":
                raise ValueError(f"{word}: {line[:end + 8]!r} does not end under it")
            if i > groups and end - len(value) < last_end + 1:
                raise ValueError(f"{word}: {value!r} reaches into {words[i - 1][0]}")
            found[word] = value
    return found


def nanoseconds(text):
    parts = re.findall(r"([\d.]+)([a-z]+)", text)
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def want_count(word, rate):
    if word == "CONNS":
        return rate["connections"]
    if word in OUTCOMES:
        return rate["outcome"][OUTCOMES[word]]
    if word in CLOSERS:
        return rate["closer"][CLOSERS[word]]
    if word in WAITS:
        return rate["time_wait"][WAITS[word]] + rate["time_wait"]["both"]
    return (rate["half_closed"] if word == "HALF-CL" else rate["stuck"]) or 0


def figure_fault(word, value, rate):
    """What is wrong with a figure, or None."""
    if "." in word:
        step, percent = word.split(".")
        want = rate["timing"][STEPS[step]]["p" + percent]
        right = value == "-" if want is None else want == 0 or abs(nanoseconds(value) - want) <= want * 0.02
    elif word == "PER-SEC":
        want = rate["per_second"]
        right = value == "-" if want is None else abs(float(value) - want) <= 0.051 + want * 0.001
    elif word == "SHARE":
        want = rate["share"]
        right = value == "-" if want is None else abs(float(value.rstrip("%")) / 100 - want) <= 0.0006
    else:
        want = want_count(word, rate)
        right = value == str(want)
    return None if right else f"{word} is {value!r}, JSON says {want}"


def group_fault(value, want, width):
    want = "-" if want is None else str(want)
    if value == want or (width and value.endswith(MARKS) and want.startswith(value[:-1])):
        return None
    return f"a group {value!r}, JSON says {want}"


def faults(table, rates, width):
    """rates: the lines of the same table from JSON."""
    groups, heading, lines, head = table
    rates = [rate for rate in rates if rate["row"] != "other" or rate["connections"] or rate["half_closed"]
             or rate["stuck"]]
    if int(HEAD.match(head)[2]) != rates[-1]["connections"]:
        yield f"{head}, JSON says {rates[-1]['connections']}"
    if len(lines) != len(rates):
        yield f"{len(lines)} lines, JSON has {len(rates)}"
    if "CONNS" not in heading:
        yield f"no CONNS in {heading}"
    for line, rate in zip(lines, rates):
        found = cells(groups, heading, line)
        words = [word for word, _, _ in headings(heading)]
        for word in words[groups:]:
            fault = figure_fault(word, found[word], rate)
            if fault:
                yield fault
        if rate["row"] != "group":
            if found[words[0]].rstrip("+…") not in f"({rate['row']})":
                yield f"{found[words[0]]} is no label"
            continue
        for word, want in zip(words, rate["group"].values()):
            fault = group_fault(found[word], want, width)
            if fault:
                yield fault
