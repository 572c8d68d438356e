"""Numpy files: an archive (npz), or a file per array (npy)."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError
from superconv_tune.data.budget import require_memory
from superconv_tune.data.idx import read as idx_array
from superconv_tune.data.options import Args, options
from superconv_tune.data.parts import Kind, RawData, classified, numeric
from superconv_tune.data.reading import ArrayReading, Channels
from superconv_tune.data.words import count_of, some

Read = TypeVar("Read")

LONG_NAMES = {
    "x": "x_train", "y": "y_train", "X": "x_train", "inputs": "x_train", "targets": "y_train",
    "x_val": "x_validation", "y_val": "y_validation", "x_valid": "x_validation", "y_valid": "y_validation",
}  # fmt: skip
COST = 2  # bytes of memory per byte of an array: as it was stored, and in the type that models take
INPUTS = ("x", "X", "inputs", "x_test")  # names of an array of items to predict
GUESSED = "The last axis of the inputs was taken as that of channels; `args: {channels: first}` says otherwise."
MOST_CHANNELS = 4  # of pictures: grey or colour, each perhaps with transparency
PARTS = {"train": "training", "validation": "validation", "test": "test"}  # and how messages call them
WANTED = tuple(f"{array}_{part}" for part in PARTS for array in "xy")
SHAPES = {"kind": ("auto", "classification", "regression"), "channels": ("auto", "first", "last", "none")}


def npz(path: Path | None, args: Args) -> RawData:
    """A numpy archive with ``x`` and ``y``, or with ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    ``x_val`` and ``y_val``, also called ``x_valid`` or ``x_validation``, are the validation part.

    ``kind``: ``classification`` or ``regression``; by default targets of a type of whole numbers, booleans or words are
    classes, and others are numbers, also 0.0 and 1.0.
    ``channels``: ``first`` (as in signals [n, c, length]), ``last`` or ``none``; by default inputs of three axes are
    images [n, h, w] without channels, and those of four are [n, c, h, w], or [n, h, w, c] where only the last axis is
    as short as colours are: up to 4.
    """
    chosen = options("npz", args, SHAPES)
    if path is None or not path.is_file():
        raise UserError(f"data.path: no file {path}. The format npz reads one .npz file.")
    return _raw(_readable(path, "npz", partial(_archive, path)), chosen, path)


def npy(path: Path | None, args: Args) -> RawData:
    """A folder with ``x.npy`` and ``y.npy``, or with ``x_train.npy`` and so on; the options are those of npz.

    A path to one of the files stands for its folder.
    """
    chosen = options("npy", args, SHAPES)
    folder = path.parent if path is not None and path.is_file() else path
    if folder is None or not folder.is_dir():
        raise UserError(f"data.path: no folder {path}. The format npy reads a folder with x.npy and y.npy.")
    names = {file.stem: file for file in sorted(folder.glob("*.npy"))}
    known = {name: file for name, file in names.items() if LONG_NAMES.get(name, name) in WANTED}
    arrays = {name: _readable(file, "npy", partial(_array, file)) for name, file in known.items()}
    return _raw(arrays, chosen, folder, [name for name in names if name not in known])


def array_in(path: Path) -> NDArray[Any]:
    """The inputs alone, in a file of numpy or of the idx format.

    Of an archive, the array called x, or x_test, or the only one.

    Raises:
        UserError: if the file cannot be read, or it is not clear which array is meant.
    """
    if not path.is_file():
        raise UserError(f"predict: there is no file {path}.")
    if path.suffix == ".npy":
        return _readable(path, "npy", partial(_array, path))
    if path.suffix != ".npz":
        return idx_array(path)
    arrays = _readable(path, "npz", partial(_archive, path))
    found = next((arrays[name] for name in INPUTS if name in arrays), None)
    if found is None and len(arrays) != 1:
        raise UserError(f"predict: {path} has the arrays {', '.join(arrays) or 'none'}. Name that of the inputs x.")
    return next(iter(arrays.values())) if found is None else found


def _raw(
    found: Mapping[str, NDArray[Any]], chosen: Mapping[str, Any], path: Path, unread: Sequence[str] = ()
) -> RawData:
    arrays, left_out = _named(found, path)
    whole = arrays["y_train"].dtype.kind in "buiU"
    kind: Kind = "classification" if whole else "regression"
    kind = kind if chosen["kind"] == "auto" else chosen["kind"]
    channels = _channels(arrays["x_train"], chosen["channels"])
    train, validation, test = (
        numeric(channels_first(arrays[f"x_{part}"], channels), arrays[f"y_{part}"], what, kind)
        if f"x_{part}" in arrays
        else None
        for part, what in PARTS.items()
    )
    assert train is not None
    raw = (
        classified(train, test, validation)
        if kind == "classification"
        else RawData(train, test, "regression", None, validation=validation)
    )
    warnings = [GUESSED] * (channels == "last" and chosen["channels"] == "auto")
    strange = [*left_out, *unread]
    warnings += [f"{count_of(len(strange), 'array')} of {path} left out: {some(strange)}."] * bool(strange)
    return replace(raw, reading=ArrayReading(channels), warnings=(*raw.warnings, *warnings))


def _named(found: Mapping[str, NDArray[Any]], path: Path) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """The arrays by their long names, of each of which the first one counts; and the names of all others.

    Raises:
        UserError: if an array of the training part, or of a part that is there, is missing.
    """
    names: dict[str, str] = {}
    for name in found:
        names.setdefault(LONG_NAMES.get(name, name), name)
    arrays = {known: np.atleast_1d(found[names[known]]) for known in WANTED if known in names}
    given = {"train", *(known.partition("_")[2] for known in arrays)}
    missing = [known for known in WANTED if known.partition("_")[2] in given and known not in arrays]
    if missing:
        raise UserError(
            f"data.path: {path} has no {' and no '.join(missing)}, but {', '.join(found) or 'nothing'}. "
            f"Name the arrays x and y, or x_train, y_train, x_test, y_test and perhaps x_val, y_val."
        )
    used = {names[known] for known in arrays}
    return arrays, [name for name in found if name not in used]


def _readable(path: Path, name: str, read: Callable[[], Read]) -> Read:
    """The result of ``read``; UserError if the file cannot be read."""
    try:
        return read()
    except (OSError, ValueError, EOFError, SyntaxError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"data.path: {path} is not a readable .{name} file: {error}.") from error


def _archive(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as packed:  # or np.load would open a bare array or a pickle
        require_memory(COST * sum(_member_bytes(packed, info) for info in packed.infolist()), str(path))
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _member_bytes(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """Bytes that a member of an archive unpacks to; its array may claim to be larger than the member is."""
    with packed.open(info) as file:
        return max(info.file_size, _array_bytes(file))


def _array(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        require_memory(COST * _array_bytes(file), str(path))
        file.seek(0)
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _array_bytes(file: IO[bytes]) -> int:
    """Bytes of the array in a file by its header, from the beginning of the file; 0 if it holds none."""
    if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
        return 0
    file.seek(0)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(file)
    return math.prod(shape) * int(kind.itemsize)


def _channels(inputs: NDArray[Any], asked: str) -> Channels:
    """Where the axis of channels is."""
    if asked == "none" or (asked == "auto" and inputs.ndim == 3):
        return "none"
    return "last" if asked == "last" or (asked == "auto" and _ends_in_colours(inputs.shape)) else "first"


def _ends_in_colours(shape: tuple[int, ...]) -> bool:
    """Whether the last axis of [n, h, w, c] is that of colours; feature maps of 4 x 4 have their channels in front."""
    return len(shape) == 4 and shape[3] <= MOST_CHANNELS < min(shape[1:3])


def channels_first(inputs: NDArray[Any], channels: Channels) -> NDArray[Any]:
    """Inputs [n, …] with an axis of channels behind the first, which was where ``channels`` says."""
    if channels == "none":
        return inputs[:, None]
    return np.moveaxis(inputs, -1, 1) if channels == "last" and inputs.ndim > 1 else inputs
