# SPDX-License-Identifier: GPL-2.0-or-later
"""Does a file obey .editorconfig? Reads the parts of its language that ours uses."""
import os
import re

from tree import data, text

TAB = 8


def alternatives(pattern):
    """{a,b} in every way it can be read."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if not found:
        return [pattern]
    return [one for word in found[1].split(",")
            for one in alternatives(pattern[:found.start()] + word + pattern[found.end():])]


def matches(pattern, path):
    """With a slash a pattern is a path from the top, else a name; ** passes slashes, * does not."""
    return any(re.fullmatch(re.escape(one).replace(r"\*\*", ".*").replace(r"\*", "[^/]*"),
                            path if "/" in one else os.path.basename(path))
               for one in alternatives(pattern))


def sections():
    """[(pattern, {key: value})] in order: later ones win."""
    found = []
    for line in text(".editorconfig").split("\n"):
        if line.startswith("["):
            found.append((line.strip()[1:-1], {}))
        elif "=" in line and found:
            key, value = line.split("=", 1)
            found[-1][1][key.strip()] = value.strip()
    return found


def rules_of(path, every_section):
    rules = {}
    for pattern, settings in every_section:
        if matches(pattern, path):
            rules.update(settings)
    return rules


def line_complaint(line, rules):
    if rules.get("trim_trailing_whitespace") == "true" and line != line.rstrip():
        return "blanks at the end of the line"
    if len(line.expandtabs(TAB)) > int(rules.get("max_line_length", 1 << 30)):
        return f"longer than {rules['max_line_length']} columns"
    if rules.get("indent_style") == "tab" and re.match(r"\t* {8}", line):
        return "indented with blanks, not tabs"
    if rules.get("indent_style") == "space" and re.match(r" *\t", line):
        return "indented with a tab, not blanks"
    return None


def file_complaint(content, rules):
    if rules.get("insert_final_newline") == "true" and content and not content.endswith(b"\n"):
        return "no newline at its end"
    if rules.get("end_of_line") == "lf" and b"\r\n" in content:
        return "lines that end with CR LF"
    if rules.get("charset") == "utf-8":
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            return "not UTF-8"
    return None


def disobeyed(paths):
    """What editors change by themselves is noise in the next diff."""
    every_section = sections()
    for path in paths:
        rules = rules_of(path, every_section)
        why = file_complaint(data(path), rules)
        if why:
            yield f"{path}: {why}"
        if rules.get("charset") == "utf-8":
            for number, line in enumerate(text(path).split("\n"), 1):
                why = line_complaint(line, rules)
                if why:
                    yield f"{path}:{number}: {why}"
