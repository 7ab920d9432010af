#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Files of records (-r FILE.json): which record of a connection counts, filters, tables and checks over them, packed and
several files, and what is said of lines that cannot be used. That every form of output is the same as from the capture
itself is tested for each golden case (run.py).

records.py [NAME...]   Only tests whose names begin so.
"""
import gzip
import hashlib
import ipaddress
import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))

import tracer  # noqa: E402
from build_captures import build  # noqa: E402

TESTS = {}
CASES_OF = {"graceful": "g1_four_way", "reset": "r3_abort", "refused": "r1_refused", "reset6": "forged_rst_ipv6"}


def test(function):
    TESTS[function.__name__] = function
    return function


def run(*words, data=None):
    return subprocess.run([tracer.BINARY, *words], input=data, capture_output=True, timeout=30, env=tracer.ENVIRONMENT,
                          check=False)


def lines_of(records):
    return b"".join(json.dumps(r, separators=(",", ":")).encode() + b"\n" for r in records)


def summary(process):
    """The counts of the summary: word -> number."""
    words = [line.split() for line in process.stderr.decode().splitlines()]
    counts = {w[0]: int(w[1]) for w in words if len(w) > 1 and w[1].isdigit()}
    return {**counts, "connections": next((int(w[0]) for w in words if w[1:] in (["connection"], ["connections"])), 0)}


def expect(what, got, wanted):
    return [] if got == wanted else [f"{what}: {got!r}, expected {wanted!r}"]


def waiting(record, outcome="unanswered"):
    """The interim record of a connection, before its final one."""
    tcp = {**record["tcp"], "final": False, "outcome": outcome}
    return {**record, "tcp": tcp}


@test
def final_record_counts(r):
    """The interim record is printed as it was when it was news, and its connection counts once, by the final one."""
    lines = lines_of([waiting(r["graceful"]), r["reset"], r["graceful"]])
    process = run("-r", "-", "--format=json", data=lines)
    counts = summary(process)
    return (expect("lines", len(process.stdout.splitlines()), 3)
            + expect("connections", counts["connections"], 2)
            + expect("unanswered", counts.get("unanswered"), None)
            + expect("graceful", counts.get("graceful"), 1))


@test
def interim_record_counts_where_none_follows(r):
    """Of two interim records of one connection, the last one counts."""
    lines = lines_of([waiting(r["graceful"]), r["reset"], waiting(r["graceful"], "unfinished")])
    counts = summary(run("-r", "-", "--format=json", data=lines))
    return (expect("connections", counts["connections"], 2) + expect("unfinished", counts.get("unfinished"), 1)
            + expect("unanswered", counts.get("unanswered"), None))


@test
def repeated_final_record_counts_once(r):
    process = run("-r", "-", data=lines_of([r["graceful"], r["graceful"]]))
    said = b"not counted again: 1" in process.stderr
    return expect("connections", summary(process)["connections"], 1) + expect("it is said", said, True)


@test
def filters_hold(r):
    lines, faults = lines_of(r.values()), []
    for option, wanted in ((["--outcome=refused"], ["refused"]), (["-6"], ["reset6"]),
                           (["--where", "outcome = 'graceful'"], ["graceful"]), (["--port=!443"], []),
                           (["--closer=source", "-4", "--outcome=reset"], ["reset"])):
        process = run("-q", "-r", "-", "--format=json", *option, data=lines)
        ids = [json.loads(line)["event"]["id"] for line in process.stdout.splitlines()]
        faults += expect(f"{option}", ids, [r[name]["event"]["id"] for name in wanted])
    return faults


@test
def expression_holds(r):
    process = run("-q", "-r", "-", "--format=json", "ip6 and port 443", data=lines_of(r.values()))
    return expect("records", len(process.stdout.splitlines()), 1)


@test
def check_holds(r):
    lines = lines_of(r.values())
    return (expect("exit", run("-q", "-r", "-", "--check=resets > 1", data=lines).returncode, 5)
            + expect("exit", run("-q", "-r", "-", "--check=resets > 9", data=lines).returncode, 0))


@test
def table_has_all(r):
    process = run("-q", "-r", "-", "--top=3600", "--by=outcome", "--format=json", data=lines_of(r.values()))
    rows = [json.loads(line)["rate"] for line in process.stdout.splitlines()]
    total = [row["connections"] for row in rows if row["span"] == "run" and row["row"] == "total"]
    return expect("total", total, [len(r)])


@test
def table_counts_interim_records_that_stay(r):
    lines = lines_of([r["graceful"], waiting(r["reset"])])
    process = run("-q", "-r", "-", "--top=3600", "--by=outcome", "--format=json", data=lines)
    rows = [json.loads(line)["rate"] for line in process.stdout.splitlines()]
    outcomes = [row["outcome"]["unanswered"] for row in rows if row["span"] == "run" and row["row"] == "total"]
    return expect("unanswered", outcomes, [1])


@test
def processes_have_a_column(r):
    process = {"pid": 7, "name": "shop", "uid": 0, "cgroup": 1, "netns": 1, "how": "close"}
    named = {**r["graceful"], "source": {**r["graceful"]["source"], "process": process}}
    text = run("-q", "-r", "-", data=lines_of([r["reset"], named])).stdout.decode()
    return expect("column", "PROCESS" in text and ">shop[7] close" in text, True)


@test
def count_and_duration_stop(r):
    lines = lines_of(r.values())
    late = {**r["graceful"], "@timestamp": "2027-01-01T00:00:00.000000000Z"}
    two = run("-q", "-r", "-", "-c", "2", "--format=json", data=lines).stdout
    soon = run("-q", "-r", "-", "-d", "0.001", "--format=json", data=lines_of([r["reset"], late])).stdout
    return expect("-c 2", len(two.splitlines()), 2) + expect("-d", len(soon.splitlines()), 1)


@test
def packed_and_several_files(r):
    """gzip, and the records of several files in the order of their last steps."""
    with tempfile.TemporaryDirectory(prefix="tcpfin-records-") as folder:
        paths = [os.path.join(folder, name) for name in ("a.json.gz", "b.json")]
        late = {**r["graceful"], "@timestamp": "2027-01-01T00:00:00.000000000Z"}
        with gzip.open(paths[0], "wb") as file:
            file.write(lines_of([r["reset"], late]))
        with open(paths[1], "wb") as file:
            file.write(lines_of([r["refused"]]))
        process = run("-q", "-r", *paths, "--format=json")
    got = [json.loads(line)["tcp"]["outcome"] for line in process.stdout.splitlines()]
    return expect("outcomes", sorted(got[:2]) + got[2:], ["refused", "reset", "graceful"])


@test
def packed_in_every_way(r):
    """gzip and zstd, in one part and in several, as a file and by a pipe; cut, what is whole is read first."""
    lines, faults = lines_of(r.values()), []
    wanted = run("-q", "-r", "-", "--format=json", data=lines).stdout
    for program, parts in (("gzip", 1), ("gzip", 3), ("zstd", 1), ("zstd", 3)):
        packed = tracer.packed(lines, program, parts=parts)
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(packed)
            file.flush()
            faults += expect(f"{program} {parts}", run("-q", "-r", file.name, "--format=json").stdout, wanted)
        faults += expect(f"{program} {parts}, pipe", run("-q", "-r", "-", "--format=json", data=packed).stdout, wanted)
        cut = run("-q", "-r", "-", "--format=json", data=packed + tracer.packed(lines, program)[:9])
        faults += expect("cut", (cut.returncode, cut.stdout, cut.stderr.decode()), (
            1, wanted, "tcpfin-trace: standard input: truncated: the file ends within its compressed data\n"))
    return faults


@test
def captures_are_read_apart(r):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(lines_of([r["reset"]]))
        file.flush()
        process = run("-r", file.name, os.path.join(TOP, "tests/golden/captures/seed-ssh-close.pcap"))
    return (expect("exit", process.returncode, 1)
            + expect("said", b"records and captures are read apart" in process.stderr, True))


@test
def broken_line_is_named(r):
    """What came before it is reported; the error has the line's number, and is the only one."""
    lines = lines_of([r["reset"], r["graceful"]]) + b'{"event":{"dataset":"tcpfin.close"}}\n' + lines_of([r["refused"]])
    process = run("-q", "-r", "-", "--format=json", data=lines)
    said = process.stderr.decode()
    return (expect("records", len(process.stdout.splitlines()), 2) + expect("exit", process.returncode, 1)
            + expect("line", "standard input:3: no readable record:" in said and said.count("\n") == 1, True))


@test
def cut_line_is_named(r):
    process = run("-q", "-r", "-", data=lines_of([r["reset"]]) + lines_of([r["graceful"]])[:200])
    return (expect("exit", process.returncode, 1)
            + expect("line", b"standard input:2: no readable record: byte" in process.stderr, True))


@test
def unknown_values_are_said(r):
    more = {**r["graceful"], "labels": {"site": "x", "rack": [1, 2]}, "host": {"os": {"family": "debian"}}}
    process = run("-r", "-", "--format=json", data=lines_of([more, r["reset"]]))
    plain = run("-r", "-", "--format=json", data=lines_of([r["graceful"], r["reset"]]))
    said = b"values that this version does not know, passed over: 4, the first one is labels.site" in process.stderr
    return (expect("said", said, True) + expect("records", process.stdout, plain.stdout)
            + expect("nothing said of known ones", b"passed over" in plain.stderr, False))


@test
def other_datasets_are_said(r):
    process = run("-r", "-", data=b'{"event":{"dataset":"nginx.access"}}\n' + lines_of([r["graceful"]]) + b"\n")
    return (expect("said", b"lines of other datasets, passed over: 1" in process.stderr, True)
            + expect("connections", summary(process)["connections"], 1))


# ---- strays ----

STRAY_CASES = ("strays_rst", "strays_rst_ipv6", "strays_fin", "strays_fin_ipv6", "strays_of_a_number")


def strays():
    """The lines of those cases: strays, and a connection that one of them may belong to."""
    with tempfile.TemporaryDirectory(prefix="tcpfin-records-") as folder:
        paths = build(folder, list(STRAY_CASES)).values()
        return b"".join(tracer.trace(path, "json", ["--strays"]).stdout for path in paths)


@test
def strays_on_request(_):
    """With --strays all lines come back as they were, and the summary counts connections only; else it says so."""
    lines = strays()
    asked, plain = (run("-r", "-", "--format=json", *words, data=lines) for words in (["--strays"], []))
    kept = [line for line in lines.splitlines(True) if b'"tcpfin.close"' in line]
    faults = expect("asked", asked.stdout, lines) + expect("plain", plain.stdout, b"".join(kept))
    faults += expect("lines", (len(kept), lines.count(b"\n")), (1, 6))
    for process in asked, plain:
        faults += expect("connections", summary(process)["connections"], 1)
    said = b"strays, which are shown with --strays, passed over: 5\n"
    return faults + expect("said", (said in plain.stderr, said in asked.stderr), (True, False))


@test
def strays_pass_the_same_filters(_):
    """Each filter lets the same strays pass as where they were seen. -c counts connections, and ends as there."""
    faults = []
    with tempfile.TemporaryDirectory(prefix="tcpfin-records-") as folder:
        for name, path in build(folder, list(STRAY_CASES)).items():
            lines = tracer.trace(path, "json", ["--strays"]).stdout
            for words in (["-6"], ["--port=443"], ["--host=10.0.7.7"], ["--outcome=unknown"], ["--outcome=reset"],
                          ["--closer=source"], ["src port 443"], ["--where", "tcp_midstream = true"], ["-c1"],
                          ["--where", "conn_state = 'OTH'"], ["--where", "tcp_completeness = 0"],
                          ["--where", "tcp_history != ''"], ["--where", "reset_by = source"],
                          ["--where", "source_bytes > 0"], ["--where", "tcp_final = true"]):
                seen, again = (run("-q", "-r", file, "--strays", "--format=json", *words, data=data).stdout
                               for file, data in ((path, None), ("-", lines)))
                faults += expect(f"{name} {words}", again, seen)
    return faults


@test
def strays_can_be_handed_on(_):
    lines = strays()
    out = with_key("--strays", "--format=json", data=lines).stdout
    return expect("addresses", ends_of(out), [other_address(ip) for ip in ends_of(lines)])


@test
def strays_are_not_joined(_):
    process = run("--join", "-", "--format=json", data=strays())
    said = b"strays, which belong to no connection and are not joined: 5\n"
    return (expect("joined", process.stdout.count(b"\n"), 1) + expect("said", said in process.stderr, True)
            + expect("exit", process.returncode, 0))


@test
def broken_strays_are_named(_):
    stray, faults = json.loads(strays().splitlines()[0]), []
    for change, why in (({"tcp": {**stray["tcp"], "flags": "S"}}, "tcp.flags are neither a FIN's nor an RST's"),
                        ({"tcp": {**stray["tcp"], "seq": 1 << 32}}, "tcp.seq is too large"),
                        ({"tcp": {}}, "tcp.flags are neither a FIN's nor an RST's"),
                        ({"source": {"port": 1}}, "source.ip is missing"),
                        ({"network": {**stray["network"], "direction": "up"}}, "network.direction ")):
        process = run("-q", "-r", "-", "--strays", data=lines_of([{**stray, **change}]))
        said = f"tcpfin-trace: standard input:1: no readable record: {why}" in process.stderr.decode()
        faults += expect(why, (process.returncode, said), (1, True))
        faults += [] if said else [process.stderr.decode()]
    return faults


# ---- --anonymize ----

KEY = bytes(range(32))


def with_key(*words, data, key=KEY):
    with tempfile.NamedTemporaryFile() as file:
        file.write(key)
        file.flush()
        return run("-q", "-r", "-", "--anonymize-key=" + file.name, *words, data=data)


def other_address(text, key=KEY):
    """What the page says, once more: a bit is flipped by the keyed hash of the bits before it."""
    address = ipaddress.ip_address(text)
    bits, number, other = address.max_prefixlen, int(address), 0
    for i in range(bits):
        prefix = (number >> (bits - i) << (bits - i)).to_bytes(bits // 8, "big").ljust(16, b"\0")
        digest = hashlib.sha256(hashlib.sha256(key).digest() + bytes([address.version, i]) + prefix).digest()
        other = other << 1 | (number >> (bits - 1 - i) & 1) ^ (digest[0] & 1)
    return str(type(address)(other))


def ends_of(lines):
    return [record[end]["ip"] for record in map(json.loads, lines.splitlines()) for end in ("source", "destination")]


def several(r):
    """Records with many addresses, near each other and far."""
    for n in range(60):
        one = r["reset6" if n % 2 else "graceful"]
        ip = f"2001:db8:{n % 3}::{n:x}" if n % 2 else f"10.{n % 3}.{n % 7}.{n}"
        yield {**one, "source": {**one["source"], "ip": ip}, "event": {**one["event"], "id": f"{n:032x}"}}


@test
def addresses_keep_their_networks(r):
    lines = lines_of(several(r))
    got = ends_of(with_key("--format=json", data=lines).stdout)
    faults = expect("addresses", got, [other_address(ip) for ip in ends_of(lines)])
    pairs = [(ipaddress.ip_address(a), ipaddress.ip_address(b)) for a, b in zip(ends_of(lines), got)]
    for version in (4, 6):
        same = [(int(a), int(b)) for a, b in pairs if a.version == version]
        faults += [f"{a:x} and {x:x}: another common prefix" for a, b in same for x, y in same
                   if (a ^ x).bit_length() != (b ^ y).bit_length()]
    return faults[:3]


@test
def nothing_names_host_or_ends(r):
    """In no form, with the sentence, and not in the page; and the ids are others, the same under one key."""
    named = {**r["graceful"], "host": {"name": "db7.example"}, "observer": {
        "ingress": {"interface": {"name": "eth0"}}, "netns": {"name": "tenant-9", "inode": 5}}}
    named["source"] = {**named["source"], "container": {"id": "c0ffee" * 8}}
    named["tcp"] = {**named["tcp"], "related": [r["reset"]["event"]["id"]]}
    lines, faults = lines_of([named]), []
    secrets = [named["source"]["ip"], named["destination"]["ip"], named["network"]["community_id"], "db7", "tenant-9",
               "c0ffee", named["event"]["id"], r["reset"]["event"]["id"]]
    with tempfile.TemporaryDirectory(prefix="tcpfin-records-") as folder:
        page = os.path.join(folder, "page.html")
        for words in (["--format=json", "--report=" + page], ["--format=csv"], ["--format=ladder", "-v"],
                      ["-v"], ["--top", "--by=peer"]):
            out = with_key(*words, data=lines).stdout.decode()
            faults += [f"{words}: {secret}" for secret in secrets if secret in out] + [f"{words}: nothing"] * (not out)
        with open(page, encoding="utf-8") as file:
            out = file.read()
        faults += [f"page: {secret}" for secret in secrets if secret in out]
    first, again = (with_key("--format=json", data=lines).stdout for _ in range(2))
    return faults + expect("one key", first, again)


@test
def keys_make_the_difference(r):
    lines = lines_of([r["graceful"]])
    runs = [run("-q", "-r", "-", "--anonymize", "--format=json", data=lines).stdout for _ in range(2)]
    runs += [with_key("--format=json", data=lines, key=key).stdout for key in (KEY, KEY[:16])]
    faults = expect("different", len(set(runs) | {lines}), 5)
    for key, why in ((KEY[:15], b"a key has at least 16 bytes"), (b"", b"a key has at least 16 bytes")):
        process = with_key(data=lines, key=key)
        faults += expect("exit", process.returncode, 1) + expect("said", why in process.stderr, True)
    process = run("-r", "-", "--anonymize-key=/no/such/file", data=lines)
    return faults + expect("no file", (process.returncode, b"No such file" in process.stderr), (1, True))


@test
def filters_see_what_was(r):
    process = with_key("--format=json", "--host=" + r["graceful"]["source"]["ip"], data=lines_of(r.values()))
    return expect("records", len(process.stdout.splitlines()), sum(
        1 for one in r.values() if r["graceful"]["source"]["ip"] in (one["source"]["ip"], one["destination"]["ip"])))


@test
def both_ends_still_join(r):
    """Two hosts' records under one key are one connection, as they were; under two keys the numbers still say so."""
    views = [{**r["graceful"], "host": {"name": name}, "event": {**r["graceful"]["event"], "id": f"{n:032x}"}}
             for n, name in enumerate(("client", "server"), 1)]
    with tempfile.TemporaryDirectory(prefix="tcpfin-records-") as folder:
        paths = [os.path.join(folder, f"{n}.json") for n in range(4)]
        for path, data in zip(paths, [lines_of([v]) for v in views]
                              + [with_key("--format=json", data=lines_of([v])).stdout for v in views]):
            with open(path, "wb") as file:
                file.write(data)
        plain, anonymous = (run("--join", "--format=json", *pair).stdout for pair in (paths[:2], paths[2:]))
    plain, anonymous = [json.loads(line) for line in plain.splitlines()], [
        json.loads(line) for line in anonymous.splitlines()]
    return (expect("connections", (len(plain), len(anonymous)), (1, 1))
            + expect("outcome", anonymous[0]["tcp"]["outcome"], plain[0]["tcp"]["outcome"])
            + expect("path", anonymous[0].get("path"), plain[0].get("path")))


@test
def other_family_of_a_translated_connection(_):
    """IPv4 and IPv6 on two sides of a translator: each sentence names the other's ends, and none with --anonymize."""
    with tempfile.TemporaryDirectory(prefix="tcpfin-records-") as folder:
        path = build(folder, ["a19_ipv4_mapped"])["a19_ipv4_mapped"]
        plain, hidden = (run("-q", "-v", *words, "-r", path).stdout for words in ((), ("--anonymize",)))
    faults = [f"not said: {ends}" for ends in (b"10.0.0.1:40001 -> 10.0.1.9:443",
                                               b"::ffff:10.0.0.1 port 40001 -> ::ffff:10.0.1.9 port 443")
              if b"it was also seen as " + ends not in plain]
    return faults + expect("anonymized", (b"10.0." in hidden, hidden.count(b"also seen as ")), (False, 2))


def records():
    """Records of golden cases, by outcome."""
    with tempfile.TemporaryDirectory(prefix="tcpfin-records-") as folder:
        paths = build(folder, list(CASES_OF.values()))
        found = {name: tracer.records_of(tracer.trace(paths[case])) for name, case in CASES_OF.items()}
    for number, one in enumerate(found.values()):  # golden cases share ends, numbers and start, and so event.id
        one[0]["event"]["id"] = f"{number:032x}"
    return {name: one[0] for name, one in found.items()}


def main():
    results = []
    made = records()
    for name, function in TESTS.items():
        if name.startswith(tuple(sys.argv[1:] or [""])):
            results.append(tracer.print_result(name, function(made)))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
