# SPDX-License-Identifier: GPL-2.0-or-later
"""How connections close: a capture for each row of the decision table (G graceful, U unfinished, R reset, P after).

Unless a case says otherwise the source closes at 100 ms, where its next number is 51 and the destination's 501.
"""
from dataclasses import replace

from scapy.layers.inet import ICMP, IP

from cases_artefacts import IPV6
from packets import case, frame_of


# ---- graceful ----

@case
def g1_four_way(c):
    """FIN, ACK, FIN, ACK: each FIN acknowledged by a segment of its own."""
    return c.opened() + c.four_way()


@case
def g1_destination_closes(c):
    """The server closes first, as HTTP/1.0 servers do."""
    return c.opened() + [c.dst(100, "F.", 501, 51), c.src(100.5, ".", 51, 502),
                         c.src(101, "F.", 51, 502), c.dst(111, ".", 502, 52)]


@case
def g1_data_then_fin(c):
    """The last data and the FIN are two segments in a row."""
    return c.opened() + [c.src(99.9, "P.", 51, 501, 30), c.src(100, "F.", 81, 501), c.dst(110, ".", 501, 82),
                         c.dst(149, "P.", 501, 82, 40), c.dst(150, "F.", 541, 82), c.src(150.2, ".", 82, 542)]


@case
def g1_window_update_after_the_ack(c):
    """A window update repeats the ACK of the FIN: the first one counts."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(130, ".", 501, 52, win=2000),
                         c.dst(150, "F.", 501, 52), c.src(150.2, ".", 52, 502)]


@case
def g1_within_a_host(c):
    """A round trip of 1 us: no window makes a path carry 4 GiB in 150 ms."""
    return [c.src(0, "S", options=[("WScale", 14)]), c.dst(0.0005, "S.", 0, 1, options=[("WScale", 14)]),
            c.src(0.001, ".", 1, 1)] + c.four_way()


@case
def g2_three_way(c):
    """Three-way: the peer's FIN is the first segment that acknowledges the closer's FIN."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, "F.", 501, 52), c.src(110.3, ".", 52, 502)]


@case
def g1_ack_behind_the_fin(c):
    """Four-way: the capture has the peer's FIN ahead of the bare ACK that was sent before it."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, "F.", 501, 52), c.dst(110.2, ".", 501, 52),
                         c.src(110.3, ".", 52, 502)]


@case
def g2_destination_closes(c):
    """Three-way, the server closes first."""
    return c.opened() + [c.dst(100, "F.", 501, 51), c.src(100.2, "F.", 51, 502), c.dst(110, ".", 502, 52)]


@case
def g3_simultaneous(c):
    """Two FINs cross: neither acknowledges the other, and both ends go through CLOSING."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(102, "F.", 501, 51),
                         c.src(107, ".", 52, 502), c.dst(110, ".", 502, 52)]


@case
def g3_destination_seen_first(c):
    """Two FINs cross, captured near the destination, whose FIN comes first in the file."""
    return c.opened() + [c.dst(100, "F.", 501, 51), c.src(103, "F.", 51, 501),
                         c.dst(104, ".", 502, 52), c.src(109, ".", 52, 502)]


@case
def g3_first_fin_lost(c):
    """The source's FIN is lost behind the capture; the destination closes by itself, the FIN's copy acknowledges."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(150, "F.", 501, 51), c.src(150.2, ".", 52, 502),
                         c.src(300, "F.", 51, 502), c.dst(310, ".", 502, 52)]


@case
def g4_fin_with_data(c):
    """The FIN comes with the last 30 bytes: its number follows them."""
    return c.opened() + [c.src(100, "FP.", 51, 501, 30), c.dst(110, ".", 501, 82),
                         c.dst(150, "F.", 501, 82), c.src(150.2, ".", 82, 502)]


@case
def g4_fin_moved_into_larger_retransmission(c):
    """10 bytes, then 20 with the FIN; both are lost and sent again as one segment with the same end."""
    return c.opened() + [c.src(95, "P.", 51, 501, 10), c.src(100, "FP.", 61, 501, 20), c.src(300, "FP.", 51, 501, 30),
                         c.dst(310, ".", 501, 82), c.dst(350, "F.", 501, 82), c.src(350.2, ".", 82, 502)]


@case
def g4_data_again_then_fin_alone(c):
    """FIN with data is lost; the data is sent again without the FIN and acknowledged, then the FIN alone."""
    return c.opened() + [c.src(100, "FP.", 51, 501, 30), c.src(300, "P.", 51, 501, 30), c.dst(310, ".", 501, 81),
                         c.src(500, "F.", 81, 501), c.dst(510, ".", 501, 82),
                         c.dst(550, "F.", 501, 82), c.src(550.2, ".", 82, 502)]


@case
def g5_half_close_with_data(c):
    """The peer acknowledges the FIN and sends 1000 bytes more before its own."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(120, "P.", 501, 52, 1000),
                         c.src(120.2, ".", 52, 1501), c.dst(150, "F.", 1501, 52), c.src(150.2, ".", 52, 1502)]


@case
def g5_ack_carries_data(c):
    """The segment that acknowledges the FIN has data: it was sent after the FIN came, so it is half-close data."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, "P.", 501, 52, 1000), c.src(110.2, ".", 52, 1501),
                         c.dst(150, "F.", 1501, 52), c.src(150.2, ".", 52, 1502)]


@case
def g5_bytes_in_flight(c):
    """1000 bytes cross the FIN: they were sent before it was acknowledged and are no half-close data."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(105, "P.", 501, 51, 1000), c.src(105.1, ".", 52, 1501),
                         c.dst(110, ".", 1501, 52), c.dst(150, "F.", 1501, 52), c.src(150.2, ".", 52, 1502)]


@case
def g6_no_data(c):
    """Connect and close, as health checks do."""
    return c.handshake() + [c.src(20, "F.", 1, 1), c.dst(30, ".", 1, 2), c.dst(30.5, "F.", 1, 2),
                            c.src(30.6, ".", 2, 2)]


@case
def g7_close_from_syn_received(c):
    """The server sends its FIN before the handshake's ACK: SYN-RECEIVED to FIN-WAIT-1 (RFC 9293 section 3.10.4)."""
    return [c.src(0, "S"), c.dst(10, "S.", 0, 1), c.dst(12, "F.", 1, 1), c.src(22, ".", 1, 2),
            c.src(30, "F.", 1, 2), c.dst(40, ".", 2, 2)]


@case
def g7_fin_completes_handshake(c):
    """The client's first segment after the SYN-ACK is its FIN."""
    return c.handshake()[:2] + [c.src(10.1, "F.", 1, 1), c.dst(20, ".", 1, 2), c.dst(30, "F.", 1, 2),
                                c.src(30.1, ".", 2, 2)]


@case
def g7_tfo(c):
    """Fast Open: 20 bytes in the SYN, acknowledged by the SYN-ACK (RFC 7413)."""
    return [c.src(0, "S", length=20, options=[("MSS", 1460), ("WScale", 7), (34, b"cookie88")]), c.dst(10, "S.", 0, 21),
            c.src(10.1, ".", 21, 1), c.dst(11, "P.", 1, 21, 100), c.src(11.1, ".", 21, 101),
            c.src(100, "F.", 21, 101), c.dst(110, ".", 101, 22), c.dst(150, "F.", 101, 22), c.src(150.2, ".", 22, 102)]


@case
def g7_tfo_data_not_taken(c):
    """Fast Open refused: the SYN-ACK acknowledges only the SYN; the 20 bytes are sent again after the handshake."""
    return [c.src(0, "S", length=20, options=[("MSS", 1460), ("WScale", 7), (34, b"cookie88")]), c.dst(10, "S.", 0, 1),
            c.src(10.1, "P.", 1, 1, 20), c.dst(20, ".", 1, 21), c.src(100, "F.", 21, 1), c.dst(110, ".", 1, 22),
            c.dst(150, "F.", 1, 22), c.src(150.2, ".", 22, 2)]


@case
def g8_fin_retransmitted_in_time_wait(c):
    """The last ACK is lost behind the capture: the peer's FIN and the ACK are sent again 200 ms later."""
    return c.opened() + c.four_way() + [c.dst(350, "F.", 501, 52), c.src(350.2, ".", 52, 502)]


@case
def g8_fin_copy_after_settling(c):
    """The FIN's copy comes after the connection was reported: it opens no new one."""
    return c.opened() + c.four_way() + [c.dst(1350, "F.", 501, 52), c.src(1350.2, ".", 52, 502)]


@case
def g9_long_close_wait(c):
    """The peer stays half closed for 30 s; LAST-ACK leads to CLOSED, without TIME-WAIT."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(30110, "F.", 501, 52),
                         c.src(30110.2, ".", 52, 502)]


@case
def simultaneous_open(c):
    """Two SYNs cross (RFC 9293 section 3.5); the first sender is the source."""
    return [c.src(0, "S"), c.dst(4, "S"), c.src(9, "S.", 0, 1), c.dst(10, "S.", 0, 1), c.src(19, ".", 1, 1),
            c.src(100, "F.", 1, 1), c.dst(110, ".", 1, 2), c.dst(150, "F.", 1, 2), c.src(150.2, ".", 2, 2)]


@case
def handshake_retransmitted(c):
    """SYN twice, SYN-ACK twice: times count from the first copies."""
    return [c.src(0, "S"), c.src(1000, "S"), c.dst(1010, "S.", 0, 1), c.dst(2010, "S.", 0, 1), c.src(2010.1, ".", 1, 1),
            c.src(2100, "F.", 1, 1), c.dst(2110, "F.", 1, 2), c.src(2110.3, ".", 2, 2)]


@case
def handshake_many_syns(c):
    """The eighth SYN is answered."""
    return [c.src(1000 * n, "S") for n in range(8)] + [
        c.dst(7010, "S.", 0, 1), c.src(7010.1, ".", 1, 1),
        c.src(7100, "F.", 1, 1), c.dst(7110, "F.", 1, 2), c.src(7110.3, ".", 2, 2)]


@case
def handshake_ack_lost(c):
    """The handshake's ACK is not in the file; the first data acknowledges the same number."""
    opened = c.opened()
    return opened[:2] + opened[3:] + c.four_way()


# ---- waits longer than any time-out ----

def at_each(seconds, segment):
    """segment(ms) at each of these seconds."""
    return [segment(1000 * s) for s in seconds]


LINUX_SYNS = (0, 1, 3, 7, 15, 31, 63)               # up to Linux 6.4
LINEAR_SYNS = (0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67)  # from 6.5 on (tcp_syn_linear_timeouts)


@case
def syn_backoff_unanswered(c):
    """All SYNs of a Linux client, the longest gap 32 s, and none is answered."""
    return at_each(LINUX_SYNS, lambda ms: c.src(ms, "S"))


@case
def syn_backoff_linear(c):
    """The same with Linux 6.5's times, over IPv6, and other traffic hours later."""
    six = replace(c, ips=("2001:db8::1", "2001:db8::9"))
    return at_each(LINEAR_SYNS, lambda ms: six.src(ms, "S")) + [c.other().src(9_000_000, ".", 1, 1)]


@case
def syn_backoff_answered(c):
    """The sixth SYN, at 31 s, is answered."""
    late = c.again(31_000, jump=(0, 0))
    return at_each(LINUX_SYNS[:5], lambda ms: c.src(ms, "S")) + late.opened() + late.four_way()


@case
def syn_after_two_hours(c):
    """The last SYN comes after two hours (no TCP does that): one attempt all the same, by its number."""
    return [c.src(0, "S"), c.src(7_200_000, "S")]


@case
def synack_backoff_then_ack(c):
    """The ACK of the handshake gets through after 31 s: the SYN-ACK comes six times."""
    late = c.again(31_000, jump=(0, 0))
    return [c.src(0, "S")] + at_each(LINUX_SYNS[:6], lambda ms: c.dst(ms + 10, "S.", 0, 1)) + [
        c.src(31_010.1, ".", 1, 1)] + late.opened()[3:] + late.four_way()


@case
def opening_given_up_for_another(c):
    """Seven SYNs without an answer; an hour later the same ports connect with another ISN."""
    new = c.again(3_600_000)
    return at_each(LINUX_SYNS, lambda ms: c.src(ms, "S")) + new.opened() + new.four_way()


@case
def half_closed_10_minutes(c):
    """Data goes on for ten minutes behind the FIN, then comes the other FIN."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(400_000, "P.", 501, 52, 100),
                         c.src(400_000.1, ".", 52, 601), c.dst(600_110, "F.", 601, 52), c.src(600_110.2, ".", 52, 602)]


@case
def half_closed_10_minutes_midstream(c):
    """The same by the destination, whose opening is not in the file."""
    return c.opened()[3:] + [c.dst(100, "F.", 501, 51), c.src(110, ".", 51, 502), c.src(600_110, "F.", 51, 502),
                             c.dst(600_110.2, ".", 502, 52)]


@case
def fin_before_lost_data(c):
    """A FIN behind a hole, 75 s after the handshake; the lost data comes 300 ms later."""
    return c.opened() + [c.src(75_000, "F.", 101, 501), c.dst(75_010, ".", 501, 51), c.src(75_300, "P.", 51, 501, 50),
                         c.dst(75_310, ".", 501, 102), c.dst(75_350, "F.", 501, 102), c.src(75_350.2, ".", 102, 502)]


@case
def idle_3h(c):
    """Three hours without a segment while others go on, then the destination closes."""
    others = [s for hour in (1, 2) for s in c.other(start=c.start + hour * 3600 * 10**9).opened()]
    end = 3 * 3_600_000
    return c.opened() + others + [c.dst(end, "F.", 501, 51), c.src(end + 10, ".", 51, 502),
                                  c.src(end + 50, "F.", 51, 502), c.dst(end + 50.2, ".", 502, 52)]


@case
def reset_in_doubt_for_a_minute(c):
    """A RST whose number is a guess; a minute later its alleged sender sends on, and the destination closes."""
    start = c.opened()[3:]
    return start + [c.dst(100, "R", 1001), c.dst(60_000, "P.", 501, 51, 100), c.src(60_000.1, ".", 51, 601),
                    c.dst(60_100, "F.", 601, 51), c.src(60_110, ".", 51, 602), c.src(60_150, "F.", 51, 602),
                    c.dst(60_150.2, ".", 602, 52)]


@case
def refused_syn_repeated(c):
    """Windows repeats a refused SYN twice, 500 ms apart, with its ISN: one connect()."""
    return [s for ms in (0, 580, 1080) for s in (c.src(ms, "S"), c.dst(ms + 3, "R.", 0, 1))]


@case
def refused_syn_repeated_after_two_minutes(c):
    """The same over IPv6 with a gap that is longer than any time-out but the handshake's."""
    six = replace(c, ips=("2001:db8::1", "2001:db8::9"))
    return [s for ms in (0, 120_000) for s in (six.src(ms, "S"), six.dst(ms + 3, "R.", 0, 1))]


@case
def refused_syn_other_number(c):
    """Another ISN is another attempt."""
    new = c.again(580)
    return [c.src(0, "S"), c.dst(3, "R.", 0, 1), new.src(0, "S"), new.dst(3, "R.", 0, 1)]


# ---- silence ----

@case
def silence_request_reset(c):
    """After six minutes of silence the next request is answered by a RST: a box in the path has forgotten the flow."""
    return c.opened() + [c.src(361_022, "P.", 51, 501, 300), c.dst(361_023, "R", 501)]


@case
def silence_request_reset_in_parts(c):
    """The same by the other side, over IPv6, the data in two segments and sent again before the RST."""
    six = replace(c, ips=("2001:db8::1", "2001:db8::9"))
    return six.opened() + [six.dst(361_022, "P.", 501, 51, 300), six.dst(361_022.1, "P.", 801, 51, 100),
                           six.dst(361_300, "P.", 501, 51, 300), six.src(361_301, "R", 51)]


@case
def silence_request_reset_midstream(c):
    """The same of a connection that is older than the file."""
    return c.opened()[3:] + [c.src(361_022, "P.", 51, 501, 300), c.dst(361_023, "R.", 501, 51)]


@case
def silence_before_fin(c):
    """Five seconds without data, then a FIN. What comes behind it does not count, nor do keep-alives before it."""
    return c.opened() + [c.src(3000, ".", 50, 501), c.dst(3010, ".", 501, 51), c.dst(5022, "F.", 501, 51),
                         c.src(5042, ".", 51, 502), c.src(6442, "P.", 51, 502, 240), c.dst(6462, "R", 502)]


@case
def silence_behind_syn_data(c):
    """The only payload is that of a SYN (RFC 7413), sent twice and taken; a FIN follows five seconds after it."""
    return [c.src(0, "S", 0, 0, 50), c.src(1000, "S", 0, 0, 50), c.dst(1010, "S.", 0, 51), c.src(1010.1, ".", 51, 1),
            c.src(5000, "F.", 51, 1), c.dst(5010, "F.", 1, 52), c.src(5010.1, ".", 52, 2)]


@case
def silence_answered_request(c):
    """A request after 361 s is answered, and the RST comes a second later."""
    return c.opened() + [c.src(361_022, "P.", 51, 501, 300), c.dst(361_023, ".", 501, 351),
                         c.dst(362_022, "R.", 501, 351)]


@case
def silence_data_never_answered(c):
    """Data after a minute of silence is sent again and again, then a FIN; nothing comes back."""
    return c.opened() + [c.src(ms, "P.", 51, 501, 300) for ms in (60_022, 60_222, 60_622)] + [
        c.src(70_000, "F.", 351, 501), c.src(90_000, "F.", 351, 501), c.src(170_000, "F.", 351, 501)]


@case
def silence_open_30s(c):
    """An open connection is as old as its last segment, and its silence has not ended."""
    return c.opened() + [c.src(30_000, "P.", 51, 501, 300), c.dst(30_010, ".", 501, 351)]


@case
def silence_lacks_payload_before_fin(c):
    """The FIN's number shows 100 bytes that the capture lacks: they may have passed at any time of the silence."""
    return c.opened() + [c.src(9000, "F.", 151, 501), c.dst(9010, ".", 501, 152), c.dst(9050, "F.", 501, 152),
                         c.src(9050.2, ".", 152, 502)]


@case
def silence_lacks_payload_before_reset(c):
    """The same of an RST."""
    return c.opened() + [c.src(5000, ".", 51, 501), c.dst(5010, ".", 501, 151), c.src(9000, "R.", 151, 501)]


@case
def silence_lacks_acknowledged_payload(c):
    """An acknowledgment shows payload of the other side that the capture lacks, over IPv6."""
    six = replace(c, ips=IPV6)
    return six.opened() + [six.dst(4000, ".", 501, 151), six.src(9000, "F.", 151, 501), six.dst(9010, ".", 501, 152),
                           six.dst(9050, "F.", 501, 152), six.src(9050.2, ".", 152, 502)]


@case
def silence_lacks_one_direction(c):
    """From some time on only the source's segments were captured: what they acknowledge came at an unknown time."""
    return c.opened() + [c.src(8000, ".", 51, 9001), c.src(9000, "F.", 51, 9001), c.src(9050, ".", 52, 9002)]


@case
def silence_lacks_payload_before_request(c):
    """100 bytes were not captured between the last payload and the request that met the RST."""
    return c.opened() + [c.src(361_022, "P.", 151, 501, 300), c.dst(361_023, "R", 501)]


@case
def silence_lacks_payload_before_the_last(c):
    """What the capture lacks came before the last payload: the silence is known."""
    return c.opened() + [c.src(3000, "P.", 151, 501, 10), c.dst(3010, ".", 501, 161), c.src(9000, "F.", 161, 501),
                         c.dst(9010, ".", 501, 162), c.dst(9050, "F.", 501, 162), c.src(9050.2, ".", 162, 502)]


@case
def silence_payload_behind_its_acknowledgment(c):
    """A mirrored port shows the acknowledgment before the payload: nothing is lacking."""
    return c.opened() + [c.dst(3000, ".", 501, 151), c.src(3000.1, "P.", 51, 501, 100), c.src(9000, "F.", 151, 501),
                         c.dst(9010, ".", 501, 152), c.dst(9050, "F.", 501, 152), c.src(9050.2, ".", 152, 502)]


# ---- never finished ----

def a_minute_later(c):
    """An ACK of another connection, so that packet time goes on."""
    return [c.other().src(70_000, ".", 1, 1)]


@case
def u1_fin_never_acked(c):
    """A FIN and four retransmissions, no answer."""
    return c.opened() + [c.src(ms, "F.", 51, 501) for ms in (100, 300, 700, 1500, 3100)]


@case
def u1_fin_moved_into_copies(c):
    """20 bytes, then a FIN; each copy has both in one segment. The time-out of 60 s counts from the first FIN."""
    return c.opened() + [c.src(95, "P.", 51, 501, 20), c.src(100, "F.", 71, 501)] + [
        c.src(ms, "FP.", 51, 501, 20) for ms in (300, 20_000, 50_000, 70_000)]


@case
def u1_peer_goes_on_sending(c):
    """The peer goes on sending and acknowledges everything but the FIN."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, "P.", 501, 51, 100), c.src(110.1, ".", 52, 601),
                         c.dst(130, "P.", 601, 51, 100), c.src(130.1, ".", 52, 701)] + a_minute_later(c)


@case
def u1_ages_out_in_packet_time(c):
    """A FIN without answer is unfinished after 60 s of packet time, while other connections go on."""
    later = c.other(40002, start=c.start + 100_000_000_000)
    return c.opened() + [c.src(100, "F.", 51, 501)] + later.opened() + later.four_way()


@case
def u2_peer_never_closes(c):
    """The FIN is acknowledged, the peer's application does not close."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52)] + a_minute_later(c)


@case
def u2_source_never_closes(c):
    """The server closed; the client stays in CLOSE-WAIT."""
    return c.opened() + [c.dst(100, "F.", 501, 51), c.src(100.5, ".", 51, 502)] + a_minute_later(c)


@case
def u3_fin_wait_2_expired(c):
    """The closer's kernel forgot its half-closed socket; data comes 40 s later and is answered by a RST without ACK."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(40100, "P.", 501, 52, 100),
                         c.src(40100.1, "R", 52)]


@case
def u3_late_fin_after_70s(c):
    """The peer's FIN comes after 70 s and is answered by a RST: FIN-WAIT-2 has expired. One connection."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(70100, "F.", 501, 52),
                         c.src(70100.1, "R", 52)]


@case
def u4_last_ack_missing(c):
    """The second FIN and three copies are not acknowledged."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52)] + [
        c.dst(ms, "F.", 501, 52) for ms in (150, 350, 750, 1550)]


@case
def u4_three_way_last_ack_missing(c):
    """The server's FIN and the client's FIN with its ACK, and nothing more."""
    return c.opened() + [c.dst(100, "F.", 501, 51), c.src(100.2, "F.", 51, 502)] + a_minute_later(c)


@case
def u4_simultaneous_one_ack_missing(c):
    """Two FINs cross, and the destination does not acknowledge the source's."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(102, "F.", 501, 51), c.src(107, ".", 52, 502)
                         ] + a_minute_later(c)


@case
def u5_fin_answered_by_rst(c):
    """The closer has no TIME-WAIT: it answers the peer's FIN by a RST."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(150, "F.", 501, 52),
                         c.src(150.2, "R", 52)]


@case
def u6_idle_never_closed(c):
    """Open until the capture ends."""
    return c.opened()


@case
def u6_shown_open(c):
    """A connection that is open until the capture ends, with --show-open."""
    return c.opened()


@case
def u7_hole_never_filled(c):
    """1000 bytes before the FIN never arrive: no acknowledgment reaches it."""
    return c.opened() + [c.src(100, "F.", 1051, 501), c.dst(110, ".", 501, 51), c.src(300, "F.", 1051, 501),
                         c.dst(310, ".", 501, 51), c.src(700, "F.", 1051, 501), c.dst(710, ".", 501, 51)]


@case
def u7_hole_filled(c):
    """The FIN overtakes 1000 bytes; one ACK acknowledges both."""
    return c.opened() + [c.src(100, "F.", 1051, 501), c.dst(110, ".", 501, 51), c.src(115, ".", 51, 501, 1000),
                         c.dst(125, ".", 501, 1052), c.dst(150, "F.", 501, 1052), c.src(150.2, ".", 1052, 502)]


@case
def u8_ends_inside_the_close(c):
    """The file ends 10 ms after the first FIN: the rest of the close cannot be known."""
    return c.opened() + c.four_way()[:2]


@case
def u8_begins_with_first_fin(c):
    """The capture starts with the first FIN: the other side's numbers prove the connection."""
    return c.four_way()


@case
def u8_begins_after_first_fin(c):
    """The first FIN came before the capture began: whether the source has closed cannot be known."""
    return c.four_way()[1:]


@case
def u8_begins_after_first_fin_long_ago(c):
    """The same, and a minute passes: no step is missing, as far as anybody knows."""
    return c.four_way()[1:] + a_minute_later(c)


@case
def u8_begins_after_first_fin_of_destination(c):
    """IPv6, the other side."""
    c = replace(c, ips=IPV6)
    return [c.src(150, "F.", 51, 502), c.dst(160, ".", 502, 52)] + a_minute_later(c)


@case
def u8_begins_while_half_closed(c):
    """The source has closed. The destination goes on sending, and closes at last."""
    return [c.dst(100, "P.", 501, 52, 100), c.src(101, ".", 52, 601), c.dst(200, "P.", 601, 52, 100),
            c.src(201, ".", 52, 701), c.dst(300, "F.", 701, 52), c.src(300.5, ".", 52, 702)] + a_minute_later(c)


@case
def u8_begins_after_first_fin_all_segments(c):
    """With all segments counted."""
    return u8_begins_after_first_fin_long_ago(c)


@case
def u8_begins_with_data(c):
    """The source's payload is captured before the destination's FIN, so it had not closed; and it never does."""
    data = [c.src(30, "P.", 41, 501, 10), c.dst(31, ".", 501, 51)]
    return data + [c.dst(150, "F.", 501, 51), c.src(150.5, ".", 51, 502)] + a_minute_later(c)


@case
def u8_first_fin_not_captured(c):
    """The capture has lost the source's FIN. Its ACKs have the number behind it, as behind a byte of payload."""
    return c.opened() + [c.dst(110, ".", 501, 52), c.dst(200, "P.", 501, 52, 100), c.src(201, ".", 52, 601),
                         c.dst(300, "F.", 601, 52), c.src(300.5, ".", 52, 602)] + a_minute_later(c)


@case
def u8_first_fin_not_captured_ipv6(c):
    """The same of the destination, and nothing but the source's FIN acknowledges its."""
    c = replace(c, ips=IPV6)
    return c.opened() + [c.dst(100, ".", 502, 51), c.src(300, "F.", 51, 502), c.dst(310, ".", 502, 52)] + \
        a_minute_later(c)


@case
def u8_payload_behind_what_was_not_captured(c):
    """The capture has lost 40 bytes of the source. Those behind them are in it, so the source had not closed."""
    return c.opened() + [c.dst(110, ".", 501, 91), c.src(120, "P.", 91, 501, 20), c.dst(130, ".", 501, 111),
                         c.dst(300, "F.", 501, 111), c.src(300.5, ".", 111, 502)] + a_minute_later(c)


@case
def u8_source_goes_on_behind_the_fin(c):
    """Of a connection that is older than the capture the destination closes; the source sends, and does not close."""
    return [c.dst(100, "F.", 501, 51), c.src(100.5, ".", 51, 502), c.src(200, "P.", 51, 502, 40),
            c.dst(210, ".", 502, 91)] + a_minute_later(c)


@case
def u8_fin_of_destination_never_acked(c):
    """Whoever closed first, the FIN of the destination gets no acknowledgment."""
    return [c.src(40, ".", 51, 501), c.dst(50, ".", 501, 51)] + \
        [c.dst(ms, "F.", 501, 51) for ms in (100, 300, 700)] + a_minute_later(c)


@case
def u8_begins_with_last_ack(c):
    """Only the last ACK is in the file."""
    return c.four_way()[3:]


@case
def u8_peer_fin_not_captured(c):
    """The peer's ACK and FIN are not in the file, but the source acknowledges a number that only a FIN explains."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.src(150.2, ".", 52, 502)]


@case
def u8_only_one_direction(c):
    """Asymmetric routing: only the source is seen, and its acknowledgments prove that it was answered."""
    return [s for s in c.opened() + c.four_way() if s.side == 0]


@case
def u8_only_source_then_reset(c):
    """Asymmetric routing, only the source is seen: it closes, and answers later data by a RST."""
    return [s for s in c.opened() if s.side == 0] + [c.src(100, "F.", 51, 501), c.src(120.1, "R", 52)]


@case
def u8_begins_with_syn_ack(c):
    """The SYN is not in the file: the SYN-ACK shows who opened, but times from the SYN are unknown."""
    return c.opened()[1:] + c.four_way()


@case
def midstream_close(c):
    """The capture starts on an open connection: the end with the lower port is taken as destination."""
    return c.opened()[3:] + c.four_way()


@case
def unanswered(c):
    """A SYN and its copies after 1 s and 3 s, no answer."""
    return [c.src(0, "S"), c.src(1000, "S"), c.src(3000, "S")]


@case
def unanswered_in_packet_time(c):
    """A SYN is unanswered 10 s after its last copy, while other connections go on."""
    later = c.other(40002, start=c.start + 12_000_000_000)
    return [c.src(0, "S")] + later.opened() + later.four_way()


# ---- reset ----

@case
def r1_refused(c):
    """The SYN is answered by a RST with sequence 0 that acknowledges it."""
    return [c.src(0, "S"), c.dst(10, "R.", 0, 1, tcp={"seq": 0}, win=0)]


@case
def r1_refused_second_syn(c):
    """The first SYN is lost, the second refused."""
    return [c.src(0, "S"), c.src(1000, "S"), c.dst(1010, "R.", 0, 1, tcp={"seq": 0}, win=0)]


@case
def r1_refused_tfo(c):
    """A SYN with data refused: the RST acknowledges the data, too."""
    return [c.src(0, "S", length=20), c.dst(10, "R.", 0, 21, tcp={"seq": 0}, win=0)]


@case
def r1_forged_refusal(c):
    """A RST that does not acknowledge the SYN is ignored (RFC 9293 section 3.10.7.3): the connection opens."""
    opened = c.opened()
    return opened[:1] + [c.dst(5, "R.", 0, 5000, tcp={"seq": 0}, win=0)] + opened[1:] + c.four_way()


@case
def r2_rst_after_syn_ack(c):
    """The client, a scanner or one that forgot its SYN, answers the SYN-ACK by a RST."""
    return c.handshake()[:2] + [c.src(10.1, "R", 1)]


@case
def r2_server_gives_up(c):
    """The server sends its SYN-ACK and then a RST before the handshake is complete."""
    return c.handshake()[:2] + [c.dst(20, "R.", 1, 1)]


@case
def r3_abort(c):
    """RST+ACK in sequence on an open connection: unread data at close, SO_LINGER 0, a killed process."""
    return c.opened() + [c.src(100, "R.", 51, 501)]


def without_fin_and_data(c, *more):
    """The destination's last FIN, or byte, was not captured: what acknowledges it was."""
    return c.opened() + [c.src(95, ".", 51, 502)] + list(more)


@case
def r3_behind_uncaptured_fin(c):
    """An RST behind an acknowledgment of what the capture lacks: a FIN, or data."""
    return without_fin_and_data(c, c.src(100, "R.", 51, 502))


@case
def r3_behind_uncaptured_fin_ipv6(c):
    """The destination resets, and its RST alone shows that the source had sent more."""
    v6 = replace(c, ips=IPV6)
    return v6.opened() + [v6.dst(100, "R.", 501, 52)]


@case
def r3_abort_by_destination(c):
    """RST+ACK in sequence from the server."""
    return c.opened() + [c.dst(100, "R.", 501, 51)]


@case
def r3_data_in_flight_crosses(c):
    """Data sent before the RST arrived does not show that the connection lives; it is answered by a second RST."""
    return c.opened() + [c.dst(100, "R.", 501, 51), c.src(101, "P.", 51, 501, 200), c.dst(111, "R", 501)]


@case
def r3_old_data_behind_the_rst(c):
    """The RST overtakes a data segment that was sent before it."""
    return c.opened() + [c.dst(100, "R.", 501, 51), c.dst(100.5, "P.", 1, 51, 500)]


@case
def r4_passive_rst(c):
    """A RST without ACK answers a data segment, its number taken from that segment's acknowledgment."""
    return c.opened() + [c.dst(100, "P.", 501, 51, 100), c.src(100.1, "R", 51)]


@case
def r5_data_after_full_close(c):
    """The source closed fully, and the destination sends 1000 bytes more: they are lost, and answered by a RST."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(120, "P.", 501, 52, 1000),
                         c.src(120.1, "R", 52)]


@case
def r5_fin_and_rst_at_once(c):
    """FIN, and a RST by the same side before any answer."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.src(100.1, "R.", 52, 501)]


@case
def r6_rst_answers_fin(c):
    """The peer acknowledges the FIN and then aborts (unread data, SO_LINGER 0)."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(120, "R.", 501, 52)]


@case
def r6_rst_for_ack_of_fin(c):
    """The RST is the first answer to the FIN."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, "R.", 501, 52)]


@case
def r7_late_reset(c):
    """A RST after both FINs were acknowledged: the close was graceful."""
    return c.opened() + c.four_way() + [c.dst(160, "R", 502)]


@case
def r7_very_late_reset(c):
    """A RST long after the close was reported, as load balancers send: no second record."""
    return c.opened() + c.four_way() + [c.dst(2160, "R", 502)]


@case
def r7_rst_with_both_fins_open(c):
    """Both FINs were sent; the sender of the second resets before it is acknowledged."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, "F.", 501, 52), c.dst(150, "R.", 502, 52)]


@case
def r8_linger2(c):
    """The closer itself aborts in FIN-WAIT-2: RST+ACK behind its FIN."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.src(115, "R.", 52, 501)]


@case
def r8_rst_with_number_of_fin(c):
    """A RST with the number of its sender's FIN: one below what is expected, accepted by Linux in CLOSE-WAIT."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.src(115, "R.", 51, 501)]


@case
def r9_challenge_then_exact(c):
    """A RST in the window but not in sequence is challenged (RFC 5961 section 3); the exact one ends it."""
    return c.opened() + [c.dst(100, "R.", 601, 51), c.src(100.1, ".", 51, 501), c.dst(110, "R", 501)]


@case
def r9_challenge_unanswered(c):
    """A RST in the window is challenged, and the connection goes on to close normally."""
    return c.opened() + [c.dst(50, "R.", 601, 51), c.src(50.1, ".", 51, 501)] + c.four_way()


@case
def r9_in_window_accepted(c):
    """A RST in the window and then silence: an old stack accepted it."""
    return c.opened() + [c.dst(100, "R.", 601, 51)]


@case
def r9_in_window_challenge_missed(c):
    """A forged RST in the window; its challenge is not captured, and the alleged sender closes a second later."""
    return c.opened() + [c.src(100, "R", 151)] + c.four_way(1100)


@case
def r9_in_window_receiver_closes(c):
    """The same, and the receiver of the forged RST closes first."""
    return c.opened() + [c.dst(100, "R", 601)] + c.four_way(1100)


@case
def r9_last_number_of_window(c):
    """The source offers 502 << 7 bytes from 501 on: a RST with the last of these numbers is inside."""
    return c.opened() + [c.dst(100, "R.", 501 + 64256 - 1, 51)]


@case
def r10_first_number_behind_window(c):
    """A RST with the first number behind the window is outside."""
    return c.opened() + [c.dst(50, "R.", 501 + 64256, 51)] + c.four_way()


@case
def r10_out_of_window_ignored(c):
    """A RST far beyond the window changes nothing."""
    return c.opened() + [c.dst(50, "R.", 10_000_501, 51)] + c.four_way()


@case
def r10_before_window_ignored(c):
    """A RST behind the window, an old duplicate, changes nothing."""
    return c.opened() + [c.dst(50, "R.", 201, 51)] + c.four_way()


@case
def r10_still_open(c):
    """A RST far beyond the window and nothing more: still open, with --show-open."""
    return c.opened() + [c.dst(50, "R.", 10_000_501, 51)]


@case
def r11_syn_in_open_flow(c):
    """A SYN inside an open connection is challenged (RFC 5961 section 4) and restarts nothing."""
    return c.opened() + [c.src(50, "S", 900_000_000), c.dst(60, ".", 501, 51)] + c.four_way()


@case
def r12_ttl_differs(c):
    """The RST differs from its alleged sender's other segments in TTL, IP id and window."""
    return c.opened() + [c.dst(100, "R.", 501, 51, ttl=200, ip_id=0, win=0)]


@case
def r12_ttl_same(c):
    """The RST has the TTL of its sender's other segments."""
    return c.opened() + [c.dst(100, "R.", 501, 51, ip_id=777)]


@case
def r13_icmp_unreachable(c):
    """An ICMP error that quotes the connection, then silence: a soft error once established (RFC 5461)."""
    last = c.src(100, "P.", 51, 501, 20)
    error = IP(src=c.ips[1], dst=c.ips[0], id=7) / ICMP(type=3, code=1) / bytes(last.packet())[:28]
    return c.opened() + [last, frame_of(c.dst(101, "."), bytes(error))]


@case
def r14_vanished(c):
    """Retransmissions stop without FIN or RST."""
    return c.opened() + [c.src(ms, "P.", 51, 501, 20) for ms in (100, 300, 700, 1500)]


@case
def r14_shown_open(c):
    """Retransmissions stop without FIN or RST, with --show-open and --all-segments."""
    return r14_vanished(c)


@case
def r15_keepalive_timeout(c):
    """Three probes of the number before the next go unanswered, then RST+ACK."""
    return c.opened() + [c.src(ms, ".", 50, 501) for ms in (10000, 11000, 12000)] + [c.src(13000, "R.", 51, 501)]


@case
def r16_mptcp_fastclose(c):
    """A RST with MP_FASTCLOSE (RFC 8684 section 3.5)."""
    return c.opened() + [c.src(100, "R.", 51, 501, options=[(30, bytes.fromhex("7000") + b"key_of_8")])]


@case
def r16_mptcp_fastclose_of_linux(c):
    """A RST with MP_FASTCLOSE and MP_TCPRST, as Linux writes it: a fast close."""
    return c.opened() + [c.src(100, "R.", 51, 501, options=[(30, bytes.fromhex("7000") + b"key_of_8"),
                                                            (30, bytes.fromhex("8000"))])]


@case
def r16_mptcp_subflow_reset(c):
    """A RST with MP_TCPRST, reason 5 (RFC 8684 section 3.6): one subflow ends."""
    return c.opened() + [c.src(100, "R.", 51, 501, options=[(30, bytes.fromhex("8005"))])]


@case
def r17_rst_with_payload(c):
    """A RST with 20 bytes of text: they are no data of the connection."""
    return c.opened() + [c.src(100, "R.", 51, 501, 20)]


# ---- after the close ----

@case
def p1_reuse_while_settling(c):
    """The tuple is opened again 150 ms after its close."""
    new = c.again(300)
    return c.opened() + c.four_way() + new.opened() + new.four_way()


@case
def p1_reuse_after_settling(c):
    """The tuple is opened again after 5 s, within TIME-WAIT."""
    new = c.again(5000)
    return c.opened() + c.four_way() + new.opened() + new.four_way()


@case
def p2_reuse_refused_by_ack(c):
    """TIME-WAIT answers a new SYN by its old ACK, the client that by a RST; a second later the SYN is accepted."""
    new = c.again(2000, jump=(3_000_000_000, 70_000_000))
    old = [c.dst(100, "F.", 501, 51), c.src(100.5, ".", 51, 502), c.src(101, "F.", 51, 502), c.dst(111, ".", 502, 52)]
    challenge = [new.src(0, "S"), c.dst(2010, ".", 502, 52), c.src(2010.1, "R", 52)]
    accepted = replace(new, start=new.start + 1_000_000_000)
    return c.opened() + old + challenge + accepted.opened() + accepted.four_way()


@case
def p3_time_wait_assassination(c):
    """An old duplicate reaches TIME-WAIT; its ACK is answered by a RST, which ends TIME-WAIT (RFC 1337)."""
    return c.opened() + c.four_way() + [c.dst(200, "P.", 1, 51, 500), c.src(200.1, ".", 52, 502), c.dst(210, "R", 502)]


@case
def p4_late_data_and_fin(c):
    """Data and a FIN reach an end that is fully closed, which answers each by a RST."""
    return c.opened() + [c.src(100, "F.", 51, 501), c.dst(110, ".", 501, 52), c.dst(120, "P.", 501, 52, 100),
                         c.src(120.1, "R", 52), c.dst(121, "F.", 601, 52), c.src(121.1, "R", 52)]


def stamped(segments, value):
    """The same segments with a timestamp option each (RFC 7323), the SYNs' other options kept."""
    return [replace(s, options=[("Timestamp", (value + n, 0)), ("NOP", None), ("NOP", None)] +
                    ([("WScale", 7)] if "S" in s.flags else [])) for n, s in enumerate(segments)]


@case
def p5_active_side_reuse(c):
    """The end that holds TIME-WAIT connects again with newer timestamps (tcp_tw_reuse)."""
    new = c.again(1200)
    return stamped(c.opened() + c.four_way(), 1000) + stamped(new.opened() + new.four_way(), 5000)


@case
def p6_reuse_without_syn(c):
    """The tuple is used again with other numbers, and the new handshake is not in the file."""
    new = c.again(5000, jump=(1_500_000_000, 2_500_000_000))
    return c.opened() + c.four_way() + new.opened()[3:] + new.four_way()


@case
def p6_reuse_without_syn_after_reset(c):
    """
    The same behind an RST: foreign numbers deny it not. Both sides' may be forged, so the next connection's close is
    not told apart from them.
    """
    new = c.again(3000, jump=(1_500_000_000, 2_500_000_000))
    return c.opened() + [c.src(100, "R.", 51, 501)] + new.opened()[3:] + new.four_way()


@case
def p6_reuse_without_syn_after_reset_ipv6(c):
    """The other side's, and the next connection begins 100 ms later."""
    c = replace(c, ips=IPV6)
    new = c.again(200, jump=(2_500_000_000, 1_500_000_000))
    return c.opened() + [c.dst(100, "R", 501)] + new.opened()[3:] + new.four_way()
