#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
stuck.py TCPFIN-TRACE [NAME...]: --stuck and --time-wait, compared with ss(8) and /proc; as root. lab/harness.py says
how tests are run and what they print.
"""
import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time

import accounting
from lab.cgroups import CONTAINER, POD, hierarchies, in_cgroup
from lab.harness import PROGRAM, Suite, about, as_nobody, field, in_namespace
from lab.netlab import Namespace, Process, Skip, check, equal, ipv4, ipv6, need, until

PORT = 8080
MANY = int(os.environ.get("STUCK_COUNT", 100_000))

suite = Suite(workers=2)
test = suite.test


class Service:
    """A listener on the server, and a client that connects to it: it is known which end of a connection is which."""

    def __init__(self, lab, family=socket.AF_INET, port=PORT, address=None):
        self.lab, self.family = lab, family
        self.address = address or (ipv4(0, 2) if family == socket.AF_INET else ipv6(0, 2))
        self.listener = lab.stack.enter_context(lab.server.socket(family))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.address, port))
        self.listener.listen(4096)

    def connect(self, accept=True):
        """(client's socket, server's socket)"""
        client = self.lab.stack.enter_context(self.lab.client.socket(self.family))
        client.connect((self.address, self.listener.getsockname()[1]))
        return client, self.lab.stack.enter_context(self.listener.accept()[0]) if accept else None


def ask(lab, namespace, *options, program=None):
    """The objects that the program prints once, and its stderr."""
    done = Process(lab, namespace, [*(program or PROGRAM), "-c", "1", "--format=json", *options])
    equal("exit code", done.wait(30), 0)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def stuck(lab, namespace, *options, **settings):
    return ask(lab, namespace, "--stuck=0.001", *options, **settings)[0]


def local(record):
    """The end that is on the host asked."""
    return record[field(record, "tcp.local")]


def ss(namespace, *arguments):
    """Lines of ss(8) as words."""
    need("ss")
    return [line.split() for line in namespace.run(f"ss -Htan {' '.join(arguments)}").splitlines()]


def wait_for_state(namespace, state, count=1):
    until(lambda: len(ss(namespace, "state", state)) == count, f"{count} sockets in {state}")


def only(records):
    equal("number of records", len(records), 1)
    return records[0]


def says(record, **fields):
    for name, value in fields.items():
        equal(name, field(record, "tcp." + name), value)


def named(record, pid):
    """The record names that process as /proc does."""
    with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
        equal("process", (field(local(record), "process.pid"), field(local(record), "process.name")),
              (pid, comm.read().rstrip("\n")))
    equal("uid", field(local(record), "process.uid"), os.stat(f"/proc/{pid}").st_uid)


def aged(record, since, most=0.5, least=0.05):
    """The age is the time since `since`, up to `most` s less and `least` s more."""
    age, real = field(record, "tcp.age") / 1e9, time.monotonic() - since
    check(real - most <= age <= real + least, f"the age is {age:.2f} s, and the step was {real:.2f} s ago")


# ---- states ----

@test
def close_wait(lab):
    """A leak in CLOSE-WAIT: this application must act, in each of three ways, and it is named."""
    for family, version in ((socket.AF_INET, "-4"), (socket.AF_INET6, "-6")):
        service = Service(lab, family)
        pairs = [service.connect() for _ in range(3)]
        for number, (client, _server) in enumerate(pairs):
            client.send(b"x" * 100 * number)  # none, 100 and 200 bytes
            client.shutdown(socket.SHUT_WR)
        since = time.monotonic()
        pairs[0][1].recv(1)  # reads the end
        until(lambda: len(ss(lab.server, version, "state", "close-wait")) == 3, "three in CLOSE-WAIT")
        time.sleep(0.7)
        found = {field(record, "source.port"): record for record in stuck(lab, lab.server, version)}
        equal("ports", set(found), {client.getsockname()[1] for client, _ in pairs})
        for number, (client, _server) in enumerate(pairs):
            record = found[client.getsockname()[1]]
            says(record, state="CLOSE-WAIT", waits_for="application", local="destination", accepted=True,
                 unread_bytes=100 * number, end_read=number == 0, unacked_bytes=0, forgotten_in=None)
            equal("destination", (field(record, "destination.ip"), field(record, "destination.port")),
                  (service.listener.getsockname()[0], PORT))
            named(record, os.getpid())
            aged(record, since)
        check(f"pid={os.getpid()}," in lab.server.run("ss -Htanp state close-wait"), "ss names another process")


@test
def not_accepted(lab):
    """A client that gave up while its connection waits to be accepted: the listener's process must act."""
    client, _ = Service(lab).connect(accept=False)
    client.close()
    wait_for_state(lab.server, "close-wait")
    record = only(stuck(lab, lab.server))
    says(record, state="CLOSE-WAIT", waits_for="application", accepted=False)
    named(record, os.getpid())


@test
def fin_wait2(lab):
    """FIN-WAIT-2: the peer's application must act. A socket that nobody holds is forgotten; ss says when."""
    service = Service(lab)
    held, _ = service.connect()
    held.shutdown(socket.SHUT_WR)
    dropped, _ = service.connect()
    port = dropped.getsockname()[1]
    dropped.close()
    since = time.monotonic()
    wait_for_state(lab.client, "fin-wait-2", 2)
    time.sleep(1)
    found = {field(record, "source.port"): record for record in stuck(lab, lab.client)}
    equal("ports", set(found), {port, held.getsockname()[1]})
    for record in found.values():
        says(record, state="FIN-WAIT-2", waits_for="peer_application", local="source", unacked_bytes=0, end_read=None)
        aged(record, since)
    named(found[held.getsockname()[1]], os.getpid())
    says(found[held.getsockname()[1]], forgotten_in=None)
    equal("process", local(found[port])["process"], None)
    timers = lab.client.run(f"ss -Htano state fin-wait-2 sport = {port}")
    seconds = int(re.search(r"timer:\(timewait,(\d+)sec", timers).group(1))
    check(abs(field(found[port], "tcp.forgotten_in") / 1e9 - seconds) <= 1.5, f"ss says {timers}")


@test
def fin_wait1(lab):
    """FIN-WAIT-1, its FIN lost again and again: the peer or the path, and how often it was sent."""
    client, _ = Service(lab).connect()
    with lab.server.dropping("tcp dport 8080"):
        client.send(b"x" * 30)
        client.shutdown(socket.SHUT_WR)
        since = time.monotonic()
        time.sleep(2.5)
        record = only(stuck(lab, lab.client))
        says(record, state="FIN-WAIT-1", waits_for="peer", unacked_bytes=30)
        named(record, os.getpid())
        aged(record, since, most=0.9)
        resent = re.search(r"timer:\(on,[^,]+,(\d+)\)", lab.client.run("ss -Htano state fin-wait-1")).group(1)
        check(0 <= int(resent) - field(record, "tcp.retransmits") <= 1, f"ss says {resent}")


@test
def window_shut(lab):
    """FIN-WAIT-1 with a shut window: the peer's application does not read."""
    client, _ = Service(lab).connect()
    client.setblocking(False)

    def is_shut():
        """Fills this socket and the peer's; what was under way when this one was full arrives later."""
        with contextlib.suppress(BlockingIOError):
            while True:
                client.send(b"x" * 65536)
        return "timer:(persist" in lab.client.run("ss -Htano state established")
    until(is_shut, "shut window")
    client.shutdown(socket.SHUT_WR)
    record = only(stuck(lab, lab.client))
    says(record, state="FIN-WAIT-1", waits_for="peer_application")
    queued = int(ss(lab.client, "state", "fin-wait-1")[0][1])
    equal("bytes", field(record, "tcp.unacked_bytes"), queued - 1)


@test
def last_ack(lab):
    """LAST-ACK, held by nobody: the peer or the path."""
    client, server = Service(lab).connect()
    client.shutdown(socket.SHUT_WR)
    wait_for_state(lab.server, "close-wait")
    with lab.client.dropping("tcp sport 8080"):
        server.close()
        since = time.monotonic()
        time.sleep(2.5)
        record = only(stuck(lab, lab.server))
        says(record, state="LAST-ACK", waits_for="peer", local="destination", unacked_bytes=0)
        equal("process", local(record)["process"], None)
        aged(record, since, most=0.9)
        check(field(record, "tcp.retransmits") >= 2, "it was sent again more often")


@test
def closing(lab):
    """CLOSING: both have closed, and our FIN is not acknowledged. Each host reports its own end."""
    client, server = Service(lab).connect()
    with lab.server.dropping("tcp dport 8080"):
        client.shutdown(socket.SHUT_WR)
        server.shutdown(socket.SHUT_WR)
        wait_for_state(lab.client, "closing")
        says(only(stuck(lab, lab.client)), state="CLOSING", waits_for="peer", local="source")
        says(only(stuck(lab, lab.server)), state="FIN-WAIT-1", waits_for="peer", local="destination")


@test
def mapped(lab):
    """IPv4 through an IPv6 socket is IPv4, as on the wire."""
    Service(lab, socket.AF_INET6, address="::")
    client = lab.stack.enter_context(lab.client.socket(socket.AF_INET6))
    client.connect((f"::ffff:{ipv4(0, 2)}", PORT))
    client.close()
    wait_for_state(lab.server, "close-wait")
    wait_for_state(lab.client, "fin-wait-2")
    for namespace in (lab.client, lab.server):
        record = only(stuck(lab, namespace))
        equal("type", field(record, "network.type"), "ipv4")
        equal("addresses", (field(record, "source.ip"), field(record, "destination.ip")), (ipv4(0, 1), ipv4(0, 2)))


# ---- which ones, and whose ----

@test
def oldest_first(lab):
    """The oldest comes first; what is younger than --stuck=SECONDS, or filtered out, does not come."""
    service = Service(lab)
    pairs = [service.connect() for _ in range(3)]
    for client, _ in pairs:
        client.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
    ports = [client.getsockname()[1] for client, _ in pairs]
    equal("order", [field(record, "source.port") for record in stuck(lab, lab.server)], ports)
    time.sleep(1.2)
    pairs.append(service.connect())
    pairs[3][0].shutdown(socket.SHUT_WR)
    equal("order", [field(record, "source.port") for record in ask(lab, lab.server, "--stuck")[0]], ports)
    equal("none that old", ask(lab, lab.server, "--stuck=100")[0], [])
    for option, number in ((f"--port={ports[1]}", 1), (f"--port={PORT}", 4), ("--port=1", 0), ("-6", 0),
                           ("--host=10.99.0.0/24", 4), ("--host=10.98.0.0/16", 0)):
        equal(f"records with {option}", len(stuck(lab, lab.server, option)), number)


HOLDER = """
import ctypes, socket, sys, time
libc = ctypes.CDLL(None)
libc.prctl(15, sys.argv[1].encode("latin-1"))
sock = socket.fromfd(int(sys.argv[2]), socket.AF_INET, socket.SOCK_STREAM)
print("ready", flush=True)
time.sleep(60)
"""


def give_away(lab, sock, name):
    """A process of that name that holds the socket, once we have let go of it."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, name, str(sock.fileno())], pass_fds=[sock.fileno()],
                              stdout=subprocess.PIPE)
    lab.stack.callback(holder.wait)
    lab.stack.callback(holder.kill)
    equal("holder", holder.stdout.readline(), b"ready\n")
    sock.close()
    return holder


@test
def hostile_names(lab):
    """Control bytes and quotes in a process's name: escaped in text, kept in JSON; a line stays a line."""
    service = Service(lab)
    for number, name in enumerate(("\x1b[31mred\n", 'a"b\\c', "\xff\xfe", "line\nline")):
        client, server = service.connect()
        holder = give_away(lab, server, name)
        client.shutdown(socket.SHUT_WR)
        wait_for_state(lab.server, "close-wait", number + 1)
        port = client.getsockname()[1]
        record = only(stuck(lab, lab.server, f"--port={port}"))
        equal("pid", local(record)["process"]["pid"], holder.pid)
        with open(f"/proc/{holder.pid}/comm", "rb") as comm:
            true = comm.read()[:-1]
        equal("name", local(record)["process"]["name"], true.decode(errors="replace"))
        text = Process(lab, lab.server, [*PROGRAM, "--stuck=0.001", "-c", "1", f"--port={port}"])
        equal("exit code", text.wait(), 0)
        check(not re.search(r"[^\n -~]", text.stdout), f"bytes for a terminal: {text.stdout!r}")
        equal("lines with the pid", text.stdout.count(f"[{holder.pid}]"), 2)


# (path of a cgroup, unit, container, pod) as systemd, docker and Kubernetes name them
CGROUPS = (("system.slice/web-\x1b[31m.service", "web-\x1b[31m.service", None, None),
           (f"docker/{CONTAINER}", None, CONTAINER, None),
           (f"kubepods/burstable/pod{POD}/{CONTAINER}", None, CONTAINER, POD))


@test
def identities(lab):
    """Unit, container and pod of the holder, from its cgroup in whichever hierarchy says it."""
    service = Service(lab)
    for place in hierarchies():
        for path, unit, container, pod in CGROUPS:
            client, server = service.connect()
            holder = give_away(lab, server, "holder")
            client.shutdown(socket.SHUT_WR)
            with in_cgroup(holder, place, path):
                port = client.getsockname()[1]
                until(lambda: stuck(lab, lab.server, f"--port={port}"), "stuck close")
                end = local(only(stuck(lab, lab.server, f"--port={port}")))
            seen = end["process"]["unit"], end["container"]["id"], end["orchestrator"]["pod"]["uid"]
            check(seen[1:] == (container, pod) and (unit is None or seen[0] == unit), f"{place}/{path}: {seen}")


def hold_in(lab, place, service, path):
    """A close that a process in that cgroup must end: its client's port."""
    client, server = service.connect()
    holder = give_away(lab, server, "holder")
    lab.stack.enter_context(in_cgroup(holder, place, path))
    client.shutdown(socket.SHUT_WR)
    return client.getsockname()[1]


@test
def filters_of_holders(lab):
    """--unit, --container, --process and --pid, as given and as all others; a close that nobody holds has none."""
    service, place = Service(lab), hierarchies("pids")[0]
    unit = hold_in(lab, place, service, "system.slice/web.service")
    contained = hold_in(lab, place, service, f"docker/{CONTAINER}/db.service")
    own, _server = service.connect()
    own.shutdown(socket.SHUT_WR)
    waiting, _ = service.connect(accept=False)
    waiting.shutdown(socket.SHUT_WR)
    waits = waiting.getsockname()[1]
    wait_for_state(lab.server, "close-wait", 4)
    mine = own.getsockname()[1]
    for options, ports in (
            (["--unit=web"], {unit}), (["--unit=w*", "--unit=db.service"], {unit, contained}),
            (["--unit=!web"], {contained, mine, waits}), ([f"--container={CONTAINER[:12]}"], {contained}),
            (["--container=!*"], {unit, mine, waits}), (["--process=holder"], {unit, contained}),
            ([f"--pid={os.getpid()}"], {mine, waits}), ([f"--pid=!{os.getpid()}", "--unit=!db"], {unit}),
            (["--unit=web", "--process=!holder"], set()), (["--unit=web", f"--port={contained}"], set())):
        with about(options):
            equal("ports", {field(record, "source.port") for record in stuck(lab, lab.server, *options)}, ports)
    checked = Process(lab, lab.server, [*PROGRAM, "--stuck=0.001", "-c1", "--unit=web", "--check=stuck > 1"])
    equal("exit code: one close passes the filter", checked.wait(), 0)


@test
def by_unit(lab):
    """Text has the closes of each unit and container, however many processes it has; one that no process holds, too."""
    service, place = Service(lab), hierarchies("pids")[0]
    for path in ("system.slice/w\x1b.service/1", "system.slice/w\x1b.service/2", f"docker/{CONTAINER}"):
        hold_in(lab, place, service, path)
    wait_for_state(lab.server, "close-wait", 3)
    text = Process(lab, lab.server, [*PROGRAM, "--stuck=0.001", "-c", "1", "--process=holder"])
    equal("exit code", text.wait(), 0)
    table = text.stdout.split("\n\n")[2].splitlines()
    equal("heading", table[0].split(), ["UNIT", "CONTAINER", "CLOSES", "OLDEST", "STATES"])
    equal("largest", table[1].split()[:3], [r"w\x1b.service", "-", "2"])
    equal("container", table[2].split()[1:3], [CONTAINER[:12], "1"])


@test
def two_holders(lab):
    """A socket that was inherited: both processes count, the older one is named; once one is gone, the other one."""
    client, server = Service(lab).connect()
    keep = lab.stack.enter_context(server.dup())
    holder = give_away(lab, server, "heir")
    client.shutdown(socket.SHUT_WR)
    wait_for_state(lab.server, "close-wait")
    process = local(only(stuck(lab, lab.server)))["process"]
    equal("process", (process["pid"], process["holders"]), (min(os.getpid(), holder.pid), 2))
    keep.close()
    process = local(only(stuck(lab, lab.server)))["process"]
    equal("process", (process["pid"], process["name"], process["holders"]), (holder.pid, "heir", 1))


@test
def without_rights(lab):
    """Without root the processes of others are not named, which is reported once, however many tables there are."""
    client, server = Service(lab).connect()
    client.shutdown(socket.SHUT_WR)
    wait_for_state(lab.server, "close-wait")
    records, stderr = ask(lab, lab.server, "--stuck=0.001", "-c", "2", program=as_nobody(lab))
    equal("records", len(records), 2)
    equal("processes", [local(record)["process"] for record in records], [None, None])
    equal("lines on stderr", len(stderr.splitlines()), 1)
    check("sudo" in stderr, stderr)
    del server


@test
def without_proc(lab):
    """Without /proc no process is named, and a line says so."""
    client, _ = Service(lab).connect()
    client.shutdown(socket.SHUT_WR)
    wait_for_state(lab.server, "close-wait")
    hidden = in_namespace("--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$0" "$@"', *PROGRAM)
    records, stderr = ask(lab, lab.server, "--stuck=0.001", program=hidden)
    says(only(records), state="CLOSE-WAIT")
    equal("process", local(only(records))["process"], None)
    equal("lines on stderr", len(stderr.splitlines()), 1)
    check("/proc" in stderr, stderr)
    records, stderr = ask(lab, lab.server, "--time-wait", program=hidden)
    equal("records of --time-wait, and stderr", (records, stderr), ([], ""))


# ---- the tables ----

@test
def text(lab):
    """As text: how many closes, grouped by process and by service, and who must act."""
    service = Service(lab)
    pairs = [service.connect() for _ in range(25)]
    for client, _ in pairs:
        client.shutdown(socket.SHUT_WR)
    wait_for_state(lab.server, "close-wait", 25)
    program = Process(lab, lab.server, [*PROGRAM, "--stuck=0.001", "-c", "1"])
    equal("exit code", program.wait(), 0)
    out = program.stdout
    for pattern in (r"^\d\d:\d\d:\d\d  25 closes have stood still for 1.00ms: 25 CLOSE-WAIT$",
                    rf"^\S+\[{os.getpid()}\] +25 +\S+ +25 CLOSE-WAIT$",
                    r"^10\.99\.0\.1 +10\.99\.0\.2:8080 +25 +\S+ +25 CLOSE-WAIT$",
                    r"^\S+ +CLOSE-WAIT +10\.99\.0\.2:8080 +10\.99\.0\.1:\d+ +\S+ +this application: read the end, "
                    r"and close$",
                    r"^\.\.\. and 5 more; -v shows all$"):
        check(re.search(pattern, out, re.MULTILINE), f"no {pattern} in {out}")
    program = Process(lab, lab.server, [*PROGRAM, "--stuck=0.001", "-c", "1", "-v"])
    equal("exit code", program.wait(), 0)
    equal("lines with -v", program.stdout.count("this application"), 25)
    program = Process(lab, lab.client, [*PROGRAM, "--stuck=100", "-c", "1"])
    equal("exit code", program.wait(), 0)
    check(re.fullmatch(r"\S+  no close has stood still for 1m40s\n", program.stdout), program.stdout)


@test
def checks(lab):
    """--check exits with 5 when it holds of a table, and says which."""
    service = Service(lab)
    for _ in range(2):
        service.connect()[0].shutdown(socket.SHUT_WR)
    wait_for_state(lab.server, "close-wait", 2)
    time.sleep(0.2)
    for condition, code in (("close_wait = 2", 5), ("close_wait > 2", 0), ("stuck = 2 and last_ack = 0", 5)):
        done = Process(lab, lab.server, [*PROGRAM, "--stuck=0.1", "-c", "1", "--check", condition])
        equal(condition, (done.wait(30), done.stderr),
              (code, f"tcpfin-trace: check found: {condition}\n" if code else ""))


@test
def again_and_again(lab):
    """A table every five seconds until a signal or --duration; when its reader leaves it ends without an error."""
    begin = time.monotonic()
    program = Process(lab, lab.server, [*PROGRAM, "--stuck"])
    reader, writer = os.pipe()
    left = Process(lab, lab.server, [*PROGRAM, "--time-wait"], stdout=writer)
    short = Process(lab, lab.server, [*PROGRAM, "--time-wait", "-d", "0.5"])
    os.close(writer)
    equal("exit code after --duration", short.wait(2), 0)
    equal("tables", short.stdout.count("in TIME-WAIT"), 1)
    until(lambda: program.stdout.count("no close") == 1, "a table")
    os.close(reader)
    until(lambda: program.stdout.count("no close") == 2, "another table", 7)
    check(time.monotonic() - begin >= 5, "it came early")
    program.signal(signal.SIGINT)
    equal("exit code", program.wait(1), 0)
    equal("exit code without a reader", left.wait(7), 0)
    equal("stderr", program.stderr + left.stderr + short.stderr, "")


# ---- TIME-WAIT ----

def time_wait(lab, namespace, *options):
    return ask(lab, namespace, "--time-wait", *options)[0]


def close_many(lab, service, count):
    """The client closes first: it holds TIME-WAIT."""
    for _ in range(count):
        client, server = service.connect()
        client.close()
        server.recv(1)
        server.close()


def timed(function):
    """What the function returns, and when it was called and returned."""
    begin = time.monotonic()
    result = function()
    return result, (begin, time.monotonic())


def same_end(looked, ours, asked, theirs):
    """What ends in `ours` seconds from a look, in `theirs` from another one, ends then: ss rounds to seconds, twice."""
    check(looked[0] + ours <= asked[1] + theirs + 2 and asked[0] + theirs <= looked[1] + ours + 2,
          f"it ends in {ours} s at {looked}, ss says in {theirs} s at {asked}")


@test
def time_wait_like_ss(lab):
    """Thousands in TIME-WAIT at both ends, grouped by peer and port: as many as ss counts, ending when ss says."""
    services = [Service(lab, port=8080), Service(lab, port=8081), Service(lab, socket.AF_INET6, port=8082)]
    for service, count in zip(services, (1500, 400, 100)):
        close_many(lab, service, count)
    for _ in range(50):
        client, server = services[0].connect()
        server.close()
        client.recv(1)
        client.close()
    first, looked = timed(lambda: time_wait(lab, lab.client))
    second = [(line[2].rsplit(":", 1)[0], *line[3].rsplit(":", 1)) for line in ss(lab.client, "state", "time-wait")]
    equal("client's groups", [(g["source"]["ip"], g["destination"]["ip"], g["destination"]["port"],
                               field(g, "time_wait.count"), field(g, "time_wait.local")) for g in first],
          [(ipv4(0, 1), ipv4(0, 2), 8080, 1500, "source"), (ipv4(0, 1), ipv4(0, 2), 8081, 400, "source"),
           ("fd99::1", "fd99::2", 8082, 100, "source")])
    equal("sockets that ss counts", len(second), 2000)
    for group in first:
        port = field(group, "destination.port")
        lines, asked = timed(lambda: lab.client.run(f"ss -Htano state time-wait dport = {port}"))
        seconds = [int(n) for n in re.findall(r"timewait,(\d+)sec", lines)]
        for name, theirs in (("first_ends", min(seconds)), ("last_ends", max(seconds))):
            same_end(looked, field(group, f"time_wait.{name}") / 1e9, asked, theirs)
        equal("range", (field(group, "time_wait.ports.first"), field(group, "time_wait.ports.last"),
                        field(group, "time_wait.ports.usable")), (32768, 60999, 28232))
    held = only(time_wait(lab, lab.server))
    equal("server's", (field(held, "time_wait.count"), field(held, "time_wait.local"), field(held, "time_wait.ports")),
          (50, "destination", None))
    equal("sockets that ss counts at the server", len(ss(lab.server, "state", "time-wait")), 50)


@test
def ports_run_out(lab):
    """How full the local ports are. Reserved ports and listeners' are not usable; open connections take theirs."""
    lab.client.run("sysctl -qw net.ipv4.ip_local_port_range='20000 20099' net.ipv4.tcp_tw_reuse=0"
                   " net.ipv4.ip_local_reserved_ports=20010-20019,20050")
    listener = lab.stack.enter_context(lab.client.socket(socket.AF_INET))
    listener.bind(("0.0.0.0", 20020))
    listener.listen()
    service = Service(lab)
    opened = [service.connect() for _ in range(8)]
    close_many(lab, service, 40)
    group = only(time_wait(lab, lab.client))
    ports = field(group, "time_wait.ports")
    equal("ports", (ports["usable"], ports["in_use"]), (88, 48))
    check(20 <= field(group, "time_wait.per_second") <= 40, f"rate: {group}")  # all of them in about a second
    # 40 are left, at 4 a second: the mean of ten
    check(8e9 <= ports["run_out"] <= 12e9, f"it says {ports['run_out']}")
    equal("those of another port", time_wait(lab, lab.client, "--port=1"), [])
    close_many(lab, service, 40)
    try:
        opened.append(service.connect())
        check(False, "there was a port left")
    except OSError as error:
        equal("connect", error.strerror, "Cannot assign requested address")
    ports = field(only(time_wait(lab, lab.client)), "time_wait.ports")
    equal("ports", (ports["usable"], ports["in_use"], ports["run_out"]), (88, 88, 0))
    text = Process(lab, lab.client, [*PROGRAM, "--time-wait", "-c", "1"])
    equal("exit code", text.wait(), 0)
    for pattern in (r"80 in TIME-WAIT of at most \d+ \(tcp_max_tw_buckets\); local ports 20000-20099, 88 of them usa",
                    r"^10\.99\.0\.1 +10\.99\.0\.2:8080 +source +80 .* 88 of 88 \(100%\) +now$"):
        check(re.search(pattern, text.stdout, re.MULTILINE), f"no {pattern} in {text.stdout}")


def active_opens(namespace):
    """How many connections the namespace has opened so far."""
    names, values = re.findall(r"^Tcp: (.*)$", namespace.try_run("cat /proc/net/snmp"), re.MULTILINE)
    return int(dict(zip(names.split(), values.split()))["ActiveOpens"])


def rate_shown(lab, port, seconds):
    """
    Opens connections for so long. Returns (rate shown near the end, sockets in TIME-WAIT, rate of that second, all that
    were opened, when ports run out).
    """
    before = active_opens(lab.client)
    maker = Process(lab, lab.client, [accounting.CONNS, "open", ipv4(0, 2), str(port), "1", ipv4(0, 1), "1",
                                      str(seconds)])
    time.sleep(seconds - 1.2)
    first, begin = active_opens(lab.client), time.monotonic()
    time.sleep(1)
    second, end = active_opens(lab.client), time.monotonic()
    group = only(time_wait(lab, lab.client, f"--port={port}"))
    equal("maker", maker.wait(60), 0)
    return (field(group, "time_wait.per_second"), field(group, "time_wait.count"), (second - first) / (end - begin),
            active_opens(lab.client) - before, field(group, "time_wait.ports.run_out"))


@test
def rate_of_time_wait(lab):
    """How many enter TIME-WAIT a second, whether or not their ports are taken again meanwhile (tcp_tw_reuse)."""
    lab.client.run("sysctl -qw net.ipv4.tcp_tw_reuse=0 net.ipv4.ip_local_port_range='1024 65000'"
                   " net.ipv4.tcp_max_tw_buckets=1000000")
    server = Process(lab, lab.server, [accounting.CONNS, "serve", ipv4(0, 2), "8000", "2"])
    until(lambda: "ready" in server.stdout, "server")
    shown, left, rate, made, _ = rate_shown(lab, 8000, 1.5)  # a fast machine has no port left after two seconds
    check(0.75 * rate <= shown <= 1.35 * rate, f"{shown} shown of {rate} a second")
    ports = min(max(int(2.5 * rate), 2000), 60000)
    lab.client.run(f"sysctl -qw net.ipv4.tcp_tw_reuse=1 net.ipv4.ip_local_port_range='1024 {1023 + ports}'")
    for _ in range(3):
        shown, left, rate, made, run_out = rate_shown(lab, 8001, 6)
        if made > ports:  # otherwise others have taken the machine's time since the rate was measured
            break
    check(left <= ports < made, f"no port was taken again: {left} of {made} are left, with {ports} ports")
    check(0.6 * rate <= shown <= 1.35 * rate, f"{shown} shown of {rate} a second; {left} are left of {made}")
    equal("run out", run_out, None)


@test
def slow_enough(lab):
    """At a low rate the local ports never run out."""
    lab.client.run("sysctl -qw net.ipv4.ip_local_port_range='20000 20199'")
    close_many(lab, Service(lab), 25)  # in ten seconds: less than 200 in a minute
    equal("end", field(only(time_wait(lab, lab.client)), "time_wait.ports.run_out"), None)


@test
def very_many(lab):
    """MANY sockets are reported in seconds of CPU time, and every one of them that the kernel has by ss."""
    maker = accounting.Maker(lab)
    begin, made = time.monotonic(), 0
    # The first TIME-WAIT ends after a minute. A busy machine makes fewer sockets until then; all must be reported.
    while made < MANY and time.monotonic() - begin < 30:
        made += maker.made(maker.start(1))
    most = len(ss(lab.client, "state", "time-wait"))
    before = cpu_of_children()
    groups = time_wait(lab, lab.client)
    took = cpu_of_children() - before
    least = len(ss(lab.client, "state", "time-wait"))  # none comes meanwhile, and the first ones may end
    lasted = time.monotonic() - begin
    with about(f"{made} connections made and reported in {lasted:.0f} s, with {took:.1f} s of CPU time"):
        counted = sum(field(group, "time_wait.count") for group in groups)
        check(least <= counted <= most, f"{counted} sockets, and ss counts {most} before and {least} after")
        check(made - 100 <= most <= made, f"ss counts {most} sockets")
        equal("groups", len(groups), accounting.PORTS * accounting.SOURCES)
        check(took < 5, "that is long")


def cpu_of_children():
    """CPU time of all processes that we have started and waited for, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# ---- other network namespaces ----

def inode(namespace):
    return os.stat(namespace.path).st_ino


def inhabitant(lab, namespace):
    """The number of a process in the namespace: a container has one."""
    return Process(lab, namespace, ["sleep", "600"]).child.pid


def elsewhere(lab):
    """A namespace of nobody's connections, to ask in: the host."""
    host = Namespace()
    lab.stack.callback(host.close)
    return host


def with_name(name, pid, *more):
    """The program where /run/netns has that name of the namespace of the process, and beside it what is none."""
    script = (f"mkdir -p /run/netns && mount -t tmpfs none /run/netns && touch /run/netns/{name} /run/netns/stale && "
              f'mount --bind /proc/{pid}/ns/net /run/netns/{name} && exec "$0" "$@"')
    return in_namespace("--mount", "sh", "-c", script, *PROGRAM, *more)


def those_in(records, namespace):
    return [record for record in records if field(record, "netns.inode") == inode(namespace)]


@test
def leak_in_a_container(lab):
    """A leak in CLOSE-WAIT in another namespace: invisible without --netns; by process, by name, and among all."""
    service = Service(lab)
    pairs = [service.connect() for _ in range(3)]
    for client, _server in pairs:
        client.shutdown(socket.SHUT_WR)
    wait_for_state(lab.server, "close-wait", 3)
    pid, peer, host = inhabitant(lab, lab.server), inhabitant(lab, lab.client), elsewhere(lab)
    equal("seen from outside", stuck(lab, host), [])
    named_so = with_name("web", pid)
    for which, name, program in ((pid, str(pid), PROGRAM), (pid, str(pid), named_so), ("web", "web", named_so),
                                 ("all", str(pid), PROGRAM), ("all", "web", named_so)):
        with about(f"--netns={which}, named {name}"):
            records = stuck(lab, host, f"--netns={which}", program=program)
            if which != "all":
                equal("records", len(records), 3)
            found = those_in(records, lab.server)
            equal("ports", {field(record, "source.port") for record in found},
                  {client.getsockname()[1] for client, _server in pairs})
            for record in found:
                says(record, state="CLOSE-WAIT", waits_for="application", local="destination")
                equal("name", field(record, "netns.name"), name)
                named(record, os.getpid())
    other = those_in(stuck(lab, host, "--netns=all", "--port=8080"), lab.client)
    equal("states at the other end", [field(record, "tcp.state") for record in other], ["FIN-WAIT-2"] * 3)
    equal("its name", field(other[0], "netns.name"), str(peer))
    check("netns" not in stuck(lab, lab.server)[0], "a namespace that was not asked for")


@test
def text_of_namespaces(lab):
    """Tables have a column of namespaces where there are several. Equal addresses elsewhere are another pair."""
    client, _server = Service(lab).connect()
    client.shutdown(socket.SHUT_WR)
    wait_for_state(lab.server, "close-wait")
    pid, peer, host = inhabitant(lab, lab.server), inhabitant(lab, lab.client), elsewhere(lab)
    port = client.getsockname()[1]
    for which, there in (("all", True), (pid, False)):
        program = Process(lab, host, [*PROGRAM, "--stuck=0.001", "-c", "1", f"--port={port}", f"--netns={which}"])
        equal("exit code", program.wait(30), 0)
        with about(program.stdout):
            equal("column", len(re.findall("^NAMESPACE  S", program.stdout, re.MULTILINE)), 2 * there)
            for number in (pid, peer) if there else ():
                for line in (r"10\.99\.0\.1 +10\.99\.0\.2:8080 +1 ", r"\S+ +(CLOSE-WAIT|FIN-WAIT-2) "):
                    check(re.search(f"^{number} +{line}", program.stdout, re.MULTILINE), f"no {line} of {number}")


@test
def time_wait_in_a_container(lab):
    """The local ports, and what bounds TIME-WAIT, are those of the namespace that was asked about."""
    lab.client.run("sysctl -qw net.ipv4.ip_local_port_range='20000 20099'")
    close_many(lab, Service(lab), 20)
    pid, host = inhabitant(lab, lab.client), elsewhere(lab)
    equal("seen from outside", time_wait(lab, host), [])
    for which in (pid, "all"):
        group = only(those_in(time_wait(lab, host, f"--netns={which}"), lab.client))
        ports = field(group, "time_wait.ports")
        equal("count", field(group, "time_wait.count"), 20)
        equal("ports", (ports["first"], ports["last"], ports["usable"], ports["in_use"]), (20000, 20099, 100, 20))
    done = Process(lab, host, [*PROGRAM, "--time-wait", "-c", "1", f"--netns={pid}", "--check=ports_used > 19%"])
    equal("exit code of the check", done.wait(30), 5)
    check("local ports 20000-20099, 100 of them usable" in done.stdout, done.stdout)


@test
def namespaces_refused(lab):
    """No such namespace, and no right to enter one: said in a line, each with its exit code."""
    pid = inhabitant(lab, lab.server)
    for program, which, code, pattern in ((PROGRAM, "no-such-name", 2, "--netns no-such-name: neither /run/netns nor"),
                                          (PROGRAM, "4194304", 2, "--netns 4194304: neither"),
                                          (with_name("web", pid), "stale", 2, "--netns stale: neither"),
                                          (as_nobody(lab), "all", 3, "--netns all: .* CAP_SYS_ADMIN")):
        for mode in ("--stuck", "--time-wait"):
            done = Process(lab, lab.server, [*program, mode, "-c", "1", f"--netns={which}"])
            equal("exit code", done.wait(30), code)
            check(re.search(pattern, done.stderr), done.stderr)
            equal("lines on stderr, and stdout", (len(done.stderr.splitlines()), done.stdout), (1, ""))


if __name__ == "__main__":
    suite.main(sys.argv)
