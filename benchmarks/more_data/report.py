"""The library of the verdict from the recorded models, and how often its intervals are right."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.more_data.judge import LEVEL, Answer, Question, answers
from benchmarks.report import machine, table

COLUMNS = ("data", "task", "items", "times", "slope", "rate")
TEXT = """# How much more data?

`python -m benchmarks.more_data report`; recorded on {machine}.

{tasks} tasks of {sets} data sets: generators, tables, Fashion-MNIST and photographs. Each is trained with one recipe on
all of its data, on a half, a quarter and so on, by the program's own trial, in the same number of steps, with two
seeds. Every amount from 100 examples on is a question: its models at the recipe's length, those at a third of it on the
whole, a half and a quarter of that amount, and as many validation and test items as a user holds out give a {level:.0%}
interval for the accuracy on two, four and eight times as much, which other test items know. It is computed from a
library without that data set. *Times needed* is the interval for how many times the data the accuracy takes that they
did reach.

{table}

On 30 tasks of the [first library of the verdict](../archive/calibration/README.md), which the program searched itself
and trained on twice the data once more, 87 % of the intervals held the truth (70 to 95 %), and their median width was
8.6 points; again without the data set.

What it does not say: only the examples are more. A longer cycle on more data would gain more, and so would another
recipe.
"""
SIZES = (100, 200, 500, 1200, 10_000)  # borders of the classes of sizes


def write_library(asked: Sequence[Question], path: Path) -> None:
    """What the verdict needs of the recorded models."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for each in asked:
            known = each.known
            numbers = (f"{each.times:g}", f"{known.slope:.6f}", f"{known.rate:.6f}")
            writer.writerow((known.data, each.task, each.items, *numbers))


def report(asked: Sequence[Question]) -> str:
    """The page."""
    found = answers(asked)
    names = sorted({each.known.data for each in asked})
    rows = [_row("all", found)]
    rows += [_row(f"{times} times the data", [a for a in found if a.question.times == times]) for times in (2, 4, 8)]
    rows += [
        _row(f"{low:,} to {high - 1:,} examples", [a for a in found if low <= a.question.items < high])
        for low, high in pairwise(SIZES)
    ]
    rows += [_row(name, [a for a in found if a.question.known.data == name]) for name in names]
    header = ("questions", "of", "covers", "median width, points", "times needed covers")
    tasks = len({each.task for each in asked})
    return TEXT.format(
        machine=machine(),
        tasks=tasks,
        sets=len(names),
        level=LEVEL,
        table=table(header, rows),
    )


def _row(name: str, found: Sequence[Answer]) -> tuple[object, ...]:
    right, times = ([getattr(each, name) for each in found] for name in ("is_right", "knows_times"))
    width = float(np.median([100.0 * (each.high - each.low) for each in found]))
    return name, len(found), float(np.mean(right)), width, float(np.mean(times))
