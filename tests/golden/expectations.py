# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads cases.txt, whose head describes its form."""
import json
import os
import re
import shlex
from dataclasses import dataclass, field
from decimal import Decimal

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = "cases.txt"
ANYTHING = "*"

TIMINGS = ("syn_to_synack", "synack_to_ack", "initial_rtt", "fin_to_ack", "half_closed", "peer_fin_to_ack", "close",
           "lifetime")
FROM_THE_TOP = ("source", "destination", "event", "network", "observer")
PAIRS = {"state": ("tcp.state.source", "tcp.state.destination"),
         "bytes": ("source.bytes", "destination.bytes"),
         "scale": ("tcp.window_scale.source", "tcp.window_scale.destination"),
         "reset": ("tcp.reset.by", "tcp.reset.phase", "tcp.reset.validity"),
         "fin_original": ("tcp.fin_original.source", "tcp.fin_original.destination"),
         "evidence": tuple(f"tcp.evidence.{step}" for step in ("fin", "fin_ack", "peer_fin", "peer_fin_ack", "reset"))}
COMPUTED = ("fin_source", "fin_destination", "reset_header")
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}

# What a record holds where its case does not mention it.
USUAL = """pattern=null time_wait=null missing=null reset=null/null/null reset.mptcp=null reset.ttl_differs=null
reset.forged=null
late_reset=false midstream=false retransmits.syn=0 retransmits.syn_ack=0 retransmits.fin_source=0
retransmits.fin_destination=0 resets_ignored=0 segments_lost=0 network.vlan=null clock_jumps=0 related=null
interfaces=null mtu_black_hole=null"""


class Duration(int):
    """ns, with the unit in which the case has it."""
    unit: str


@dataclass
class Record:
    """An expected record."""
    line: int  # in cases.txt
    fields: dict  # path to value


@dataclass
class Case:
    name: str
    line: int  # in cases.txt
    options: list
    records: list = field(default_factory=list)
    exit: int = 0
    text: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def in_unit_of(number, like):
    """"10.2ms": ns as text, in the unit of the duration `like`."""
    return f"{(Decimal(number) / UNITS[like.unit]).normalize():f}{like.unit}"


def value(text):
    written = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|ms|s)", text)
    if written:
        duration = Duration(Decimal(written[1]) * UNITS[written[2]])
        duration.unit = written[2]
        return duration
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def path(key):
    if key in TIMINGS:
        return "tcp.timing." + key
    if key in COMPUTED or key.split(".")[0] in FROM_THE_TOP:
        return key
    return "tcp." + key


def fields(words):
    """KEY=VALUE words as a dict of path to value, pairs taken apart."""
    found = {}
    for word in words:
        key, _, text = word.partition("=")
        if key in PAIRS:
            found.update(zip(PAIRS[key], map(value, text.split("/")), strict=True))
        else:
            found[path(key)] = text if key in COMPUTED else value(text)
    return found


def record_fields(words, cases):
    if words[:1] == ["any"]:
        return fields(words[1:])
    if words[:1] == ["like"]:
        return {**cases[words[1]].records[0].fields, **fields(words[2:])}
    plain = [w for w in words if "=" not in w]
    named = fields(f"{key}={word}" for key, word in zip(("outcome", "pattern"), plain))
    return {**fields(USUAL.split()), **named, **fields(w for w in words if "=" in w)}


def joined_lines(text):
    """(number, line) without comments; indented lines are added to the one above."""
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith((" ", "\t")) and line.strip():
            lines[-1] = (lines[-1][0], lines[-1][1] + line)
        elif line.strip() and not line.startswith("#"):
            lines.append((number, line))
    return lines


def read_cases():
    """Cases by name, in file order; "like" looks back."""
    cases, case = {}, None
    with open(os.path.join(HERE, FILE), encoding="utf-8") as source:
        for number, line in joined_lines(source.read()):
            word, _, rest = line.partition(" ")
            if word == ">":
                case.records.append(Record(number, record_fields(rest.split(), cases)))
            elif word == "exit":
                case.exit = int(rest)
            elif word == "text":
                case.text = shlex.split(rest)
            elif word == "note":
                case.notes = shlex.split(rest)
            elif word != "none":
                case = cases[word] = Case(word, number, rest.split())
    return cases
