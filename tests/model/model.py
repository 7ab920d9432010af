# SPDX-License-Identifier: GPL-2.0-or-later
"""A model of TCP's closing states, written from RFC 9293, 5961, 7323 and tcpfin-trace-record(5) alone.

It shares nothing with the program, and its author had not read the program's judge: a difference between the two is a
question to the RFCs. model.py FILE prints what it says about a capture, a connection after the other.
"""
import sys

from capture import jumps, packets
from connections import connections
from fields import record
from frame import last_fragment, segment_of
from icmp import quoted, refuser
from verdict import Verdict


def ended(connection):
    """Whether a connection has ended: "closed", "reset" or None."""
    verdict = Verdict(connection)
    return "closed" if verdict.complete is not None else "reset" if verdict.reset else None


def segments_of(frames):
    datagrams = dict(filter(None, (last_fragment(link, data) for _, link, data, _ in frames)))
    found = [segment_of(*frame, datagrams) for frame in frames]
    for place in jumps([time for time, _, _, _ in frames]):
        if found[place] is not None:
            found[place].jumped = True
    return [segment for segment in found if segment is not None]


def verdicts(path):
    """One verdict a connection, in order of the first segment."""
    frames = list(packets(path))
    segments = segments_of(frames)
    errors = list(filter(None, (quoted(link, data) for _, link, data, _ in frames)))
    until = max((segment.time for segment in segments), default=None)
    found = connections(segments, ended)
    return [Verdict(connection, until, refuser(connection, errors)) for connection in found]


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
