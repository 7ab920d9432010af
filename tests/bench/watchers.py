# SPDX-License-Identifier: GPL-2.0-or-later
"""
Who may watch the traffic: the tracer, others, programs to compare with, and nobody.
"""
import contextlib
import signal

from work import netlab, program, reference, tracing


class Watcher:
    """What may watch, and what its runs have shown. start(lab): a context that gives a netlab.Process, or None."""

    def __init__(self, name, start):
        self.name, self.start = name, start
        self.kept = []  # share of the rate with nothing attached, one a round
        self.cpu = []  # us a connection of the process, one a round
        self.rate = []
        self.made = self.reported = 0
        self.kernel, self.collecting, self.sockets = [], [], []  # us a connection by BPF statistics, one a round


def nobody(_lab):
    return contextlib.nullcontext()


def tracer(*options):
    return lambda lab: tracing(lab, *options)


@contextlib.contextmanager
def other(lab, command, ready):
    """A program on the client's interface, inside `with`; ready(process): it sees packets."""
    process = netlab.Process(lab, lab.client, command)
    netlab.until(lambda: ready(process) or process.code is not None, f"start of {command[0]}", 10)
    netlab.check(process.code is None, f"{command[0]} ended: {process.stderr}")
    try:
        yield process
    finally:
        process.signal(signal.SIGTERM)
        with contextlib.suppress(netlab.Failure):
            process.wait(3)
        process.kill()


def attached(name):
    return lambda lab: other(lab, [program("reference"), reference(name), "eth0"], lambda p: "ready" in p.stdout)


def packet_socket(lab):
    """Does somebody in the client's namespace read packets?"""
    return lambda _process: len(lab.client.run("cat /proc/net/packet").splitlines()) > 1


def softflowd(lab):
    return other(lab, ["softflowd", "-d", "-i", "eth0", "-m", "1000000", "-p", lab.file("pid"), "-c", lab.file("ctl")],
                 packet_socket(lab))


def argus(lab):
    return other(lab, ["argus", "-X", "-i", "eth0", "-w", "/dev/null"], packet_socket(lab))
