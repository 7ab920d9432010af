#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
check.py OBJECT[,OBJECT...] README [BTF]: compares the kernel types that the objects were compiled with to those of the
running kernel, and the README's table to both.

The loader finds a field by its name, so the name must be there, and what is read must be as wide and of the same kind
as here. A type with a ___suffix is the one of other kernels: where the running one lacks it, that is a skip.
"""
import json
import re
import subprocess
import sys

RECORDS = ("STRUCT", "UNION")
ENUMS = ("cgroup_subsys_id", "sock_flags")
# UAPI, or not the kernel's at all: defined by BPF and by our own headers.
OURS = re.compile(r"socket_.+|closing_socket|flow_.+|ip_address|tcx_order_record|sender|____.*|trace_.*")


class Types:
    """The types of one BTF."""

    def __init__(self, path):
        dump = subprocess.run(["bpftool", "-j", "btf", "dump", "file", path], check=True, capture_output=True)
        self.by_id = {t["id"]: t for t in json.loads(dump.stdout)["types"]}
        self.by_name = {}
        for t in self.by_id.values():
            self.by_name.setdefault((t["kind"], t["name"]), t)

    def strip(self, number):
        """Without names and qualifiers; None is void."""
        t = self.by_id.get(number)
        while t and t["kind"] in ("TYPEDEF", "CONST", "VOLATILE", "RESTRICT", "TYPE_TAG"):
            t = self.by_id.get(t["type_id"])
        return t

    def fields(self, record):
        """{name: (type, bits of a bit field)}; those of nameless members are the record's own."""
        found = {}
        for member in record["members"]:
            inner = self.strip(member["type_id"])
            if member["name"] == "(anon)" and inner["kind"] in RECORDS:
                found |= self.fields(inner)
            else:
                found[member["name"]] = (inner, member.get("bitfield_size", 0))
        return found


def differences(ours, kernel, mine, theirs, where):
    """Why a program that reads `mine` would not get it from `theirs`."""
    if mine is None or theirs is None or mine["kind"] != theirs["kind"]:
        if mine is not theirs:
            yield f"{where} is {theirs and theirs['kind']}, not {mine and mine['kind']}"
    elif mine["kind"] == "INT" and mine["size"] != theirs["size"]:
        yield f"{where} has {theirs['size']} bytes, not {mine['size']}"
        if mine["nr_elems"] not in (1, theirs["nr_elems"]):  # 1 stands for as many as the kernel has
            yield f"{where} has {theirs['nr_elems']} elements, not {mine['nr_elems']}"
            yield f"{where} has {theirs['nr_elems']} elements, not {mine['nr_elems']}"
    elif mine["kind"] in RECORDS:
        fields = kernel.fields(theirs)
        for name, (inner, _bits) in ours.fields(mine).items():
            if name not in fields:
                yield f"{where}.{name} is not there"
            elif fields[name][1]:
                yield f"{where}.{name} is a bit field"
            elif inner is None or inner["kind"] != "PTR":
                yield from differences(ours, kernel, inner, fields[name][0], f"{where}.{name}")


def compare(ours, kernel, kind, name):
    base = name.split("___")[0]
    mine = ours.by_name[kind, name]
    theirs = kernel.by_name.get((kind, base))
    if kind == "TYPEDEF":
        mine, theirs = ours.strip(mine["id"]), theirs and kernel.strip(theirs["id"])
    if not theirs:
        return [f"{base} is not there"]
    if kind == "ENUM":
        there = {value["name"] for value in theirs["values"]}
        return [f"{value['name']} is not there" for value in mine["values"] if value["name"] not in there]
    return list(differences(ours, kernel, mine, theirs, base))


def subset(ours):
    """(kind, name) of what stands in vmlinux.h."""
    for kind, name in ours.by_name:
        if kind == "STRUCT" or (kind == "ENUM" and name in ENUMS):
            if name != "(anon)" and not OURS.fullmatch(name):
                yield kind, name


def row_names(ours, kind, name):
    """How the README's table names what is read of a type."""
    record = ours.by_name[kind, name]
    members = [value["name"] for value in record["values"]] if kind == "ENUM" else ours.fields(record)
    return {(name, member) for member in members}


def main():
    objects = [Types(path) for path in sys.argv[1].split(",")]
    kernel = Types(sys.argv[3] if len(sys.argv) > 3 else "/sys/kernel/btf/vmlinux")
    counts = {"ok": 0, "not ok": 0, "skip": 0}
    with open(sys.argv[2], encoding="utf-8") as readme:
        rows = set(re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", readme.read(), re.MULTILINE))
    read = set()

    def say(verdict, name, why=()):
        counts[verdict] += 1
        print(f"{verdict} {name}" + (f" - {'; '.join(why)}" if why else ""))

    for kind, name, ours in sorted(((*t, ours) for ours in objects for t in subset(ours)), key=lambda t: t[:2]):
        read |= row_names(ours, kind, name)
        why = compare(ours, kernel, kind, name)
        say("skip" if why and "___" in name else "not ok" if why else "ok", name, why)
    why = [f"no row for {type_}.{field}" for type_, field in sorted(read - rows)]
    why += [f"a row for {type_}.{field}, which is not read" for type_, field in sorted(rows - read)]
    say("not ok" if why else "ok", "README", why)
    print(f"{counts['ok']} passed, {counts['not ok']} failed, {counts['skip']} skipped")
    return counts["not ok"] != 0


if __name__ == "__main__":
    sys.exit(main())
