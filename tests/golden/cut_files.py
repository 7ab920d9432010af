# SPDX-License-Identifier: GPL-2.0-or-later
"""
Captures that end in each of their bytes: pcap, pcapng, and pcap in gzip. What was whole is reported as if the file
ended there; a cut inside of something is one line on stderr and exit code 1.

cut_files.py [--binary PATH] [FORM...]
"""
import gzip
import os
import sys
import tempfile
import zlib

import tracer
from cases_files import interface, packets, section
from packets import RAW, Capture, Conversation


def segments(c=Conversation()):
    """A refused connection, and one that is reset."""
    other = c.other()
    return [other.src(0, "S"), other.dst(5, "R.", 0, 1), *c.handshake(), c.src(100, "R.", 1, 1)]


def places(head, parts):
    """(the whole file, the places where it may end): behind its head and behind each part."""
    data, ends = head, [len(head)]
    for part in parts:
        data += part
        ends.append(len(data))
    return data, ends


def pcap(order="<", nano=True):
    head = Capture([], RAW, nano, order=order).file()
    return places(head, [Capture([s], RAW, nano, order=order).file()[len(head):] for s in segments()])


def pcapng(order="<"):
    head, link = section(order), interface(RAW, order=order)
    return places(head, [link, *(packets([s], link=RAW, order=order) for s in segments())])


FORMS = {"pcap": pcap, "pcapng": lambda: pcapng(">")}


class Runs:
    """The program on bytes, as a file."""

    def __init__(self, directory):
        self.path, self.known = os.path.join(directory, "capture"), {}

    def of(self, data):
        with open(self.path, "wb") as out:
            out.write(data)
        return tracer.trace(self.path, options=("--show-open",))

    def whole(self, data):
        """What is printed of a file that is not cut."""
        if data not in self.known:
            process = self.of(data)
            if process.returncode or process.stderr:
                raise ValueError(f"{len(data)} whole bytes: exit {process.returncode}, {process.stderr!r}")
            self.known[data] = process.stdout
        return self.known[data]


def faults_at(runs, written, capture, ends, there, cut):
    """written: the file. there: how many bytes of the capture are in it. cut: it is a part of a compressed one."""
    end = max((end for end in ends if end <= there), default=0)
    process = runs.of(written)
    faults = tracer.error_faults(process, 1 if cut or there not in ends else 0)
    if process.stdout != (runs.whole(capture[:end]) if end else b""):
        faults.append(f"prints {process.stdout!r}")
    return faults


def plain(runs, make):
    capture, ends = make()
    for length in range(len(capture) + 1):
        yield length, faults_at(runs, capture[:length], capture, ends, length, False)


def in_gzip(runs):
    capture, ends = pcap(nano=False)
    packed = gzip.compress(capture, mtime=0)
    for length in range(3, len(packed) + 1):
        there = len(zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(packed[:length]))
        yield length, faults_at(runs, packed[:length], capture, ends, there, length < len(packed))


def faults_of(runs, form):
    cuts = in_gzip(runs) if form == "gzip" else plain(runs, FORMS[form])
    return [f"cut at {length}: {fault}" for length, faults in cuts for fault in faults]


def main():
    parser = tracer.command_line(__doc__)
    options = parser.parse_args()
    tracer.BINARY = os.path.abspath(options.binary)
    with tempfile.TemporaryDirectory(prefix="tcpfin-cut-") as directory:
        results = [tracer.print_result(form, faults_of(Runs(directory), form))
                   for form in options.names or [*FORMS, "gzip"]]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
