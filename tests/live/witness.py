# SPDX-License-Identifier: GPL-2.0
"""
The witness: what tcpdump saw on the same interface, read by tshark and judged here by sequence numbers alone.
"""
import subprocess
import time
from typing import NamedTuple

from netlab import ACK, FIN, RST, SYN, Process, check, equal, need, until

TOLERANCE = 0.002  # s between a packet's two time stamps


class Segment(NamedTuple):
    """One TCP segment. version: 4 or 6."""

    version: int
    time: float
    sport: int
    dport: int
    flags: int
    seq: int
    ack: int
    len: int

    @property
    def end(self):
        return (self.seq + self.len + bool(self.flags & SYN) + bool(self.flags & FIN)) & 0xffffffff

    @property
    def letters(self):
        """The flags as tcpdump writes them."""
        return "".join(letter for bit, letter in zip((1, 2, 4, 8, 16), "FSRP.") if self.flags & bit)


class Capture(Process):
    """tcpdump on an interface."""

    FIELDS = ("ipv6.version", "frame.time_epoch", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq_raw",
              "tcp.ack_raw", "tcp.len")
    HEADERS = 160  # bytes kept of a packet

    def __init__(self, lab, namespace, interface):
        need("tcpdump", "tshark")
        self.path = lab.file("pcap")
        super().__init__(lab, namespace, ["tcpdump", "-i", interface, "-s", str(self.HEADERS), "-U", "-w", self.path,
                                          "-B", "16384", "-Z", "root", "--immediate-mode",
                                          "--time-stamp-precision=nano", "tcp"])
        until(lambda: "listening on" in self.stderr, "start of tcpdump")

    def stop(self):
        """Ends it and returns all segments, in order of capture."""
        time.sleep(0.2)  # what tcpdump has not read yet when it is told to end, it leaves
        self.child.terminate()
        self.wait()
        check("\n0 packets dropped" in self.stderr, "tcpdump lost packets")
        fields = [word for field in self.FIELDS for word in ("-e", field)]
        text = subprocess.run(["tshark", "-n", "-r", self.path, "-T", "fields", "-E", "occurrence=f", *fields],
                              capture_output=True, text=True, check=True).stdout
        return [self.segment(line) for line in text.splitlines()]

    @staticmethod
    def segment(line):
        ipv6, when, *numbers = line.split("\t")
        return Segment(6 if ipv6 else 4, float(when), *(int(number or "0", 0) for number in numbers))


class Close:
    """One connection's end as the segments of a capture tell it. key: (4 or 6, client's port, server's port)."""

    def __init__(self, segments, key):
        self.key, ports = key, {key[1:], key[:0:-1]}
        self.segments = [s for s in segments if s.version == key[0] and (s.sport, s.dport) in ports]
        check(self.segments, f"tcpdump saw nothing of {key}")
        self.fins = {role: [s for s in self.segments if s.flags & FIN and self.role(s) == role]
                     for role in ("source", "destination")}

    def role(self, segment):
        return "source" if segment.sport == self.key[1] else "destination"

    def first(self, condition):
        return next((s for s in self.segments if condition(s)), None)

    def acknowledgment(self, fin):
        return self.first(lambda s: s.sport != fin.sport and s.flags & ACK and s.ack == fin.end)

    def timings(self):
        """Seconds, of every step that was taken."""
        syn, synack = self.first(lambda s: s.flags & SYN), self.first(lambda s: s.flags & (SYN | ACK) == SYN | ACK)
        handshake = synack and self.first(lambda s: s.flags & (SYN | ACK) == ACK and s.ack == synack.end)
        reset = self.first(lambda s: s.flags & RST)
        one, two = sorted((copies[0] if copies else None for copies in self.fins.values()),
                          key=lambda fin: fin.time if fin else float("inf"))
        one_ack, two_ack = one and self.acknowledgment(one), two and self.acknowledgment(two)
        last = max((s for s in (reset, one_ack, two_ack) if s), key=lambda s: s.time)
        steps = {"syn_to_synack": (syn, synack), "synack_to_ack": (synack, handshake), "initial_rtt": (syn, handshake),
                 "fin_to_ack": (one, one_ack), "peer_fin_to_ack": (two, two_ack), "lifetime": (syn, last)}
        if one and two and two.time >= one_ack.time:
            steps["half_closed"] = (one_ack, two)
        if one and (reset or two_ack):
            steps["close"] = (one, last)
        return {name: b.time - a.time for name, (a, b) in steps.items() if a and b}

    def agree(self, record):
        """Makes sure that the record and the capture tell the same story."""
        for name, seconds in self.timings().items():
            told = record["tcp"]["timing"][name]
            check(told is not None, f"{name} is null, tcpdump says {seconds * 1e3:.3f} ms")
            check(abs(told / 1e9 - seconds) < TOLERANCE,
                  f"{name} is {told / 1e6:.3f} ms, tcpdump says {seconds * 1e3:.3f} ms")
        fins = [copies[0] for copies in self.fins.values() if copies]
        if fins and record["tcp"]["closer"] != "both":
            equal("closer", record["tcp"]["closer"], self.role(min(fins, key=lambda fin: fin.time)))
        for role, copies in self.fins.items():
            equal(f"retransmits.fin_{role}", record["tcp"]["retransmits"][f"fin_{role}"], max(len(copies) - 1, 0))
            told = [s for s in record["tcp"]["segments"] if s["from"] == role and "F" in s["flags"]]
            if copies:
                isn = self.first(lambda s, role=role: s.flags & SYN and self.role(s) == role).seq
                equal(f"end of the {role}'s FIN", (told[0]["seq"] + told[0]["len"]) & 0xffffffff,
                      (copies[0].end - 1 - isn) & 0xffffffff)
