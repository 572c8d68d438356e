"""Standard output and standard error that take every character and never fail: a program outlives its terminal."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any

PATIENCE_S = 1.0  # for a reader that is behind, where the output does not block


def lasting_outputs() -> None:
    r"""Make both outputs last, for whatever this program and its libraries print from now on.

    What an encoding lacks is printed as ``\u2026``. What an output no longer takes, because its reader has gone, its
    disk is full or it was closed from the beginning, is dropped.
    """
    _open_all()
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        try:
            if stream is not None and stream.fileno() != number:
                continue  # somebody has put another one in its place
        except (AttributeError, OSError, ValueError):
            continue
        setattr(sys, name, _lasting(number, stream))


def _open_all() -> None:
    """Open what was closed when the program began: the first files that it opens would take the places of these."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one


def _lasting(number: int, before: io.TextIOWrapper | None) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Lasting(number, "w", closefd=False)),
        encoding=before.encoding if before is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=before.line_buffering if before is not None else True,
        write_through=before.write_through if before is not None else False,
    )


class _Lasting(io.FileIO):
    """Drops what can no longer be written."""

    _patience_s = PATIENCE_S

    def write(self, data: Any, /) -> int:  # of anything with a buffer
        try:
            written = super().write(data)
            if (
                written is None and select.select([], [self], [], self._patience_s)[1]
            ):  # it does not block, and was full
                written = super().write(data)
        except OSError:
            written = None
        self._patience_s = 0.0 if written is None else PATIENCE_S  # waiting once for a reader that has stopped will do
        return memoryview(data).nbytes if written is None else written
