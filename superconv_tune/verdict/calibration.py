"""The library of tasks with known truth, read from ``calibration.csv`` beside this file.

``python -m benchmarks.longer report`` writes the file, and reports how often the intervals based on it were right.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import cache
from importlib.resources import files

from superconv_tune.verdict.outlook import Calibration, Known, calibrate

KINDS = "photographs, drawn images, tables, signals and generated data, trained from scratch"


@cache
def library() -> Calibration:
    """The calibration from all searches of the library."""
    tasks = known()
    sets = len({task.family for task in tasks})
    return replace(calibrate(tasks), of=f"searches of {sets} data sets with known truth ({KINDS})")


def known() -> tuple[Known, ...]:
    """The searches of which a last step in length is known."""
    text = (files("superconv_tune.verdict") / "calibration.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(Known(row["data"], float(row["slope"]), float(row["gain"])) for row in rows)
