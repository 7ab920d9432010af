# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the records of one file with tshark's streams: which values agree, which differ, and why."""
import ipaddress
from collections import Counter
from dataclasses import dataclass, field

import contract
from facts import UNLISTED
from match import match
from stream import SECOND

FIELDS = ["record", "first_fin_sender", "first_fin_time", "fin_copies", "fin_ack_time", "resets", "initial_rtt",
          "completeness", "conn_state", "community_id"]


@dataclass(frozen=True)
class Difference:
    """A difference of one value. kinds: the rules that lead from tshark's value to ours; None without such rules."""
    where: str
    field: str
    theirs: str
    ours: str
    kinds: tuple = None


@dataclass
class Comparison:
    compared: Counter = field(default_factory=Counter)    # by field
    differences: list = field(default_factory=list)
    unreported: Counter = field(default_factory=Counter)  # streams without a record, by rule
    too_long: int = 0                                     # streams with more frames than are kept


# ---- text ----

def end_text(end):
    address = ipaddress.ip_address(end[0])
    return f"[{address}]:{end[1]}" if address.version == 6 else f"{address}:{end[1]}"


def where_text(stream):
    return f"{end_text(stream.ends[0])}-{end_text(stream.ends[1])} #{stream.name}"


def value_text(name, value, ends):
    if value is None:
        return "none"
    if name == "first_fin_sender" and value in (0, 1):
        return end_text(ends[value])
    if name in ("first_fin_time", "fin_ack_time", "initial_rtt") and isinstance(value, int):
        return f"{'-' * (value < 0)}{abs(value) // SECOND}.{abs(value) % SECOND:09}"
    return str(value)


# ---- one record ----

def is_beyond_log(record, name, theirs, ours):
    """The record's log was full: some segments cannot be in it."""
    if not record.lost:
        return False
    if name == "completeness":
        return not ours & ~theirs
    return ours in (None, UNLISTED) or (name == "resets" and theirs > ours)


def kinds_of(readings, key, ours):
    """The rules that change tshark's value to ours step by step; None if the last step is another value."""
    if readings[-1][1][key] != ours:
        return None
    return tuple(name for (_, before), (name, after) in zip(readings, readings[1:]) if before[key] != after[key])


def compare_values(comparison, pairing, view):
    record, stream = pairing.record, pairing.home
    steps = contract.steps(pairing, view)
    readings = [next(steps)]
    plain, values = readings[0][1], record.values()
    if values != plain:
        readings += steps
    for key, ours in values.items():
        name, side = key
        theirs = plain[key]
        comparison.compared[name] += theirs is not None or ours is not None
        if theirs == ours:
            continue
        kinds = kinds_of(readings, key, ours)
        if kinds is None and is_beyond_log(record, name, readings[-1][1][key], ours):
            kinds = ("log-full",)
        if kinds is None and any(other.broken for other in pairing.streams):
            kinds = ("fuzzed",)
        of = "" if side is None else f" of {end_text(stream.ends[side])}"
        comparison.differences.append(Difference(where_text(stream), name, value_text(name, theirs, stream.ends) + of,
                                                 value_text(name, ours, stream.ends), kinds))
    comparison.compared["community_id"] += 1
    if record.community_id != stream.community_id:
        comparison.differences.append(Difference(where_text(stream), "community_id", str(stream.community_id),
                                                 record.community_id))


def compare_record(comparison, pairing, view):
    record, stream = pairing.record, pairing.home
    if stream is None:
        kinds = ("tshark-stopped",) if view.end.code and record.end >= view.latest else None
        where = f"{end_text(record.ends[record.source])}-{end_text(record.ends[1 - record.source])}"
        comparison.differences.append(Difference(where, "record", "no stream", record.outcome, kinds))
        return
    if pairing.number:
        kinds = ("several-connections",) if contract.is_another(pairing) else None
        comparison.differences.append(Difference(where_text(stream), "record", "one stream",
                                                 f"record {pairing.number + 1} of it, {record.outcome}", kinds))
    compare_values(comparison, pairing, view)


def compare_stream(comparison, stream, pairings, touched):
    """Judges a stream without a record. touched: streams of which records list frames."""
    if id(stream) in touched:
        streams = next(pairing.streams for pairing in pairings if stream in pairing.streams)
        split = contract.opened_nothing(stream) or contract.continues(stream, streams)
        kinds = ("split-by-tshark",) if split else None
        comparison.compared["record"] += 1
        comparison.differences.append(Difference(where_text(stream), "record", "a stream", "part of another", kinds))
        return
    why = contract.why_unreported(stream, pairings)
    if why:
        comparison.unreported[why] += 1
        return
    comparison.compared["record"] += 1
    comparison.differences.append(Difference(where_text(stream), "record", "a stream", "no record"))


def compare_group(comparison, streams, pairings, view):
    """Judges all streams and records between the same ends."""
    homes = {id(pairing.home) for pairing in pairings}
    touched = {id(stream) for pairing in pairings for stream in pairing.streams}
    for pairing in pairings:
        comparison.compared["record"] += 1
        compare_record(comparison, pairing, view)
    for stream in streams:
        if id(stream) not in homes:
            compare_stream(comparison, stream, pairings, touched)


def compare(view, report):
    comparison = Comparison()
    streams = [stream for stream in view.streams.values() if stream.first()]
    for group, pairings in match(streams, report.records):
        if any(stream.full for stream in group):
            comparison.too_long += len(group)
        elif group and group[0].ends[0] == group[0].ends[1]:
            comparison.unreported["self-connect"] += len(group)
        else:
            compare_group(comparison, group, pairings, view)
    return comparison
