#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
fleet.py TCPFIN-TRACE [NAME...]: agents -> Kafka -> ClickHouse, all of them real: three brokers of Apache Kafka, and
ClickHouse with the tables of user/fleet/. As root. lab/harness.py has how tests are run and what they print.

Maven and npm install all of it into build/fleet (lab/installed.py).
"""
import collections
import contextlib
import copy
import datetime
import json
import os
import random
import re
import subprocess
import sys
import time

from faults import said
from lab import installed
from lab.brokers import MUTUAL, PASSWORD, SECURE, USER, brokers, ids
from lab.clickhouse import ClickHouse, cpu_seconds, queries
from lab.closes import Path, scenario_named
from lab.harness import PROGRAM, Suite, close_some, in_namespace, kafka_settings, paths, watch
from lab.netlab import Process, Tracer, check, equal, ipv4, ipv6, until

FEW, MANY = 100_000, 1_000_000  # records
AWAY = 60                       # s that all brokers are away
UNREADABLE = "{"
# Valid JSON that is no record, or only looks like one. None may stop those that follow.
NO_RECORDS = """{"event":{"dataset":"tcpfin.stray"}}
{"event":{"dataset":"tcpfin.close"}}
{"event":{"dataset":"tcpfin.close","id":"longer than thirty-two characters","start":"yesterday","end":7},"tcp":[]}
{"event":{"dataset":"tcpfin.close"},"source":{"ip":"no address","port":-1,"bytes":1e99},"tcp":{"final":"yes"}}
[1]
7
"""

suite = Suite(time_limit=600)
test = suite.test


# ---- records ----

def agents(lab, *options):
    """The program on both ends of the link, each on a host of its own name."""
    found = []
    for name, namespace in (("near", lab.client), ("far", lab.server)):
        command = in_namespace("--uts", "sh", "-c", f'hostname {name} && exec "$@"', "-")
        found.append(Tracer(lab, namespace, [*command, *PROGRAM], ("eth0",), "--format=json", "--settle=200",
                            "--close-timeout=1", *options))
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


def watch_both(lab, *options):
    """The agents, stopped after they have seen connections of every kind, with interim records."""
    tracers = agents(lab, *options)
    held = play(lab)
    until(lambda: all(any(not record["tcp"]["final"] for record in tracer.all_records()) for tracer in tracers),
          "interim records", 5)
    for connection in held:
        connection.server.close()
        connection.client.close()
    for tracer in tracers:
        tracer.stop()
    return tracers


def pairs_of(tracers):
    """Records of the two agents that are of one connection."""
    found = collections.defaultdict(list)
    for tracer in tracers:
        for record in tracer.records():
            found[record["network"]["community_id"]].append(record)
    return [pair for pair in found.values() if len(pair) == 2]


def compact(record):
    """As the program prints it, without the line's end."""
    return json.dumps(record, separators=(",", ":"))


MARK = re.compile(r'"?@([a-z]+)([0-9]*)@"?')


def template(record):
    """
    Its line in parts. Each second one names what is another one in every copy: text with its quotes, a number with what
    it is in the record.
    """
    record = copy.deepcopy(record)
    record["event"].update(id="@id@", start="@time@", end="@time@")
    record["@timestamp"], record["source"]["ip"] = "@time@", "@ip@"
    for place, name in [(record["tcp"]["isn"], end) for end in ("source", "destination")] + \
                       [(segment, name) for segment in record["tcp"]["segments"] for name in ("raw_seq", "raw_ack")]:
        place[name] = f"@number{place[name]}@" if place[name] else place[name]
    timing = record["tcp"]["timing"]
    timing.update({name: f"@ns{timing[name]}@" for name in ("close", "half_closed") if timing[name] is not None})
    parts = MARK.split(compact(record))
    return [(parts[at], parts[at + 1], int(parts[at + 2] or 0)) for at in range(0, len(parts) - 1, 3)], parts[-1] + "\n"


def fill(mould, values, number, factor):
    """The line of one copy: sequence numbers are moved by `number`, durations are times `factor`."""
    parts, rest = mould
    found = []
    for text, name, value in parts:
        found.append(text)
        if name == "number":
            found.append(str((value + number) % 2**32))
        elif name == "ns":
            found.append(str(int(value * factor)))
        else:
            found.append(values[name])
    return "".join(found) + rest


def copies(pairs, count):
    """
    Lines (near, far) of count / 2 connections over the last day, each with an address, a time, initial sequence numbers
    and a duration of its own.
    """
    moulds = [[template(record) for record in pair] for pair in pairs]
    networks = ["10.{}.{}.{}" if pair[0]["network"]["type"] == "ipv4" else "2001:db8::{}:{}:{}" for pair in pairs]
    chance, now = random.Random(1), datetime.datetime.utcnow()
    for number in range(count // 2):
        kind = number % len(moulds)
        when = now - datetime.timedelta(seconds=number * 80000 / count)
        values = {"ip": f'"{networks[kind].format(number >> 16, number >> 8 & 255, number & 255)}"',
                  "time": f'"{when.isoformat(timespec="microseconds")}000Z"'}
        factor = chance.lognormvariate(0, 1)
        yield [fill(mould, {**values, "id": f'"{2 * number + end:032x}"'}, 4001 * number, factor)
               for end, mould in enumerate(moulds[kind])]


def write_copies(lab, pairs, count):
    """Two files of records, the near agent's and the far one's."""
    names = [lab.file("json") for _end in range(2)]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(name, "w", encoding="utf-8")) for name in names]
        for lines in copies(pairs, count):
            for file, line in zip(files, lines):
                file.write(line)
    return names


# ---- what we say of them ----

def totals(files):
    """The whole run's row of --top."""
    done = subprocess.run([*PROGRAM, "-q", *(f"--read={name}" for name in files), "--top=31536000", "--format=json"],
                          capture_output=True, text=True, check=True)
    rates = [json.loads(line)["rate"] for line in done.stdout.splitlines()]
    return next(rate for rate in rates if rate["span"] == "run" and rate["row"] == "total")


def joined_by_us(files):
    """The Community IDs of connections that two views, both with their sequence numbers, are joined of."""
    with subprocess.Popen([*PROGRAM, "-q", "--join", "--format=json", *files], stdout=subprocess.PIPE,
                          text=True) as run:
        joined = collections.Counter(
            record["network"]["community_id"] for record in map(json.loads, run.stdout)
            if len(record["tcp"]["views"]) > 1 and None not in record["tcp"]["isn"].values())
    equal("exit code of --join", run.returncode, 0)
    return joined


def counted(rows):
    return {row["name"]: int(row["n"]) for row in rows}


def check_join(clickhouse, files):
    ours = joined_by_us(files)
    theirs = collections.Counter(row["community_id"] for row in clickhouse.rows(
        "SELECT community_id, length(views) AS views FROM tcpfin.joined"))
    different = (ours - theirs) + (theirs - ours)
    check(not different, f"{len(theirs)} joined there, {len(ours)} here; different are {list(different)[:3]}")
    check(ours, "nothing is joined")
    return len(ours)


# ---- tests ----

def end_topic(kafka, topic):
    """A message in each partition that is no record: it is kept apart, and tells that all before it were taken."""
    partitions = len(kafka.leaders(topic))
    for partition in range(partitions):
        done = kafka.kcat("-P", "-t", topic, "-p", str(partition), input=UNREADABLE.encode())
        equal("kcat", done.returncode, 0)
    return partitions


def taken(clickhouse, count, timeout):
    """Waits for the ends of so many partitions, and for the views that are written after them."""
    ends = f"SELECT count() AS n FROM tcpfin.unreadable WHERE message = '{UNREADABLE}'"
    until(lambda: int(clickhouse.value(ends)) == count, f"{count} ends of partitions", timeout, 0.5)
    time.sleep(2)


@test
def tables(lab):
    """
    Records of two hosts, interim ones too, each delivered twice: a row for each connection and host, with its last
    record; counts a minute; both ends joined as --join has them; what is no record is kept apart; every query answers.
    """
    kafka = brokers(lab)
    kafka.create("tables")
    tracers = watch_both(lab, kafka.place("tables"), "--strict")
    for lines in (*(tracer.stdout for tracer in tracers), NO_RECORDS):
        kafka.kcat("-P", "-t", "tables", input=lines.encode())
    clickhouse = ClickHouse(lab, kafka.bootstrap(), "tables")
    taken(clickhouse, end_topic(kafka, "tables"), 60)
    ours = [record for tracer in tracers for record in tracer.records()]
    lines_made = sum(len(tracer.all_records()) for tracer in tracers)
    equal("messages", len(kafka.values("tables")), 2 * lines_made + len(NO_RECORDS.splitlines()) + 4)
    clickhouse.rows("OPTIMIZE TABLE tcpfin.closes FINAL")
    rows = clickhouse.rows("SELECT id, final, host, record FROM tcpfin.closes FINAL")
    equal("rows", {row["id"]: json.loads(row["record"]) for row in rows},
          {record["event"]["id"]: record for record in ours})
    equal("final and host", {(row["final"], row["host"]) for row in rows}, {(1, "near"), (1, "far")})
    check_columns(clickhouse, ours)
    equal("outcomes", counted(clickhouse.rows("SELECT outcome AS name, uniqExactMerge(connections) AS n "
                                              "FROM tcpfin.closes_by_minute GROUP BY outcome")),
          dict(collections.Counter(record["tcp"]["outcome"] for record in ours)))
    check_join(clickhouse, [tracer.paths[0] for tracer in tracers])
    equal("unreadable", {row["message"] for row in clickhouse.rows("SELECT message FROM tcpfin.unreadable")},
          {UNREADABLE, "[1]", "7"})
    equal("answers", [bool(clickhouse.rows(query)) for query in queries()][:3], [True] * 3)


def nested(record, path):
    for name in path.split("."):
        record = record.get(name) if record else None
    return record


def check_columns(clickhouse, records):
    """Each parsed column has what the record has, and a column's default where the record has nothing."""
    row = clickhouse.rows("SELECT source, destination, tcp FROM tcpfin.closes LIMIT 1")[0]
    leaves = [path for name in row for path in leaves_of(row[name], name)]
    check(len(leaves) > 30, f"only {leaves}")
    found = {row["id"]: row for row in clickhouse.rows("SELECT id, source, destination, tcp FROM tcpfin.closes FINAL")}
    for record in records:
        for path in leaves:
            ours, theirs = nested(record, path), nested(found[record["event"]["id"]], path)
            theirs = str(theirs).removeprefix("::ffff:") if path.endswith(".ip") else theirs
            equal(path, None if theirs == "" else theirs, ours)


def leaves_of(value, path):
    if not isinstance(value, dict):
        return [path]
    return [leaf for name in value for leaf in leaves_of(value[name], f"{path}.{name}")]


def produce(lab, kafka, topic, files):
    """All records of the files into the topic. Returns the seconds and the CPU seconds that it took."""
    begun, used = time.monotonic(), {}
    producer = Process(lab, lab.client, [*PROGRAM, *(f"--read={name}" for name in files), kafka.place(topic),
                                         "--strict", "-o", os.devnull])

    def ended():
        for pid in (producer.child.pid, *children_of(producer.child.pid)):
            with contextlib.suppress(OSError):
                used[pid] = cpu_seconds(pid)
        return producer.code is not None

    until(ended, "end of the producer", 3600, 0.1)
    equal("exit code", producer.code, 0)
    return time.monotonic() - begun, sum(used.values()), producer


def children_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [int(word) for word in children.read().split()]
    return []


def through(lab, count):
    """count records of two hosts through Kafka into ClickHouse, and what that took."""
    kafka = brokers(lab)
    topic = f"records{count}"
    kafka.create(topic)
    files = write_copies(lab, pairs_of(watch_both(lab)), count)
    seconds, cpu, producer = produce(lab, kafka, topic, files)
    said(producer, f"Kafka: {count} records delivered")
    equal("messages", kafka.count(topic), count)
    figures = {"produced": count / seconds, "produced a core": count / cpu,
               "JSON bytes": sum(map(os.path.getsize, files)) / count,
               "bytes in Kafka": kafka.bytes_on_disk(topic) / count}
    ends = end_topic(kafka, topic)
    clickhouse = ClickHouse(lab, kafka.bootstrap(), topic)
    begun = time.monotonic()
    taken(clickhouse, ends, count / 200)
    figures["taken"] = count / (time.monotonic() - begun)
    figures["taken a core"] = count / cpu_seconds(clickhouse.child.pid)
    figures["taken twice"] = clickhouse.messages_read() - count - ends
    equal("rows", clickhouse.count("closes FINAL"), count)
    equal("names", int(clickhouse.value("SELECT uniqExact(id) AS n FROM tcpfin.closes")), count)
    check_numbers(clickhouse, totals(files))
    check(check_join(clickhouse, files) > count / 4, "few are joined")
    clickhouse.rows("OPTIMIZE TABLE tcpfin.closes FINAL")
    return {**figures, **clickhouse.bytes_on_disk(count)}


def check_numbers(clickhouse, ours):
    """Counts are equal. Quantiles are, but that ours are within 1/16, and theirs within 1 %."""
    for name in ("outcome", "closer"):
        rows = clickhouse.rows(f"SELECT {name} AS name, uniqExactMerge(connections) AS n "
                               f"FROM tcpfin.closes_by_minute GROUP BY {name}")
        equal(name, counted(rows), {word: n for word, n in ours[name].items() if n})
    for name in ("close", "half_closed"):
        theirs = clickhouse.value(f"SELECT quantilesTDigestMerge(0.5, 0.9, 0.99)({name}) AS q "
                                  "FROM tcpfin.closes_by_minute")
        for quantile, value in (("p50", theirs[0]), ("p99", theirs[2])):
            check(abs(value / ours["timing"][name][quantile] - 1) < 1 / 16 + 0.01,
                  f"{name} {quantile} is {value} there, {ours['timing'][name][quantile]} here")


@test
def a_hundred_thousand(lab):
    """None is lost, none is there twice; counts, quantiles and joined ends are ours."""
    return through(lab, FEW)


@suite.long_test
def a_million(lab):
    return through(lab, MANY)


class Feed:
    """The program reads records that come by and by, and produces them."""

    def __init__(self, lab, kafka, topic, *options):
        fifo = lab.file("fifo")
        os.mkfifo(fifo)
        self.process = Process(lab, lab.client, [*PROGRAM, "-r", fifo, kafka.place(topic), "--strict", "-o", os.devnull,
                                                 *options])
        self.file = open(fifo, "w", encoding="utf-8")  # pylint: disable=consider-using-with
        lab.stack.callback(self.file.close)

    def give(self, lines):
        self.file.writelines(lines)
        self.file.flush()

    def end(self, timeout):
        self.file.close()
        return self.process.wait(timeout)


@test
def brokers_go(lab):
    """
    While 100,000 records come, a broker is killed and comes back, every partition gets another leader, and all brokers
    are away for a minute: each record is in the topic once.
    """
    kafka = brokers(lab)
    kafka.create("brokers_go")
    lines = [line for both in copies(pairs_of(watch_both(lab)), FEW) for line in both]
    parts = [lines[number::5] for number in range(5)]
    feed = Feed(lab, kafka, "brokers_go")
    feed.give(parts[0])
    victim = kafka.leaders("brokers_go")[0]
    kafka.kill(victim)
    feed.give(parts[1])
    until(lambda: victim not in kafka.leaders("brokers_go"), "other leaders", 60, 0.5)
    kafka.wait_for_all()
    feed.give(parts[2][::2])
    kafka.move_leaders("brokers_go")
    feed.give(parts[2][1::2])
    for number in list(kafka.running):
        kafka.kill(number)
    begun = time.monotonic()
    feed.give(parts[3])
    said(feed.process, "Kafka: ", 30)
    time.sleep(max(0, AWAY - (time.monotonic() - begun)))
    kafka.wait_for_all()
    feed.give(parts[4])
    equal("exit code", feed.end(120), 0)
    said(feed.process, f"Kafka: {FEW} records delivered")
    found = ids(kafka.values("brokers_go"))
    equal("records", len(found), FEW)
    equal("how often", set(found.values()), {1})


@test
def topic_comes_late(lab):
    """
    The topic is not there yet. What is made within half a minute before it is there is delivered; a record that has
    waited longer is lost and counted, and those after it are delivered.
    """
    kafka = brokers(lab)
    tracer = watch(lab, kafka.place("soon"), "--strict")
    keys = close_some(paths(lab)[0], 5)
    tracer.wait_for(len(keys))
    kafka.create("soon")
    until(lambda: len(kafka.values("soon")) == 5, "messages", 30, 0.5)
    equal("records", len(tracer.stop()), 5)
    said(tracer, "Kafka: 5 records delivered")
    tracer = watch(lab, kafka.place("later"), kafka_settings(lab, "topic.metadata.propagation.max.ms=1000"))
    close_some(paths(lab)[0], 3)
    said(tracer, "Kafka: a record is refused: .*[Uu]nknown topic", 30)
    kafka.create("later")
    until(lambda: deliver_one(lab, kafka, "later"), "delivered record", 60, 1)
    tracer.stop()
    arrived = len(kafka.values("later"))
    said(tracer, f"Kafka: {arrived} records? delivered, {len(tracer.records()) - arrived} lost: [0-9]+ refused")


def deliver_one(lab, kafka, topic):
    close_some(paths(lab)[0], 1)
    return kafka.values(topic)


@test
def too_large(lab):
    """A topic takes no message beyond a size: exactly those records are lost that are larger, and counted."""
    kafka = brokers(lab)
    records = [compact(record) + "\n" for pair in pairs_of(watch_both(lab)) for record in pair]
    limit = sorted(map(len, records))[len(records) // 2]
    kafka.create("too_large", partitions=1, max_message_bytes=limit)
    feed = Feed(lab, kafka, "too_large", kafka_settings(lab, "compression.codec=none", "batch.num.messages=1"))
    feed.give(records)
    equal("exit code", feed.end(60), 4)
    found = kafka.values("too_large")
    check(0 < len(found) < len(records), f"{len(found)} of {len(records)} messages")
    said(feed.process, "Kafka: a record is refused: .*too large")
    lost = len(records) - len(found)
    said(feed.process, f"Kafka: {len(found)} records delivered, {lost} lost: {lost} refused")
    equal("how often", set(ids(found).values()), {1})
    missing = [line for line in records if not ids(found)[json.loads(line)["event"]["id"]]]
    check(min(map(len, missing)) >= max(map(len, found)), "a record is lost that is smaller than one that is not")


@test
def sasl_and_tls(lab):
    """Brokers that ask for a name and a password, or a certificate; wrong ones, which are told, deliver nothing."""
    kafka = brokers(lab)
    kafka.create("secure")
    authority, stranger = (f"ssl.ca.location={kafka.path(name + '.crt')}" for name in ("authority", "stranger"))
    sasl = ("security.protocol=sasl_ssl", "sasl.mechanism=PLAIN", f"sasl.username={USER}")
    agent = ("security.protocol=ssl", f"ssl.certificate.location={kafka.path('agent.crt')}",
             f"ssl.key.location={kafka.path('agent.key')}")
    right = ((SECURE, (*sasl, authority, f"sasl.password={PASSWORD}")), (MUTUAL, (*agent, authority)))
    wrong = ((SECURE, (*sasl, authority, "sasl.password=guessed"), "[Aa]uthentication"),
             (SECURE, (*sasl, stranger, f"sasl.password={PASSWORD}"), "certificate"),
             (MUTUAL, ("security.protocol=ssl", authority), "SSL|handshake|certificate|[Dd]isconnected"))
    for number, (port, lines) in enumerate(right, 1):
        tracer = watch(lab, kafka.place("secure", port), kafka_settings(lab, *lines), "--strict")
        close_some(paths(lab)[0], 5)
        tracer.wait_for(5)
        tracer.stop()
        said(tracer, "Kafka: 5 records delivered")
        equal("messages", len(kafka.values("secure")), 5 * number)
    for port, lines, words in wrong:
        tracer = watch(lab, kafka.place("secure", port), kafka_settings(lab, *lines))
        close_some(paths(lab)[0], 1)
        said(tracer, f"Kafka: .*({words})", 20)
        tracer.signal(2)
        tracer.wait(30)
        said(tracer, "Kafka: 0 records delivered, 1 lost")
        check(PASSWORD not in tracer.stderr, "a secret is printed")
    equal("messages", len(kafka.values("secure")), 10)


@test
def scram(lab):
    """
    Names and passwords that do not cross the wire, by a librdkafka that is newer than Debian's: that one's answer is
    refused, and told.
    """
    kafka, newer = brokers(lab), f"LD_LIBRARY_PATH={installed.librdkafka()}"
    kafka.create("scram")
    settings = ("security.protocol=sasl_ssl", f"ssl.ca.location={kafka.path('authority.crt')}", f"sasl.username={USER}")
    mechanisms = ("SCRAM-SHA-256", "SCRAM-SHA-512")
    for number, mechanism in enumerate(mechanisms, 1):
        for words, password, works in (([], PASSWORD, False), (["env", newer], "guessed", False),
                                       (["env", newer], PASSWORD, True)):
            config = kafka_settings(lab, *settings, f"sasl.mechanism={mechanism}", f"sasl.password={password}")
            tracer = watch(lab, kafka.place("scram", SECURE), config, program=[*words, *PROGRAM])
            close_some(paths(lab)[0], 3)
            tracer.wait_for(3)
            if not works:
                said(tracer, "Kafka: .*[Aa]uthentication", 20)
            tracer.signal(2)
            tracer.wait(30)
            said(tracer, f"Kafka: {3 if works else 0} records delivered")
        equal("messages", len(kafka.values("scram")), 3 * number)


def print_figures(results):
    for figures in results:
        if figures:
            print("records a second, bytes a record: "
                  + ", ".join(f"{name} {value:,.0f}" for name, value in figures.items()))


if __name__ == "__main__":
    suite.main(sys.argv, print_figures)
