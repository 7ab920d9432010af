# SPDX-License-Identifier: GPL-2.0-or-later
"""
Which records are of which streams: those that list the same segments. tshark and we split a tuple's traffic into
connections by different rules, so a record may have frames of several streams, and a stream those of several records.
"""
from collections import defaultdict

from stream import ACK, CONTROL, NO_TIME

TOLERANCE = 1000  # ns between both readings of one time stamp: some resolutions are rounded


class Pairing:
    """A record with the streams whose frames it lists."""

    def __init__(self, record):
        self.record = record
        self.home = None       # the stream of its first segment
        self.streams = []      # all, in order of the file
        self.first = None      # number of its first frame
        self.listed = set()    # numbers of the frames it lists
        self.rivals = []       # Pairings of records that share a stream with it, itself included, in order
        self.number = 0        # its index among those whose home is the same


def identity(frame):
    return frame.side, frame.seq, frame.flags & (CONTROL | ACK)


def index_of(streams):
    """{identity of a segment: its frames} of the streams."""
    index = defaultdict(list)
    for stream in streams:
        for frame in stream.frames():
            index[identity(frame)].append((frame.time, frame.number, stream))
    return index


def locate(segment, start, index, claimed):
    """
    The segment's frame as (time, number, stream), or None. A record has no time before its start, so where a file's
    times are not in order, a segment at the start may be an earlier frame. One whose clock had jumped has no time.
    claimed: numbers of frames that other records list.
    """
    entries = [entry for entry in index.get(identity(segment), ()) if entry[1] not in claimed]
    if segment.time == NO_TIME:
        return min(entries, key=lambda entry: entry[1], default=None)
    near = [entry for entry in entries if abs(entry[0] - segment.time) <= TOLERANCE]
    if not near and segment.time == start:
        near = [entry for entry in entries if entry[0] < start]
    return min(near, key=lambda entry: (abs(entry[0] - segment.time), entry[1]), default=None)


def pair(record, index, claimed):
    pairing = Pairing(record)
    for segment in record.segments():
        found = locate(segment, record.start, index, claimed)
        if not found:
            continue
        _, number, stream = found
        if pairing.home is None:
            pairing.home, pairing.first = stream, number
        claimed.add(number)
        pairing.listed.add(number)
        if stream not in pairing.streams:
            pairing.streams.append(stream)
    pairing.streams.sort(key=lambda stream: stream.first().number)
    return pairing


def join_rivals(pairings):
    by_stream = defaultdict(list)
    homes = defaultdict(int)
    for pairing in sorted((p for p in pairings if p.home), key=lambda p: p.first):
        pairing.number = homes[id(pairing.home)]
        homes[id(pairing.home)] += 1
        for stream in pairing.streams:
            by_stream[id(stream)].append(pairing)
    for pairing in pairings:
        rivals = {id(p): p for stream in pairing.streams for p in by_stream[id(stream)]}
        pairing.rivals = sorted(rivals.values(), key=lambda p: p.first)


def match(streams, records):
    """Yields for each pair of ends its streams and its Pairings."""
    groups = defaultdict(lambda: ([], []))
    for stream in streams:
        groups[stream.ends][0].append(stream)
    for record in records:
        groups[record.ends][1].append(record)
    for streams_of, records_of in groups.values():
        index = index_of(streams_of) if records_of else {}
        claimed = set()
        pairings = [pair(record, index, claimed) for record in sorted(records_of, key=lambda r: r.start)]
        join_rivals(pairings)
        yield streams_of, pairings
