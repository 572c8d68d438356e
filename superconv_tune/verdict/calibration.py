"""The library of tasks with known truth, read from ``calibration.csv`` beside this file.

``python -m benchmarks.calibration`` writes the file, and reports how often the intervals based on it were right.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from superconv_tune.verdict.outlook import Calibration, Known, calibrate


@cache
def library() -> Calibration:
    """The calibration from all tasks of the library."""
    return calibrate(known())


def known() -> tuple[Known, ...]:
    """The tasks whose recipe was repeated at a shorter length."""
    text = (files("superconv_tune.verdict") / "calibration.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(Known(row["family"], float(row["slope"]), float(row["gain"])) for row in rows)
