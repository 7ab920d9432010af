# SPDX-License-Identifier: GPL-2.0-or-later
"""Which folder may use which: an include goes down only."""
import os
import re

from tree import in_c, text

# From the highest storey to the lowest. Folders of one storey do not use each other. Some folders do not exist yet; one
# that is missing here is a fault. "bpf" has the kernel's programs, and the headers that both worlds share.
STOREYS = (
    ("user/main",),
    ("user/live", "user/capture"),
    ("user/attach", "user/host", "user/reporter"),
    ("user/monitoring", "user/report", "user/ipfix", "user/kafka", "user/flight"),
    ("user/helper", "user/export", "user/top", "user/join"),
    ("user/cli",),
    ("user/format",),
    ("user/filter",),
    ("user/judge", "user/readback"),
    ("user/record",),
    ("user/sockets",),
    ("user/base",),
    ("bpf",),
    ("bpf/core",),
)
STOREY_OF = {room: len(STOREYS) - i for i, rooms in enumerate(STOREYS) for room in rooms}


def room_of(path):
    """A folder, or for the files that lie in user/ itself their name without the ending."""
    folder, name = os.path.split(path)
    return path.rsplit(".", 1)[0] if folder == "user" else folder or name


def includes(path):
    """(line number, included path) of each include with quotes."""
    for number, line in enumerate(text(path).split("\n"), 1):
        found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if found:
            yield number, found[1]


def missing_includes(paths):
    """An include that is no path from the top makes a file unmovable. Skeletons are generated into build/."""
    known = set(paths)
    for path in in_c(paths):
        for number, name in includes(path):
            if name not in known and not name.endswith(".skel.h"):
                yield f"{path}:{number}: \"{name}\" is no path from the top"


def complaint(path, name):
    """Why this file may not include that one; None if it may."""
    above, below = room_of(path), room_of(name)
    if name.endswith((".bpf.h", ".bpf.c")) and not above.startswith("bpf"):
        return "only the kernel's programs use what is compiled for the kernel only"
    unplaced = [room for room in (above, below) if room not in STOREY_OF]
    if unplaced:
        return f"{unplaced[0]} has no place in STOREYS (tests/style/layers.py)"
    if above != below and STOREY_OF[below] >= STOREY_OF[above]:
        return f"{above} does not lie above {below}"
    return None


def climbing_includes(paths):
    """A folder that uses what lies above it, or beside it, can be neither read nor tested alone."""
    for path in in_c(paths):
        if not path.startswith(("user/", "bpf/")):
            continue
        for number, name in includes(path):
            why = None if name.endswith(".skel.h") or name.startswith("vmlinux/") else complaint(path, name)
            if why:
                yield f"{path}:{number}: \"{name}\": {why}"


def include_circles(paths):
    """Of files that include each other none can be understood first."""
    graph = {path: [name for _, name in includes(path)] for path in in_c(paths)}
    done = set()

    def walk(path, way):
        if path in way:
            yield " -> ".join(way[way.index(path):] + [path])
        elif path not in done:
            done.add(path)
            for name in graph.get(path, ()):
                yield from walk(name, way + [path])

    for path in graph:
        yield from walk(path, [])
