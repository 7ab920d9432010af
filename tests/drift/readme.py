#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
readme.py: the documents of the tree against the tree.

Commands in README.md that read a capture print what README.md shows, README.md is short, and its options exist. In
every document the links lead to files. bpf/README.md names the files of bpf/, vmlinux/README.md functions that exist.
groff has no warning about a man page. The benchmark's page takes a new table. Names of tests in tests/README.md exist.

A block is run if its first line is "$ build/tcpfin-trace -r ...". Each of its lines "$ COMMAND" is a shell command, run
in the top folder; the lines up to the next one are its whole standard output. Time zone, locale and width are fixed.
"""
import fnmatch
import glob
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "bench"))

from document import BEGIN, END, document  # noqa: E402 (its place is known only now)

RUNS = "$ build/tcpfin-trace -r "
MOST_BYTES = 10_000
ENVIRONMENT = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "COLUMNS": "80", "PATH": os.environ.get("PATH", "/usr/bin:/bin")}
NO_CASE = (" ", ">", "#", "none", "exit ", "text ")  # how other lines of cases.txt begin
OTHERS_OPTIONS = {"--now"}  # systemctl's
TEST_COLUMNS = ("golden", "by real kernels", "live", "tests")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def paths(pattern):
    found = glob.glob(os.path.join(TOP, pattern), recursive=True, include_hidden=True)
    return sorted(os.path.relpath(path, TOP) for path in found)


def documents():
    return [path for path in paths("**/*.md") if not path.startswith(("build/", ".git/"))]


# ---- commands ----

def blocks(text):
    """The fenced blocks of a document, without their fences."""
    return re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)


def examples(text):
    """(command, output) of the blocks that are run."""
    for block in blocks(text):
        if block.startswith(RUNS):
            for example in re.split(r"^\$ ", block, flags=re.M)[1:]:
                command, _, output = example.partition("\n")
                yield command, output


def example_faults(command, expected):
    done = subprocess.run(command, shell=True, cwd=TOP, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
                          check=False)
    if done.returncode:
        return [f"exit code {done.returncode}: {done.stderr.strip()}"]
    if done.stdout != expected:
        return ["README.md shows:", *expected.splitlines(), "the program prints:", *done.stdout.splitlines()]
    return []


def check_examples():
    found = list(examples(read("README.md")))
    yield "has_examples", [] if found else [f"no block begins with {RUNS!r}"]
    for number, (command, output) in enumerate(found, 1):
        yield f"example_{number}", example_faults(command, output)


# ---- size, options, links ----

def check_size():
    size = len(read("README.md").encode())
    yield "size", [] if size <= MOST_BYTES else [f"README.md has {size} bytes, at most {MOST_BYTES} are allowed"]


def check_options():
    program = os.path.join(TOP, "build", "tcpfin-trace")
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    known = set(re.findall(r"--[a-z-]+", done.stdout))
    ours = "\n".join(line for line in re.findall(r"`[^`\n]+`|^.*tcpfin-trace.*$", read("README.md"), re.M)
                     if not line.startswith("`make"))
    unknown = sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", ours)) - known - OTHERS_OPTIONS)
    yield "options", [f"README.md has {option}, --help has not" for option in unknown]


def check_links():
    for document in documents():
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", read(document))
        local = [target for target in targets if "://" not in target]
        broken = [target for target in local
                  if not os.path.exists(os.path.join(TOP, os.path.dirname(document), target))]
        yield f"links_{document}", [f"{document}: no file {target}" for target in broken]


def check_kernel_tree():
    """The tree of bpf/README.md names the files of bpf/, each once."""
    named = re.findall(r"^ *([\w.]+\.[ch])\b", blocks(read("bpf/README.md"))[0], re.M)
    there = [os.path.basename(path) for path in paths("bpf/**/*.[ch]")]
    faults = [f"bpf/README.md: {name} is missing, or named and not there" for name in set(named) ^ set(there)]
    yield "kernel_tree", faults if len(named) == len(set(named)) else [*faults, "bpf/README.md names a file twice"]


def check_kernel_functions():
    """The functions that vmlinux/README.md names as readers of a field are in the BPF programs."""
    source = "".join(read(path) for path in paths("bpf/*.bpf.c"))
    named = re.findall(r"^\| `\w+` \| `\w+` \| `(\w+)`", read("vmlinux/README.md"), re.M)
    unknown = sorted({name for name in named if not re.search(rf"\b{name}\b", source)})
    yield "kernel_functions", [f"vmlinux/README.md names {name}(), bpf/ has no such function" for name in unknown]


def check_man_pages():
    """groff sets each page without a warning."""
    for page in paths("user/man/*.[1-9]"):
        done = subprocess.run(["groff", "-mandoc", "-ww", "-Tutf8", os.path.join(TOP, page)], capture_output=True,
                              text=True, check=False)
        yield f"man_{os.path.basename(page)}", done.stderr.splitlines()


# ---- the benchmark's table ----

MACHINE = {"cpu": "CPU", "cores": 2, "memory_mib": 4096, "kernel": "6.1.0-1", "load_before": 0.5}
ROW = {"name": "a row", "measured": 1234, "unit": "ns", "ratio": [0.8, 0.9, 1.0], "of": "parse", "goal": "<= 1.5",
       "result": "met"}


def check_bench_table():
    """What tests/bench/run --show does to a copy of the benchmark's page: the table is replaced, all else stays."""
    before = read("tests/bench/README.md")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".md") as copy:
        copy.write(before)
        copy.flush()
        document({"packet": {"machine": MACHINE, "rows": [ROW]}, "start": {"machine": MACHINE, "rows": []}}, copy.name)
        with open(copy.name, encoding="utf-8") as file:
            after = file.read()
    head, tail = before.split(BEGIN)[0], before.split(END)[1]
    written = after.removeprefix(head + BEGIN).removesuffix(END + tail).splitlines()
    first = "Measured on CPU, 2 cores, 4 GiB, Linux 6.1.0, load before the run 0.5 (packet, start)."
    right = len(written) == 7 and written[:3] == [first, "", "```"] and written[6] == "```" and \
        written[4].split() == "a row 1,234 ns 0.90 0.80 to 1.00 parse <= 1.5 met".split() and \
        written[5] == "1 goals met, 0 missed"
    yield "bench_table", [] if right else ["tests/bench/README.md became:", *after.splitlines()]


# ---- names of tests ----

def golden_cases():
    lines = read("tests/golden/cases.txt").splitlines()
    return {line.split()[0] for line in lines if line and not line.startswith(NO_CASE)}


def functions(path):
    pattern = r"^def (\w+)\(" if path.endswith(".py") else r"^(?:static void |TEST\()(\w+)"
    return set(re.findall(pattern, read(path), re.M))


def names_of_tests():
    """{suite or "": names}; "" has all of them."""
    suites = {os.path.basename(path)[:-3]: functions(path) for path in paths("tests/live/*.py")}
    suites["unit"] = set().union(*(functions(path) for path in paths("tests/unit/*.c")))
    suites["golden"] = golden_cases()
    scenarios = functions("tests/live/lab/closes.py")
    return {**suites, "": set().union(scenarios, *suites.values())}


def named_in_tables(text):
    """What stands between backticks in the columns of tables that name tests."""
    wanted = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if any(cell in TEST_COLUMNS for cell in cells):
            wanted = [at for at, cell in enumerate(cells) if cell in TEST_COLUMNS]
        elif not cells:
            wanted = []
        for at in wanted:
            yield from re.findall(r"`([\w:*]+)`", cells[at]) if at < len(cells) else ()


def check_names():
    known = names_of_tests()
    named = sorted(set(named_in_tables(read("tests/README.md"))))
    unknown = []
    for name in named:
        suite, _, test = name.rpartition(":")
        if not fnmatch.filter(known.get(suite, ()), test):
            unknown.append(f"tests/README.md names {name}: there is no such test")
    yield "names_of_tests", unknown if named else ["tests/README.md names no test"]


def main():
    checks = (check_examples, check_size, check_options, check_links, check_kernel_tree, check_kernel_functions,
              check_man_pages, check_bench_table, check_names)
    results = [result for check in checks for result in check()]
    for name, faults in results:
        print(f"not ok {name}" if faults else f"ok {name}")
        for fault in faults:
            print(f"    {fault}")
    failed = sum(bool(faults) for _, faults in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
