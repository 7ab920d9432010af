# SPDX-License-Identifier: GPL-2.0-or-later
"""
The traffic that live watching is measured on: two namespaces, and connections, bulk and frames between them.
"""
import os

from work import netlab, program

WORKERS, PORTS, SOURCES = 2, 4, 32  # tuples for 100,000 connections a second: each waits in TIME-WAIT for a minute
BULK_SECONDS, FRAME_SECONDS = 0.6, 0.4
FRAME_CONNECTIONS = 1000


class Bench(netlab.Lab):
    """The laboratory with servers in both namespaces. The client's interface is the one that is watched."""

    FIRST_SOURCE = 100

    def __enter__(self):
        super().__enter__()
        for i in range(SOURCES):
            self.client.run(f"ip address add 10.99.0.{self.FIRST_SOURCE + i}/24 dev eth0")
            self.server.run(f"ip neighbour replace 10.99.0.{self.FIRST_SOURCE + i} lladdr {netlab.mac(0, 1)} dev eth0 "
                            "nud permanent")
        self.client.run("sysctl -qw net.ipv4.tcp_max_tw_buckets=2000000")
        for worker in range(WORKERS):
            self.start(self.server, "serve", netlab.ipv4(0, 2), str(8000 + worker * PORTS), str(PORTS))
        self.start(self.server, "sink", netlab.ipv4(0, 2), "7999")
        self.start(self.client, "sink", netlab.ipv4(0, 1), "7999")
        return self

    def start(self, namespace, *arguments):
        server = netlab.Process(self, namespace, [program("conns"), *arguments])
        netlab.until(lambda: "ready" in server.stdout or server.code is not None, "server")
        if server.code is not None:
            raise OSError(f"conns {arguments[0]} ended: {server.stderr}")

    def work(self, namespace, *commands):
        """Runs commands side by side, which print how much they did and in which time: (sum, sum a second)."""
        running = [netlab.Process(self, namespace, command) for command in commands]
        count = rate = 0
        for worker in running:
            if worker.wait(60):
                raise OSError(f"{worker.child.args} ended with {worker.code}: {worker.stderr}")
            done, seconds = worker.stdout.split()
            count += int(done)
            rate += int(done) / float(seconds)
            for path in worker.paths:
                os.unlink(path)
        return count, rate

    def connections(self, seconds):
        return self.work(self.client, *(
            [program("conns"), "open", netlab.ipv4(0, 2), str(8000 + worker * PORTS), str(PORTS),
             f"10.99.0.{self.FIRST_SOURCE}", str(SOURCES), str(seconds)] for worker in range(WORKERS)))

    def bulk_out(self):
        return self.work(self.client, [program("conns"), "send", netlab.ipv4(0, 2), "7999", str(BULK_SECONDS)])[1]

    def bulk_in(self):
        return self.work(self.server, [program("conns"), "send", netlab.ipv4(0, 1), "7999", str(BULK_SECONDS)])[1]

    def frames(self):
        return self.work(self.server, [program("frames"), "eth0", str(FRAME_CONNECTIONS), str(FRAME_SECONDS)])[1]
