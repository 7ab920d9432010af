# SPDX-License-Identifier: GPL-2.0-or-later
"""
A network laboratory: two namespaces joined by veth pairs, with programs and sockets inside them.

Namespaces have no names: each is held by a file descriptor of this process. Whatever ends this process, SIGKILL
included, closes the descriptor, and the kernel removes the namespace with all its interfaces, rules and filters. The
programs started here are killed, too. So nothing is left behind, and two runs cannot collide.

A namespace belongs to a thread, and a socket stays in the namespace it was made in. So one thread can hold both ends of
a connection and decide which acts first: `with namespace: socket.socket()`.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
BPF_MAP_LOOKUP_ELEM, BPF_PROG_LOAD, BPF_PROG_QUERY, BPF_LINK_CREATE = 1, 5, 16, 28
BPF_PROG_TYPE_SCHED_CLS, BPF_F_BEFORE = 3, 8
BPF_TCX = {46: "tcx ingress", 47: "tcx egress"}  # enum bpf_attach_type
BPF_SYSCALL = {"x86_64": 321}.get(platform.machine(), 280)  # 280: every architecture of the generic table

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16  # TCP flags


class Skip(Exception):
    """This machine lacks what a test needs."""


class Failure(Exception):
    """The program under test did something else than it should."""


def check(condition, why):
    if not condition:
        raise Failure(why)


def equal(name, got, expected):
    check(got == expected, f"{name} is {got!r}, expected {expected!r}")


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")


def until(condition, what, timeout=5.0, pause=0.01):
    """Waits for condition() to be true."""
    end = time.monotonic() + timeout
    while not condition():
        check(time.monotonic() < end, f"no {what} within {timeout:g} s")
        time.sleep(pause)


def succeed(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def own_namespace():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


HOME = own_namespace()


class Namespace:
    """A network namespace. Inside `with`, the calling thread, its new sockets and its children are in it."""

    def __init__(self):
        succeed(libc.unshare(CLONE_NEWNET))
        try:
            self.fd = own_namespace()
        finally:
            succeed(libc.setns(HOME, CLONE_NEWNET))
        self.run("ip link set lo up")

    @property
    def path(self):
        """The name of this namespace for ip(8)."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def __enter__(self):
        succeed(libc.setns(self.fd, CLONE_NEWNET))
        return self

    def __exit__(self, *_):
        succeed(libc.setns(HOME, CLONE_NEWNET))

    def close(self):
        os.close(self.fd)

    def run(self, command):
        """Runs a command in the namespace and returns its output. OSError where it fails."""
        with self:
            done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{command}: {done.stderr.strip()}")
        return done.stdout

    def try_run(self, command):
        """Like run(), but skips the test where the command fails: the kernel or a package lacks the feature."""
        need(command.split()[0])
        try:
            return self.run(command)
        except OSError as error:
            raise Skip(str(error)) from error

    def socket(self, family, kind=socket.SOCK_STREAM, protocol=0):
        with self:
            return socket.socket(family, kind, protocol)

    def attached(self, interface):
        """The BPF programs attached to the interface: {(where, program id)}."""
        found = {("xdp", int(i)) for i in re.findall(r"prog/xdp\S* id (\d+)", self.run(f"ip link show {interface}"))}
        with self:
            index = socket.if_nametoindex(interface)
            for kind, name in BPF_TCX.items():
                found |= {(name, i) for i in tcx_programs(index, kind)}
        for direction in ("ingress", "egress"):
            rules = self.run(f"tc filter show dev {interface} {direction}")
            found |= {(f"clsact {direction}", int(i)) for i in re.findall(r" id (\d+)", rules)}
        return found

    def dropping(self, match):
        """Drops incoming packets that match (nftables) inside `with`."""
        return self.filtering(match, "drop")

    @contextlib.contextmanager
    def filtering(self, match, verdict, hook="input"):
        """Gives packets that match the verdict (nftables) inside `with`: incoming ones, or those of another hook."""
        need("nft")
        self.run("nft add table inet lab")
        try:
            self.run(f"nft add chain inet lab in '{{ type filter hook {hook} priority 0; }}'")
            self.try_run(f"nft add rule inet lab in {match} {verdict}")
            yield
        finally:
            self.run("nft delete table inet lab")


def tcx_programs(ifindex, attach_type):
    """Ids of the tcx programs of an interface of this thread's namespace; none on kernels before 6.6."""
    ids = (ctypes.c_uint32 * 64)()
    attr = ctypes.create_string_buffer(struct.pack("=IIIIQII", ifindex, attach_type, 0, 0, ctypes.addressof(ids),
                                                   len(ids), 0), 64)
    if libc.syscall(BPF_SYSCALL, BPF_PROG_QUERY, attr, len(attr)) < 0:
        return []
    return ids[:struct.unpack_from("=I", attr, 24)[0]]


def bpf(command, attributes):
    attributes = ctypes.create_string_buffer(attributes, len(attributes))
    return succeed(libc.syscall(BPF_SYSCALL, command, attributes, len(attributes)))


def descriptors(tracer):
    """What the kernel tells of each descriptor of the process: [{name: value}]."""
    found = []
    for name in os.listdir(f"/proc/{tracer.child.pid}/fdinfo"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{tracer.child.pid}/fdinfo/{name}",
                                                          encoding="ascii") as info:
            found.append(dict(re.findall(r"^(\w+):\t(\w+)", info.read(), re.MULTILINE)))
    return found


def load_tc(name, verdict):
    """Loads a tc program that returns the verdict for every packet: (descriptor, id)."""
    instructions = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xb7, 0, 0, verdict, 0x95, 0, 0, 0))
    license_ = ctypes.create_string_buffer(b"GPL")
    program = bpf(BPF_PROG_LOAD, struct.pack("=IIQQ24x16s", BPF_PROG_TYPE_SCHED_CLS, 2, ctypes.addressof(instructions),
                                             ctypes.addressof(license_), name.encode()))
    with open(f"/proc/self/fdinfo/{program}", encoding="ascii") as info:
        return program, int(re.search(r"^prog_id:\s*(\d+)$", info.read(), re.MULTILINE)[1])


@contextlib.contextmanager
def first_in_chain(namespace, interface, direction, name, verdict):
    """The id of a program that is at the head of the interface's tcx chain inside `with`."""
    program, number = load_tc(name, verdict)
    kind = next(kind for kind, text in BPF_TCX.items() if text == f"tcx {direction}")
    try:
        with namespace:
            index = socket.if_nametoindex(interface)
            try:
                link = bpf(BPF_LINK_CREATE, struct.pack("=IIII32x", program, index, kind, BPF_F_BEFORE))
            except OSError as error:
                raise Skip(f"no tcx: {error}") from error
    finally:
        os.close(program)
    try:
        yield number
    finally:
        os.close(link)


class Process:
    """A program in a namespace. Its output goes to files by default, so that it never waits for a reader."""

    def __init__(self, lab, namespace, argv, stdout=None, stderr=None):
        self.paths = [lab.file("out"), lab.file("err")]
        with contextlib.ExitStack() as files, namespace:
            outputs = [files.enter_context(open(path, "wb")) if given is None else given
                       for path, given in zip(self.paths, (stdout, stderr))]
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=outputs[0], stderr=outputs[1],
                                          start_new_session=True,  # Ctrl-C goes to this process only
                                          preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        lab.stack.callback(self.kill)

    def read(self, index):
        with open(self.paths[index], encoding="utf-8") as output:
            return output.read()

    @property
    def stdout(self):
        return self.read(0)

    @property
    def stderr(self):
        return self.read(1)

    @property
    def code(self):
        """The exit code, None while it runs."""
        return self.child.poll()

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, timeout=5.0):
        """Waits for its end and returns the exit code."""
        until(lambda: self.code is not None, f"end of {self.child.args[0]}", timeout)
        return self.code

    def kill(self):
        self.child.kill()
        self.child.wait()


class Tracer(Process):
    """tcpfin-trace on interfaces of one namespace, from the moment its programs are attached."""

    def __init__(self, lab, namespace, program, interfaces, *options, **outputs):
        self.namespace, self.interfaces = namespace, interfaces
        before = self.attached()
        super().__init__(lab, namespace, [*program, *options, *interfaces], **outputs)
        wanted = sum(1 if interface == "lo" else 2 for interface in interfaces)  # lo is watched in one direction
        until(lambda: self.code is not None or len(self.attached() - before) >= wanted, "attached programs", 10)
        self.programs = self.attached() - before
        if self.code is not None:
            error = self.stderr.strip() if outputs.get("stderr") is None else ""
            raise Failure(f"the tracer ended at once with {self.code}: {error}")

    def wait_for_all(self):
        """Waits until its socket tracepoints are attached, too: after that it gives up its rights."""
        def started():
            with contextlib.suppress(OSError), open(f"/proc/{self.child.pid}/status", encoding="utf-8") as status:
                return re.search(r"^NoNewPrivs:\s*1$", status.read(), re.MULTILINE)
            return False
        until(lambda: self.code is not None or started(), "start", 10)

    def attached(self):
        """All programs on its interfaces, others' too: {(interface, where, program id)}."""
        return {(interface, *where) for interface in self.interfaces for where in self.namespace.attached(interface)}

    def all_records(self):
        """All records printed so far, interim ones too. Anything else on stdout is an error."""
        lines = self.stdout.split("\n")
        return [json.loads(line) for line in lines[:-1]]

    def records(self):
        """A record for each connection: the last one that was printed of it so far."""
        last = {}
        for record in self.all_records():
            before = last.get(record["event"]["id"])
            check(not before or not before["tcp"]["final"] or record["tcp"]["final"], "interim record behind the last")
            last[record["event"]["id"]] = record
        return list(last.values())

    def wait_for(self, count, timeout=5.0):
        until(lambda: len(self.records()) >= count or self.code is not None, f"{count} records", timeout)

    def stop(self, number=signal.SIGINT):
        """Stops it as Ctrl-C does, checks that nothing is left attached, and returns all records."""
        if self.code is None:
            self.signal(number)
        equal("exit code", self.wait(), 0)
        self.left_nothing()
        return self.records()

    def left_nothing(self):
        left = self.attached() & self.programs
        check(not left, f"still attached: {sorted(left)}")


class Tun:
    """A tun interface: bare IP packets, without a link header, in both directions."""

    TUNSETIFF, FLAGS = 0x400454ca, 0x1001  # IFF_TUN, IFF_NO_PI

    def __init__(self, lab, namespace, name):
        self.name = name
        try:
            with namespace:
                self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
                lab.stack.callback(os.close, self.fd)
                fcntl.ioctl(self.fd, self.TUNSETIFF, struct.pack("16sH14x", name.encode(), self.FLAGS))
        except OSError as error:
            raise Skip(f"no tun device: {error}") from error
        namespace.run(f"ip link set {name} addrgenmode none up")
        self.out = lab.stack.enter_context(namespace.socket(socket.AF_PACKET, socket.SOCK_DGRAM))

    def receive(self, packet):
        """Makes the packet arrive from the other end of the tunnel."""
        os.write(self.fd, packet)

    def send(self, packet):
        self.out.sendto(packet, (self.name, 0x86dd if packet[0] >> 4 == 6 else 0x0800))


class Lab(contextlib.AbstractContextManager):
    """
    Namespaces `client` and `server`, joined by eth0 at both ends: 10.99.0.1 and fd99:0::1 are the client's addresses,
    10.99.0.2 and fd99:0::2 the server's. link(1) adds eth1 with 10.99.1.x, and so on.
    """

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for number in (signal.SIGTERM, signal.SIGHUP):
                stack.callback(signal.signal, number, signal.signal(number, leave))
            self.stack, self.files = stack, 0
            self.directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="tcpfin-live-"))
            self.client, self.server = self.namespace(), self.namespace()
            self.link(0)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def file(self, suffix):
        """A new path in the laboratory's own directory."""
        self.files += 1
        return os.path.join(self.directory, f"{self.files}.{suffix}")

    def namespace(self):
        new = Namespace()
        self.stack.callback(new.close)
        return new

    def link(self, number):
        """Adds a veth pair between client and server."""
        join(self.client, self.server, number)

    def neighbours(self, number, name=None):
        """Sets the client's static neighbours, which are lost when an interface goes down. name: the interface's."""
        know_neighbours(self.client, number, 2, name or f"eth{number}")


def join(near, far, number):
    """Adds a veth pair of namespaces, with static neighbours: no ARP, no neighbour discovery. near has the ends .1."""
    name = f"eth{number}"
    near.run(f"ip link add {name} address {mac(number, 1)} type veth "
             f"peer name {name} address {mac(number, 2)} netns {far.path}")
    for namespace, own in ((near, 1), (far, 2)):
        namespace.run(f"ip link set {name} addrgenmode none up")
        namespace.run(f"ip address add {ipv4(number, own)}/24 dev {name}")
        namespace.run(f"ip address add {ipv6(number, own)}/64 dev {name} nodad")
        know_neighbours(namespace, number, 3 - own, name)


def know_neighbours(namespace, number, other, name):
    for address in (ipv4(number, other), ipv6(number, other)):
        namespace.run(f"ip neighbour replace {address} lladdr {mac(number, other)} dev {name} nud permanent")


def mac(number, end):
    return f"02:99:00:00:{number:02x}:{end:02x}"


def ipv4(number, end):
    return f"10.99.{number}.{end}"


def ipv6(number, end):
    return f"fd99:{number:x}::{end}"


def leave(number, _frame):
    raise SystemExit(128 + number)
