#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
side_by_side.py TCPFIN-TRACE [NAME...]: what counters of other kinds make of connections whose story is known, beside
our metrics, on the same traffic. As root. lab/harness.py has how tests are run.

sk_err: two versions of a counter of failed connections, see side_by_side.bpf.c. Flags: segments with FIN, SYN, SYN-ACK
and RST, after the logic of hubble (cilium, pkg/hubble/metrics/tcp/handler.go, lines 54 to 86 at commit 05e4b20cc35b):
every segment that passes counts, by its flags. The table is the one in user/monitoring/README.md; with PRINT in the
environment it is printed, too.
"""
import contextlib
import os
import socket
import subprocess
import sys
import time

from lab import frames
from lab.closes import REPLY, REQUEST, abort, heard_the_end, heard_the_reset, receive, scenario_named, talk
from lab.harness import Suite, paths, raw_socket, watch
from lab.netlab import ACK, FIN, RST, SYN, check, ipv4, mac, until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))

from exposition import Metrics  # noqa: E402 (its place is known only now)

COUNTERS = os.path.join(TOP, "build", "tests", "side_by_side")
DOCUMENT = os.path.join(TOP, "user", "monitoring", "README.md")
TIMES = 10  # that each story is played
FIRST, SECOND = 0, 1  # of the versions

suite = Suite(time_limit=300)
test = suite.test


# ---- the counters ----

class ErrorCounter:
    """Failed connections of that namespace, as both versions count them."""

    def __init__(self, lab, namespace):
        inode = os.stat(namespace.path).st_ino
        self.child = lab.stack.enter_context(subprocess.Popen(
            [COUNTERS, str(inode)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        lab.stack.callback(self.child.stdin.close)

    def counts(self):
        self.child.stdin.write(".")
        self.child.stdin.flush()
        return [int(word) for word in self.child.stdout.readline().split()]


class FlagCounter:
    """Segments at the interface by their flags."""

    def __init__(self, lab, namespace):
        self.sock = lab.stack.enter_context(namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.sock.bind(("eth0", 3))
        self.sock.setblocking(False)

    def counts(self):
        """What has come since the last call: {name: segments}"""
        found = dict.fromkeys(("SYN", "SYN-ACK", "FIN", "RST"), 0)
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = self.sock.recv(2048)
                if packet[12:14] != b"\x08\x00" or packet[23] != socket.IPPROTO_TCP:
                    continue
                flags = packet[14 + (packet[14] & 15) * 4 + 13]
                found["FIN"] += bool(flags & FIN)
                found["RST"] += bool(flags & RST)
                if flags & SYN:
                    found["SYN-ACK" if flags & ACK else "SYN"] += 1
        return found


def outcomes(path):
    """{(outcome, detail, closer): connections} of a file of metrics, without those that are 0."""
    with open(path, encoding="utf-8") as file:
        labels = Metrics(file.read()).of("tcpfin_connections_total")
    names = ({**dict(label), "count": int(value)} for label, value in labels.items() if int(value))
    return {(name["outcome"], name["detail"], name["closer"]): name["count"] for name in names}


# ---- the stories: the host is the client ----

def peer_aborts(path):
    c = path.connect()
    talk(c)
    abort(c.server)
    heard_the_reset(c.client)
    c.client.close()


def host_leaves_reply_unread(path):
    c = path.connect()
    c.client.sendall(REQUEST)
    receive(c.server, len(REQUEST))
    c.server.sendall(REPLY)
    until(lambda: c.client.recv(1, socket.MSG_PEEK), "the reply")
    c.client.close()
    heard_the_reset(c.server)
    c.server.close()


def forged_reset(path):
    """Somebody sends an RST in the server's name, with a number that the host does not take; the close is graceful."""
    c = path.connect()
    talk(c)
    segment = frames.tcp_segment(path.address, ipv4(0, 1), (c.key[2], c.key[1]), RST, 1, 0, b"")
    with raw_socket(path.server) as sock:
        sock.send(frames.ethernet(mac(0, 2), mac(0, 1), [], frames.ip_packet(path.address, ipv4(0, 1), segment)))
    time.sleep(0.02)
    c.client.close()
    heard_the_end(c.server)
    c.server.close()


def listener_closes(path):
    """No connection at all: this host stops listening."""
    with path.client.socket(path.family) as listener:
        listener.bind((ipv4(0, 1), 0))
        listener.listen()


def named(name):
    return scenario_named(name).play


# (what happens, how it is played, what is true: (outcome, detail, closer), did the connection fail?)
STORIES = (
    ("this host closes first", named("client_first"), ("graceful", "four_way", "source"), False),
    ("the peer closes first", named("server_first"), ("graceful", "four_way", "destination"), False),
    ("both close at once", named("simultaneous"), ("graceful", "simultaneous", "both"), False),
    ("an RST that is forged, and not taken", forged_reset, ("graceful", None, "source"), False),
    ("this host aborts", named("linger0"), ("reset", "established", "source"), True),
    ("this host closes with the reply unread", host_leaves_reply_unread, ("reset", "established", "source"), True),
    ("this host is gone when the reply comes", named("answer_too_late"), ("reset", "half_closed", "source"), True),
    ("the peer aborts", peer_aborts, ("reset", "established", "destination"), True),
    ("the peer closes with the request unread", named("unread_data"), ("reset", "established", "destination"), True),
    ("nobody listens at the peer's port", named("refused"), ("refused", "handshake", "destination"), True),
    ("this host stops listening", listener_closes, None, False),
)


def play(lab, story, errors, flags):
    """One story, several times, each watched by all. Returns (counts of sk_err, flags, ours)."""
    path = paths(lab)[0]
    file = lab.file("story.prom")
    flags.counts()
    before = errors.counts()
    tracer = watch(lab, f"--metrics-file={file}")
    for _ in range(TIMES):
        story[1](path)
    if story[2]:
        tracer.wait_for(TIMES)
    tracer.stop()
    after = errors.counts()
    return [b - a for a, b in zip(before, after)], flags.counts(), outcomes(file)


def is_true(truth, ours):
    """Do the metrics say what happened, and nothing else? A detail of None may be any."""
    if not truth:
        return not ours
    return sum(ours.values()) == TIMES and all(
        (outcome, closer) == truth[::2] and truth[1] in (None, detail) for outcome, detail, closer in ours)


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(rows):
    """The document's lines."""
    failed = sum(TIMES for story, *_ in rows if story[3])
    all_ = sum(TIMES for story, *_ in rows if story[2])
    lines = [row(("what happens, each 10 times", "true failures", "sk_err, first", "sk_err, second", "RST segments",
                  "tcpfin-trace")),
             row(["---"] + ["---:"] * 4 + ["---"])]
    for story, errors, flags, ours in rows:
        said = "; ".join(f"{count} {outcome}, closer {closer}" for (outcome, _, closer), count in sorted(ours.items()))
        lines.append(row((story[0], TIMES * story[3], errors[FIRST], errors[SECOND], flags["RST"], said or "none")))
    sums = [sum(errors[which] for _, errors, _, _ in rows) for which in (FIRST, SECOND)]
    ours = sum(count for *_, said in rows for (outcome, *_), count in said.items() if outcome != "graceful")
    lines.append(row((f"all: {all_} connections", failed, *sums, sum(flags["RST"] for *_, flags, _ in rows),
                      f"{ours} failed")))
    return lines


@test
def demonstration(lab):
    """Ours are true; the table of all is the document's."""
    errors, flags = ErrorCounter(lab, lab.client), FlagCounter(lab, lab.client)
    rows = [(story, *play(lab, story, errors, flags)) for story in STORIES]
    lines = table(rows)
    if os.environ.get("PRINT"):
        print("\n".join(lines))
    wrong = [story[0] for story, _, _, ours in rows if not is_true(story[2], ours)]
    check(not wrong, f"not what happened: {', '.join(wrong)}")
    with open(DOCUMENT, encoding="utf-8") as file:
        document = file.read()
    missing = [line for line in lines if line not in document]
    check(not missing, "not in user/monitoring/README.md: " + missing[0] if missing else "")


if __name__ == "__main__":
    suite.main(sys.argv)
