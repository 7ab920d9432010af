# SPDX-License-Identifier: GPL-2.0-or-later
"""What IPFIX must say of a connection: the elements that follow from its record, as CSV and JSON have it."""
import calendar
import re
import time

# Columns that the standard has elements for, or that are the same in all records.
STANDARD = {"timestamp", "event_start", "event_end", "event_duration", "interface_name", "network_type",
            "network_vlan_outer", "network_vlan_inner", "source_ip", "source_port", "source_bytes", "destination_ip",
            "destination_port", "destination_bytes", "traffic_source_packets", "traffic_destination_packets",
            "isn_source", "isn_destination", "tcp_flags", "tcp_final", "event_dataset", "event_kind", "event_category",
            "event_type", "ecs_version", "agent_type"}
BITS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32, "E": 64, "W": 128}
COUNTED = {"Fin": "F", "Syn": "S", "Rst": "R", "Psh": "P", "Ack": ".", "Urg": "U"}
NTP_1970 = 2208988800  # seconds
ENDED = {"graceful", "reset", "refused", "handshake_reset"}


def own_name(column):
    """The enterprise's element for a column: timing_fin_to_ack is tcpfinTimingFinToAck."""
    return "tcpfin" + "".join(part[0].upper() + part[1:] for part in re.sub("^tcp_", "", column).split("_"))


def own_numbers(columns):
    """{element: number} of the enterprise's own elements: the places of their columns."""
    return {own_name(column): place for place, column in enumerate(columns, 1) if column not in STANDARD}


def nanoseconds(text):
    whole, fraction = re.fullmatch(r"(.*?)(?:\.(\d+))?Z", text).groups()
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int((fraction or "0").ljust(9, "0"))


def ntp(ns):
    """NTP's time begins anew in 2036 (RFC 7011, section 6.1.10)."""
    return ((ns // 10**9 + NTP_1970) % 2**32 << 32) + (ns % 10**9 << 32) // 10**9


def value_of(cell):
    """The value that a cell has as an element; texts stay what they are."""
    return {"true": True, "false": False}.get(cell, int(cell) if re.fullmatch(r"-?\d+", cell) else cell)


def own_elements(row, record):
    """
    The enterprise's own elements: whatever is in the CSV row, but for what JSON leaves out where it is false; and the
    interface, also where it was one only.
    """
    left_out = {"reset_ttl_differs": not record["tcp"]["reset"].get("ttl_differs"),
                "tcp_bytes_approximate": not record["tcp"].get("bytes_approximate")}
    found = {own_name(column): value_of(cell) for column, cell in row.items()
             if cell and column not in STANDARD and not left_out.get(column)}
    if row["interface_name"] and not row["tcp_interfaces"]:
        found[own_name("tcp_interfaces")] = record["observer"]["ingress"]["interface"]["name"]
    return found


def bits(flags):
    return sum(BITS[letter] for letter in flags if letter in BITS and flags != "none")


def side_elements(record, side, name):
    """Elements of what a side sent; name(standard) is that element, or its reverse."""
    segments = [one for one in record["tcp"]["segments"] if one["from"] == side]
    opening = next((one for one in segments if "S" in one["flags"]), None)
    counted = record["tcp"].get("traffic", {}).get(side)
    flags = 0
    for one in [one["flags"] for one in segments] + [run for run, _ in (counted["flags"] if counted else [])]:
        flags |= bits(one)
    yield name("tcpControlBits"), flags
    if record["tcp"]["isn"][side] is not None:
        yield name("tcpSequenceNumber"), record["tcp"]["isn"][side]
    if opening:
        yield name("tcpWindowSize"), opening["win"]
    if opening and "." in opening["flags"]:
        yield name("tcpAcknowledgementNumber"), opening["raw_ack"]
    if counted:
        yield name("packetTotalCount"), counted["packets"]
    if counted and not counted.get("flags_lost"):
        for word, letter in COUNTED.items():
            yield name(f"tcp{word}TotalCount"), sum(count for run, count in counted["flags"]
                                                    if bits(run) & BITS[letter])


def reverse(name):
    return "reverse" + name[0].upper() + name[1:]


def standard_elements(record):
    """Elements of the standard; flowEndReason apart, of which the record does not say all."""
    start, end = nanoseconds(record["event"]["start"]), nanoseconds(record["event"]["end"])
    version = record["network"]["type"][-1]
    yield from (("flowStartMilliseconds", start // 10**6), ("flowEndMilliseconds", end // 10**6),
                ("flowStartNanoseconds", ntp(start)), ("flowEndNanoseconds", ntp(end)),
                ("protocolIdentifier", 6), ("biflowDirection", 0 if record["tcp"]["midstream"] else 1))
    if record["event"]["duration"] // 10**6 < 1 << 32:
        yield "flowDurationMilliseconds", record["event"]["duration"] // 10**6
    for end_name in ("source", "destination"):
        yield f"{end_name}IPv{version}Address", record[end_name]["ip"]
        yield f"{end_name}TransportPort", record[end_name]["port"]
    for end_name, element in (("source", "initiatorOctets"), ("destination", "responderOctets")):
        if record[end_name]["bytes"] is not None:
            yield element, record[end_name]["bytes"]
    for tag, element in zip(record["network"].get("vlan", []), ("dot1qVlanId", "dot1qCustomerVlanId")):
        yield element, tag
    if record.get("observer", {}).get("ingress", {}).get("interface", {}).get("name"):
        yield "interfaceName", record["observer"]["ingress"]["interface"]["name"]
    yield from side_elements(record, "source", lambda name: name)
    yield from side_elements(record, "destination", reverse)


def differences(exported, record, row, read_back=False):
    """
    What is exported otherwise than the record has it: (element, exported, expected); None where it is not there.
    read_back: it was exported from the record alone.
    """
    expected = {**dict(standard_elements(record)), **own_elements(row, record)}
    found = {name: value for name, value in exported.items() if name not in ("template", "flowEndReason")}
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            yield name, found.get(name), expected.get(name)
    reasons = {3} if record["tcp"]["outcome"] in ENDED else {None} if read_back else {1, 4}
    if exported.get("flowEndReason") not in reasons:
        yield "flowEndReason", exported.get("flowEndReason"), reasons
