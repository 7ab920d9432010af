#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
faults.py TCPFIN-TRACE [NAME...]: attacks and faults, and what good behaviour is; as root. README.md has the table of
faults; harness.py says how tests are run and what they print. Tests that take long run only when named.
"""
import re
import subprocess
import sys

from closes import Path, scenario_named
from harness import NOBODY, PROGRAM, Suite, as_nobody, close_some, one_each, paths, watch
from netlab import check, equal, need, until

suite = Suite(workers=3)
test, long_test = suite.test, suite.long_test


# ---- privileges ----

def status_of(tracer):
    with open(f"/proc/{tracer.child.pid}/status", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines)


def gave_up(tracer, capabilities=0):
    """The process is nobody and can do nothing beside its maps."""
    status = status_of(tracer)
    for name in ("Uid", "Gid"):
        equal(name, status[name].split(), [str(NOBODY)] * 4)
    equal("Groups", status["Groups"].split(), [])
    for name in ("CapPrm", "CapEff"):
        equal(name, int(status[name], 16), capabilities)
    for name in ("CapInh", "CapAmb"):
        equal(name, int(status[name], 16), 0)
    equal("NoNewPrivs", status["NoNewPrivs"], "1")
    equal("Seccomp", status["Seccomp"], "2")


def works_without(lab, *options, **settings):
    """It has given up everything, and reports closes, what a sweep finds, and what is unfinished at the end."""
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
    """Started with the three capabilities only: they are given up, too."""
    works_without(lab, program=as_nobody(lab, "bpf", "perfmon", "net_admin"))


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
    check("BPF_PROG_TEST_RUN" in calls, "the filter was never set, or the loop never ran")
    refused = re.findall(r"^.*(?:EPERM|EACCES).*$", calls, re.MULTILINE)
    equal("system calls refused", refused, [])


if __name__ == "__main__":
    suite.main(sys.argv)
