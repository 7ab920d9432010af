# SPDX-License-Identifier: GPL-2.0-or-later
"""
Captures of more than 4 GiB: a connection opens at the beginning and closes at the end, as a sparse file and through a
pipe. Offsets and lengths of 32 bits would lose it.
"""
import os
import struct
import subprocess
import sys
import tempfile

import tracer
from cases_files import block, interface, packets, section
from packets import RAW, Capture, Conversation

SIZE = (1 << 32) + (1 << 28)  # bytes
LARGEST_PACKET, LARGE_BLOCK = 262144, 1 << 23


def ends(c=Conversation()):
    return c.opened(), c.four_way(9000)


def parts_of_pcap():
    """(beginning, head of what is between, its whole length, its last bytes, end); what is not named are zeros."""
    opening, closing = ends()
    file_head = Capture([], RAW).file()
    head = struct.pack("<IIII", opening[-1].time // 10**9, 0, LARGEST_PACKET, LARGEST_PACKET)
    closing = Capture(closing, RAW).file()[len(file_head):]
    return Capture(opening, RAW).file(), head, len(head) + LARGEST_PACKET, b"", closing


def parts_of_pcapng():
    """The same; between is a block of a type that nobody knows."""
    opening, closing = ends()
    unknown = block(0x80000042, bytes(LARGE_BLOCK))
    beginning = section() + interface(RAW) + packets(opening, link=RAW)
    return beginning, unknown[:8], len(unknown), unknown[-4:], packets(closing, link=RAW)


def write_sparse(path, beginning, head, length, tail, end):
    """The zeros are holes."""
    with open(path, "wb") as out:
        out.write(beginning)
        while (at := out.tell()) < SIZE:
            out.write(head)
            out.seek(at + length - len(tail))
            out.write(tail)
        out.write(end)


def traced(path):
    command = [tracer.BINARY, "-q", "--format=json", "-r", path]
    return subprocess.run(command, capture_output=True, check=False)


def faults(process):
    found = tracer.error_faults(process, 0)
    outcomes = [r["tcp"]["outcome"] for r in tracer.records_of(process)]
    return found + [f"outcomes {outcomes}"] * (outcomes != ["graceful"])


def by_pipe(path):
    command = 'cat "$1" | "$2" -q --format=json -r -'
    return subprocess.run(["sh", "-c", command, "sh", path, tracer.BINARY], capture_output=True, check=False)


def main():
    options = tracer.command_line(__doc__).parse_args()
    tracer.BINARY = os.path.abspath(options.binary)
    results = []
    with tempfile.TemporaryDirectory(prefix="tcpfin-large-") as directory:
        for form, parts in (("pcap", parts_of_pcap()), ("pcapng", parts_of_pcapng())):
            write_sparse(path := os.path.join(directory, form), *parts)
            results.append(tracer.print_result(f"{form} of {os.path.getsize(path)} bytes", faults(traced(path))))
            if form == "pcap":
                results.append(tracer.print_result("pcap through a pipe", faults(by_pipe(path))))
            os.remove(path)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
