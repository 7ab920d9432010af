#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
deny.py tcx|look-ups|bpf PROGRAM [ARGUMENT...]: runs the program behind a filter of system calls, which denies tcx, as a
kernel before 6.6 does (BPF_LINK_CREATE fails with EINVAL), memory for look-ups in maps (BPF_MAP_LOOKUP_ELEM, ENOMEM),
or all of bpf(2), as many containers do (EPERM).
"""
import ctypes
import errno
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab.netlab import BPF_LINK_CREATE, BPF_MAP_LOOKUP_ELEM, BPF_SYSCALL, libc, succeed  # noqa: E402

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # classic BPF
ALLOW, FAIL = 0x7fff0000, 0x00050000
NUMBER, FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data; little endian


def failing(error, command=None):
    """A filter in which that command of bpf(2) fails; without a command all of them."""
    fail, allow = (RETURN, 0, 0, FAIL | error), (RETURN, 0, 0, ALLOW)
    which = [(LOAD, 0, 0, FIRST_ARGUMENT), (JUMP_IF_EQUAL, 0, 1, command)] if command else []
    return [(LOAD, 0, 0, NUMBER), (JUMP_IF_EQUAL, 0, len(which) + 1, BPF_SYSCALL), *which, fail, allow]


FILTERS = {"tcx": failing(errno.EINVAL, BPF_LINK_CREATE),
           "look-ups": failing(errno.ENOMEM, BPF_MAP_LOOKUP_ELEM), "bpf": failing(errno.EPERM)}


def main(what, *argv):
    instructions = FILTERS[what]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(code)))
    succeed(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0))
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(*sys.argv[1:])
