"""Numbers in text, as people and programs of any country write them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NUMERIC_SHARE = 0.9  # of the words of a column that have to be numbers for the others to count as missing
# How programs write that a value is missing, in lower case: pandas' own list, and those of Weka, SAS and spreadsheets.
MISSING = frozenset(
    (
        *("?", "-", "--", ".", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "nat", "null", "none"),
        *("-1.#ind", "1.#ind", "-1.#qnan", "1.#qnan"),  # as Windows prints what is no number
    )
)
BLANKS = " '\u2019\u00a0\u2009\u202f"  # that group digits by threes: in Swiss, French and SI spelling
OTHER = {".": ",", ",": "."}
# A number with each decimal mark. Digits are grouped by threes or not at all, and a group begins with no zero: 0.455 is
# no 455. A mark is never simply removed, as pandas' option `thousands` does, which reads 1,5 as 15.
SPELLINGS = {
    mark: rf"[+-]?(?:[0-9]+|[1-9][0-9]{{0,2}}(?:[{OTHER[mark]}{BLANKS}][0-9]{{3}})+)?(?:[{mark}][0-9]*)?"
    r"(?:[eE][+-]?[0-9]+)?"
    for mark in OTHER
}
MINUS = {0x2212: "-", 0x2013: "-"}  # the sign that typographers use, and the dash that is taken for it


def is_missing(texts: pd.Series[Any]) -> NDArray[np.bool_]:
    """Whether a text is absent, empty, or a word such as NA."""
    words = texts.fillna("").str.strip().str.lower()
    found: NDArray[np.bool_] = words.isin(MISSING | {""}).to_numpy(bool)
    return found


def numbers(texts: pd.Series[Any], decimal: str, share: float = NUMERIC_SHARE) -> NDArray[np.float64] | None:
    """The numbers in a column of text, NaN for missing values and other words; None if it is no column of numbers.

    Args:
        texts: the column.
        decimal: the decimal mark of its file. The other mark is taken where only that makes the column numbers.
        share: least share of numbers among the values that are not missing.
    """
    found = marked_numbers(texts, decimal, share)
    return None if found is None else found[0]


def marked_numbers(
    texts: pd.Series[Any], decimal: str, share: float = NUMERIC_SHARE
) -> tuple[NDArray[np.float64], str] | None:
    """As `numbers`, with the decimal mark that they were read by; with a share of 0 that is ``decimal``."""
    places, found = pd.factorize(texts)  # a word that occurs often is looked at once
    words, counts = pd.Series(found, dtype="string"), np.bincount(places[places >= 0], minlength=len(found))
    is_given = ~is_missing(words)
    for mark in (decimal, OTHER[decimal]):
        values = _read(words, mark, is_given)
        if counts[is_given & np.isnan(values)].sum() <= (1 - share) * counts[is_given].sum():
            of_each: NDArray[np.float64] = np.append(values, np.nan)[places]
            return of_each, mark
    return None


def decimal_mark(columns: Iterable[pd.Series[Any]]) -> str:
    """The comma, if some column of a file is numbers with a comma only and none with a point only; else the point."""
    needed = set[str]()
    for texts in columns:
        is_given = ~is_missing(texts)
        lost = {mark: np.isnan(_read(texts, mark, is_given)[is_given]).mean() for mark in OTHER if is_given.any()}
        fitting = [mark for mark, share in lost.items() if share <= 1 - NUMERIC_SHARE]
        needed |= set(fitting) if len(fitting) == 1 else set()
    return "," if needed == {","} else "."


def _read(texts: pd.Series[Any], mark: str, is_given: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The numbers with one decimal mark, and NaN for everything else."""
    values = np.full(len(texts), np.nan)
    if mark == ".":  # the spelling that pandas knows, much faster than the patterns
        values[is_given] = _plain(texts[is_given])
    rest = np.flatnonzero(is_given & np.isnan(values))
    words = texts.iloc[rest].str.strip().str.translate(MINUS)
    fits = words.str.fullmatch(SPELLINGS[mark]).to_numpy(bool)
    digits = words[fits].str.replace(rf"[{OTHER[mark]}{BLANKS}]", "", regex=True).str.replace(mark, ".", regex=False)
    values[rest[fits]] = _plain(digits)
    return values


def _plain(texts: pd.Series[Any]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return found
