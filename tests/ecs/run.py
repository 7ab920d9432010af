#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
The fields of records against the Elastic Common Schema: @elastic/ecs, npm's package of its field list, in the version
that package-lock.json pins, unpacked into build/ecs.

A field of tcpfin-trace-record(5) is the schema's, with its type, or it is in own.txt, and what is there is printed.
Below `source` and `destination` the schema's field sets are used as they are at the top: source.process.pid is its
process.pid. A name of ours that stands where the schema has an object, or below one of its values, says so in own.txt.
"""
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
UNPACKED = os.path.join(TOP, "build", "ecs")
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))

import fields  # noqa: E402 (its place is known only now)

TYPES = {"time": {"date"}, "ns": {"long"}, "signed ns": {"long"}, "bytes": {"long"}, "count": {"long"},
         "number": {"long"}, "word": {"keyword"}, "text": {"keyword", "match_only_text", "wildcard"},
         "address": {"ip"}, "true or false": {"boolean"}, "object": {"object", "nested", "flattened"}}
ENDS = ("source.", "destination.")


def schema():
    """The schema's fields by name. Downloads the package where it is not there yet."""
    module = os.path.join(UNPACKED, "node_modules", "@elastic", "ecs")
    if not os.path.exists(module):
        os.makedirs(UNPACKED, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(HERE, name), UNPACKED)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=UNPACKED,
                       check=True)
    script = "console.log(JSON.stringify([require('@elastic/ecs').EcsFlat, require('@elastic/ecs').EcsVersion]))"
    done = subprocess.run(["node", "-e", script], cwd=UNPACKED, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def own():
    """{name outside of the schema: does it stand where the schema has something else?}, from own.txt"""
    with open(os.path.join(HERE, "own.txt"), encoding="ascii") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return {words[0]: words[1:] == ["collides"] for words in lines}


def in_schema(ecs, path):
    """The schema's name of the path; None where it has none."""
    name = path.replace("[]", "")
    if name in ecs:
        return name
    end = next((end for end in ENDS if name.startswith(end)), None)
    return name[len(end):] if end and name[len(end):] in ecs else None


def own_name(names, path):
    """The line of own.txt for the path; None without one."""
    name = re.sub(r"^(source|destination)\.", "END.", path)
    if name in names:
        return name
    return next((line for line in sorted(names) if line.endswith(".") and f"{name}.".startswith(line)), None)


def type_fault(ecs, name, path, field):
    wanted, array = ecs[name]["type"], path.endswith("[]")
    if wanted not in TYPES.get(field.type, ()):
        return f"{path} is {field.type}, and the schema's {name} {wanted}"
    if array and "array" not in ecs[name]["normalize"]:
        return f"{path} is an array, and the schema's {name} is not"
    return None


def place_fault(ecs, path):
    """A name of ours that an index with the schema's mapping would refuse."""
    name = path.replace("[]", "")
    below = next((known for known in ecs if known.startswith(name + ".")), None)
    above = next((known for known in ecs if name.startswith(known + ".") and ecs[known]["type"] not in
                  ("object", "nested", "flattened")), None)
    if below:
        return f"{path} is a value, and the schema has {below}"
    return f"{path} is below the schema's value {above}" if above else None


def check_fields(ecs, names, page):
    """Faults, and the lines of own.txt that some field needed."""
    faults, used, counts = [], set(), [0, 0]
    for dataset, known in fields.documented(page).items():
        for path, field in known.items():
            if path.startswith("tcp_"):  # CSV only
                continue
            name, line = in_schema(ecs, path), own_name(names, path)
            counts[name is None] += 1
            if name:
                faults.append(type_fault(ecs, name, path, field))
            elif field.type != "object":
                used.add(line)
                faults.append(None if line else f"{dataset}: {path} is neither the schema's nor in own.txt")
                if line and not names[line]:
                    faults.append(place_fault(ecs, path))
    print(f"# {counts[0]} fields are the schema's, {counts[1]} are not")
    return sorted({fault for fault in faults if fault}), used


def check_values(ecs, version):
    """The words of the schema that every record has."""
    faults = []
    done = subprocess.run([fields.FIELD_LIST, "json"], check=True, capture_output=True, text=True)
    for record in map(json.loads, done.stdout.splitlines()):
        for member in ("kind", "category", "type"):
            allowed = {value["name"]: value for value in ecs[f"event.{member}"]["allowed_values"]}
            value = record["event"][member]
            words = [value] if isinstance(value, str) else value
            faults += [f"event.{member} {word} is not allowed" for word in words if word not in allowed]
        expected = {word for category in ecs["event.category"]["allowed_values"]
                    if category["name"] in record["event"]["category"] for word in category["expected_event_types"]}
        faults += [f"event.type {word} is not expected" for word in record["event"]["type"] if word not in expected]
        if record["ecs"]["version"].rsplit(".", 1)[0] != version.rsplit(".", 1)[0]:
            faults.append(f"ecs.version is {record['ecs']['version']}, and the schema is {version}")
    return sorted(set(faults))


def main():
    with open(fields.PAGE, encoding="utf-8") as file:
        page = file.read().split("\n")
    ecs, version = schema()
    names = own()
    faults, used = check_fields(ecs, names, page)
    idle = sorted(set(names) - used)
    results = {"fields": faults, "own_names": [f"{line} in own.txt is no field" for line in idle],
               "values": check_values(ecs, version)}
    for name, why in results.items():
        print(f"not ok {name}\n    " + "\n    ".join(why) if why else f"ok {name}")
    failed = sum(bool(why) for why in results.values())
    print(f"{len(results) - failed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
