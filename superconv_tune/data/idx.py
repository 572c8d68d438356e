"""Reads idx files, the format of MNIST and similar data sets."""

from __future__ import annotations

import math
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.budget import require_memory, unpacked
from superconv_tune.data.options import Args, options
from superconv_tune.data.parts import RawData, classified, numeric
from superconv_tune.data.reading import ArrayReading
from superconv_tune.data.words import some

# Third byte of the magic number, as on the MNIST page of LeCun, Cortes and Burges; numbers are big-endian.
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
COST = 2  # bytes of memory per byte of a file: its content, and the array in the machine's byte order


def idx(path: Path | None, args: Args) -> RawData:
    """A folder laid out like MNIST: ``train-images-idx3-ubyte``, ``train-labels-…``, ``t10k-…``, raw or ``.gz``.

    ``limit`` takes the first so many training examples only; 0 takes them all.
    """
    chosen = options("idx", args, {"limit": 0})
    if path is None or not path.is_dir():
        raise UserError(f"data.path: no folder {path}. The format idx reads the folder that holds train-images-idx3-…")
    images, labels = read_pair(path, "train")
    rows = slice(chosen["limit"] or None)
    train = numeric(images[rows], labels[rows], "training", "classification")
    test = numeric(*read_pair(path, "t10k"), "test", "classification") if any(path.glob("t10k-*")) else None
    return replace(classified(train, test), reading=ArrayReading("none"))


def read_pair(folder: Path, prefix: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images [n, 1, h, w] and labels [n] of ``prefix-images…`` and ``prefix-labels…``; other shapes stay as they are.

    Raises:
        UserError: if one of the two is missing or cannot be read (both are looked at), or they differ in number.
    """
    found: list[NDArray[Any]] = []
    faults: list[str] = []
    for what in ("images", "labels"):
        try:
            found.append(read(_find(folder, f"{prefix}-{what}")))
        except UserError as error:
            faults += error.messages
    raise_any(faults)
    images, labels = found
    if len(images) != len(labels):
        raise UserError(f"data.path: {folder} has {len(images)} {prefix} images, but {len(labels)} labels.")
    return (images[:, None] if images.ndim == 3 else images), labels


def read(path: Path) -> NDArray[Any]:
    """The array in an idx file, raw or gzipped, in the machine's byte order.

    Raises:
        UserError: if it is not an idx file, is cut off, or has bytes after its end.
    """
    try:
        with unpacked(path, COST) as (file, length):
            kind, shape, start = _header(file, path)
            size = math.prod(shape) * kind.itemsize
            if length is not None and length != start + size:
                raise _cut_off(path, start + size, str(length))
            require_memory(COST * size, f"{path}, by its header,")
            values = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"data.path: {path} cannot be read: {error}. Download it again, or check its permissions."
        ) from error
    if len(values) != size:
        raise _cut_off(path, start + size, "more" if len(values) > size else str(start + len(values)))
    array = np.frombuffer(values, dtype=kind).reshape(shape)
    return np.atleast_1d(array.astype(kind.newbyteorder("=")))


def _cut_off(path: Path, wanted: int, found: str) -> UserError:
    return UserError(
        f"data.path: {path} is cut off or damaged: its header says {wanted} bytes, but it has {found}. Download it "
        f"again."
    )


def _header(file: BinaryIO, path: Path) -> tuple[np.dtype[Any], list[int], int]:
    """Type and shape of the array, and the number of bytes before its values."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES:
        raise UserError(
            f"data.path: {path} is not an idx file: it begins with {magic.hex(' ') or 'nothing'} instead of "
            f"two zero bytes and a type from 08 to 0e. Is it another format?"
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise UserError(f"data.path: {path} is cut off in its header. Download it again.")
    return np.dtype(TYPES[magic[2]]), [int(size) for size in np.frombuffer(sizes, ">u4")], 4 + len(sizes)


def _find(folder: Path, stem: str) -> Path:
    files = sorted(folder.glob(f"{stem}*"))
    if not files:
        raise UserError(f"data.path: {folder} has no file {stem}-idx…; it has {_listed(folder)}.")
    return files[0]


def _listed(folder: Path) -> str:
    return some(sorted(entry.name for entry in folder.iterdir())) or "nothing (it is empty)"
