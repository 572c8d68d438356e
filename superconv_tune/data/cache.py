"""Decoded data on disk: made once, whole or not at all, and mapped into memory by every process of a machine.

The cache is ``$SUPERCONV_TUNE_CACHE``, else ``superconv_tune`` under ``$XDG_CACHE_HOME`` or ``~/.cache``. An entry is a
folder whose name is the hash of all that it depends on, so that it is never changed, only made or deleted; deleting
it costs the time to make it again, and is fine whenever no search runs.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from superconv_tune.core.errors import UserError

PLACE = "SUPERCONV_TUNE_CACHE"
UNFINISHED = ".unfinished-"
ABANDONED_S = 24 * 3600.0  # after which the remains of a killed process are deleted


class Mapped(np.memmap[Any, np.dtype[Any]]):
    """A read-only array in a file; pickled as its path, so that its bytes are not sent between processes.

    A view of it is pickled like any array: send `numpy.asarray` of it to a machine that does not have the file.
    """

    def __reduce_ex__(self, protocol: Any) -> Any:
        if not isinstance(self.base, mmap.mmap):
            return np.asarray(self).__reduce_ex__(protocol)
        return mapped, (Path(str(self.filename)), self.shape, self.dtype.str)


def mapped(path: Path, shape: tuple[int, ...], dtype: str = "u1") -> Mapped:
    """The array in a file of plain values, in C order.

    Args:
        path: the file.
        shape: of the array.
        dtype: of its values, in numpy's letters; bytes by default.

    Raises:
        UserError: if the file is gone or has another size.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UserError(
            f"cache: {path} is gone ({error.strerror}). Do not delete the cache while a search runs."
        ) from error
    if size != int(np.prod(shape)) * np.dtype(dtype).itemsize:
        raise UserError(f"cache: {path} has {size} bytes and not the shape {shape}. Delete {path.parent}.")
    return Mapped(path, dtype=dtype, mode="r", shape=shape)


def key(*parts: object) -> str:
    """The name of an entry: a hash of JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


def entry(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of an entry; it is made first if it does not exist.

    If two processes make it at once, both use the one that was finished first.

    Args:
        name: a `key`.
        make: fills the folder that it is given. It becomes the entry when this returns, and is deleted when it raises.

    Raises:
        UserError: if the cache cannot be written.
    """
    folder = place() / name
    if folder.is_dir():
        return folder
    try:
        place().mkdir(parents=True, exist_ok=True)
        _sweep()
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=place()) as scratch:
            made = Path(scratch) / name
            made.mkdir()
            make(made)
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    except OSError as error:
        raise UserError(
            f"cache: {place()} cannot be written ({error.strerror or error}). Free some space there, or name another "
            f"folder in the environment variable {PLACE}."
        ) from error
    return folder


def require_room(size: int) -> None:
    """Check that ``size`` bytes fit, before hours are spent on filling the disk.

    Raises:
        UserError: if they do not fit.
    """
    free = shutil.disk_usage(place()).free
    if size > free:
        raise UserError(
            f"cache: the decoded data take {size / 2**30:.1f} GiB, but {place()} has {free / 2**30:.1f} GiB left. Free "
            f"some space, name another folder in the environment variable {PLACE}, or choose a smaller size."
        )


def place() -> Path:
    """The folder of all entries, which may not exist yet."""
    named = os.environ.get(PLACE)
    if named:
        return Path(named).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "superconv_tune"


def _sweep() -> None:
    """Delete what processes that were killed left behind."""
    for scratch in place().glob(f"{UNFINISHED}*"):
        with suppress(FileNotFoundError):  # its process has just ended
            if time.time() - scratch.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(scratch, ignore_errors=True)
