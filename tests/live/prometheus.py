#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
prometheus.py TCPFIN-TRACE [NAME...]: a real Prometheus and node_exporter read the metrics of real connections, and
promtool checks them and the rules beside them. As root. lab/harness.py has how tests are run and what they print.

Both are Debian's packages, downloaded and unpacked into build/prometheus: nothing is installed, and no service starts.
"""
import json
import os
import subprocess
import sys
import time
import urllib.parse

from lab.harness import PROGRAM, Suite, close_some, paths, watch
from lab.netlab import Process, check, equal, until
from lab.packages import unpacked
from metrics import PORT, ask, play_all, scrape

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MONITORING = os.path.join(TOP, "user", "monitoring")
UNPACKED = os.path.join(TOP, "build", "prometheus")
PACKAGES = {"promtool": "prometheus", "prometheus": "prometheus",
            "prometheus-node-exporter": "prometheus-node-exporter"}
PROMETHEUS_PORT, EXPORTER_PORT = 9090, 9100

suite = Suite(time_limit=180)
test = suite.test


def tool(name):
    """The path of a program of these packages. Skips where it cannot be had."""
    return unpacked(UNPACKED, PACKAGES[name], os.path.join("usr", "bin", name))


def promtool(*arguments, **settings):
    done = subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, check=False, **settings)
    check(done.returncode == 0, f"promtool {' '.join(arguments)}: {done.stdout} {done.stderr}")
    check(not done.stderr.strip(), f"promtool {' '.join(arguments)}: {done.stderr}")


@test
def rules(_lab):
    """The alert rules are well-formed, and fire where they should, and not where they should not."""
    promtool("check", "rules", os.path.join(MONITORING, "rules.yml"))
    promtool("test", "rules", "rules_test.yml", cwd=MONITORING)


@test
def metrics_by_promtool(lab):
    """Names, types and help as promtool wants them: of a live watch, and of a capture's file."""
    tracer = watch(lab, f"--metrics={PORT}")
    play_all(lab)
    until(lambda: scrape(lab).total("tcpfin_connections_total") >= 10, "connections")
    scrape(lab)
    _, _, body = ask(lab, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    promtool("check", "metrics", input=body)
    tracer.stop()
    path = lab.file("tcpfin.prom")
    seed = os.path.join(TOP, "tests", "golden", "captures", "seed-ssh-close.pcap")
    subprocess.run([*PROGRAM, "-q", "-r", seed, f"--metrics-file={path}"], stdout=subprocess.DEVNULL, check=True)
    with open(path, encoding="utf-8") as file:
        promtool("check", "metrics", input=file.read())


def query(lab, expression):
    """{labels: value} of an instant query."""
    line = f"GET /api/v1/query?query={urllib.parse.quote(expression)} HTTP/1.0\r\nHost: x\r\n\r\n"
    status, _, body = ask(lab, line, port=PROMETHEUS_PORT)
    answer = json.loads(body)
    check(status == 200 and answer["status"] == "success", f"{expression}: {body}")
    return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in answer["data"]["result"]}


def value(lab, expression):
    found = list(query(lab, expression).values())
    return found[0] if len(found) == 1 else None


def prometheus(lab, port):
    """Scrapes that port each second, with our rules, and answers queries."""
    config = lab.file("prometheus.yml")
    with open(config, "w", encoding="ascii") as file:
        json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                   "rule_files": [os.path.join(MONITORING, "rules.yml")],
                   "scrape_configs": [{"job_name": "tcpfin", "static_configs": [
                       {"targets": [f"127.0.0.1:{port}"]}]}]}, file)
    server = Process(lab, lab.client, [tool("prometheus"), f"--config.file={config}",
                                       f"--storage.tsdb.path={lab.file('tsdb')}",
                                       f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}"])

    def up():
        check(server.code is None, f"Prometheus ended: {server.stderr[-500:]}")
        try:
            return value(lab, "up") == 1
        except OSError:
            return False
    until(up, "a scrape by Prometheus", 60, 0.5)
    return server


def check_in_prometheus(lab, made, seconds):
    """It has as many connections as were made; nothing fell; the sums by group are true."""
    until(lambda: value(lab, "sum(tcpfin_connections_total)") == made, f"{made} connections", seconds, 0.5)
    equal("resets of counters", {n for n in query(lab, 'resets({__name__=~"tcpfin_.*_total"}[5m])').values()}, {0.0})
    for group in ("process", "peer"):
        equal(f"by {group}", value(lab, f"sum(tcpfin_{group}_connections_total)"), made)


@test
def scraped_by_prometheus(lab):
    """It takes every sample, in OpenMetrics; the increase that it sees is what was made."""
    tracer = watch(lab, f"--metrics={PORT}")
    server = prometheus(lab, PORT)
    made = len(close_some(paths(lab)[0], 20))
    check_in_prometheus(lab, made, 20)
    equal("version", len(query(lab, "tcpfin_build_info")), 1)
    equal("samples that were left out", value(lab, "scrape_samples_scraped - scrape_samples_post_metric_relabeling"), 0)
    check(value(lab, "scrape_samples_scraped") == len(scrape(lab).samples), "samples are missing")
    time.sleep(2)
    equal("type of a counter", {one["type"] for one in metadata(lab, "tcpfin_connections_total")} or
          {one["type"] for one in metadata(lab, "tcpfin_connections")}, {"counter"})
    tracer.stop()
    until(lambda: value(lab, "up") == 0, "the end in Prometheus", 10, 0.5)
    server.kill()


def metadata(lab, name):
    _, _, body = ask(lab, f"GET /api/v1/metadata?metric={name} HTTP/1.0\r\nHost: x\r\n\r\n", port=PROMETHEUS_PORT)
    return json.loads(body)["data"].get(name, [])


@test
def read_by_node_exporter(lab):
    """The file of --metrics-file, by its textfile collector, without an error and without a name that it has itself."""
    directory = lab.file("textfiles")
    os.mkdir(directory, 0o755)
    tracer = watch(lab, f"--metrics-file={directory}/tcpfin.prom")
    exporter = Process(lab, lab.client, [tool("prometheus-node-exporter"),
                                         f"--collector.textfile.directory={directory}",
                                         f"--web.listen-address=127.0.0.1:{EXPORTER_PORT}"])
    server = prometheus(lab, EXPORTER_PORT)
    made = len(close_some(paths(lab)[0], 5))
    check_in_prometheus(lab, made, 30)
    equal("errors", value(lab, "node_textfile_scrape_error"), 0)
    tracer.stop()
    exporter.kill()
    server.kill()


if __name__ == "__main__":
    suite.main(sys.argv)
