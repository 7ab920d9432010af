#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
deny.py tcx|bpf PROGRAM [ARGUMENT...]: runs the program behind a system call filter: without tcx, as on an old kernel
(BPF_LINK_CREATE fails with EINVAL), or without bpf(2), as in many containers (EPERM).
"""
import ctypes
import errno
import os
import struct
import sys

from netlab import BPF_LINK_CREATE, BPF_SYSCALL, libc, succeed

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # classic BPF
ALLOW, FAIL = 0x7fff0000, 0x00050000
NUMBER, FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data; little endian

FILTERS = {
    "tcx": ((LOAD, 0, 0, NUMBER), (JUMP_IF_EQUAL, 0, 3, BPF_SYSCALL), (LOAD, 0, 0, FIRST_ARGUMENT),
            (JUMP_IF_EQUAL, 0, 1, BPF_LINK_CREATE), (RETURN, 0, 0, FAIL | errno.EINVAL), (RETURN, 0, 0, ALLOW)),
    "bpf": ((LOAD, 0, 0, NUMBER), (JUMP_IF_EQUAL, 0, 1, BPF_SYSCALL), (RETURN, 0, 0, FAIL | errno.EPERM),
            (RETURN, 0, 0, ALLOW)),
}


def main(what, *argv):
    instructions = FILTERS[what]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(code)))
    succeed(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0))
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(*sys.argv[1:])
