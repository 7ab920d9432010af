#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
cgroups.py TCPFIN-TRACE [NAME...]: the unit, container and pod of the ends of real connections, by cgroups in the forms
that managers give them, of version 2 and of version 1; as root. Processes and cgroups are gone before the record is
made, unless a test says otherwise. lab/harness.py has how tests are run and what they print.
"""
import json
import os
import re
import signal
import socket
import sys
import threading
import time

from lab.cgroups import CONTAINER, POD, Cgroup, hierarchies, is_unified
from lab.closes import Connection, abort, heard_the_end, heard_the_reset
from lab.harness import PROGRAM, Suite, paths, watch
from lab.netlab import Skip, Tracer, check, equal, libc, until

OTHER = "fedcba9876543210" * 4
POD_ = POD.replace("-", "_")
# (path, unit, container, pod)
FORMS = (
    ("system.slice/nginx.service", "nginx.service", None, None),
    ("system.slice/nginx.service/workers/1", "nginx.service", None, None),
    ("user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope", "app-x.scope", None, None),
    (f"docker/{CONTAINER}", None, CONTAINER, None),
    (f"system.slice/docker-{CONTAINER}.scope", f"docker-{CONTAINER}.scope", CONTAINER, None),
    (f"docker/{OTHER}/docker/{CONTAINER}", None, CONTAINER, None),
    (f"machine.slice/libpod-{CONTAINER}.scope/container", f"libpod-{CONTAINER}.scope", CONTAINER, None),
    (f"default/{CONTAINER}", None, CONTAINER, None),
    (f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD_}.slice/cri-containerd-{CONTAINER}.scope",
     f"cri-containerd-{CONTAINER}.scope", CONTAINER, POD),
    (f"kubepods.slice/kubepods-pod{POD_}.slice/crio-{CONTAINER}.scope", f"crio-{CONTAINER}.scope", CONTAINER, POD),
    (f"kubepods/besteffort/pod{POD}/{CONTAINER}", None, CONTAINER, POD),
    ("lxc.payload.web1/system.slice/ssh.service", "ssh.service", "web1", None),
    ("machine.slice/machine-deb\\x2d12.scope/payload/system.slice/cron.service", "cron.service", "deb-12", None),
)
PAUSE = 0.05  # s
ODD = b"we\x1b[31m\t\xff\"b.service"

suite = Suite(workers=2)
test = suite.test


# ---- processes in cgroups ----

class Closer:
    """A process that is the only holder of a socket, in that cgroup. At go() it does `action` with it, and ends."""

    def __init__(self, cgroup, sock, others, action=None):
        orders, self.tell = os.pipe()
        ready, told = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                for other in (self.tell, ready, *(o.fileno() for o in others)):
                    os.close(other)
                cgroup.enter()
                os.write(told, b"r")
                os.read(orders, 1)
                (action or socket.socket.close)(sock)
            finally:
                os._exit(0)
        sock.close()
        for fd in (orders, told):
            os.close(fd)
        equal("the child's word", os.read(ready, 1), b"r")
        os.close(ready)

    def go(self):
        os.close(self.tell)
        os.waitpid(self.pid, 0)


def connect(path):
    c = path.connect()
    return Connection(c.client, c.server, c.key)


def close_in(cgroup, sock, others, action=None):
    Closer(cgroup, sock, others, action).go()


def names(end):
    """Unit, container and pod of a record's end."""
    return (end.get("process", {}).get("unit"), end.get("container", {}).get("id"),
            end.get("orchestrator", {}).get("pod", {}).get("uid"))


def only(records):
    equal("records", len(records), 1)
    return records[0]


# ---- names ----

@test
def forms(lab):
    """Every form in every hierarchy, made before the watch or after; each end has its own."""
    for place in hierarchies("pids"):
        early = [Cgroup(place, form[0]) for form in FORMS[::2]]
        other = Cgroup(place, "lxc/other")
        tracer = watch(lab)
        ports = {}
        for number, form in enumerate(FORMS):
            cgroup = early[number // 2] if number % 2 == 0 else Cgroup(place, form[0])
            path = paths(lab)[number % 2]
            c = connect(path)
            ports[c.key[1]] = form
            server = c.server
            close_in(cgroup, c.client, [server])
            heard_the_end(server)
            close_in(other, server, [])
            cgroup.remove()
        other.remove()
        tracer.wait_for(len(FORMS))
        for record in tracer.stop():
            form = ports[record["source"]["port"]]
            equal(f"{place}/{form[0]}", names(record["source"]), form[1:])
            equal(f"the other end of {place}/{form[0]}", names(record["destination"]), (None, "other", None))


@test
def odd_bytes(lab):
    """A name may have any bytes. None of them reaches a terminal."""
    for place in hierarchies("pids"):
        for options in ((), ("--format=text", "--columns=source,unit,container")):
            cgroup = Cgroup(place, ODD)
            tracer = watch(lab) if not options else Tracer(lab, lab.client, PROGRAM, ("eth0",), *options)
            tracer.wait_for_all()
            c = connect(paths(lab)[0])
            close_in(cgroup, c.client, [c.server])
            c.server.close()
            cgroup.remove()
            if not options:
                tracer.wait_for(1)
                equal("unit", only(tracer.stop())["source"]["process"]["unit"], "we\x1b[31m\t\ufffd\"b.service")
                continue
            until(lambda: tracer.stdout.count("\n") > 1, "line of text")
            tracer.signal(signal.SIGINT)
            equal("exit code", tracer.wait(), 0)
            check(r">we\x1b[31m\x09\xff" in tracer.stdout, tracer.stdout)
            check(not re.search(r"[^\n -~]", tracer.stdout), f"bytes for a terminal: {tracer.stdout!r}")


def close_in_thread(cgroup, file):
    """An action: a thread closes, which alone is in that cgroup."""
    def action(sock):
        def close():
            cgroup.enter(libc.syscall(186), file)  # gettid
            sock.close()
        thread = threading.Thread(target=close)
        thread.start()
        thread.join()
    return action


@test
def threads(lab):
    """Of a thread in a cgroup of its own, that one counts."""
    for place in hierarchies("pids"):
        main = Cgroup(place, "main.service")
        of_thread = Cgroup(place, "main.service/pool" if is_unified(place) else "pool.service")
        if is_unified(place):
            with open(os.path.join(of_thread.folder, b"cgroup.type"), "w", encoding="ascii") as type_:
                type_.write("threaded")
        tracer = watch(lab)
        c = connect(paths(lab)[0])
        action = close_in_thread(of_thread, b"cgroup.threads" if is_unified(place) else b"tasks")
        close_in(main, c.client, [c.server], action)
        c.server.close()
        of_thread.remove()
        main.remove()
        tracer.wait_for(1)
        equal(place, names(only(tracer.stop())["source"])[0],
              "main.service" if is_unified(place) else "pool.service")


@test
def executed(lab):
    """A process that has become another program is in the same unit."""
    def execute(sock):
        os.set_inheritable(sock.fileno(), True)
        os.execv("/bin/sh", ["/bin/sh", "-c", f"exec {sock.fileno()}>&-; exit"])

    for place in hierarchies("pids"):
        cgroup = Cgroup(place, "worker.service")
        tracer = watch(lab)
        c = connect(paths(lab)[1])
        close_in(cgroup, c.client, [c.server], execute)
        c.server.close()
        cgroup.remove()
        tracer.wait_for(1)
        end = only(tracer.stop())["source"]
        equal(place, (end["process"]["name"], names(end)[0]), ("sh", "worker.service"))


@test
def renamed(lab):
    """Version 1: a cgroup with another name, and what lies in it. The record has the name at the time of its report."""
    places = [place for place in hierarchies("pids") if not is_unified(place)]
    if not places:
        raise Skip("no hierarchy of version 1")
    outer, inner = Cgroup(places[0], "lxc/old"), Cgroup(places[0], "lxc/old/a.service")
    tracer = watch(lab)
    c = connect(paths(lab)[0])
    closer = Closer(inner, c.client, [c.server])
    outer.rename("new")
    inner.folder = os.path.join(outer.folder, b"a.service")
    closer.go()
    c.server.close()
    inner.remove()
    tracer.wait_for(1)
    equal("names", names(only(tracer.stop())["source"]), ("a.service", "new", None))


# ---- sockets without a process ----

def in_child(cgroup, action):
    """The process, which does `action` in that cgroup and ends."""
    pid = os.fork()
    if not pid:
        try:
            cgroup.enter()
            action()
        finally:
            os._exit(0)
    return pid


def accept_and_wait(path, told):
    """Accepts one connection, whose port is told, and waits for its reset."""
    with path.listen() as listener:
        os.write(told, b"%d" % listener.getsockname()[1])
        server, _ = listener.accept()
    heard_the_reset(server)
    os._exit(0)


@test
def reset_by_peer(lab):
    """Where no process closed, the unit is that in which the socket, or the listener that accepted it, was made."""
    places = [place for place in hierarchies() if is_unified(place)]
    if not places:
        raise Skip("no hierarchy of version 2")
    for path, form in zip(paths(lab), FORMS[3:5]):
        client, server = Cgroup(places[0], "client.service"), Cgroup(places[0], form[0])
        tracer = watch(lab)
        ready, told = os.pipe()
        children = [in_child(server, lambda: accept_and_wait(path, told))]
        port = int(os.read(ready, 10))
        children.append(in_child(client, lambda: abort(path.dial(port))))
        for pid in children:
            os.waitpid(pid, 0)
        client.remove()
        server.remove()
        tracer.wait_for(1)
        record = only(tracer.stop())
        end = record["destination"]
        equal("how", end["process"]["how"], "kernel")
        equal("what the socket belongs to", (end["socket"].get("unit"), names(end)[1:]), (form[1], form[2:]))
        equal("the other end", (names(record["source"])[0], "unit" in record["source"]["socket"]),
              ("client.service", False))


def listen_and_wait(path, told):
    """Listens with a queue of 1, whose port is told, and accepts nobody."""
    listener = path.server.socket(path.family)
    listener.bind((path.address, 0))
    listener.listen(1)
    os.write(told, b"%d" % listener.getsockname()[1])
    signal.pause()


@test
def listener(lab):
    """A handshake that waits for a listener of this host has its unit and container, older than the watch or not."""
    for place in hierarchies("pids"):
        for path, early in ((paths(lab)[0], True), (paths(lab)[1], False)):
            cgroup = Cgroup(place, f"docker/{CONTAINER}/web.service")
            ready, told = os.pipe()
            if early:
                pid, port = in_child(cgroup, lambda: listen_and_wait(path, told)), int(os.read(ready, 10))
            tracer = Tracer(lab, lab.server, PROGRAM, ("eth0",), "--format=json", "--syn-timeout=1.5", "--unit=web")
            tracer.wait_for_all()
            if not early:
                pid, port = in_child(cgroup, lambda: listen_and_wait(path, told)), int(os.read(ready, 10))
            clients = [lab.stack.enter_context(path.client.socket(path.family)) for _ in range(4)]
            for client in clients:
                client.setblocking(False)
                client.connect_ex((path.address, port))
            until(lambda: tracer.records(), "record of one that waits", 15)
            end = tracer.records()[0]["destination"]
            equal(f"{place}, early {early}", (end["listener"].get("unit"), end["listener"]["pid"], names(end)[1:]),
                  ("web.service", pid, (CONTAINER, None)))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            cgroup.remove()
            tracer.stop()


@test
def held(lab):
    """The holder of a connection that is older than the watch, which goes on."""
    for place in hierarchies():
        cgroup = Cgroup(place, f"docker/{CONTAINER}/system.slice/old.service")
        c = connect(paths(lab)[0])
        closer = Closer(cgroup, c.client, [c.server])
        tracer = watch(lab, "--show-open")
        c.server.shutdown(socket.SHUT_WR)
        time.sleep(PAUSE)
        end = only(tracer.stop())["source"]
        closer.go()
        c.server.close()
        cgroup.remove()
        equal(place, (end["holder"].get("unit"), end["container"]["id"]), ("old.service", CONTAINER))


# ---- what is done with the names ----

def play(lab, place):
    """One connection from each of two units, one of them in a container."""
    for path in ("a.service", f"docker/{CONTAINER}/b.service"):
        cgroup = Cgroup(place, path)
        c = connect(paths(lab)[0])
        close_in(cgroup, c.client, [c.server])
        c.server.close()
        cgroup.remove()


@test
def filters(lab):
    """--unit and --container, as given and as all others; CSV has the same names."""
    place = hierarchies("pids")[0]
    for options, units in ((["--unit=a"], ["a.service"]), (["--unit=!a.service"], ["b.service"]),
                           ([f"--container={CONTAINER[:12]}"], ["b.service"]),
                           (["--container=!*"], ["a.service"]), (["--where=unit = b.*"], ["b.service"])):
        tracer = watch(lab, *options)
        play(lab, place)
        tracer.wait_for(1)
        equal(str(options), [names(record["source"])[0] for record in tracer.stop()], units)


@test
def groups(lab):
    """--top by unit and container."""
    tracer = Tracer(lab, lab.client, PROGRAM, ("eth0",), "--top=0.3", "--format=json", "--settle=100",
                    "--by=unit,container")
    tracer.wait_for_all()
    play(lab, hierarchies("pids")[0])
    until(lambda: "b.service" in tracer.stdout, "a table with both")
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(), 0)
    rates = [json.loads(line)["rate"] for line in tracer.stdout.splitlines()]
    found = {(rate["group"]["unit"], rate["group"]["container"]): rate["connections"] for rate in rates
             if rate["span"] == "run" and rate["row"] == "group"}
    equal("groups", found, {("a.service", None): 1, ("b.service", CONTAINER): 1})


if __name__ == "__main__":
    suite.main(sys.argv)
