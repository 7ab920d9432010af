#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
no_tcx.py PROGRAM [ARGUMENT...]: runs the program on what looks to it like a kernel without tcx: a system call filter
makes BPF_LINK_CREATE fail with EINVAL.
"""
import ctypes
import errno
import os
import struct
import sys

from netlab import BPF_SYSCALL, libc, succeed

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
BPF_LINK_CREATE = 28
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # classic BPF
ALLOW, FAIL = 0x7fff0000, 0x00050000
NUMBER, FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data; little endian

FILTER = ((LOAD, 0, 0, NUMBER), (JUMP_IF_EQUAL, 0, 3, BPF_SYSCALL), (LOAD, 0, 0, FIRST_ARGUMENT),
          (JUMP_IF_EQUAL, 0, 1, BPF_LINK_CREATE), (RETURN, 0, 0, FAIL | errno.EINVAL), (RETURN, 0, 0, ALLOW))


def main(argv):
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in FILTER))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(FILTER), ctypes.addressof(code)))
    succeed(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0))
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1:])
