"""Reads idx files, the format of MNIST and similar data sets."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.options import Args, options
from superconv_tune.data.parts import RawData, classified, numeric

# Third byte of the magic number, as on the MNIST page of LeCun, Cortes and Burges; numbers are big-endian.
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"


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
    return classified(train, test)


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
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise UserError(
            f"data.path: {path} is not an idx file: it begins with {content[:4].hex(' ') or 'nothing'} instead of "
            f"two zero bytes and a type from 08 to 0e. Is it another format?"
        )
    start = 4 + 4 * content[3]
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    kind = np.dtype(TYPES[content[2]])
    wanted = start + math.prod(shape) * kind.itemsize
    if len(content) < start or len(content) != wanted:
        raise UserError(
            f"data.path: {path} is cut off or damaged: its header says {wanted} bytes, but it has {len(content)}. "
            f"Download it again."
        )
    values = np.frombuffer(content, dtype=kind, offset=start).reshape(shape)
    return np.atleast_1d(values.astype(kind.newbyteorder("=")))


def _content(path: Path) -> bytes:
    try:
        stored = path.read_bytes()
        return gzip.decompress(stored) if stored.startswith(GZIP_MAGIC) else stored
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"data.path: {path} cannot be read: {error}. Download it again, or check its permissions."
        ) from error


def _find(folder: Path, stem: str) -> Path:
    files = sorted(folder.glob(f"{stem}*"))
    if not files:
        raise UserError(f"data.path: {folder} has no file {stem}-idx…; it has {_listed(folder)}.")
    return files[0]


def _listed(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())[:8]
    return ", ".join(names) or "nothing (it is empty)"
