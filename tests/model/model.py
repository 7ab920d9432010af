# SPDX-License-Identifier: GPL-2.0-or-later
"""A model of TCP's closing states, written from RFC 9293, 5961, 7323 and tcpfin-trace-record(5) alone.

It shares nothing with the program, and its author had not read the program's judge: a difference between the two is a
question to the RFCs. model.py FILE prints what it says about a capture, a connection after the other.
"""
import sys

from capture import packets
from connections import connections
from fields import record
from frame import last_fragment, segment_of
from verdict import Verdict


def ended(connection):
    """Whether a connection has ended: "closed", "reset" or None."""
    verdict = Verdict(connection)
    return "closed" if verdict.complete is not None else "reset" if verdict.reset else None


def segments_of(path):
    frames = list(packets(path))
    datagrams = dict(filter(None, (last_fragment(link, data) for _, link, data, _ in frames)))
    found = (segment_of(*frame, datagrams) for frame in frames)
    return [segment for segment in found if segment is not None]


def verdicts(path):
    """One verdict a connection, in order of the first segment."""
    segments = segments_of(path)
    until = max((segment.time for segment in segments), default=None)
    return [Verdict(connection, until) for connection in connections(segments, ended)]


def records(path):
    """The fields by their dotted paths, a connection each; with the verdict that they come from."""
    return [(verdict, record(verdict)) for verdict in verdicts(path)]


def main():
    for path in sys.argv[1:]:
        for _, fields in records(path):
            print(path)
            for name, value in fields.items():
                print(f"    {name} = {value}")


if __name__ == "__main__":
    main()
