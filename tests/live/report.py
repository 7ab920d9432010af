#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
report.py TCPFIN-TRACE [NAME...]: the file of --report, of a live watch that has given up its rights and of a file:
where it cannot be written, and beside the file of --metrics-file. As root. What the page shows is a matter of
tests/report.
"""
import os
import socket
import subprocess
import sys

from faults import gave_up, small_disk
from lab.harness import PROGRAM, Suite, as_nobody, close_some, one_each, paths, watch
from lab.netlab import Process, check, equal
from metrics import fill

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEED = os.path.join(TOP, "tests", "golden", "captures", "seed-ssh-close.pcap")

suite = Suite(workers=2)
test = suite.test


def connections(path):
    """What the page says of their number. It is whole."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    check(page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n"), "the page is not whole")
    return int(page.split("<dt>connections</dt><dd>")[1].split("<")[0])


@test
def page_without_rights(lab):
    """The program is nobody when it ends; its helper puts the page in root's directory. The page of before stays until
    then, and the metrics have their own file."""
    path, metrics = lab.file("close.html"), lab.file("close.prom")
    with open(path, "w", encoding="ascii") as file:
        file.write("before")
    tracer = watch(lab, f"--report={path}", f"--metrics-file={metrics}")
    gave_up(tracer)
    keys = close_some(paths(lab)[0], 2) + close_some(paths(lab)[1], 1)
    with open(path, encoding="ascii") as file:
        equal("while it runs", file.read(), "before")
    one_each(tracer.stop(), keys)
    equal("connections", connections(path), 3)
    with open(path, encoding="utf-8") as file:
        check(f'<p class="origin">eth0 of {socket.gethostname()}</p>' in file.read(), "where it is from is not told")
    with open(metrics, encoding="ascii") as file:
        check("tcpfin_connections_total" in file.read(), "the metrics are not in their file")
    equal("beside it", [name for name in os.listdir(lab.directory) if name.startswith(".")], [])


@test
def page_that_cannot_be_written(lab):
    """The start fails, and says why."""
    nobody = as_nobody(lab, "bpf", "net_admin")
    for place, why in ((lab.file("close.html"), "Permission denied"), ("/", "Is a directory"),
                       ("/no/such/file", "No such file"), (lab.directory + "/" + "x" * 300, "File name too long")):
        for source in (["eth0"], ["-r", SEED]):
            done = Process(lab, lab.client, [*nobody, f"--report={place}", *source])
            equal(f"exit code with {place}", done.wait(), 1)
            check(done.stderr.startswith(f"tcpfin-trace: --report {place}: {why}") and done.stderr.count("\n") == 1,
                  f"{place}: {done.stderr}")
    equal("programs left", {tuple(one) for one in lab.client.attached("eth0")}, set())


@test
def page_on_a_full_disk(lab):
    """The page of before stays whole, no part of the new one is left, records are unharmed, and the exit code tells."""
    with small_disk(lab, "size=128k") as beside:
        path = os.path.join(os.path.dirname(beside), "close.html")
        command = [*PROGRAM, "-q", "-r", SEED, f"--report={path}"]
        equal("exit code", subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode, 0)
        fill(beside)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        equal("exit code", done.returncode, 1)
        equal("stderr", done.stderr, f"tcpfin-trace: cannot write the report {path}: No space left on device; "
              "there is none, or that of before\n")
        check("graceful" in done.stdout, "the record is missing")
        equal("connections", connections(path), 1)
        equal("files", sorted(os.listdir(os.path.dirname(path))), ["close.html", "records"])


@test
def draft_of_somebody_else(lab):
    """A link that lies where the draft will be is not followed."""
    path, victim = lab.file("close.html"), lab.file("victim")
    with open(victim, "w", encoding="ascii") as file:
        file.write("untouched")
    os.symlink(victim, os.path.join(lab.directory, ".close.html.tmp"))
    subprocess.run([*PROGRAM, "-q", "-r", SEED, f"--report={path}"], stdout=subprocess.DEVNULL, check=True)
    with open(victim, encoding="ascii") as file:
        equal("the link's target", file.read(), "untouched")
    equal("connections", connections(path), 1)


if __name__ == "__main__":
    suite.main(sys.argv)
