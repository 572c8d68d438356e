"""Which column of a table is the label, and what its values become: classes or numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError
from superconv_tune.data.numbers import is_missing, numbers
from superconv_tune.data.parts import Kind, exact
from superconv_tune.data.spelling import alike, joined, tidy
from superconv_tune.data.words import count_of, some

LABELS = ("label", "target", "class", "y")  # usual names of the label column
LAST = "last"  # instead of the name of a column
MANY = 50  # most whole numbers that are classes
FEW = 10  # up to which they are classes whatever their counts
LEAST_OF_CLASS = 3  # examples of a class, with fewer of which it cannot be in all three parts
LEADING_ZERO = r"[+-]?0[0-9].*"  # of a code, in which 01 is not 1


@dataclass(frozen=True)
class Targets:
    """The label column, read.

    Attributes:
        values: of the lines that have a label: int64 classes from 0, or numbers.
        is_labelled: for each line of the table, whether it has a label.
        kind: whether the targets are classes or numbers.
        classes: names of the classes; empty for numbers.
        warnings: what was joined or left out, and which labels are to be looked at, in sentences.
    """

    values: NDArray[Any]
    is_labelled: NDArray[np.bool_]
    kind: Kind
    classes: tuple[str, ...]
    warnings: tuple[str, ...]


def column_of(names: Sequence[str], asked: str) -> str | None:
    """The column with a name, with a number from 0 (from -1 backwards), or the ``last`` one; None if there is none."""
    if asked in names or tidy(asked) in names:
        return asked if asked in names else tidy(asked)
    if asked == LAST:
        return names[-1]
    is_place = re.fullmatch(r"-?[0-9]+", asked) and -len(names) <= int(asked) < len(names)
    return names[int(asked)] if is_place else None


def label_column(table: pd.DataFrame, asked: str, where: str, *, is_named: bool = True) -> str:
    """The label column: the requested one, or the one with a usual name.

    Args:
        table: its first lines, or all of them.
        asked: name or number; empty for the usual names.
        where: format and path, for messages.
        is_named: whether the columns have names of their own.

    Raises:
        UserError: if it is not clear which one it is; says how to name it.
    """
    names = list(table.columns)
    found = column_of(names, asked) if asked else None
    usual = [name for name in names if name.lower() in LABELS]
    if found is None and not asked and len(usual) == 1:
        found = usual[0]
    if found is not None:
        return found
    last = f"--label {LAST} (here {names[-1]}: {_first_values(table[names[-1]])})"
    how = f"Name the label column: {last}, or --label with its name or number, from 0; in a spec `args: {{label: …}}`."
    if asked or is_named:
        fault = (
            f"no column {asked!r}" if asked else f"{len(usual) or 'no'} columns called {', '.join(LABELS[:-1])} or y"
        )
        raise UserError(f"data.args: {where} has {fault}; it has: {some(names)}. {how}")
    shown = some([f"{name} ({_first_values(table[name])})" for name in names])
    raise UserError(
        f"data.args: {where} has no line of names (`header: true` says that it has), so which column is the label? "
        f"There are {len(names)}: {shown}. {how}"
    )


def targets(labels: pd.Series[Any], is_train: NDArray[np.bool_], chosen: Mapping[str, Any], where: str) -> Targets:
    """The label column as classes or numbers.

    In a column of numbers, words such as NA mark lines without a label. Among words they are classes: one of them may
    be called None.

    Args:
        labels: the column.
        is_train: for each line, whether it belongs to the training part.
        chosen: the options ``kind`` and ``decimal``.
        where: format and path, for messages.

    Raises:
        UserError: if the column is empty, or does not fit its kind.
    """
    texts, warnings = (labels, []) if _is_typed(labels) else _tidied(labels)
    found = None if _is_bool(texts) else _numbers(texts, chosen)
    is_labelled = (texts.notna() if found is None else ~pd.Series(np.isnan(found))).to_numpy(bool)
    if not is_labelled.any():
        raise UserError(f"data: the label column {labels.name!r} of {where} is empty.")
    warnings += _left_out(texts, is_labelled) if found is not None or _is_typed(texts) else _left_out_and_kept(texts)
    kept, is_train = texts[is_labelled], is_train[is_labelled]
    values = None if found is None else found[is_labelled]
    if _kind(values, chosen["kind"]) == "regression":
        if values is None:
            raise UserError(_no_numbers(kept, chosen, where))
        return Targets(exact(values), is_labelled, "regression", (), tuple(warnings))
    codes, classes = _classes(kept if values is None else values, is_train, str(labels.name), where)
    return Targets(codes, is_labelled, "classification", classes, (*warnings, *alike(classes)))


def _tidied(labels: pd.Series[Any]) -> tuple[pd.Series[Any], list[str]]:
    """The labels as text in one spelling, and what was joined; an empty label is a missing one."""
    texts = labels.astype("string")
    spelling, warnings = joined({str(label): int(count) for label, count in texts.value_counts().items()})
    found = texts.map(spelling, na_action="ignore").astype("string")
    return found.mask(found.eq("").fillna(value=False)), warnings


def _numbers(labels: pd.Series[Any], chosen: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """The numbers in a label column, NaN where a label is missing; None if its labels are words."""
    if pd.api.types.is_numeric_dtype(labels):
        typed: NDArray[np.float64] = labels.to_numpy(np.float64, na_value=np.nan)
        return typed
    if _is_typed(labels):
        return None
    is_code = chosen["kind"] != "regression" and bool(labels.str.fullmatch(LEADING_ZERO, na=False).any())
    return None if is_code or is_missing(labels).all() else numbers(labels, chosen["decimal"], share=1.0)


def _left_out(texts: pd.Series[Any], is_labelled: NDArray[np.bool_]) -> list[str]:
    """A sentence on the lines without a label, with the words that stood for it."""
    lost = texts[~is_labelled]
    if not len(lost):
        return []
    words = [f"{count:,} with {word!r}" for word, count in Counter(lost.dropna().astype(str)).most_common()]
    return [f"{count_of(len(lost), 'line')} without a label left out{f' ({some(words)})' if words else ''}."]


def _left_out_and_kept(texts: pd.Series[Any]) -> list[str]:
    """The same, and a sentence on classes that are called as if their label were missing."""
    suspects = texts[is_missing(texts) & texts.notna().to_numpy(bool)]
    words = [f"{word!r} ({count_of(count, 'line')})" for word, count in Counter(suspects).most_common()]
    told = (
        f"Labels that count as classes, though they may stand for a missing label: {some(words)}. "
        f'`args: {{missing: ["{suspects.iloc[0]}"]}}` leaves such lines out.'
        if words
        else ""
    )
    return [*_left_out(texts, texts.notna().to_numpy(bool)), *filter(None, [told])]


def _kind(values: NDArray[np.float64] | None, asked: str) -> str:
    """Whether labels are classes or numbers to predict, unless the user said it.

    Whole numbers of few values are classes; not if there are more than ten of which some are so rare that they could
    not be split, as in an age in years.
    """
    if asked != "auto":
        return asked
    if values is None:
        return "classification"
    counts = np.unique(values, return_counts=True)[1]
    is_whole = np.array_equal(values, np.floor(values)) and len(counts) <= MANY
    is_rare = len(counts) > FEW and counts.min() < LEAST_OF_CLASS
    return "classification" if is_whole and not is_rare else "regression"


def _classes(
    labels: pd.Series[Any] | NDArray[np.float64], is_train: NDArray[np.bool_], column: str, where: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The class of every line, and the names of the classes: numbers by size, words by alphabet."""
    lines, found = pd.factorize(labels if isinstance(labels, np.ndarray) else labels.astype(str), sort=True)
    every = tuple(map(_class_name, found))
    strange = [every[place] for place in np.setdiff1d(lines, lines[is_train])]
    if strange:
        raise UserError(f"data: classes of {where} that the training part does not have: {some(strange)}.")
    if len(every) > len(lines) / 2:
        raise UserError(
            f"data: the label column {column!r} of {where} has {len(every):,} different values in {len(lines):,} "
            f"lines. Is it the label?"
        )
    return lines.astype(np.int64), every


def _class_name(value: object) -> str:
    """The value as text, with all digits; 3.0 is the class 3."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _no_numbers(labels: pd.Series[Any], chosen: Mapping[str, Any], where: str) -> str:
    words = labels.astype("string")
    words = words[~is_missing(words)]
    values = numbers(words, chosen["decimal"], share=0.0)
    wrong = sorted(set(words if values is None else words[np.isnan(values)]))
    return f"data: some labels in {where} are not numbers: {some(wrong)}. Is it a classification?"


def _first_values(column: pd.Series[Any], count: int = 3) -> str:
    return ", ".join(tidy(value)[:20] for value in column.iloc[:count]) + ", …"


def _is_typed(values: pd.Series[Any]) -> bool:
    """Whether the values are numbers, booleans or times, not text."""
    is_words = isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_object_dtype(values)
    return not (is_words or pd.api.types.is_string_dtype(values))


def _is_bool(values: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_bool_dtype(values))
