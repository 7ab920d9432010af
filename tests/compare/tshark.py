# SPDX-License-Identifier: GPL-2.0
"""Runs tshark on a capture and gathers its view, stream by stream, while it prints."""
import functools
import ipaddress
import os
import re
import resource
import signal
import subprocess
import threading

from stream import FRAGMENT, NO_SCALE, Frame, Stream

FIELDS = ["frame.number", "frame.time_epoch", "frame.len", "frame.protocols", "tcp.stream", "ip.src", "ip.dst",
          "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq_raw", "tcp.ack_raw", "tcp.len",
          "tcp.window_size_value", "tcp.urgent_pointer", "tcp.options.wscale.shift", "ip.id", "ip.len", "ipv6.plen",
          "ip.flags.mf", "ipv6.fraghdr.more", "sll.ifindex", "tcp.completeness", "tcp.analysis.initial_rtt",
          "communityid"]
# Each frame for itself: no datagram or message is put together. Two passes, so that completeness is the whole stream's.
OPTIONS = ["-n", "-2", "--enable-protocol", "communityid", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
           "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "ipv6.tso_support:TRUE", "-o", "ip.tso_support:TRUE"]

# What our tool reads: one IP header, behind at most two VLAN tags; IPv6 with up to eight extension headers.
LINKS = {"eth": 14, "null": 4, "raw": 0}  # bytes before VLAN tags or IP; sll's header depends on its version
PLAIN = re.compile(r"(?P<link>eth:ethertype|sll:ethertype|null|raw)(?P<tags>(:(vlan|ieee8021ad):ethertype){0,2})"
                   r":(ip|ipv6(:(ipv6\.(hopopts|routing|fraghdr|dstopts|shim6)|ah|hip|mipv6)){0,8}):tcp(:|$)")


class View:
    """tshark's view of one file."""

    def __init__(self):
        self.streams = {}    # by (tshark's number, interface index)
        self.skipped = {}    # reason -> set of tshark's stream numbers
        self.frames = 0
        self.error = None    # why the view ends early, or is none at all
        self.killed = False  # tshark did not come to an end: the view is none
        self.latest = None   # time of the latest frame so far
        self.disorder = []   # (frame number, time of the latest frame before it) of each frame that goes back in time


def limits(megabytes):
    """For the child: an address space it cannot outgrow."""
    size = megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def stream_lines(command, timeout, megabytes, environment=None):
    """
    Runs the command. Yields its lines; last its end as (exit code, stderr, whether the time was up). A program that
    floods stderr cannot block: it goes to an unnamed file.
    """
    import tempfile
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                   env=environment, preexec_fn=lambda: limits(megabytes))
        late = threading.Event()

        def stop():
            late.set()
            process.kill()
        timer = threading.Timer(timeout, stop)
        timer.start()
        try:
            for line in process.stdout:
                yield line
        finally:
            if process.poll() is None and not late.is_set():
                process.stdout.close()
            code = process.wait()
            timer.cancel()
        errors.seek(0)
        yield code, errors.read(65536).decode("utf-8", "replace"), late.is_set()
