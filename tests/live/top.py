#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
top.py TCPFIN-TRACE [NAME...]: --top on real connections: what the tables count against what was made, and the screen in
a terminal (tmux) by rules, at four widths. As root. lab/harness.py has how tests are run and what they print.
"""
import collections
import json
import os
import re
import signal
import subprocess
import sys
import time

from lab.closes import scenario_named, talk
from lab.harness import PROGRAM, Suite, about, paths
from lab.netlab import Process, Tracer, check, equal, ipv4, mac, need, until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))

import text_table  # noqa: E402 (its place is known only now)

CONNS = os.path.join(TOP, "build", "bench", "conns")
PORTS, SOURCES, FIRST_SOURCE = 4, 8, 100
GAUGES = ("half_closed", "stuck")

suite = Suite(workers=2)
test = suite.test


# ---- the program and its tables ----

class Tables(Tracer):
    """The program with --top and JSON."""

    def __init__(self, lab, *options, interfaces=("eth0",)):
        super().__init__(lab, lab.client, PROGRAM, interfaces, "--top=0.3", "--format=json", "--settle=100", *options)
        self.wait_for_all()

    def lines(self):
        return [json.loads(line)["rate"] for line in self.stdout.split("\n")[:-1]]

    def records(self):
        return []

    def end(self):
        """Its lines, once it has been stopped."""
        self.stop()
        return self.lines()


def lines_of(lines, span, row):
    return [line for line in lines if line["span"] == span and line["row"] == row]


def of_run(lines):
    return lines_of(lines, "run", "total")[0]


def groups_of_run(lines):
    """{group: line} of the table at the end."""
    return {tuple(line["group"].values()): line for line in lines_of(lines, "run", "group")}


def check_sums(lines):
    """Groups and others are the total in each table, and the intervals are the run."""
    table = []
    for line in lines:
        table.append(line)
        if line["row"] == "total":
            for name in ("connections", *GAUGES):
                equal(f"{name} of rows", sum(one[name] or 0 for one in table[:-1]), line[name] or 0)
            for kind in ("outcome", "closer"):
                total = collections.Counter()
                for one in table[:-1]:
                    total.update(one[kind])
                equal(f"{kind} of rows", total, collections.Counter(line[kind]))
            table = []
    equal("connections of intervals", sum(line["connections"] for line in lines_of(lines, "interval", "total")),
          of_run(lines)["connections"])


# ---- what is counted ----

@test
def outcomes(lab):
    """Every kind of close in its group, once; over both versions of IP."""
    tables = Tables(lab, "--by=outcome", "--close-timeout=0.4")
    played = collections.Counter()
    both = paths(lab)  # they hold what never closes
    for path in both:
        for name, outcome, count in (("client_first", "graceful", 3), ("linger0", "reset", 2),
                                     ("refused", "refused", 1), ("never_closes", "unfinished", 1)):
            for _ in range(count):
                scenario_named(name).play(path)
                played[outcome] += 1
    time.sleep(1.2)  # never_closes is in an interim record by then
    lines = tables.end()
    equal("connections by outcome", {group[0]: line["connections"] for group, line in groups_of_run(lines).items()},
          dict(played))
    equal("outcomes of all", {name: n for name, n in of_run(lines)["outcome"].items() if n}, dict(played))
    check_sums(lines)


@test
def who_resets_whom(lab):
    """The recipe of README.md: the process, the peer and the kernel's reason of resets, in one command."""
    tables = Tables(lab, "--by=process,peer,reason", "--outcome=reset,refused,handshake_reset")
    path = paths(lab)[0]
    for _ in range(3):
        scenario_named("linger0").play(path)
    scenario_named("client_first").play(path)
    time.sleep(0.5)
    lines = tables.end()
    check_sums(lines)
    equal("resets", of_run(lines)["connections"], 3)
    (process, peer, reason), line = max(groups_of_run(lines).items(), key=lambda item: item[1]["connections"])
    equal("of one group", line["connections"], 3)
    check(process and process.startswith("python"), f"process {process}")
    equal("peer", peer, ipv4(0, 2))
    if "TCP_" in str(reason):  # Linux 6.10 and later
        equal("reason", reason, "TCP_ABORT_ON_CLOSE" if "CLOSE" in reason else reason)


@test
def half_closed_and_stuck(lab):
    """A close that waits is a gauge in every table, stuck once it stands still, and a connection when it has ended."""
    tables = Tables(lab, "--by=port", "--close-timeout=0.6")
    connection = paths(lab)[0].connect()
    talk(connection)
    connection.client.shutdown(1)

    def last():
        found = lines_of(tables.lines(), "interval", "total")
        return found[-1] if found else collections.Counter()

    until(lambda: last()["half_closed"] == 1 and last()["stuck"] == 0, "half-closed connection")
    until(lambda: last()["stuck"] == 1, "stuck close")
    equal("connections so far", sum(line["connections"] for line in lines_of(tables.lines(), "interval", "total")), 0)
    group = lines_of(tables.lines(), "interval", "group")[-1]
    equal("port", group["group"], {"port": connection.key[2]})
    equal("stuck in its group", group["stuck"], 1)
    connection.server.close()
    until(lambda: last()["half_closed"] == 0 and last()["stuck"] == 0, "end of the wait")
    lines = tables.end()
    equal("connections", of_run(lines)["connections"], 1)
    equal("graceful", of_run(lines)["outcome"]["graceful"], 1)
    check_sums(lines)


# ---- under load ----

class Load:
    """Connections as fast as the machine makes them, from several addresses to several ports."""

    def __init__(self, lab):
        self.lab = lab
        for i in range(SOURCES):
            lab.client.run(f"ip address add 10.99.0.{FIRST_SOURCE + i}/24 dev eth0")
            lab.server.run(f"ip neighbour replace 10.99.0.{FIRST_SOURCE + i} lladdr {mac(0, 1)} dev eth0 nud permanent")
        lab.client.run("sysctl -qw net.ipv4.tcp_max_tw_buckets=2000000")
        server = Process(lab, lab.server, [CONNS, "serve", ipv4(0, 2), "8000", str(PORTS)])
        until(lambda: "ready" in server.stdout or server.code is not None, "server")

    def start(self, seconds):
        return Process(self.lab, self.lab.client, [CONNS, "open", ipv4(0, 2), "8000", str(PORTS),
                                                   f"10.99.0.{FIRST_SOURCE}", str(SOURCES), str(seconds)])

    def make(self, seconds):
        """How many were made."""
        running = self.start(seconds)
        equal("exit code of conns", running.wait(30), 0)
        return int(running.stdout.split()[0])


@test
def counts_under_load(lab):
    """As many as were made, in all, by port and by process and peer; with fewer rows than groups, too."""
    load = Load(lab)
    for by, options, groups in (("port", (), PORTS), ("process,peer", (), SOURCES), ("peer,port", ("--rows=1",), 1)):
        tables = Tables(lab, f"--by={by}", *options)
        made = load.make(1)
        time.sleep(0.7)
        lines = tables.end()
        with about(f"by {by}"):
            equal("connections", of_run(lines)["connections"], made)
            equal("graceful", of_run(lines)["outcome"]["graceful"], made)
            equal("groups", len(groups_of_run(lines)), groups)
            check(not any(line["missing_at_most"] for line in lines), "a row lacks connections")
            check_sums(lines)
            check(sum(line["connections"] > 0 for line in lines_of(lines, "interval", "total")) >= 2, "one interval")


# ---- in a terminal ----

class Screen:
    """The program in a terminal of that size, and what is seen there; shown: a table is, already."""

    def __init__(self, lab, columns, lines, *options, shown=True):
        need("tmux")
        self.lab, self.columns, self.lines = lab, columns, lines
        self.socket = lab.file("tmux")
        self.errors, self.ended = lab.file("stderr"), lab.file("ended")
        command = " ".join([*PROGRAM, "--top=0.3", "--settle=100", *options, "eth0"])
        lab.stack.callback(lambda: self.tmux("kill-server", check=False))
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines),
                  "-e", "LC_ALL=C.UTF-8", f"echo before; {command}; echo code $? > {self.ended}; cat")
        if shown:
            until(lambda: "last" in self.text(), f"table in {self.text()!r}", 15)

    def tmux(self, *arguments, check=True):
        environment = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color")
        with self.lab.client:
            done = subprocess.run(["tmux", "-u", "-S", self.socket, *arguments], capture_output=True, text=True,
                                  env=environment, check=False, timeout=20)
        if check and done.returncode:
            raise OSError(f"tmux {arguments[0]}: {done.stderr}")
        return done.stdout

    def text(self):
        return self.tmux("capture-pane", "-p")

    def press(self, *keys):
        named = ("Enter", "Escape", "BSpace", "C-c")
        for key in keys:
            self.tmux("send-keys", *((key,) if len(key) == 1 or key in named else ("-l", key)))

    def resize(self, columns, lines):
        self.columns, self.lines = columns, lines
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def alternate(self):
        return self.tmux("display-message", "-p", "#{alternate_on}").strip()

    def pid(self):
        """The program's."""
        pane = int(self.tmux("display-message", "-p", "#{pane_pid}"))
        children = subprocess.run(["pgrep", "-P", str(pane), "-f", "tcpfin-trace"], capture_output=True, text=True,
                                  check=True)
        return int(children.stdout.split()[0])

    def ends(self):
        """Its exit code, once it has ended, and what is seen then."""
        def code():
            if os.path.exists(self.ended):
                with open(self.ended, encoding="ascii") as file:
                    return file.read().split()[1:]
            return None
        until(code, f"end; {self.text()!r}", 15)
        time.sleep(0.1)
        return int(code()[0]), self.text()

    def table(self, groups):
        """(headings, cells of each line) of the table that is seen; no line is wider, all stands under a heading."""
        lines = self.text().splitlines()
        heading = next(i for i, line in enumerate(lines) if " CONNS" in line)
        rows = []
        for line in lines[heading + 1:]:
            if not line.strip():
                break
            rows.append(text_table.cells(groups, lines[heading], line))
            if "(total" in line or "(tot" in line.split()[0]:
                break
        for line in lines:
            check(len(line) <= self.columns, f"{len(line)} columns of {self.columns}: {line}")
        return lines, rows


def numeric(word):
    return word in ("CONNS", "HALF-CL", "STUCK") or word in text_table.OUTCOMES or word in text_table.CLOSERS


def check_screen(screen, groups):
    """Figures of the rows add up to those of the total."""
    _, rows = screen.table(groups)
    words = [word for word in rows[-1] if numeric(word)]
    check("CONNS" in words, f"no CONNS in {list(rows[-1])}")
    for word in words:
        equal(f"sum of {word}", sum(int(row[word]) for row in rows[:-1]), int(rows[-1][word]))
    return rows


def busy(screen, groups, least=2):
    """The rows, once there is a table with that many lines."""
    def rows():
        try:
            return screen.table(groups)[1]
        except StopIteration:
            return []
    until(lambda: len(rows()) >= least, f"table in {screen.text()!r}", 10)
    return check_screen(screen, groups)


def at_width(columns):
    def function(lab):
        load = Load(lab)
        for by in ("port", "process,peer,port", "process,peer,port,interface,outcome,reason"):
            screen = Screen(lab, columns, 24, f"--by={by}")
            running = load.start(3)
            with about(f"by {by}"):
                busy(screen, by.count(",") + 1)
                screen.press("p")
                busy(screen, by.count(",") + 1)
                screen.press("q")
                code, text = screen.ends()
                equal("exit code", code, 0)
                equal("the other screen", screen.alternate(), "0")
                check(re.search(r"\d connections", text), f"no summary: {text!r}")
            running.kill()
            screen.tmux("kill-server", check=False)
    return function


for width in (60, 80, 120, 200):
    suite.add(f"screen_{width}", at_width(width))


@test
def keys(lab):
    """Each key and what it changes."""
    load = Load(lab)
    screen = Screen(lab, 120, 24, "--by=port")
    load.start(12)
    busy(screen, 1, PORTS + 1)
    screen.press("s")
    until(lambda: "s: by resets" in screen.text(), "order by resets")
    screen.press("S")
    until(lambda: "s: by connections" in screen.text(), "order by connections")
    screen.press("/", "8001", "Enter")
    until(lambda: "(other)" in screen.text() and "8002 " not in screen.text(), f"filter: {screen.text()!r}")
    rows = check_screen(screen, 1)
    equal("groups", [row["PORT"] for row in rows], ["8001", "(other)", "(total)"])
    screen.press("/", "Enter")
    screen.press("g", "peerx", "BSpace", ",port", "Enter")
    until(lambda: "PEER " in screen.text(), "groups by peer and port")
    busy(screen, 2, PORTS + 1)
    screen.press("g", "nonsense", "Enter")
    until(lambda: "a list of process" in screen.text(), "why that is no list")
    screen.press("g", "port", "Escape")
    time.sleep(0.5)
    check("PEER " in screen.text(), "an escape took what was typed")
    screen.press("p")
    until(lambda: "PAUSED" in screen.text(), "pause")
    seen = screen.text()
    time.sleep(0.8)
    equal("a paused screen", screen.text(), seen)
    screen.press("p")
    until(lambda: screen.text().splitlines()[0] != seen.splitlines()[0], "end of the pause")
    screen.press("q")
    equal("exit code", screen.ends()[0], 0)


@test
def resized(lab):
    """The table fits the terminal after each change of its size, down to a few lines."""
    load = Load(lab)
    screen = Screen(lab, 120, 24, "--by=peer,port")
    load.start(12)
    busy(screen, 2)
    for columns, lines in ((80, 24), (200, 50), (60, 10), (40, 5), (120, 24)):
        screen.resize(columns, lines)
        with about(f"{columns} columns"):
            time.sleep(0.5)
            if lines > 6:
                busy(screen, 2)
            else:
                check("last" in screen.text(), f"nothing drawn: {screen.text()!r}")
    screen.press("q")
    equal("exit code", screen.ends()[0], 0)


def given_back(lab, end, code, summary, shown=True):
    """The terminal after `end` of the program: the shell's screen, echo and lines as before."""
    screen = Screen(lab, 100, 20, "--by=port", shown=shown)
    end(screen)
    got, text = screen.ends()
    equal("exit code", got, code)
    equal("the other screen", screen.alternate(), "0")
    check(text.startswith("before"), f"the screen is not the shell's: {text!r}")
    equal("the summary at the end", bool(re.search(r"  all ", text)), summary)
    flags = subprocess.run(["stty", "-a", "-F", screen.tmux("display-message", "-p", "#{pane_tty}").strip()],
                           capture_output=True, text=True, check=True).stdout
    for flag in ("icanon", "echo", "icrnl", "isig"):
        check(re.search(rf"(?<!-)\b{flag}\b", flags), f"{flag} is off: {flags}")
    equal("cursor", screen.tmux("display-message", "-p", "#{cursor_flag}").strip(), "1")


@test
def given_back_after_ctrl_c(lab):
    given_back(lab, lambda screen: screen.press("C-c"), 0, True)


@test
def given_back_after_ctrl_c_at_the_start(lab):
    """SIGINT that is held back while the programs are attached ends the run before its first poll."""
    def holds_back(screen):
        try:
            with open(f"/proc/{screen.pid()}/status", encoding="utf-8") as status:
                blocked = int(re.search(r"^SigBlk:\s*(\w+)", status.read(), re.MULTILINE).group(1), 16)
        except (OSError, subprocess.CalledProcessError):
            return False  # it does not run yet
        return blocked >> (signal.SIGINT - 1) & 1

    def end(screen):
        until(lambda: holds_back(screen), "program that holds SIGINT back", pause=0.001)
        os.kill(screen.pid(), signal.SIGINT)
    given_back(lab, end, 0, True, shown=False)


@test
def given_back_after_sigterm(lab):
    given_back(lab, lambda screen: os.kill(screen.pid(), signal.SIGTERM), 0, True)


@test
def given_back_after_two_signals(lab):
    """The second one ends it at once, or comes too late for that."""
    screen = Screen(lab, 100, 20, "--by=port")
    pid = screen.pid()
    for _ in range(2):
        os.kill(pid, signal.SIGTERM)
    code, text = screen.ends()
    check(code in (0, 128 + signal.SIGTERM), f"exit code {code}")
    equal("the other screen", screen.alternate(), "0")
    check(text.startswith("before"), f"the screen is not the shell's: {text!r}")


@test
def given_back_after_a_crash(lab):
    """A signal that somebody sends in place of a fault: the exit code says which."""
    given_back(lab, lambda screen: os.kill(screen.pid(), signal.SIGSEGV), 128 + signal.SIGSEGV, False)


@test
def given_back_after_an_error(lab):
    """The interface goes away while nothing is to be followed."""
    def end(screen):
        screen.lab.client.run("ip link delete eth0")
    given_back(lab, end, 1, True)


@test
def strange_names(lab):
    """A process whose name has control bytes, and characters that are twice as wide."""
    screen = Screen(lab, 80, 20, "--by=process,port")
    port = 7777
    for name in ("a\x1b[31mb", "日本語日本語"):
        script = ("import socket,ctypes,sys\n"
                  "ctypes.CDLL(None).prctl(15, sys.argv[1].encode()[:15], 0, 0, 0)\n"
                  f"s=socket.create_server(('{ipv4(0, 1)}', {port}))\n"
                  "print('ready', flush=True)\n"
                  "while True: s.accept()[0].close()\n")
        server = Process(lab, lab.client, [sys.executable, "-c", script, name])
        until(lambda: "ready" in server.stdout, "server")
        for _ in range(5):
            with lab.server.socket(2) as client:
                client.connect((ipv4(0, 1), port))
                client.recv(1)
        port += 1
        time.sleep(0.4)
    texts = []

    def named():
        texts.append(screen.text())
        return "a\\x1b[31mb" in texts[-1] or "日本語" in texts[-1]

    until(named, "name on the screen")
    check(all("\x1b[31m" not in text for text in texts), "control bytes")
    screen.press("q")
    equal("exit code", screen.ends()[0], 0)


if __name__ == "__main__":
    suite.main(sys.argv)
