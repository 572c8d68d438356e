"""Tables: a line per example, a column that is the label, and numbers, words or one text in the others."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.options import Args, options
from superconv_tune.data.parts import Column, Kind, Part, RawData
from superconv_tune.data.recognise import SPLIT_FOLDERS, TABLE_SUFFIXES

OPTIONS: dict[str, Any] = {"label": "", "kind": ("auto", "classification", "regression"), "ignore": []}
LABELS = ("label", "target", "class", "y")  # usual names of the label column
COUNTERS = ("id", "index", "unnamed: 0")  # columns that number the lines
SEPARATORS = ",;\t|"
MANY = 50  # most words of a column that become inputs of their own, and most whole numbers that are classes
NUMERIC_SHARE = 0.9  # of the words of a column that have to be numbers for the others to count as missing
TEXT_WORDS = 3.0  # on average, from which a column counts as text
MOST_BYTES = 512  # that are kept of a text
TEXT_SHARE = 0.95  # of the texts that fit without being cut, up to that many bytes
SHOWN = 8  # names in a message


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


def table(path: Path | None, args: Args) -> RawData:
    """A csv, tsv or parquet file; or a folder with ``train`` and ``test`` (and ``validation``) of these.

    ``label`` names the label column; by default the one called label, target, class or y. ``kind``:
    ``classification`` or ``regression``; by default words, and whole numbers of up to 50 different values, are classes
    and other targets are numbers. ``ignore`` lists columns to leave out.

    Numbers stay numbers; a missing one becomes the median, and a second input marks it. Each of the 50 most frequent
    words becomes an input, and all others together become one. A text is read only if it is the only column.
    """
    chosen = options("table", args, OPTIONS)
    if path is None or not path.exists():
        raise UserError(f"data.path: no file {path}. The format table reads a csv, tsv or parquet file.")
    frames = {part: _frame(file) for part, file in _files(path).items()}
    return from_frames(frames, chosen, f"table {path}")


def from_frames(frames: Mapping[str, pd.DataFrame], chosen: Mapping[str, Any], where: str) -> RawData:
    """A data set of tables.

    Args:
        frames: tables by part: ``train`` and perhaps ``validation`` and ``test``.
        chosen: the options of `table`.
        where: format and path, for messages.

    Raises:
        UserError: if there is no label column, or a column cannot be used; all faults at once.
    """
    _refuse_other_columns(frames, where)
    names = list(frames["train"].columns)
    label = _label(names, chosen["label"], where)
    strange = [name for name in chosen["ignore"] if name not in names]
    if strange:
        raise UserError(f"data.args: ignore names {_some(strange)}, but {where} has: {_some(names)}.")
    whole = pd.concat(frames.values(), ignore_index=True)
    part_of = np.repeat(list(frames), [len(frame) for frame in frames.values()])
    is_labelled = whole[label].notna().to_numpy()
    unlabelled = int((~is_labelled).sum())
    if not is_labelled.any():
        raise UserError(f"data: the label column {label!r} of {where} is empty.")
    whole, part_of = whole[is_labelled].reset_index(drop=True), part_of[is_labelled]
    is_train = part_of == "train"
    targets, kind, classes = _targets(whole[label], is_train, chosen["kind"], where)
    inputs = [name for name in names if name != label and name not in chosen["ignore"]]
    encoded, left_out = _encoded(whole[inputs], is_train, where)
    values = np.concatenate([each.values for each in encoded], axis=1)
    parts = {part: Part(values[part_of == part], targets[part_of == part]) for part in frames}
    warnings = [f"{_count(unlabelled, 'line')} without a label left out."] if unlabelled else []
    return RawData(
        train=parts["train"],
        test=parts.get("test"),
        kind=kind,
        classes=len(classes) if kind == "classification" else None,
        class_names=classes if kind == "classification" else None,
        validation=parts.get("validation"),
        columns=tuple(each.column for each in encoded),
        notes=(_note(where, label, kind, len(classes), whole, encoded),),
        warnings=(*warnings, *left_out, *(each.note for each in encoded if each.note)),
    )


def _files(path: Path) -> dict[str, Path]:
    """The tables of a path, by part."""
    if path.is_file():
        return {"train": path}
    found = [file for file in sorted(path.iterdir()) if file.name.lower().endswith(TABLE_SUFFIXES)]
    if len(found) == 1:
        return {"train": found[0]}
    parts = {SPLIT_FOLDERS.get(file.name.lower().partition(".")[0], ""): file for file in found}
    if "train" not in parts or "" in parts or len(parts) < len(found):
        raise UserError(
            f"data.path: {path} has {_some([file.name for file in found]) or 'no table'}. Name one file, or a folder "
            f"with train.csv, test.csv and perhaps validation.csv (or .parquet)."
        )
    return parts


def _frame(file: Path) -> pd.DataFrame:
    """One file.

    Raises:
        UserError: if it cannot be read, or two columns have one name.
    """
    try:
        frame = _parquet(file) if file.name.lower().endswith((".parquet", ".pq")) else _csv(file)
    except (OSError, ValueError, EOFError, zlib.error, csv.Error, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"data.path: {file} is not a readable table: {reason}. Is it another format?") from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise UserError(
            f"data.path: the lines of {file} have more fields than its first line has names. Name them all."
        )
    return frame


def _csv(file: Path) -> pd.DataFrame:
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8-sig", newline="") as text:
        first = text.readline()
    headers = {separator: next(csv.reader([first], delimiter=separator), []) for separator in SEPARATORS}
    separator = max(SEPARATORS, key=lambda each: len(headers[each]))
    _refuse_twice([name.strip() for name in headers[separator]], file)
    if len(headers[separator]) == 1:
        raise UserError(
            f"data.path: {file} has one column only: {first.strip()[:80]!r}. Columns are separated by a comma, a "
            f"semicolon, a tab or |; and a label needs a column beside it."
        )
    return pd.read_csv(file, sep=separator, encoding="utf-8-sig", low_memory=False, skipinitialspace=True)


def _parquet(file: Path) -> pd.DataFrame:
    found = pq.read_table(file)
    _refuse_twice(found.column_names, file)
    return found.to_pandas().reset_index(drop=True)


def _refuse_twice(names: Sequence[str], file: Path) -> None:
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise UserError(f"data.path: {file} has more than one column called {_some(twice)}. Give each its own name.")


def _refuse_other_columns(frames: Mapping[str, pd.DataFrame], where: str) -> None:
    names = set(frames["train"].columns)
    faults = [
        f"data: the {part} part of {where} does not have the columns of the training part: "
        f"{_some(sorted(map(str, names ^ set(frame.columns))))} is in one of them only."
        for part, frame in frames.items()
        if set(frame.columns) != names
    ]
    raise_any(faults)


def _label(names: Sequence[str], asked: str, where: str) -> str:
    """The label column: the requested one, or the one with a usual name."""
    if asked in names:
        return asked
    usual = [name for name in names if str(name).strip().lower() in LABELS]
    if not asked and len(usual) == 1:
        return usual[0]
    found = f"no column {asked!r}" if asked else f"{len(usual) or 'no'} columns called {', '.join(LABELS[:-1])} or y"
    numbers = " Does the file lack a header line?" if all(_is_number(name) for name in names) else ""
    raise UserError(
        f"data.args: {where} has {found}; it has: {_some(names)}.{numbers} Name the label column: "
        f"`data: {{format: table, path: …, args: {{label: …}}}}`."
    )


def _targets(
    labels: pd.Series[Any], is_train: NDArray[np.bool_], kind: str, where: str
) -> tuple[NDArray[Any], Kind, tuple[str, ...]]:
    """The targets, whether they are classes or numbers, and the names of the classes."""
    numbers = pd.to_numeric(labels, errors="coerce") if not _is_bool(labels) else labels
    is_numeric = bool(numbers.notna().all()) and not _is_bool(labels)
    if kind == "auto":
        whole = is_numeric and np.array_equal(numbers, np.floor(numbers)) and numbers.nunique() <= MANY
        kind = "classification" if whole or not is_numeric else "regression"
    if kind == "regression":
        if not is_numeric:
            words = _some(sorted(map(str, labels[numbers.isna()].unique())))
            raise UserError(f"data: some labels in {where} are not numbers: {words}. Is it a classification?")
        return _float32(numbers.to_numpy(np.float64)), "regression", ()
    texts = _class_names(numbers if is_numeric else labels)
    found = np.unique(texts[is_train])
    if is_numeric:
        found = np.array(sorted(found, key=float))
    strange = sorted(set(texts) - set(found))
    if strange:
        raise UserError(f"data: classes of {where} that the training part does not have: {_some(strange)}.")
    if len(found) > len(texts) / 2:
        raise UserError(
            f"data: the label column {labels.name!r} of {where} has {len(found):,} different values in {len(texts):,} "
            f"lines. Is it the label?"
        )
    place = {name: index for index, name in enumerate(found)}
    return np.array([place[text] for text in texts], np.int64), "classification", tuple(map(str, found))


def _class_names(labels: pd.Series[Any]) -> NDArray[Any]:
    """The name of the class of every label; 3.0 is the class 3."""
    return np.array([f"{value:g}" if isinstance(value, float) else str(value) for value in labels], dtype=object)


def _encoded(inputs: pd.DataFrame, is_train: NDArray[np.bool_], where: str) -> tuple[list[Encoded], list[str]]:
    """Every column as inputs, and sentences on what was left out.

    Raises:
        UserError: if a column cannot be used, or none can.
    """
    found, left_out, faults = [], [], list[str]()
    for name in inputs.columns:
        try:
            each = _column(inputs[name], is_train, is_alone=inputs.shape[1] == 1)
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


def _column(values: pd.Series[Any], is_train: NDArray[np.bool_], *, is_alone: bool) -> Encoded | str:
    """One column as inputs, or why it is left out."""
    name = str(values.name)
    if values.dtype == object and values.map(lambda value: isinstance(value, list | dict | np.ndarray)).any():
        raise UserError(f"column {name!r} holds lists, but a field is a number or a word. Leave it out: args.ignore.")
    if values[is_train].isna().all():
        return "it is empty"
    if pd.api.types.is_datetime64_any_dtype(values):
        days = (values - values.min()) / pd.Timedelta(days=1)
        return _numeric(name, days.to_numpy(np.float64), is_train, "")
    if pd.api.types.is_numeric_dtype(values):
        if name.strip().lower() in COUNTERS and values.is_unique and pd.api.types.is_integer_dtype(values):
            return "it numbers the lines"
        return _numeric(name, values.to_numpy(np.float64, na_value=np.nan), is_train, "")
    texts = values.astype("string")
    numbers = pd.to_numeric(texts, errors="coerce")
    strays = texts[numbers.isna() & texts.notna()]
    if len(strays) <= (1 - NUMERIC_SHARE) * texts.notna().sum():
        note = (
            f"{_count(len(strays), 'word')} such as {strays.iloc[0]!r} among its numbers taken as missing; "
            if len(strays)
            else ""
        )
        return _numeric(name, numbers.to_numpy(np.float64, na_value=np.nan), is_train, note)
    return _words(name, texts, is_train, is_alone=is_alone)


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
    note = f"{strays}{_count(int(is_missing.sum()), 'missing value')} filled with {median:g}."
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
    notes = [f"{_count(missing, 'missing word')} became a word of their own"] * bool(missing)
    notes += [f"its {_count(rare, 'rarest word')} became one"] * bool(rare)
    note = f"Column {name!r}: {'; '.join(notes)}." if notes else ""
    return Encoded(Column(name, "categorical", len(kept) + 1), inputs, note)


def _text(name: str, texts: pd.Series[Any]) -> Encoded:
    """The column as UTF-8 bytes, with zeros after the end of each text; zero bytes inside a text are removed."""
    encoded = [text.replace("\0", "").encode() for text in texts.fillna("")]
    lengths = np.array([len(text) for text in encoded])
    length = int(min(MOST_BYTES, max(1, np.ceil(np.quantile(lengths, TEXT_SHARE)))))
    values = np.zeros((len(encoded), length), np.uint8)
    for row, text in zip(values, encoded, strict=True):
        cut = text[:length]
        row[: len(cut)] = np.frombuffer(cut, np.uint8)
    longer = int((lengths > length).sum())
    note = f"Column {name!r}: {_count(longer, 'text')} longer than {length} bytes cut." if longer else ""
    return Encoded(Column(name, "text", length), values, note)


def _note(where: str, label: str, kind: Kind, classes: int, whole: pd.DataFrame, encoded: Sequence[Encoded]) -> str:
    kinds = [each.column.kind for each in encoded]
    counts = ", ".join(f"{kinds.count(each)} {each}" for each in dict.fromkeys(kinds))
    what = f"{classes} classes" if kind == "classification" else "numbers to predict"
    width = sum(each.column.width for each in encoded)
    return f"{where}: {len(whole):,} lines, label column {label!r} ({what}), columns: {counts}; {width} inputs."


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The values as float32; what is too large becomes infinite, and is reported as such."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _is_bool(values: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_bool_dtype(values))


def _is_number(name: object) -> bool:
    try:
        float(str(name))
    except ValueError:
        return False
    return True


def _some(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names[:SHOWN])) + (", …" if len(names) > SHOWN else "")
