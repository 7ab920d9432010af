#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
metrics.py TCPFIN-TRACE [NAME...]: metrics of real connections: what they say against the records of the same run, and
what becomes of them where something is in the way. As root. lab/harness.py has how tests are run and what they print.
"""
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from faults import gave_up, helper_of, said, small_disk
from lab import frames
from lab.closes import scenario_named, talk
from lab.harness import PROGRAM, Suite, as_nobody, close_some, one_each, paths, raw_socket, watch
from lab.netlab import SYN, Failure, Process, bpf, check, equal, ipv4, mac, until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))

from exposition import Metrics, faults, key  # noqa: E402 (its place is known only now)

BPF_ENABLE_STATS = 32
FILE_SECONDS = 10  # between two files

suite = Suite(workers=3)
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


# ---- by HTTP ----

PORT = 9435
OPENMETRICS = "application/openmetrics-text"


def connected(lab, address="127.0.0.1", port=PORT):
    with lab.client:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.settimeout(10)
    sock.connect((address, port))
    return sock


def ask(lab, request, **where):
    """(status, headers, body) of an answer to these bytes."""
    with connected(lab, **where) as sock:
        sock.sendall(request.encode())
        answer = b""
        while data := sock.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), body.decode()


def scrape(lab, accept="*/*", **where):
    status, headers, body = ask(lab, f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n", **where)
    equal("status", status, 200)
    openmetrics = headers["content-type"].startswith(OPENMETRICS)
    check(openmetrics or headers["content-type"].startswith("text/plain; version=0.0.4"), headers["content-type"])
    equal("length", int(headers["content-length"]), len(body.encode()))
    return Metrics(body, openmetrics)


@test
def scrapes_say_what_records_say(lab):
    """Each second, in both formats, over IPv4 and IPv6, by a process that has given up its rights."""
    for address in ("127.0.0.1", "::1"):
        place = f"[{address}]:{PORT}" if ":" in address else str(PORT)
        tracer = watch(lab, f"--metrics={place}")
        gave_up(tracer)
        before = scrape(lab, address=address)
        play_all(lab)
        for _ in range(3):
            time.sleep(1)
            after = scrape(lab, address=address)
            check_growth(before, after)
            before = after
        check_sums(after, tracer)
        until(lambda address=address: same_in_both(lab, address), "two scrapes that say the same", 10, 0.5)
        tracer.stop()


def same_in_both(lab, address):
    """OpenMetrics says what the older format says; the host's sockets may have changed between two scrapes."""
    after, other = scrape(lab, address=address), scrape(lab, OPENMETRICS, address=address)
    check(other.openmetrics, "OpenMetrics is not what was asked for")
    names = {name for name, _ in after.samples} - {"tcpfin_cpu_seconds_total"}
    differ = [name for name in names if other.of(name) != after.of(name)]
    of_the_host = {name for name in differ if name.startswith(("tcpfin_local_ports", "tcpfin_time_wait"))}
    equal("what differs", sorted(set(differ) - of_the_host), [])
    return not differ


@test
def stuck_and_ports(lab):
    """What stands still now, by whose turn it is; and the ports that TIME-WAIT holds."""
    tracer = watch(lab, f"--metrics={PORT}", "--close-timeout=0.5")
    leak = key("tcpfin_stuck_closes", state="CLOSE-WAIT", turn="destination")
    equal("at the start", scrape(lab).samples[leak], "0")
    held = play_all(lab)
    until(lambda: scrape(lab).samples[leak] == str(len(held)), "stuck closes", 5, 0.2)
    equal("others", scrape(lab).total("tcpfin_stuck_closes"), len(held))
    for connection in held:
        connection.server.close()
        connection.client.close()
    until(lambda: scrape(lab).total("tcpfin_stuck_closes") == 0, "end of the waits", 5, 0.2)
    with lab.client:
        shown = subprocess.run([*PROGRAM, "--time-wait", "-c1", "--format=json"], capture_output=True, check=True)
    groups = [json.loads(line) for line in shown.stdout.splitlines()]
    ours = [group for group in groups if group["time_wait"]["local"] == "source"]
    check(ours, "no TIME-WAIT was made")
    want = {(group["source"]["ip"], group["time_wait"]["ports"]["in_use"]) for group in ours}

    def ports():
        metrics = scrape(lab)
        return {(dict(labels)["source"], used) for labels, used in metrics.of("tcpfin_local_ports_used").items()}
    until(lambda: ports() == want, f"ports {want}, not {ports()}", 10, 0.5)
    check(scrape(lab).total("tcpfin_time_wait_sockets") >= sum(group["time_wait"]["count"] for group in groups),
          "fewer in TIME-WAIT than --time-wait shows")  # scrapes leave more
    equal("usable", scrape(lab).total("tcpfin_local_ports_usable"), ours[0]["time_wait"]["ports"]["usable"])
    tracer.stop()


@test
def bpf_time(lab):
    """What the kernel's statistics say of the programs, while they are on: it grows with each connection."""
    tracer, name = watch(lab, f"--metrics={PORT}"), "tcpfin_bpf_run_seconds_total"
    switch = bpf(BPF_ENABLE_STATS, struct.pack("=I", 0))
    try:
        close_some(paths(lab)[0], 1)
        before = scrape(lab)
        close_some(paths(lab)[0], 20)
        after = scrape(lab)
    finally:
        os.close(switch)
    check(after.total(name) > before.total(name) > 0, f"{before.of(name)}, then {after.of(name)}")
    check(after.total("tcpfin_bpf_runs_total") >= before.total("tcpfin_bpf_runs_total") + 20 * 8, "too few runs")
    tracer.stop()


@test
def requests(lab):
    """What is no scrape gets an answer as well, or none, and the next scrape works."""
    tracer = watch(lab, f"--metrics={PORT}")
    for line, status in (("GET / HTTP/1.1", 404), ("GET /metric HTTP/1.1", 404), ("GET /metrics/ HTTP/1.1", 404),
                         ("GET /../metrics HTTP/1.1", 404), ("POST /metrics HTTP/1.1", 405),
                         ("DELETE /metrics HTTP/1.1", 405), ("HEAD /metrics HTTP/1.1", 200),
                         ("GET /metrics?x=1 HTTP/1.0", 200)):
        got, headers, body = ask(lab, f"{line}\r\nHost: x\r\n\r\n")
        equal(line, got, status)
        equal(f"body of {line}", bool(body), not line.startswith("HEAD"))
        equal(f"{line}: connection", headers["connection"], "close")
    for rubbish in ("\r\n\r\n", "GET\r\n\r\n", "\x00" * 1000, "GET /" + "x" * 100000 + " HTTP/1.1\r\n\r\n",
                    "GET /metrics HTTP/1.1\r\n" + "a: b\r\n" * 10000):
        with contextlib.suppress(OSError, IndexError, ValueError):
            equal(f"status of {rubbish[:20]!r}", ask(lab, rubbish)[0] // 100, 4)
        scrape(lab)
    tracer.stop()


@test
def port_in_use(lab):
    """A line and exit code 1 before anything is attached."""
    with lab.client:
        taken = socket.create_server(("127.0.0.1", PORT))
    before = lab.client.attached("eth0")
    for place, why in ((str(PORT), "Address already in use"), ("192.0.2.1:80", "Cannot assign requested address")):
        done = Process(lab, lab.client, [*PROGRAM, f"--metrics={place}", "eth0"])
        equal("exit code", done.wait(), 1)
        equal("stderr", done.stderr, f"tcpfin-trace: --metrics {place}: {why}\n")
    done = Process(lab, lab.client, [*as_nobody(lab, "bpf", "net_admin"), "--metrics=80", "eth0"])
    equal("exit code for a privileged port", done.wait(), 3)
    equal("stderr", done.stderr, "tcpfin-trace: --metrics 80: a port below 1024 takes CAP_NET_BIND_SERVICE\n")
    equal("attached", lab.client.attached("eth0"), before)
    taken.close()
    tracer = watch(lab, f"--metrics={PORT}")
    scrape(lab)
    tracer.stop()
    tracer = watch(lab, f"--metrics={PORT}")  # connections of the one before are in TIME-WAIT
    scrape(lab)
    tracer.stop()


@test
def slow_scrapers(lab):
    """As many as there is room for, which read nothing or a byte now and then, are cut off; records are unharmed."""
    tracer = watch(lab, f"--metrics={PORT}")
    slow = []
    for number in range(12):
        slow.append(connected(lab))
        slow[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow[-1].sendall(b"GET /metrics HTTP/1.1\r\n" if number % 2 else b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    keys = close_some(paths(lab)[0], 5)
    begun = time.monotonic()
    until(lambda: len(tracer.records()) == 5, "records while nobody reads")
    check(time.monotonic() - begun < 3, "records came late")

    def trickle():
        for sock in slow:
            with contextlib.suppress(OSError):
                sock.sendall(b"a")
        return scrape_or_none(lab)

    metrics = until_not_none(trickle, 30)
    equal("connections", metrics.total("tcpfin_connections_total"), 5)
    one_each(tracer.stop(), keys)


def scrape_or_none(lab):
    try:
        return scrape(lab)
    except OSError:
        return None


def until_not_none(function, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = function()
        if found is not None:
            return found
    raise Failure(f"nothing after {seconds} s")


PEERS = 100000
IP, TCP = 14, 34  # where these headers begin in a frame


def checksum_of(total):
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def knocks(first, count):
    """Frames with SYNs to the client, each of another address of 198.18.0.0/15."""
    source, destination = "198.18.0.0", ipv4(0, 1)
    ports = (40000, 9)
    packet = frames.ip_packet(source, destination, frames.tcp_segment(source, destination, ports, SYN, 1000, 0, b""))
    frame = bytearray(bytes.fromhex((mac(0, 1) + mac(0, 2)).replace(":", "")) + b"\x08\x00" + packet)
    sums = {at: ~int.from_bytes(frame[at:at + 2], "big") & 0xffff for at in (IP + 10, TCP + 16)}
    for number in range(first, first + count):
        low, high = number & 0xffff, number >> 16
        frame[IP + 13] = 18 + high
        frame[IP + 14:IP + 16] = low.to_bytes(2, "big")
        for at, before in sums.items():
            frame[at:at + 2] = checksum_of(before + high + low).to_bytes(2, "big")
        yield bytes(frame)


@contextlib.contextmanager
def scraped_each_second(lab):
    """Inside `with` a scrape each second, of which none may show a counter that has fallen. Gives the list of them."""
    scrapes, ended, faults_found = [scrape(lab)], threading.Event(), []

    def watch_growth():
        while not ended.wait(1) and not faults_found:
            try:
                scrapes.append(scrape(lab))
                check_growth(*scrapes[-2:])
            except (Failure, OSError) as fault:
                faults_found.append(fault)

    thread = threading.Thread(target=watch_growth)
    thread.start()
    try:
        yield scrapes
    finally:
        ended.set()
        thread.join()
    for fault in faults_found:
        raise fault


def not_delivered(namespace):
    """Frames that the namespace's eth0 could not hand to its peer: no watcher has seen them."""
    return json.loads(namespace.run("ip -s -j link show eth0"))[0]["stats64"]["tx"]["dropped"]


def lost(metrics):
    """Connections that were lost, by where. What the kernel said of an answer (sockets_lost) is none."""
    return {where: float(value) for (name, where), value in metrics.samples.items()
            if name == "tcpfin_lost_total" and float(value) and "sockets_lost" not in where[0]}


@test
def many_peers(lab):
    """100,000 peers that are refused, with a scrape each second: bounded series, nothing falls, and each is counted."""
    lab.client.run(f"ip route add 198.18.0.0/15 via {ipv4(0, 2)}")  # so that the client answers each SYN
    # Each refusal takes a log, and a quarter of --max-unproven is how many there are for those.
    tracer = watch(lab, f"--metrics={PORT}", "--max-unproven=524288", stdout=subprocess.DEVNULL)
    with scraped_each_second(lab) as scrapes:
        with raw_socket(lab.server) as sock:
            for frame in knocks(0, PEERS):
                sock.send(frame)
        seen = PEERS - not_delivered(lab.server)
        until(lambda: scrapes[-1].total("tcpfin_connections_total") + sum(lost(scrapes[-1]).values()) >= seen,
              f"record, or loss, of each of {seen} peers", 30, 0.5)
    last = scrape(lab)
    equal("lost", lost(last), {})
    for group in ("", "process_", "peer_"):
        equal(f"by {group or 'outcome'}", last.total(f"tcpfin_{group}connections_total"), seen)
    check(len(last.samples) < 2000, f"{len(last.samples)} series")
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(20), 0)


if __name__ == "__main__":
    suite.main(sys.argv)
