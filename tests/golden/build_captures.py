# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a small capture for each case: build_captures.py DIRECTORY [NAME...]. -l lists the cases."""
import os
import sys

import cases_artefacts  # noqa: F401 - each module registers its cases
import cases_attacks    # noqa: F401
import cases_black_hole  # noqa: F401
import cases_clock      # noqa: F401
import cases_close      # noqa: F401
import cases_field      # noqa: F401
import cases_files      # noqa: F401
import cases_icmp       # noqa: F401
import cases_related    # noqa: F401
import cases_strays     # noqa: F401
import cases_tunnels    # noqa: F401
from packets import CASES, file_of


def build(directory, names=()):
    """Writes DIRECTORY/NAME.pcap for the named cases, or for all. Returns the paths by name."""
    os.makedirs(directory, exist_ok=True)
    paths = {name: os.path.join(directory, name + ".pcap") for name in names or CASES}
    for name, path in paths.items():
        with open(path, "wb") as out:
            out.write(file_of(name))
    return paths


def main(arguments):
    if arguments[:1] == ["-l"]:
        for name, function in CASES.items():
            print(f"{name}: {function.__doc__}")
        return 0
    if not arguments:
        sys.exit(__doc__)
    unknown = [name for name in arguments[1:] if name not in CASES]
    if unknown:
        sys.exit(f"no such case: {' '.join(unknown)}")
    build(arguments[0], arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
