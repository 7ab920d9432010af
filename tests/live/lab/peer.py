# SPDX-License-Identifier: GPL-2.0-or-later
"""
A process at one end of connections, with a name of its own. Its sockets are used from here, one call at a time, so that
the order of steps between two such processes is certain.
"""
import contextlib
import functools
import multiprocessing
import signal
import socket

from lab.netlab import PR_SET_PDEATHSIG, libc

PR_SET_NAME = 15


class Peer:
    """The process, in a namespace of the laboratory; it ends with the laboratory. Scenarios use it like a Namespace."""

    def __init__(self, lab, namespace, name):
        fork = multiprocessing.get_context("fork")
        self.calls, theirs = fork.Pipe()
        self.dropping = namespace.dropping
        self.process = fork.Process(target=serve, args=(theirs, namespace, name), daemon=True)
        self.process.start()
        theirs.close()
        lab.stack.callback(self.end)

    def socket(self, family, kind=socket.SOCK_STREAM):
        return RemoteSocket(self, self.call(None, "socket", family, kind))

    def call(self, number, method, *arguments):
        """Calls the method of the process's socket of that number and returns, or raises, what it did."""
        self.calls.send((number, method, arguments))
        result, error = self.calls.recv()
        if error:
            raise error
        return result

    def end(self):
        self.process.kill()
        self.process.join()
        self.calls.close()


class RemoteSocket:
    """A socket of a Peer's process."""

    def __init__(self, peer, number):
        self.peer, self.number = peer, number

    def __getattr__(self, method):
        return functools.partial(self.peer.call, self.number, method)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def accept(self):
        number, address = self.peer.call(self.number, "accept")
        return RemoteSocket(self.peer, number), address


# ---- inside the process ----

def serve(calls, namespace, name):
    """Does what the calls say until nobody can call any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the owner alone
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NAME, name.encode())
    sockets = {}
    with contextlib.suppress(EOFError), namespace:
        while True:
            number, method, arguments = calls.recv()
            try:
                calls.send((perform(sockets, number, method, arguments), None))
            except OSError as error:
                calls.send((None, error))


def perform(sockets, number, method, arguments):
    """What the call returns; a new socket is returned as its number."""
    if method == "socket":
        return remember(sockets, socket.socket(*arguments))
    if method == "accept":
        accepted, address = sockets[number].accept()
        return remember(sockets, accepted), address
    sock = sockets.pop(number) if method == "close" else sockets[number]
    return getattr(sock, method)(*arguments)


def remember(sockets, sock):
    sockets[sock.fileno()] = sock
    return sock.fileno()
