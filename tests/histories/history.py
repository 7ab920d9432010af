# SPDX-License-Identifier: GPL-2.0-or-later
"""One history: a script played by two ends over a network, and what a capture has of it."""
import random
from dataclasses import dataclass

from endpoint import Endpoint
from network import Network
from scripts import SCRIPTS, Play
from wire import ORDER, packet, write_capture

SECOND = 10**9
QUALITIES = ({}, {}, {"lost": 0.1}, {"lost": 0.2, "copied": 0.1}, {"reordered": 0.3}, {"lost": 0.2, "joined": 0.7},
             {"lost": 0.1, "copied": 0.1, "reordered": 0.2})
LATER = 1000 * SECOND  # from the last history to the end of the capture: nothing is still waiting then
MIRRORED = 400  # ns from a packet to its second sighting: ahead of the next one
LEFT_OUT = ("nothing", "nothing", "nothing", "beginning", "end", "some")


@dataclass
class History:
    number: int
    script: str
    left_out: str
    ends: tuple
    network: Network
    segments: list   # in the capture, in order of time; Segment.seen counts from the SYN
    hidden: list     # passed the capture's place, and are not in it
    start: int       # ns since EPOCH
    addresses: tuple
    ports: tuple
    mirrored: bool   # the capture has each packet twice

    def frames(self):
        for s in self.segments:
            order = (s.side, 1 - s.side)
            data = packet(s, [self.addresses[n] for n in order], [self.ports[n] for n in order])
            yield self.start + s.seen, data
            if self.mirrored:
                yield self.start + s.seen + MIRRORED, data


def split(rng, left_out, passed):
    """(kept, hidden) of what passed the place of the capture."""
    if left_out == "nothing" or len(passed) < 3:
        return passed, []
    cut = rng.randrange(1, len(passed))
    if left_out == "beginning":
        return passed[cut:], passed[:cut]
    if left_out == "end":
        return passed[:cut], passed[cut:]
    flags = [rng.random() < 0.2 for _ in passed]
    return [s for s, out in zip(passed, flags) if not out], [s for s, out in zip(passed, flags) if out]


def make(seed, number):
    rng = random.Random(f"{seed}/{number}")
    network = Network(rng, rng.choice(QUALITIES))
    isns = [rng.choice((rng.randrange(ORDER), ORDER - rng.randrange(1, 3000))) for _ in range(2)]
    network.ends = ends = tuple(Endpoint(network, side, isns[side]) for side in range(2))
    name = rng.choice(list(SCRIPTS))
    SCRIPTS[name](Play(rng, network, *ends))
    ends[0].connect()
    network.run(100 * SECOND)
    left_out = rng.choice(LEFT_OUT)
    kept, hidden = split(rng, left_out, network.capture)
    low = number % 60000
    addresses = (f"10.1.{low >> 8}.{low & 255}", "10.2.0.1") if number % 3 else \
        (f"2001:db8:1::{low + 1:x}", "2001:db8:2::1")
    return History(number, name, left_out if hidden else "nothing", ends, network, kept, hidden,
                   number * 37 * 10**6, addresses, (20000 + number % 40000, 443), rng.random() < 0.1)


def capture(path, histories, seed):
    """All of them, and one segment much later, which belongs to none."""
    frames = [frame for h in histories for frame in h.frames()]
    last = make(seed, -1)
    frames.append((max(time for time, _ in frames) + LATER, next(last.frames())[1]))
    write_capture(path, sorted(frames, key=lambda frame: frame[0]))
