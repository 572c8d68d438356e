"""The columns of a table as inputs: numbers, words, or the bytes of one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.labels import MANY
from superconv_tune.data.numbers import numbers
from superconv_tune.data.parts import Column
from superconv_tune.data.words import count_of

COUNTERS = ("id", "index", "unnamed: 0")  # columns that number the lines
TEXT_WORDS = 3.0  # on average, from which a column counts as text
MOST_BYTES = 512  # that are kept of a text
TEXT_SHARE = 0.95  # of the texts that fit without being cut, up to that many bytes


@dataclass(frozen=True)
class Encoded:
    """A column as inputs.

    Attributes:
        column: its description.
        values: [n, width]; uint8 for text, else float32.
        note: what was changed in it, as a sentence; empty for nothing.
    """

    column: Column
    values: NDArray[Any]
    note: str = ""


def encoded(
    inputs: pd.DataFrame, is_train: NDArray[np.bool_], decimal: str, where: str
) -> tuple[list[Encoded], list[str]]:
    """Every column as inputs, and sentences on what was left out.

    Args:
        inputs: the columns.
        is_train: for each line, whether it belongs to the training part.
        decimal: decimal mark of numbers that were read as text.
        where: format and path, for messages.

    Raises:
        UserError: if a column cannot be used, or none can.
    """
    found, left_out, faults = [], [], list[str]()
    for name in inputs.columns:
        try:
            each = _column(inputs[name], is_train, decimal, is_alone=inputs.shape[1] == 1)
        except UserError as error:
            faults += [f"data: {where}: {message}" for message in error.messages]
            continue
        if isinstance(each, str):
            left_out.append(f"Column {name!r} left out: {each}.")
        else:
            found.append(each)
    if not faults and not found:
        faults = [f"data: {where} has no column to learn from besides the label. {' '.join(left_out)}"]
    raise_any(faults)
    return found, left_out


def described(columns: Sequence[Encoded]) -> str:
    """How many columns of which kind there are, and how many inputs they became."""
    kinds = [each.column.kind for each in columns]
    counts = ", ".join(f"{kinds.count(each)} {each}" for each in dict.fromkeys(kinds))
    return f"{counts}; {sum(each.column.width for each in columns)} inputs"


def _column(values: pd.Series[Any], is_train: NDArray[np.bool_], decimal: str, *, is_alone: bool) -> Encoded | str:
    """One column as inputs, or why it is left out."""
    name = str(values.name)
    if values.dtype == object and values.map(lambda value: isinstance(value, list | dict | np.ndarray)).any():
        raise UserError(f"column {name!r} holds lists, but a field is a number or a word. Leave it out: args.ignore.")
    if pd.api.types.is_datetime64_any_dtype(values):
        values = (values - values.min()) / pd.Timedelta(days=1)
    if values[is_train].isna().all():
        return "it is empty"
    if pd.api.types.is_numeric_dtype(values):
        if name.lower() in COUNTERS and values.is_unique and pd.api.types.is_integer_dtype(values):
            return "it numbers the lines"
        return _numeric(name, values.to_numpy(np.float64, na_value=np.nan), is_train, "")
    texts = values.astype("string").str.strip()
    texts = texts.mask(texts.eq("").fillna(value=False))
    found = numbers(texts, decimal)
    if found is None or np.isnan(found[is_train]).all():
        return _words(name, texts, is_train, is_alone=is_alone)
    strays = texts[np.isnan(found)].dropna()
    told = [
        f"{count_of(len(strays), 'word')} such as {word!r} among its numbers taken as missing; " for word in strays[:1]
    ]
    return _numeric(name, found, is_train, "".join(told))


def _numeric(name: str, values: NDArray[np.float64], is_train: NDArray[np.bool_], strays: str) -> Encoded:
    if np.isinf(values).any():
        first = int(np.flatnonzero(np.isinf(values))[0])
        raise UserError(
            f"column {name!r} has {int(np.isinf(values).sum())} infinite values, the first at index {first}. "
            f"Remove or replace them."
        )
    is_missing = np.isnan(values)
    if not is_missing.any():
        return Encoded(Column(name, "numeric", 1), _float32(values[:, None]))
    median = np.nanmedian(values[is_train])
    filled = _float32(np.stack([np.where(is_missing, median, values), is_missing], axis=1))
    note = f"{strays}{count_of(int(is_missing.sum()), 'missing value')} filled with {median:g}."
    return Encoded(Column(name, "numeric", 2), filled, f"Column {name!r}: {note}")


def _words(name: str, texts: pd.Series[Any], is_train: NDArray[np.bool_], *, is_alone: bool) -> Encoded | str:
    counts = texts[is_train].value_counts()
    is_text = len(counts) > max(MANY, is_train.sum() / 2) or texts.str.count(r"\s+").mean() >= TEXT_WORDS - 1
    if is_text and is_alone:
        return _text(name, texts)
    if is_text:
        return (
            f"{len(counts):,} different texts in {len(texts):,} lines, and a text is read only if it is the only column"
        )
    kept = {text: place for place, text in enumerate(counts.index[:MANY])}  # the most frequent first
    missing = int(texts.isna().sum())
    codes = np.array([kept.get(text, len(kept)) for text in texts.fillna("")])
    inputs = np.eye(len(kept) + 1, dtype=np.float32)[codes]
    rare = len(counts) - len(kept)
    notes = [f"{count_of(missing, 'missing word')} became a word of their own"] * bool(missing)
    notes += [f"its {count_of(rare, 'rarest word')} became one"] * bool(rare)
    note = f"Column {name!r}: {'; '.join(notes)}." if notes else ""
    return Encoded(Column(name, "categorical", len(kept) + 1), inputs, note)


def _text(name: str, texts: pd.Series[Any]) -> Encoded:
    """The column as UTF-8 bytes, with zeros after the end of each text; zero bytes inside a text are removed."""
    encoded_texts = [text.replace("\0", "").encode() for text in texts.fillna("")]
    lengths = np.array([len(text) for text in encoded_texts])
    length = int(min(MOST_BYTES, max(1, np.ceil(np.quantile(lengths, TEXT_SHARE)))))
    values = np.zeros((len(encoded_texts), length), np.uint8)
    for row, text in zip(values, encoded_texts, strict=True):
        cut = text[:length]
        row[: len(cut)] = np.frombuffer(cut, np.uint8)
    longer = int((lengths > length).sum())
    note = f"Column {name!r}: {count_of(longer, 'text')} longer than {length} bytes cut." if longer else ""
    return Encoded(Column(name, "text", length), values, note)


def _float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The values as float32; what is too large becomes infinite, and is reported as such."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
