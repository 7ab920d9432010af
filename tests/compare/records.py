# SPDX-License-Identifier: GPL-2.0
"""Runs tcpfin-trace on a capture and keeps of each record what can be held against frames."""
import calendar
import json
import os
import time

from command import End, run_lines
from stream import ACK, FIN, LAYOUT, NO_SCALE, RST, SECOND, SYN, Frame
from tshark import packed_address

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("TCPFIN_TRACE", os.path.join(TOP, "build", "tcpfin-trace"))
COMMAND = [BINARY, "--format=json", "--show-open", "-q", "-r"]

LETTERS = {"F": FIN, "S": SYN, "R": RST, ".": ACK}
COPY, IGNORED = 0x2000, 0x4000  # beside the flags of a listed segment
SATURATED = 255                 # a count that says "at least"


def nanoseconds(stamp):
    """Of "YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ"."""
    return calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) * SECOND + int(stamp[20:29])


class Record:
    """
    One of our records. Sides as in stream.Stream. Listed segments are Frames whose number counts how often the segment
    was seen.
    """
    __slots__ = ("ends", "source", "start", "end", "outcome", "closer", "midstream", "fin_copies", "initial_rtt",
                 "completeness", "community_id", "lost", "resets_ignored", "fins", "acks", "_packed")

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
        self.community_id = data["network"]["community_id"]
        self.lost = tcp["segments_lost"]
        self.resets_ignored = tcp["resets_ignored"]
        self._packed = b"".join(self._pack(segment) for segment in tcp["segments"])
        self.fins, self.acks = self._steps(tcp["evidence"])

    def _by_side(self, source, destination):
        return (destination, source) if self.source else (source, destination)

    def side_of(self, role):
        return self.source if role == "source" else 1 - self.source

    def _pack(self, segment):
        flags = sum(LETTERS.get(letter, 0) for letter in segment["flags"] if segment["flags"] != "none")
        flags |= COPY * segment.get("copy", False) | IGNORED * segment.get("ignored", False)
        return LAYOUT.pack(segment.get("count", 1), self.start + segment["t"], segment["raw_seq"], segment["raw_ack"],
                           segment["len"], segment["win"], 0, flags, self.side_of(segment["from"]), NO_SCALE)

    def _steps(self, evidence):
        """Of each side the segment that was its first FIN, and the one that acknowledged it; None where not listed."""
        listed = self.segments()
        fins, acks = [None, None], [None, None]
        for fin, ack in (("fin", "fin_ack"), ("peer_fin", "peer_fin_ack")):
            if evidence[fin] is not None:
                fins[listed[evidence[fin]].side] = listed[evidence[fin]]
            if evidence[ack] is not None:
                acks[1 - listed[evidence[ack]].side] = listed[evidence[ack]]
        return fins, acks

    def segments(self):
        return [Frame._make(fields) for fields in LAYOUT.iter_unpack(self._packed)]


class Report:
    """What tcpfin-trace said of one file."""

    def __init__(self):
        self.records = []
        self.end = End()
        self.unreadable = None  # a line that is no record


def read(path, limits):
    report = Report()
    for line in run_lines(COMMAND + [path], limits, report.end, {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}):
        try:
            report.records.append(Record(json.loads(line)))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            report.unreadable = report.unreadable or f"{error!r}: {line[:200]!r}"
    return report
