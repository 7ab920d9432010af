#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
metrics.py TCPFIN-TRACE [NAME...]: metrics of real connections: what they say against the records of the same run, and
what becomes of them where something is in the way. As root. lab/harness.py has how tests are run and what they print.
"""
import contextlib
import os
import signal
import sys
import time

from faults import gave_up, helper_of, said, small_disk
from lab.closes import scenario_named, talk
from lab.harness import PROGRAM, Suite, as_nobody, close_some, one_each, paths, watch
from lab.netlab import Process, check, equal, until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))

from exposition import Metrics, faults, key  # noqa: E402 (its place is known only now)

FILE_SECONDS = 10  # between two files

suite = Suite(workers=2)
test = suite.test


def read(path):
    with open(path, encoding="utf-8") as file:
        return Metrics(file.read())


def check_sums(metrics, tracer):
    """The metrics say what the records of the tracer say."""
    final = [record for record in tracer.all_records() if record["tcp"]["final"]]
    found = list(faults(metrics, final))
    check(not found, "; ".join(found[:5]))
    return final


def check_growth(before, after):
    """No counter has fallen, none is gone."""
    for (name, labels), value in before.samples.items():
        if name.endswith(("_total", "_bucket", "_count", "_sum")):
            check((name, labels) in after.samples, f"{name} {labels} is gone")
            check(float(after.samples[name, labels]) >= float(value), f"{name} {labels} has fallen")


def play_all(lab):
    """Closes of every kind, over both versions of IP; the sockets of the one that stays open, to be held."""
    held = []
    for path in paths(lab):
        for name in ("client_first", "server_first", "three_way", "half_close_with_data", "linger0", "unread_data",
                     "refused"):
            scenario_named(name).play(path)
        held.append(path.connect())
        talk(held[-1])
        held[-1].client.shutdown(1)
    return held


@test
def file_says_what_records_say(lab):
    """At the start, while connections close, and at the end; interim records do not count."""
    path = lab.file("tcpfin.prom")
    tracer = watch(lab, f"--metrics-file={path}", "--close-timeout=1")
    first = read(path)
    equal("connections at the start", first.total("tcpfin_connections_total"), 0)
    held = play_all(lab)
    until(lambda: any(not record["tcp"]["final"] for record in tracer.all_records()), "interim record", 5)
    until(lambda: read(path).total("tcpfin_connections_total"), "a file with connections", FILE_SECONDS + 5, 0.2)
    second = read(path)
    check_growth(first, second)
    equal("established", second.samples[key("tcpfin_table_entries", table="closing")], str(len(held)))
    check(int(second.samples[key("tcpfin_table_capacity_entries", table="established")]) >= 1024, "capacity")
    for connection in held:
        connection.server.close()
        connection.client.close()
    tracer.stop()
    last = read(path)
    check_growth(second, last)
    check_sums(last, tracer)
    equal("losses", last.total("tcpfin_lost_total"), 0)
    check(last.total("tcpfin_cpu_seconds_total") > 0, "the process has not computed")


@test
def file_by_groups(lab):
    """Process and peer come up with the next file, begin at 0, and with the others they are the whole."""
    path = lab.file("tcpfin.prom")
    tracer = watch(lab, f"--metrics-file={path}")
    close_some(paths(lab)[0], 7)
    until(lambda: len(tracer.records()) == 7, "records")
    until(lambda: read(path).total("tcpfin_connections_total") == 7, "next file", FILE_SECONDS + 5, 0.2)
    equal("all of them", read(path).samples[key("tcpfin_process_connections_total", process="other",
                                                outcome="graceful")], "7")
    close_some(paths(lab)[0], 5)
    tracer.stop()
    last = read(path)
    own = [value for labels, value in last.of("tcpfin_process_connections_total").items()
           if dict(labels)["process"].startswith("python")]
    equal("of the process", own, [5])
    check_sums(last, tracer)


@test
def file_without_rights(lab):
    """The program is nobody, its helper replaces the file in root's directory, or the start fails and says why."""
    path = lab.file("tcpfin.prom")
    tracer = watch(lab, f"--metrics-file={path}")
    gave_up(tracer)
    helper = helper_of(tracer)
    close_some(paths(lab)[0], 1)
    tracer.stop()
    equal("connections", read(path).total("tcpfin_connections_total"), 1)
    until(lambda: not os.path.exists(f"/proc/{helper}"), "end of the helper")
    equal("beside it", [name for name in os.listdir(lab.directory) if name.startswith(".")], [])
    nobody = as_nobody(lab, "bpf", "net_admin")
    for place, why in ((path, "Permission denied"), ("/", "Is a directory"), ("/no/such/file", "No such file"),
                       (lab.directory + "/" + "x" * 300, "File name too long")):
        done = Process(lab, lab.client, [*nobody, f"--metrics-file={place}", "eth0"])
        equal(f"exit code with {place}", done.wait(), 1)
        check(done.stderr.startswith(f"tcpfin-trace: --metrics-file {place}: {why}") and done.stderr.count("\n") == 1,
              f"{place}: {done.stderr}")
    equal("programs left", {tuple(one) for one in lab.client.attached("eth0")}, set())


def fill(path):
    """Writes to the file until there is no more room."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(file, b"x" * 4096):
            pass
    os.close(file)


@test
def file_on_a_full_disk(lab):
    """It stays as it is, whole; that is said and counted, and records are unharmed."""
    with small_disk(lab, "size=128k") as beside:
        path = os.path.join(os.path.dirname(beside), "tcpfin.prom")
        tracer = watch(lab, f"--metrics-file={path}")
        helper = helper_of(tracer)
        fill(beside)
        keys = close_some(paths(lab)[0], 3)
        said(tracer, f"cannot replace the metrics of {path}: No space left on device: it stays as it is", 15)
        equal("the file of the start", read(path).total("tcpfin_connections_total"), 0)
        one_each(tracer.stop(), keys)
        until(lambda: not os.path.exists(f"/proc/{helper}"), "end of the helper")
        equal("files", sorted(os.listdir(os.path.dirname(path))), ["records", "tcpfin.prom"])
    check("2 times the metrics of" in tracer.stderr, f"not counted: {tracer.stderr}")


@test
def file_without_a_helper(lab):
    """A helper that was killed is a loss of metrics, not of records."""
    path = lab.file("tcpfin.prom")
    tracer = watch(lab, f"--metrics-file={path}")
    os.kill(helper_of(tracer), signal.SIGKILL)
    keys = close_some(paths(lab)[0], 3)
    time.sleep(0.5)
    one_each(tracer.stop(), keys)
    check("1 times the metrics of" in tracer.stderr, f"not counted: {tracer.stderr}")
    equal("the file of the start", read(path).total("tcpfin_connections_total"), 0)


@test
def draft_of_somebody_else(lab):
    """A link that somebody has put where the draft will be is not followed; a draft of a killed run is no obstacle."""
    path, victim = lab.file("tcpfin.prom"), lab.file("victim")
    draft = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.tmp")
    with open(victim, "w", encoding="ascii") as file:
        file.write("untouched")
    os.symlink(victim, draft)
    tracer = watch(lab, f"--metrics-file={path}")
    tracer.stop()
    read(path)
    with open(victim, encoding="ascii") as file:
        equal("the link's target", file.read(), "untouched")
    check(not os.path.islink(path) and not os.path.lexists(draft), "a link is left")


if __name__ == "__main__":
    suite.main(sys.argv)
