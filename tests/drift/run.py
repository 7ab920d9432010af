#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
run.py TCPFIN-TRACE: what stands in two places stands in both: options, exit codes and counters in the code and in the
man page, options in the bash completion, metrics in the alerts and the dashboard, files in the tree of user/README.md.

A check is a function that yields a sentence for each thing that is missing somewhere; its name is printed after "ok" or
"not ok". Another pair of places takes one more such function.
"""
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAN, RECORD_PAGE = "user/man/tcpfin-trace.8", "user/man/tcpfin-trace-record.5"
COMPLETION, TREE = "user/completions/tcpfin-trace.bash", "user/README.md"
EXIT_CODES, COUNTERS = "user/base/exit_code.h", "user/record/counters.c"
INTERFACE_OPTIONS = {"-i", "--interface"}
PROGRAM = []

CHECKS = []


class Skip(Exception):
    """One of the two places is not there."""


def check(function):
    CHECKS.append(function)
    return function


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def differences(one, where_one, other, where_other):
    """one, other: dictionaries or sets. A sentence for each name that only one of them has, or has otherwise."""
    for name in sorted(set(one) - set(other)):
        yield f"{name} is in {where_one} and not in {where_other}"
    for name in sorted(set(other) - set(one)):
        yield f"{name} is in {where_other} and not in {where_one}"
    if isinstance(one, dict):
        for name in sorted(set(one) & set(other)):
            if one[name] != other[name]:
                yield f"{name}{one[name]} in {where_one} is {name}{other[name]} in {where_other}"


# ---- the program ----

def ask(*arguments):
    """The program's standard output and standard error."""
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False)
    return done.stdout, done.stderr


def table():
    """The option table, as --help prints it: {"--read": "=", "-r": "=", "--stuck": "[=", "--quiet": ""}."""
    options = {}
    for letter, name, value in re.findall(r"^  (?:-(\w), |    )--([\w-]+)(\[?=?)", ask("--help")[0], re.M):
        options["--" + name] = value
        if letter:
            options["-" + letter] = value
    return options


def choices():
    """{"--format": {"text", "json", ...}} of the options that are a choice, as the program's errors list them."""
    found = {}
    for name in (name for name, value in table().items() if value == "=" and name.startswith("--")):
        words = re.search(r" is ([\w-]+(?:, [\w-]+)* or [\w-]+)$", ask(name + "=")[1].strip())
        if words:
            found[name] = set(re.split(", | or ", words[1]))
    return found


# ---- the man page ----

def section(page, title):
    """The lines of a section of an mdoc(7) page."""
    found = re.search(rf"^\.Sh {title}\n(.*?)(?=^\.Sh |\Z)", page, re.M | re.S)
    return found[1].splitlines() if found else []


def entries(lines, macro):
    """What follows the macro in list entries that begin with it: ".It Fl c Ar n , Fl \\-count" is two for "Fl"."""
    for line in lines:
        if line.startswith(f".It {macro} "):
            yield from re.split(rf" , {macro} ", line[len(f".It {macro} "):])


def man_options():
    """The options that the man page has an entry for, in the form of table()."""
    options = {}
    for entry in entries(section(read(MAN), "OPTIONS"), "Fl"):
        name, _, rest = entry.partition(" ")
        value = "[=" if rest.startswith("Ns Op =") else "=" if rest.startswith(("Ns =", "Ar")) else ""
        options["-" + name.replace("\\-", "-")] = value
    return options


def man_words(page):
    """The literal words (Cm) of a page."""
    words = set()
    for line in page.splitlines():
        for tail in re.findall(r"\bCm ([^\"]*)", line):
            words |= set(re.findall(r"[\w@.-]+", tail))
    return words


@check
def options_in_man_page():
    yield from differences(table(), "the option table", man_options(), MAN)


@check
def options_that_the_man_page_mentions():
    known = table()
    for name in sorted(set(re.findall(r"\bFl \\-([\w-]+)", read(MAN)))):
        if "--" + name not in known:
            yield f"--{name} is in {MAN} and not in the option table"


@check
def values_in_man_page():
    words = man_words(read(MAN))
    for option, values in choices().items():
        for value in sorted(values - words):
            yield f"{option}={value} is in the option table and not in {MAN}"


@check
def exit_codes_in_man_page():
    codes = set(re.findall(r"\bEXIT_\w+ = (\d+)", read(EXIT_CODES)))
    documented = {line.split()[1] for line in section(read(MAN), "EXIT STATUS") if re.match(r"\.It \d+$", line)}
    yield from differences({f"exit code {n}" for n in codes}, EXIT_CODES, {f"exit code {n}" for n in documented}, MAN)


@check
def counters_in_man_page():
    counters = set(re.findall(r'^\t\[COUNT_.*\] = "(\w+)",$', read(COUNTERS), re.M))
    pages = [read(path) for path in (MAN, RECORD_PAGE) if os.path.exists(os.path.join(TOP, path))]
    documented = {name for page in pages for entry in entries(section(page, "COUNTERS"), "Cm")
                  for name in entry.split(" , ")}
    yield from differences(counters, COUNTERS, documented, f"the section COUNTERS of {MAN}")


# ---- metrics ----

METRICS, METRICS_PAGE = "user/monitoring/metrics_text.c", "user/monitoring/README.md"
METRICS_USERS = ("user/monitoring/rules.yml", "user/monitoring/rules_test.yml", "user/monitoring/dashboard.json")


def families(text):
    """Families of metrics that a text names, without what their samples have behind the name."""
    return {re.sub("_(total|info|bucket|sum|count)$", "", name) for name in re.findall(r"\btcpfin_\w+", text)}


@check
def metrics_in_documents():
    known = families(read(METRICS))
    page = "\n".join(section(read(MAN), "METRICS"))
    yield from differences(known, METRICS, families(page), f"the section METRICS of {MAN}")
    yield from differences(known, METRICS, families(read(METRICS_PAGE)), METRICS_PAGE)
    for path in METRICS_USERS:
        for name in sorted(families(read(path)) - known):
            yield f"{name} is in {path} and not in {METRICS}"


# ---- the completion ----

COMPLETE = """
compopt() { :; }
source "$1" || exit
shift
function=$(complete -p tcpfin-trace) && function=${function#* -F } && function=${function%% *} || exit
COMP_WORDS=(tcpfin-trace "$@") COMP_CWORD=$#
"$function" tcpfin-trace "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\0' "${COMPREPLY[@]}"
"""


def completed(*words, directory=TOP):
    """What bash offers for the last of the words; "--format=" is two words to it, "--format" and "="."""
    done = subprocess.run(["bash", "--norc", "-c", COMPLETE, "bash", os.path.join(TOP, COMPLETION), *words],
                          capture_output=True, text=True, check=False, cwd=directory)
    if done.returncode or done.stderr:
        raise OSError(f"{COMPLETION}: {done.stderr.strip()}")
    return {reply for reply in done.stdout.split("\0") if reply}


@check
def options_in_completion():
    offered = {option.rstrip("="): "=" if option.endswith("=") else "" for option in completed("--")}
    known = {name: value if value == "=" else "" for name, value in table().items() if name.startswith("--")}
    yield from differences(known, "the option table", offered, COMPLETION)


@check
def values_in_completion():
    for option, values in choices().items():
        offered = {f"{option}={value}" for value in completed(option, "=")}
        yield from differences({f"{option}={value}" for value in values}, "the option table", offered, COMPLETION)


@check
def words_after_options_in_completion():
    """After an option that needs a value bash offers no interfaces, and after another one it does."""
    interfaces = completed("")
    if not interfaces:
        raise Skip("this host has no interface")
    for option, value in table().items():
        if option in INTERFACE_OPTIONS:
            continue
        offers = bool(completed(option, "") & interfaces)
        if offers and value == "=":
            yield f"{option} needs a value in the option table, and an interface may follow it in {COMPLETION}"
        if not offers and value != "=":
            yield f"{option} needs no value in the option table, and no interface may follow it in {COMPLETION}"
        if completed(option, "=") & interfaces:
            yield f"{COMPLETION} offers interfaces as the value of {option}"


@check
def files_in_completion():
    with tempfile.TemporaryDirectory() as directory:
        for name in ("a b.pcap", "a.pcapng", "c"):
            with open(os.path.join(directory, name), "w", encoding="ascii"):
                pass
        for words in (("-r", "a"), ("--read", "a"), ("--read", "=", "a")):
            offered = completed(*words, directory=directory)
            if offered != {"a b.pcap", "a.pcapng"}:
                yield f"{COMPLETION} offers {sorted(offered)} after {words}; the files are 'a b.pcap' and 'a.pcapng'"


# ---- the tree ----

def drawn():
    """The paths of the tree block of user/README.md. A line is a path's last part, indented below its folder."""
    if not os.path.exists(os.path.join(TOP, TREE)):
        raise Skip(f"there is no {TREE}")
    block = re.search(r"^```\w*\nuser/\n(.*?)^```", read(TREE), re.M | re.S)
    folders, paths = [(-1, "user/")], set()
    for line in block[1].splitlines() if block else []:
        indent, name = re.match(r"([ │├└─]*)(\S*)", line).groups()
        while len(indent) <= folders[-1][0]:
            folders.pop()
        path = folders[-1][1] + name
        paths.add(path)
        if name.endswith("/"):
            folders.append((len(indent), path))
    return paths


def sources():
    """The .c files below user/, and the folders that hold them."""
    for folder, _, files in os.walk(os.path.join(TOP, "user")):
        names = [name for name in files if name.endswith(".c")]
        place = os.path.relpath(folder, TOP) + "/"
        yield from (place + name for name in names)
        if names and place != "user/":
            yield place


@check
def sources_in_tree():
    tree = drawn()
    for path in sorted(set(sources()) - tree):
        yield f"{path} is there and not in the tree of {TREE}"
    for path in sorted(tree):
        if not os.path.exists(os.path.join(TOP, path)):
            yield f"{path} is in the tree of {TREE} and not there"


# ---- the runner ----

def run(function):
    """Prints the check's lines and returns "ok", "not ok" or "skip"."""
    try:
        missing = list(function())
    except Skip as reason:
        print(f"skip {function.__name__} - {reason}")
        return "skip"
    except (OSError, subprocess.SubprocessError) as error:
        missing = [str(error)]
    for sentence in missing:
        print(f"not ok {function.__name__} - {sentence}")
    if not missing:
        print(f"ok {function.__name__}")
    return "not ok" if missing else "ok"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: run.py TCPFIN-TRACE")
    PROGRAM[:] = [os.path.abspath(sys.argv[1])]
    verdicts = [run(function) for function in CHECKS]
    failed = verdicts.count("not ok")
    print(f"{verdicts.count('ok')} passed, {failed} failed, {verdicts.count('skip')} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
