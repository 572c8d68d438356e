"""Whether a table begins with the names of its columns."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from superconv_tune.data.labels import LABELS
from superconv_tune.data.numbers import is_missing, numbers
from superconv_tune.data.spelling import tidy

LEAST_PLACES = 3  # columns, from which names may be the numbers of the columns
RECURRING = 0.5  # of the words of the first line that occur again in their columns, from which it is no line of names


def begins_with_names(lines: pd.DataFrame) -> bool:
    """Whether the first line has the names of the columns, and not values like those below it.

    A word above numbers is a name, and so is a usual name of a label. A number above numbers is a value, unless the
    columns are numbered, as pandas does. If there are words only, they are values where they occur again below.
    """
    first = [tidy(cell) for cell in lines.iloc[0]]
    if any(name.lower() in LABELS for name in first):
        return True
    numbered, recurs = [], []
    for name, values in zip(first, (lines[place].iloc[1:] for place in lines), strict=True):
        values = values[~is_missing(values)]
        if not len(values) or is_missing(pd.Series([name]))[0]:
            continue
        if numbers(values, ".") is None:
            recurs.append(name in set(values.str.strip()))
        elif numbers(pd.Series([name]), ".", share=1.0) is None:
            return True
        else:
            numbered.append(name)
    if numbered and not _are_places(numbered):
        return False
    return sum(recurs) < RECURRING * len(recurs) or not recurs


def _are_places(names: Sequence[str]) -> bool:
    """Whether names number the columns from 0 or 1."""
    return len(names) >= LEAST_PLACES and any(
        list(names) == [str(place + start) for place in range(len(names))] for start in (0, 1)
    )
