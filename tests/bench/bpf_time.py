# SPDX-License-Identifier: GPL-2.0-or-later
"""
What BPF programs take in the kernel, as the kernel measures it.
"""
import contextlib
import os
import struct

from work import fields, netlab

BPF_PROG_GET_FD_BY_ID, BPF_ENABLE_STATS = 13, 32


@contextlib.contextmanager
def bpf_statistics():
    """The kernel measures BPF programs inside `with`; whatever ends this process ends that, too."""
    switch = netlab.bpf(BPF_ENABLE_STATS, struct.pack("=I", 0))
    try:
        yield
    finally:
        os.close(switch)


def programs_of(process):
    """The numbers of the programs that a process holds, itself or by links."""
    directory = f"/proc/{process.child.pid}/fdinfo"
    found = set()
    for fd in os.listdir(directory):
        with open(f"{directory}/{fd}", encoding="ascii") as file:
            held = fields(file.read())
        if "prog_id" in held:
            found.add(int(held["prog_id"]))
    return found


def program_statistics(number):
    """(type, ns) of a program."""
    fd = netlab.bpf(BPF_PROG_GET_FD_BY_ID, struct.pack("=III", number, 0, 0))
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
            found = fields(file.read())
    finally:
        os.close(fd)
    return int(found["prog_type"]), int(found["run_time_ns"])


def kernel_times(lab, process):
    """ns so far of all programs at the interface, of the tracer's others that see packets, and of the rest."""
    hooks = {number for _, number in lab.client.attached("eth0")}
    times = [0, 0, 0]
    for number in programs_of(process) | hooks:
        kind, ns = program_statistics(number)
        times[0 if number in hooks else 1 if kind == netlab.BPF_PROG_TYPE_SCHED_CLS else 2] += ns
    return times
