"""Tables: a line per example, a column that is the label, and numbers, words or one text in the others."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.budget import require_memory
from superconv_tune.data.columns import described, encoded, joined
from superconv_tune.data.delimited import read_delimited, refuse_twice
from superconv_tune.data.groups import Codes, of_column
from superconv_tune.data.labels import column_of, label_column, targets
from superconv_tune.data.options import Args, options
from superconv_tune.data.parts import Part, RawData
from superconv_tune.data.reading import TableReading
from superconv_tune.data.recognise import SPLIT_FOLDERS, TABLE_SUFFIXES, is_hidden
from superconv_tune.data.words import some

OPTIONS: dict[str, Any] = {
    "label": "",
    "kind": ("auto", "classification", "regression"),
    "ignore": [],
    "missing": [],
    "decimal": ("auto", ".", ","),
    "group": "",
}
TEXT_OPTIONS = {"header": ("auto", True, False), "separator": "", "encoding": ""}  # of csv and tsv only
SEPARATORS = {"tab": "\t", r"\t": "\t", "blank": " "}  # names of separators that are hard to write
# Bytes of memory per byte of a table in Arrow, which is copied for pandas; and of a number in one.
TABLE_COST, NUMBER_BYTES = 2, 8


def table(path: Path | None, args: Args) -> RawData:
    """A csv, tsv or parquet file; or a folder with ``train`` and ``test`` (and ``validation``) of these.

    ``label`` is the label column: its name, its number from 0, or ``last``; by default the one called label, target,
    class or y. ``kind``: ``classification`` or ``regression``; by default words, and whole numbers of up to 50
    different values, are classes and other targets are numbers. ``ignore`` lists columns to leave out, and ``missing``
    words that stand for a missing value. ``group``: the spec's ``split.group``, the column that names an example's
    group, which is no input.

    How a csv is written is found out: ``header`` (false: no line of names, columns c0, c1, …), ``separator``,
    ``decimal`` (mark) and ``encoding`` say it where that goes wrong.

    Numbers stay numbers; a missing one becomes the median, and a second input marks it. Each of the 50 most frequent
    words becomes an input, and all others and missing ones together become one, if the training part has any. Times,
    also those written as text in ISO 8601, become days since the first one. A text is read only if it is the only
    column that tells anything. Columns that number the lines are left out.
    """
    chosen = options("table", args, OPTIONS | TEXT_OPTIONS)
    chosen["separator"] = _separator(chosen["separator"])
    if path is None or not path.exists():
        raise UserError(f"data.path: no file {path}. The format table reads a csv, tsv or parquet file.")
    where, frames, notes = f"table {path}", dict[str, pd.DataFrame](), list[str]()
    files = _files(path)
    for part in sorted(files, key=lambda part: part != "train"):  # first the one whose spelling is that of the others
        frames[part], chosen, told = read_frame(files[part], chosen, where, is_first=not frames)
        notes += told
    return from_frames(frames, chosen, where, notes)


def from_frames(
    frames: Mapping[str, pd.DataFrame], chosen: Mapping[str, Any], where: str, notes: Sequence[str] = ()
) -> RawData:
    """A data set of tables.

    Args:
        frames: tables by part: ``train`` and perhaps ``validation`` and ``test``.
        chosen: the options of `table`.
        where: format and path, for messages.
        notes: how the tables were read, in sentences.

    Raises:
        UserError: if there is no label column, or a column cannot be used; all faults at once.
    """
    frames = {part: frame.set_axis(list(map(str, frame.columns)), axis=1) for part, frame in frames.items()}
    _refuse_other_columns(frames, where)
    names = list(frames["train"].columns)
    label = label_column(frames["train"], chosen["label"], where)
    ignored = _ignored(names, chosen["ignore"], where)
    group = _group_column(names, chosen["group"], label, where)
    decimal = "." if chosen["decimal"] == "auto" else chosen["decimal"]
    whole = pd.concat(frames.values(), ignore_index=True)
    whole = whole.apply(without_words, words=set(chosen["missing"])) if chosen["missing"] else whole
    part_of = np.repeat(list(frames), [len(frame) for frame in frames.values()])
    found = targets(whole[label], part_of == "train", {**chosen, "decimal": decimal}, where)
    bare = [part for part in frames if part != "train" and _is_bare(found.is_labelled[part_of == part])]
    whole, part_of = whole[found.is_labelled], part_of[found.is_labelled]
    inputs = [name for name in names if name not in (label, group, *ignored)]
    columns, left_out = encoded(whole[inputs], part_of == "train", decimal, where)
    values = joined(columns, len(whole), where)
    kept = [part for part in frames if part not in bare]
    parts = {part: Part(values[part_of == part], found.values[part_of == part]) for part in kept}
    classes = found.classes if found.kind == "classification" else None
    what = f"{len(classes)} classes" if classes is not None else "numbers to predict"
    note = f"{where}: {len(whole):,} lines, label column {label!r} ({what}), columns: {described(columns)}."
    raw = RawData(
        train=parts["train"],
        test=parts.get("test"),
        kind=found.kind,
        classes=len(classes) if classes is not None else None,
        class_names=classes,
        validation=parts.get("validation"),
        reading=TableReading(
            columns=tuple(each.column for each in columns),
            names=tuple(names),
            label=label,
            missing=tuple(chosen["missing"]),
            options={name: chosen[name] for name in ("decimal", *TEXT_OPTIONS) if name in chosen},
        ),
        notes=(note, *notes),
        warnings=(*found.warnings, *map(_told_bare, bare), *left_out, *(each.note for each in columns if each.note)),
    )
    return raw.grouped(_groups(whole[group], part_of, parts)) if group is not None else raw


def _is_bare(is_labelled: NDArray[np.bool_]) -> bool:
    """Whether a part has lines, but no label."""
    return bool(len(is_labelled)) and not is_labelled.any()


def _told_bare(part: str) -> str:
    return f"The {part} part left out: none of its lines has a label. Another one is split off."


def _group_column(names: Sequence[str], asked: str, label: str, where: str) -> str | None:
    """The column that names the groups; None if none is asked for."""
    if not asked:
        return None
    found = column_of(names, asked)
    if found is None or found == label:
        fault = "no column" if found is None else "as its label the column"
        raise UserError(f"split.group: {where} has {fault} {asked!r}. Name one of: {some(names)}.")
    return found


def _groups(column: pd.Series[Any], part_of: NDArray[np.str_], parts: Iterable[str]) -> dict[str, Codes]:
    texts = column.astype("string").str.strip()
    is_missing = (texts.isna() | texts.eq("").fillna(value=False)).to_numpy(bool)
    return of_column(str(column.name), {part: texts[part_of == part].tolist() for part in parts}, is_missing)


def _files(path: Path) -> dict[str, Path]:
    """The tables of a path, by part."""
    if path.is_file():
        return {"train": path}
    entries = [entry for entry in sorted(path.iterdir()) if not is_hidden(entry.name)]
    found = [entry for entry in entries if entry.name.lower().endswith(TABLE_SUFFIXES)]
    if len(found) == 1:
        return {"train": found[0]}
    parts = {SPLIT_FOLDERS.get(file.name.lower().partition(".")[0], ""): file for file in found}
    if "train" not in parts or "" in parts or len(parts) < len(found):
        raise UserError(
            f"data.path: {path} has {some([file.name for file in found]) or 'no table'}. Name one file, or a folder "
            f"with train.csv, test.csv and perhaps validation.csv (or .parquet)."
        )
    return parts


def read_frame(
    file: Path, chosen: dict[str, Any], where: str, *, is_first: bool
) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """One file; the options with what was found for them; and sentences on how it was read.

    Raises:
        UserError: if it cannot be read, or two columns have one name.
    """
    try:
        if file.name.lower().endswith((".parquet", ".pq")):
            return _parquet(file), chosen, []
        return read_delimited(file, chosen, where, is_first=is_first)
    except (OSError, ValueError, EOFError, zlib.error, csv.Error, pa.ArrowException) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UserError(f"data.path: {file} is not a readable table: {reason}. Is it another format?") from error


def _parquet(file: Path) -> pd.DataFrame:
    facts = pq.read_metadata(file)
    unpacked_size = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
    # A column of one value takes next to nothing in the file, and as much as any other in memory.
    require_memory(TABLE_COST * max(unpacked_size, facts.num_rows * facts.num_columns * NUMBER_BYTES), str(file))
    found = pq.read_table(file)
    refuse_twice(found.column_names, file)
    frame = found.to_pandas()
    return frame.reset_index(drop=frame.index.names == [None])  # an index with a name is a column


def _separator(asked: str) -> str:
    """The character that the user means; empty if it is to be found."""
    separator = SEPARATORS.get(asked, asked)
    if len(separator) > 1:
        raise UserError(
            f"data.args: separator of table is one character, {' or '.join(SEPARATORS)}, but got {asked!r}."
        )
    return separator


def _refuse_other_columns(frames: Mapping[str, pd.DataFrame], where: str) -> None:
    names = set(frames["train"].columns)
    faults = [
        f"data: the {part} part of {where} does not have the columns of the training part: "
        f"{some(sorted(map(str, names ^ set(frame.columns))))} is in one of them only. Name one file alone to have it "
        f"split."
        for part, frame in frames.items()
        if set(frame.columns) != names
    ]
    raise_any(faults)


def _ignored(names: Sequence[str], asked: Sequence[str], where: str) -> list[str]:
    """The columns to leave out, which are named like the label."""
    found = {each: column_of(names, each) for each in asked}
    strange = [each for each, name in found.items() if name is None]
    if strange:
        raise UserError(f"data.args: ignore names {some(strange)}, but {where} has: {some(names)}.")
    return [name for name in found.values() if name is not None]


def without_words(values: pd.Series[Any], words: set[str]) -> pd.Series[Any]:
    """The column, with some words or numbers as missing values."""
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_bool_dtype(values):
        return values
    if pd.api.types.is_numeric_dtype(values):
        return values.mask(values.isin(pd.to_numeric(pd.Series(sorted(words)), errors="coerce").dropna()))
    return values.mask(values.astype("string").str.strip().isin(words))
