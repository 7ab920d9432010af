#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
netns.py TCPFIN-TRACE [NAME...]: --netns while connections are watched. As root. lab/harness.py has how tests are run
and what they print.

With --netns=all the program runs in a PID namespace of its own, so that it finds the namespaces of one test only.
"""
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

from lab.closes import scenario_named
from lab.harness import GRACEFUL, PROGRAM, Suite, as_nobody, close_some, expect, in_namespace, one_each, paths, refuses
from lab.netlab import Process, check, equal, need, until

suite = Suite(workers=2)
test = suite.test

OPTIONS = ("--format=json", "--settle=200")
ALONE = "mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec \"$@\""


def inode(namespace):
    return os.fstat(namespace.fd).st_ino


@contextlib.contextmanager
def process_in(namespace, *enter):
    """A process that is in the network namespace inside `with`. enter: the command by which it gets there, or none."""
    with namespace:
        process = subprocess.Popen([*enter, "sleep", "1000"], start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Watch(Process):
    """The program, started in a namespace that has nothing to do with those that it watches."""

    def __init__(self, lab, *arguments, alone=False, options=OPTIONS):
        command = [*PROGRAM, *options, *arguments]
        if alone:
            command = in_namespace("--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", ALONE, "sh", *command)
        super().__init__(lab, lab.namespace(), command)
        until(lambda: self.code is not None or "tables take" in self.stderr, "start", 10)
        check(self.code is None, f"ended: {self.stderr}")
        self.number = self.child.pid if not alone else self.children(self.child.pid)[0]
        until(lambda: self.status()["Seccomp"] != "0", "sandbox", 10)

    @staticmethod
    def children(number):
        with open(f"/proc/{number}/task/{number}/children", encoding="ascii") as children:
            return [int(child) for child in children.read().split()]

    def status(self, number=None):
        with open(f"/proc/{number or self.number}/status", encoding="ascii") as status:
            return dict(re.findall(r"^(\w+):\t(\S+)", status.read(), re.MULTILINE))

    def said(self, text, seconds=5):
        until(lambda: text in self.stderr, f"line {text!r}", seconds)

    def records(self, count):
        until(lambda: self.stdout.count("\n") >= count, f"{count} records", 5)
        return [json.loads(line) for line in self.stdout.splitlines()]

    def stop(self):
        os.kill(self.number, signal.SIGINT)
        equal("exit code", self.wait(), 0)
        return [json.loads(line) for line in self.stdout.splitlines()]

    @contextlib.contextmanager
    def container(self, namespace):
        """A process in the network namespace that the program finds, inside `with`."""
        need("nsenter")
        with process_in(namespace, "nsenter", f"--target={self.number}", "--pid", "--mount") as process:
            yield process

    def inside(self, command, *descriptors):
        """Runs a shell's command where the program has its files and processes."""
        need("nsenter")
        subprocess.run(["nsenter", f"--target={self.number}", "--mount", "--pid", "sh", "-c", command], check=True,
                       pass_fds=descriptors)

    def name(self, namespace, name):
        """Gives the namespace a name where the program looks for names; no process of its is in it meanwhile."""
        path = f"/run/netns/{name}"
        self.inside(f"touch {path} && mount --no-canonicalize --bind /proc/self/fd/{namespace.fd} {path}", namespace.fd)


def where(record):
    return record["observer"]["netns"]["inode"], record["observer"]["ingress"]["interface"]["name"]


def nothing_left(*namespaces):
    for namespace in namespaces:
        for interface in ("eth0", "lo"):
            equal(f"left on {interface}", namespace.attached(interface), set())


def seen_there(lab, *options, connections=1):
    """Connections of a namespace that is given by a process: IPv4 and IPv6, with the process that closed."""
    with process_in(lab.client) as process:
        tracer = Watch(lab, f"--netns={process.pid}", *options, "eth0")
        equal("programs in the namespace that is not watched", lab.server.attached("eth0"), set())
        check(lab.client.attached("eth0"), "nothing attached")
        keys = [key for path in paths(lab) for key in close_some(path, connections)]
        tracer.records(len(keys))
        records = one_each(tracer.stop(), keys)
    for record in records.values():
        expect(record, GRACEFUL)
        equal("where", where(record), (inode(lab.client), "eth0"))
        equal("name", record["observer"]["netns"]["name"], str(process.pid))
        equal("closed by", (record["source"]["process"]["pid"], record["source"]["process"]["netns"]),
              (os.getpid(), inode(lab.client)))
    nothing_left(lab.client)
    return tracer


@test
def by_process(lab):
    """A namespace by a process in it."""
    tracer = seen_there(lab)
    check("/eth0: tc in and out" in tracer.stderr, tracer.stderr)


@test
def by_process_all_segments(lab):
    """The same with every segment counted."""
    seen_there(lab, "--all-segments")


@test
def by_process_xdp(lab):
    """The same at XDP, native and generic, whose programs are reached by the one that numbers the interface."""
    for hook in ("xdp", "xdp-generic"):
        tracer = seen_there(lab, f"--hook={hook}")
        check("XDP in, tc out" in tracer.stderr, tracer.stderr)


@test
def by_process_many(lab):
    """A few hundred connections: none is lost, and each is reported once."""
    seen_there(lab, connections=40)


@test
def midstream(lab):
    """A connection that is older than the watch: its opener and its holder are found in the namespace watched."""
    path = paths(lab)[0]
    with process_in(lab.client) as process:
        listener = lab.server.socket(socket.AF_INET)
        listener.bind((path.address, 0))
        listener.listen()
        client = lab.client.socket(socket.AF_INET)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        tracer = Watch(lab, f"--netns={process.pid}", "eth0")
        port = client.getsockname()[1]
        client.close()
        server.close()
        tracer.records(1)
        record, = tracer.stop()
    expect(record, {"tcp.outcome": "graceful", "tcp.midstream": True, "tcp.closer": "source", "source.port": port})
    equal("holder", record["source"]["process"]["pid"], os.getpid())


def pair(namespace, client_port, server_port):
    """Both ends of a connection of the namespace's loopback with these ports."""
    listener = namespace.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", server_port))
    listener.listen()
    client = namespace.socket(socket.AF_INET)
    client.bind(("127.0.0.1", client_port))
    client.connect(("127.0.0.1", server_port))
    server, _ = listener.accept()
    listener.close()
    return client, server


@test
def same_tuple(lab):
    """Two connections with the same addresses and ports at the same time in two namespaces stay apart."""
    tracer = Watch(lab, "--netns=all", "any", alone=True)
    with tracer.container(lab.client), tracer.container(lab.server):
        until(lambda: lab.client.attached("lo") and lab.server.attached("lo"), "programs", 5)
        ends = [pair(namespace, 40001, 40002) for namespace in (lab.client, lab.server)]
        ends[0][0].send(b"x" * 100)
        ends[1][1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ends[1][1].close()
        time.sleep(0.05)
        ends[0][0].close()
        time.sleep(0.05)
        ends[0][1].recv(100)
        ends[0][1].close()
        records = tracer.records(2)
        tracer.stop()
    found = {where(record)[0]: record for record in records}
    equal("namespaces", set(found), {inode(lab.client), inode(lab.server)})
    expect(found[inode(lab.client)], {"tcp.outcome": "graceful", "tcp.closer": "source", "source.bytes": 100})
    expect(found[inode(lab.server)], {"tcp.outcome": "reset", "tcp.reset.by": "destination"})
    for namespace in (lab.client, lab.server):
        record = found[inode(namespace)]
        closer = record["source" if record["tcp"]["outcome"] == "graceful" else "destination"]
        equal("namespace of the socket", closer["process"]["netns"], inode(namespace))


@test
def come_and_go(lab):
    """all: namespaces that come after the rights are dropped are watched, and left alone as soon as they end."""
    tracer = Watch(lab, "--netns=all", "eth*", alone=True)
    equal("capabilities", tracer.status()["CapEff"], "0" * 16)
    keys = []
    with tracer.container(lab.client) as process:
        until(lambda: len(lab.client.attached("eth0")) == 2, "programs", 5)
        keys += close_some(paths(lab)[0], 2)
        tracer.records(2)
        os.killpg(process.pid, signal.SIGKILL)
        tracer.said("/eth0 has gone with its network namespace")
        equal("left", lab.client.attached("eth0"), set())
        close_some(paths(lab)[0], 1)
    tracer.name(lab.server, "web")
    tracer.said("web/eth0: tc in and out")
    keys += close_some(paths(lab)[0], 1)
    records = tracer.records(3)
    one_each(records, keys)
    equal("where", [where(record)[0] for record in records], [inode(lab.client)] * 2 + [inode(lab.server)])
    equal("name", records[2]["observer"]["netns"]["name"], "web")
    lab.server.run("ip link add eth5 type veth peer name far5")
    tracer.said("web/eth5: tc in and out", 2)
    tracer.stop()
    nothing_left(lab.client, lab.server)


@test
def namespace_ends(lab):
    """A namespace whose last process has ended really ends, although the program has sockets there."""
    tracer = Watch(lab, "--netns=all", "any", alone=True)
    other = lab.namespace()
    lab.client.run(f"ip link add near9 type veth peer name far9 netns {other.path}")
    with tracer.container(other) as process:
        tracer.said("/far9: tc in and out")
        descriptor, other.fd = other.fd, os.open("/dev/null", os.O_RDONLY)
        os.close(descriptor)
        os.killpg(process.pid, signal.SIGKILL)
        until(lambda: "near9" not in lab.client.run("ip link"), "end of the other end of its veth pair", 4)
    tracer.stop()


@test
def killed(lab):
    """After kill -9 nothing is left, and the helper ends by itself."""
    with process_in(lab.client) as process:
        tracer = Watch(lab, f"--netns={process.pid}", "eth0")
        helper, = tracer.children(tracer.number)
        equal("the helper's capabilities", int(tracer.status(helper)["CapEff"], 16) & ~(1 << 12 | 1 << 19 | 1 << 21), 0)
        tracer.kill()
        until(lambda: not lab.client.attached("eth0"), "end of the programs", 2)
        until(lambda: not os.path.exists(f"/proc/{helper}"), "end of the helper", 2)


@test
def helper_gone(lab):
    """Without its helper the program goes on with what it watches."""
    with process_in(lab.client) as process:
        tracer = Watch(lab, f"--netns={process.pid}", "eth*")
        helper, = tracer.children(tracer.number)
        os.kill(helper, signal.SIGKILL)
        keys = close_some(paths(lab)[0], 2)
        tracer.records(2)
        one_each(tracer.stop(), keys)
        nothing_left(lab.client)


@test
def with_output(lab):
    """One helper serves -o as well."""
    path = lab.file("records")
    with process_in(lab.client) as process:
        tracer = Watch(lab, f"--netns={process.pid}", "-o", path, "-C", "4K", "eth0")
        equal("helpers", len(tracer.children(tracer.number)), 1)
        keys = close_some(paths(lab)[0], 8)
        tracer.stop()
    records = []
    for name in [path] + [f"{path}{number}" for number in range(1, 9) if os.path.exists(f"{path}{number}")]:
        with open(name, encoding="utf-8") as lines:
            records += [json.loads(line) for line in lines]
    one_each(records, keys)
    check(os.path.exists(path + "1"), "no second file")


@test
def waits_for_it(lab):
    """--follow: a namespace that is not there yet is waited for, and again once it has gone."""
    tracer = Watch(lab, "--netns=web", "--follow", "eth0", alone=True)
    tracer.said("network namespace web is not there: waiting for it")
    keys = []
    for namespace in (lab.client, lab.server):
        tracer.name(namespace, "web")
        until(lambda: len(namespace.attached("eth0")) == 2, "programs", 5)
        keys += close_some(paths(lab)[0], 1)
        tracer.records(len(keys))
        tracer.inside("umount /run/netns/web")
        tracer.said("web/eth0 has gone with its network namespace: waiting for it")
    one_each(tracer.stop(), keys)
    nothing_left(lab.client, lab.server)


@test
def text_and_groups(lab):
    """The text's column and --by=interface tell interfaces of one name apart."""
    tracer = Watch(lab, "--netns=all", "--columns=interface,source", "eth0", alone=True, options=("--settle=200",))
    tracer.name(lab.client, "left")
    tracer.name(lab.server, "right")
    until(lambda: lab.client.attached("eth0") and lab.server.attached("eth0"), "programs", 5)
    close_some(paths(lab)[0], 1)
    until(lambda: tracer.stdout.count("\n") >= 3, "two lines", 5)
    os.kill(tracer.number, signal.SIGINT)
    equal("exit code", tracer.wait(), 0)
    equal("interfaces", {line.split()[0] for line in tracer.stdout.splitlines()[1:]}, {"left/eth0", "right/eth0"})


@test
def refused(lab):
    """No such namespace, no right to enter it, no such interface in it, and what --netns is not about."""
    refuses(lab, [*PROGRAM, "--netns=none-of-this", "eth0"], 2, "none-of-this", "have that network namespace")
    refuses(lab, [*as_nobody(lab, "bpf", "net_admin"), "--netns=all", "eth0"], 3, "CAP_SYS_ADMIN")
    refuses(lab, [*PROGRAM, "--netns=all", "-r", "/dev/null"], 2, "--netns is about interfaces")
    with process_in(lab.namespace()) as process:
        refuses(lab, [*PROGRAM, f"--netns={process.pid}", "eth0"], 2, f"{process.pid}/eth0: no such interface")


if __name__ == "__main__":
    suite.main(sys.argv)
