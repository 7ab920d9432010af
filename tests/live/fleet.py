#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
fleet.py TCPFIN-TRACE [NAME...]: the tables of user/fleet/ in a real ClickHouse, which runs in a process of Node's. As
root. lab/harness.py has how tests are run and what they print.

npm installs ClickHouse into build/fleet, by the versions of tests/fleet/package-lock.json.
"""
import collections
import json
import os
import shutil
import subprocess
import sys

from lab.closes import Path, scenario_named
from lab.harness import PROGRAM, Suite, in_namespace
from lab.netlab import Skip, Tracer, check, equal, ipv4, ipv6, need, until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCE = os.path.join(TOP, "tests", "fleet")
INSTALLED = os.path.join(TOP, "build", "fleet")

suite = Suite(time_limit=600)
test = suite.test


def install():
    """Skips where ClickHouse cannot be had."""
    need("node", "npm")
    os.makedirs(INSTALLED, exist_ok=True)
    for name in os.listdir(SOURCE):
        shutil.copy(os.path.join(SOURCE, name), INSTALLED)
    if os.path.exists(os.path.join(INSTALLED, "node_modules", "chdb")):
        return
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=INSTALLED, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise Skip(f"npm ci: {done.stderr.strip()[-200:]}")


def agents(lab):
    """The program on both ends of the link, each on a host of its own name."""
    found = []
    for name, namespace in (("near", lab.client), ("far", lab.server)):
        command = in_namespace("--uts", "sh", "-c", f'hostname {name} && exec "$@"', "-")
        found.append(Tracer(lab, namespace, [*command, *PROGRAM], ("eth0",), "--format=json", "--settle=200",
                            "--close-timeout=1"))
        found[-1].wait_for_all()
    return found


def play(lab):
    held = []
    for address in (ipv4(0, 2), ipv6(0, 2)):
        path = Path(lab.client, lab.server, address)
        for name in ("client_first", "server_first", "three_way", "linger0", "unread_data", "refused"):
            scenario_named(name).play(path)
        held.append(path.connect())
        held[-1].client.shutdown(1)
    return held


def answers_of(lab, tracers):
    """What ClickHouse says of the records of both."""
    path = lab.file("json")
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(tracer.stdout for tracer in tracers))
    done = subprocess.run(["node", "clickhouse.js", os.path.join(TOP, "user", "fleet"), path], cwd=INSTALLED,
                          capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stderr.strip()[-500:])
    return json.loads(done.stdout)


def joined_by_us(lab, tracers):
    paths = []
    for tracer in tracers:
        paths.append(lab.file("json"))
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(tracer.stdout)
    done = subprocess.run([*PROGRAM, "--join", "--format=json", *paths], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@test
def tables(lab):
    """
    Records of two hosts, interim ones too, each delivered twice: a row for each connection and host, with its last
    record; counts a minute; both ends joined as --join has them; what is no record is kept apart; every query answers.
    """
    install()
    tracers = agents(lab)
    held = play(lab)
    until(lambda: all(any(not record["tcp"]["final"] for record in tracer.all_records()) for tracer in tracers),
          "interim records", 5)
    for connection in held:
        connection.server.close()
        connection.client.close()
    for tracer in tracers:
        tracer.stop()
    said = answers_of(lab, tracers)
    ours = [record for tracer in tracers for record in tracer.records()]
    equal("rows", len(said["closes"]), len(ours))
    equal("final", {row["final"] for row in said["closes"]}, {1})
    equal("hosts", {row["host"] for row in said["closes"]}, {"near", "far"})
    outcomes = collections.Counter(record["tcp"]["outcome"] for record in ours)
    equal("outcomes", {row["outcome"]: int(row["connections"]) for row in said["minutes"]}, dict(outcomes))
    joined = collections.Counter(record["network"]["community_id"] for record in joined_by_us(lab, tracers)
                                 if len(record["tcp"]["views"]) > 1 and None not in record["tcp"]["isn"].values())
    equal("joined", collections.Counter(row["community_id"] for row in said["joined"]), joined)
    check(joined, "nothing is joined")
    equal("unreadable", said["unreadable"], [{"error": "Cannot parse", "message": "{"}])
    equal("answers", [bool(rows) for rows in said["answers"][:3]], [True] * 3)


if __name__ == "__main__":
    suite.main(sys.argv)
