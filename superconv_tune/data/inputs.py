"""Reads new items as the data of a training were read, for whoever predicts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.arrays import array_in, channels_first
from superconv_tune.data.class_folders import files_below, printable
from superconv_tune.data.columns import encoded_again
from superconv_tune.data.decode import each, pixels, progress, threads
from superconv_tune.data.jsonl import read_rows
from superconv_tune.data.reading import ArrayReading, Column, ImageReading, Reading, TableReading
from superconv_tune.data.table import read_frame, without_words
from superconv_tune.data.words import SHOWN_FILES, some

PLACES = (str, Path)


@dataclass(frozen=True)
class Inputs:
    """Items to predict, as the model takes them.

    Attributes:
        values: [n, ...], in the shape and the number format that the model was trained on, before normalisation.
        items: name of every item: its file, or its number.
        left_out: files of a folder that are no images that can be read, each with the reason.
    """

    values: NDArray[Any]
    items: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


def inputs_of(given: Any, reading: Reading, shape: tuple[int, ...], kind: np.dtype[Any]) -> Inputs:
    """New items as inputs.

    Args:
        given: a path, for images also several paths, a DataFrame, or an array or tensor of items.
        reading: how the data were read that the model was trained on.
        shape: of one input of the model.
        kind: number format of its inputs.

    Raises:
        UserError: if the items cannot be read, or are not like those that the model was trained on.
    """
    if hasattr(given, "detach"):  # a tensor, on whatever device
        given = given.detach().cpu().numpy()
    if isinstance(reading, TableReading) and isinstance(given, (*PLACES, pd.DataFrame)):
        return _of_table(given, reading)
    if isinstance(reading, ImageReading) and _are_places(given):
        return _of_files(given, reading)
    if isinstance(given, PLACES):
        given = array_in(Path(given))
    array = _placed(np.asarray(given), reading, shape)
    return Inputs(_typed(array, kind), _numbered(len(array)))


def typical(reading: Reading, shape: tuple[int, ...], kind: np.dtype[Any]) -> Any:
    """One item as it may be given: a line of the median numbers and the most frequent words, or an array of zeros."""
    if not isinstance(reading, TableReading):
        return np.zeros((1, *shape), kind)
    return pd.DataFrame({column.name: [_typical(column)] for column in reading.columns})


def _typical(column: Column) -> Any:
    if column.kind != "numeric":
        return column.words[0] if column.words else ""
    if not column.origin:
        return column.fill
    return column.origin if column.as_text else pd.to_datetime(column.origin, utc=True).tz_localize(None)


def _are_places(given: Any) -> bool:
    if isinstance(given, PLACES):
        return not str(given).endswith((".npy", ".npz"))
    return isinstance(given, Sequence) and all(isinstance(each, PLACES) for each in given)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def _of_table(given: str | Path | pd.DataFrame, reading: TableReading) -> Inputs:
    frame = given if isinstance(given, pd.DataFrame) else _table_in(Path(given), reading)
    frame = frame.set_axis(list(map(str, frame.columns)), axis=1)
    missing = [column.name for column in reading.columns if column.name not in frame]
    if missing:
        raise UserError(
            f"predict: the table has no column {some(missing)}, which the model was trained on. It has: "
            f"{some(list(frame.columns))}."
        )
    if reading.missing:
        frame = frame.apply(without_words, words=set(reading.missing))
    found, faults = list[NDArray[Any]](), list[str]()
    for column in reading.columns:
        try:
            found.append(encoded_again(frame[column.name], column))
        except UserError as error:
            faults += [f"predict: {message}" for message in error.messages]
    raise_any(faults)
    return Inputs(np.concatenate(found, axis=1), tuple(map(str, frame.index)))


def _table_in(path: Path, reading: TableReading) -> pd.DataFrame:
    """The table in a file, which is written as the one that was trained on, but may lack the label column."""
    if not path.is_file():
        raise UserError(f"predict: there is no file {path}. Give a table: csv, tsv, parquet or jsonl.")
    if path.name.lower().endswith((".jsonl", ".jsonl.gz")):
        return read_rows(path)
    chosen = {"decimal": "auto", "header": "auto", "separator": "", "encoding": "", **reading.options}
    frame = _read(path, {**chosen, "label": reading.label}, may_be_one=len(reading.columns) == 1)
    inputs = [name for name in reading.names if name != reading.label]
    if chosen["header"] is False and frame.shape[1] == len(inputs):  # c0, c1, … count the label column too
        return frame.set_axis(inputs, axis=1)
    return frame


def _read(path: Path, chosen: Mapping[str, Any], *, may_be_one: bool) -> pd.DataFrame:
    """The table; one column alone, which has no separator, is refused unless it may be all."""
    try:
        return read_frame(path, dict(chosen), f"table {path}", is_first=False)[0]
    except UserError:
        if not may_be_one or chosen["separator"]:
            raise
        return read_frame(path, {**chosen, "separator": ","}, f"table {path}", is_first=False)[0]


def _of_files(given: str | Path | Sequence[str | Path], reading: ImageReading) -> Inputs:
    """Images in files; in a folder, files that are no images are left out, but a file that was named must be one."""
    if isinstance(given, PLACES) and Path(given).is_dir():
        folder = Path(given)
        files, is_named = files_below(folder), False
        names = [printable(file.relative_to(folder)) for file in files]
    else:
        files = [Path(given)] if isinstance(given, PLACES) else [Path(place) for place in given]
        names, is_named = [printable(file) for file in files], True
        absent = [name for name, file in zip(names, files, strict=True) if not (file.exists() or file.is_symlink())]
        raise_any([f"predict: there is no file or folder {name}." for name in absent[:SHOWN_FILES]])
    decoded = _decoded(files, reading)
    reasons = {name: found for name, found in zip(names, decoded, strict=True) if isinstance(found, str)}
    if reasons and is_named:
        raise UserError([f"predict: {name} is {reason}." for name, reason in list(reasons.items())[:SHOWN_FILES]])
    kept = [(name, found) for name, found in zip(names, decoded, strict=True) if not isinstance(found, str)]
    if not kept:
        raise UserError(f"predict: {given} holds no image that can be read.")
    return Inputs(np.stack([found for _, found in kept]), tuple(name for name, _ in kept), reasons)


def _decoded(files: Sequence[Path], reading: ImageReading) -> list[NDArray[np.uint8] | str]:
    with threads(len(files)) as pool, progress(f"Decoding {len(files):,} images", len(files)) as done:
        return list(chain.from_iterable(each(pool, partial(_chunk, reading), files, done)))


def _chunk(reading: ImageReading, files: list[Path]) -> list[NDArray[np.uint8] | str]:
    return [pixels(file, reading) for file in files]


def _placed(array: NDArray[Any], reading: Reading, shape: tuple[int, ...]) -> NDArray[Any]:
    """The items in the model's shape; channels may be where they were in the data."""
    if array.shape[1:] == shape:
        return array
    moved = channels_first(array, reading.channels) if isinstance(reading, ArrayReading) and array.ndim > 1 else array
    if moved.shape[1:] == shape:
        return moved
    raise UserError(
        f"predict: an array of items has the shape {list(array.shape)}, but the model takes {['n', *shape]}. Give one "
        f"row per item."
    )


def _typed(array: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """The items in the model's number format.

    Raises:
        UserError: if they are not finite numbers, or do not fit into the format: 0.5 is no pixel of 0 to 255.
    """
    if array.dtype.kind not in "buif":
        raise UserError(f"predict: the items are {array.dtype}, but have to be numbers.")
    if not np.isfinite(array).all():
        raise UserError("predict: some of the items are NaN or infinite. Remove or replace them.")
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.ascontiguousarray(array, dtype=kind)
    if kind.kind in "ui" and not np.array_equal(found, array):
        limits = np.iinfo(kind)
        raise UserError(
            f"predict: the model was trained on whole numbers from {limits.min} to {limits.max}, such as pixels, but "
            f"the items hold others, from {array.min():g} to {array.max():g}. Give them as the training data were."
        )
    return found
