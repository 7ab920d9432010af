# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the suite fleet runs and Debian lacks: Apache Kafka by Maven, ClickHouse and a newer librdkafka by npm, in the
versions that tests/fleet pins. Each is put into a folder of build/fleet once. A test is skipped where it cannot be had.
"""
import filecmp
import os
import shutil
import subprocess

from lab.netlab import Skip, need

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PINNED = os.path.join(TOP, "tests", "fleet")
DONE = "installed"  # a file that says so


def is_current(folder, files):
    paths = [os.path.join(folder, name) for name in (DONE, *files)]
    return all(map(os.path.exists, paths)) and not any(filecmp.cmpfiles(PINNED, folder, files, shallow=False)[1:])


def install(name, files, *command):
    """The folder build/fleet/NAME, in which the command has installed what these files of tests/fleet name."""
    folder = os.path.join(TOP, "build", "fleet", name)
    if is_current(folder, files):
        return folder
    need(command[0])
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for file in files:
        shutil.copy(os.path.join(PINNED, file), folder)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skip(f"{command[0]}: {(done.stderr.strip() or done.stdout.strip())[-200:]}")
    with open(os.path.join(folder, DONE), "wb"):
        return folder


def kafka():
    """The class path of Apache Kafka."""
    need("java")
    return os.path.join(install("kafka", ("pom.xml",), "mvn", "-q", "-B", "dependency:copy-dependencies"), "jars", "*")


def clickhouse():
    """A folder in which Node finds ClickHouse. Not by `npm ci`, which wants its packages for other machines, too."""
    need("node")
    return install("clickhouse", ("package.json", "package-lock.json"), "npm", "install", "--no-save", "--no-audit",
                   "--no-fund")


def librdkafka():
    """A folder for LD_LIBRARY_PATH with a librdkafka that is newer than Debian's. Building it takes a minute."""
    need("npm")
    folder = install("librdkafka", ("librdkafka.sh",), "bash", "librdkafka.sh")
    return os.path.join(folder, "node_modules", "node-rdkafka", "deps", "librdkafka", "src")
