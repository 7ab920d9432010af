# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads metrics as text, strictly, and says what metrics a list of records adds up to."""
import re
from collections import Counter

LINE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
STEPS = ("fin_to_ack", "half_closed", "peer_fin_to_ack", "close")
SHOWN_GROUPS, OUTCOMES = 50, 8


class Malformed(Exception):
    """The text is no exposition, or breaks a rule of one."""


def require(condition, why):
    if not condition:
        raise Malformed(why)


def key(name, **labels):
    """A sample's name and labels, as the keys of Metrics.samples."""
    return name, tuple(sorted((label, value) for label, value in labels.items()))


def labels_of(text):
    """The labels between braces, sorted."""
    found = LABEL.findall(text)
    require("".join(f'{name}="{value}",' for name, value in found).rstrip(",") == text, f"labels {text!r}")
    require(len(dict(found)) == len(found), f"a label twice: {text!r}")
    unescaped = ((name, re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value)) for name, value in found)
    return tuple(sorted(unescaped))


class Metrics:
    """Samples as {(name, labels): value as text}, in an exposition of either format."""

    def __init__(self, text, openmetrics=False):
        self.openmetrics = openmetrics
        self.samples, self.types, family = {}, {}, None
        require(text.endswith("# EOF\n" if openmetrics else "\n"), "the end is missing")
        lines = text.split("\n")[:-2 if openmetrics else -1]
        for line in lines:
            if line.startswith("# "):
                family = self.comment(line, family)
            else:
                self.sample(line, family)
        self.check_histograms()

    def comment(self, line, before):
        word, name, rest = line[2:].split(" ", 2)
        if word == "HELP":
            require(name not in self.types and rest, f"{name} begins twice, or without a word: {line}")
            return name
        require(word == "TYPE" and name == before, f"a line out of place: {line}")
        self.types[name] = rest
        return name

    def suffixes(self, family):
        kind = self.types.get(family)
        if kind == "histogram":
            return "_bucket", "_sum", "_count"
        return ("_total",) if self.openmetrics and kind == "counter" else ("_info",) if kind == "info" else ("",)

    def sample(self, line, family):
        found = LINE.match(line)
        require(found, f"no sample: {line!r}")
        name, labels, value = found[1], labels_of(found[2] or ""), found[3]
        require(any(name == f"{family}{suffix}" for suffix in self.suffixes(family)), f"{name} among {family}")
        require(self.types[family] != "counter" or name.endswith("_total"), f"a counter {name}")
        require((name, labels) not in self.samples, f"twice: {line}")
        require(float(value) >= 0, line)
        self.samples[name, labels] = value

    def check_histograms(self):
        last = {}
        for (name, labels), value in self.samples.items():
            if not name.endswith("_bucket"):
                continue
            family = name[:-len("_bucket")]
            series, bound = tuple(label for label in labels if label[0] != "le"), dict(labels)["le"]
            before, count = last.get((family, series), (-1.0, 0))
            require(float(bound) > before and int(value) >= count, f"buckets of {family} out of order at {bound}")
            last[family, series] = float(bound), int(value)
        for (family, series), (bound, count) in last.items():
            require(bound == float("inf"), f"{family} ends at {bound}")
            require(self.samples[family + "_count", series] == str(count), f"the count of {family}")

    def of(self, name):
        """{labels as a dictionary's items: value} of one name, 0 left out."""
        return {labels: float(value) for (found, labels), value in self.samples.items()
                if found == name and float(value)}

    def total(self, name):
        return sum(self.of(name).values())


# ---- the same from records ----

def detail_of(tcp):
    if tcp["outcome"] == "graceful":
        return tcp["pattern"] or "none"
    if tcp["outcome"] in ("reset", "refused", "handshake_reset"):
        return tcp["reset"]["phase"] or "none"
    return tcp["missing"] or "none" if tcp["outcome"] == "unfinished" else "none"


def word(value):
    return "unknown" if value is None else str(value).lower()


def counters_of(records):
    """{(name, labels): value} of the counters that records add up to."""
    found = Counter()
    for tcp in (record["tcp"] for record in records):
        found[key("tcpfin_connections_total", outcome=tcp["outcome"], detail=detail_of(tcp),
                  closer=word(tcp["closer"]))] += 1
        reset, copies = tcp["reset"], tcp["retransmits"]
        if reset["by"]:
            found[key("tcpfin_resets_total", by=reset["by"], phase=reset["phase"] or "none", validity=reset["validity"],
                      forged=word(reset["forged"]))] += 1
            found[key("tcpfin_reset_reasons_total", reason=reset.get("reason", "unknown"))] += 1
        found[key("tcpfin_retransmits_total", segment="syn", by="source")] += copies["syn"]
        found[key("tcpfin_retransmits_total", segment="syn_ack", by="destination")] += copies["syn_ack"]
        for by in ("source", "destination"):
            found[key("tcpfin_retransmits_total", segment="fin", by=by)] += copies["fin_" + by]
    return {name: value for name, value in found.items() if value}


def durations_of(records):
    """{(family, labels): values in ns} of the histograms."""
    found = {key("tcpfin_close_step_seconds", step=step): [] for step in STEPS}
    found[key("tcpfin_handshake_seconds")] = []
    found[key("tcpfin_connection_duration_seconds")] = []
    for timing in (record["tcp"]["timing"] for record in records):
        values = {key("tcpfin_close_step_seconds", step=step): timing[step] for step in STEPS}
        values[key("tcpfin_handshake_seconds")] = timing["initial_rtt"]
        values[key("tcpfin_connection_duration_seconds")] = timing["lifetime"]
        for name, value in values.items():
            if value is not None:
                found[name].append(value)
    return found


def histogram_faults(metrics, family, labels, values):
    seconds = f"{sum(values) // 10**9}.{sum(values) % 10**9:09}"
    if metrics.samples[family + "_sum", labels] != seconds:
        yield f"{family} {labels} sums up to {metrics.samples[family + '_sum', labels]}, not {seconds}"
    for (name, found), count in metrics.samples.items():
        if name == family + "_bucket" and set(labels) < set(found):
            bound = float(dict(found)["le"])
            want = sum(value <= round(bound * 10**9) if bound < float("inf") else True for value in values)
            if int(count) != want:
                yield f"{family} {found} is {count}, not {want}"


def counted_once(records):
    """Of records that address translation makes of one connection only the first one."""
    numbers, kept = {}, []
    for record in records:
        isn = record["tcp"]["isn"]
        both = None not in isn.values() and tuple(isn.items())
        if not (both and any(numbers.get(one) == both for one in record["tcp"].get("related", []))):
            kept.append(record)
            numbers[record["event"]["id"]] = both
    return kept


def faults(metrics, records):
    """What the metrics say otherwise than the records, final ones of a connection each."""
    records = counted_once(records)
    want = counters_of(records)
    names = {name for name, _ in want} | {"tcpfin_connections_total", "tcpfin_resets_total", "tcpfin_retransmits_total"}
    for name in sorted(names):
        printed = metrics.of(name)
        wanted = {labels: value for (found, labels), value in want.items() if found == name}
        for labels in sorted(set(printed) | set(wanted)):
            if printed.get(labels, 0) != wanted.get(labels, 0):
                yield f"{name} {labels} is {printed.get(labels, 0)}, not {wanted.get(labels, 0)}"
    for (family, labels), values in durations_of(records).items():
        yield from histogram_faults(metrics, family, labels, values)
    for name in ("tcpfin_process_connections_total", "tcpfin_peer_connections_total",
                 "tcpfin_unit_connections_total", "tcpfin_container_connections_total"):
        if metrics.total(name) != len(records):
            yield f"{name} adds up to {metrics.total(name)}, not {len(records)}"
