# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs tcpfin-trace on a capture and keeps the part of each record that can be compared with frames."""
import calendar
import json
import os
import re
import time

from command import End, run_lines
from facts import BOTH, UNLISTED
from stream import ACK, FIN, LAYOUT, NO_SCALE, NO_TIME, RST, SECOND, SYN, Frame
from tshark import packed_address

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("TCPFIN_TRACE", os.path.join(TOP, "build", "tcpfin-trace"))
COMMAND = [BINARY, "--format=json", "--show-open"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

LETTERS = {"F": FIN, "S": SYN, "R": RST, ".": ACK}
ROLES = ("source", "destination")
COPY, IGNORED = 0x2000, 0x4000  # beside the flags of a listed segment


def nanoseconds(stamp):
    """ns since 1970 from "YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ"."""
    return calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) * SECOND + int(stamp[20:29])


def known_time(time):
    return None if time == NO_TIME else time


class Record:
    """
    One of our records. Sides as in stream.Stream. Listed segments are Frames whose number counts how often the segment
    was seen.
    """
    __slots__ = ("ends", "source", "start", "end", "outcome", "closer", "midstream", "fin_copies", "initial_rtt",
                 "completeness", "conn_state", "community_id", "lost", "resets_ignored", "fins", "acks", "_packed")

    def __init__(self, data):
        tcp = data["tcp"]
        pair = [(packed_address(data[role]["ip"]), data[role]["port"]) for role in ("source", "destination")]
        self.source = int(pair[0] > pair[1])
        self.ends = tuple(sorted(pair))
        self.start = nanoseconds(data["event"]["start"])
        self.end = nanoseconds(data["event"]["end"])
        self.outcome = tcp["outcome"]
        self.closer = tcp["closer"]
        self.midstream = tcp["midstream"]
        copies = tcp["retransmits"]
        self.fin_copies = self._by_side(copies["fin_source"], copies["fin_destination"])
        self.initial_rtt = tcp["timing"]["initial_rtt"]
        self.completeness = tcp["completeness"]
        self.conn_state = tcp["conn_state"]
        self.community_id = data["network"]["community_id"]
        self.lost = tcp["segments_lost"]
        self.resets_ignored = tcp["resets_ignored"]
        self._packed = b"".join(self._pack(segment) for segment in tcp["segments"])
        self.fins, self.acks = self._steps(tcp["evidence"], tcp["timing"])

    def _by_side(self, source, destination):
        return (destination, source) if self.source else (source, destination)

    def side_of(self, role):
        return self.source if role == "source" else 1 - self.source

    def _pack(self, segment):
        flags = sum(LETTERS.get(letter, 0) for letter in segment["flags"] if segment["flags"] != "none")
        flags |= COPY * segment.get("copy", False) | IGNORED * segment.get("ignored", False)
        time = NO_TIME if segment["t"] is None else self.start + segment["t"]
        return LAYOUT.pack(segment.get("count", 1), time, segment["raw_seq"], segment["raw_ack"], segment["len"],
                           segment["win"], 0, flags, self.side_of(segment["from"]), NO_SCALE)

    def _steps(self, evidence, timing):
        """For each side its first FIN, and the time of its acknowledgment; None where not listed."""
        listed = self.segments()
        fins, acks = [None, None], [None, None]
        for fin, ack, after in (("fin", "fin_ack", "fin_to_ack"), ("peer_fin", "peer_fin_ack", "peer_fin_to_ack")):
            if evidence[fin] is None:
                continue
            first = listed[evidence[fin]]
            fins[first.side] = first
            if evidence[ack] is not None:
                acks[first.side] = known_time(listed[evidence[ack]].time)
            elif timing[after] is not None:
                acks[first.side] = first.time + timing[after]
        return fins, acks

    def segments(self):
        return [Frame._make(fields) for fields in LAYOUT.iter_unpack(self._packed)]

    def values(self):
        """Values by the names of facts.Facts.values()."""
        found = {("completeness", None): self.completeness, ("initial_rtt", None): self.initial_rtt,
                 ("conn_state", None): self.conn_state}
        fins = [fin for fin in self.fins if fin]
        found["first_fin_sender", None] = found["first_fin_time", None] = None
        if fins and self.closer == BOTH:
            found["first_fin_sender", None] = BOTH
            found["first_fin_time", None] = min(fin.time for fin in fins)
        elif fins:
            side = self.side_of(self.closer) if self.closer in ROLES else min(fins, key=lambda fin: fin.time).side
            found["first_fin_sender", None] = side if self.closer in ROLES else None
            found["first_fin_time", None] = known_time(self.fins[side].time) if self.fins[side] else UNLISTED
        resets = [segment for segment in self.segments() if segment.flags & RST]
        for side in (0, 1):
            found["fin_copies", side] = self.fin_copies[side] if self.fins[side] else None
            found["fin_ack_time", side] = self.acks[side]
            found["resets", side] = sum(segment.number for segment in resets if segment.side == side)
        return found


class Report:
    """tcpfin-trace's output for one file."""

    def __init__(self):
        self.records = []
        self.end = End()
        self.unreadable = None  # a line of output that is no record


def read(path, seconds):
    report = Report()
    for line in run_lines(COMMAND + ["-q", "-r", path], seconds, report.end, ENVIRONMENT):
        try:
            report.records.append(Record(json.loads(line)))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            report.unreadable = report.unreadable or f"{error!r}: {line[:200]!r}"
    return report


def packets_read(path, seconds):
    """How many packets the program read, by its summary."""
    end = End()
    for _ in run_lines(COMMAND + ["-r", path], seconds, end, ENVIRONMENT):
        pass
    found = re.search(r"^\s*packets\s+(\d+)", end.errors, re.MULTILINE)
    return int(found.group(1)) if found else 0
