# SPDX-License-Identifier: GPL-2.0-or-later
"""ClickHouse in a process of Node's (tests/fleet/clickhouse.js), with the tables of user/fleet/."""
import json
import os
import re
import shutil
import subprocess

from lab import installed
from lab.netlab import PR_SET_PDEATHSIG, check, libc

FLEET = os.path.join(installed.TOP, "user", "fleet")


class ClickHouse:
    """Takes what is in the topic from its first message on."""

    def __init__(self, lab, bootstrap, topic):
        folder = installed.clickhouse()
        data, self.complaints = lab.file("clickhouse"), lab.file("err")
        script = shutil.copy(os.path.join(installed.PINNED, "clickhouse.js"), folder)
        with lab.client, open(self.complaints, "wb") as errors:
            self.child = subprocess.Popen(["node", script, os.path.join(FLEET, "schema.sql"), data, bootstrap, topic],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                                          preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, 9))
        lab.stack.callback(self.close)
        self.answer()

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()

    def answer(self):
        line = self.child.stdout.readline()
        if not line:
            with open(self.complaints, encoding="utf-8") as errors:
                check(False, f"ClickHouse has ended: {errors.read()[:500]}")
        return json.loads(line)

    def rows(self, query):
        self.child.stdin.write(json.dumps(query) + "\n")
        self.child.stdin.flush()
        said = self.answer()
        check("error" not in said, f"{query[:60]}: {said.get('error', '')[:300]}")
        return said["rows"]

    def value(self, query):
        """The one value of the one row."""
        (row,) = self.rows(query)
        (value,) = row.values()
        return value

    def count(self, table):
        return int(self.value(f"SELECT count() AS n FROM tcpfin.{table}"))

    def messages_read(self):
        """From Kafka; a message that is taken again counts again."""
        return int(self.value("SELECT sum(num_messages_read) AS n FROM system.kafka_consumers"))

    def bytes_on_disk(self, count):
        """{table: bytes a record}."""
        return {row["name"]: int(row["n"]) / count for row in self.rows(
            "SELECT if(t.name != '', t.name, p.table) AS name, sum(p.bytes_on_disk) AS n "
            "FROM system.parts AS p LEFT JOIN system.tables AS t ON p.table = concat('.inner_id.', toString(t.uuid)) "
            "WHERE p.active AND p.database = 'tcpfin' GROUP BY name")}


def cpu_seconds(pid):
    """What the process has used so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def queries():
    """Those of user/fleet/queries.sql."""
    with open(os.path.join(FLEET, "queries.sql"), encoding="utf-8") as file:
        text = re.sub(r"^--.*$", "", file.read(), flags=re.MULTILINE)
    return [query.strip() for query in re.split(r";\s*\n", text) if query.strip()]
