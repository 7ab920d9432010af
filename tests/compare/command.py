# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a program on an untrusted capture, with limits on time and memory; its output is read as it comes."""
import resource
import subprocess
import tempfile
import threading
from dataclasses import dataclass


@dataclass
class End:
    """How a program ended. code: negative for a signal, as in subprocess."""
    code: int = None
    errors: str = ""
    late: bool = False  # killed after the time limit


def confine(megabytes):
    """Limits this process and the programs that it starts."""
    size = megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_lines(command, seconds, end, environment):
    """Yields the lines of the program's standard output as bytes, then fills `end`."""

    def stop():
        end.late = True
        process.kill()

    with tempfile.TemporaryFile() as errors:  # not a pipe, which a program could fill
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                   env=environment)
        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            yield from process.stdout
        finally:
            process.stdout.close()
            end.code = process.wait()
            timer.cancel()
        errors.seek(0)
        end.errors = errors.read(65536).decode("utf-8", "replace").strip()
