# SPDX-License-Identifier: GPL-2.0-or-later
"""The model's records of a capture beside the program's: which belong together, and what differs."""
import os
import sys

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))

import tracer  # noqa: E402 - of the golden suite
from verdict import UNDECIDED  # noqa: E402

AGREED, DIFFERED, NOT_DECIDED = "agreed", "differed", "undecided"


def program_records(capture):
    """Final records; a capture that ends in an error still has some."""
    found = tracer.records_of(tracer.trace(capture))
    return [record for record in found if record["tcp"]["final"]]


def key(ends):
    return tuple(sorted(ends))


def ends_of(record):
    return key((record[side]["ip"], record[side]["port"]) for side in ("source", "destination"))


def start_of(record):
    return tracer.ns_of(record["event"]["start"])


def value_of(record, path):
    """What the program says, or None where the field is left out."""
    if path == "event.start":
        return start_of(record)
    if path == "last_step":
        return tracer.ns_of(record["@timestamp"])
    found = tracer.look_up(record, path)
    return None if found is tracer.MISSING else found


def expected(verdict, fields):
    """Whether the model expects a record: True, False or UNDECIDED. Open connections are not reported."""
    outcome = fields["tcp.outcome"]
    if verdict.connection.opener is None and not verdict.proven():
        return UNDECIDED
    if outcome == UNDECIDED or verdict.connection.attempted:
        return UNDECIDED
    return outcome != "open"


def pairs(modelled, printed):
    """(model's, program's) records of the same ends, joined by their start; None where one has none."""
    left = list(printed)
    for verdict, fields in modelled:
        ends = key((fields[side + ".ip"], fields[side + ".port"]) for side in ("source", "destination"))
        same = [r for r in left if ends_of(r) == ends]
        nearest = min(same, key=lambda r: abs(start_of(r) - verdict.connection.start()), default=None)
        if nearest is not None and start_of(nearest) != verdict.connection.start() and \
                any(v.connection.start() == start_of(nearest) for v, f in modelled if f is not fields and
                    key((f[s + ".ip"], f[s + ".port"]) for s in ("source", "destination")) == ends):
            nearest = None
        if nearest is not None:
            left.remove(nearest)
        yield (verdict, fields), nearest
    for record in left:
        yield None, record


def differences(fields, record):
    """(field, result, model's, program's) for each field of the model."""
    for path, wanted in fields.items():
        got = value_of(record, path)
        result = NOT_DECIDED if wanted == UNDECIDED else AGREED if wanted == got else DIFFERED
        yield path, result, wanted, got


def compared(modelled, printed):
    """(number of the connection, field, result, model's, program's). The field "record" is whether there is one."""
    for number, (mine, record) in enumerate(pairs(modelled, printed), 1):
        if mine is None:
            yield number, "record", DIFFERED, None, record["tcp"]["outcome"]
            continue
        verdict, fields = mine
        wanted = expected(verdict, fields)
        exists = record is not None
        outcome = record["tcp"]["outcome"] if exists else None
        result = NOT_DECIDED if wanted == UNDECIDED else AGREED if wanted == exists else DIFFERED
        yield number, "record", result, fields["tcp.outcome"] if wanted else None, outcome
        if exists and not (verdict.connection.opener is None and not verdict.proven()):
            yield from ((number, *rest) for rest in differences(fields, record))
