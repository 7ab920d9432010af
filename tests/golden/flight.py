#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
-w on captures: what it writes is read again with the same records, byte for byte; tshark and capinfos read it; its
packets are those of the capture, and those alone that belong to the records.

flight.py DIRECTORY... [-k NAME]     all tests on the captures in the directories, or those whose names begin so
"""
import argparse
import gzip
import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (HAO, ICMPv6DestUnreach, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting)
from scapy.layers.l2 import Dot1Q, Ether, GRE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
from scapy.utils import rdpcap, wrpcap

import tracer
from flight_file import frames_of, packets_of, section_comment

SEED = os.path.join(tracer.TOP, "tests", "golden", "captures", "seed-ssh-close.pcap")
GENCAP = os.path.join(tracer.TOP, "build", "bench", "gencap")
# Of tunnels, routers and options; of the connections.
OUTER = ("192.0.2.101", "192.0.2.102", "2001:db8:7777::1", "2001:db8:7777::2")
ENDS = {4: ("198.51.100.1", "198.51.100.2"), 6: ("2001:db8:5555::1", "2001:db8:6666::2")}
TESTS = []


def test(function):
    TESTS.append(function)
    return function


# ---- running ----

def run(*arguments, **how):
    return subprocess.run([tracer.BINARY, "-q", *arguments], capture_output=True, timeout=60, env=tracer.ENVIRONMENT,
                          check=False, **{"stdin": subprocess.DEVNULL, **how})


def records(path, *options):
    return run("-r", path, "--format=json", "--show-open", *options).stdout


def equal(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: {str(got)[:300]}, expected {str(expected)[:300]}")


def without_faults(faults_of, paths):
    equal("faults", [fault for found in tracer.on_all_cpus(faults_of, paths) for fault in found], [])


def in_sets(lines):
    return sorted(lines.splitlines())


# ---- every golden capture ----

def round_trip_faults(path):
    """All records kept, then those of each outcome alone."""
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept.pcapng")
        try:
            first = records(path, "-w", kept)
            outcomes = {json.loads(line)["tcp"]["outcome"] for line in first.splitlines()}
            equal("read again", records(kept), first)
            comments = [packet["comment"] for packet in packets_of(kept) if packet["comment"]]
            equal("verdicts in comments", sum(c.count(", closer ") for c in comments), len(first.splitlines()))
            for outcome in sorted(outcomes) * (len(first.splitlines()) > 1):
                some = records(path, "-w", kept, "--outcome=" + outcome)
                again = records(kept, "--outcome=" + outcome)
                verdicts = [[(r["source"], r["destination"], r["event"]["id"], r["tcp"]["closer"])
                             for r in map(json.loads, lines.splitlines())] for lines in (some, again)]
                # The SYN that ends a connection is with it, and may be one more connection.
                equal(f"of {outcome}, not read again", [v for v in verdicts[0] if v not in verdicts[1]], [])
        except (AssertionError, ValueError) as fault:
            return [f"{os.path.basename(path)}: {fault}"]
    return []


@test
def same_records(paths):
    """What is written is read again with the same records, and each has its comment."""
    without_faults(round_trip_faults, paths)


# ---- handed on (--anonymize) ----

def without_ids(lines):
    """The records, but for event.id, which is made from addresses, and tcp.related, which lists such ids."""
    found = []
    for record in map(json.loads, lines.splitlines()):
        del record["event"]["id"]
        record["tcp"]["related"] = len(record["tcp"].get("related") or ())
        found.append(json.dumps(record))
    return sorted(found)


def addresses_of(lines):
    """The addresses of both ends, as packets have them."""
    return {ipaddress.ip_address(record[end]["ip"]).packed for record in map(json.loads, lines.splitlines())
            for end in ("source", "destination")}


def is_told(address, packet):
    """Headers before TCP's end have even lengths; at an odd distance from it, two numbers of TCP make up the bytes."""
    return any((len(packet) - found.start()) % 2 == 0 for found in re.finditer(re.escape(address), packet))


def handed_on_faults(path):
    """What is handed on is read as the anonymized records, and no packet of it has an address of the capture."""
    with tempfile.TemporaryDirectory() as directory:
        kept, key = os.path.join(directory, "kept.pcapng"), os.path.join(directory, "key")
        with open(key, "wb") as file:
            file.write(b"k" * 32)
        try:
            told = records(path, "-w", kept, "--anonymize-key=" + key)
            equal("read again", without_ids(records(kept)), without_ids(told))
            originals = addresses_of(records(path)) - addresses_of(told)
            for packet in packets_of(kept):
                equal("original addresses", [a for a in originals if is_told(a, packet["bytes"])], [])
        except (AssertionError, ValueError) as fault:
            return [f"{os.path.basename(path)}: {fault}"]
    return []


@test
def same_records_handed_on(paths):
    """With --anonymize, packets and records have the same other addresses, and the same verdicts."""
    without_faults(handed_on_faults, paths)


def wrapped(family, source, destination):
    """Each way in which a packet from source to destination can be inside another one: what comes before TCP."""
    outer, inner = (IP(src=OUTER[0], dst=OUTER[1]), IP) if family == 4 else (IPv6(src=OUTER[2], dst=OUTER[3]), IPv6)
    ether = Ether(src="02:11:22:33:44:55", dst="02:66:77:88:99:aa")
    inside = inner(src=source, dst=destination)
    yield ether / inside
    yield ether / Dot1Q(vlan=7) / inside
    yield ether / outer / inside
    yield ether / outer / GRE(chksum_present=1) / inside
    yield ether / outer / UDP(sport=4000, dport=4789) / VXLAN(vni=9, flags=8) / ether / inside
    if family == 4:
        yield ether / IP(src=inside.src, dst=inside.dst, options=[IPOption_RR(routers=list(OUTER[:2]), pointer=12)])
    else:
        yield ether / inside / IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting(segleft=0, addresses=[OUTER[2]])
        yield ether / inside / IPv6ExtHdrDestOpt(options=[HAO(hoa=OUTER[2])])


def telling_capture(path):
    """
    Connections that are refused, by an RST and by an ICMP error, in each wrapping, with options that tell addresses.
    Returns how many.
    """
    address = socket.inet_aton(OUTER[0])
    options = [("MSS", 1460), ("Timestamp", (1, 0)), (28, address), (30, b"\x30\x01" + address)]
    frames, port = [], 1024
    for family in (4, 6):
        ends = ENDS[family]
        for there, back in zip(wrapped(family, *ends), wrapped(family, *reversed(ends))):
            port += 1
            frames += [there / TCP(sport=port, dport=443, flags="S", seq=1000, options=options),
                       back / TCP(sport=443, dport=port, flags="RA", ack=1001)]
    for family, error in ((4, ICMP(type=3, code=13)), (6, ICMPv6DestUnreach(code=1))):
        syn = next(wrapped(family, *ENDS[family])) / TCP(sport=port + family, dport=443, flags="S", options=options)
        router = IP(src=OUTER[1], dst=ENDS[4][0]) if family == 4 else IPv6(src=OUTER[3], dst=ENDS[6][0])
        quote = bytes(syn[type(router)])[:len(router) + 8]
        frames += [syn, Ether(dst="02:66:77:88:99:aa") / router / error / Raw(quote)]
    for number, frame in enumerate(frames):
        frame.time = 1700000000 + number / 100
    wrpcap(path, frames)
    return len(frames) // 2


def checksums(path):
    """By packet, what tshark says of each checksum: 1 is right, 0 wrong, 2 not to be judged."""
    fields = ("ip", "tcp", "udp", "icmp", "icmpv6", "gre")
    judged = [w for name in ("ip", "tcp", "udp") for w in ("-o", f"{name}.check_checksum:TRUE")]
    shown = subprocess.run(["tshark", "-r", path, *judged, "-T", "fields",
                            *[w for f in fields for w in ("-e", f + ".checksum.status")]],
                           capture_output=True, text=True, check=True)
    return shown.stdout.splitlines()


@test
def handed_on_whole(_paths):
    """Of each kind of header nothing tells an address, and tshark finds each checksum as right as before."""
    with tempfile.TemporaryDirectory() as directory:
        capture, kept = os.path.join(directory, "telling.pcap"), os.path.join(directory, "kept.pcapng")
        made = telling_capture(capture)
        done = run("-r", capture, "-w", kept, "--anonymize", "--format=json")
        equal("exit code", (done.returncode, done.stderr), (0, b""))
        equal("records", len(done.stdout.splitlines()), made)
        equal("packets", len(list(packets_of(kept))), 2 * made)
        originals = [ipaddress.ip_address(a).packed for a in (*OUTER, *ENDS[4], *ENDS[6])] + [b"\x02\x11\x22\x33"]
        for number, packet in enumerate(packets_of(kept), 1):
            equal(f"told by packet {number}", [a for a in originals if a in packet["bytes"]], [])
        before = checksums(capture)
        equal("some are right", sum("1" in line for line in before), 2 * made)
        # A home address stands for the source in the checksum (RFC 6275 section 6.3), and is gone.
        home = [HAO in frame for frame in rdpcap(capture)]
        equal("with a home address", sum(home), 2)
        for number, (was, now) in enumerate(zip(before, checksums(kept)), 1):
            equal(f"checksums of packet {number}", home[number - 1] or now, home[number - 1] or was)


# ---- whose packets ----

@test
def packets_of_one(paths):
    """Of two captures read together, the packets of the one connection that matches: all of it, its bytes unchanged."""
    with tempfile.TemporaryDirectory() as directory:
        kept, other = os.path.join(directory, "kept.pcapng"), named(paths, "r3_abort")
        out = run("-r", SEED, "-r", other, "--port=22", "-w", kept)
        equal("exit code", (out.returncode, out.stderr), (0, b""))
        expected = list(frames_of(SEED))
        equal("packets", [(p["time"], p["bytes"], p["length"]) for p in packets_of(kept)], expected)
        run("-r", SEED, "-r", other, "--outcome=reset", "-w", kept)
        equal("packets of the reset one", [(p["bytes"], p["length"]) for p in packets_of(kept)],
              [frame[1:] for frame in frames_of(other)])


@test
def nothing_matches(paths):
    """A file without packets is whole."""
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept.pcapng")
        equal("exit code", run("-r", SEED, "--outcome=reset", "-w", kept).returncode, 0)
        equal("packets", list(packets_of(kept)), [])
        equal("tshark", subprocess.run(["tshark", "-r", kept], capture_output=True, check=False).returncode, 0)


@test
def strays_are_no_connections(paths):
    """Their packets are not kept, with --strays neither: only those of the connection are."""
    with tempfile.TemporaryDirectory() as directory:
        kept, both = os.path.join(directory, "kept.pcapng"), named(paths, "strays_of_a_number")
        lines = records(both, "--strays", "-w", kept).splitlines()
        equal("datasets", sorted(json.loads(line)["event"]["dataset"] for line in lines),
              ["tcpfin.close", "tcpfin.stray"])
        equal("packets", len(list(packets_of(kept))), len(list(frames_of(both))) - 1)
        equal("read again", records(kept, "--strays"), records(both))


@test
def port_used_again(paths):
    """A connection's packets are its own, though its addresses and ports are used again."""
    with tempfile.TemporaryDirectory() as directory:
        kept, both = os.path.join(directory, "kept.pcapng"), named(paths, "p1_reuse_after_settling")
        whole = [json.loads(line) for line in records(both).splitlines()]
        equal("connections", len(whole), 2)
        begins = tracer.ns_of(whole[1]["event"]["start"])
        for record, inside in (whole[0], lambda t: t < begins), (whole[1], lambda t: t >= begins):
            run("-r", both, "--where", f"isn_source = {record['tcp']['isn']['source']}", "-w", kept)
            equal("packets", [p["time"] for p in packets_of(kept)],
                  [frame[0] for frame in frames_of(both) if inside(frame[0])])


# ---- files of all kinds ----

@test
def interfaces_and_links(paths):
    """Interfaces of several link types and snap lengths stay what they are, with their names."""
    several = named(paths, "pcapng_mixed_links")
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept.pcapng")
        run("-r", several, "-w", kept)
        equal("links", {(p["link"], p["snaplen"], p["name"]) for p in packets_of(kept)},
              {(p["link"], p["snaplen"], p["name"]) for p in packets_of(several)})
        equal("packets", [(p["bytes"], p["length"]) for p in packets_of(kept)],
              [(p["bytes"], p["length"]) for p in packets_of(several)])


@test
def packed_and_piped(paths):
    """gzip, zstd, a pipe, and a packed pipe give the same file."""
    with tempfile.TemporaryDirectory() as directory:
        plain, kept = os.path.join(directory, "plain.pcapng"), os.path.join(directory, "kept.pcapng")
        packed = os.path.join(directory, "seed.gz")
        run("-r", SEED, "-w", plain)
        with open(SEED, "rb") as file, open(packed, "wb") as out:
            out.write(gzip.compress(file.read()))
        subprocess.run(["zstd", "-q", SEED, "-o", os.path.join(directory, "seed.zst")], check=True)
        for source in (packed, os.path.join(directory, "seed.zst"), SEED):
            for arguments, how in ((["-r", source], {}), (["-r", "-"], {"stdin": open(source, "rb")}),
                                   (["-r", "-"], {"stdin": subprocess.Popen(["cat", source],
                                                                            stdout=subprocess.PIPE).stdout})):
                done = run(*arguments, "-w", kept, **how)
                equal(f"{arguments}", (done.returncode, done.stderr), (0, b""))
                equal(f"of {source}", list(packets_of(kept)), list(packets_of(plain)))
        equal("left beside it", sorted(os.listdir(directory)), ["kept.pcapng", "plain.pcapng", "seed.gz", "seed.zst"])


@test
def stopped(paths):
    """A pipe that goes on is stopped by SIGINT: what was reported has its packets."""
    with tempfile.TemporaryDirectory() as directory, open(SEED, "rb") as file:
        kept = os.path.join(directory, "kept.pcapng")
        with subprocess.Popen([tracer.BINARY, "-q", "-r", "-", "-w", kept], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=tracer.ENVIRONMENT) as process:
            process.stdin.write(file.read())
            process.stdin.flush()
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            equal("exit code", process.wait(20), 0)
        equal("packets", [p["bytes"] for p in packets_of(kept)], [frame[1] for frame in frames_of(SEED)])


@test
def readers(paths):
    """tshark and capinfos read the file without complaint, comments included."""
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept.pcapng")
        run("-r", SEED, "-w", kept)
        shown = subprocess.run(["tshark", "-r", kept, "-Y", "frame.comment", "-T", "fields", "-e", "frame.number", "-e",
                                "frame.comment"], capture_output=True, text=True, check=True)
        number, comment = shown.stdout.rstrip("\n").split("\t")
        equal("the last ACK", number, "22")
        equal("its comment", comment.split("\\n")[0],
              "192.168.139.29:63164 > 110.42.175.115:22: graceful, closer source")
        equal("its sentence", comment.split("\\n")[1][:36], "closed by the source: its FIN (seq 3")
        info = subprocess.run(["capinfos", kept], capture_output=True, text=True, check=True).stdout
        equal("packets", "Number of packets:   22" in info, True)
        equal("comment of the section", section_comment(kept).split("\n")[0],
              "1 connection, with all packets that the captures have of them")


# ---- files that follow each other ----

@test
def files_by_size(paths):
    """-C: each file is whole in itself and says what its interfaces are; together they have all packets."""
    with tempfile.TemporaryDirectory() as directory:
        kept = os.path.join(directory, "kept.pcapng")
        done = run("-r", SEED, "-w", kept, "-C", "2K")
        equal("exit code", (done.returncode, done.stderr), (0, b""))
        files = [kept, *sorted((os.path.join(directory, n) for n in os.listdir(directory) if n != "kept.pcapng"),
                               key=lambda name: int(name.rsplit("pcapng", 1)[1]))]
        equal("several files", len(files) > 3, True)
        equal("packets", [p["bytes"] for name in files for p in packets_of(name)],
              [frame[1] for frame in frames_of(SEED)])
        equal("read again", run(*[w for name in files for w in ("-r", name)], "--format=json").stdout,
              run("-r", SEED, "--format=json").stdout)


@test
def small_files_of_many_connections(paths):
    """What the first file says of all connections does not fill the others, which would be one a packet."""
    with tempfile.TemporaryDirectory() as directory:
        many, kept = os.path.join(directory, "many.pcap"), os.path.join(directory, "kept.pcapng")
        subprocess.run([GENCAP, "500", "10", "100", many], check=True)
        done = run("-r", many, "-w", kept, "-C", "50K")
        equal("exit code", (done.returncode, done.stderr), (0, b""))
        files = [os.path.join(directory, name) for name in os.listdir(directory) if name != "many.pcap"]
        equal("packets", sum(1 for name in files for _ in packets_of(name)), len(list(frames_of(many))))
        equal("few files", len(files) < 2 * os.path.getsize(many) / 50000, True)


# ---- what goes wrong ----

@test
def bad_places(paths):
    """The start fails, and says why; nothing is overwritten."""
    with tempfile.TemporaryDirectory() as directory, open(SEED, "rb") as file:
        copy, lines = os.path.join(directory, "copy.pcap"), os.path.join(directory, "records.json")
        content = file.read()
        with open(copy, "wb") as out:
            out.write(content)
        with open(lines, "wb") as out:
            out.write(records(SEED))
        busy = "is read, or written to for something else; give another file"
        fifo, used = os.path.join(directory, "fifo"), [lines + str(n) for n in range(3, 6)]
        os.mkfifo(fifo)
        for arguments, code, why in (
                (["-r", SEED, "-w", directory], 1, f"{directory}: Is a directory"),
                (["-r", SEED, "-w", "/no/such/file"], 1, "/no/such/file: No such file or directory"),
                (["-r", copy, "-w", copy], 1, f"{copy}: {busy}"),
                (["-r", copy, "-w", directory + "/./copy.pcap"], 1, f"{directory}/./copy.pcap: {busy}"),
                (["-r", SEED, "-o", lines + "2", "-w", lines + "2"], 1, f"{lines}2: {busy}"),
                (["-r", lines, "-w", copy + "2"], 1, "-w keeps packets, and files of records have none; give captures"),
                (["-r", copy, "--report=" + copy], 1, f"--report {copy}: {busy}"),
                (["-r", copy, "--metrics-file=" + copy], 1, f"--metrics-file {copy}: {busy}"),
                (["-r", SEED, "-w", used[0], "--report=" + used[0]], 1, f"--report {used[0]}: {busy}"),
                (["-r", SEED, "-o", used[1], "--report=" + used[1]], 1, f"--report {used[1]}: {busy}"),
                (["-r", SEED, "--metrics-file=" + used[2], "--report=" + used[2]], 1, f"--report {used[2]}: {busy}"),
                (["-r", SEED, "--report=" + directory], 1, f"--report {directory}: Is a directory"),
                (["-r", SEED, "--report=" + fifo], 1, f"--report {fifo}: is no regular file"),
                (["-r", SEED, "--metrics-file=" + fifo], 1, f"--metrics-file {fifo}: is no regular file"),
                (["-r", SEED, "-w", "-"], 2, "-w - would mix packets with records on standard output; give a file")):
            done = run(*arguments)
            equal(" ".join(arguments), (done.returncode, done.stderr.decode()), (code, f"tcpfin-trace: {why}\n"))
        with open(copy, "rb") as file_again:
            equal("the capture", file_again.read(), content)


def named(paths, name):
    return next(path for path in paths if os.path.basename(path) == name + ".pcap")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+")
    parser.add_argument("-k", dest="name", default="")
    arguments = parser.parse_args()
    paths = sorted(os.path.join(d, name) for d in arguments.directories for name in os.listdir(d))
    failed, chosen = 0, [one for one in TESTS if one.__name__.startswith(arguments.name)]
    for one in chosen:
        try:
            one(paths)
            faults = []
        except (AssertionError, ValueError, subprocess.SubprocessError) as fault:
            faults = [str(fault)]
        failed += not tracer.print_result(one.__name__, faults)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    raise SystemExit(main())
