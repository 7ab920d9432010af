#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
units.py TCPFIN-TRACE [NAME...]: connections of units that a real systemd runs: services, instances of templates, socket
activation, scopes, a user's own manager. A Debian 12 is booted by systemd-nspawn with the client's network; it is
watched from outside, as a host's administrator does. As root. lab/harness.py has how tests are run and what they print.
"""
import os
import re
import socket
import subprocess
import sys
import time

from lab.cgroups import Cgroup, hierarchies, removed
from lab.closes import abort
from lab.harness import PROGRAM, Suite, field, paths, watch
from lab.netlab import Process, Skip, check, equal, ipv4, ipv6, until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MACHINE = "deb12"
USER = 1000
ECHO, WEB, FULL = 7007, 7008, 7009  # ports of services in the machine
BOOT = 60  # s
GRACE = 20  # s, for the end of the machine

suite = Suite(time_limit=300)
test = suite.test

# A client in bash: it writes, waits for the answer's end, and closes. $TO is "ADDRESS/PORT".
DIAL = "exec 3<>/dev/tcp/$TO && echo >&3 && read -r line <&3; exec 3>&-"
UNITS = {
    "plain.service": f"[Service]\nType=oneshot\nEnvironmentFile=/run/target\nExecStart=/bin/bash -c '{DIAL}'\n",
    "worker@.service": f"[Service]\nType=oneshot\nEnvironmentFile=/run/target\nExecStart=/bin/bash -c '{DIAL}'\n",
    # It holds its connection, and does nothing, until it is stopped.
    "leak.service": "[Service]\nType=notify\nNotifyAccess=all\nEnvironmentFile=/run/target\nExecStart=/bin/bash -c "
                    "'exec 3<>/dev/tcp/$TO && systemd-notify --ready; exec sleep 1000'\n",
    # An instance a connection, which systemd itself holds until the instance has ended.
    "echo.socket": f"[Socket]\nListenStream={ECHO}\nAccept=yes\n",
    "echo@.service": "[Service]\nStandardInput=socket\nStandardOutput=socket\n"
                     "ExecStart=/bin/bash -c 'read -r line; echo $line'\n",
    "full.service": "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/usr/bin/perl -MSocket -e 'socket S, AF_INET, "
                    f"SOCK_STREAM, 0; setsockopt S, SOL_SOCKET, SO_REUSEADDR, 1; bind S, pack_sockaddr_in({FULL}, "
                    "INADDR_ANY); listen S, 1; system \"systemd-notify --ready\"; sleep 1000'\n",
    # A service that is handed the listener, and accepts.
    "web.socket": f"[Socket]\nListenStream={WEB}\n",
    "web.service": "[Service]\nExecStart=/usr/bin/perl -e 'open L, \"+<&=3\"; while (accept C, L) { "
                   "sysread C, $x, 99; syswrite C, $x; close C }'\n",
}


def remove_all(cgroup):
    """Removes the cgroup with those that the machine has left in it."""
    for folder, _, _ in os.walk(os.fsdecode(cgroup.folder), topdown=False):
        until(lambda folder=folder: not removed(folder), f"removal of {folder}")
    cgroup.remove()


class Machine:
    """A Debian that systemd-nspawn has booted, in the client's network namespace, in a cgroup of the machine's name."""

    def __init__(self, lab):
        made = subprocess.run([os.path.join(TOP, "tests", "package", "system")], capture_output=True, text=True,
                              check=False)
        if made.returncode:
            raise Skip(made.stderr.strip().splitlines()[-1])
        self.lab, self.cgroups = lab, []
        for place in hierarchies("name=systemd"):
            self.cgroups.append(Cgroup(place, f"machine.slice/machine-{MACHINE}.scope"))
            lab.stack.callback(remove_all, self.cgroups[-1])
        enter = "".join(f"echo $$ >'{os.fsdecode(cgroup.folder)}/cgroup.procs'; " for cgroup in self.cgroups)
        nspawn = ("exec systemd-nspawn --register=no --keep-unit --quiet --boot --volatile=overlay "
                  f"--machine={MACHINE} --directory={made.stdout.strip()}")
        self.process = Process(lab, lab.client, ["bash", "-c", enter + nspawn])
        lab.stack.callback(self.power_off)
        self.init = None
        until(self.is_up, "booted system", BOOT, 0.2)
        for name, text in UNITS.items():
            self.write(f"/run/systemd/system/{name}", text)
        self.run("systemctl", "daemon-reload")

    def is_up(self):
        check(self.process.code is None, f"systemd-nspawn: {self.process.stderr}")
        with open(f"/proc/{self.process.child.pid}/task/{self.process.child.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        self.init = int(children[0]) if children else None
        return self.init and self.try_run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def command(self, *words):
        return ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-p", "--", "env", "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *words]

    def try_run(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, text=True, check=False)

    def run(self, *words):
        done = self.try_run(*words)
        check(not done.returncode, f"{' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout.strip()

    def write(self, path, text):
        script = f"mkdir -p '{os.path.dirname(path)}' && cat >'{path}'"
        subprocess.run(self.command("sh", "-c", script), input=text, text=True, check=True)

    def power_off(self):
        if self.init:
            self.try_run("systemctl", "poweroff")
            end = time.monotonic() + GRACE
            while self.process.code is None and time.monotonic() < end:
                time.sleep(0.1)
        self.process.kill()


class Peer:
    """What the units connect to, outside of the machine: it answers a line with a line, and hears the end."""

    def __init__(self, machine, path):
        self.listener = machine.lab.stack.enter_context(path.listen())
        self.port = self.listener.getsockname()[1]
        machine.write("/run/target", f"TO={path.address}/{self.port}\n")

    def serve(self):
        """The port of the client that was served."""
        sock, address = self.accept()
        with sock:
            sock.recv(100)
            sock.sendall(b"answer\n")
            equal("the end", sock.recv(1), b"")
        return address[1]

    def accept(self):
        self.listener.settimeout(10)
        sock, address = self.listener.accept()
        sock.settimeout(10)
        return sock, address


def wait_gone(machine, unit):
    """The unit's processes and its cgroup are no more."""
    for cgroup in machine.cgroups:
        folder = os.fsdecode(cgroup.folder)
        until(lambda folder=folder: not any(unit in names for _, names, _ in os.walk(folder)), f"end of {unit}", 10)


def served(machine, peer, *command):
    """The command has a unit connect to the peer once: the client's port."""
    with subprocess.Popen(machine.command(*command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        port = peer.serve()
        output = process.communicate(timeout=20)[0]
    equal(f"{' '.join(command)}: {output!r}: exit code", process.returncode, 0)
    return port


def end_of(records, port, port_of="source", end="source"):
    found = [record for record in records if field(record, f"{port_of}.port") == port]
    equal(f"records with port {port}", len(found), 1)
    return found[0][end]


# ---- which unit ----

@test
def kinds_of_units(lab):
    """A service, an instance with an odd name, transient ones, a scope: each is gone before its record is made."""
    machine = Machine(lab)
    odd = machine.run("systemd-escape", "--template=worker@.service", "a b/\x1b[31m\"")
    check("\\x1b" in odd, odd)
    transient = ("systemd-run", "--wait", "-p", "EnvironmentFile=/run/target")
    for path in paths(lab):
        peer, tracer = Peer(machine, path), watch(lab, "--settle=1500")
        want = {}
        for unit, command in (
                ("plain.service", ("systemctl", "start", "plain")),
                ("worker@7.service", ("systemctl", "start", "worker@7")), (odd, ("systemctl", "start", odd)),
                ("made.service", (*transient, "--unit=made", "/bin/bash", "-c", DIAL)),
                ("deep.service", (*transient, "--unit=deep", "--slice=a-b-c", "/bin/bash", "-c", DIAL)),
                ("batch.scope", (*transient, "systemd-run", "--scope", "--unit=batch", "/bin/bash", "-c", DIAL)),
                ("session-7.scope", (*transient, "systemd-run", "--scope", "--unit=session-7",
                                     f"--slice=user-{USER}.slice", "/bin/bash", "-c", DIAL))):
            want[served(machine, peer, *command)] = unit
            wait_gone(machine, unit)
        tracer.wait_for(len(want), 10)
        records = tracer.stop()
        for port, unit in want.items():
            end = end_of(records, port)
            equal(f"{unit}: process", (end["process"]["name"], end["process"].get("unit")), ("bash", unit))
            equal(f"{unit}: container", end["container"]["id"], MACHINE)


@test
def a_users_own_manager(lab):
    """A unit of a user's systemd is the innermost one."""
    machine = Machine(lab)
    machine.run("useradd", "-m", "-u", str(USER), "somebody")
    started = machine.try_run("systemctl", "start", f"user@{USER}")
    if started.returncode:
        raise Skip(f"no user manager: {started.stderr.strip()}")
    machine.write(f"/run/user/{USER}/systemd/user/mine.service", UNITS["plain.service"])
    as_user = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "env",
               f"XDG_RUNTIME_DIR=/run/user/{USER}", "systemctl", "--user")
    machine.run(*as_user, "daemon-reload")
    peer, tracer = Peer(machine, paths(lab)[0]), watch(lab)
    port = served(machine, peer, *as_user, "start", "mine")
    tracer.wait_for(1)
    end = end_of(tracer.stop(), port)
    equal("unit and user", (end["process"].get("unit"), end["process"]["uid"]), ("mine.service", USER))


def ask(lab, address, port):
    """A line to a service in the machine, and its answer: the client's port."""
    with lab.server.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
        client.settimeout(10)
        client.connect((address, port))
        client.sendall(b"hello\n")
        equal("answer", client.recv(100), b"hello\n")
        equal("the end", client.recv(1), b"")
        return client.getsockname()[1]


@test
def socket_activation(lab):
    """Who accepted and closed is named; systemd where it closes itself, and where nobody did: it made the listener."""
    machine = Machine(lab)
    machine.run("systemctl", "start", "echo.socket", "web.socket")
    tracer, want = watch(lab), {}
    for address in (ipv4(0, 1), ipv6(0, 1)):
        want[ask(lab, address, WEB)] = ("perl", "web.service")
        want[ask(lab, address, ECHO)] = ("systemd", "init.scope")
    with lab.server.socket(socket.AF_INET) as client:
        client.connect((ipv4(0, 1), WEB))
        aborted = client.getsockname()[1]
        abort(client)
    tracer.wait_for(len(want) + 1)
    records = tracer.stop()
    for port, (name, unit) in want.items():
        end = end_of(records, port, "source", "destination")
        equal("process", (end["process"]["name"], end["process"]["unit"]), (name, unit))
        equal("container", end["container"]["id"], MACHINE)
    end = end_of(records, aborted, "source", "destination")
    equal("reset by the client", (end["process"]["how"], end["socket"]["unit"]), ("kernel", "init.scope"))


@test
def listener_that_does_not_accept(lab):
    """A queue that is full is of the unit that listens, which began before the watch or after it."""
    machine = Machine(lab)
    for early in (True, False):
        if early:
            machine.run("systemctl", "start", "full")
        tracer = watch(lab, "--syn-timeout=1.5", "--unit=full")
        if not early:
            machine.run("systemctl", "restart", "full")
        clients = [lab.server.socket(socket.AF_INET) for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex((ipv4(0, 1), FULL))
        until(lambda tracer=tracer: [r for r in tracer.records() if r["tcp"]["outcome"] == "unanswered"],
              "an unanswered one", 15)
        end = next(r["destination"] for r in tracer.records() if r["tcp"]["outcome"] == "unanswered")
        equal("listener", (end["listener"]["state"], end["listener"]["unit"], end["container"]["id"]),
              ("full", "full.service", MACHINE))
        for client in clients:
            client.close()
        tracer.stop()


# ---- what is done with the names ----

@test
def stopped_and_filtered(lab):
    """A service that is stopped with an open connection; --unit knows it, and others' records do not come."""
    machine = Machine(lab)
    peer = Peer(machine, paths(lab)[0])
    tracers = [watch(lab, option, "--settle=1500") for option in ("--unit=leak", "--unit=!leak", "--unit=worker@*",
                                                                  f"--container={MACHINE}")]
    machine.run("systemctl", "start", "leak")
    leak, address = peer.accept()
    port = address[1]
    other = served(machine, peer, "systemctl", "start", "worker@1")
    machine.run("systemctl", "stop", "leak")
    equal("the end", leak.recv(1), b"")
    leak.close()
    wait_gone(machine, "leak.service")
    time.sleep(2)
    for tracer, want in zip(tracers, ({port}, {other}, {other}, {port, other})):
        equal("ports", {record["source"]["port"] for record in tracer.stop()}, want)


@test
def stuck_by_unit(lab):
    """--stuck names the unit that does not close, and --unit picks it."""
    machine = Machine(lab)
    peer = Peer(machine, paths(lab)[0])
    machine.run("systemctl", "start", "leak")
    server, _ = peer.accept()
    server.shutdown(socket.SHUT_WR)
    time.sleep(0.2)
    for option, count in (("--unit=leak", 1), ("--unit=!leak", 0), (f"--container={MACHINE}", 1)):
        shown = Process(lab, lab.client, [*PROGRAM, "--stuck=0.01", "-c1", option, "--format=json"])
        equal("exit code", shown.wait(), 0)
        equal(f"closes with {option}", shown.stdout.count('"unit":"leak.service"'), count)
    text = Process(lab, lab.client, [*PROGRAM, "--stuck=0.01", "-c1"])
    equal("exit code", text.wait(), 0)
    check(re.search(rf"^leak\.service +{MACHINE} +1 ", text.stdout, re.M), text.stdout)
    server.close()


if __name__ == "__main__":
    suite.main(sys.argv)
