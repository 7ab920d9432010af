# SPDX-License-Identifier: GPL-2.0-or-later
"""
A path with delay, loss and reordering between two namespaces: a relay from one tun device to another.

A packet is held for the path's delay and then written to the other device, unless a rule drops it or holds it longer.
A test ends a loss by lifting the rules, so that it depends on no timer. The relay is a process of its own, with
real-time priority where that is allowed, so that load on the machine does not delay packets.
"""
import contextlib
import heapq
import multiprocessing
import os
import select
import signal
import socket
import struct
import time
from typing import Callable, NamedTuple

from lab.netlab import ACK, FIN, PR_SET_PDEATHSIG, RST, SYN, Tun, libc

DEVICE = "tun0"
LOST, KEPT = -1, -2  # values of Rule.hold beside a time
SPACING = 0.005  # s between kept packets when they are sent: copies must not look like one packet seen twice


@contextlib.contextmanager
def realtime():
    """Runs the body with real-time priority, which its children do not inherit."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class Passing(NamedTuple):
    """A TCP segment in the relay. up: from client to server. acks_fin: it acknowledges a FIN of the other direction."""

    up: bool
    flags: int
    len: int
    acks_fin: bool

    @property
    def pure_ack(self):
        return self.len == 0 and self.flags & (SYN | FIN | RST | ACK) == ACK


class Rule(NamedTuple):
    """The first `times` segments that match are LOST, KEPT until rules are lifted, or held `hold` seconds longer."""

    match: Callable
    hold: float = LOST
    times: float = float("inf")


class Relay:
    """
    Joins tun0 of the client's namespace to tun0 of the server's, `delay` seconds each way. The client's addresses are
    10.98.0.1 and fd98::1, the server's 10.98.0.2 and fd98::2. The kernels delay no ACK on this path.
    """

    def __init__(self, lab, delay, *rules):
        self.delay, self.rules = delay, list(rules)
        self.fins = {True: set(), False: set()}  # by direction: the numbers behind the FINs
        self.waiting, self.kept, self.count = [], [], 0
        tuns = [Tun(lab, namespace, DEVICE) for namespace in (lab.client, lab.server)]
        for namespace, own, other in ((lab.client, 1, 2), (lab.server, 2, 1)):
            for prefix in ("10.98.0.", "fd98::"):
                namespace.run(f"ip address add {prefix}{own} dev {DEVICE}")
                namespace.run(f"ip route add {prefix}{other} dev {DEVICE} quickack 1")
        orders, self.orders = os.pipe()
        lab.stack.callback(os.close, self.orders)
        arguments = [tun.fd for tun in tuns], orders
        child = multiprocessing.get_context("fork").Process(target=self.forward, args=arguments)
        child.start()
        os.close(orders)
        lab.stack.callback(child.join)
        lab.stack.callback(child.kill)

    def lift_rules(self):
        """Drops all rules and sends the kept packets."""
        os.write(self.orders, b"!")

    def forward(self, files, orders):
        """The relay's process. Never returns."""
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with realtime():
            while True:
                timeout = max(0, self.waiting[0][0] - time.monotonic()) if self.waiting else None
                for file in select.select([*files, orders], [], [], timeout)[0]:
                    if file == orders:
                        self.obey(os.read(orders, 1))
                    else:
                        up = file == files[0]
                        self.take(os.read(file, 65536), up, files[up])
                while self.waiting and self.waiting[0][0] <= time.monotonic():
                    *_, file, packet = heapq.heappop(self.waiting)
                    os.write(file, packet)
                    self.sent(packet, file == files[1])

    def obey(self, _order):
        self.rules.clear()
        for number, (file, packet) in enumerate(self.kept):
            self.send_after(number * SPACING, file, packet)
        self.kept.clear()

    def take(self, packet, up, file):
        hold = self.judge(packet, up)
        if hold == KEPT:
            self.kept.append((file, packet))
        elif hold != LOST:
            self.send_after(self.delay + hold, file, packet)

    def send_after(self, delay, file, packet):
        self.count += 1  # packets that are due at the same time keep their order
        heapq.heappush(self.waiting, (time.monotonic() + delay, self.count, file, packet))

    def sent(self, packet, up):
        """A packet was sent."""

    def judge(self, packet, up):
        """Seconds to hold the packet beyond the path's delay, or LOST or KEPT."""
        segment = self.read(packet, up)
        for index, rule in enumerate(self.rules):
            if segment and rule.times and rule.match(segment):
                self.rules[index] = rule._replace(times=rule.times - 1)
                return rule.hold
        return 0

    def read(self, packet, up):
        """The TCP segment in the packet; None without one."""
        if packet[0] >> 4 == 4:
            protocol, start, end = packet[9], packet[0] % 16 * 4, struct.unpack_from("!H", packet, 2)[0]
        else:
            protocol, start, end = packet[6], 40, 40 + struct.unpack_from("!H", packet, 4)[0]
        if protocol != socket.IPPROTO_TCP:
            return None
        seq, ack, offset, flags = struct.unpack_from("!4xIIBB", packet, start)
        length = end - start - offset // 16 * 4
        if flags & FIN:
            self.fins[up].add((seq + length + 1) & 0xffffffff)
        return Passing(up, flags, length, bool(flags & ACK) and ack in self.fins[not up])
