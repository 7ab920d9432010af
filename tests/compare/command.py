# SPDX-License-Identifier: GPL-2.0
"""Runs a program on a capture that nobody vouches for: bounded in time and memory, its output read as it comes."""
import resource
import subprocess
import tempfile
import threading
from dataclasses import dataclass


@dataclass
class Limits:
    seconds: float = 300
    megabytes: int = 4096


@dataclass
class End:
    """How the program ended. code: as subprocess has it, negative for a signal."""
    code: int = None
    errors: str = ""
    late: bool = False  # the time was up


def run_lines(command, limits, end, environment=None):
    """Yields the lines of the program's standard output as bytes, then fills `end`."""

    def confine():
        size = limits.megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def stop():
        end.late = True
        process.kill()

    with tempfile.TemporaryFile() as errors:  # a file: a program that floods it cannot block
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                   env=environment, preexec_fn=confine)
        timer = threading.Timer(limits.seconds, stop)
        timer.start()
        try:
            yield from process.stdout
        finally:
            process.stdout.close()
            end.code = process.wait()
            timer.cancel()
        errors.seek(0)
        end.errors = errors.read(65536).decode("utf-8", "replace").strip()
