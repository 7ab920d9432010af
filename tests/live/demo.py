#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
demo.py TCPFIN-TRACE [OPTION...]: shows the program at work, without a network.

Two processes, `client` and `server`, each in a network namespace of its own, close a connection in every way there is;
the program watches the client's interface. Nothing is left behind. Options go to the program, `--format=ladder` for
example.
"""
import os
import signal
import subprocess
import sys
import time

from lab.closes import SCENARIOS, Path
from lab.netlab import Failure, Lab, Skip, Tracer, ipv4, ipv6
from lab.peer import Peer

SETTLE_MS, CLOSE_TIMEOUT = 100, 2
REPORTED = 0.35  # s, in which a close is reported
SOUGHT = 1.4  # s, in which a refused or unfinished connection is reported: those are looked for once a second

INTRODUCTION = """Two processes, `client` and `server`, close connections in every way there is.
# tcpfin-trace watches the client's interface and prints a line for each connection.
# FLAGS shows its segments: > from the client, < from the server; S SYN, F FIN, R RST, P data, . ACK;
# ~ sent again, ... data in between. Then who closed each end, and the kernel's reason for a reset."""


def say(text):
    """A caption, dimmed where the terminal can."""
    plain = not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    print(f"\n# {text}" if plain else f"\n\x1b[2m# {text}\x1b[0m", file=sys.stderr, flush=True)


def play_all(paths):
    """Every scenario, over IPv4 and IPv6 in turn, with time for its record to follow its caption."""
    for number, scenario in enumerate(SCENARIOS):
        path = paths[number % 2]
        say(f"IPv{path.version}: {scenario.caption}")
        try:
            scenario.play(path)
        except Skip as reason:
            say(f"left out: {reason}")
        time.sleep(SOUGHT if scenario.expected["tcp.outcome"] == "refused" else REPORTED)
    say(f"after {CLOSE_TIMEOUT} s (--close-timeout) it is reported as unfinished; Ctrl-C then prints the summary")
    time.sleep(CLOSE_TIMEOUT + SOUGHT)


def main(program, *options):
    with Lab() as lab:
        client, server = Peer(lab, lab.client, "client"), Peer(lab, lab.server, "server")
        paths = [Path(client, server, address) for address in (ipv4(0, 2), ipv6(0, 2))]
        say(INTRODUCTION)
        tracer = Tracer(lab, lab.client, [os.path.abspath(program)], ["eth0"], f"--settle={SETTLE_MS}",
                        f"--close-timeout={CLOSE_TIMEOUT}", *options, stdout=sys.stdout, stderr=sys.stderr)
        try:
            tracer.wait_for_all()  # else the first connection could close before its process can be seen
            play_all(paths)
        finally:
            tracer.signal(signal.SIGINT)
            code = tracer.wait()
    return code


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: demo.py TCPFIN-TRACE [OPTION...]")
    if os.geteuid() != 0:
        sys.exit("demo.py: network namespaces need root: run it with sudo")
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except (Failure, Skip, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"demo.py: {error}")
