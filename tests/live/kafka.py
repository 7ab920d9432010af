#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
kafka.py TCPFIN-TRACE [NAME...]: records into Kafka, read back by kcat from librdkafka's mock cluster (kafka_cluster.c),
which can be told to fail. As root. lab/harness.py has how tests are run and what they print.
"""
import collections
import contextlib
import itertools
import json
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from faults import NOBODY, asking_end, gave_up, said
from lab.harness import PROGRAM, Suite, about, close_some, in_namespace, kafka_settings, paths, refuses, watch
from lab.netlab import Process, Tracer, check, equal, ipv4, need, until
from metrics import play_all

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GENCAP = os.path.join(TOP, "build", "bench", "gencap")
CLUSTER = os.path.join(TOP, "build", "tests", "kafka_cluster")
TOPIC = "closes"
TOPIC_AUTHORIZATION_FAILED, MESSAGE_TOO_LARGE = 29, 10  # of Kafka's protocol

suite = Suite(workers=3)
test = suite.test


class Cluster:
    """A mock cluster in the client's namespace."""

    def __init__(self, lab, brokers=3, partitions=4):
        need("kcat")
        self.lab = lab
        with lab.client:
            self.child = subprocess.Popen([CLUSTER, str(brokers), TOPIC, str(partitions)], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, text=True)
        lab.stack.callback(self.close)
        self.brokers = self.child.stdout.readline().strip()
        check(self.brokers, "the mock cluster has not started")
        self.number = brokers
        self.place = f"--kafka={self.brokers}/{TOPIC}"

    def close(self):
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()

    def tell(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        equal("answer of the cluster", self.child.stdout.readline(), "done\n")

    def tell_all(self, word):
        for broker in range(1, self.number + 1):
            self.tell(f"{word} {broker}")

    def messages(self):
        """All messages of the topic: (key, value)."""
        done = self.lab.client.run(f"kcat -b {self.brokers} -t {TOPIC} -C -e -q -f '%k\\t%s\\n'")
        return [tuple(line.split("\t", 1)) for line in done.splitlines()]


def process_of(tracer):
    """The number of Kafka's process."""
    with open(f"/proc/{tracer.child.pid}/task/{tracer.child.pid}/children", encoding="ascii") as children:
        for pid in children.read().split():
            with open(f"/proc/{pid}/comm", encoding="ascii") as name:
                if name.read() == "tcpfin-kafka\n":
                    return int(pid)
    raise AssertionError("no process of Kafka's")


def check_same(cluster, tracer):
    """Kafka has each line that was printed, once, with its Community ID as key."""
    messages = cluster.messages()
    difference = collections.Counter(value for _key, value in messages)
    difference.subtract(tracer.stdout.splitlines())
    check(not any(difference.values()), f"not the same in Kafka: {list((+difference) | (-difference))[:2]}")
    for key, value in messages:
        equal("key", key, json.loads(value)["network"]["community_id"])
    return messages


@test
def records_as_printed(lab):
    """Records of every kind, interim ones too, over both versions of IP."""
    cluster = Cluster(lab)
    tracer = watch(lab, cluster.place, "--close-timeout=1", "--strict")
    held = play_all(lab)
    until(lambda: any(not record["tcp"]["final"] for record in tracer.all_records()), "interim record", 5)
    for connection in held:
        connection.server.close()
        connection.client.close()
    tracer.stop()
    messages = check_same(cluster, tracer)
    check(len(messages) > 16, f"only {len(messages)} messages")
    check(f"Kafka: {len(messages)} records delivered\n" in tracer.stderr, tracer.stderr)


@test
def whatever_is_printed(lab):
    """Tables and text on standard output do not change what Kafka gets: whole records, with event.id."""
    for output in (("--top=0.5",), ("--format=text",), ("--format=csv", "--outcome=graceful")):
        cluster = Cluster(lab)
        tracer = Tracer(lab, lab.client, PROGRAM, ("eth0",), "--settle=200", cluster.place, *output)
        tracer.wait_for_all()
        close_some(paths(lab)[0], 5)
        time.sleep(0.5)
        tracer.signal(signal.SIGINT)
        equal("exit code", tracer.wait(), 0)
        records = [json.loads(value) for _key, value in cluster.messages()]
        equal("records", len(records), 5)
        equal("names", len({record["event"]["id"] for record in records}), 5)


@test
def brokers_come_late(lab):
    """No broker is there when the watch begins: that is said, and nothing is lost."""
    cluster = Cluster(lab)
    cluster.tell_all("down")
    tracer = watch(lab, cluster.place, "--strict")
    close_some(paths(lab)[0], 20)
    tracer.wait_for(20)
    said(tracer, "Kafka: .*(refused|unreachable|down)", 10)
    cluster.tell_all("up")
    until(lambda: len(cluster.messages()) == 20, "messages", 20, 0.5)
    tracer.stop()
    check_same(cluster, tracer)


@test
def leaders_change(lab):
    """One broker of three goes and comes back while connections close: each record arrives once."""
    cluster = Cluster(lab)
    tracer = watch(lab, cluster.place, "--strict")
    for broker in (1, 2, 3):
        cluster.tell(f"down {broker}")
        close_some(paths(lab)[0], 20)
        cluster.tell(f"up {broker}")
    tracer.wait_for(60)
    until(lambda: len(cluster.messages()) == 60, "messages", 30, 0.5)
    tracer.stop()
    check_same(cluster, tracer)


@test
def memory_is_bounded(lab):
    """Brokers stay away: what is beyond the memory for them is counted as lost, and every record is printed."""
    cluster = Cluster(lab)
    cluster.tell_all("down")
    few = kafka_settings(lab, "# few", "", " queue.buffering.max.messages = 30 ")
    tracer = watch(lab, cluster.place, few, "--strict")
    close_some(paths(lab)[0], 100)
    tracer.wait_for(100)
    time.sleep(0.3)
    tracer.signal(signal.SIGUSR1)
    said(tracer, "stats:.* lost 70", 3)
    tracer.signal(signal.SIGINT)
    equal("exit code", tracer.wait(20), 4)
    tracer.left_nothing()
    equal("printed", len(tracer.all_records()), 100)
    said(tracer, "0 records delivered, 100 lost: 70 beyond the memory for what waits, 30 not taken when the run ended")
    check(re.search(r"kafka_lost +100\b", tracer.stderr), tracer.stderr)


@test
def refusals_are_counted(lab):
    """A broker refuses: for want of rights, and a record that is too large for it."""
    for error, words in ((TOPIC_AUTHORIZATION_FAILED, "authorization"), (MESSAGE_TOO_LARGE, "too large")):
        cluster = Cluster(lab, partitions=1)
        cluster.tell(f"errors {error} 1")
        tracer = watch(lab, cluster.place, kafka_settings(lab, "enable.idempotence=false", "batch.num.messages=1"))
        close_some(paths(lab)[0], 1)
        said(tracer, f"Kafka: a record is refused: .*{words}", 5)
        tracer.stop()
        said(tracer, "0 records delivered, 1 lost: 1 refused")


@test
def too_large_for_the_library(lab):
    cluster = Cluster(lab)
    tracer = watch(lab, cluster.place, kafka_settings(lab, "message.max.bytes=1000"))
    close_some(paths(lab)[0], 3)
    tracer.stop()
    said(tracer, "0 records delivered, 3 lost: 3 refused")


def with_host(record, name):
    return json.dumps({**record, "host": {"name": name}}) + "\n"


@test
def too_large_to_hand_over(lab):
    """Records of more than 64 KiB, read from a file, are lost alone: those before and after them are in Kafka."""
    cluster = Cluster(lab)
    tracer = watch(lab)
    close_some(paths(lab)[0], 1)
    tracer.wait_for(1)
    record, = tracer.stop()
    for long in (60000, 65536, 200000):
        path = lab.file("json")
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(with_host(record, name) for name in (f"a{long}", long * "x", f"b{long}", long * "y")))
        done = Process(lab, lab.client, [*PROGRAM, "-r", path, cluster.place, "--strict", "--format=json"])
        lost = 0 if long < 65000 else 2
        equal("exit code", done.wait(20), 4 if lost else 0)
        hosts = [json.loads(value)["host"]["name"] for _key, value in cluster.messages()]
        equal("messages", sum(name in hosts for name in (f"a{long}", f"b{long}", long * "x", long * "y")), 4 - lost)
        said(done, f"{4 - lost} records delivered" + (f", {lost} lost: {lost} refused" if lost else ""))
    said(done, "a record of 20[0-9]{4} bytes is not handed over")


def status_of_threads(pid):
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as status:
            yield dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


@test
def process_without_rights(lab):
    """All threads of Kafka's process are nobody's, filtered, without capabilities; it holds nothing of the watch."""
    cluster = Cluster(lab)
    tracer = watch(lab, cluster.place, "--metrics=9464", f"--metrics-file={lab.file('tcpfin.prom')}")
    gave_up(tracer)
    pid = process_of(tracer)
    close_some(paths(lab)[0], 3)
    until(lambda: len(cluster.messages()) == 3, "messages", 5, 0.2)
    threads = list(status_of_threads(pid))
    check(len(threads) > 3, "the library has no threads")
    for status in threads:
        equal("Uid", status["Uid"].split(), [str(NOBODY)] * 4)
        for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            equal(name, int(status[name], 16), 0)
        equal("Seccomp", status["Seccomp"], "2")
        equal("NoNewPrivs", status["NoNewPrivs"], "1")
    kinds = collections.Counter(re.sub(r"[0-9:\[\]]", "", os.readlink(f"/proc/{pid}/fd/{fd}"))
                                for fd in os.listdir(f"/proc/{pid}/fd"))
    equal("kinds of its descriptors", set(kinds) - {"anon_inodeeventfd", "anon_inodeeventpoll"}, {"socket", "pipe"})
    with lab.client:
        own = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    check(not re.search(rf"pid={pid}\b", own), f"it listens: {own}")
    tracer.stop()
    until(lambda: not os.path.exists(f"/proc/{pid}"), "its end")


def is_ready(tracer):
    """Has Kafka's process given up its rights?"""
    try:
        return all(status["Seccomp"] == "2" for status in status_of_threads(process_of(tracer)))
    except (AssertionError, FileNotFoundError):
        return False


@test
def little_room_in_the_socket(lab):
    """
    The socket to Kafka's process has less room than a message (net.core.wmem_default may be as small): fewer records go
    into one, and a record that does not fit alone is counted and named; the others arrive.
    """
    cluster = Cluster(lab)
    tracer = watch(lab)
    close_some(paths(lab)[0], 1)
    tracer.wait_for(1)
    record, = tracer.stop()
    names = [f"a{number}" for number in range(50)] + [10000 * "x"] + [f"b{number}" for number in range(50)]
    pipe = lab.file("json")
    os.mkfifo(pipe)
    with open(pipe, "r+b", buffering=0) as records:
        done = Process(lab, lab.client, [*PROGRAM, "-r", pipe, cluster.place, "--strict", "--format=json"])
        until(lambda: is_ready(done), "Kafka's process", 10)
        with asking_end(done) as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 0)  # 4,608 bytes, which is the least
        for name in names:
            records.write(with_host(record, name).encode())
    equal("exit code", done.wait(20), 4)
    equal("messages", {json.loads(value)["host"]["name"] for _key, value in cluster.messages()}, {
        name for name in names if len(name) < 10})
    said(done, "a record of 1[0-9]{4} bytes is not handed over")
    said(done, "100 records delivered, 1 lost: 1 refused")


@test
def process_is_killed(lab):
    """The watch goes on and says what it has lost."""
    cluster = Cluster(lab)
    tracer = watch(lab, cluster.place)
    close_some(paths(lab)[0], 3)
    until(lambda: len(cluster.messages()) == 3, "messages", 5, 0.2)
    os.kill(process_of(tracer), signal.SIGKILL)
    close_some(paths(lab)[0], 4)
    tracer.wait_for(7)
    said(tracer, "Kafka's process has ended")
    tracer.stop()
    said(tracer, "3 records delivered, 4 lost")


@test
def watch_is_killed(lab):
    """What the process has is delivered, and it ends."""
    cluster = Cluster(lab)
    tracer = watch(lab, cluster.place)
    pid = process_of(tracer)
    close_some(paths(lab)[0], 5)
    tracer.wait_for(5)
    time.sleep(0.1)  # more than a poll: they are handed over
    tracer.kill()
    until(lambda: not os.path.exists(f"/proc/{pid}"), "its end", 15)
    equal("messages", len(cluster.messages()), 5)


ENTRY = struct.Struct("=II")  # struct exchange_entry: bytes of key and value


def entry(key, value):
    return ENTRY.pack(len(key), len(value)) + key + value


# Messages that are not whole entries.
NONSENSE = {
    "half an entry's head": b"x" * (ENTRY.size - 1),
    "a key that is longer than the message": ENTRY.pack(9, 0) + b"x" * 8,
    "a value that is longer than the message": ENTRY.pack(4, 5) + b"x" * 8,
    "sizes whose sum wraps around": ENTRY.pack(2**32 - 8, 16) + b"x" * 8,
    "the largest sizes": ENTRY.pack(2**32 - 1, 2**32 - 1) + b"x" * 100,
    "an entry, and half of another one": entry(b"k", b"v") + ENTRY.pack(1, 2) + b"k",
    "an entry that is cut at the largest message": ENTRY.pack(1, 70000) + b"x" * 70001,
    "whole entries, in more bytes than a message has": entry(b"k", b"v" * (65536 - 1 - ENTRY.size)) + b"x" * 100,
}


@contextlib.contextmanager
def ending(pid):
    """The process ends because of what is done inside `with`; its parent does not wait for it."""
    process = os.pidfd_open(pid)
    try:
        yield
        check(select.select([process], [], [], 5)[0], "the process goes on")
    finally:
        os.close(process)


@test
def process_attacked(lab):
    """
    Whoever has taken over the program writes to Kafka's process what is no message: it ends without touching memory
    that is not its own, and the watch goes on and says what it has lost.
    """
    cluster = Cluster(lab)
    for name, nonsense in NONSENSE.items():
        with about(name):
            tracer = watch(lab, cluster.place, "--strict")
            with asking_end(tracer) as records, ending(process_of(tracer)):
                records.send(nonsense)
            close_some(paths(lab)[0], 2)
            tracer.wait_for(2)
            said(tracer, "Kafka's process has ended")
            tracer.signal(signal.SIGINT)
            equal("exit code", tracer.wait(), 4)
            said(tracer, "0 records delivered, 2 lost")
    equal("messages", [value for _key, value in cluster.messages() if value != "v"], [])


@test
def process_given_descriptors(lab):
    """Descriptors that come with a message are not taken, and an empty message is the end of the records."""
    cluster = Cluster(lab)
    tracer = watch(lab, cluster.place)
    pid = process_of(tracer)
    close_some(paths(lab)[0], 1)
    until(lambda: len(cluster.messages()) == 1, "messages", 5, 0.2)
    with asking_end(tracer) as records, ending(pid):
        with open(lab.file("given"), "wb") as given:
            for _ in range(10):
                socket.send_fds(records, [entry(b"key", b"value")], [given.fileno()] * 3)
            until(lambda: len(cluster.messages()) == 11, "messages", 5, 0.2)
            held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            check(given.name not in held, "Kafka's process has taken a descriptor")
        records.send(b"")
    close_some(paths(lab)[0], 1)
    said(tracer, "Kafka's process has ended", 5)
    tracer.stop()


class SharedPage:
    """The page in which Kafka's process counts (struct exchange_state), as who has taken over that process has it."""

    STATE = struct.Struct("=QQQQI256s")

    def __init__(self, pid):
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
            self.at, = (int(line.split("-")[0], 16) for line in maps if re.search(r" rw-s .*/dev/zero", line))
        self.memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)

    def write(self, *values):
        os.pwrite(self.memory, self.STATE.pack(*values), self.at)

    def close(self):
        os.close(self.memory)


@test
def process_lies(lab):
    """
    Whoever has taken over Kafka's process has the largest counts and a text without an end, which would clear the
    terminal: no more than was made is believed, and the text is printed as others are.
    """
    tracer = watch(lab, Cluster(lab).place, "--strict")
    with contextlib.closing(SharedPage(process_of(tracer))) as page:
        close_some(paths(lab)[0], 3)
        tracer.wait_for(3)
        for huge in (2**64 - 1, 2**63):  # the sum of two of the latter is 0
            page.write(huge, huge, huge, 0, 77, b"\x1b[2J\xff" * 51 + b"!")
            tracer.signal(signal.SIGUSR1)
            said(tracer, "stats:.* lost 3\\b", 3)
        said(tracer, "Kafka: .*2J", 5)
        tracer.stop()  # with --strict 0: that all were delivered can only be believed
    check("\x1b" not in tracer.stderr, f"not escaped: {tracer.stderr!r}")
    said(tracer, "3 records delivered")


@test
def process_delivers_for_ever(lab):
    """Kafka's process does not end, and its count of delivered records changes for ever: the watch ends."""
    tracer = watch(lab, Cluster(lab).place)
    pid, over = process_of(tracer), threading.Event()
    lab.stack.callback(os.kill, pid, signal.SIGKILL)
    with contextlib.closing(SharedPage(pid)) as page:
        close_some(paths(lab)[0], 3)
        tracer.wait_for(3)
        os.kill(pid, signal.SIGSTOP)

        def lie():
            while not over.wait(0.01):
                page.write(random.getrandbits(64), 0, 0, 0, 0, b"")
        liar = threading.Thread(target=lie)
        liar.start()
        try:
            tracer.signal(signal.SIGINT)
            tracer.wait(35)  # 15 s without a record more
        finally:
            over.set()
            liar.join()
    tracer.stop()


NONSENSE_OF_A_BROKER = (b"\xff" * 64, b"\x7f\xff\xff\xff", b"\0\0\0\0", random.Random(1).randbytes(65536), b"")


def talk_nonsense(listener, peers):
    """Answers each connection with the next nonsense, until the listener is shut down."""
    with contextlib.suppress(OSError):
        for answer in itertools.cycle(NONSENSE_OF_A_BROKER):
            peer, _ = listener.accept()
            peers.append(peer)
            peer.recv(1)
            peer.sendall(answer)


@test
def broker_talks_nonsense(lab):
    """What is at the broker's address answers at random, too much, or not at all: what is lost is counted."""
    peers = []
    with lab.client.socket(socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=talk_nonsense, args=(listener, peers), daemon=True).start()
        settings = kafka_settings(lab, "message.timeout.ms=5000", "reconnect.backoff.max.ms=100",
                                  "socket.timeout.ms=1000", "socket.connection.setup.timeout.ms=1000")
        tracer = watch(lab, f"--kafka=127.0.0.1:{listener.getsockname()[1]}/{TOPIC}", "--strict", settings)
        close_some(paths(lab)[0], 3)
        tracer.wait_for(3)
        until(lambda: len(peers) > 2 * len(NONSENSE_OF_A_BROKER), "connections", 30)
        process_of(tracer)  # is there
        tracer.signal(signal.SIGINT)
        equal("exit code", tracer.wait(20), 4)
        listener.shutdown(socket.SHUT_RDWR)
    said(tracer, "Kafka: 0 records delivered, 3 lost")


def capture_of(lab, connections):
    """A capture with that many closes."""
    path = lab.file("pcap")
    subprocess.run([GENCAP, str(connections), "10", "100", path], check=True)
    return path


@test
def capture_waits(lab):
    """A capture is read as fast as the library takes its records: a short queue loses none."""
    cluster = Cluster(lab)
    path = capture_of(lab, 3000)
    done = Process(lab, lab.client, [*PROGRAM, "-r", path, cluster.place, "--strict", "--format=json",
                                     kafka_settings(lab, "queue.buffering.max.messages=50",
                                                    "queue.buffering.max.ms=1")])
    equal("exit code", done.wait(50), 0)
    check_same(cluster, done)


@test
def capture_gives_up(lab):
    """Brokers are away and a capture waits for them: one signal ends the run, which says what was lost."""
    cluster = Cluster(lab)
    cluster.tell_all("down")
    done = Process(lab, lab.client, [*PROGRAM, "-r", capture_of(lab, 3000), cluster.place,
                                     kafka_settings(lab, "queue.buffering.max.messages=50")])
    said(done, "Kafka: ", 10)
    equal("still waits", done.code, None)
    done.signal(signal.SIGINT)
    equal("exit code", done.wait(20), 0)
    said(done, r"0 records delivered, [0-9]+ lost: ")


@test
def refused_at_the_start(lab):
    """Each with a line that says what to do, before anything is attached."""
    place = "--kafka=127.0.0.1:9092/closes"
    for wrong in ("closes", "/closes", "host:1/", "host:1/a b", "host:1/..", "host:1/" + "x" * 250):
        refuses(lab, [*PROGRAM, f"--kafka={wrong}", "eth0"], 2, "BROKERS/TOPIC")
    for lines, code, words in ((("no-setting",), 2, "line 1 is not NAME=VALUE"),
                               (("# fine", "", "=1"), 2, "line 3 is not NAME=VALUE"),
                               (("", "such.a.name=1"), 1, 'line 2: .*such.a.name'),
                               (("linger.ms=never",), 1, "line 1: Invalid value"),
                               (("acks=1",), 1, "idempotence"),
                               (("acks=all\0", "security.protocol=ssl"), 1, "Invalid or incomplete"),
                               (("ssl.ca.location=/no/such/file", "security.protocol=ssl"), 1, "ssl.ca.location")):
        refuses(lab, [*PROGRAM, place, kafka_settings(lab, *lines), "eth0"], code, words)
    refuses(lab, [*PROGRAM, place, "--kafka-config=/no/such/file", "eth0"], 1, "No such file")
    refuses(lab, [*PROGRAM, "--kafka-config=/dev/null", "eth0"], 2, "--kafka-config is about --kafka")
    for mode in ("--stuck", "--time-wait", "--cleanup", "--probe"):
        refuses(lab, [*PROGRAM, place, mode], 2, "--kafka is about")
    equal("programs left", set(lab.client.attached("eth0")), set())


@test
def secrets_stay_in_the_file(lab):
    """A wrong setting is named by its line; neither a value nor a password is printed, or in the command line."""
    secret = "sEcReT"
    config = kafka_settings(lab, "sasl.mechanism=PLAIN", "security.protocol=sasl_plaintext", "sasl.username=me",
                      f"sasl.password={secret}")
    cluster = Cluster(lab)
    tracer = watch(lab, cluster.place, config)
    with open(f"/proc/{process_of(tracer)}/cmdline", encoding="utf-8") as words:
        check(secret not in words.read(), "a secret in the command line")
    close_some(paths(lab)[0], 1)
    tracer.signal(signal.SIGINT)
    tracer.wait(20)
    check(secret not in tracer.stderr + tracer.stdout, "a secret in what is printed")


NAME, TRUNCATED = "broker.example", 0x0200  # a flag of DNS
LOCALHOST = {1: bytes([127, 0, 0, 1])}  # by type of record


def dns_answer(question, flags=0):
    """The answer to it: one record, none of other types than A, or what does not fit a datagram."""
    end = question.index(0, 12) + 5
    kind, = struct.unpack_from("!H", question, end - 4)
    found = LOCALHOST.get(kind, b"") if not flags else b""
    record = struct.pack("!HHHIH", 0xc00c, kind, 1, 0, len(found)) + found if found else b""
    return struct.pack("!2sHHHHH", question[:2], 0x8180 | flags, 1, bool(record), 0, 0) + question[12:end] + record


def answer_by_datagrams(server, asked):
    """Each is to be asked again by a stream."""
    with contextlib.suppress(OSError):
        while True:
            question, peer = server.recvfrom(512)
            if not question:
                return
            asked["datagram"] += 1
            server.sendto(dns_answer(question, TRUNCATED), peer)


def answer_by_streams(server, asked):
    with contextlib.suppress(OSError):
        while True:
            peer, _ = server.accept()
            with peer:
                while size := peer.recv(2):
                    answer = dns_answer(peer.recv(struct.unpack("!H", size)[0]))
                    asked["stream"] += 1
                    peer.sendall(struct.pack("!H", len(answer)) + answer)


@contextlib.contextmanager
def name_server(lab):
    """A name server at 127.0.0.1 in the client's namespace. How often it was asked, by kind of socket."""
    asked = collections.Counter()
    with contextlib.ExitStack() as stack:
        datagrams, streams = [stack.enter_context(lab.client.socket(socket.AF_INET, kind))
                              for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
        datagrams.bind(("127.0.0.1", 53))
        streams.bind(("127.0.0.1", 53))
        streams.listen()
        for run, server in ((answer_by_datagrams, datagrams), (answer_by_streams, streams)):
            threading.Thread(target=run, args=(server, asked), daemon=True).start()
        yield asked
        for server in (datagrams, streams):
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


@test
def broker_by_name(lab):
    """Kafka's process asks name servers itself, by a datagram, and by a stream where the answer is too long for one."""
    cluster = Cluster(lab)
    resolver = lab.file("resolv.conf")
    with open(resolver, "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.1\n")
    here = in_namespace("--mount", "sh", "-c", f'mount --bind {resolver} /etc/resolv.conf && exec "$@"', "-")
    place = f"--kafka={NAME}:{cluster.brokers.split(',')[0].split(':')[1]}/{TOPIC}"
    with name_server(lab) as asked:
        tracer = watch(lab, place, "--strict", program=[*here, *PROGRAM])
        close_some(paths(lab)[0], 3)
        until(lambda: len(cluster.messages()) == 3, "messages", 10, 0.2)
        tracer.stop()
    check_same(cluster, tracer)
    check(asked["datagram"] and asked["stream"], f"it has asked {asked}")


@test
def without_the_library(lab):
    """A host that lacks librdkafka: only --kafka fails, and says which package it takes."""
    library = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    path = re.search(r"librdkafka\.so\.1 .*=> (\S+)", library)[1]
    hide = in_namespace("--mount", "sh", "-c", f'mount --bind /dev/null {path} && exec "$@"', "-")
    refuses(lab, [*hide, *PROGRAM, "--kafka=127.0.0.1:9092/closes", "eth0"], 1, "cannot load librdkafka .*librdkafka1")
    with contextlib.ExitStack() as stack:
        tracer = watch(lab, program=[*hide, *PROGRAM])
        stack.callback(tracer.stop)
        close_some(paths(lab)[0], 1)
        tracer.wait_for(1)


if __name__ == "__main__":
    suite.main(sys.argv)
