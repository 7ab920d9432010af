# SPDX-License-Identifier: GPL-2.0-or-later
"""What the applications of a history do. A script sets the ends' callbacks; TCP and the network do the rest."""
from endpoint import MS, Segment
from wire import ACK, FIN, RST, SYN

SCRIPTS = {}


def script(function):
    SCRIPTS[function.__name__] = function
    return function


class Play:
    """Two ends and what both applications have said so far."""

    def __init__(self, random, network, source, destination):
        self.random, self.network = random, network
        self.ends = source, destination
        self.request = [random.randrange(1, 1460) for _ in range(random.randrange(4))]
        self.response = [random.randrange(1, 1460) for _ in range(random.randrange(6))]
        self.early = 0  # bytes in the SYN
        self.done = set()

    def soon(self, function, *arguments, most=50 * MS):
        self.network.after(self.random.randrange(1, most), function, *arguments)

    def once(self, what):
        """True the first time."""
        new = what not in self.done
        self.done.add(what)
        return new

    def has_request(self):
        return self.ends[1].taken == self.early + sum(self.request)

    def quiet(self):
        """Both have sent all of request and response, and each knows that it has arrived."""
        source, destination = self.ends
        return self.has_request() and source.taken == sum(self.response) and \
            not source.kept and not destination.kept and source.state == destination.state == "synchronized"

    def talk(self, then):
        """Request and response; then then() is called, once all is acknowledged."""
        source, destination = self.ends

        def heard(_what):
            if source.state == "synchronized" and self.once("request"):
                for length in self.request:
                    self.soon(source.write, length, most=5 * MS)
            if destination.state == "synchronized" and self.has_request() and self.once("response"):
                for length in self.response:
                    self.soon(destination.write, length, most=5 * MS)
            if {"request", "response"} <= self.done and self.quiet() and self.once("then"):
                self.soon(then, most=400 * MS)
        source.on_event = destination.on_event = heard

    def closes_after(self, side, wait, what="close", data=0):
        """When the side has the peer's FIN, it sends data and closes, `wait` ns later; 0: at once."""
        end = self.ends[side]

        def act():
            for _ in range(data):
                end.write(self.random.randrange(1, 1000))
            getattr(end, what)()

        def heard(event):
            if event == "fin" and self.once("answer"):
                self.network.after(wait, act) if wait else act()
        end.on_event = heard


# ---- graceful ----

def one_closes(play, side):
    """Alone or with its last data; the other side at once, later, or after more data."""
    last = play.random.choice((0, 0, play.random.randrange(1, 1000)))
    wait = play.random.choice((0, play.random.randrange(1, 30 * MS), play.random.randrange(MS, 900 * MS)))

    def begin():
        play.closes_after(1 - side, wait, data=play.random.choice((0, 0, 3)) if wait else 0)
        play.ends[side].close(last)
    play.talk(begin)


@script
def source_closes(play):
    one_closes(play, 0)


@script
def destination_closes(play):
    one_closes(play, 1)


@script
def both_close(play):
    """Each before it can have the other's FIN."""
    def begin():
        play.ends[0].close()
        play.network.after(play.random.randrange(sum(play.network.delay) + 1), close_if_first)

    def close_if_first():
        if play.ends[1].state == "synchronized":
            play.ends[1].close()
    play.talk(begin)


def fast_open(play, side):
    """The SYN carries the first of the request (RFC 7413), which the destination may leave alone."""
    play.early = play.ends[0].syn_data = play.random.randrange(1, 1400)
    play.ends[1].takes_syn_data = play.random.random() < 0.5
    one_closes(play, side)


@script
def source_closes_fast_open(play):
    fast_open(play, 0)


@script
def destination_closes_fast_open(play):
    fast_open(play, 1)


def probe(play, side):
    """A keep-alive: nothing, at the number before the next one (RFC 9293 section 3.8.4)."""
    end = play.ends[side]
    if end.state == "synchronized" and not end.kept:
        end.send(ACK, end.nxt - 1)


def probed_closes(play, side):
    """Both sides send keep-alives, before the close and while it is half closed."""
    def begin():
        for wait in range(1, 5):
            play.network.after(wait * 900 * MS, probe, play, play.random.randrange(2))
        play.network.after(2500 * MS, close)

    def close():
        play.closes_after(1 - side, 5000 * MS)
        play.ends[side].close()
    play.talk(begin)


@script
def source_closes_with_keep_alives(play):
    probed_closes(play, 0)


@script
def destination_closes_with_keep_alives(play):
    probed_closes(play, 1)


def closes_first(play, side, heard):
    """That side closes when both have talked; heard(event): what the other one makes of it."""
    def begin():
        play.ends[1 - side].on_event = heard
        play.ends[side].on_event = lambda what: None
        play.ends[side].close()
    play.talk(begin)


def long_half_closed(play, side):
    """The other side goes on sending for half a minute."""
    end = play.ends[1 - side]

    def heard(event):
        if event != "fin" or not play.once("answer"):
            return
        for wait in range(1, 6):
            play.network.after(wait * 5000 * MS, end.write, play.random.randrange(1, 1000))
        play.network.after(30000 * MS, end.close)

    closes_first(play, side, heard)


@script
def source_closes_long_before(play):
    long_half_closed(play, 0)


@script
def destination_closes_long_before(play):
    long_half_closed(play, 1)


def reset_behind_close(play, side):
    """The side that closed second sends an RST when its FIN was acknowledged."""
    end = play.ends[1 - side]

    def acked(event):
        if event == "acked" and end.fin_acked and play.once("late"):
            play.soon(end.abort, most=300 * MS)

    def heard(event):
        if event == "fin" and play.once("answer"):
            end.on_event = acked
            end.close()

    closes_first(play, side, heard)


@script
def source_closes_then_reset(play):
    reset_behind_close(play, 0)


@script
def destination_closes_then_reset(play):
    reset_behind_close(play, 1)


# ---- resets ----

def one_aborts(play, side):
    play.talk(play.ends[side].abort)


@script
def source_aborts(play):
    one_aborts(play, 0)


@script
def destination_aborts(play):
    one_aborts(play, 1)


def abort_with_data(play, side):
    """An RST right behind data that is on its way: if that is lost, the RST is challenged, and comes again."""
    def begin():
        for end in play.ends:
            end.on_event = lambda what: None
        play.ends[side].write(play.random.randrange(1, 1460))
        play.ends[side].abort()
    play.talk(begin)


@script
def source_aborts_with_data(play):
    abort_with_data(play, 0)


@script
def destination_aborts_with_data(play):
    abort_with_data(play, 1)


def abort_crosses_fin(play, side):
    """A FIN of the one side, an RST of the other, which may not have the FIN yet."""
    def begin():
        for end in play.ends:
            end.on_event = lambda what: None
        play.ends[1 - side].close()
        play.network.after(play.random.randrange(sum(play.network.delay) + 1), abort)

    def abort():
        if play.ends[side].state == "synchronized":
            play.ends[side].abort()
    play.talk(begin)


@script
def source_aborts_crossing(play):
    abort_crosses_fin(play, 0)


@script
def destination_aborts_crossing(play):
    abort_crosses_fin(play, 1)


def abort_for_fin(play, side):
    """The peer's FIN is acknowledged, and answered by an RST some time later."""
    def begin():
        play.closes_after(side, play.random.randrange(MS, 500 * MS), "abort")
        play.ends[1 - side].close()
    play.talk(begin)


@script
def source_aborts_half_closed(play):
    abort_for_fin(play, 0)


@script
def destination_aborts_half_closed(play):
    abort_for_fin(play, 1)


def abort_after_fin(play, side):
    """FIN; once that is acknowledged, an RST of the same side."""
    end = play.ends[side]

    def heard(event):
        if event == "acked" and end.fin_acked and play.once("abort"):
            play.soon(end.abort, most=300 * MS)

    def begin():
        end.on_event = heard
        play.ends[1 - side].on_event = lambda what: None
        end.close()
    play.talk(begin)


@script
def source_aborts_after_fin(play):
    abort_after_fin(play, 0)


@script
def destination_aborts_after_fin(play):
    abort_after_fin(play, 1)


@script
def refused(play):
    play.ends[1].state = "closed"


@script
def cancelled(play):
    """The source has given up when the SYN-ACK comes."""
    def heard(event):
        if event == "syn_ack":
            play.ends[0].abort()
    play.ends[0].on_event = heard


# ---- what is not finished ----

@script
def unanswered(play):
    play.ends[1].answers = False


def fin_without_answer(play, side):
    def begin():
        play.ends[1 - side].answers = False
        play.ends[side].close()
    play.talk(begin)


@script
def source_gone(play):
    fin_without_answer(play, 1)


@script
def destination_gone(play):
    fin_without_answer(play, 0)


def never_closes(play, side):
    def begin():
        play.ends[1 - side].on_event = lambda what: None
        play.ends[side].close()
    play.talk(begin)


@script
def source_never_closes(play):
    never_closes(play, 1)


@script
def destination_never_closes(play):
    never_closes(play, 0)


@script
def stays_open(play):
    play.talk(lambda: None)


# ---- forgeries ----

def forge(play, side, flags, distance, length=0, beyond=0):
    """
    In the name of that side, `distance` beyond the number that the other side expects; with ACK, acknowledging what is
    `beyond` all that the other side has sent.
    """
    end = play.ends[1 - side]
    if end.state == "synchronized":
        play.network.inject(Segment(side, flags, end.rcv + distance, end.nxt + beyond if flags & ACK else 0, length))


def disturbed(play, *forgeries):
    """Forgeries that nobody acts on, then an ordinary close."""
    def begin():
        for side, flags, *more in forgeries:
            play.soon(forge, play, side, flags, *more, most=100 * MS)
        play.network.after(400 * MS, close)

    def close():
        play.closes_after(1, 30 * MS)
        play.ends[0].close()
    play.talk(begin)


@script
def reset_out_of_window(play):
    disturbed(play, (play.random.randrange(2), RST, play.random.randrange(10**6, 10**9)))


@script
def reset_in_window(play):
    disturbed(play, (play.random.randrange(2), RST, play.random.randrange(1000, 50000)))


@script
def reset_one_off(play):
    disturbed(play, (play.random.randrange(2), RST, play.random.choice((-1, 1, 2)), play.random.choice((0, 40))))


@script
def reset_left_of_window(play):
    disturbed(play, (play.random.randrange(2), RST | ACK, -play.random.randrange(2, 50000)))


@script
def fin_left_of_window(play):
    disturbed(play, (play.random.randrange(2), FIN | ACK, -play.random.randrange(2, 50000)))


@script
def acknowledgment_beyond(play):
    disturbed(play, (play.random.randrange(2), ACK, 0, 0, play.random.randrange(1, 10**9)))


@script
def data_out_of_window(play):
    disturbed(play, (play.random.randrange(2), ACK, play.random.randrange(10**6, 10**9), 100))


@script
def resets_of_many_numbers(play):
    """A guess that walks through the window, and misses."""
    side = play.random.randrange(2)
    disturbed(play, *((side, RST, n * 9000 + 7) for n in range(5)))


@script
def fin_out_of_window(play):
    disturbed(play, (play.random.randrange(2), FIN | ACK, play.random.randrange(10**6, 10**9)))


@script
def syn_in_connection(play):
    disturbed(play, (play.random.randrange(2), SYN, play.random.randrange(10**6, 10**9)))


def forged_exactly(play, side):
    """The receiver ends; the alleged sender knows nothing, and sends more, which the receiver's host answers by RST."""
    def begin():
        forge(play, side, RST, 0)
        play.network.after(play.random.randrange(100 * MS, 900 * MS), speak)

    def speak():
        if play.ends[side].state == "synchronized":
            play.ends[side].write(100)
    play.talk(begin)


@script
def forged_of_source(play):
    forged_exactly(play, 0)


@script
def forged_of_destination(play):
    forged_exactly(play, 1)
