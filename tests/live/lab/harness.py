# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the live suites share: the register of tests, their runner, and reading the program's output.

A test gets a laboratory of its own (netlab.Lab) and prints a line: "ok NAME", "not ok NAME - why", "skip NAME - why".
The sum comes last. The exit code is 1 if a test failed. A test that this machine cannot run is skipped, never passed.
"""
import concurrent.futures
import contextlib
import itertools
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

from lab.closes import Path, scenario_named
from lab.netlab import (PR_SET_PDEATHSIG, Failure, Lab, Process, Skip, Tracer, check, equal, ipv4, ipv6, join, leave,
                        libc, need)

NOBODY = 65534
PROGRAM = []  # the command of the program under test


# ---- running and reading the program ----

def watch(lab, *options, interfaces=("eth0",), program=None, **settings):
    """The program on interfaces of the client, with JSON and a short settling time, after all of it has started."""
    tracer = Tracer(lab, lab.client, program or PROGRAM, interfaces, "--format=json", "--settle=200", *options,
                    **settings)
    tracer.wait_for_all()
    return tracer


def paths(lab, number=0):
    """The paths from client to server over IPv4 and IPv6."""
    return [Path(lab.client, lab.server, address) for address in (ipv4(number, 2), ipv6(number, 2))]


def router(lab):
    """A namespace that forwards between client (eth8) and server (eth9). Returns it, and the paths over both IPs."""
    box = lab.namespace()
    join(lab.client, box, 8)
    join(box, lab.server, 9)
    box.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 "
            "net.ipv4.conf.eth8.rp_filter=0 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth8.send_redirects=0")
    lab.client.run(f"ip route add 10.99.9.0/24 via {ipv4(8, 2)}")
    lab.client.run(f"ip route add fd99:9::/64 via {ipv6(8, 2)}")
    lab.server.run(f"ip route add 10.99.8.0/24 via {ipv4(9, 1)}")
    lab.server.run(f"ip route add fd99:8::/64 via {ipv6(9, 1)}")
    return box, [Path(lab.client, lab.server, address(9, 2)) for address in (ipv4, ipv6)]


def key_of(record):
    return int(record["network"]["type"][-1]), record["source"]["port"], record["destination"]["port"]


def field(record, name):
    for part in name.split("."):
        record = record[part]
    return record


def expect(record, fields):
    for name, value in fields.items():
        equal(name, field(record, name), value)


def one_each(records, keys):
    """{key: record}. Fails unless every connection made has exactly one record and there is no other record."""
    found = {key_of(record): record for record in records}
    check(set(found) == set(keys), f"no record of {sorted(set(keys) - set(found))}, "
                                   f"records of connections that were not made {sorted(set(found) - set(keys))}")
    equal("number of records", len(records), len(keys))
    return found


@contextlib.contextmanager
def about(what):
    """Puts `what` in front of the message of a failure inside `with`."""
    try:
        yield
    except Failure as failure:
        raise Failure(f"{what}: {failure}") from None


GRACEFUL = {"tcp.outcome": "graceful", "tcp.pattern": "four_way", "tcp.closer": "source", "tcp.segments_lost": 0}


def close_some(path, count):
    """Plays that many whole connections and returns their keys."""
    return [scenario_named("client_first").play(path) for _ in range(count)]


def one_close_seen(lab, *options, **settings):
    """Starts the program, makes a connection and checks its record. Returns the stopped program."""
    tracer = watch(lab, *options, **settings)
    keys = close_some(paths(lab)[0], 1)
    tracer.wait_for(1)
    for record in one_each(tracer.stop(), keys).values():
        expect(record, GRACEFUL)
    return tracer


def as_nobody(lab, *capabilities):
    """The command that runs a copy of the program as nobody with these capabilities only."""
    need("setpriv")
    os.chmod(lab.directory, 0o755)
    copy = shutil.copy(PROGRAM[0], lab.file("copy"))
    os.chmod(copy, 0o755)
    kept = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", f"--inh-caps={kept}",
            f"--ambient-caps={kept}", f"--bounding-set={kept}", "--pdeathsig=keep", copy]


def in_namespace(option, *command, by=()):
    """
    The command in a namespace that unshare(1) makes, run by the command `by`. Skips where it cannot: in a chroot, for
    example, the kernel makes no user namespace, and the root is no mount that could be made private.
    """
    need("unshare")
    tried = subprocess.run([*by, "unshare", option, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise Skip(f"unshare {option}: {tried.stderr.strip()}")
    return [*by, "unshare", option, *command]


KERNEL_TYPES = "/sys/kernel/btf/vmlinux"
TRACEPOINTS = {"inet_sock_set_state", "tcp_send_reset", "tcp_receive_reset"}  # of sockets


def with_kernel_types(path):
    """The command that runs the program where the kernel's BTF is that file; None: where it has none."""
    copy = f"cp {path} {KERNEL_TYPES} &&" if path else ""
    script = f'mount -t tmpfs none /sys/kernel/btf && {copy} exec "$@"'
    return in_namespace("--mount", "sh", "-c", script, "sh", *PROGRAM)


def with_raw_tracepoints(lab, names):
    """The command that runs the program where the kernel's BTF lacks these tracepoints, so that they are raw ones."""
    with open(KERNEL_TYPES, "rb") as file:
        types = file.read()
    for name in names:
        types = types.replace(f"\0btf_trace_{name}\0".encode(), f"\0not_trace_{name}\0".encode())
    path = lab.file("btf")
    with open(path, "wb") as file:
        file.write(types)
    return with_kernel_types(path)


def without(what):
    """The command that runs the program where the kernel denies `what` (see deny.py)."""
    return [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "deny.py"), what, *PROGRAM]


def without_tcx():
    """The command that runs the program as on a kernel before 6.6."""
    return without("tcx")


def with_error(lab, call, error, times, *words):
    """
    The command that runs the program where `times` of these calls fail, from the first bpf(2) or sleep on whose line in
    strace's log has all the words.
    """
    need("strace")
    log = lab.file("strace")
    command = ["strace", "-D", "-e", f"trace=bpf,clock_nanosleep,{call}", "-o", log]
    watch(lab, program=[*command, *PROGRAM]).stop()
    with open(log, encoding="ascii") as lines:
        before = itertools.takewhile(lambda line: not all(word in line for word in words), lines)
        number = 1 + sum(line.startswith(f"{call}(") for line in before)
    return [*command, "-e", f"inject={call}:error={error}:when={number}..{number + times - 1}", *PROGRAM]


def raw_socket(namespace, interface="eth0"):
    sock = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((interface, 0))
    return sock


def kafka_settings(lab, *lines):
    """The option that names a new file with these settings of librdkafka."""
    path = lab.file("conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))
    return f"--kafka-config={path}"


def refuses(lab, argv, code, *words):
    """The program ends at once with that code, one line on stderr that has all the words, and nothing on stdout."""
    program = Process(lab, lab.client, argv)
    equal("exit code", program.wait(), code)
    equal("stdout", program.stdout, "")
    equal("number of lines on stderr", len(program.stderr.splitlines()), 1)
    for word in words:
        check(re.search(word, program.stderr), f"no {word!r} in: {program.stderr.strip()}")


FOREIGN = """
#define IN(name) __attribute__((section(name), used))
IN("xdp") int xdp_pass(void *context) { return 2; }
IN("xdp.frags") int xdp_pass_frags(void *context) { return 2; }
IN("classifier") int tc_ok(void *context) { return 0; } /* ends the chain */
IN("license") char _license[] = "GPL";
"""


def foreign_object(lab):
    """The path of an object with programs of another author."""
    need("clang")
    source, compiled = lab.file("c"), lab.file("o")
    with open(source, "w", encoding="ascii") as text:
        text.write(FOREIGN)
    subprocess.run(["clang", "-target", "bpf", "-O2", "-g", "-c", source, "-o", compiled], check=True)
    return compiled


# ---- the runner ----

class Suite:
    """Tests by name, in the order of their definition. Long tests run only by name."""

    def __init__(self, workers=1, time_limit=60):
        self.tests, self.long = {}, set()
        self.workers = workers  # tests at a time
        self.time_limit = time_limit  # s, of one test; a long one has 60 times as much

    def add(self, name, function):
        """function: called with a laboratory; its result goes to main's at_end."""
        self.tests[name] = function

    def test(self, function):
        self.add(function.__name__, function)
        return function

    def long_test(self, function):
        self.long.add(function.__name__)
        return self.test(function)

    def run(self, name):
        """Runs one test and prints its line. Returns (first word of the line, result of the test)."""
        limit = self.time_limit * (60 if name in self.long else 1)

        def give_up(_signal, _frame):
            raise Failure(f"not done after {limit} s")

        signal.signal(signal.SIGALRM, give_up)
        signal.alarm(limit)
        verdict, why, result = "ok", "", None
        try:
            with Lab() as lab:
                result = self.tests[name](lab)
        except Skip as reason:
            verdict, why = "skip", reason
        except Failure as failure:
            verdict, why = "not ok", failure
        except Exception as error:  # the other tests run all the same
            verdict, why = "not ok", f"{type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
        print(f"{verdict} {name}" + (f" - {why}".replace("\n", " | ") if why else ""), flush=True)
        return verdict, result

    def run_all(self, names):
        """The results of run() for all names."""
        if self.workers == 1:
            return [self.run(name) for name in names]
        with concurrent.futures.ProcessPoolExecutor(self.workers, multiprocessing.get_context("fork"),
                                                    begin_worker, [self]) as pool:
            return list(pool.map(run_in_worker, names))

    def main(self, argv, at_end=None):
        """
        argv: the suite's own name, the program under test, and the names of tests, where not all are wanted. at_end:
        called with the results of the tests before the sum is printed.
        """
        if len(argv) < 2:
            sys.exit(f"usage: {os.path.basename(argv[0])} TCPFIN-TRACE [NAME...]")
        names = argv[2:] or [name for name in self.tests if name not in self.long]
        unknown = [name for name in names if name not in self.tests]
        if unknown:
            sys.exit(f"{argv[0]}: no test {' '.join(unknown)}; there are: {' '.join(self.tests)}")
        if os.geteuid() != 0:
            sys.exit(f"{argv[0]}: network namespaces need root")
        PROGRAM[:] = [os.path.abspath(argv[1])]
        signal.signal(signal.SIGTERM, leave)  # running tests clean up
        verdicts, results = zip(*self.run_all(names))
        if at_end:
            at_end(results)
        failed = verdicts.count("not ok")
        print(f"{verdicts.count('ok')} passed, {failed} failed, {verdicts.count('skip')} skipped")
        sys.exit(1 if failed else 0)


# In a worker: its suite. Some tests cannot be pickled, so a worker inherits the suite by fork and gets only names.
OWN = []


def begin_worker(suite):
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    OWN[:] = [suite]


def run_in_worker(name):
    return OWN[0].run(name)
