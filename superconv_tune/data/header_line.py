"""Whether a table begins with the names of its columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from superconv_tune.data.labels import LABELS
from superconv_tune.data.numbers import is_missing, numbers
from superconv_tune.data.spelling import tidy

AMBIGUOUS = "y"  # of these also an answer, yes
LEAST_PLACES = 3  # columns, from which their names may be numbers
MOST_COLUMNS = 30  # about as many are looked at, of all
RECURRING = 0.5  # of the words of the first line that occur again in their columns, from which it is no line of names


def begins_with_names(lines: pd.DataFrame) -> bool:
    """Whether the first line has the names of the columns, and not values like those below it.

    A word above numbers is a name, and so is a usual name of a label. A number above numbers is a value, unless the
    columns are numbered, as by pandas, or stand for years. If there are words only, they are values where they occur
    again below.
    """
    names, numbered, recurs = list(map(tidy, lines.iloc[0])), list[float](), list[bool]()
    usual = [place for place, name in enumerate(names) if name.lower() in LABELS]
    for place in sorted({*usual, *range(0, len(names), 1 + len(names) // MOST_COLUMNS)}):
        name, column = names[place], lines.iloc[1:, place]
        values = set(column[~is_missing(column)].str.strip())
        number = numbers(pd.Series([name]), ".", share=1.0)
        if place in usual and (name.lower() != AMBIGUOUS or name not in values):
            return True
        if not values or is_missing(pd.Series([name]))[0]:
            continue
        if numbers(column, ".") is None:
            recurs.append(name in values)
        elif number is None:
            return True
        else:
            numbered.append(float(number[0]))
    if numbered and not _are_places(numbered):
        return False
    return sum(recurs) < RECURRING * len(recurs) or not recurs


def _are_places(names: Sequence[float]) -> bool:
    """Whether names are numbers of columns, years or wavelengths: they grow by equal steps."""
    steps = np.diff(names)
    return len(names) >= LEAST_PLACES and bool(steps[0] > 0 and np.allclose(steps, steps[0]))
