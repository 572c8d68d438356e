"""The columns of a table as inputs: numbers, words, or the bytes of one text; and those of a new table, as before."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.budget import require_memory
from superconv_tune.data.labels import MANY
from superconv_tune.data.numbers import is_missing, marked_numbers, numbers
from superconv_tune.data.reading import Column
from superconv_tune.data.recognise import IMAGE_SUFFIXES
from superconv_tune.data.words import count_of

# Names of columns that number the lines: index, customer_id, PassengerId, row number; "Unnamed: 0" of a saved index.
COUNTER = re.compile(r"(?i:index|unnamed: .*|(.*[\W_])?(id|row[\W_]*(id|index|number)))|.*[a-z0-9]I[dD]")
COUNTED = "it counts the lines one by one"  # a column of any name
ISO_DATE = r"\d{4}-\d{2}-\d{2}.*"  # how a time in ISO 8601 begins
TEXT_WORDS = 3.0  # on average, from which a column counts as text
MOST_NAMES = 0.5  # of the texts that may be names of images
MOST_BYTES = 512  # that are kept of a text
TEXT_SHARE = 0.95  # of the texts that fit without being cut, up to that many bytes
COST = 2  # bytes of memory per byte of the inputs, which are divided into parts


@dataclass(frozen=True)
class Encoded:
    """A column, ready to become inputs.

    Attributes:
        column: its description.
        inputs: returns its inputs, [n, width]; uint8 for text, else float32.
        note: what was changed in it, as a sentence; empty for nothing.
    """

    column: Column
    inputs: Callable[[], NDArray[Any]]
    note: str = ""


def encoded(
    inputs: pd.DataFrame, is_train: NDArray[np.bool_], decimal: str, where: str
) -> tuple[list[Encoded], list[str]]:
    """Every column, ready to become inputs, and sentences on what was left out.

    Args:
        inputs: the columns; the index is the place of each line in its file.
        is_train: for each line, whether it belongs to the training part.
        decimal: decimal mark of numbers that were read as text.
        where: format and path, for messages.

    Raises:
        UserError: if a column cannot be used, or none can.
    """
    found, left_out, faults = [], [], list[str]()
    idle = _idle_columns(inputs, is_train)
    is_alone = inputs.shape[1] - len(idle) == 1
    for name in inputs.columns:
        try:
            each = idle.get(name) or _column(inputs[name], is_train, decimal, is_alone=is_alone)
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


def joined(columns: Sequence[Encoded], lines: int, where: str) -> NDArray[Any]:
    """The inputs of all columns side by side, [lines, inputs].

    Raises:
        UserError: if they would not fit into memory.
    """
    width = sum(each.column.width for each in columns)
    kind = np.dtype(np.uint8 if columns[0].column.kind == "text" else np.float32)  # a text is the only column
    require_memory(COST * lines * width * kind.itemsize, f"{where}, of which every line becomes {width:,} inputs,")
    inputs, start = np.empty((lines, width), kind), 0
    for each in columns:
        inputs[:, start : start + each.column.width] = each.inputs()
        start += each.column.width
    return inputs


def described(columns: Sequence[Encoded]) -> str:
    """How many columns of which kind there are, and how many inputs they became."""
    kinds = [each.column.kind for each in columns]
    counts = ", ".join(f"{kinds.count(each)} {each}" for each in dict.fromkeys(kinds))
    return f"{counts}; {sum(each.column.width for each in columns)} inputs"


def encoded_again(values: pd.Series[Any], column: Column) -> NDArray[Any]:
    """A column of another table as the inputs of this one, [n, width]: uint8 for text, else float32.

    A missing number becomes the median of the training part, also where training knew of none; a word that training
    did not know shares the input of the rare and missing ones, or has none where training knew of none.

    Raises:
        UserError: if it holds lists, infinite numbers, or no number or time where these belong.
    """
    _refuse_lists(values)
    if column.kind == "numeric":
        found = _numbers_again(values, column)
        _refuse_infinite(found, column.name)
        return _filled(found, column)
    texts = _as_words(values)
    return _one_hot(_codes(texts, column), column) if column.kind == "categorical" else _bytes(texts, column)


def _idle_columns(inputs: pd.DataFrame, is_train: NDArray[np.bool_]) -> dict[str, str]:
    """The columns that can tell nothing of a new line, each with the reason.

    One that only counts the lines is kept if there is no other: it may be a time.
    """
    reasons = {name: _idle(inputs[name][is_train]) for name in inputs.columns}
    kept = ("",) if "" in reasons.values() else (COUNTED,)
    return {name: reason for name, reason in reasons.items() if reason not in kept}


def _idle(train: pd.Series[Any]) -> str:
    """Why a column can tell nothing; empty if it can. The number of a line tells its class if the file is sorted."""
    if all(isinstance(value, str) and not value.strip() for value in train.dropna()):
        return "it is empty"
    found = _whole_numbers(train)
    if found is None:
        return ""
    if COUNTER.fullmatch(str(train.name)) and train.is_unique:
        return "it numbers the lines"
    return COUNTED if np.ptp(found - train.index.to_numpy()) == 0 else ""


def _whole_numbers(values: pd.Series[Any]) -> NDArray[np.float64] | None:
    """The numbers of a column in which every line has a whole one; None for any other."""
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return None
    found: NDArray[np.float64] = values.to_numpy(np.float64, na_value=np.nan)
    return found if (np.isfinite(found) & (found == np.floor(found))).all() else None


def _column(values: pd.Series[Any], is_train: NDArray[np.bool_], decimal: str, *, is_alone: bool) -> Encoded | str:
    """One column as inputs, or why it is left out."""
    name = str(values.name)
    _refuse_lists(values)
    times = _times(values)
    if times is not None and times[is_train].notna().any():
        first, as_text = times.min(), pd.api.types.is_string_dtype(values)
        known = Column(name, "numeric", 1, mark=decimal, origin=first.isoformat(), as_text=as_text)
        return _numeric(known, _days(times, first), is_train, "")
    if pd.api.types.is_numeric_dtype(values):
        known = Column(name, "numeric", 1, mark=decimal)
        return _numeric(known, values.to_numpy(np.float64, na_value=np.nan), is_train, "")
    texts = _stripped(values)
    found = marked_numbers(texts, decimal)
    if found is None or np.isnan(found[0][is_train]).all():
        return _words(name, texts, is_train, is_alone=is_alone)
    numbered, mark = found
    strays = texts[np.isnan(numbered)].dropna()
    told = [
        f"{count_of(len(strays), 'word')} such as {word!r} among its numbers taken as missing; " for word in strays[:1]
    ]
    known = Column(name, "numeric", 1, mark=mark, words=tuple(strays.unique()[:MANY]))
    return _numeric(known, numbered, is_train, "".join(told))


def _refuse_lists(values: pd.Series[Any]) -> None:
    if values.dtype == object and values.map(lambda value: isinstance(value, list | dict | np.ndarray)).any():
        raise UserError(
            f"column {values.name!r} holds lists, but a field is a number or a word. Leave it out: args.ignore."
        )


def _refuse_infinite(values: NDArray[np.float64], name: str) -> None:
    if np.isinf(values).any():
        first = int(np.flatnonzero(np.isinf(values))[0])
        raise UserError(
            f"column {name!r} has {int(np.isinf(values).sum())} infinite values, the first at index {first}. "
            f"Remove or replace them."
        )


def _times(values: pd.Series[Any]) -> pd.Series[Any] | None:
    """A column of times, or of texts that are all times in ISO 8601, in UTC; None for any other."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return _in_utc(values)
    if pd.api.types.is_numeric_dtype(values):
        return None
    texts = _given(values)
    given = texts.dropna()
    if given.empty or not given.str.fullmatch(ISO_DATE).all():
        return None
    times = _in_utc(texts)
    return times if times.notna().sum() == len(given) else None


def _given(values: pd.Series[Any]) -> pd.Series[Any]:
    """The column as text, without words such as NA."""
    texts = _stripped(values)
    return texts.mask(is_missing(texts))


def _in_utc(values: pd.Series[Any]) -> pd.Series[Any]:
    """Times with a zone or without, which counts as UTC; missing for what is no time in ISO 8601."""
    return pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")


def _days_again(values: pd.Series[Any], column: Column) -> NDArray[np.float64]:
    given = values if pd.api.types.is_datetime64_any_dtype(values) else _given(values)
    times = _in_utc(given)
    if given.notna().any() and times.isna().all():
        raise UserError(
            f"column {column.name!r} holds times, but none of these is one in ISO 8601: {given.dropna().iloc[0]!r}. "
            f"Write them as {column.origin[:10]}."
        )
    return _days(times, pd.to_datetime(column.origin, utc=True))


def _days(times: pd.Series[Any], origin: pd.Timestamp) -> NDArray[np.float64]:
    days: NDArray[np.float64] = ((times - origin) / pd.Timedelta(days=1)).to_numpy(np.float64, na_value=np.nan)
    return days


def _stripped(values: pd.Series[Any]) -> pd.Series[Any]:
    """The column as text without blanks around it; nothing where that leaves nothing."""
    texts = values.astype("string").str.strip()
    return texts.mask(texts.eq("").fillna(value=False))


def _as_words(values: pd.Series[Any]) -> pd.Series[Any]:
    """A column of words, also where all words of this table happen to be whole numbers."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return _stripped(values)


def _numbers_again(values: pd.Series[Any], column: Column) -> NDArray[np.float64]:
    if column.origin:
        return _days_again(values, column)
    if pd.api.types.is_numeric_dtype(values):
        typed: NDArray[np.float64] = values.to_numpy(np.float64, na_value=np.nan)
        return typed
    texts = _stripped(values).replace({"True": "1", "False": "0"})  # a missing one makes text of them
    found = numbers(texts, column.mark, share=0.0)
    assert found is not None
    strange = texts[~is_missing(texts) & ~texts.isin(column.words).to_numpy(bool)]
    if len(strange) and np.isnan(found).all():
        raise UserError(
            f"column {column.name!r} holds numbers, but none of these is one: {strange.iloc[0]!r}. Write them as "
            f"{column.fill:g}, and leave a field empty whose number is missing."
        )
    return found


def _numeric(known: Column, values: NDArray[np.float64], is_train: NDArray[np.bool_], strays: str) -> Encoded:
    _refuse_infinite(values, known.name)
    is_missing = np.isnan(values)
    fill = float(_float32(np.asarray(np.nanmedian(values[is_train]))))
    # A mark that is never set in training would weigh what it weighed at random in the beginning.
    column = replace(known, width=2 if is_missing[is_train].any() else 1, fill=fill)
    inputs = partial(_filled, _float32(values), column)
    if not is_missing.any():
        return Encoded(column, inputs)
    note = f"{strays}{count_of(int(is_missing.sum()), 'missing value')} filled with {column.fill:g}."
    return Encoded(column, inputs, f"Column {column.name!r}: {note}")


def _filled(values: NDArray[Any], column: Column) -> NDArray[np.float32]:
    """Numbers [n], or with a mark for missing ones [n, 2]."""
    is_missing = np.isnan(values)
    filled = np.where(is_missing, column.fill, values)
    return _float32(np.stack([filled, is_missing], axis=1)[:, : column.width])


def _refuse_names_of_images(name: str, texts: pd.Series[Any]) -> None:
    """Refuse to learn from the letters of file names."""
    if texts.str.lower().str.endswith(IMAGE_SUFFIXES).mean() > MOST_NAMES:
        raise UserError(
            f"column {name!r} holds names of images, which this format does not open. Put the images into folders, one "
            f"for each class, and name the folder above them; or write a function that reads them: "
            f"`task: {{factory: my_problem.py:task}}`."
        )


def _words(name: str, texts: pd.Series[Any], is_train: NDArray[np.bool_], *, is_alone: bool) -> Encoded | str:
    if is_alone:
        _refuse_names_of_images(name, texts)
    counts, half = texts[is_train].value_counts(), is_train.sum() / 2
    is_various = len(counts) > max(MANY, half)
    is_prose = texts.str.count(r"\s+").mean() >= TEXT_WORDS - 1
    if is_alone and (is_various or is_prose):
        return _text(name, texts)
    # A few long answers, each given by many, are words of a form.
    if is_various or (is_prose and len(counts) > min(MANY, half)):
        return (
            f"{len(counts):,} different texts in {len(texts):,} lines, and a text is read only if it is the only column"
        )
    kept = tuple(map(str, counts.index[:MANY]))  # the most frequent first
    missing, rare = int(texts.isna().sum()), len(counts) - len(kept)
    # An input that is never set in training would weigh what it weighed at random in the beginning.
    has_others = bool(rare) or bool(texts[is_train].isna().any())
    column = Column(name, "categorical", len(kept) + has_others, words=kept)
    fate = "became a word of their own" if has_others else "have no input, since none is missing in the training part"
    notes = [f"{count_of(missing, 'missing word')} {fate}"] * bool(missing)
    notes += [f"its {count_of(rare, 'rarest word')} became one"] * bool(rare)
    inputs = partial(_one_hot, _codes(texts, column), column)
    return Encoded(column, inputs, f"Column {name!r}: {'; '.join(notes)}." if notes else "")


def _codes(texts: pd.Series[Any], column: Column) -> NDArray[np.int8]:
    """The place of every word among those of the column; -1 for any other, and for a missing one."""
    codes: NDArray[np.int8] = pd.Index(column.words, dtype=texts.dtype).get_indexer(texts).astype(np.int8)
    return codes


def _one_hot(codes: NDArray[np.int8], column: Column) -> NDArray[np.float32]:
    """An input per word; -1 is the last row, which sets the input of all other words, or none if there is no such."""
    return np.eye(len(column.words) + 1, column.width, dtype=np.float32)[codes]


def _text(name: str, texts: pd.Series[Any]) -> Encoded:
    """The column as bytes, of which nearly all texts have no more."""
    lengths = np.array([len(text) for text in _utf8(texts)])
    length = int(min(MOST_BYTES, max(1, np.ceil(np.quantile(lengths, TEXT_SHARE)))))
    longer = int((lengths > length).sum())
    note = f"Column {name!r}: {count_of(longer, 'text')} longer than {length} bytes cut." if longer else ""
    column = Column(name, "text", length)
    return Encoded(column, partial(_bytes, texts, column), note)


def _bytes(texts: pd.Series[Any], column: Column) -> NDArray[np.uint8]:
    """UTF-8 bytes, with zeros after the end of each text."""
    values = np.zeros((len(texts), column.width), np.uint8)
    for row, text in zip(values, _utf8(texts), strict=True):
        cut = text[: column.width]
        row[: len(cut)] = np.frombuffer(cut, np.uint8)
    return values


def _utf8(texts: pd.Series[Any]) -> list[bytes]:
    """The texts as bytes; zero bytes inside a text are removed."""
    return [text.replace("\0", "").encode() for text in texts.fillna("")]


def _float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The values as float32; what is too large becomes infinite, and is reported as such."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
