# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that belong together: the same SYN with other addresses (NAT), resets of what a port has elsewhere."""
from dataclasses import replace

from cases_artefacts import IPV6, closed
from packets import EPOCH, case, ns

POD = "10.0.7.7"


def behind_nat(c, later=0.05, **other):
    """The connection seen before and behind a router: each segment again with what it has changed."""
    seen = [(s, replace(s, conversation=replace(s.conversation, **other), time=s.time + ns(later))) for s in closed(c)]
    return [s for pair in seen for s in pair]


@case
def related_service(c):
    """A service's address stands for a pod's: both are seen."""
    return behind_nat(c, ips=(c.ips[0], POD))


@case
def related_masquerade_ipv6(c):
    """IPv6: the router speaks for the source, from another port."""
    c = replace(c, ips=IPV6)
    return behind_nat(c, ips=("2001:db8::ffff", c.ips[1]), ports=(61000, c.ports[1]))


@case
def related_not_by_number_alone(c):
    """Another connection happens to have the same initial number: no end of it is the same."""
    return behind_nat(c, ips=("10.9.9.1", "10.9.9.2"), ports=(50001, 8443))


@case
def related_not_a_reused_port(c):
    """The port of an earlier connection speaks to another host, with another number."""
    other = replace(c, ips=(c.ips[0], POD), isn=(77, 78), start=EPOCH + ns(5000))
    return closed(c) + closed(other)


@case
def related_reset_of_nothing(c):
    """The server's own address gets through: the source answers data of a connection that it does not know."""
    direct = replace(c, ips=(c.ips[0], POD), ports=(c.ports[0], 8085))
    return c.opened() + [direct.dst(120, "P.", 501, 51, 100), direct.src(120.1, "R", 51)] + c.four_way()
