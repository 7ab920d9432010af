# SPDX-License-Identifier: GPL-2.0-or-later
"""
Which protocol layers the program reads, from tshark's frame.protocols: link header, tags, MPLS labels, PPPoE sessions,
and one level of tunnels (design: VXLAN, Geneve, GRE, IP in IP).
"""
import functools
import re
from collections import namedtuple

TAGS = r"(:(vlan|ieee8021ad):ethertype){0,2}"
SESSION = r"(:pppoes:ppp)?"
LABELS = r"(:mpls)?"
LINK = rf"((eth:ethertype|sll:ethertype|null|raw){TAGS}{SESSION}{LABELS}|(pppoes:)?ppp(:chdlc)?|chdlc)"
EXTENSIONS = r"(:(ipv6\.(hopopts|routing|fraghdr|dstopts|shim6)|ah|hip|mipv6)){0,8}"
IP = rf"(ip(:ah){{0,8}}|ipv6{EXTENSIONS})"
INNER_LINK = rf"(:eth:ethertype{TAGS})?{SESSION}{LABELS}"
TUNNEL = rf"(:(udp:(vxlan|geneve)|gre){INNER_LINK})?"
READ = re.compile(rf"({LINK}:)?{IP}({TUNNEL}:{IP})?:tcp(:|$)")

# Bytes of a layer, at least: options are not counted. Those of IP come from the frame.
BYTES = {"eth": 14, "sll": 16, "null": 4, "vlan": 4, "ieee8021ad": 4, "pppoes": 6, "ppp": 0, "chdlc": 4, "mpls": 4,
         "udp": 8, "vxlan": 8, "geneve": 8, "gre": 4}
TUNNELS = ("vxlan", "geneve", "gre")
KNOWN = set(BYTES) | {"ethertype", "raw", "ip", "ipv6", "tcp"}

# odd: why the frame is not read, or None. ip: which of tshark's values of a field of IP is that of the segment, None of
# IPv6. ipv6: the same of IPv6. before: bytes before the segment's IP header, at least.
Layers = namedtuple("Layers", "odd ip ipv6 before tunnel")


def odd_layer(names):
    """The layer for which the frame is not read."""
    if names.count("vlan") + names.count("ieee8021ad") > 2:
        return "more than two VLAN tags"
    tunnels = [name for name in names if name in TUNNELS]
    if names.count("ip") + names.count("ipv6") > 2 or len(tunnels) > 1:
        return "a tunnel in a tunnel"
    unknown = [name for name in names if name not in KNOWN and not name.startswith("ipv6.")]
    if unknown:
        return unknown[0]
    return "more than eight extension headers" if "ipv6" in names else ":".join(names)


def bytes_before(names):
    """Before the last IP header."""
    last = max(place for place, name in enumerate(names) if name in ("ip", "ipv6"))
    sizes = {**BYTES, "ip": 20, "ipv6": 40}
    return sum(sizes.get(name, 0) for name in names[:last])


@functools.lru_cache(maxsize=4096)
def layers_of(protocols):
    names = protocols.split(":tcp")[0].split(":")
    versions = [name for name in names if name in ("ip", "ipv6")]
    if not versions or not READ.match(protocols):
        return Layers(odd_layer(names), None, None, 0, None)
    inner, place = versions[-1], versions.count(versions[-1]) - 1
    tunnel = next((name for name in names if name in TUNNELS), None)
    return Layers(None, place if inner == "ip" else None, place if inner == "ipv6" else None, bytes_before(names),
                  tunnel)
