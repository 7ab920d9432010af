#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
ipfix.py TCPFIN-TRACE [NAME...]: records of real connections at IPFIX collectors: a reader on libfixbuf, nfcapd and
nfacctd; and what becomes of the records where a collector goes, comes or does not answer. As root. lab/harness.py has
how tests are run and what they print.

nfcapd and nfacctd are Debian's packages, unpacked into build/ipfix: nothing is installed, and no service starts.
"""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

from faults import gave_up, helper_of, said
from lab.harness import PROGRAM, Suite, as_nobody, close_some, key_of, one_each, paths, watch
from lab.netlab import Process, check, equal, until
from lab.packages import unpacked
from metrics import play_all
from netns import process_in

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))

from exported import standard_elements  # noqa: E402 (its place is known only now)

READER = os.path.join(TOP, "build", "tests", "ipfix_reader")
PRIMITIVES = os.path.join(TOP, "user", "ipfix", "nfacctd.primitives")
UNPACKED = os.path.join(TOP, "build", "ipfix")
PACKAGES = {"usr/bin/nfcapd": "nfdump", "usr/bin/nfdump": "nfdump", "usr/sbin/nfacctd": "pmacct"}
PORT = 4739
HERE = f"127.0.0.1:{PORT}"
TCP = "--ipfix-transport=tcp"
MOST_PRIMITIVES = 40  # nfacctd 1.7.7 mixes up the texts of more

suite = Suite(workers=2, time_limit=90)
test = suite.test


# ---- collectors ----

class Reader(Process):
    """The reader on libfixbuf, in the client's namespace."""

    def __init__(self, lab, kind, address="127.0.0.1"):
        super().__init__(lab, lab.client, [READER, kind, address, str(PORT)])
        until(lambda: "listening" in self.stdout or self.code is not None, "the reader", 10)
        equal("the reader's exit code", self.code, None)

    def lines(self):
        return [json.loads(line) for line in self.stdout.split("\n")[:-1]]

    def exported(self):
        """{key as of a record: elements}"""
        found = [line for line in self.lines() if "flowEndReason" in line]
        return {(4 if "sourceIPv4Address" in one else 6, one["sourceTransportPort"],
                 one["destinationTransportPort"]): one for one in found}

    def wait_for(self, count, timeout=5):
        until(lambda: len(self.exported()) >= count, f"{count} exported records", timeout)

    def end(self):
        """Once the exporter has closed: what was exported, and nothing twice."""
        until(lambda: any("described" in line for line in self.lines()), "the exporter's end", 10)
        self.kill()
        equal("said by the reader", self.stderr, "")
        found = self.exported()
        equal("number of exported records", sum("flowEndReason" in line for line in self.lines()), len(found))
        return found


def tool(path):
    """The command of one of the packages' programs, with the libraries beside it."""
    program = unpacked(UNPACKED, PACKAGES[path], path, needs=True)
    libraries = [os.path.join(UNPACKED, "usr", "lib", "x86_64-linux-gnu"), os.path.join(UNPACKED, "usr", "lib")]
    return ["env", "LD_LIBRARY_PATH=" + ":".join(libraries), program]


def wait_bound(lab, process):
    def bound():
        with lab.client, open("/proc/thread-self/net/udp", encoding="ascii") as file:
            return f":{PORT:04X} " in file.read()
    until(lambda: bound() or process.code is not None, "the collector", 15, 0.1)
    equal("the collector's exit code", process.code, None)


# ---- what is exported ----

OWN = {"tcpfinOutcome": "tcp.outcome", "tcpfinPattern": "tcp.pattern", "tcpfinCloser": "tcp.closer",
       "tcpfinMissing": "tcp.missing", "tcpfinResetBy": "tcp.reset.by", "tcpfinResetPhase": "tcp.reset.phase",
       "tcpfinTimingClose": "tcp.timing.close", "tcpfinTimingFinToAck": "tcp.timing.fin_to_ack",
       "tcpfinEventId": "event.id", "tcpfinHistory": "tcp.history", "tcpfinMidstream": "tcp.midstream",
       "tcpfinSourceProcessName": "source.process.name", "tcpfinDestinationSocketUnreadBytes":
       "destination.socket.unread_bytes", "tcpfinHostName": "host.name"}


def at(record, path):
    for part in path.split("."):
        record = record.get(part) if record else None
    return record


def interfaces_of(record):
    return " ".join(record["tcp"].get("interfaces", [record["observer"]["ingress"]["interface"]["name"]]))


def check_exported(exported, records):
    """Each final record was exported once, says what the record says, and nothing that it does not know."""
    final = {key_of(record): record for record in records if record["tcp"]["final"]}
    equal("exported connections", sorted(exported), sorted(final))
    for key, record in final.items():
        expected = {**dict(standard_elements(record)), **{name: at(record, path) for name, path in OWN.items()},
                    "tcpfinInterfaces": interfaces_of(record)}
        for name, value in expected.items():
            equal(f"{name} of {key}", exported[key].get(name), value)
        if not record["tcp"].get("traffic"):
            check(not [name for name in exported[key] if name.endswith("TotalCount")], "what was not counted is there")
    return final


def check_play(lab, reader, *options):
    tracer = watch(lab, "--close-timeout=1", *options)
    gave_up(tracer)
    held = play_all(lab)
    until(lambda: any(not record["tcp"]["final"] for record in tracer.all_records()), "interim record", 5)
    for connection in held:
        connection.server.close()
        connection.client.close()
    records = tracer.stop()
    equal("said", re.findall("IPFIX.*", tracer.stderr), [])
    return check_exported(reader.end(), records)


@test
def tcp_says_what_records_say(lab):
    """Closes of every kind; interim records are not exported. Packets are there with --all-segments, and only then."""
    final = check_play(lab, Reader(lab, "tcp"), f"--ipfix={HERE}", TCP)
    check(len({record["tcp"]["outcome"] for record in final.values()}) >= 3, "too few outcomes")
    final = check_play(lab, Reader(lab, "tcp"), f"--ipfix=localhost:{PORT}", TCP, "--all-segments")
    check(all(record["tcp"].get("traffic") for record in final.values() if record["tcp"]["outcome"] == "graceful"),
          "nothing was counted")


@test
def tcp_over_ipv6(lab):
    """An address in brackets; another enterprise's number."""
    reader = Reader(lab, "tcp", "::1")
    check_play(lab, reader, f"--ipfix=[::1]:{PORT}", TCP, "--ipfix-enterprise=4294967295", "--ipfix-domain=0")
    equal("enterprises", {line["enterprise"] for line in reader.lines() if "element" in line}, {4294967295})


def objects(text):
    """The JSON objects that stand in the text one after the other, whatever is between them."""
    decoder, place = json.JSONDecoder(), text.find("{")
    while place >= 0:
        found, end = decoder.raw_decode(text, place)
        yield found
        place = text.find("{", end)


@suite.long_test
def read_by_nfcapd(lab):
    """It keeps what it knows: ends, flags, packets, times, the end's reason; and sees no sequence error."""
    folder = lab.file("nfcapd")
    os.mkdir(folder, 0o755)
    collector = Process(lab, lab.client, [*tool("usr/bin/nfcapd"), "-w", folder, "-b", "127.0.0.1", "-p", str(PORT)])
    wait_bound(lab, collector)
    tracer = watch(lab, f"--ipfix={HERE}", "--all-segments")
    keys = close_some(paths(lab)[0], 20) + close_some(paths(lab)[1], 20)
    records = one_each(tracer.stop(), keys)
    time.sleep(0.5)
    collector.signal(signal.SIGTERM)
    collector.wait(10)
    check("Sequence Errors: 0, Bad Packets: 0" in collector.stdout + collector.stderr,
          f"nfcapd: {collector.stdout} {collector.stderr}")
    done = subprocess.run([*tool("usr/bin/nfdump"), "-q", "-R", folder, "-o", "json"], capture_output=True, text=True,
                          check=True)
    flows = {(4 if "src4_addr" in one else 6, one["src_port"], one["dst_port"]): one for one in objects(done.stdout)}
    equal("flows", sorted(flows), sorted(keys))
    for key, record in records.items():
        flow, sides = flows[key], record["tcp"]["traffic"]
        address = f"src{key[0]}_addr"
        equal(address, flow[address], record["source"]["ip"])
        equal("packets", (flow["in_packets"], flow["out_packets"]),
              (sides["source"]["packets"], sides["destination"]["packets"]))
        equal("flags", sorted(flow["tcp_flags"].replace(".", "")), sorted("APSF"))
        equal("end", flow["last"][:23], record["event"]["end"][:23])
        equal("protocol", flow["proto"], 6)


def nfacctd(lab, primitives):
    """nfacctd with these primitives, writing JSON lines to the file that is returned with it."""
    config, listed, out = lab.file("conf"), lab.file("primitives"), lab.file("nfacctd")
    with open(listed, "w", encoding="ascii") as file:
        file.writelines(line + "\n" for line in primitives)
    names = [line.split()[0].removeprefix("name=") for line in primitives]
    with open(config, "w", encoding="ascii") as file:
        file.write(f"daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {PORT}\nplugins: print[a]\n"
                   f"print_output[a]: json\nprint_output_file[a]: {out}\nprint_output_file_append[a]: true\n"
                   "print_refresh_time[a]: 1\nprint_history[a]: 1h\n"
                   f"aggregate_primitives: {listed}\n"
                   f"aggregate[a]: src_host, dst_host, src_port, dst_port, proto, tcpflags, {', '.join(names)}\n")
    process = Process(lab, lab.client, [*tool("usr/sbin/nfacctd"), "-f", config])
    wait_bound(lab, process)
    return process, out


def rows_of(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file.read().split("\n")[:-1]]


def check_mapped(row, elements, primitives):
    """Every primitive of the file has the value of its element, and none where the element is not there."""
    for line in primitives:
        name = re.match(r"name=(\w+)", line)[1]
        value, got = elements.get(name), row[name.lower()]
        if value is None:
            check(got in ("", "0", "0x0", 0), f"{name} is {got!r}, and was not exported")
        elif "semantics=str" in line:
            equal(name, got, value)
        elif "semantics=u_int" in line:
            equal(name, int(got), {True: 1, False: 2}.get(value, value) if isinstance(value, bool) else value)


def check_nfacctd(lab, primitives):
    process, out = nfacctd(lab, primitives)
    tracer = watch(lab, f"--ipfix={HERE}", "--all-segments")
    keys = [key for path in paths(lab) for key in close_some(path, 3)]
    records = one_each(tracer.stop(), keys)
    until(lambda: len(rows_of(out)) >= len(keys), "rows of nfacctd", 15, 0.2)
    process.signal(signal.SIGINT)
    for row in rows_of(out):
        record = records[6 if ":" in row["ip_src"] else 4, row["port_src"], row["port_dst"]]
        elements = {**dict(standard_elements(record)), **{name: at(record, path) for name, path in OWN.items()},
                    "tcpfinInterfaces": interfaces_of(record)}
        known = [line for line in primitives if re.match(r"name=(\w+)", line)[1] in elements]
        check_mapped(row, elements, known)
        equal("flags", int(row["tcp_flags"]), elements["tcpControlBits"])


@suite.long_test
def read_by_nfacctd(lab):
    """It maps all of it by the file that we ship: every line, texts of any length, numbers, reverse elements."""
    with open(PRIMITIVES, encoding="ascii") as file:
        primitives = [line.strip() for line in file if not line.startswith("#")]
    for first in range(0, len(primitives), MOST_PRIMITIVES):
        check_nfacctd(lab, primitives[first:first + MOST_PRIMITIVES])


# ---- collectors that go, come and do not answer ----

def lost(tracer):
    found = re.search(r"(\d+) records did not reach the IPFIX collector", tracer.stderr)
    return int(found[1]) if found else 0


@test
def udp_collector_comes_later(lab):
    """It is said at the start that nobody listens; what is lost is counted; once it is there it understands at once."""
    tracer = watch(lab, f"--ipfix={HERE}")
    said(tracer, f"IPFIX collector {HERE}: Connection refused")
    early = close_some(paths(lab)[0], 5)
    until(lambda: len(tracer.records()) == 5, "records")
    time.sleep(1.5)  # a message of records is sent each second
    reader = Reader(lab, "udp")
    close_some(paths(lab)[0], 1)  # what shows that it is back
    said(tracer, f"IPFIX collector {HERE} is back", 5)
    late = close_some(paths(lab)[0], 5)
    reader.wait_for(5)
    check(set(late) <= set(reader.exported()), "records of the time after it")
    one_each(tracer.stop(), early + late + [key for key in map(key_of, tracer.records()) if key not in early + late])
    check(5 <= lost(tracer) <= 6, f"lost: {tracer.stderr}")


def listening_there(lab):
    """A collector that does not read."""
    listening = lab.client.socket(socket.AF_INET)
    listening.bind(("127.0.0.1", PORT))
    listening.listen()
    return listening


def abort(connection):
    """Closes it and leaves no TIME-WAIT, so that a reader can have the port at once."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@test
def tcp_collector_comes_back(lab):
    """Its end is noticed; every record of the meantime is counted as lost; a new connection begins anew."""
    with listening_there(lab) as listening:
        tracer = watch(lab, f"--ipfix={HERE}", TCP, "--strict")
        connection, _ = listening.accept()
    before = close_some(paths(lab)[0], 3)
    until(lambda: len(tracer.records()) == 3, "records")
    time.sleep(1.5)
    abort(connection)
    said(tracer, f"IPFIX collector {HERE}: Connection reset by peer")
    between = close_some(paths(lab)[1], 4)
    until(lambda: len(tracer.records()) == 7, "records")
    again = Reader(lab, "tcp")
    said(tracer, f"IPFIX collector {HERE} is back", 10)
    after = close_some(paths(lab)[0], 5)
    again.wait_for(5)
    tracer.signal(signal.SIGINT)
    equal("exit code of --strict", tracer.wait(), 4)
    equal("exported", sorted(again.end()), sorted(after))
    one_each(tracer.records(), before + between + after)
    equal("lost", lost(tracer), 4)


@test
def another_namespace(lab):
    """--netns: the collector is reached from the namespace in which the program was started, at the start and later."""
    with process_in(lab.server) as process:
        with listening_there(lab) as listening:
            tracer = Process(lab, lab.client, [*PROGRAM, "--format=json", "--settle=200", f"--netns={process.pid}",
                                               f"--ipfix={HERE}", TCP, "eth0"])
            connection, _ = listening.accept()
        until(lambda: "tables take" in tracer.stderr or tracer.code is not None, "start", 10)
        abort(connection)
        reader = Reader(lab, "tcp")
        said(tracer, f"IPFIX collector {HERE} is back", 10)
        keys = close_some(paths(lab)[0], 2)
        reader.wait_for(2)
        tracer.signal(signal.SIGINT)
        equal("exit code", tracer.wait(), 0)
        equal("exported", sorted(reader.end()), sorted(keys))


@test
def without_a_helper(lab):
    """The helper can do nothing but connect; without it the collector is lost, and records go on."""
    reader = Reader(lab, "tcp")
    tracer = watch(lab, f"--ipfix={HERE}", TCP)
    helper = helper_of(tracer)
    with open(f"/proc/{helper}/status", encoding="ascii") as status:
        text = status.read()
    equal("capabilities of the helper", re.findall(r"^Cap(?:Prm|Eff):\s*(\w+)$", text, re.M), ["0" * 16] * 2)
    equal("its filter", re.search(r"^Seccomp:\s*(\d)$", text, re.M)[1], "2")
    os.kill(helper, signal.SIGKILL)
    reader.kill()
    keys = close_some(paths(lab)[0], 3)
    time.sleep(1.5)
    one_each(tracer.stop(), keys)
    equal("lost", lost(tracer), 3)


@test
def refused_at_the_start(lab):
    """One line says what is wrong, and nothing is attached."""
    for place, options, why in (
            (HERE, [TCP], "Connection refused"), (f"[::1]:{PORT}", [TCP], "Connection refused"),
            (f"nobody.invalid:{PORT}", [], r"(Name or service not known|.*in name resolution)"),
            (f"10.99.0.255:{PORT}", [], "Permission denied"), (f"192.0.2.1:{PORT}", [], "Network is unreachable"),
            (f"[fe80::1%nothing]:{PORT}", [], "Name or service not known")):
        done = Process(lab, lab.client, [*PROGRAM, f"--ipfix={place}", *options, "eth0"])
        equal(f"exit code with {place}", done.wait(30), 1)
        check(re.fullmatch(rf"tcpfin-trace: --ipfix {re.escape(place)}: {why}\n", done.stderr),
              f"{place}: {done.stderr}")
    equal("programs left", {tuple(one) for one in lab.client.attached("eth0")}, set())


@test
def no_answer_at_the_start(lab):
    """A collector that does not answer is given up after seconds."""
    with lab.server.dropping(f"tcp dport {PORT}"):
        begun = time.monotonic()
        done = Process(lab, lab.client, [*PROGRAM, f"--ipfix=10.99.0.2:{PORT}", TCP, "eth0"])
        equal("exit code", done.wait(15), 1)
        check(4 < time.monotonic() - begun < 10, "it takes 5 seconds")
    equal("stderr", done.stderr, f"tcpfin-trace: --ipfix 10.99.0.2:{PORT}: Connection timed out\n")


@test
def collector_on_the_watched_link(lab):
    """The exporter's own connection is one as others, and open; as nobody with two capabilities."""
    with lab.server.socket(socket.AF_INET) as listening:
        listening.bind(("10.99.0.2", PORT))
        listening.listen()
        tracer = watch(lab, f"--ipfix=10.99.0.2:{PORT}", TCP, program=as_nobody(lab, "bpf", "net_admin"))
        connection, _ = listening.accept()
        keys = close_some(paths(lab)[0], 2)
        until(lambda: len(tracer.records()) == 2, "records")
        one_each(tracer.stop(), keys)
        with connection:
            connection.settimeout(5)
            received = b""
            while part := connection.recv(65536):
                received += part
    equal("records in it", [received.count(record["event"]["id"].encode()) for record in tracer.records()], [1, 1])


# ---- what a collector is told again ----

def sets_of(datagram):
    """The numbers of the sets in a message, and its header's sequence number and domain."""
    _, length, _, sequence, domain = struct.unpack_from("!HHIII", datagram)
    equal("length", length, len(datagram))
    place, numbers = 16, []
    while place < length:
        number, size = struct.unpack_from("!HH", datagram, place)
        numbers.append(number)
        check(size > 4, "an empty set")
        place += size
    return numbers, sequence, domain


@suite.long_test
def templates_again(lab):
    """Over UDP everything that a late collector needs comes again within 60 seconds, in datagrams of 1,232 bytes."""
    with lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", PORT))
        sock.settimeout(70)
        tracer = watch(lab, f"--ipfix={HERE}", "--ipfix-domain=77")
        begun, first, again, largest = time.monotonic(), None, [], 0
        close_some(paths(lab)[0], 1)
        while time.monotonic() - begun < 65:
            numbers, _, domain = sets_of(datagram := sock.recv(65536))
            equal("domain", domain, 77)
            largest = max(largest, len(datagram))
            if 2 in numbers:
                first = first or time.monotonic()
                again.append(time.monotonic())
                if len(again) == 2:
                    break
        tracer.stop()
    equal("times that the template came", len(again), 2)
    check(50 < again[1] - begun < 65, f"again after {again[1] - begun} s")
    check(largest <= 1232, f"{largest} bytes")


if __name__ == "__main__":
    suite.main(sys.argv)
