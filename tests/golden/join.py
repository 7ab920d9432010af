#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
--join on captures of both ends. Each test says what the ends sent and what the path did to it: the captures of every
view follow from that, each by a clock of its own, and the joined record must say what was done and nothing else.

join.py [-v] [NAME...]     all tests, or those whose names begin so; -v prints the joined records
"""
import argparse
import ipaddress
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace

import fields
import tracer
from packets import EPOCH, Capture, Conversation, ns

HOUR = 3600 * 10**9
C4 = Conversation()
C6 = Conversation(ips=("2001:db8::1", "2001:db8:1::9"))


@dataclass(frozen=True)
class Fate:
    """What happens to a segment at a place of the path: 0 is the source, 1 the destination."""
    what: str      # lost, delayed, made
    at: float = 0.5
    ms: float = 0  # of delayed


@dataclass(frozen=True)
class Place:
    """A view: where, and by which clock."""
    at: float
    ahead: int = 0         # ns
    ppm: float = 0         # how much too fast
    ips: tuple = None      # addresses behind a translator
    ports: tuple = None
    skip: tuple = ()       # numbers of segments that the capture lacks
    until: float = None    # ms: when the capture ends

    def clock(self, time):
        return time + self.ahead + round((time - EPOCH) * self.ppm / 1e6)


@dataclass(frozen=True)
class Scene:
    """segments: each as its sender sends it, or (segment, Fate). delay: ms from end to end."""
    segments: list
    places: list
    delay: float = 20

    def sighted(self, place):
        seen = []
        for number, item in enumerate(self.segments):
            segment, fate = item if isinstance(item, tuple) else (item, None)
            time = self.time_at(segment, fate, place)
            if time is None or number in place.skip or (place.until and time > EPOCH + ns(place.until)):
                continue
            conversation = replace(segment.conversation, ips=place.ips or segment.conversation.ips,
                                   ports=place.ports or segment.conversation.ports)
            seen.append((time, segment.sighted(place.clock(time) - segment.time, conversation=conversation)))
        return [one for _, one in sorted(seen, key=lambda pair: pair[0])]

    def time_at(self, segment, fate, place):
        """ns; None where the segment does not come by."""
        def way(at):
            return at if segment.side == 0 else 1 - at
        gone, turn = way(place.at), way(fate.at) if fate else 0
        if fate and fate.what == "lost" and gone >= turn or fate and fate.what == "made" and gone <= turn:
            return None
        time = segment.time + ns(self.delay * (gone - (turn if fate and fate.what == "made" else 0)))
        return time + ns(fate.ms) if fate and fate.what == "delayed" and gone > turn else time


# ---- running ----

def records_of(scene, place, folder):
    """The lines that tcpfin-trace prints for the capture of that place."""
    path = os.path.join(folder, "capture.pcap")
    with open(path, "wb") as out:
        out.write(Capture(scene.sighted(place)).file())
    return tracer.trace(path, "json", ["--show-open"]).stdout


def join(files, form="json", options=("-q",), data=None):
    command = [tracer.BINARY, "--join", "--format=" + form, *options, *files]
    return subprocess.run(command, input=data, capture_output=True, timeout=30, env=tracer.ENVIRONMENT, check=False)


def write(folder, name, lines):
    path = os.path.join(folder, name)
    with open(path, "wb") as out:
        out.write(lines)
    return path


VERBOSE = False
PRINTED = []  # every joined record


def joined_of(views):
    """The joined records of these lines, a file each."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [write(folder, f"view{n}.json", lines) for n, lines in enumerate(views)]
        process = join(paths)
        assert process.returncode == 0 and not process.stderr, process.stderr
        text = join(paths, "text")
        assert text.returncode == 0 and tracer.printable(text.stdout), text
        if VERBOSE:
            print(text.stdout.decode())
        found = [json.loads(line) for line in process.stdout.splitlines()]
        PRINTED.extend(found)
        return found


def views(scene):
    with tempfile.TemporaryDirectory() as folder:
        return [records_of(scene, place, folder) for place in scene.places]


def joined(scene):
    found = joined_of(views(scene))
    assert len(found) == 1, f"{len(found)} joined records"
    return found[0]


def path_of(record):
    """Each entry as WHAT SENDER FLAGS, such as "lost >F."."""
    if record["tcp"]["path"] is None:
        return None
    return [f"{e['what']} {'>' if e['from'] == 'source' else '<'}{e['flags']}" + f"*{e.get('count', 1)}" *
            ("count" in e) for e in record["tcp"]["path"]]


def expect(what, got, wanted):
    return [] if got == wanted else [f"{what}: {got!r}, expected {wanted!r}"]


def clock_faults(record, scene):
    """The true offset lies within the error that is stated."""
    faults, first = [], scene.places[0]
    for view, place in zip(record["tcp"]["views"], scene.places):
        start = place.clock(EPOCH) - first.clock(EPOCH)
        ahead, error = view["clock"]["ahead"], view["clock"]["error"]
        if ahead is None or not abs(ahead - start) <= error:
            faults.append(f"clock {ahead} to within {error}, it is {start}")
    return faults


def check(scene, path, **fields):
    """path: as path_of has it. fields: outcome, closer, where (of each view)."""
    record = joined(scene)
    faults = expect("path", path_of(record), path) + clock_faults(record, scene)
    where = fields.pop("where", ["source", "destination"])
    faults += expect("where", [view["where"] for view in record["tcp"]["views"]], where)
    for name, wanted in fields.items():
        faults += expect(name, record["tcp"][name], wanted)
    return faults


TESTS = {}


def test(function):
    TESTS[function.__name__] = function
    return function


# ---- what the ends send ----

def handshake(c, delay=20):
    return [c.src(0, "S"), c.dst(delay + .1, "S.", 0, 1), c.src(2 * delay + .2, ".", 1, 1)]


def data(c):
    """Both ways: the next numbers are 51 and 501."""
    return [c.src(50, "P.", 1, 1, 50), c.dst(71, "P.", 1, 51, 500), c.src(92, ".", 51, 501)]


def close(c, ms=200):
    """The source closes, the destination 30 ms after that came."""
    return [c.src(ms, "F.", 51, 501), c.dst(ms + 20.1, ".", 501, 52), c.dst(ms + 50, "F.", 501, 52),
            c.src(ms + 70.1, ".", 52, 502)]


def later(c, ms=5000):
    """Another connection, so that captures go on."""
    other = replace(c.other(40009), isn=(77, 88), start=c.start + ns(ms))
    return handshake(other) + data(other) + close(other)


BOTH = [Place(0), Place(1, 2 * HOUR)]
GRACEFUL = {"outcome": "graceful", "closer": "source"}


def only(scene, ports=40001):
    """The joined record of the first conversation, where `later` added another one."""
    found = [one for one in joined_of(views(scene)) if one["source"]["port"] == ports]
    assert len(found) == 1, f"{len(found)} joined records"
    return found[0]


def check_first(scene, path, **fields):
    record = only(scene)
    faults = expect("path", path_of(record), path) + clock_faults(record, scene)
    for name, wanted in fields.items():
        faults += expect(name, record["tcp"][name], wanted)
    return faults


# ---- tests ----

@test
def nothing_done():
    return check(Scene(handshake(C4) + data(C4) + close(C4), BOTH), [], **GRACEFUL)


@test
def nothing_done_ipv6():
    return check(Scene(handshake(C6) + data(C6) + close(C6), BOTH), [], **GRACEFUL)


@test
def one_way_shares():
    """30 ms out, 10 back: the error of the clocks is what cannot be told apart, what is at the far end is exact."""
    sent = handshake(C4) + data(C4) + close(C4)
    record = joined(Scene(sent, BOTH))
    faults = []
    for name, there in {"syn_to_synack": ns(.1), "synack_to_ack": ns(.1), "fin_to_ack": ns(.1),
                        "peer_fin_to_ack": ns(.1)}.items():
        share = record["tcp"]["one_way"][name]
        faults += expect(f"{name} there", share["there"], there)
        if not (abs(share["out"] - ns(20)) <= share["error"] and abs(share["back"] - ns(20)) <= share["error"]):
            faults.append(f"{name}: {share}")
        if share["error"] > ns(20.2):
            faults.append(f"{name}: error {share['error']}")
    return faults


@test
def files_in_any_order():
    scene = Scene(handshake(C4) + data(C4) + close(C4), BOTH)
    first, second = views(scene)
    turned = joined_of([second, first])[0]
    return expect("where", [view["where"] for view in turned["tcp"]["views"]], ["source", "destination"])


@test
def fin_lost():
    again = [C4.src(420, "F.", 51, 501), C4.dst(440.1, ".", 501, 52), C4.dst(470, "F.", 501, 52),
             C4.src(490.1, ".", 52, 502)]
    sent = handshake(C4) + data(C4) + [(C4.src(200, "F.", 51, 501), Fate("lost"))] + again + later(C4)
    return check_first(Scene(sent, BOTH), ["lost >F."], **GRACEFUL)


@test
def fin_of_destination_lost():
    sent = handshake(C6) + data(C6) + [C6.dst(200, "F.", 501, 51), C6.src(220.1, ".", 51, 502)]
    sent += [(C6.src(240, "F.", 51, 502), Fate("lost", .9)), C6.src(460, "F.", 51, 502), C6.dst(480.1, ".", 502, 52)]
    return check_first(Scene(sent + later(C6), BOTH), ["lost >F."], outcome="graceful", closer="destination")


@test
def last_ack_lost():
    """The destination repeats its FIN, and gets another ACK."""
    end = close(C4)
    sent = handshake(C4) + data(C4) + end[:3] + [(end[3], Fate("lost")), C4.dst(500, "F.", 501, 52),
                                                 C4.src(520.1, ".", 52, 502)]
    return check_first(Scene(sent + later(C4), BOTH), ["lost >."], outcome="graceful")


@test
def last_ack_lost_for_ever():
    end = close(C4)
    sent = handshake(C4) + data(C4) + end[:3] + [(end[3], Fate("lost"))] + later(C4)
    return check_first(Scene(sent, BOTH), ["lost >."], closer="source")


@test
def capture_ended_before():
    """What came after a capture's end is not lost."""
    end = close(C4)
    sent = handshake(C4) + data(C4) + end + later(C4)
    return check_first(Scene(sent, [Place(0), Place(1, HOUR, until=280)]), [], **GRACEFUL)


@test
def syn_lost():
    sent = [(C4.src(0, "S"), Fate("lost")), C4.src(1000, "S"), C4.dst(1020.1, "S.", 0, 1), C4.src(1040.2, ".", 1, 1)]
    c = replace(C4, start=C4.start + ns(1000))
    return check_first(Scene(sent + data(c) + close(c) + later(c), BOTH), ["lost >S"], **GRACEFUL)


@test
def two_syns_lost():
    """Copies are one entry of the record. The first one that came came late, so the first one sent was lost."""
    sent = [(C4.src(0, "S"), Fate("lost")), (C4.src(1000, "S"), Fate("lost")), C4.src(3000, "S"),
            C4.dst(3020.1, "S.", 0, 1), C4.src(3040.2, ".", 1, 1)]
    c = replace(C4, start=C4.start + ns(3000))
    record = only(Scene(sent + data(c) + close(c) + later(c), BOTH))
    return expect("path", path_of(record), ["lost >S*2"]) + expect("t", record["tcp"]["path"][0]["t"], 0)


@test
def syn_ack_lost():
    sent = [C4.src(0, "S"), (C4.dst(20.1, "S.", 0, 1), Fate("lost")), C4.dst(1020.1, "S.", 0, 1),
            C4.src(1040.2, ".", 1, 1)]
    c = replace(C4, start=C4.start + ns(1000))
    return check_first(Scene(sent + data(c) + close(c) + later(c), BOTH), ["lost <S."], **GRACEFUL)


@test
def reset_lost():
    sent = handshake(C4) + data(C4) + [(C4.src(200, "R.", 51, 501), Fate("lost"))] + later(C4)
    return check_first(Scene(sent, BOTH), ["lost >R."], outcome="reset", closer="source")


@test
def reset_made_for_both():
    """A box ends the connection in both names."""
    sent = handshake(C4) + data(C4) + [(C4.src(200, "R", 51), Fate("made")), (C4.dst(200, "R", 501), Fate("made"))]
    return check_first(Scene(sent + later(C4), BOTH), ["made >R", "made <R"], outcome="reset", closer="network")


@test
def reset_made_for_source():
    """The destination knows nothing, sends on, and the source's kernel answers that with a genuine RST."""
    sent = handshake(C4) + data(C4) + [(C4.dst(200, "R", 501), Fate("made")), C4.dst(400, "P.", 501, 51, 20),
                                       C4.src(420.1, "R", 51)]
    return check_first(Scene(sent + later(C4), BOTH), ["made <R"], outcome="reset", closer="network")


@test
def reset_is_genuine():
    sent = handshake(C4) + data(C4) + [C4.dst(200, "R.", 501, 51)]
    return check_first(Scene(sent + later(C4), BOTH), [], outcome="reset", closer="destination")


@test
def fin_made():
    sent = handshake(C4) + data(C4) + [(C4.dst(200, "F.", 501, 51), Fate("made")), C4.src(210.1, ".", 51, 502)]
    return check_first(Scene(sent + later(C4), BOTH), ["made <F."], closer="network")


@test
def fin_made_before_the_real_one():
    """The ACK of the forged FIN was there before the real one, and is not that one's, which has the same numbers."""
    made, forged_ack = (C4.src(110, "F.", 51, 501), Fate("made")), C4.dst(120.1, ".", 501, 52)
    again = close(C4, 400)
    record = only(Scene(handshake(C4) + data(C4) + [made, forged_ack] + again + later(C4), BOTH))
    unfolded = only(Scene(handshake(C4) + data(C4) + [made, forged_ack] + again[:1] + again[2:] + later(C4), BOTH))
    return expect("path", path_of(record), ["made >F."]) + expect("one ACK", path_of(unfolded), ["made >F."])


@test
def fin_made_and_both_close_later():
    """Nobody acted on the forged FIN before the real one came: that is who closed."""
    made, forged_ack = (C4.src(110, "F.", 51, 501), Fate("made")), C4.dst(120.1, ".", 501, 52)
    return check_first(Scene(handshake(C4) + data(C4) + [made, forged_ack] + close(C4, 400) + later(C4), BOTH),
                       ["made >F."], **GRACEFUL)


@test
def fin_made_and_reset_later():
    made, forged_ack = (C4.src(110, "F.", 51, 501), Fate("made")), C4.dst(120.1, ".", 501, 52)
    sent = handshake(C4) + data(C4) + [made, forged_ack, C4.src(400, "R.", 51, 501)]
    return check_first(Scene(sent + later(C4), BOTH), ["made >F."], closer="source")


@test
def fin_made_and_answered():
    """The destination closes because of it. The source takes none of that, and closes by itself much later."""
    made, answer = (C4.src(110, "F.", 51, 501), Fate("made")), C4.dst(130, "F.", 501, 52)
    sent = [C4.src(400, "F.", 51, 501), C4.dst(420.1, "F.", 501, 52), C4.src(440.2, ".", 52, 502)]
    return check_first(Scene(handshake(C4) + data(C4) + [made, answer] + sent + later(C4), BOTH), ["made >F."],
                       closer="network")


@test
def end_doubled():
    """A copy of a genuine segment is made, too, but does not end anything."""
    sent = handshake(C4) + data(C4) + [C4.src(200, "R", 51), (C4.src(215, "R", 51), Fate("made"))]
    faults = check_first(Scene(sent + later(C4), BOTH), ["made >R"], outcome="reset", closer="source")
    end = close(C4)
    sent = handshake(C4) + data(C4) + end[:1] + [(C4.src(215, "F.", 51, 501), Fate("made"))] + end[1:]
    return faults + check_first(Scene(sent + later(C4), BOTH), ["made >F."], **GRACEFUL)


@test
def ack_overtaken_by_the_last_fin():
    """With that FIN all is acknowledged, and no ACK behind it is listed: this one is not lost."""
    overtaken = (C4.src(220.1, ".", 51, 502), Fate("delayed", ms=30))
    sent = handshake(C4) + data(C4) + [C4.dst(200, "F.", 501, 51), overtaken, C4.src(230, "F.", 51, 502),
                                       C4.dst(250.1, ".", 502, 52)]
    return check_first(Scene(sent + later(C4), BOTH), [], outcome="graceful", closer="destination")


@test
def syn_ack_made():
    """A box answers for a destination that never does."""
    sent = [C4.src(0, "S"), (C4.dst(10.1, "S.", 0, 1), Fate("made")), C4.src(20.2, ".", 1, 1)]
    return check_first(Scene(sent + later(C4), BOTH), ["made <S."])


def other_syn(ms, at=.5):
    """A SYN in the source's name, with a number of its own: 5,000 beyond the real one's."""
    return C4.src(ms, "S", 5000), Fate("made", at)


def syn_ahead(at=.5):
    """
    The forged SYN comes first. The destination answers it, which the source resets, and asks by an ACK what the real
    SYN is to mean, which the source resets again; then the source repeats its SYN.
    """
    c = replace(C4, start=C4.start + ns(1000))
    sent = [C4.src(5, "S"), other_syn(0, at), C4.dst(10.1, "S.", -99, 5001), C4.dst(25.1, ".", -98, 5001),
            C4.src(30.2, "R", 5001), C4.src(45.2, "R", 5001)]
    sent += [C4.src(1005, "S"), C4.dst(1025.1, "S.", 0, 1), C4.src(1045.2, ".", 1, 1)]
    return sent + data(c) + close(c) + later(c)


def syn_made(record):
    """Faults of a record that must say of one SYN alone that it was made, and nothing else."""
    faults = expect("path", path_of(record), ["made >S"]) + expect("closer", record["tcp"]["closer"], "source")
    faults += expect("outcome", record["tcp"]["outcome"], "graceful")
    faults += expect("seq", record["tcp"]["path"][-1]["raw_seq"] if not faults else None, C4.isn[0] + 5000)
    return faults + expect("made", [view["made"] for view in record["tcp"]["views"]][-1:], [True])


@test
def syn_with_other_number_made():
    """What answers it passed both places, so that nothing but the SYN was made, or lost."""
    record = only(Scene(syn_ahead(), BOTH))
    return syn_made(record) + expect("views", len(record["tcp"]["views"]), 3)


@test
def syn_with_other_number_made_before_two_places():
    """Both places behind the box have seen it."""
    record = only(Scene(syn_ahead(.2), [Place(0), Place(.4, -HOUR), Place(1, 2 * HOUR)]))
    faults = syn_made(record) + expect("views", len(record["tcp"]["views"]), 5)
    return faults + expect("between", record["tcp"]["path"][0]["between"] if not faults else None, [0, 1])


@test
def syn_with_other_number_made_after_the_close():
    """It is refused, by an RST that the source's agent lists behind the close; with and without a translator."""
    sent = handshake(C4) + data(C4) + close(C4) + [other_syn(400), C4.dst(410.1, "R.", 0, 5001)] + later(C4)
    translated = Place(1, HOUR, ips=("192.0.2.7", "10.0.1.9"), ports=(61000, 443))
    return syn_made(only(Scene(sent, BOTH))) + syn_made(only(Scene(sent, [Place(0), translated])))


@test
def ports_used_again_at_once():
    """The SYN-ACK of the first try comes once the source tries again: both saw both SYNs, and none was made."""
    again = replace(C4, isn=(C4.isn[0] + 5000, C4.isn[1]), start=C4.start + ns(100))
    first = [C4.src(0, "S"), C4.dst(20.1, "S.", -99, 1), C4.src(21, "R", 1), C4.dst(130, "S.", -99, 1),
             C4.src(150.1, "R", 1)]
    found = joined_of(views(Scene(first + handshake(again) + data(again) + close(again) + later(again), BOTH)))
    deeds = [path_of(one) for one in found if one["source"]["port"] == C4.ports[0]]
    faults = expect("connections", len(deeds), 2)
    return faults + expect("path", [one for path in deeds for one in path or [] if one.endswith(">S")], [])


@test
def fin_delayed():
    sent = handshake(C4) + data(C4) + [(C4.src(200, "F.", 51, 501), Fate("delayed", ms=150)),
                                       C4.dst(370.1, ".", 501, 52), C4.dst(380, "F.", 501, 52),
                                       C4.src(400.1, ".", 52, 502)]
    record = only(Scene(sent + later(C4), BOTH))
    faults = expect("path", path_of(record), ["delayed >F."])
    delay = record["tcp"]["path"][0]["delay"] if not faults else 0
    return faults or ([] if abs(delay - ns(150)) < ns(1) else [f"delay {delay}"])


@test
def fin_reordered():
    """The FIN is overtaken by the RST that follows it."""
    sent = handshake(C4) + data(C4) + [(C4.src(200, "F.", 51, 501), Fate("delayed", ms=50)), C4.src(220, "R", 52)]
    return check_first(Scene(sent + later(C4), BOTH), ["reordered >F."])


@test
def translated():
    """Source NAT: other address and port behind the box, the same numbers."""
    outside = ("192.0.2.7", "10.0.1.9")
    places = [Place(0), Place(1, HOUR, ips=outside, ports=(61000, 443))]
    record = joined(Scene(handshake(C4) + data(C4) + close(C4), places))
    faults = expect("path", path_of(record), [])
    faults += expect("source", (record["source"]["ip"], record["source"]["nat"]), ("10.0.0.1", {
        "ip": "192.0.2.7", "port": 61000}))
    return faults + expect("destination", record["destination"], {"ip": "10.0.1.9", "port": 443})


@test
def destination_translated_and_reset():
    places = [Place(0), Place(1, -HOUR, ips=("10.0.0.1", "172.16.0.9"), ports=(40001, 8443))]
    sent = handshake(C4) + data(C4) + [(C4.dst(200, "R", 501), Fate("made"))]
    record = joined(Scene(sent + [C4.src(3000, ".", 51, 501)], places))
    faults = expect("destination", record["destination"].get("nat"), {"ip": "172.16.0.9", "port": 8443})
    return faults + expect("path", path_of(record), ["made <R"]) + expect("closer", record["tcp"]["closer"], "network")


@test
def three_views():
    """Lost behind the middle one."""
    places = [Place(0), Place(.4, -HOUR), Place(1, 2 * HOUR)]
    again = [C4.src(420, "F.", 51, 501), C4.dst(440.1, ".", 501, 52), C4.dst(470, "F.", 501, 52),
             C4.src(490.1, ".", 52, 502)]
    sent = handshake(C4) + data(C4) + [(C4.src(200, "F.", 51, 501), Fate("lost", .7))] + again + later(C4)
    record = only(Scene(sent, places))
    faults = expect("path", path_of(record), ["lost >F."])
    faults += expect("between", record["tcp"]["path"][0]["between"] if not faults else None, [1, 2])
    return faults + expect("where", [view["where"] for view in record["tcp"]["views"]],
                           ["source", "between", "destination"])


@test
def missing_view():
    record = joined(Scene(handshake(C4) + data(C4) + close(C4), [Place(0)]))
    return expect("path", record["tcp"]["path"], None) + expect("views", len(record["tcp"]["views"]), 1)


@test
def the_same_place_twice():
    """Which of two is nearer cannot be told."""
    record = joined(Scene(handshake(C4) + data(C4) + close(C4), [Place(.5), Place(.5, HOUR)]))
    faults = expect("path", record["tcp"]["path"], None)
    return faults + expect("where", {view["where"] for view in record["tcp"]["views"]}, {"unknown"})


@test
def given_twice():
    first, second = views(Scene(handshake(C4) + data(C4) + close(C4), BOTH))
    found = joined_of([first, second, first])
    return expect("views", [len(one["tcp"]["views"]) for one in found], [2])


@test
def interim_and_final():
    """The final record takes the place of the interim one, whichever comes first."""
    first, second = views(Scene(handshake(C4) + data(C4) + close(C4), BOTH))
    interim = json.loads(first)
    interim["tcp"]["final"] = False
    interim["tcp"]["outcome"] = "unfinished"
    lines = json.dumps(interim).encode() + b"\n"
    faults = []
    for order in ([lines + first, second], [first + lines, second], [first, second, lines]):
        found = joined_of(order)
        faults += expect("final", [(one["tcp"]["final"], one["tcp"]["outcome"]) for one in found], [(True, "graceful")])
    found = joined_of([lines, second])
    return faults + expect("interim alone", [one["tcp"]["final"] for one in found], [False])


@test
def port_reused():
    again = replace(C4, isn=(1111, 2222), start=C4.start + ns(3000))
    sent = handshake(C4) + data(C4) + close(C4) + handshake(again) + data(again) + close(again)
    found = joined_of(views(Scene(sent, BOTH)))
    faults = expect("connections", len(found), 2)
    return faults + expect("views", [len(one["tcp"]["views"]) for one in found], [2, 2])


@test
def played_again():
    """The same packets an hour later: what one place sees twice, one after the other, are two connections."""
    sent = handshake(C4) + data(C4) + close(C4)
    lines = [first + again for first, again in zip(views(Scene(sent, BOTH)), views(
        Scene([replace(one, time=one.time + HOUR) for one in sent], BOTH)))]
    found = joined_of(lines)
    faults = expect("views", [len(one["tcp"]["views"]) for one in found], [2, 2])
    return faults + expect("path", [path_of(one) for one in found], [[], []])


@test
def translated_at_one_place():
    """A box sees both tuples at once: that is one connection."""
    inside, outside = views(Scene(handshake(C4) + data(C4) + close(C4), [
        Place(.5), Place(.5001, ips=("192.0.2.7", "10.0.1.9"), ports=(61000, 443))]))
    found = joined_of([inside + outside])
    return expect("views", [len(one["tcp"]["views"]) for one in found], [2])


@test
def clock_drifts():
    """100 ppm over an hour are 360 ms: nothing was delayed, and the close's shares have an offset of their own time."""
    c = replace(C4)
    sent = handshake(c) + data(c) + close(c, 3_600_000)
    scene = Scene(sent, [Place(0), Place(1, 3 * HOUR, ppm=100)])
    faults = check(scene, [], **GRACEFUL)
    share = joined(scene)["tcp"]["one_way"]["fin_to_ack"]
    if abs(share["out"] - ns(20)) > share["error"]:
        faults.append(f"fin_to_ack {share}")
    return faults


@test
def clock_is_set():
    """Each connection has the offset of its own time, and nothing was delayed."""
    lines, ahead, faults = [b"", b""], [HOUR] * 3 + [-2 * 10**9] * 3, []
    for number, offset in enumerate(ahead):
        c = replace(C4.other(40001 + number), isn=(1000 + number, 2000), start=C4.start + ns(10_000 * number))
        made = views(Scene(handshake(c) + data(c) + close(c), [Place(0), Place(1, offset)]))
        lines = [old + new for old, new in zip(lines, made)]
    for record, offset in zip(joined_of(lines), ahead):
        clock = record["tcp"]["views"][1]["clock"]
        if clock["ahead"] is None or abs(clock["ahead"] - offset) > clock["error"]:
            faults.append(f"clock {clock}, it is {offset} ahead")
        faults += expect("path", path_of(record), [])
    return faults


class SetBack(Place):
    """The clock is set while the connection is open."""

    def clock(self, time):
        return super().clock(time) - (HOUR if time > EPOCH + ns(150) else 0)


@test
def clock_is_set_while_open():
    record = only(Scene(handshake(C4) + data(C4) + close(C4) + later(C4), [Place(0), SetBack(1, 2 * HOUR)]))
    return expect("path", path_of(record), [])


@test
def clock_beyond_belief():
    """A record of the year 2262: its time stamps are compared with nobody's."""
    first, second = views(Scene(handshake(C4) + data(C4) + close(C4), BOTH))
    late = json.loads(second)
    late["@timestamp"] = late["event"]["end"] = late["event"]["start"] = "2262-01-01T00:00:00.000000000Z"
    found = joined_of([first, json.dumps(late).encode()])
    return expect("clocks", [[view["clock"]["ahead"] for view in one["tcp"]["views"]] for one in found], [[0, None]])


@test
def begun_late():
    """The far capture lacks the beginning: its segments are neither lost nor made."""
    sent = handshake(C4) + data(C4) + close(C4)
    scene = Scene(sent, [Place(0), Place(1, HOUR, skip=(0, 1, 2, 3, 4, 5))])
    record = joined(scene)
    return expect("path", path_of(record), []) + expect("views", len(record["tcp"]["views"]), 2)


@test
def begun_late_the_other_way_round():
    """Midstream, the lower port is taken for the destination's: here that is wrong."""
    c = replace(C4, ports=(100, 40001))
    sent = handshake(c) + data(c) + close(c)
    record = joined(Scene(sent, [Place(0), Place(1, HOUR, skip=(0, 1, 2, 3, 4, 5))]))
    far = next(view for view in record["tcp"]["views"] if view["clock"]["ahead"])
    return expect("source of the far view", far["source"]["port"], 100) + expect("closer", far["closer"], "source")


@test
def unanswered():
    """Every SYN is lost in between; one of another connection tells the clocks."""
    sent = [(C4.src(ms, "S"), Fate("lost")) for ms in (0, 1000, 3000)] + later(C4)
    record = only(Scene(sent, BOTH))
    return expect("path", path_of(record), None) + expect("outcome", record["tcp"]["outcome"], "unanswered")


def live(lines, host, role, name):
    """The record as an agent on that host has it: it knows the socket of one end."""
    record = json.loads(lines)
    record["host"] = {"name": host}
    record["observer"] = {"ingress": {"interface": {"name": "eth0"}}}
    record[role]["process"] = {"pid": 7, "name": name, "uid": 0, "cgroup": 1, "netns": 1, "how": "close"}
    record["tcp"]["reset"]["reason"] = "TCP_STATE"
    return json.dumps(record).encode() + b"\n"


@test
def sockets_tell_the_place():
    """No segment each way was seen by both; what is known of the sockets tells who is where. Names are escaped."""
    sent = handshake(C4) + data(C4) + close(C4)
    near, far = views(Scene(sent, [Place(0, skip=(1, 7, 8)), Place(1, HOUR, skip=(2, 6, 9))]))
    found = joined_of([live(far, "b", "destination", "x\u202e\x1b[2J"), live(near, "a", "source", "y")])[0]
    faults = expect("hosts", [(one["host"], one["where"]) for one in found["tcp"]["views"]],
                    [("a", "source"), ("b", "destination")])
    names = found["tcp"]["views"][1]["destination"].get("process", {}).get("name")
    return faults + expect("name", names, "x\u202e\x1b[2J")


@test
def hosts_with_many_interfaces():
    """Two interfaces of one host are two views; the same record from two files is one view."""
    sent = handshake(C4) + data(C4) + close(C4)
    near, far = views(Scene(sent, BOTH))
    near, far = live(near, "a", "source", "y"), live(far, "b", "destination", "z")
    other = json.loads(near)
    other["event"]["id"] = "f" * 32
    other["observer"]["ingress"]["interface"]["name"] = "br0"
    found = joined_of([near + far, json.dumps(other).encode(), far])
    return expect("views", [len(one["tcp"]["views"]) for one in found], [3])


@test
def broken_line():
    """It is named, what came before it is joined, and the exit code is 1."""
    first, second = views(Scene(handshake(C4) + data(C4) + close(C4), BOTH))
    with tempfile.TemporaryDirectory() as folder:
        paths = [write(folder, "a.json", first + b"{\"event\":"), write(folder, "b.json", second)]
        process = join(paths)
        faults = expect("exit", process.returncode, 1) + expect("lines", process.stdout.count(b"\n"), 1)
        wanted = f"tcpfin-trace: {paths[0]}:2: no readable record: byte 10: the line ends within a value\n"
        return faults + expect("stderr", process.stderr.decode(), wanted)


@test
def packed():
    """gzip and zstd, in one part and in several, as files and by a pipe: as if they were not packed."""
    first, second = views(Scene(handshake(C4) + data(C4) + close(C4), BOTH))
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for form in ("json", "text"):
            wanted = join([write(folder, "a", first), write(folder, "b", second)], form).stdout
            one_pipe = join(["-"], form, data=first + second).stdout
            faults += expect("records", (wanted.count(b"\n") > 0, one_pipe.count(b"\n") > 0), (True, True))
            for program, parts in (("gzip", 1), ("gzip", 3), ("zstd", 1), ("zstd", 3)):
                paths = [write(folder, name, tracer.packed(lines, program, parts=parts))
                         for name, lines in (("a", first), ("b", second))]
                faults += expect(f"{program} {parts} {form}", join(paths, form).stdout, wanted)
                piped = join(["-"], form, data=tracer.packed(first + second, program, parts=parts)).stdout
                faults += expect(f"{program} {parts} {form} by a pipe", piped, one_pipe)
    return faults


@test
def packed_and_cut():
    """What came before is joined, then the cut is named, exit 1; so is damage, and a packing that is not read."""
    first, second = views(Scene(handshake(C4) + data(C4) + close(C4), BOTH))
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for program in ("gzip", "zstd"):
            whole = tracer.packed(second, program)
            damaged = whole[:len(whole) // 2] + bytes(40) + whole[len(whole) // 2 + 40:]
            for bad, why, records in (
                    (whole[:-1], "truncated: the file ends within its compressed data", None),
                    (whole + whole[:9], "truncated: the file ends within its compressed data", 1),
                    (damaged, "broken: the compressed data are damaged", None)):
                paths = [write(folder, "a", first), write(folder, "b", bad)]
                process = join(paths)
                faults += expect("exit", process.returncode, 1) + expect("lines", process.stdout.count(b"\n"), 1)
                faults += expect("stderr", process.stderr.decode(), f"tcpfin-trace: {paths[1]}: {why}\n")
                got = [len(json.loads(line)["tcp"]["views"]) for line in process.stdout.splitlines()]
                faults += expect("views", got, [2]) if records else []
        paths = [write(folder, "a", first), write(folder, "b", tracer.packed(second, "xz"))]
        process = join(paths)
        wanted = (f"tcpfin-trace: {paths[1]}: is compressed; unpack it: xzcat FILE | "
                  "tcpfin-trace ... -\n")
        faults += expect("xz", (process.returncode, process.stderr.decode()), (1, wanted))
    return faults


@test
def other_datasets():
    first, second = views(Scene(handshake(C4) + data(C4) + close(C4), BOTH))
    with tempfile.TemporaryDirectory() as folder:
        paths = [write(folder, "a.json", b'{"event":{"dataset":"tcpfin.stuck"}}\n' + first), "-"]
        process = join(paths, options=(), data=second)
        faults = expect("exit", process.returncode, 0) + expect("lines", process.stdout.count(b"\n"), 1)
        said = b"lines of other datasets, passed over: 1\n" in process.stderr
        return faults + ([] if said else [process.stderr.decode()])


@test
def filters():
    """A connection passes if one of its views does."""
    sent = handshake(C4) + data(C4) + close(C4) + later(C4)
    lines = views(Scene(sent, [Place(0), Place(1, ips=("192.0.2.7", "10.0.1.9"))]))
    with tempfile.TemporaryDirectory() as folder:
        paths = [write(folder, f"{n}.json", one) for n, one in enumerate(lines)]
        counts = [join(paths, options=("-q", *options)).stdout.count(b"\n") for options in (
            [], ["--port=40001"], ["--host=192.0.2.7", "--port=40009"], ["--outcome=reset"], ["-c", "1"],
            ["--where", "lifetime > 100ms and isn_source = 77"])]
    return expect("counts", counts, [2, 1, 1, 0, 1, 1])


@test
def more_views_than_are_compared():
    near, far = views(Scene(handshake(C4) + data(C4) + close(C4), BOTH))
    lines = []
    for number in range(20):
        record = json.loads(far if number else near)
        record["event"]["id"], record["host"] = f"{number:032x}", {"name": f"h{number}"}
        lines.append(json.dumps(record).encode() + b"\n")
    found = joined_of([b"".join(lines)])
    text = join(["-"], "text", data=b"".join(lines)).stdout
    faults = expect("views", [(len(one["tcp"]["views"]), one["tcp"]["views_left_out"]) for one in found], [(16, 4)])
    return faults + ([] if b", 20 views, the first 16 of them compared\n" in text else [text.decode()])


@test
def little_memory():
    """Records that do not fit: a message, and nothing that looks like an answer."""
    line = views(Scene(handshake(C4) + data(C4) + close(C4), BOTH))[0]
    number = json.loads(line)["event"]["id"].encode()
    lines = b"".join(line.replace(number, b"%032x" % n) for n in range(40_000))
    limit = "ulimit -v 100000; exec " + shlex.join([tracer.BINARY, "--join", "-q", "-"])
    process = subprocess.run(["sh", "-c", limit], input=lines, capture_output=True, timeout=60, check=False)
    return expect("result", (process.returncode, process.stdout, process.stderr),
                  (1, b"", b"tcpfin-trace: out of memory for records\n"))


def cpu_time(lines):
    """s of --join on them; what it printed."""
    begun = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = join(["-"], data=b"".join(lines))
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begun, process.stdout.count(b"\n")


@test
def many_hosts():
    """A record takes about as long to join, however many hosts there are."""
    times, near_and_far = {}, views(Scene(handshake(C4) + data(C4) + close(C4), BOTH))
    for hosts in (4, 6000):
        lines = []
        for number in range(12_000):
            record = json.loads(near_and_far[number % 2])
            record["event"]["id"] = f"{number:032x}"
            record["host"] = {"name": f"{number % 2}.{number // 2 % hosts}"}
            record["tcp"]["isn"]["source"] = number // 2
            lines.append(json.dumps(record).encode() + b"\n")
        times[hosts], joined_count = cpu_time(lines)
        if joined_count != 6000:
            return [f"{hosts} hosts: {joined_count} connections"]
    return [] if times[6000] < 3 * times[4] else [f"user time in s by number of hosts: {times}"]


@test
def no_file():
    process = join(["/nonexistent/a.json"])
    faults = expect("exit", process.returncode, 1)
    return faults + expect("stderr", process.stderr.decode(),
                           "tcpfin-trace: /nonexistent/a.json: No such file or directory\n")


@test
def described():
    """Every member that these tests saw is in tcpfin-trace-record(5) with its type, and the other way round."""
    with open(fields.PAGE, encoding="utf-8") as file:
        known = fields.documented(file.read().splitlines())
    return sorted(fields.dataset_faults("tcpfin.joined", known["tcpfin.joined"], PRINTED))


def main():
    global VERBOSE
    parser = argparse.ArgumentParser()
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    VERBOSE = options.verbose
    failed = 0
    names = tuple(options.names) or ("",)
    chosen = {name: run for name, run in TESTS.items() if name.startswith(names)}
    for name, run in chosen.items():
        try:
            faults = run()
        except (AssertionError, KeyError, IndexError, ValueError) as error:
            faults = [f"{type(error).__name__}: {error}"]
        failed += not tracer.print_result(name, faults)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
