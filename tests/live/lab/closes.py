# SPDX-License-Identifier: GPL-2.0-or-later
"""
Every way to close a TCP connection, done by real sockets, and what tcpfin-trace must say of it.

A scenario is a function of a Path that plays one connection and returns its key; SCENARIOS holds them with their
caption (for people) and what is expected (for tests). One thread decides on the steps of both ends, so their order is
certain.
"""
import contextlib
import socket
import struct
import time
from typing import Callable, NamedTuple

REQUEST, REPLY, LATE = b"q" * 100, b"r" * 1000, b"l" * 5000
PAUSE = 0.02  # how long a side takes to close after the other one, s


class Connection(NamedTuple):
    """A connection's two sockets, and key (4 or 6, client's port, server's port) to know its record by."""

    client: socket.socket
    server: socket.socket
    key: tuple


class Path:
    """Where scenarios play: from `client` to `address` at `server`. Each is a Namespace, or a Peer in one."""

    def __init__(self, client, server, address):
        self.client, self.server, self.address = client, server, address
        self.version = 6 if ":" in address else 4
        self.family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        self.kept = []  # connections that must outlive their scenario

    def listen(self):
        listener = self.server.socket(self.family)
        listener.bind((self.address, 0))
        listener.listen()
        return listener

    def dial(self, port):
        """Connects to the port; the socket is returned connected or refused."""
        client = self.client.socket(self.family)
        client.settimeout(5)
        with contextlib.suppress(ConnectionRefusedError):
            client.connect((self.address, port))
        return client

    def connect(self):
        with self.listen() as listener:
            client = self.dial(listener.getsockname()[1])
            server, peer = listener.accept()
        server.settimeout(5)
        return Connection(client, server, (self.version, peer[1], server.getsockname()[1]))

    def keep(self, connection):
        self.kept.append(connection)


def receive(sock, size):
    data = bytearray()
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise ConnectionError("the stream ended early")
        data += part
    return data


def talk(connection):
    """One question, one answer: 100 bytes up, 1000 down."""
    connection.client.sendall(REQUEST)
    receive(connection.server, len(REQUEST))
    connection.server.sendall(REPLY)
    receive(connection.client, len(REPLY))


def heard_the_end(sock):
    """Waits for the other side's FIN, and has it acknowledged at once instead of when the delayed-ACK timer ends."""
    if sock.recv(1):
        raise ConnectionError("data instead of the end of the stream")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def reset_has_come(sock):
    """True once; the kernel forgets the error with the question."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def close_in_turn(first, second):
    """FIN, ACK; a pause; FIN, ACK."""
    first.shutdown(socket.SHUT_WR)
    heard_the_end(second)
    time.sleep(PAUSE)
    second.close()
    heard_the_end(first)
    first.close()


def abort(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def heard_the_reset(sock):
    """Waits for the other side's RST."""
    with contextlib.suppress(ConnectionResetError):
        sock.recv(1)
        raise ConnectionError("no reset")


class Scenario(NamedTuple):
    """expected: fields of the record by their dotted names."""

    name: str
    caption: str
    play: Callable
    expected: dict


SCENARIOS = []


def scenario(caption, outcome, **expected):
    """expected: fields of the record's "tcp"; source_bytes and destination_bytes beside it."""
    def add(play):
        up, down = expected.pop("bytes", (len(REQUEST), len(REPLY)))
        fields = {f"tcp.{name.replace('__', '.')}": value for name, value in expected.items()}
        fields |= {"tcp.outcome": outcome, "source.bytes": up, "destination.bytes": down, "tcp.segments_lost": 0,
                   "tcp.midstream": False}
        fields = {"tcp.pattern": None, "tcp.missing": None, "tcp.reset.by": None, "tcp.reset.phase": None,
                  "tcp.late_reset": False} | fields
        SCENARIOS.append(Scenario(play.__name__, caption, play, fields))
        return play
    return add


@scenario("the client closes first, the server a little later", "graceful", pattern="four_way", closer="source",
          time_wait="source", half_closed_bytes=0)
def client_first(path):
    c = path.connect()
    talk(c)
    close_in_turn(c.client, c.server)
    return c.key


@scenario("the server closes first", "graceful", pattern="four_way", closer="destination", time_wait="destination")
def server_first(path):
    c = path.connect()
    talk(c)
    close_in_turn(c.server, c.client)
    return c.key


@scenario("the server closes at once: its ACK and its FIN are one segment", "graceful", pattern="three_way",
          closer="source", time_wait="source", timing__half_closed=0)
def three_way(path):
    c = path.connect()
    talk(c)
    c.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    c.client.close()
    c.server.recv(1, socket.MSG_PEEK)  # returns when the FIN is there; unlike a read it has nothing acknowledged
    c.server.close()
    return c.key


@scenario("the client ends its request, the server goes on to send 5000 bytes", "graceful", pattern="four_way",
          closer="source", half_closed_bytes=len(LATE), bytes=(len(REQUEST), len(REPLY) + len(LATE)))
def half_close_with_data(path):
    c = path.connect()
    talk(c)
    c.client.shutdown(socket.SHUT_WR)
    heard_the_end(c.server)
    time.sleep(PAUSE)
    c.server.sendall(LATE)
    receive(c.client, len(LATE))
    c.server.close()
    heard_the_end(c.client)
    c.client.close()
    return c.key


@scenario("opened and closed without a byte", "graceful", pattern="four_way", closer="source", bytes=(0, 0))
def no_data(path):
    c = path.connect()
    close_in_turn(c.client, c.server)
    return c.key


@scenario("both close at once: the client's FIN is lost on its way while the server sends its own", "graceful",
          pattern="simultaneous", closer="both", time_wait="both")
def simultaneous(path):
    c = path.connect()
    talk(c)
    with path.server.dropping(f"tcp dport {c.key[2]} tcp flags & fin == fin"):
        c.client.shutdown(socket.SHUT_WR)
        c.server.shutdown(socket.SHUT_WR)
        heard_the_end(c.client)
    heard_the_end(c.server)
    c.client.close()
    c.server.close()
    return c.key


@scenario("the client aborts (SO_LINGER 0)", "reset", closer="source", reset__by="source", reset__phase="established")
def linger0(path):
    c = path.connect()
    talk(c)
    abort(c.client)
    c.server.close()
    return c.key


@scenario("the client aborts, its reset is lost on the way, and the server closes later", "reset", closer="source",
          reset__by="source", reset__phase="established")
def reset_lost(path):
    c = path.connect()
    talk(c)
    with path.server.dropping(f"tcp dport {c.key[2]} tcp flags & rst == rst"):
        abort(c.client)
    c.server.shutdown(socket.SHUT_WR)
    heard_the_reset(c.server)
    c.server.close()
    return c.key


@scenario("the server closes with the request unread", "reset", closer="destination", reset__by="destination",
          reset__phase="established", bytes=(len(REQUEST), 0))
def unread_data(path):
    c = path.connect()
    c.client.sendall(REQUEST)
    c.server.close()
    c.client.close()
    return c.key


@scenario("the client is gone when the server's answer comes", "reset", closer="source", reset__by="source",
          reset__phase="half_closed")
def answer_too_late(path):
    c = path.connect()
    c.client.sendall(REQUEST)
    receive(c.server, len(REQUEST))
    c.client.close()
    heard_the_end(c.server)
    time.sleep(PAUSE)
    c.server.sendall(REPLY)
    c.server.close()
    return c.key


@scenario("nobody listens at that port", "refused", closer="destination", reset__by="destination",
          reset__phase="handshake", bytes=(0, None))
def refused(path):
    with path.listen() as listener:
        port = listener.getsockname()[1]
    with path.dial(port) as client:
        return path.version, client.getsockname()[1], port


@scenario("the client closes, the server never does", "unfinished", closer="source", missing="destination_fin")
def never_closes(path):
    c = path.connect()
    talk(c)
    c.client.close()
    heard_the_end(c.server)
    path.keep(c)
    return c.key


def scenario_named(name):
    return next(s for s in SCENARIOS if s.name == name)
