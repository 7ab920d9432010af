#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
faults.py TCPFIN-TRACE [NAME...]: attacks and faults, and what good behaviour is; as root. tests/README.md has the table
of faults; harness.py says how tests are run and what they print. Tests that take long run only when named.
"""
import calendar
import contextlib
import fcntl
import itertools
import json
import os
import random
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import termios
import time

from lab import frames
from lab import harness
from lab.closes import Path, abort, scenario_named
from lab.harness import (GRACEFUL, NOBODY, PROGRAM, Suite, about, as_nobody, close_some, expect, field, foreign_object,
                         in_namespace, key_of, one_close_seen, one_each, paths, raw_socket, refuses, with_error,
                         without, without_tcx)
from lab.netlab import (ACK, RST, Process, Skip, check, descriptors, equal, first_in_chain, ipv4, ipv6, libc, mac, need,
                        until)

CAP_NET_ADMIN = 12
INTERFACE = "observer.ingress.interface.name"
SMALL = ("--max-flows=1024", "--max-closing=1024", "--max-unproven=1024", "--ring=64K")  # tables that are made quickly

suite = Suite(workers=3)
test, long_test = suite.test, suite.long_test


def preloaded(library, variable, *command):
    """The command with one of our libraries before the C library, and the variable that tells that library when."""
    path = os.path.join(os.path.dirname(os.path.abspath(PROGRAM[0])), "tests", library)
    return ["env", f"LD_PRELOAD={path}", variable, *command]


def watch(lab, *options, **settings):
    return harness.watch(lab, *SMALL, *options, **settings)


# ---- privileges ----

def status_of(tracer):
    with open(f"/proc/{tracer.child.pid}/status", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines)


def in_sandbox(tracer, filters=1):
    """So many system call filters are in force. Without tcx a second one follows the first."""
    until(lambda: int(status_of(tracer)["Seccomp_filters"]) >= filters, f"{filters} system call filters", 10)


def gave_up(tracer, capabilities=0, filters=1):
    """The process is nobody and can do nothing beside its maps."""
    in_sandbox(tracer, filters)
    status = status_of(tracer)
    for name in ("Uid", "Gid"):
        equal(name, status[name].split(), [str(NOBODY)] * 4)
    equal("Groups", status["Groups"].split(), [])
    for name in ("CapPrm", "CapEff"):
        equal(name, int(status[name], 16), capabilities)
    for name in ("CapInh", "CapAmb"):
        equal(name, int(status[name], 16), 0)
    equal("NoNewPrivs", status["NoNewPrivs"], "1")
    equal("Seccomp", (status["Seccomp"], status["Seccomp_filters"]), ("2", str(filters)))


def works_without(lab, *options, **settings):
    """It has given up everything, and reports closes, what has no notice, and what is unfinished at the end."""
    tracer = watch(lab, "--close-timeout=1", *options, **settings)
    gave_up(tracer)
    path = paths(lab)[0]
    keys = [*close_some(path, 2), scenario_named("never_closes").play(path)]
    tracer.wait_for(3)
    keys.append(scenario_named("never_closes").play(path))
    one_each(tracer.stop(), keys)


@test
def privileges_of_root(lab):
    """Started by root: nobody, no capability, no new privileges and a system call filter; all goes on working."""
    for hook in ("tc", "xdp", "xdp-generic"):
        works_without(lab, f"--hook={hook}")


@test
def privileges_of_capabilities(lab):
    """Started with the two capabilities only, or with CAP_PERFMON: they are given up, too."""
    for also in ((), ("perfmon",)):
        works_without(lab, program=as_nobody(lab, "bpf", "net_admin", *also))


SEED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/captures/seed-ssh-close.pcap")


@contextlib.contextmanager
def reading(lab, *options, program=None, **outputs):
    """A reader of a FIFO that holds none of its rights any more, and the FIFO's other end."""
    os.mkfifo(fifo := lab.file("fifo"))
    os.chmod(fifo, 0o644)
    reader = Process(lab, lab.client, [*(program or PROGRAM), "--format=json", *options, "-r", fifo], **outputs)
    with open(fifo, "r+b", buffering=0) as pipe:  # does not wait for the reader
        until(lambda: status_of(reader)["Seccomp"] == "2", "system call filter")
        yield reader, pipe


def reads_without_rights(lab, program):
    """Before it sees the first byte of a capture it has given up everything, and then reads it."""
    os.chmod(lab.directory, 0o755)
    with reading(lab, "-q", program=program) as (reader, pipe), open(SEED, "rb") as capture:
        gave_up(reader)
        pipe.write(capture.read())
    equal("exit code", reader.wait(), 0)
    equal("records", reader.stdout.count("\n"), 1)
    equal("stderr", reader.stderr, "")


@test
def privileges_of_a_reader(lab):
    """A reader of a capture gives up all that it was started with, by root or by nobody."""
    for program in (PROGRAM, as_nobody(lab)):
        reads_without_rights(lab, program)


@test
def privileges_of_a_reader_in_a_namespace(lab):
    """The root of a user namespace that has no other id gives up its rights, too."""
    *become_nobody, copy = as_nobody(lab)
    reads_without_rights(lab, in_namespace("--map-root-user", copy, by=become_nobody))


@test
def no_system_call_refused(lab):
    """In a whole run, with figures and text, the filter refuses nothing."""
    need("strace")
    log = lab.file("strace")
    arguments = ["--stats", "--duration=3", "--settle=100", "--syn-timeout=0.2", "--show-open", "lo"]
    with lab.client:
        run = subprocess.Popen(["strace", "-o", log, *PROGRAM, *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    until(lambda: lab.client.attached("lo"), "attached program", 10)
    close_some(Path(lab.client, lab.client, "127.0.0.1"), 1)
    out, _ = run.communicate(timeout=20)
    with open(log, encoding="utf-8") as lines:
        calls = lines.read().partition("SECCOMP_SET_MODE_FILTER, 0")[2]
    equal("exit code", run.returncode, 0)
    check(b"graceful" in out, f"no record in {out}")
    check("clock_nanosleep(" in calls, "the filter was never set, or the loop never ran")
    refused = re.findall(r"^.*(?:EPERM|EACCES).*$", calls, re.MULTILINE)
    equal("system calls refused", refused, [])


UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../user/systemd/tcpfin-trace@.service.in")


@test
def systemd_unit(lab):
    """The unit is well formed and exposes little, and its command works with what the unit grants."""
    need("systemd-analyze")
    path = os.path.join(lab.directory, "tcpfin-trace@.service")
    with open(UNIT, encoding="utf-8") as unit:
        text = unit.read().replace("@SBINDIR@", os.path.dirname(PROGRAM[0]))
    with open(path, "w", encoding="utf-8") as unit:
        unit.write(text)
    for command in (["verify", "--man=no"], ["security", "--offline=yes", "--threshold=20"]):
        done = subprocess.run(["systemd-analyze", *command, path], capture_output=True, text=True, check=False)
        equal(f"systemd-analyze {command[0]}", (done.returncode, done.stderr.strip()), (0, ""))
    granted = re.search(r"^AmbientCapabilities=(.*)$", text, re.MULTILINE)[1].lower().replace("cap_", "").split()
    options = re.search(r"^ExecStart=\S+/tcpfin-trace (.*) [$]OPTIONS --interface=%i$", text, re.MULTILINE)[1].split()
    one_close_seen(lab, *options, program=as_nobody(lab, *granted))


@test
def supervised(lab):
    """A supervisor is told once all is attached, then three times in the watchdog's period, and at the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(path := lab.file("notify"))
        supervisor.settimeout(5)
        os.chmod(path, 0o666)
        tracer = watch(lab, program=["env", f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=600000", *PROGRAM])
        equal("first message", supervisor.recv(100), b"READY=1")
        equal("programs when it was ready", len(tracer.attached()), 2)
        begun = time.monotonic()
        equal("messages", [supervisor.recv(100) for _ in range(10)], [b"WATCHDOG=1"] * 10)
        check(1.7 < time.monotonic() - begun < 3.5, f"10 messages in {time.monotonic() - begun} s")
        tracer.stop()
        supervisor.settimeout(0)
        while (last := supervisor.recv(100)) == b"WATCHDOG=1":
            pass
        equal("last message", last, b"STOPPING=1")
    tracer = watch(lab, program=["env", f"NOTIFY_SOCKET={path}", *PROGRAM])
    tracer.stop()
    check("NOTIFY_SOCKET: nobody is there" in tracer.stderr, f"not said: {tracer.stderr}")


@test
def priorities(lab):
    """Where stderr is the journal, each line has its priority in front; elsewhere none has."""
    for ours in (True, False):
        with open(lab.file("journal"), "w+", encoding="utf-8") as journal:
            status = os.fstat(journal.fileno())
            stream = f"JOURNAL_STREAM={status.st_dev}:{status.st_ino + (not ours)}"
            tracer = watch(lab, program=["env", stream, *PROGRAM], stderr=journal)
            close_some(paths(lab)[0], 1)
            tracer.stop()
            journal.seek(0)
            lines = journal.read().splitlines()
        check(len(lines) > 4 and any("  graceful " in line for line in lines), f"lines {lines}")
        equal("prefixes", {bool(re.match("<[345]>", line)) for line in lines}, {ours})
    refused = Process(lab, lab.client, ["env", "JOURNAL_STREAM=0:0", *PROGRAM, "-r", "/no/such/file"])
    equal("exit code", refused.wait(), 1)
    check(refused.stderr.startswith("tcpfin-trace: "), refused.stderr)


# ---- nothing left behind ----

def clsact_of(lab):
    """What stands in the place of tcx: (is the qdisc there, the filters)."""
    return "clsact" in lab.client.run("tc qdisc show dev eth0"), lab.client.attached("eth0")


@test
def clsact_used(lab):
    """Without tcx: clsact filters, with CAP_NET_ADMIN alone to take them off, and nothing left at the end."""
    tracer = watch(lab, program=without_tcx())
    gave_up(tracer, 1 << CAP_NET_ADMIN, filters=2)
    equal("places", {where for _, where, _ in tracer.programs}, {"clsact ingress", "clsact egress"})
    keys = close_some(paths(lab)[0], 2)
    tracer.wait_for(2)
    one_each(tracer.stop(), keys)
    equal("clsact", clsact_of(lab), (False, set()))


@test
def clsact_shared(lab):
    """Two instances and a stranger on one clsact: none takes off what is another's, nor the qdisc under it."""
    first, second = (watch(lab, program=without_tcx()) for _ in range(2))
    foreign = foreign_object(lab)
    lab.client.run(f"tc filter add dev eth0 ingress pref 60000 bpf direct-action obj {foreign} sec classifier")
    keys = close_some(paths(lab)[0], 1)
    for tracer in (first, second):
        tracer.wait_for(1)
    one_each(first.stop(), keys)
    check(not second.programs - second.attached(), "the second one's filters are gone")
    one_each(second.stop(), keys)
    there, filters = clsact_of(lab)
    equal("clsact and the stranger's filter", (there, len(filters)), (True, 1))


@test
def clsact_by_the_first(lab):
    """The qdisc that the first of two made goes with the last of them."""
    first, second = (watch(lab, program=without_tcx()) for _ in range(2))
    first.stop()
    second.stop()
    equal("clsact", clsact_of(lab), (False, set()))


@test
def clsact_of_another(lab):
    """A clsact that was there before stays."""
    lab.client.run("tc qdisc add dev eth0 clsact")
    watch(lab, program=without_tcx()).stop()
    equal("clsact", clsact_of(lab), (True, set()))


@test
def clsact_of_the_dead(lab):
    """After kill -9 the next start removes the filters, --cleanup does by hand; a living instance keeps its own."""
    living, dead = (watch(lab, program=without_tcx()) for _ in range(2))
    dead.kill()
    check(not dead.programs - dead.attached(), "the kernel took the dead one's filters: nothing is tested")
    third = watch(lab)
    check("2 filters of a killed instance removed" in third.stderr, f"not said: {third.stderr}")
    equal("filters left", third.attached() & dead.programs, set())
    check(not living.programs - living.attached(), "the living one's filters are gone")
    third.stop()
    living.kill()
    for arguments, said in ((["eth*"], "eth0: 2 filters"), (["eth0"], "eth0: 0 filters"), (["any"], "lo: 0 filters"),
                            ([], "eth0: 0 filters")):
        cleanup = Process(lab, lab.client, [*PROGRAM, "--cleanup", *arguments])
        equal("exit code", cleanup.wait(), 0)
        check(said in cleanup.stderr, f"no {said!r} in {cleanup.stderr}")
        equal("clsact", clsact_of(lab), (False, set()))


def kill_at_random(lab, program, times):
    """Kills as many instances, each at some moment between its start and a while after it has attached."""
    begin = time.monotonic()
    watch(lab, program=program).stop()
    span = 1.2 * (time.monotonic() - begin)
    for _ in range(times):
        victim = Process(lab, lab.client, [*(program or PROGRAM), *SMALL, "eth0"])
        time.sleep(random.uniform(0, span))
        victim.kill()


def killed_at_random(lab, times):
    kill_at_random(lab, None, times)
    until(lambda: not lab.client.attached("eth0"), "end of the last program")
    equal("clsact", clsact_of(lab), (False, set()))
    one_close_seen(lab)


def killed_at_random_clsact(lab, times):
    kill_at_random(lab, without_tcx(), times)
    check(clsact_of(lab)[1], "no filter was left: nothing is tested")
    one_close_seen(lab, program=without_tcx())
    equal("clsact", clsact_of(lab), (False, set()))


@test
def kill_9_10(lab):
    """kill -9 at 10 random moments, attaching included: nothing is left attached, and connections pass."""
    killed_at_random(lab, 10)


@test
def kill_9_clsact_10(lab):
    """The same without tcx: the next start removes what they left, to the qdisc."""
    killed_at_random_clsact(lab, 10)


@test
def killed_while_cleaning(lab):
    """kill -9 at each request of a start that removes a dead one's filters: the next one removes all."""
    need("strace")
    for number in itertools.count(1):
        watch(lab, program=without_tcx()).kill()
        check(clsact_of(lab)[1], "no filter was left: nothing is tested")
        victim = Process(lab, lab.client, ["strace", "-D", "-o", lab.file("strace"), "-e", "trace=writev", "-e",
                                           f"inject=writev:signal=KILL:when={number}", *without_tcx(), *SMALL, "eth0"])
        until(lambda: victim.code is not None or "tables take" in victim.stderr, "end of a start", 10)
        survived = victim.code is None
        victim.kill()
        watch(lab, program=without_tcx()).stop()
        equal(f"clsact, killed at request {number}", clsact_of(lab), (False, set()))
        if survived:
            break
    check(number > 4, f"only {number} requests: nothing is tested")


@long_test
def kill_9_50(lab):
    """kill -9 at 50 random moments."""
    killed_at_random(lab, 50)


@long_test
def kill_9_clsact_50(lab):
    """The same without tcx."""
    killed_at_random_clsact(lab, 50)


def kernel_objects(tracer):
    """Ids of the programs and maps that the process holds: {("prog", id)}."""
    return {(kind, int(info[f"{kind}_id"])) for info in descriptors(tracer) for kind in ("prog", "map")
            if f"{kind}_id" in info}


def restarts(lab, times):
    """Starts, works and stops so often; nothing of it may stay in the kernel."""
    need("bpftool")
    held = set()
    for turn in range(times):
        program = without_tcx() if turn % 2 else None
        tracer = watch(lab, program=program)
        objects = kernel_objects(tracer)
        check(len(objects) > 5, f"only {objects} found: nothing is tested")
        held |= objects
        key = close_some(paths(lab)[0], 1)
        tracer.wait_for(1)
        one_each(tracer.stop(), key)

    def left():
        alive = set()
        for kind in ("prog", "map"):
            shown = subprocess.run(["bpftool", "--json", kind, "show"], capture_output=True, text=True, check=True)
            alive |= {(kind, entry["id"]) for entry in json.loads(shown.stdout)}
        return alive & held

    # Not at once: whoever looks at an array of programs while the kernel empties it makes it stay (Linux 6.18).
    time.sleep(1)
    until(lambda: not left(), "end of all programs and maps", pause=1)
    equal("clsact", clsact_of(lab), (False, set()))


@test
def restarts_10(lab):
    """10 restarts, with tcx and clsact in turn, leave no program, map or qdisc."""
    restarts(lab, 10)


@long_test
def restarts_1000(lab):
    """1,000 restarts leave nothing."""
    restarts(lab, 1000)


@test
def cleanup_needs(lab):
    """--cleanup without the capability says so; with no such interface, too."""
    dead = watch(lab, program=without_tcx())
    dead.kill()
    refuses(lab, [*as_nobody(lab), "--cleanup", "eth0"], 3, "eth0", "not permitted")
    refuses(lab, [*PROGRAM, "--cleanup", "eth7"], 2, "eth7", "no such interface")
    check(not dead.programs - dead.attached(), "they were removed")


# ---- interfaces come and go ----

def said(tracer, pattern, timeout=2, after=0):
    """Waits for the pattern on stderr. after: so many lines do not count."""
    until(lambda: re.search(pattern, "".join(tracer.stderr.splitlines(True)[after:])), f"{pattern!r} on stderr",
          timeout)


def two_watched(lab, *options, **settings):
    lab.link(1)
    return watch(lab, *options, interfaces=["eth0", "eth1"], **settings)


def others_go_on(lab, tracer, before):
    """A connection over eth1 is reported."""
    keys = close_some(paths(lab, 1)[0], 1)
    tracer.wait_for(before + 1)
    equal("the newest record's connection", key_of(tracer.records()[before]), keys[0])


@test
def interface_down(lab):
    """Down and up are said, and watching goes on."""
    tracer = watch(lab)
    lab.client.run("ip link set eth0 down")
    said(tracer, "eth0 is down")
    lab.client.run("ip link set eth0 up")
    said(tracer, "eth0 is up")
    lab.neighbours(0)
    keys = close_some(paths(lab)[0], 1)
    tracer.wait_for(1)
    one_each(tracer.stop(), keys)


@test
def interface_renamed(lab):
    """The new name is said and stands in the records."""
    tracer = watch(lab)
    lab.client.run("ip link set eth0 down")  # until 6.4 only then
    lab.client.run("ip link set eth0 name lan0 up")
    said(tracer, "eth0 is named lan0 now")
    lab.neighbours(0, "lan0")
    keys = close_some(paths(lab)[0], 1)
    tracer.wait_for(1)
    tracer.interfaces = ["lan0"]
    for record in one_each(tracer.stop(), keys).values():
        expect(record, {INTERFACE: "lan0"})


@test
def interface_deleted(lab):
    """One of two is deleted: said, and the other goes on."""
    tracer = two_watched(lab)
    close_some(paths(lab)[0], 1)
    lab.client.run("ip link delete eth0")
    said(tracer, "eth0 has vanished: it is no longer watched")
    tracer.wait_for(1)
    others_go_on(lab, tracer, 1)
    tracer.interfaces = ["eth1"]
    equal("interfaces in the records", [field(r, INTERFACE) for r in tracer.stop()], ["eth0", "eth1"])


@test
def interface_moved(lab):
    """One of two is moved to another namespace: said, our programs come off, and the other goes on."""
    elsewhere = lab.namespace()
    for hook in ("tc", "xdp"):
        lab.link(2)
        tracer = watch(lab, f"--hook={hook}", interfaces=["eth0", "eth2"])
        lab.client.run(f"ip link set eth2 netns {elsewhere.path}")
        said(tracer, "eth2 has moved to another network namespace: it is no longer watched")
        equal("programs there", elsewhere.attached("eth2"), set())
        keys = close_some(paths(lab)[0], 1)
        tracer.wait_for(1)
        tracer.interfaces = ["eth0"]
        one_each(tracer.stop(), keys)
        elsewhere.run("ip link delete eth2")


@test
def interface_taken_off(lab):
    """Somebody detaches our link: said."""
    need("bpftool")
    tracer = two_watched(lab)
    with lab.client:
        index = str(socket.if_nametoindex("eth0"))
    links = [info["link_id"] for info in descriptors(tracer) if info.get("ifindex") == index]
    lab.client.run(f"bpftool link detach id {links[0]}")
    said(tracer, "eth0 lost our program, which somebody detached")
    others_go_on(lab, tracer, 0)
    tracer.stop()


@test
def interface_taken_off_clsact(lab):
    """Somebody removes our clsact filters: said."""
    tracer = two_watched(lab, program=without_tcx())
    lab.client.run("tc qdisc del dev eth0 clsact")
    said(tracer, "eth0 lost our program, which somebody detached")
    others_go_on(lab, tracer, 0)
    tracer.stop()


def comes_back(lab, *options, programs=2, **settings):
    """eth0 is deleted and made anew twice; each time its programs are there again, without privileges."""
    tracer = two_watched(lab, "--follow", *options, **settings)
    keys = close_some(paths(lab)[0], 1)
    for _ in range(2):
        lab.client.run("ip link delete eth0")
        said(tracer, "eth0 has vanished: waiting for it")
        lab.link(0)
        until(lambda: len(lab.client.attached("eth0")) == programs, "programs on the new eth0", 2)
        keys += close_some(paths(lab)[0], 1)
    keys += close_some(paths(lab, 1)[0], 1)
    tracer.wait_for(4)
    records = tracer.stop()
    one_each(records, keys)
    equal("interfaces", [field(r, INTERFACE) for r in records], ["eth0", "eth0", "eth0", "eth1"])


@test
def follow(lab):
    """--follow: an interface that comes back is watched again."""
    comes_back(lab)


@test
def follow_xdp(lab):
    """--follow with XDP: the program for FINs and RSTs at tc ingress comes back, too."""
    comes_back(lab, "--hook=xdp", programs=3)


@test
def follow_clsact(lab):
    """The same without tcx."""
    comes_back(lab, program=without_tcx())


def comes_later(lab, **settings):
    """eth0 is not there at the start: it is watched from when it is, without privileges."""
    lab.client.run("ip link set eth0 down name later")
    tracer = Process(lab, lab.client, [*(settings.get("program") or PROGRAM), *SMALL, "--follow", "--format=json",
                                       "--settle=200", "eth0"])
    said(tracer, "eth0 is not there: waiting for it")
    in_sandbox(tracer)
    lab.client.run("ip link set later name eth0 up")
    until(lambda: len(lab.client.attached("eth0")) == 2, "programs on eth0", 3)
    keys = close_some(paths(lab)[0], 2)
    until(lambda: tracer.stdout.count("\n") == 2, "records", 5)
    tracer.signal(signal.SIGTERM)
    equal("exit code", tracer.wait(), 0)
    one_each([json.loads(line) for line in tracer.stdout.splitlines()], keys)
    equal("left", lab.client.attached("eth0"), set())


@test
def follow_absent(lab):
    """--follow: an interface that comes after the start is watched."""
    comes_later(lab)


@test
def follow_absent_clsact(lab):
    """An interface that comes after the start is watched where there is no tcx, too, and its filters are removed."""
    comes_later(lab, program=without_tcx())


@test
def pattern(lab):
    """A pattern: interfaces that are there and that come are watched, without privileges; others are not."""
    lab.link(1)
    tracer = Process(lab, lab.client, [*PROGRAM, *SMALL, "--format=json", "--settle=200", "eth*"])
    in_sandbox(tracer)
    for name in ("eth0", "eth1"):
        equal(name, len(lab.client.attached(name)), 2)
    equal("lo", lab.client.attached("lo"), set())
    lab.client.run("ip link delete eth1")
    said(tracer, "eth1 has vanished\n")
    lab.link(1)
    lab.link(2)
    until(lambda: all(len(lab.client.attached(name)) == 2 for name in ("eth1", "eth2")), "programs on newcomers", 3)
    keys = [key for number in range(3) for key in close_some(paths(lab, number)[0], 1)]
    until(lambda: tracer.stdout.count("\n") == 3, "records", 5)
    tracer.signal(signal.SIGTERM)
    equal("exit code", tracer.wait(), 0)
    records = one_each([json.loads(line) for line in tracer.stdout.splitlines()], keys)
    equal("interfaces", [records[key]["observer"]["ingress"]["interface"]["name"] for key in keys],
          ["eth0", "eth1", "eth2"])
    equal("left", lab.client.attached("eth0"), set())


@test
def newcomers_at_once(lab):
    """The kernel tells of an interface that comes: it is watched sooner than a look now and then would find it."""
    tracer = Process(lab, lab.client, [*PROGRAM, *SMALL, "-q", "fast*"])
    in_sandbox(tracer)
    waits = []
    for number in range(9):
        lab.client.run(f"ip link add fast{number} type veth peer name far{number}")
        begin = time.monotonic()
        until(lambda: lab.client.attached(f"fast{number}"), "programs", 3, pause=0.001)
        waits.append(time.monotonic() - begin)
        time.sleep(0.05)
    check(sorted(waits)[4] < 0.09, f"{sorted(waits)} s")
    tracer.signal(signal.SIGTERM)
    equal("exit code", tracer.wait(), 0)


@test
def any_interface(lab):
    """any: all interfaces, the loopback too, and none at all is no error while one may come."""
    tracer = Process(lab, lab.client, [*PROGRAM, *SMALL, "--format=json", "--settle=200", "any"])
    in_sandbox(tracer)
    equal("programs", (len(lab.client.attached("eth0")), len(lab.client.attached("lo"))), (2, 1))
    tracer.signal(signal.SIGTERM)
    equal("exit code", tracer.wait(), 0)
    tracer = Process(lab, lab.client, [*PROGRAM, *SMALL, "-q", "none*"])
    in_sandbox(tracer)
    time.sleep(0.5)
    equal("exit code", tracer.code, None)
    tracer.signal(signal.SIGTERM)
    equal("exit code", tracer.wait(), 0)


@test
def follow_alone(lab):
    """--follow with one interface: it waits rather than ends, and stops when asked."""
    tracer = watch(lab, "--follow")
    lab.client.run("ip link delete eth0")
    said(tracer, "eth0 has vanished: waiting for it")
    time.sleep(0.5)
    equal("exit code", tracer.code, None)
    tracer.interfaces = []
    tracer.stop()


# ---- output that fails ----

@contextlib.contextmanager
def small_disk(lab, limits="size=64k"):
    """The path of a file on a file system of 64 KiB, or with another limit."""
    os.mkdir(path := lab.file("disk"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", limits, "none", path], capture_output=True, text=True,
                             check=False)
    if mounted.returncode:
        raise Skip(mounted.stderr.strip())
    try:
        yield os.path.join(path, "records")
    finally:
        subprocess.run(["umount", path], check=True)


def ends_on_full(lab, path):
    """The program ends by itself with a message, detached."""
    with open(path, "wb") as output:
        tracer = watch(lab, stdout=output)
    close_some(paths(lab)[0], 1)
    for _ in range(150):
        scenario_named("linger0").play(paths(lab)[0])
    equal("exit code", tracer.wait(), 1)
    check("No space left on device" in tracer.stderr, f"not said: {tracer.stderr}")
    tracer.left_nothing()


@test
def disk_full(lab):
    """A disk without room: a message, exit code 1, detached, and no half line."""
    ends_on_full(lab, "/dev/full")
    with small_disk(lab) as path:
        ends_on_full(lab, path)
        with open(path, encoding="utf-8") as lines:
            text = lines.read()
    check(len(text) > 30000 and text.endswith("\n"), f"{len(text)} bytes that end with {text[-10:]!r}")
    for line in text.splitlines():
        json.loads(line)


@test
def pipe_nonblocking(lab):
    """A non-blocking pipe that is full for a while: nothing is lost, no line is cut."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    tracer = watch(lab, stdout=writer)
    os.close(writer)
    keys = [scenario_named("linger0").play(paths(lab)[0]) for _ in range(200)]
    time.sleep(0.5)
    tracer.signal(signal.SIGINT)
    with os.fdopen(reader, encoding="utf-8") as lines:
        one_each([json.loads(line) for line in lines], keys)
    equal("exit code", tracer.wait(), 0)


# ---- signals ----

def unread(lab, program):
    """A tracer that waits for its reader, and the pipe's other end."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    tracer = watch(lab, stdout=writer, program=program)
    os.close(writer)
    for _ in range(50):
        scenario_named("linger0").play(paths(lab)[0])
    time.sleep(0.5)
    return tracer, reader


def signal_twice_behind(lab, program):
    """
    What waits for its reader answers SIGUSR1. The first signal to stop cannot end it, but detaches its programs; the
    second one ends it at once.
    """
    tracer, reader = unread(lab, program)
    figures(tracer, "looked-up .*")
    tracer.signal(signal.SIGTERM)
    until(lambda: not tracer.attached(), "end of the programs")
    time.sleep(0.5)
    equal("exit code", tracer.code, None)
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(1), 128 + signal.SIGINT)
    os.close(reader)


@test
def signal_twice(lab):
    """A second signal ends what waits for its reader, and nothing stays attached."""
    signal_twice_behind(lab, None)


@test
def signal_twice_clsact(lab):
    """Neither does it without tcx, where the kernel would keep the filters."""
    signal_twice_behind(lab, without_tcx())


@test
def signals_at_once(lab):
    """Two signals while nothing can be written, before either can be dealt with: nothing stays attached."""
    for program in (None, without_tcx()):
        tracer, reader = unread(lab, program)
        tracer.signal(signal.SIGSTOP)
        for number in (signal.SIGTERM, signal.SIGINT):
            tracer.signal(number)
        tracer.signal(signal.SIGCONT)
        check(tracer.wait(5) in (128 + signal.SIGTERM, 128 + signal.SIGINT), f"exit code is {tracer.code}")
        os.close(reader)
        tracer.left_nothing()


@test
def signal_of_timeout(lab):
    """timeout(1) sends its signal to the process, and then to the process's group: that is one request to stop."""
    connections = []
    for _ in range(8):
        tracer = Process(lab, lab.client, ["timeout", "1", *PROGRAM, "-q", "--format=json", "eth0"])
        until(lambda: len(lab.client.attached("eth0")) == 2, "programs on eth0", 3)
        connections.append(paths(lab)[0].connect())
        connections[-1].client.close()
        equal("exit code", tracer.wait(5), 124)
        expect(json.loads(tracer.stdout), {"tcp.missing": "destination_fin"})


@test
def signals_storm(lab):
    """1,000 SIGUSR1 and SIGWINCH while connections close: each SIGUSR1 is answered or merged, nothing is lost."""
    tracer, keys = watch(lab), []
    for turn in range(1000):
        tracer.signal(signal.SIGUSR1 if turn % 2 else signal.SIGWINCH)
        if turn % 10 == 0:
            keys.append(scenario_named("linger0").play(paths(lab)[0]))
    tracer.wait_for(len(keys))
    one_each(tracer.stop(signal.SIGQUIT), keys)
    check("stats:" in tracer.stderr, "SIGUSR1 was not answered")
    tracer = watch(lab)
    tracer.stop(signal.SIGHUP)


PCAPNG_SECTION = struct.pack("<IIIHHqI", 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, -1, 28)
PCAPNG_INTERFACE = struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
PCAPNG_STATISTICS = struct.pack("<II12sI", 5, 24, bytes(12), 24)  # a block that is no packet


def capture_of(closes):
    """A capture file of that many whole connections, IP without a link header: none settles before the file's end."""
    file = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
    for i in range(closes):
        talk = frames.conversation("192.0.2.1", "192.0.2.2", (4000 + i, 443))
        for number, (_, packet) in enumerate(talk):
            file += struct.pack("<IIII", 0, 1000 * i + number, len(packet), len(packet)) + packet
    return file


def catches(program, number):
    """Waits until a handler is there for the signal."""
    until(lambda: int(status_of(program)["SigCgt"], 16) >> (number - 1) & 1, "signal handler")


def figures(program, pattern):
    """Sends SIGUSR1 and waits for one more line of statistics, which matches."""
    lines = program.stderr.count("stats:")
    program.signal(signal.SIGUSR1)
    until(lambda: program.stderr.count("stats:") > lines, "line of statistics", 2)
    check(re.search(rf"^stats: {pattern}$", program.stderr, re.MULTILINE), f"no {pattern!r} in {program.stderr}")


@test
def signals_of_a_reader(lab):
    """A reader whose capture stands still: SIGUSR1 is answered at once, each time; SIGINT ends it with a summary."""
    with open(SEED, "rb") as file:
        capture = file.read()
    with reading(lab) as (reader, pipe):
        figures(reader, "packets 0 segments 0 records 0")
        pipe.write(capture)
        awaits_more(reader, pipe)
        for _ in range(2):
            figures(reader, "packets 22 segments 22 records 0")
        reader.signal(signal.SIGINT)
        equal("exit code", reader.wait(1), 0)
    equal("records", reader.stdout.count("\n"), 1)
    check("1 connection" in reader.stderr, f"no summary in {reader.stderr}")


@test
def records_of_a_live_pipe(lab):
    """What a capture in a pipe has shown is printed while the pipe stays open: tcpdump -U -w - | tcpfin-trace -r -."""
    with open(SEED, "rb") as file:
        capture = file.read()
    with reading(lab, "-q") as (reader, pipe):
        pipe.write(capture)
        awaits_more(reader, pipe)
        equal("records before the close has settled", reader.stdout, "")
        seconds, fraction, captured, length = struct.unpack("<4I", capture[24:40])
        pipe.write(struct.pack("<4I", seconds + 1000, fraction, captured, length) + capture[40:40 + captured])
        until(lambda: reader.stdout.count("\n") == 1, "record of a pipe that is still open", 5)
        reader.signal(signal.SIGINT)
        equal("exit code", reader.wait(), 0)


def packets_of(capture):
    """(head, (seconds, header and bytes) of each packet) of a classic capture."""
    at, packets = 24, []
    while at < len(capture):
        end = at + 16 + struct.unpack_from("<4I", capture, at)[2]
        packets.append((struct.unpack_from("<I", capture, at)[0], capture[at:end]))
        at = end
    return capture[:24], packets


@test
def reset_of_a_live_pipe(lab):
    """A reset that a pipe shows is printed after --settle: only a file waits for what its alleged sender does."""
    with open(SEED, "rb") as file:
        head, packets = packets_of(file.read())
    seconds, fin = packets[18]
    tcp = 16 + 14 + 20
    reset = fin[:tcp + 13] + bytes([RST | ACK]) + fin[tcp + 14:]
    later = struct.pack("<I", seconds + 2) + fin[4:tcp] + b"xx" + fin[tcp + 2:]  # of another port, so that time goes on
    with reading(lab, "-q") as (reader, pipe):
        pipe.write(head + b"".join(packet for _, packet in packets[:17]) + reset + later)
        until(lambda: "reset" in reader.stdout, "record of a pipe that is still open", 5)
        reader.signal(signal.SIGINT)
        equal("exit code", reader.wait(), 0)


@test
def output_file(lab):
    """-o: the records are in the file, which held something else, and nothing is on standard output."""
    path = lab.file("records")
    with open(path, "w", encoding="ascii") as file:
        file.write("x" * 100000)
    done = Process(lab, lab.client, [*PROGRAM, "-q", "--format=json", "-o", path, "-r", SEED])
    equal("exit code, stdout, stderr", (done.wait(), done.stdout, done.stderr), (0, "", ""))
    with open(path, encoding="utf-8") as file:
        equal("records", [json.loads(line)["tcp"]["outcome"] for line in file], ["graceful"])
    done = Process(lab, lab.client, [*PROGRAM, "-o", "/no/such/file", "-r", SEED])
    equal("exit code, stderr", (done.wait(), done.stderr),
          (1, "tcpfin-trace: /no/such/file: No such file or directory\n"))


def in_files(*files):
    """The records in these files, in order."""
    lines = []
    for path in files:
        with open(path, encoding="utf-8") as file:
            lines += file.readlines()
    return [json.loads(line) for line in lines]


def numbered(path):
    """The files that exist of path, path1, path2."""
    names = [path, *(f"{path}{number}" for number in range(1, 100))]
    return [name for name in names if os.path.exists(name)]


def helper_of(tracer):
    with open(f"/proc/{tracer.child.pid}/task/{tracer.child.pid}/children", encoding="ascii") as children:
        return int(children.read())


@test
def output_by_size(lab):
    """-C: each file ends with the record that fills it, in root's directory, where the program itself may not write."""
    path = lab.file("records")
    tracer = watch(lab, "-o", path, "-C", "8K")
    gave_up(tracer)
    helper = helper_of(tracer)
    keys = close_some(paths(lab)[0], 30)
    until(lambda: len(in_files(*numbered(path))) == len(keys), "records in the files", 5)
    tracer.stop()
    one_each(in_files(*numbered(path)), keys)
    sizes = [os.path.getsize(name) for name in numbered(path)]
    check(len(sizes) > 4 and all(8192 <= size < 8192 + 4096 for size in sizes[:-1]), f"sizes {sizes}")
    until(lambda: not os.path.exists(f"/proc/{helper}"), "end of the helper")


@test
def output_by_time(lab):
    """-G: a file a period that has records, named after its time; each begins with the header of its format."""
    path = lab.file("at%s.csv")
    options = (*SMALL, "--settle=100", "--format=csv", "-o", path, "-G", "1")
    tracer = harness.Tracer(lab, lab.client, PROGRAM, ("eth0",), *options)
    tracer.wait_for_all()
    keys = []
    for _ in range(3):
        keys += close_some(paths(lab)[0], 2)
        time.sleep(1.1)
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(), 0)
    names = sorted(name for name in os.listdir(lab.directory) if re.fullmatch(r"[0-9]+\.at[0-9]+\.csv[0-9]*", name))
    check(len(names) >= 3, f"files {names}")
    rows = 0
    for name in names:
        with open(os.path.join(lab.directory, name), encoding="utf-8") as file:
            lines = file.readlines()
        check(lines[0].startswith("timestamp,") and len(lines) > (name != names[0]), f"{name} has {lines}")
        rows += len(lines) - 1
    equal("records", rows, len(keys))


@test
def output_anew(lab):
    """SIGHUP: a file that was moved away is written no more, whether connections close or not; nothing is lost."""
    path = lab.file("records")
    tracer = watch(lab, "-o", path)
    keys = close_some(paths(lab)[0], 3)
    until(lambda: len(in_files(path)) == 3, "records", 5)
    os.rename(path, path + ".moved")
    tracer.signal(signal.SIGHUP)
    until(lambda: os.path.exists(path), "a file made anew", 2)
    keys += close_some(paths(lab)[0], 2)
    until(lambda: len(in_files(path)) == 2, "records in the file made anew", 5)
    tracer.signal(signal.SIGHUP)  # without a move: what is in the file stays
    keys += close_some(paths(lab)[0], 1)
    until(lambda: len(in_files(path)) == 3, "records behind those that were there", 5)
    tracer.stop(signal.SIGTERM)
    one_each(in_files(path + ".moved", path), keys)


@test
def output_not_anew(lab):
    """No next file, on a full disk or without a helper: said, counted, and records go on to the present file."""
    with small_disk(lab, "nr_inodes=2") as path:
        tracer = watch(lab, "-o", path, "-C", "2K")
        keys = close_some(paths(lab)[0], 3)
        said(tracer, f"cannot open the next file of {path}: No space left on device: records go on to the present one")
        time.sleep(1.1)
        os.kill(helper_of(tracer), signal.SIGKILL)
        keys += close_some(paths(lab)[0], 2)
        until(lambda: len(in_files(path)) == len(keys), "records", 5)
        tracer.stop()
        one_each(in_files(path), keys)
        equal("files", numbered(path), [path])
    check(re.search(r"[2-9] times no new file of .* could be opened", tracer.stderr), f"not counted: {tracer.stderr}")


PIDFD_GETFD = 438
QUESTION = struct.Struct("=7I")  # struct helper_question: request ... file
NEXT_FILE, SAME_FILE, LINK, NO_REQUEST = 0, 1, 8, 99


def asking_end(tracer):
    """A copy of the socket by which the program asks its helper, as who has taken over the program has it."""
    process = os.pidfd_open(tracer.child.pid)
    for name in os.listdir(f"/proc/{tracer.child.pid}/fd"):
        fd = libc.syscall(PIDFD_GETFD, process, int(name), 0)
        if fd >= 0 and stat.S_ISSOCK(os.fstat(fd).st_mode):
            copy = socket.socket(fileno=fd)
            if (copy.family, copy.type) == (socket.AF_UNIX, socket.SOCK_SEQPACKET):
                os.close(process)
                return copy
        elif fd >= 0:
            os.close(fd)
    raise Skip("no descriptor of another process can be had")


@test
def helper_attacked(lab):
    """
    Whoever has taken over the program asks its helper for what it does not offer, for files that are none, out of order
    and with descriptors: errors, and nothing is kept. A message that is no request ends the helper, not the program.
    """
    path = lab.file("records")
    for nonsense in (b"x", b"x" * 27, b"x" * 29, b"x" * 65000, QUESTION.pack(NO_REQUEST, *[0] * 6)):
        tracer = watch(lab, *SMALL, "-o", path, "-C", "8K")
        helper, ask = helper_of(tracer), asking_end(tracer)
        kept = len(os.listdir(f"/proc/{helper}/fd"))
        for question in ((LINK, 1, 2, 3, 4, 5, 6), (NEXT_FILE, 0, 0, 0, 0, 0, 77), (SAME_FILE, *[2**32 - 1] * 6)):
            socket.send_fds(ask, [QUESTION.pack(*question)], [0, 1, 2])
            error, = struct.unpack_from("=i", ask.recv(4096))
            check(-4096 < error < 0, f"{question} was answered by {error}")
        equal("descriptors of the helper", len(os.listdir(f"/proc/{helper}/fd")), kept)
        ask.settimeout(3)
        ask.send(nonsense)
        equal("the helper's answer", ask.recv(1), b"")  # it has ended
        keys = close_some(paths(lab)[0], 2)
        until(lambda: len(in_files(path)) == len(keys), "records", 5)
        tracer.stop()
        ask.close()
        os.unlink(path)


def in_pipe(pipe):
    """Bytes that nobody has read so far."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


def awaits_more(reader, pipe):
    """Waits until the reader has taken what is in the pipe, and sleeps for more: then it has counted it, too."""
    until(lambda: in_pipe(pipe) == 0 and status_of(reader)["State"].startswith("S"), "reader of an empty pipe")


@test
def signals_before_a_capture(lab):
    """While nobody has opened the FIFO's other end, too: SIGUSR1 is answered, SIGTERM ends it."""
    os.mkfifo(fifo := lab.file("fifo"))
    reader = Process(lab, lab.client, [*PROGRAM, "-r", fifo])
    catches(reader, signal.SIGUSR1)
    figures(reader, "packets 0 segments 0 records 0")
    reader.signal(signal.SIGTERM)
    equal("exit code", reader.wait(1), 0)


@test
def signals_between_packets(lab):
    """A capture that brings only blocks that are no packets, and never ends: SIGUSR1 is answered, SIGINT ends it."""
    with reading(lab) as (reader, pipe):
        os.set_blocking(pipe.fileno(), False)
        pipe.write(PCAPNG_SECTION + PCAPNG_INTERFACE)

        def write_on(condition):
            with contextlib.suppress(BlockingIOError):
                pipe.write(PCAPNG_STATISTICS * (4096 // len(PCAPNG_STATISTICS) - 1))
            return condition()
        for number, done in ((signal.SIGUSR1, lambda: "stats: packets 0" in reader.stderr),
                             (signal.SIGINT, lambda: reader.code is not None)):
            reader.signal(number)
            until(lambda: write_on(done), f"answer to {number}", 2, pause=0)
        equal("exit code", reader.code, 0)


@test
def signal_twice_of_a_reader(lab):
    """Output that nobody reads: one signal cannot end the program, SIGUSR1 is answered, a second signal ends it."""
    output, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with reading(lab, stdout=writer) as (reader, pipe):
        os.close(writer)
        pipe.write(capture_of(10))
        awaits_more(reader, pipe)
        equal("bytes written before the end", in_pipe(output), 0)
        reader.signal(signal.SIGINT)
        until(lambda: in_pipe(output) == 4096, "full pipe")
        figures(reader, "packets [0-9]+ segments [0-9]+ records 10")
        equal("exit code", reader.code, None)
        reader.signal(signal.SIGTERM)
        equal("exit code", reader.wait(1), 128 + signal.SIGTERM)
    os.close(output)


@test
def signals_of_the_host_tables(lab):
    """--stuck and --time-wait: SIGUSR1 is answered, and the next table comes; SIGHUP ends them."""
    for option in ("--stuck", "--time-wait"):
        program = Process(lab, lab.client, [*PROGRAM, option, "--format=text"])
        until(lambda: program.stdout, "a table")
        figures(program, "tables 1; sockets 0 in the last")
        tables = len(program.stdout)
        until(lambda: len(program.stdout) > tables, "another table", 7)
        figures(program, "tables 2; sockets 0 in the last")
        program.signal(signal.SIGHUP)
        equal("exit code", program.wait(1), 0)


@test
def signal_twice_of_the_host_tables(lab):
    """--stuck whose output is not read: the first signal cannot end it, SIGUSR1 is answered, the second one ends it."""
    output, writer = os.pipe()
    os.write(writer, bytes(fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)))
    program = Process(lab, lab.client, [*PROGRAM, "--stuck"], stdout=writer)
    os.close(writer)

    def writes():
        with open(f"/proc/{program.child.pid}/wchan", encoding="ascii") as wait:
            return "pipe_write" in wait.read()
    until(writes, "wait for the reader")
    figures(program, "tables 1; sockets 0 in the last")
    program.signal(signal.SIGINT)
    figures(program, "tables 1; sockets 0 in the last")
    equal("exit code", program.code, None)
    program.signal(signal.SIGINT)
    equal("exit code", program.wait(1), 128 + signal.SIGINT)
    os.close(output)


# ---- surroundings ----

@test
def no_bpf_syscall(lab):
    """Where bpf(2) is forbidden: exit code 3 and a line."""
    refuses(lab, [*without("bpf"), "eth0"], 3, "cannot load the BPF programs", "not permitted")


def limited(*limits):
    need("prlimit")
    return ["prlimit", *limits, *PROGRAM]


@test
def few_descriptors(lab):
    """Limits of 8, 16 and up to what a watch takes: exit code 1 and a line that says so, nothing attached."""
    for limit in (8, 16, 24, 28, 32, 48, 64):
        refuses(lab, [*limited(f"--nofile={limit}"), "eth0"], 1, "Too many open files", r"\(ulimit -n\)")
        equal("attached", lab.client.attached("eth0"), set())


@test
def enough_descriptors(lab):
    """With hardly more than it asks for nothing is missing: other programs are noticed, sockets are asked."""
    for least in ("--nofile=80", "--nofile=16:1024"):  # the hard limit counts
        tracer = one_close_seen(lab, program=limited(least))
        check("Too many" not in tracer.stderr and "not known" not in tracer.stderr, tracer.stderr)
        check(tracer.records()[0]["source"]["process"]["pid"] is not None, "a process is named")
        tracer.left_nothing()


@test
def read_only_root(lab):
    """On a root that is read-only it watches; an output file there is refused by a line that says so."""
    read_only = in_namespace("--mount", "sh", "-c", "mount -o remount,bind,ro / && exec \"$@\"", "sh", *PROGRAM)
    one_close_seen(lab, program=read_only).left_nothing()
    refuses(lab, [*read_only, "-o", "/tcpfin-output", "eth0"], 1, "/tcpfin-output", "Read-only file system")
    equal("attached", lab.client.attached("eth0"), set())


@test
def bare_kernel(lab):
    """Without /proc, the kernel's BTF and the BPF file system it works as well."""
    hidden = ("/sys/kernel/btf", "/sys/fs/bpf", "/proc")
    hide = "".join(f"mount -t tmpfs none {place}; " for place in hidden) + "exec \"$@\""
    one_close_seen(lab, program=in_namespace("--mount", "sh", "-c", hide, "sh", *PROGRAM))


CGROUPS = {"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"}  # version 1, version 2


def error_of(function, *arguments):
    """The error of the call, or None."""
    try:
        function(*arguments)
    except OSError as error:
        return error
    return None


def write_to(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def memory_group(lab):
    """A memory cgroup of this test: its folder and the name of its limit."""
    root = next((root for root in CGROUPS if os.path.exists(f"{root}/cgroup.procs")), None)
    if root is None:
        raise Skip("no memory cgroup")
    group = f"{root}/tcpfin-test-{os.getpid()}"
    try:
        os.mkdir(group)
    except OSError as error:
        raise Skip(f"no memory cgroup: {error}") from error
    lab.stack.callback(until, lambda: not error_of(os.rmdir, group), "end of the memory cgroup")
    return group, f"{group}/{CGROUPS[root]}"


@test
def little_memory(lab):
    """Memory limits below what tables and program take: a line with both sizes, exit code 1, nothing left."""
    group, limit = memory_group(lab)
    command = ["sh", "-c", f"echo 0 > {group}/cgroup.procs; exec \"$@\"", "sh", *PROGRAM]
    for size, options, needs in (("24M", ["--max-flows=1000000"], "[0-9]{3}"), ("48M", [], "47"), ("4M", SMALL, "2"),
                                 ("8M", SMALL, "2"), ("12M", SMALL, "2")):
        error = error_of(write_to, limit, size)
        if error:
            raise Skip(f"no memory cgroup: {error}")
        refuses(lab, [*command, *options, "eth0"], 1, f"no memory for tables of {needs} MiB", "cgroup")
        equal("attached", lab.client.attached("eth0"), set())


def many_lines(record, count, name=""):
    """Lines of records that differ in number and host."""
    parts = json.dumps({**record, "event": {**record["event"], "id": "ID"}, "host": {"name": "HOST"}}).split('"ID"')
    front, (middle, back) = parts[0], parts[1].split("HOST")
    for number in range(count):
        yield f'{front}"{number:032x}"{middle}{number % 7 if not name else number}{name}{back}\n'


@test
def little_memory_for_join(lab):
    """A memory limit that the records of --join go beyond: a line that says so, exit code 1, and it is not killed."""
    group, limit = memory_group(lab)
    tracer = watch(lab)
    close_some(paths(lab)[0], 1)
    tracer.wait_for(1)
    record, = tracer.stop()
    for name, count, host, sizes in (("records", 40000, "", ("32M", "96M")),
                                     ("host names", 1500, "x" * 60000, ("32M", "64M"))):
        path = lab.file("json")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(many_lines(record, count, host))
        for size in (*sizes, "1G"):
            with about(f"{name}, {size}"):
                error = error_of(write_to, limit, size)
                if error:
                    raise Skip(f"no memory cgroup: {error}")
                done = subprocess.run(["sh", "-c", f"echo 0 > {group}/cgroup.procs; exec \"$@\"", "sh", *PROGRAM, "-q",
                                       "--join", "--format=json", path], capture_output=True, text=True, check=False)
                enough = size == "1G"
                equal("exit code", done.returncode, 0 if enough else 1)
                check(bool(done.stdout) == enough, "records are joined")
                check(enough or re.search(rf"out of memory for records: .*limit is {size[:-1]} MiB", done.stderr),
                      done.stderr)


@test
def no_memory_for_counters(lab):
    """Where they cannot be read it is not known whether anything was lost: that is no good end."""
    tracer = watch(lab, "--stats", program=without("look-ups"))
    keys = close_some(paths(lab)[0], 3)
    tracer.wait_for(len(keys))
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(), 1)
    said(tracer, "what was lost is not known: the counters cannot be read: Cannot allocate memory")
    one_each(tracer.records(), keys)
    tracer.left_nothing()


@test
def no_answers_for_a_while(lab):
    """An interface that cannot be asked about has not vanished."""
    program = with_error(lab, "ioctl", "ENOMEM", 6, "clock_nanosleep(")
    tracer = watch(lab, program=program)

    def failed():
        with open(program[program.index("-o") + 1], encoding="ascii") as lines:
            return sum("INJECTED" in line for line in lines)
    until(lambda: failed() == 6, "six failures", 10)
    keys = close_some(paths(lab)[0], 3)
    tracer.wait_for(len(keys))
    one_each(tracer.stop(), keys)
    equal("lines that say something else", re.findall(".*(?:vanished|moved| is ).*", tracer.stderr), [])


@test
def no_memory_for_output(lab):
    """Memory runs out in a growing buffer: a line, exit code 1, and nothing stays attached, without tcx neither."""
    os.chmod(lab.directory, 0o755)  # the program looks as nobody
    for program in (PROGRAM, without_tcx()):
        now = lab.file("now")
        tracer = watch(lab, program=preloaded("fail_realloc.so", f"FAIL_REALLOC={now}", *program))
        in_sandbox(tracer, 1 if program is PROGRAM else 2)  # libseccomp 2.5 crashes without memory
        with open(now, "wb"):
            pass
        close_some(paths(lab)[0], 1)
        equal("exit code", tracer.wait(), 1)
        check("out of memory\n" in tracer.stderr, f"not said: {tracer.stderr}")
        tracer.left_nothing()
    equal("clsact", clsact_of(lab), (False, set()))


@test
def two_xdp(lab):
    """XDP twice: the second one is refused and names the first; both may be had through tc."""
    first = watch(lab, "--hook=xdp")
    number = next(number for _, where, number in first.programs if where == "xdp")
    refuses(lab, [*PROGRAM, "--hook=xdp", "eth0"], 1, "eth0", f"XDP program {number} ", "another tcpfin-trace's")
    second = watch(lab)
    check(f"XDP program {number} is attached already (another tcpfin-trace's)" in second.stderr, second.stderr)
    keys = close_some(paths(lab)[0], 1)
    for tracer in (first, second):
        tracer.wait_for(1)
        one_each(tracer.stop(), keys)


@test
def foreign_tc(lab):
    """A clsact filter that ends the chain is there already: with and without tcx we come before it, and it stays."""
    lab.client.run("tc qdisc add dev eth0 clsact")
    for direction, place in (("ingress", ""), ("egress", "pref 2")):
        lab.client.run(f"tc filter add dev eth0 {direction} {place} bpf direct-action obj {foreign_object(lab)} "
                       "sec classifier")
    before = lab.client.attached("eth0")
    for program in (None, without_tcx()):
        tracer = one_close_seen(lab, program=program)
        check("comes before ours" not in tracer.stderr, tracer.stderr)
        equal("attached", lab.client.attached("eth0"), before)


TCX_NEXT, TCX_PASS, TCX_DROP = -1, 0, 2
ENDS = "bpf bytecode '1,6 0 0 4294967295,'"  # filters that take each packet, or leave each to those behind them
PASSES_ON = "bpf bytecode '1,6 0 0 0,'"


@contextlib.contextmanager
def comes_before(tracer, interface, direction, somebody):
    """Somebody (tcx_program, clsact_filter) is the first inside `with`: said once, and once more at the end."""
    lines = len(tracer.stderr.splitlines())
    with somebody(tracer.namespace, interface, direction) as who:
        said(tracer, re.escape(f": {interface}: another {who} comes before ours at tc {direction}: what it does not "
                               "pass on is not seen\n"), after=lines)
        yield
        time.sleep(1.2)  # one more look says nothing more
        equal("lines", len(tracer.stderr.splitlines()), lines + 1)
    said(tracer, f": {interface}: ours is the first program at tc {direction} again\n", after=lines)
    time.sleep(1.2)
    equal("lines", len(tracer.stderr.splitlines()), lines + 2)


def tcx_program(verdict):
    @contextlib.contextmanager
    def attach(namespace, interface, direction):
        with first_in_chain(namespace, interface, direction, "somebody", verdict) as number:
            yield f'program (id {number}, "somebody")'
            check((f"tcx {direction}", number) in namespace.attached(interface), "it was taken off")
    return attach


def clsact_filter(rule, text="bpf"):
    """text: how the filter is called, behind its preference."""
    @contextlib.contextmanager
    def attach(namespace, interface, direction):
        place = f"dev {interface} {direction} pref 7"
        namespace.run(f"tc filter add {place} {rule}")
        yield f"filter (pref 7, {text})"
        namespace.run(f"tc filter delete {place}")  # fails if it was taken off
    return attach


TCX_KINDS = [tcx_program(verdict) for verdict in (TCX_NEXT, TCX_PASS, TCX_DROP)]


def displaced_in(lab, direction, kinds, **settings):
    """
    What the other program passes on is seen as ever; whatever it does, the other interface goes on. kinds: one that
    passes on, and two that do not.
    """
    tracer = two_watched(lab, **settings)
    with comes_before(tracer, "eth1", direction, kinds[0]):
        keys = close_some(paths(lab, 1)[0], 1)
        tracer.wait_for(1)
    with comes_before(tracer, "eth1", direction, kinds[1]):
        keys += close_some(paths(lab, 0)[0], 1)
        tracer.wait_for(2)
    with comes_before(tracer, "eth0", direction, kinds[2]):
        keys += close_some(paths(lab, 1)[0], 1)
        tracer.wait_for(3)
    keys += close_some(paths(lab, 0)[0], 1) + close_some(paths(lab, 1)[0], 1)
    tracer.wait_for(5)
    for record in one_each(tracer.stop(), keys).values():
        expect(record, GRACEFUL)


@test
def displaced_in_ingress(lab):
    """Somebody comes before us at tc ingress later: said with who it is, and said when we are first again."""
    displaced_in(lab, "ingress", TCX_KINDS)


@test
def displaced_in_egress(lab):
    """The same at egress."""
    displaced_in(lab, "egress", TCX_KINDS)


def displaced_in_clsact(lab, direction):
    compiled = foreign_object(lab)
    kinds = (clsact_filter(PASSES_ON), clsact_filter("u32 match u32 0 0 classid 1:1", "u32"),
             clsact_filter(f"bpf direct-action obj {compiled} sec classifier",
                           f'bpf "{os.path.basename(compiled)}:[classifier]"'))
    displaced_in(lab, direction, kinds, program=without_tcx())


@test
def displaced_in_clsact_ingress(lab):
    """The same without tcx: a filter of lower preference."""
    displaced_in_clsact(lab, "ingress")


@test
def displaced_in_clsact_egress(lab):
    """The same at egress."""
    displaced_in_clsact(lab, "egress")


@test
def displaced_from_the_start(lab):
    """Nothing comes before a clsact filter of preference 1: said at once. Others behind us are not spoken of."""
    lab.client.run("tc qdisc add dev eth0 clsact")
    lab.client.run(f"tc filter add dev eth0 ingress pref 1 {ENDS}")
    tracer = watch(lab, program=without_tcx())
    said(tracer, r": eth0: another filter \(pref 1, bpf\) comes before ours at tc ingress")
    lab.client.run(f"tc filter add dev eth0 egress pref 65000 {ENDS}")
    lab.client.run(f"tc filter add dev eth0 egress pref 1 chain 1 {ENDS}")
    time.sleep(0.5)
    check("tc egress" not in tracer.stderr, tracer.stderr)
    lab.client.run("tc filter delete dev eth0 ingress pref 1")
    said(tracer, "eth0: ours is the first program at tc ingress again")
    keys = close_some(paths(lab)[0], 1)
    tracer.wait_for(1)
    one_each(tracer.stop(), keys)


@test
def displaced_behind_sysctl(lab):
    """It is noticed where the kernel lets nobody load BPF who has no capability, and by a process that has none."""
    path = "/proc/sys/kernel/unprivileged_bpf_disabled"

    def write(value):
        with open(path, "w", encoding="ascii") as sysctl:
            sysctl.write(value)

    with open(path, encoding="ascii") as sysctl:
        before = sysctl.read().strip()
    if before == "0":
        lab.stack.callback(write, before)
        write("2")
    tracer = watch(lab, "--no-sockets")
    gave_up(tracer)
    with comes_before(tracer, "eth0", "ingress", tcx_program(TCX_NEXT)):
        keys = close_some(paths(lab)[0], 1)
        tracer.wait_for(1)
    one_each(tracer.stop(), keys)


@test
def displaced_by_two(lab):
    """Who is first counts: the second one who comes is said, too, and when it goes, the first one again."""
    tracer = watch(lab)
    with first_in_chain(lab.client, "eth0", "egress", "one", TCX_NEXT) as one:
        said(tracer, rf'id {one}, "one"')
        with first_in_chain(lab.client, "eth0", "egress", "two", TCX_NEXT) as two:
            said(tracer, rf'id {two}, "two"')
        until(lambda: len(re.findall(rf'id {one}, "one"', tracer.stderr)) == 2, "the first one again", 2)
    said(tracer, "(?s)two.*ours is the first program at tc egress again")
    tracer.stop()


def displaced_anew(lab, somebody, **settings):
    tracer = watch(lab, "--follow", **settings)
    for _ in range(2):
        with comes_before(tracer, "eth0", "ingress", somebody):
            pass
        lab.client.run("ip link delete eth0")
        said(tracer, "eth0 has vanished: waiting for it")
        lab.link(0)
        until(lambda: len(lab.client.attached("eth0")) == 2, "programs on the new eth0", 2)
        time.sleep(0.3)
    tracer.stop()


@test
def displaced_and_made_anew(lab):
    """--follow: on an interface that comes back, it is noticed anew."""
    displaced_anew(lab, tcx_program(TCX_NEXT))


@test
def displaced_and_made_anew_clsact(lab):
    """The same without tcx."""
    displaced_anew(lab, clsact_filter(PASSES_ON), program=without_tcx())


@test
def macvlan(lab):
    """A macvlan device: tc, and each connection once."""
    lab.client.try_run("ip link add mac0 link eth0 type macvlan mode bridge")
    lab.client.run("ip link set mac0 addrgenmode none up")
    lab.client.run("ip address add 10.98.0.1/24 dev mac0")
    lab.server.run("ip address add 10.98.0.2/24 dev eth0")
    tracer = watch(lab, interfaces=["mac0"])
    keys = close_some(Path(lab.client, lab.server, "10.98.0.2"), 2)
    tracer.wait_for(2)
    one_each(tracer.stop(), keys)


# ---- odd traffic and odd names ----

@test
def self_connection(lab):
    """A socket that connects to itself: one record; who did what cannot be told, so its outcome is unknown."""
    tracer = watch(lab, interfaces=["lo"])
    sock = lab.client.socket(socket.AF_INET)
    sock.bind(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    sock.connect(("127.0.0.1", port))
    sock.sendall(b"to me")
    sock.recv(5)
    sock.close()
    expect(one_each(tracer.stop(), [(4, port, port)])[4, port, port], {"tcp.outcome": "unknown"})


STEP_AFTER = 3  # s


def wall_time(text):
    """Seconds since 1970 of an event's time; the nanoseconds are left out."""
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))


@test
def clock_stepped(lab):
    """The wall clock is set back an hour while a connection is open: wall times follow it, no duration does."""
    started = time.time()
    tracer = watch(lab, program=preloaded("step_clock.so", f"STEP_AFTER={STEP_AFTER}", *PROGRAM))
    before = close_some(paths(lab)[0], 1)
    tracer.wait_for(1)
    listener = lab.server.socket(socket.AF_INET)
    listener.bind((ipv4(0, 2), 0))
    listener.listen()
    client = lab.client.socket(socket.AF_INET)
    client.connect(listener.getsockname())
    served, _ = listener.accept()
    across = (4, client.getsockname()[1], listener.getsockname()[1])
    opened = time.time()
    time.sleep(max(started + STEP_AFTER + 1.5 - opened, 1))
    lasted = time.time() - opened
    client.close()
    served.close()
    after = close_some(paths(lab)[0], 1)
    tracer.wait_for(3)
    records = one_each(tracer.stop(), [*before, across, *after])
    for key, back in ((before[0], 0), (across, 3600), (after[0], 3600)):
        record = records[key]
        expect(record, {"tcp.outcome": "graceful"})
        start, end = (wall_time(record["event"][name]) for name in ("start", "end"))
        check(abs(start + back - started) < 30, f"started at {record['event']['start']}")
        duration = record["event"]["duration"] / 1e9
        check(0 <= end - start <= duration + 1, f"{record['event']} lasted {duration} s")
        check(all(ns is None or 0 <= ns < 30e9 for ns in record["tcp"]["timing"].values()), record["tcp"]["timing"])
    check(abs(records[across]["event"]["duration"] / 1e9 - lasted) < 0.5, f"{records[across]['event']}, not {lasted} s")


@test
def busy_cpu(lab):
    """On one CPU beside two programs that never sleep, with the traffic on the others: nothing is lost."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Skip("one CPU only")
    tracer = watch(lab, program=["taskset", "-c", str(cpus[0]), *PROGRAM])
    busy = [subprocess.Popen(["taskset", "-c", str(cpus[0]), sys.executable, "-c", "while True: pass"])
            for _ in range(2)]
    try:
        keys = close_some(paths(lab)[0], 100)
        tracer.wait_for(100)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    one_each(tracer.stop(), keys)


@test
def fin_storm(lab):
    """200,000 copies of a FIN: one record, bounded, that counts them as far as it can; memory stays."""
    talk = frames.conversation("192.0.2.1", "192.0.2.2", (4000, 443))
    tracer = watch(lab)
    with raw_socket(lab.client) as client, raw_socket(lab.server) as server:
        def send_up(packet):
            client.send(frames.ethernet(mac(0, 1), mac(0, 2), [], packet))

        def send_down(packet):
            server.send(frames.ethernet(mac(0, 2), mac(0, 1), [], packet))

        frames.play(talk[:6], send_up, send_down)
        before = memory_of(tracer)
        for _ in range(200000):
            send_up(talk[5][1])
        grown = memory_of(tracer) - before
        frames.play(talk[6:], send_up, send_down)
    tracer.wait_for(1)
    record = one_each(tracer.stop(), [(4, 4000, 443)])[4, 4000, 443]
    expect(record, {"tcp.outcome": "graceful", "tcp.closer": "source"})
    check(record["tcp"]["retransmits"]["fin_source"] >= 255, f"copies: {record['tcp']['retransmits']}")
    check(len(record["tcp"]["segments"]) <= 32, f"{len(record['tcp']['segments'])} segments")
    check(grown < 1024, f"memory grew by {grown} KiB")


def memory_of(tracer):
    """Resident memory, KiB."""
    return int(status_of(tracer)["VmRSS"].split()[0])


@test
def same_port(lab):
    """50 connections of one tuple, one after the other, each aborted: 50 records."""
    tracer, path, port = watch(lab), paths(lab)[0], 45000
    with path.listen() as listener:
        address = listener.getsockname()
        for _ in range(50):
            client = lab.client.socket(path.family)
            client.bind(("", port))
            client.connect(address)
            abort(client)
            listener.accept()[0].close()
            time.sleep(0.02)
    tracer.wait_for(50)
    records = tracer.stop()
    equal("number of records", len(records), 50)
    equal("verdicts", {(r["tcp"]["outcome"], r["tcp"]["closer"], r["source"]["port"]) for r in records},
          {("reset", "source", port)})


@test
def hostile_name(lab):
    """Escapes, quotes and bytes that are no UTF-8 in an interface's name reach neither the terminal nor break JSON."""
    tracer = watch(lab)
    name = b'e\x1b[7m"\\\xff'
    with lab.client:
        subprocess.run(["ip", "link", "set", "eth0", "down"], check=True)
        subprocess.run([b"ip", b"link", b"set", b"eth0", b"name", name, b"up"], check=True)
        for address in (ipv4(0, 2), ipv6(0, 2)):
            subprocess.run([b"ip", b"neighbour", b"replace", address.encode(), b"lladdr", mac(0, 2).encode(),
                            b"dev", name, b"nud", b"permanent"], check=True)
    said(tracer, "eth0 is named e")
    keys = close_some(paths(lab)[0], 1)
    tracer.wait_for(1)
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(), 0)
    one_each(tracer.records(), keys)
    for text in (tracer.stdout, tracer.stderr):
        check("\x1b" not in text, "an escape came through")


@test
def locales(_lab):
    """The same bytes in any locale, and in any width but for text, whose lines fit COLUMNS if that is a number."""
    def told(form, columns):
        return {subprocess.run([*PROGRAM, "-q", f"--format={form}", "-r", SEED], check=True, stdout=subprocess.PIPE,
                               env={"TZ": "UTC", "LC_ALL": locale, "COLUMNS": width, "TERM": "xterm"}).stdout
                for locale in ("C", "C.UTF-8", "tr_TR.UTF-8", "nonsense") for width in columns}
    for form, columns in (("json", ("1", "0", "500", "x")), ("csv", ("1", "0", "500", "x")),
                          ("text", ("0", "x", "", "-1", "1000")), ("text", ("500",))):
        equal(f"different outputs in {form}, COLUMNS {columns}", len(told(form, columns)), 1)
    narrow = told("text", ("1",))  # the sign that a value is cut is that of the locale's character set
    equal("lines that are cut, in ASCII", len({line.replace("\u2026", "+") for line in map(bytes.decode, narrow)}), 1)
    widths = {max(map(len, text.decode().splitlines())) for text in told("text", ("90", "91", "92"))}
    check(max(widths) <= 92, f"lines of {widths} columns")


if __name__ == "__main__":
    suite.main(sys.argv)
