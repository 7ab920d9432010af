# SPDX-License-Identifier: GPL-2.0-or-later
"""Cgroups of a test: made below one of its own in each hierarchy that tells who a process belongs to, and removed."""
import contextlib
import os
import re

from lab.netlab import Skip, until

CONTAINER, POD = "0123456789abcdef" * 4, "2d1f2d5c-0b1b-4b8c-9c5e-0a1b2c3d4e5f"


def hierarchies(kinds=r"name=systemd|pids"):
    """Where cgroups can be made: of version 2, and of the hierarchies of version 1 that have one of the kinds."""
    with open("/proc/self/mountinfo", encoding="ascii") as mounts:
        lines = [line.split(" - ") for line in mounts]
    found = [before.split()[4] for before, behind in lines
             if behind.startswith("cgroup2 ") or re.search(rf"^cgroup .*\b({kinds})\b", behind)]
    found = [place for place in found if os.access(os.path.join(place, "cgroup.procs"), os.W_OK)]
    if not found:
        raise Skip("no cgroup can be made here")
    return found


def is_unified(place):
    return os.path.exists(os.path.join(place, "cgroup.controllers"))


def removed(folder):
    """The error of removing it, None once it is gone."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
    return None


class Cgroup:
    """A cgroup of that path below the test's own. path: text or bytes."""

    def __init__(self, place, path):
        self.own = os.path.join(os.fsencode(place), b"tcpfin-test-%d" % os.getpid())
        self.folder = os.path.join(self.own, os.fsencode(path))
        os.makedirs(self.folder, exist_ok=True)

    def enter(self, pid=0, file=b"cgroup.procs"):
        with open(os.path.join(self.folder, file), "w", encoding="ascii") as processes:
            processes.write(str(pid))

    def rename(self, name):
        """Version 1 only: another name in the same folder."""
        folder = os.path.join(os.path.dirname(self.folder), os.fsencode(name))
        os.rename(self.folder, folder)
        self.folder = folder

    def remove(self):
        """Removes it, and those above it that are empty. Its processes must be ending."""
        folder = self.folder
        until(lambda: not removed(folder), "removal of a cgroup")
        while len(folder) > len(self.own):
            folder = os.path.dirname(folder)
            if removed(folder):
                return


@contextlib.contextmanager
def in_cgroup(process, place, path):
    """The process in a cgroup of that path, below one of ours. At the end it is killed, and the cgroups are removed."""
    cgroup = Cgroup(place, path)
    try:
        cgroup.enter(process.pid)
        yield
    finally:
        process.kill()
        process.wait()
        cgroup.remove()
