#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
screenshot.py FILE.svg: the picture in README.md: --top in a terminal (tmux), while the processes of a small shop close
connections, some of them by a reset. As root, in network namespaces of its own.
"""
import html
import itertools
import os
import re
import sys
import threading

from lab.closes import Path, scenario_named
from lab.harness import PROGRAM
from lab.netlab import Lab, ipv4, until
from lab.peer import Peer
from top import Screen

COLUMNS, LINES = 112, 18
OPTIONS = ("--by=process,peer,reason", "--outcome=reset,refused,handshake_reset")  # those of the recipe
CELL_WIDTH, LINE_HEIGHT, MARGIN = 8, 18, 12  # px
PLAYED = {  # what each service's connections are like, in turn
    "gateway": ("client_first", "server_first"),
    "orders": ("client_first", "client_first", "linger0"),
    "payment": ("server_first", "unread_data"),
    "stock": ("client_first", "answer_too_late", "refused"),
}
SGR = re.compile(r"\x1b\[([0-9;]*)m")


def play(path, names, stop):
    for name in itertools.cycle(names):
        if stop.is_set():
            return
        scenario_named(name).play(path)


def screen_of_a_shop(lab):
    """What the terminal shows after some seconds, with its escape sequences."""
    client, stop = "web", threading.Event()
    threads = [threading.Thread(target=play, args=(Path(Peer(lab, lab.client, client), Peer(lab, lab.server, service),
                                                        ipv4(0, 2)), names, stop))
               for service, names in PLAYED.items()]
    screen = Screen(lab, COLUMNS, LINES, "--top=2", *OPTIONS)
    for thread in threads:
        thread.start()
    until(lambda: "payment" in screen.text(), "a table", 20)
    text = screen.tmux("capture-pane", "-pe")
    stop.set()
    for thread in threads:
        thread.join()
    return text


def style_of(codes, style):
    """The style after a Select Graphic Rendition sequence: the ones that the program uses."""
    for code in (codes or "0").split(";"):
        number = int(code or 0)
        if number == 0 or number in (22, 27, 39, 49):
            style = frozenset()
        elif number in (1, 2, 7) or 30 <= number <= 37:
            style |= {number}
    return style


def spans(line):
    """(column, text, style) of a line's parts."""
    column, style, at = 0, frozenset(), 0
    for found in itertools.chain(SGR.finditer(line), [None]):
        text = line[at:found.start() if found else len(line)]
        if text:
            yield column, text, style
        column += len(text)
        if found:
            style, at = style_of(found.group(1), style), found.end()


def svg(text):
    lines = text.rstrip("\n").split("\n")
    width, height = COLUMNS * CELL_WIDTH + 2 * MARGIN, len(lines) * LINE_HEIGHT + 2 * MARGIN
    colours = {31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 36: "#79c0ff"}
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="13.3" '
           'font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace">',
           '<title>tcpfin-trace --top in a terminal</title>',
           f'<rect width="{width}" height="{height}" rx="6" fill="#0d1117"/>']
    for number, line in enumerate(lines):
        y = MARGIN + number * LINE_HEIGHT
        for column, part, style in spans(line):
            x, length = MARGIN + column * CELL_WIDTH, len(part) * CELL_WIDTH
            colour = next((colours[code] for code in style if code in colours), "#c9d1d9")
            if 7 in style:
                out.append(f'<rect x="{x}" y="{y}" width="{length}" height="{LINE_HEIGHT}" fill="{colour}"/>')
                colour = "#0d1117"
            if not part.strip():
                continue
            weight = ' font-weight="bold"' if 1 in style else ""
            faint = ' opacity=".6"' if 2 in style else ""
            out.append(f'<text x="{x}" y="{y + 13}" textLength="{length}" xml:space="preserve" fill="{colour}"{weight}'
                       f'{faint}>{html.escape(part)}</text>')
    return "\n".join([*out, "</svg>", ""])


def main(path):
    PROGRAM.append(os.path.abspath("build/tcpfin-trace"))
    with Lab() as lab:
        picture = svg(screen_of_a_shop(lab))
    with open(path, "w", encoding="utf-8") as file:
        file.write(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
