# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs tcpfin-trace on a capture, and checks what must hold for every record and every format."""
import argparse
import base64
import csv
import hashlib
import io
import ipaddress
import json
import multiprocessing
import os
import re
import struct
import subprocess
from datetime import datetime, timezone

from expectations import TIMINGS

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("TCPFIN_TRACE", os.path.join(TOP, "build", "tcpfin-trace"))
ENVIRONMENT = {"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"}

# The contract's fields, present in every record.
SCHEMA = """@timestamp event.dataset event.start event.end event.duration network.transport network.type
network.community_id source.ip source.port source.bytes destination.ip destination.port destination.bytes tcp.outcome
tcp.pattern tcp.closer tcp.time_wait tcp.state.source tcp.state.destination tcp.missing tcp.reset.by tcp.reset.phase
tcp.reset.validity tcp.late_reset tcp.retransmits.syn tcp.retransmits.syn_ack tcp.retransmits.fin_source
tcp.retransmits.fin_destination tcp.half_closed_bytes tcp.window_scale.source tcp.window_scale.destination
tcp.completeness tcp.conn_state tcp.history tcp.midstream tcp.segments tcp.segments_lost""".split() + [
    "tcp.timing." + name for name in TIMINGS]
SEGMENT_FIELDS = {"t", "from", "flags", "seq", "ack", "raw_seq", "raw_ack", "len", "win"}
MISSING = object()


def trace(capture, form="json", options=(), quiet=True, environment=None):
    """The finished process. quiet: with -q, so that stderr holds errors only."""
    command = [BINARY, *["-q"] * quiet, "-r", capture, "--format=" + form, *options]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
                          env=environment or ENVIRONMENT,
                          check=False)


def placed_records(process):
    """(place in the output, record), in order of the first segment. ValueError where a line is no JSON."""
    records = [json.loads(line) for line in process.stdout.decode("utf-8").splitlines()]
    return sorted(enumerate(records), key=lambda placed: placed[1]["event"]["start"])


def records_of(process):
    return [record for _, record in placed_records(process)]


def look_up(record, path):
    """The value at a dotted path, or MISSING."""
    for key in path.split("."):
        if not isinstance(record, dict) or key not in record:
            return MISSING
        record = record[key]
    return record


# ---- what holds for every record ----

def ns_of(stamp):
    whole, fraction = re.fullmatch(r"(.*)\.(\d{9})Z", stamp).groups()
    return int(datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()) * 10**9 + int(fraction)


def community_id(record):
    """Community ID version 1, seed 0: the ends in ascending order."""
    ends = sorted((ipaddress.ip_address(record[e]["ip"]).packed, record[e]["port"]) for e in ("source", "destination"))
    data = struct.pack(">H", 0) + ends[0][0] + ends[1][0] + struct.pack(">BBHH", 6, 0, ends[0][1], ends[1][1])
    return "1:" + base64.b64encode(hashlib.sha1(data).digest()).decode()


def behind(segment):
    """The raw sequence number that follows the segment."""
    return (segment["raw_seq"] + segment["len"] + ("S" in segment["flags"]) + ("F" in segment["flags"])) % 2**32


def fin_end(record, side, fin):
    """The number behind the FIN. A fragment shows less than its segment: there the bytes that its side sent count."""
    opening, sent = record["tcp"]["segments"][0], record[side]["bytes"]
    if sent is None or opening["from"] != side or opening["flags"] != "S":
        return behind(fin)
    return (opening["raw_seq"] + 1 + sent + 1) % 2**32


def first_fin_place(segments, side):
    """The place of the earliest FIN of a side that is not ignored; None without one. A later one acknowledges more."""
    fins = [n for n, s in enumerate(segments)
            if s["from"] == side and "F" in s["flags"] and "R" not in s["flags"] and not s.get("ignored")]
    if any(segments[n]["t"] is None for n in fins):  # its time stamp was wrong
        return fins[0]
    more = [n for n in fins if 0 < (segments[n]["raw_ack"] - segments[fins[0]]["raw_ack"]) % 2**32 < 2**31]
    return min((n for n in fins if n not in more), key=lambda n: segments[n]["t"], default=None)


def step_faults(record, side, other, fin, ack):
    """What is wrong with the evidence of the FIN of `side` and of its acknowledgment by `other`."""
    segments, named = record["tcp"]["segments"], record["tcp"]["evidence"]
    first = first_fin_place(segments, side)
    if named[fin] not in (None, first):
        yield f"evidence.{fin} is {named[fin]}, the first FIN of the {side} {first}"
    if named[ack] is None:
        return
    answer, end = segments[named[ack]], fin_end(record, side, segments[named[fin]])
    if answer["from"] != other or "." not in answer["flags"] or answer["raw_ack"] != end:
        yield f"evidence.{ack} is {named[ack]}, which acknowledges no FIN of the {side}"


def reset_faults(tcp):
    by, place = tcp["reset"]["by"], tcp["evidence"]["reset"]
    if place is None:
        if by and not tcp["segments_lost"]:
            yield "a reset without evidence"
        return
    reset = tcp["segments"][place]
    if "R" not in reset["flags"] or reset["from"] != by or reset.get("ignored"):
        yield f"evidence.reset is {place}, which is no RST of the {by}"


def evidence_faults(record):
    """Each step of the record must be found in the segment that the evidence names, and in no earlier one."""
    tcp = record["tcp"]
    closer, fin = "source" if tcp["closer"] == "both" else tcp["closer"], tcp["evidence"]["fin"]
    if closer == "unknown" and fin is not None:  # the other side's FIN may have passed unseen
        closer = tcp["segments"][fin]["from"]
    other = "destination" if closer == "source" else "source"
    faults = [*step_faults(record, closer, other, "fin", "fin_ack"),
              *step_faults(record, other, closer, "peer_fin", "peer_fin_ack"), *reset_faults(tcp)]
    if not tcp["segments_lost"] and not tcp["clock_jumps"]:
        faults += [f"evidence.{step} and timing.{time}: one without the other" for step, time in
                   (("fin_ack", "fin_to_ack"), ("peer_fin_ack", "peer_fin_to_ack"))
                   if (tcp["evidence"][step] is None) != (tcp["timing"][time] is None)]
    return faults


# ---- what a record says in two places must agree ----

def reset_contradictions(tcp):
    """Rules about the RST: (what is said, whether it holds)."""
    outcome, reset = tcp["outcome"], tcp["reset"]
    unseen = (None,) if tcp["closer"] == "unknown" else ()  # an earlier FIN may have passed unseen
    phases = {"reset": ("established", "half_closed", "closing", *unseen), "handshake_reset": ("handshake",),
              "refused": ("handshake", None), "graceful": ("closed", None)}
    yield f"{outcome} and the RST's phase", reset["phase"] in phases.get(outcome, (None,))
    yield "reset.by and reset.phase", (reset["by"] is None) == (reset["phase"] is None) or \
        (reset["phase"] is None and outcome == "reset" and tcp["closer"] == "unknown")
    yield "reset.by and basis.reset", (reset["by"] is None) == (tcp["basis"]["reset"] is None)
    yield "late_reset and its phase", tcp["late_reset"] == (reset["phase"] == "closed")
    yield "reset.forged without an RST", reset["by"] is not None or reset["forged"] is None
    yield "refused by nobody", outcome != "refused" or reset["by"] == "destination" or "icmp" in tcp
    yield "a forged RST and its closer", (tcp["closer"] == "network") <= (reset["forged"] is True or "icmp" in tcp)
    yield "a forged RST is its alleged sender's close", not (
        outcome == "reset" and reset["phase"] == "established" and reset["forged"] and tcp["closer"] == reset["by"])


def close_contradictions(tcp):
    """Rules about the close itself."""
    outcome, evidence = tcp["outcome"], tcp["evidence"]
    yield "graceful and its pattern", (outcome == "graceful" and tcp["closer"] != "unknown") == \
        (tcp["pattern"] is not None)
    yield "unfinished and the step that is missing", outcome != "unfinished" or tcp["missing"] is not None
    yield "a finished close misses a step", outcome not in ("graceful", "reset") or tcp["missing"] is None
    for side in ("source", "destination"):
        waits = tcp["time_wait"] in (side, "both")
        yield f"TIME-WAIT of the {side}", waits == (tcp["state"][side] == "TIME-WAIT") or outcome != "graceful"
        yield f"a FIN of the {side} was repeated and never sent", not tcp["retransmits"]["fin_" + side] or any(
            "F" in s["flags"] and s["from"] == side for s in tcp["segments"]) or tcp["segments_lost"]
    yield "unanswered, and somebody closed", outcome != "unanswered" or tcp["closer"] == "unknown"
    yield "the closer's FIN", tcp["closer"] not in ("source", "destination") or evidence["fin"] is None or (
        tcp["segments"][evidence["fin"]]["from"] == tcp["closer"])
    yield "a graceful close and Zeek's state", outcome != "graceful" or tcp["conn_state"] == "SF"


def other_contradictions(record):
    """Rules about the whole record."""
    tcp = record["tcp"]
    goes_on = not tcp["final"] or tcp["outcome"] == "open"
    yield "event.type and tcp.final", record["event"]["type"] == ["connection", "info" if goes_on else "end"]
    yield "midstream and its handshake", not tcp["midstream"] or tcp["timing"]["initial_rtt"] is None
    yield "silence_at_most without silence", tcp["silence"] is not None or not tcp["silence_at_most"]
    yield "a SYN was repeated and none seen", not tcp["retransmits"]["syn"] or bool(tcp["completeness"] & 1)
    for side, other in (("source", "destination"), ("destination", "source")):
        taken = record[side].get("socket", {}).get("reset_received") is not None
        yield f"the {side}'s socket took an RST that nobody sent", not taken or tcp["reset"]["by"] == other


def contradictions(record):
    tcp = record["tcp"]
    rules = [*reset_contradictions(tcp), *close_contradictions(tcp), *other_contradictions(record)]
    return [f"contradiction: {what}" for what, holds in rules if not holds]


def record_faults(record):
    """What is wrong with a record, whatever its connection."""
    lacking = [path for path in SCHEMA if look_up(record, path) is MISSING]
    if lacking:
        return ["fields are missing: " + " ".join(lacking)]
    faults, timing = [], record["tcp"]["timing"]
    faults += [f"timing {name} is {t}" for name, t in timing.items()
               if t is not None and (not isinstance(t, int) or t < 0)]
    duration = record["event"]["duration"]
    if duration != max(0, ns_of(record["event"]["end"]) - ns_of(record["event"]["start"])):
        faults.append(f"duration {duration} is not end minus start")
    if timing["lifetime"] not in (None, duration):
        faults.append(f"lifetime {timing['lifetime']} is not the duration {duration}")
    if record["network"]["community_id"] != community_id(record):
        faults.append(f"community_id {record['network']['community_id']} is not {community_id(record)}")
    if not all(SEGMENT_FIELDS <= set(s) for s in record["tcp"]["segments"]):
        faults.append("a segment lacks fields")
    return faults + evidence_faults(record) + contradictions(record)


def object_faults(one):
    """What is wrong with a record, or with a stray."""
    if one["event"]["dataset"] != "tcpfin.stray":
        return record_faults(one)
    faults = [] if one["network"]["community_id"] == community_id(one) else ["the Community ID is another"]
    faults += [f"event.type is {one['event']['type']}"] * (one["event"]["type"] != ["connection", "info"])
    return faults + ["neither a FIN nor an RST"] * (not {"F", "R"} & set(one["tcp"]["flags"]))


# ---- what holds for every run ----

def packed(data, program, *, parts=1):
    """What gzip, zstd or xz makes of data, as so many packed parts one after another."""
    cuts = [len(data) * n // parts for n in range(parts + 1)]
    return b"".join(subprocess.run([program, "-q", "-c"], input=data[a:b], capture_output=True, check=True).stdout
                    for a, b in zip(cuts, cuts[1:]))


def readback(lines, *options):
    """The finished process that reads records of JSON."""
    return subprocess.run([BINARY, "-r", "-", "--show-open", *options], input=lines, capture_output=True, timeout=30,
                          env=ENVIRONMENT, check=False)


def readback_faults(lines, others, strays=False):
    """Records of JSON are read and printed again: the same bytes. others: what the capture gave in other forms, by the
    options that give them."""
    faults = []
    for options, expected in {("--format=json",): lines, **others}.items():
        process = readback(lines, "-q", *options, *["--strays"] * strays)
        if process.returncode or process.stderr:
            return [f"-r of its JSON: exit {process.returncode}, {process.stderr.decode('utf-8', 'replace').strip()}"]
        pairs = zip(expected.split(b"\n"), process.stdout.split(b"\n"))
        differ = [f"-r of its JSON, {' '.join(options)}: {line!r} becomes {again!r}" for line, again in pairs
                  if line != again]
        faults += differ[:1] or ["-r of its JSON: lines are lost"] * (process.stdout != expected)
    return faults


def command_line(description):
    """A parser of the arguments that the suites share; the binary may also come from TCPFIN_TRACE."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=BINARY)
    parser.add_argument("names", nargs="*", metavar="NAME")
    return parser


def on_all_cpus(function, items):
    """function(item) of each item in their order, by as many processes as there are CPUs."""
    with multiprocessing.Pool() as pool:
        yield from pool.imap(function, items, chunksize=4)


def print_result(test, faults):
    """One line a test, and one a fault below it. Returns whether the test passed."""
    print(f"not ok {test}" if faults else f"ok {test}")
    for fault in faults:
        print(f"    {fault}")
    return not faults


def printable(data):
    """In the C locale, text is printable ASCII and newlines."""
    return all(byte == 10 or 32 <= byte < 127 for byte in data)


def error_faults(process, expected_exit):
    """Exit code, and stderr: silent when all is well, else one line."""
    faults = []
    lines = process.stderr.decode("utf-8", "replace").splitlines()
    if process.returncode != expected_exit:
        faults.append(f"exit {process.returncode}, expected {expected_exit}")
    if len(lines) != (expected_exit != 0):
        faults.append(f"{len(lines)} lines on stderr: {lines[:3]}")
    if not printable(process.stderr):
        faults.append("control bytes on stderr")
    return faults


def text_records(text):
    """The lines of text that are no heading: a second one follows where a capture has a second interface."""
    return [line for line in text.splitlines() if not line.startswith("DATE ")]


def format_faults(form, process, count):
    """Of text, csv and ladder, for that many records. Lines of CSV end in CRLF (RFC 4180)."""
    out = process.stdout.replace(b"\r\n", b"\n") if form == "csv" else process.stdout
    faults = [] if printable(out) else ["control bytes"]
    lines = out.decode("utf-8", "replace").splitlines()
    if form == "csv":
        rows = list(csv.reader(io.StringIO(out.decode("utf-8", "replace"))))
        if len({len(row) for row in rows}) > 1:
            faults.append("rows of different length")
        lines = rows
    elif form == "text":
        lines = lines[:1] + text_records("\n".join(lines))
    if bool(count) > bool(lines):
        faults.append("no output")
    if form != "ladder" and len(lines) not in (0, count + 1):
        faults.append(f"{len(lines)} lines for {count} records and a header")
    return [f"{form}: {fault}" for fault in faults]
