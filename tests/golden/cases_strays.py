# SPDX-License-Identifier: GPL-2.0-or-later
"""RSTs and FINs of no connection, as --strays tells of them, and the connections that they belong to."""
from dataclasses import replace

from cases_artefacts import IPV6, closed
from cases_related import POD
from packets import case


def from_pod(c, **more):
    """The client and the pod that stands behind the service's address."""
    return replace(c, ips=(c.ips[0], POD if c.ips[1] != IPV6[1] else "2001:db8::77"), **more)


@case
def strays_not_asked_for(c):
    """Without --strays they are counted only."""
    return [c.src(0, "R.", 5, 7)]


@case
def strays_rst(c):
    """An RST and nothing else."""
    return [c.src(0, "R.", 5, 7, win=0, ttl=57)]


@case
def strays_rst_ipv6(c):
    """The same from the server's port, without an acknowledgment, on IPv6."""
    return [replace(c, ips=IPV6).dst(0, "R", 5)]


@case
def strays_fin(c):
    """A FIN that nobody acknowledges."""
    return [c.dst(0, "F.", 5, 7, 20)]


@case
def strays_fin_ipv6(c):
    """The same on IPv6."""
    return [replace(c, ips=IPV6).src(0, "F.", 5, 7)]


@case
def strays_of_a_port(c):
    """A box forgot the service's address: the pod's answer reaches the client, which knows nothing of the pod."""
    other = from_pod(c)
    return [*c.opened(), other.src(30, "R", 51), *c.four_way()]


@case
def strays_of_a_port_received(c):
    """The pod's own RST reaches the client at the port of its connection to the service."""
    other = from_pod(replace(c, ips=IPV6))
    return [*replace(c, ips=IPV6).opened(), other.dst(30, "R.", 501, 51), *replace(c, ips=IPV6).four_way()]


@case
def strays_of_a_number(c):
    """An RST answers the SYN, but from another address to another port than the SYN's: only the number is the same."""
    other = from_pod(c, ports=(61000, 8443))
    return [*c.opened(), other.dst(30, "R.", 0, 1), *c.four_way()]


@case
def strays_of_nothing(c):
    """The number is that of a SYN between other hosts."""
    other = replace(c, ips=("10.9.9.1", "10.9.9.2"), ports=(61000, 8443))
    return [*c.opened(), other.dst(30, "R.", 0, 1), *c.four_way()]


@case
def strays_late_reset(c):
    """An RST behind its connection's end is that connection's, and no stray."""
    return closed(c) + [c.src(5000, "R", 52)]


@case
def strays_are_not_counted(c):
    """-c 1 stops behind the connection, not behind the stray before it."""
    return [c.other(40009).src(-50, "R", 5), *closed(c), c.other(40010).src(9000, "R", 5)]


@case
def strays_by_port(c):
    """A filter is for strays, too."""
    return [c.other(40009).src(0, "R", 5), c.other(40010).src(10, "R", 5)]


@case
def strays_by_expression(c):
    """The packet expression sees a stray from its sender to its receiver."""
    return [c.src(0, "R", 5), c.dst(10, "R", 5)]
