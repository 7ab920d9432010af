# SPDX-License-Identifier: GPL-2.0-or-later
"""One TCP segment as it was captured, and the arithmetic of sequence numbers (RFC 9293 section 3.4)."""
from dataclasses import dataclass

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
ORDER = 1 << 32


def unwrapped(number, near):
    """The integer that equals `number` modulo 2^32 and is nearest to `near`. It does not wrap, and compares plainly."""
    return near + (number - near + ORDER // 2) % ORDER - ORDER // 2


@dataclass
class Segment:
    time: int        # ns since 1970
    src: tuple       # (address, port)
    dst: tuple
    network: object  # the tunnel's kind and identifier, or None
    raw_seq: int
    raw_ack: int
    flags: int
    length: int      # payload in bytes
    window: int      # as in the header
    ttl: int
    ip_id: object    # None for IPv6
    scale: object    # shift count of the window scale option, or None
    mptcp: frozenset # subtypes of MPTCP options
    digest: bytes    # the TCP header with its options
    short: bool      # its frame is shorter than IP says: the capture has cut it, or the length is wrong

    # Set when the connection is known: the sender (0: source), and the numbers unwrapped.
    side: int = 0
    seq: int = 0
    ack: object = None  # None without the flag ACK
    valid: bool = True  # its receiver acts on it
    twice: int = 0      # equal packets that were left out
    jumped: bool = False  # its time stamp is wrong, see jumps() in capture.py

    def has(self, flag):
        return bool(self.flags & flag)

    @property
    def span(self):
        """SEG.LEN: payload, SYN and FIN (RFC 9293 section 3.4)."""
        return self.length + self.has(SYN) + self.has(FIN)

    @property
    def end(self):
        return self.seq + self.span
