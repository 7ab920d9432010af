# SPDX-License-Identifier: GPL-2.0-or-later
"""
An independent witness: tcpdump's capture of the same interface, read by tshark and judged here by sequence numbers.
"""
import subprocess
import time
from typing import NamedTuple

from lab.netlab import ACK, FIN, RST, SYN, Process, check, equal, need, until

TOLERANCE = 0.002  # s between a packet's two time stamps
STALL = 0.01  # s that a busy machine may stop between the two stamps; a step mistaken for another is off by a pause


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
        """Ends tcpdump and returns all segments in the order of capture."""
        time.sleep(0.2)  # tcpdump does not read what is left when it is stopped
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
    """One connection's close as tcpdump saw it. key: (4 or 6, client's port, server's port)."""

    def __init__(self, segments, key):
        self.key, self.segments = key, of_connection(segments, key)
        self.ignored = 0  # RSTs that their receiver ignored: the expected record says how many
        check(self.segments, f"tcpdump saw nothing of {key}")
        self.fins = {role: [s for s in self.segments if s.flags & FIN and self.role(s) == role]
                     for role in ("source", "destination")}

    def role(self, segment):
        return "source" if segment.sport == self.key[1] else "destination"

    def first(self, condition):
        return next((s for s in self.segments if condition(s)), None)

    def acknowledgment(self, fin):
        return fin and self.first(lambda s: s.sport != fin.sport and s.flags & ACK and s.ack == fin.end)

    def first_fins(self):
        """(first FIN, second FIN, whether they crossed), first copies; the source's is the first where they crossed."""
        one, two = sorted((copies[0] if copies else None for copies in self.fins.values()),
                          key=lambda fin: fin.time if fin else float("inf"))
        crossed = bool(two) and one.ack != two.end and two.ack != one.end
        if crossed and self.role(two) == "source":
            one, two = two, one
        return one, two, crossed

    def reset(self):
        """
        The RST that ended the connection, behind those that its receiver ignored. A RST after both FINs were
        acknowledged ended nothing.
        """
        if all(copies and self.acknowledgment(copies[0]) for copies in self.fins.values()):
            return None
        resets = [s for s in self.segments if s.flags & RST]
        return resets[self.ignored] if len(resets) > self.ignored else None

    def closer(self):
        """The role whose FIN, or RST that ended the connection, came first. None without either."""
        ends = [*(copies[0] for copies in self.fins.values() if copies), *filter(None, [self.reset()])]
        return self.role(min(ends, key=lambda s: s.time)) if ends else None

    def steps(self):
        """{timing: (first segment, last segment)}; None for a segment that was not seen."""
        syn, synack = self.first(lambda s: s.flags & SYN), self.first(lambda s: s.flags & (SYN | ACK) == SYN | ACK)
        handshake = synack and self.first(lambda s: s.flags & (SYN | ACK) == ACK and s.ack == synack.end)
        reset = self.reset()
        one, two, crossed = self.first_fins()
        one_ack, two_ack = self.acknowledgment(one), self.acknowledgment(two)
        if reset:  # later segments did not count
            one, two, one_ack, two_ack = (segment if segment and segment.time < reset.time else None
                                          for segment in (one, two, one_ack, two_ack))
        last = reset or self.segments[-1]
        if one_ack and two_ack:
            last = max(one_ack, two_ack, key=lambda s: s.time)
        first = min((fin for fin in (one, two) if fin), key=lambda fin: fin.time, default=None)
        return {"syn_to_synack": (syn, synack), "synack_to_ack": (synack, handshake), "initial_rtt": (syn, handshake),
                "fin_to_ack": (one, one_ack), "peer_fin_to_ack": (two, two_ack), "lifetime": (syn, last),
                "half_closed": (None if crossed else one_ack, two),
                "close": (first, last if reset or two_ack else None)}

    def timings(self):
        """{timing: seconds} for the steps that were seen."""
        return {name: max(b.time - a.time, 0) for name, (a, b) in self.steps().items() if a and b}

    def agree(self, record):
        """Fails unless the record agrees with the capture."""
        self.ignored = record["tcp"]["resets_ignored"]
        timings = self.timings()
        equal("timings", {name for name, took in record["tcp"]["timing"].items() if took is not None},
              set(timings))
        for name, seconds in timings.items():
            reported = record["tcp"]["timing"][name]
            check(abs(reported / 1e9 - seconds) < STALL,
                  f"{name} is {reported / 1e6:.3f} ms, tcpdump says {seconds * 1e3:.3f} ms")
        closer = self.closer()
        if closer and record["tcp"]["closer"] not in ("both", "network"):
            equal("closer", record["tcp"]["closer"], closer)
        for name, flags in (("syn", SYN), ("syn_ack", SYN | ACK)):
            copies = [s for s in self.segments if s.flags & (SYN | ACK) == flags]
            equal(f"retransmits.{name}", record["tcp"]["retransmits"][name], max(len(copies) - 1, 0))
        for role, copies in self.fins.items():
            equal(f"retransmits.fin_{role}", record["tcp"]["retransmits"][f"fin_{role}"], max(len(copies) - 1, 0))
            reported = [s for s in record["tcp"]["segments"]
                        if s["from"] == role and "F" in s["flags"] and not s.get("ignored")]
            if copies:
                isn = self.first(lambda s, role=role: s.flags & SYN and self.role(s) == role).seq
                equal(f"end of the {role}'s FIN", (reported[0]["seq"] + reported[0]["len"]) & 0xffffffff,
                      (copies[0].end - 1 - isn) & 0xffffffff)


def of_connection(segments, key):
    ports = {key[1:], key[:0:-1]}
    return [s for s in segments if s.version == key[0] and (s.sport, s.dport) in ports]


def one_after_another(segments, key):
    """A list of segments for each connection of a tuple; a SYN with another number begins the next one."""
    connections, isn = [], None
    for segment in of_connection(segments, key):
        if segment.flags & (SYN | ACK) == SYN and segment.seq != isn:
            connections.append([])
            isn = segment.seq
        connections[-1].append(segment)
    return connections


def retransmissions(segments):
    """How many of one side's segments of a connection are retransmissions, by their sequence numbers."""
    count, highest = 0, None
    for segment in segments:
        if segment.end == segment.seq:
            continue
        if highest is not None and (segment.end - highest - 1) & 0x80000000:
            count += 1
        else:
            highest = segment.end
    return count
