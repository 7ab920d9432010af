# SPDX-License-Identifier: GPL-2.0-or-later
"""Many records for one page: those of the golden captures again and again, with other ids, times, ends and names."""
import copy
import json
import random
import subprocess
from datetime import datetime, timedelta

# What a browser, a terminal or a reader could take for something else. The kernel gives names of any bytes.
HOSTILE = ["</script><script>document.title='owned'</script>", "<img src=x onerror=document.title='owned'>",
           "a\u202eb\u2028c", "'\"&amp;`${1}", "<!--", "{{cases}}", "x' onmouseover='document.title=1"]
SERVICES = [("nginx", 443), ("postgres", 5432), ("redis-server", 6379), ("node", 8080), ("sshd", 22)]
REASONS = ["TCP_ABORT_ON_CLOSE", "NO_SOCKET", "TCP_STATE", "TCP_TIMEWAIT_SOCKET", None]
FORM = "%Y-%m-%dT%H:%M:%S.%f"


def golden(binary, captures):
    """Records of captures, each line as bytes."""
    lines = []
    for capture in captures:
        run = subprocess.run([binary, "-q", "-r", capture, "--format=json"], capture_output=True, timeout=60,
                             check=False)
        lines += [json.loads(line) for line in run.stdout.splitlines()]
    return [r for r in lines if r["event"]["dataset"] == "tcpfin.close" and len(r["tcp"]["segments"]) > 1]


def moved(stamp, by):
    """The time, by so many seconds later. Digits beyond microseconds stay."""
    when = datetime.strptime(stamp[:26], FORM) + timedelta(seconds=by)
    return when.strftime(FORM) + stamp[26:]


def renamed(record, chance, hostile):
    """With a process at the destination, and an interface; hostile: their names."""
    name, port = chance.choice(SERVICES)
    name = hostile or name
    record["destination"]["port"] = port
    record["destination"]["process"] = {"pid": chance.randrange(300, 90000), "name": name[:63], "uid": 33, "cgroup": 7,
                                        "netns": 4026531840, "how": "close"}
    record["observer"] = {"ingress": {"interface": {"name": hostile[:15] if hostile else "eth0"}}}
    reason = hostile or chance.choice(REASONS)
    if record["tcp"]["reset"]["by"] == "destination" and reason:
        record["tcp"]["reset"]["reason"] = reason
    return record


def make(templates, count, seed=1, hostile_each=0):
    """count records over about a day. hostile_each: every so many bear hostile names; 0: none."""
    chance = random.Random(seed)
    graceful = [r for r in templates if r["tcp"]["outcome"] == "graceful"]
    wrong = [r for r in templates if r["tcp"]["outcome"] in ("reset", "refused", "unfinished")]
    for n in range(count):
        hostile = HOSTILE[n // hostile_each % len(HOSTILE)] if hostile_each and n % hostile_each == 0 else None
        record = copy.deepcopy(chance.choice(wrong if hostile or chance.random() < 0.07 else graceful))
        by = 86400 * n / count + 900 * chance.random()
        for place, key in ((record, "@timestamp"), (record["event"], "start"), (record["event"], "end")):
            place[key] = moved(place[key], by)
        record["event"]["id"] = f"{n:032x}"
        if record["tcp"]["isn"]["source"] is not None:  # two connections with equal ones count as one, translated
            record["tcp"]["isn"]["source"] = chance.randrange(2**32)
        if record["network"]["type"] == "ipv4":
            record["source"]["ip"] = f"10.1.{chance.randrange(8)}.{chance.randrange(1, 255)}"
        record["tcp"]["timing"] = {name: ns if ns is None else int(ns * chance.lognormvariate(0, 1))
                                   for name, ns in record["tcp"]["timing"].items()}
        yield renamed(record, chance, hostile)


def write(path, records):
    with open(path, "w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, separators=(",", ":")) + "\n")
