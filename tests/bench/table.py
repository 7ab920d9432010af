# SPDX-License-Identifier: GPL-2.0-or-later
"""
The benchmark's rows, as they are measured: printed as one table, and kept for build/bench.json.
"""
import statistics
import sys


def significant(value):
    """Four digits of what was measured: more is noise. Counts are exact."""
    if isinstance(value, int) or value == 0:
        return int(value)
    rounded = float(f"{value:.4g}")
    return int(rounded) if abs(rounded) >= 1000 or rounded == int(rounded) else rounded


def quartiles(values):
    """(first, median, third) of the pairs of a comparison."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def ratios(values, others):
    """Pair by pair."""
    return [value / other for value, other in zip(values, others)]


class Table:
    """
    A ratio is a list, one element a pair of turns; its median counts and its quartiles are shown. A goal decides by the
    ratio where there is one, by the figure itself otherwise. Without a goal a row is for information.
    """

    def __init__(self, rows=()):
        self.rows = list(rows)

    def add(self, name, measured, unit, ratios=None, at_most=None, at_least=None, of=""):
        spread = quartiles(ratios) if ratios else None
        decides = spread[1] if spread else measured
        goal = at_most if at_most is not None else at_least
        result = ""
        if goal is not None:
            met = decides <= goal if at_most is not None else decides >= goal
            result = "met" if met else "MISSED"
        row = {"name": name, "measured": significant(measured), "unit": unit,
               "ratio": [round(value, 3) for value in spread] if spread else None,
               "pairs": len(ratios) if ratios else None, "of": of, "result": result,
               "goal": None if goal is None else f"{'<=' if at_most is not None else '>='} {goal:,}"}
        self.rows.append(row)
        print(f"# {self.line(row)}", file=sys.stderr, flush=True)

    @staticmethod
    def line(row):
        measured = f"{row['measured']:,} {row['unit']}"
        ratio = spread = ""
        if row["ratio"]:
            first, median, third = row["ratio"]
            ratio, spread = f"{median:.2f}", f"{first:.2f} to {third:.2f}"
        return (f"{row['name']:<60} {measured:>24} {ratio:>6} {spread:>14}  {row['of']:<15} {row['goal'] or '':<11} "
                f"{row['result']}").rstrip()

    def lines(self):
        yield f"{'WHAT':<60} {'MEASURED':>24} {'RATIO':>6} {'QUARTILES':>14}  {'OF':<15} {'GOAL':<11} RESULT"
        yield from map(self.line, self.rows)
        results = [row["result"] for row in self.rows]
        yield f"{results.count('met')} goals met, {results.count('MISSED')} missed"
