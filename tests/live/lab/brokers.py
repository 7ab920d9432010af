# SPDX-License-Identifier: GPL-2.0-or-later
"""
Apache Kafka: three brokers in a namespace of their own, with small heaps, KRaft and replication 3. A test links its own
namespace to theirs. They are started once, for the first test that asks, and are ended with the suite.
"""
import atexit
import collections
import concurrent.futures
import contextlib
import functools
import glob
import json
import os
import re
import signal
import subprocess

from lab import installed
from lab.netlab import Failure, Lab, Process, check, ipv4, join, need, until

NUMBERS = (1, 2, 3)
ADDRESS = "10.99.100.1"  # of all brokers, on their namespace's loopback
LINK = 7                 # the first number of the links from a test to the brokers
PLAIN, SECURE, MUTUAL, CONTROLLER = 9090, 9190, 9290, 9390  # ports, to which a broker's number is added
USER, PASSWORD = "tcpfin", "kept-in-a-file"

PROPERTIES = """
process.roles=broker,controller
node.id={number}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map=PLAIN:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={directory}/brokers.pem
ssl.truststore.type=PEM
ssl.truststore.location={directory}/authority.crt
listener.name.mutual.ssl.client.auth=required
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.secure.plain.sasl.jaas.config={login}
listener.name.secure.scram-sha-256.sasl.jaas.config={scram}
listener.name.secure.scram-sha-512.sasl.jaas.config={scram}
log.dirs={directory}/broker{number}
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
offsets.topic.num.partitions=3
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=6000
log.cleaner.dedupe.buffer.size=4194304
"""

LOGIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def listeners(number, host):
    return ",".join(f"{name}://{host}:{port + number}"
                    for name, port in (("PLAIN", PLAIN), ("SECURE", SECURE), ("MUTUAL", MUTUAL)))


def java(*words, heap=64):
    return ["java", f"-Xmx{heap}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", installed.kafka(), *words]


class Brokers:
    """The three, running, with all replicas in sync."""

    def __init__(self, lab):
        self.lab, self.namespace, self.running = lab, lab.server, {}
        self.namespace.run(f"ip address add {ADDRESS}/32 dev lo")
        self.certificates()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(self.format, NUMBERS))
        for number in NUMBERS:
            self.start(number)
        self.wait_for_all()

    def path(self, name):
        return os.path.join(self.lab.directory, name)

    # ---- certificates ----

    def certificate(self, name, *options):
        """NAME.key and NAME.crt, of its own authority or, with options, of another one."""
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        subprocess.run(["openssl", "req", "-x509", *curve, "-days", "2", "-subj", f"/CN={name}",
                        "-keyout", self.path(name + ".key"), "-out", self.path(name + ".crt"), *options],
                       check=True, capture_output=True)

    def certificates(self):
        by_authority = ("-CA", self.path("authority.crt"), "-CAkey", self.path("authority.key"))
        self.certificate("authority")
        self.certificate("stranger")
        self.certificate("agent", *by_authority)
        self.certificate("brokers", *by_authority, "-addext", f"subjectAltName=IP:{ADDRESS}")
        with open(self.path("brokers.pem"), "w", encoding="ascii") as both:
            for end in ("key", "crt"):
                with open(self.path("brokers." + end), encoding="ascii") as part:
                    both.write(part.read())

    # ---- starting and ending ----

    def format(self, number):
        with open(self.path(f"{number}.properties"), "w", encoding="ascii") as file:
            file.write(PROPERTIES.format(
                number=number, login=LOGIN, scram=SCRAM, directory=self.lab.directory,
                advertised=listeners(number, ADDRESS),
                listeners=f"{listeners(number, '0.0.0.0')},CONTROLLER://127.0.0.1:{CONTROLLER + number}",
                voters=",".join(f"{other}@127.0.0.1:{CONTROLLER + other}" for other in NUMBERS)))
        users = [word for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512")
                 for word in ("--add-scram", f"{kind}=[name={USER},password={PASSWORD}]")]
        subprocess.run(java("kafka.tools.StorageTool", "format", "-t", "A" * 22, *users,
                            "-c", self.path(f"{number}.properties")), check=True, capture_output=True)

    def start(self, number):
        self.running[number] = Process(self.lab, self.namespace, java("kafka.Kafka", self.path(f"{number}.properties"),
                                                                      heap=256))

    def kill(self, number):
        """Without a chance to say goodbye to the others."""
        self.running.pop(number).kill()

    def stop(self, number):
        broker = self.running.pop(number)
        broker.signal(signal.SIGTERM)
        broker.wait(60)

    def wait_for_all(self):
        """Starts those that are away, and waits until each has every replica that it should have."""
        for number in set(NUMBERS) - set(self.running):
            self.start(number)
        until(self.in_sync, "brokers with all replicas in sync", 120, 0.5)

    def in_sync(self):
        for number, broker in self.running.items():
            check(broker.code is None, f"broker {number} has ended: {broker.stdout[-300:]}")
        said = self.metadata()
        return len(said["brokers"]) == len(NUMBERS) and all(
            len(part["isrs"]) == len(NUMBERS) for topic in said["topics"] for part in topic["partitions"])

    # ---- asking and telling them ----

    def kcat(self, *words, **settings):
        with self.namespace:
            return subprocess.run(["kcat", "-b", self.bootstrap(), *words], capture_output=True, check=False,
                                  **settings)

    def metadata(self):
        said = self.kcat("-L", "-J", "-m", "5").stdout
        return json.loads(said) if said else {"brokers": [], "topics": []}

    def leaders(self, topic):
        """The broker that leads each partition."""
        found = [one["partitions"] for one in self.metadata()["topics"] if one["topic"] == topic]
        return [part["leader"] for part in sorted(sum(found, []), key=lambda part: part["partition"])]

    def tool(self, name, *words):
        with self.namespace:
            done = subprocess.run(java(f"org.apache.kafka.tools.{name}", "--bootstrap-server", self.bootstrap(),
                                       *words), capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"{name}: {(done.stdout + done.stderr).strip()[-300:]}")

    def create(self, topic, partitions=4, **config):
        words = [word for name, value in config.items() for word in ("--config", f"{name.replace('_', '.')}={value}")]
        self.tool("TopicCommand", "--create", "--topic", topic, "--partitions", str(partitions), *words)
        until(lambda: -1 not in self.leaders(topic) != [], f"leaders of {topic}", 20, 0.2)

    def move_leaders(self, topic):
        """The next broker leads each partition, while all three are there."""
        wanted = [number % len(NUMBERS) + 1 for number in self.leaders(topic)]
        parts = [{"topic": topic, "partition": number, "replicas": sorted(NUMBERS, key=lambda n, to=to: (n - to) % 3)}
                 for number, to in enumerate(wanted)]
        with open(self.path("reassignment.json"), "w", encoding="ascii") as file:
            json.dump({"version": 1, "partitions": parts}, file)
        self.tool("reassign.ReassignPartitionsCommand", "--execute", "--reassignment-json-file",
                  self.path("reassignment.json"))
        self.tool("LeaderElectionCommand", "--election-type", "preferred", "--all-topic-partitions")
        until(lambda: self.leaders(topic) == wanted, f"leaders {wanted}", 20, 0.2)

    @staticmethod
    def bootstrap(port=PLAIN):
        return ",".join(f"{ADDRESS}:{port + number}" for number in NUMBERS)

    def place(self, topic, port=PLAIN):
        return f"--kafka={self.bootstrap(port)}/{topic}"

    def values(self, topic):
        """All messages of the topic, as lines of bytes."""
        done = self.kcat("-t", topic, "-C", "-e", "-q")
        check(done.returncode == 0, f"kcat: {done.stderr[-200:]}")
        return done.stdout.splitlines()

    def count(self, topic):
        """How many messages the topic has."""
        places = [word for number in range(len(self.leaders(topic))) for word in ("-t", f"{topic}:{number}:-1")]
        return sum(int(line.rsplit(b" ", 1)[1]) for line in self.kcat("-Q", *places).stdout.splitlines())

    def bytes_on_disk(self, topic):
        """Of one copy of all its messages."""
        return sum(os.path.getsize(path) for path in glob.glob(self.path(f"broker*/{topic}-*/*.log"))) / len(NUMBERS)

    def link(self, lab):
        """
        Makes them reachable from both ends of the test's link. Those of the test before go with its namespaces, for
        which the kernel takes its time.
        """
        for number, namespace in enumerate((lab.client, lab.server), LINK):
            with contextlib.suppress(OSError):
                self.namespace.run(f"ip link delete eth{number}")
            join(namespace, self.namespace, number)
            namespace.run(f"ip route add {ADDRESS}/32 via {ipv4(number, 2)}")


EVENT_ID = re.compile(rb'"id":"([0-9a-f]{32})"')  # stands first in a record


def ids(values):
    """How often each event.id comes."""
    return collections.Counter(EVENT_ID.search(value)[1].decode() for value in values)


@functools.cache
def started():
    need("kcat", "openssl")
    installed.kafka()
    lab = Lab()
    lab.__enter__()
    atexit.register(lab.__exit__)
    return Brokers(lab)


def brokers(lab):
    """All three of them are there, with all replicas in sync, and the laboratory reaches them."""
    try:
        found = started()
    except subprocess.CalledProcessError as error:
        raise Failure(f"{error}: {error.stderr[-300:]}") from None
    found.link(lab)
    found.wait_for_all()
    return found
