#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
flight.py TCPFIN-TRACE [NAME...]: -w on live interfaces: the headers of opening and closing segments as they were on the
wire, and the file read again; files that follow each other; where it cannot be written. As root. Of captures:
tests/golden/flight.py.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time
from ipaddress import ip_address

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))

from faults import gave_up, small_disk  # noqa: E402
from flight_file import frames_of, packets_of, section_comments  # noqa: E402
from hooks import built_conversations, play_every_scenario  # noqa: E402
from lab import frames  # noqa: E402
from lab.closes import abort, close_in_turn, heard_the_reset, receive, scenario_named, talk  # noqa: E402
from lab.harness import PROGRAM, Suite, close_some, field, key_of, one_each, paths, router, watch  # noqa: E402
from lab.netlab import Process, Tracer, Tun, check, equal, ipv4, ipv6, mac, need, until  # noqa: E402
from lab.witness import Capture  # noqa: E402
from metrics import fill  # noqa: E402

FLOOD = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "build/tests/flood")

suite = Suite(workers=2)
test = suite.test


def read_again(path, *options):
    done = subprocess.run([*PROGRAM, "-q", "-r", path, "--format=json", "--show-open", *options], capture_output=True,
                          text=True, check=True)
    return {key_of(record): record for record in map(json.loads, done.stdout.splitlines())}


def verdicts(records):
    return {key: (field(r, "tcp.outcome"), field(r, "tcp.closer")) for key, r in records.items()}


def closes_on(lab, hook):
    need("nft")
    kept, witness = lab.file("kept.pcapng"), Capture(lab, lab.client, "eth0")
    tracer = watch(lab, f"--hook={hook}", "--close-timeout=1", "-w", kept)
    played = play_every_scenario(paths(lab))
    tracer.wait_for(len(played))
    records = one_each(tracer.stop(), played)
    witness.stop()
    again = read_again(kept, "--close-timeout=1")
    equal("verdicts", verdicts(again), verdicts(records))
    packets, wire = list(packets_of(kept)), [(frame, length) for _, frame, length in frames_of(witness.path)]
    for p in packets:
        check(len(p["bytes"]) <= 128 and any(length == p["length"] and frame.startswith(p["bytes"])
                                             for frame, length in wire), f"not seen by tcpdump: {p}")
    equal("comments", sum(bool(p["comment"]) for p in packets), len(records))
    check("packets_not_kept" not in tracer.stderr, tracer.stderr)
    check(re.search("-w: 65536 packets, the newest ones", tracer.stderr), tracer.stderr)
    concluded(kept, records)


def concluded(path, records):
    """The file ends with a section that has no packets, and whose comment has every verdict, as Wireshark shows it."""
    first, last = section_comments(path)
    check("nothing that 65,536 newer headers overwrote" in first, first)
    count = len(records)
    equal("head", last.split(",")[0], f"{count} connection{'s' * (count > 1)}")
    found = {key_of(record): f": {field(record, 'tcp.outcome')}, closer {field(record, 'tcp.closer') or 'unknown'}\n"
             for record in records.values()}
    equal("verdicts", last.count(", closer "), count)
    equal("missing", [verdict for verdict in found.values() if verdict not in last], [])
    packets = [p["comment"] for p in packets_of(path) if p["comment"]]
    equal("of packets", [comment for comment in packets if comment not in last], [])
    done = subprocess.run(["capinfos", path], capture_output=True, text=True, check=True)
    check(last.splitlines()[2] in done.stdout, f"capinfos: {done.stdout}")
    done = subprocess.run(["tshark", "-r", path, "-T", "fields", "-e", "frame.comment"], capture_output=True, text=True,
                          check=True)
    equal("packets that tshark reads", len(done.stdout.splitlines()), len(list(packets_of(path))))


@test
def closes_tc(lab):
    """Every scenario at tc: read again, each has the same outcome and closer."""
    closes_on(lab, "tc")


@test
def closes_xdp(lab):
    """The same with native XDP."""
    closes_on(lab, "xdp")


def has_all(kept, records, *options):
    """The file, read again, has the same verdicts."""
    equal("verdicts", verdicts(read_again(kept, *options)), verdicts(records))


@test
def handed_on(lab):
    """With --anonymize, records and packets have the same other addresses and verdicts, and none of the network's."""
    for hook in ("tc", "xdp"):
        kept = lab.file(f"{hook}.pcapng")
        tracer = watch(lab, f"--hook={hook}", "--anonymize", "-w", kept)
        played = [key for path in paths(lab) for key in close_some(path, 2)]
        tracer.wait_for(len(played))
        has_all(kept, one_each(tracer.stop(), played))
        packets = list(packets_of(kept))
        check(len(packets) >= 6 * len(played), f"{len(packets)} packets")
        originals = [ip_address(address(0, end)).packed for address in (ipv4, ipv6) for end in (1, 2)]
        equal("with an address of the network", [p for p in packets for a in originals if a in p["bytes"]], [])


@test
def much_data(lab):
    """Megabytes between handshake and close, more than any window: none of it is in the file, and all verdicts are."""
    kept = lab.file("kept.pcapng")
    tracer = watch(lab, "-w", kept)
    keys = []
    for path in paths(lab):
        for end in "client", "server", "reset by the client", "reset by the server":
            connection = path.connect()
            connection.client.sendall(b"u" * 300)
            receive(connection.server, 300)
            for _ in range(40):
                connection.server.sendall(b"d" * 100000)
                receive(connection.client, 100000)
            first, second = connection[:2] if end.endswith("client") else connection[1::-1]
            if end.startswith("reset"):
                abort(first)
                heard_the_reset(second)
            else:
                close_in_turn(first, second)
            keys.append(connection.key)
    records = one_each(tracer.stop(), keys)
    has_all(kept, records)
    packets = list(packets_of(kept))
    check(len(packets) < 100 and all(len(p["bytes"]) <= 94 for p in packets), f"{len(packets)} packets")


@test
def midstream(lab):
    """Connections that are older than the watch: their close is there, with its comment."""
    kept, keys = lab.file("kept.pcapng"), []
    older = [path.connect() for path in paths(lab) for _ in range(4)]
    for connection in older:
        talk(connection)
    tracer = watch(lab, "-w", kept)
    for number, connection in enumerate(older):
        talk(connection)
        first, second = connection[:2] if number % 2 else connection[1::-1]
        if number % 4 < 2:
            abort(first)
            heard_the_reset(second)
        else:
            close_in_turn(first, second)
        keys.append(connection.key)
    tracer.wait_for(len(keys))
    tracer.stop()
    comments = " ".join(p["comment"] for p in packets_of(kept))
    equal("comments", (comments.count(": graceful, closer "), comments.count(": reset, closer ")), (4, 4))


@test
def two_interfaces(lab):
    """A router that watches both its interfaces: the packets of one of them, each once."""
    box, both = router(lab)
    kept = lab.file("kept.pcapng")
    tracer = Tracer(lab, box, PROGRAM, ["eth8", "eth9"], "--format=json", "--settle=200", "-w", kept)
    tracer.wait_for_all()
    keys = [scenario_named(name).play(path) for path in both for name in ("client_first", "linger0")]
    records = one_each(tracer.stop(), keys)
    has_all(kept, records)
    check("packets_not_kept" not in tracer.stderr, tracer.stderr)


@test
def filtered(lab):
    """Packets of the connections that match, and of no other."""
    kept = lab.file("kept.pcapng")
    tracer = watch(lab, "--outcome=reset", "-w", kept)
    close_some(paths(lab)[0], 3)
    keys = [scenario_named("linger0").play(path) for path in paths(lab)]
    records = one_each(tracer.stop(), keys)
    has_all(kept, records)


@test
def without_ethernet(lab):
    """A tun device: the link type is raw IP."""
    device, kept = Tun(lab, lab.client, "tun0"), lab.file("kept.pcapng")
    tracer = watch(lab, "-w", kept, interfaces=["tun0"])
    talks = built_conversations()
    for packets in talks.values():
        frames.play(packets, device.send, device.receive)
    tracer.wait_for(len(talks))
    has_all(kept, one_each(tracer.stop(), talks))
    equal("links and names", {(p["link"], p["name"]) for p in packets_of(kept)}, {(101, "tun0")})


@test
def overwritten(lab):
    """A flood of SYNs goes round the ring: what has gone is said and counted, the rest and the record are there."""
    kept = lab.file("kept.pcapng")
    tracer = watch(lab, "-w", kept, "--port", "!80")
    connection = paths(lab)[0].connect()
    time.sleep(0.2)
    flood = Process(lab, lab.server, [FLOOD, "eth0", mac(0, 1), "syn", ipv4(0, 1), "80", "3"])
    flood.wait(10)
    talk(connection)
    close_in_turn(connection.client, connection.server)
    record, = one_each(tracer.stop(), [connection.key]).values()
    equal("outcome", field(record, "tcp.outcome"), "graceful")
    packets = list(packets_of(kept))
    comment = " ".join(p["comment"] for p in packets)
    check(re.search(r"3 of the \d+ segments that the record lists, whose packets were overwritten", comment), comment)
    check(re.search(r"packets_not_kept +3\b", tracer.stderr), tracer.stderr)
    equal("outcome again", field(*read_again(kept).values(), "tcp.outcome"), "graceful")


@test
def file_without_rights(lab):
    """The program is nobody when it writes; SIGHUP has the file opened anew by the helper, whole again in itself."""
    kept = lab.file("kept.pcapng")
    tracer = watch(lab, "-w", kept)
    gave_up(tracer)
    keys = close_some(paths(lab)[0], 2)
    until(lambda: len(read_again(kept)) == 2, "packets while it runs", 5)
    os.rename(kept, kept + ".moved")
    tracer.signal(signal.SIGHUP)
    until(lambda: os.path.exists(kept), "a file made anew", 2)
    keys += close_some(paths(lab)[1], 1)
    one_each(tracer.stop(), keys)
    equal("connections", (len(read_again(kept + ".moved")), len(read_again(kept))), (2, 1))
    for path in kept + ".moved", kept:
        concluded(path, read_again(path))


@test
def files_by_time(lab):
    """-G: a file a period that has connections, named after its time, and each is whole in itself."""
    tracer = watch(lab, "-w", lab.file("at%s.pcapng"), "-G", "1", "--settle=100")
    keys = []
    for _ in range(3):
        keys += close_some(paths(lab)[0], 2)
        time.sleep(1.1)
    records = one_each(tracer.stop(), keys)
    files = [os.path.join(lab.directory, n) for n in os.listdir(lab.directory) if re.search(r"at[0-9]+\.pcapng", n)]
    check(len(files) >= 3, f"files {files}")
    again = {}
    for path in files:
        here = read_again(path)
        again.update(here)
        if here:
            concluded(path, {key: records[key] for key in here})
    equal("verdicts", verdicts(again), verdicts(records))


@test
def full_disk(lab):
    """Records are unharmed, what is lost is counted, the file stays whole, and goes on once there is room."""
    with small_disk(lab, "size=128k") as beside:
        kept = os.path.join(os.path.dirname(beside), "kept.pcapng")
        tracer = watch(lab, "-w", kept, "--strict")
        keys = close_some(paths(lab)[0], 1)
        until(lambda: len(read_again(kept)) == 1, "packets", 5)
        fill(beside)
        keys += close_some(paths(lab)[0], 40)
        tracer.wait_for(len(keys))
        before = len(read_again(kept))
        check(before < len(keys), "all packets found room")
        os.unlink(beside)
        keys += close_some(paths(lab)[0], 1)
        tracer.signal(signal.SIGINT)
        equal("exit code", tracer.wait(), 4)
        one_each(tracer.records(), keys)
        check("cannot write packets (-w): No space left on device" in tracer.stderr and
              re.search(r"packets_not_kept +[1-9]", tracer.stderr), tracer.stderr)
        check(keys[-1] in read_again(kept), "the last connection's packets are missing")


if __name__ == "__main__":
    suite.main(sys.argv)
