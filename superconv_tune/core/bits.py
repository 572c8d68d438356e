"""Booleans, and small numbers, packed into short text, such as which test items a model got right."""

from __future__ import annotations

import base64
import zlib

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]


def pack(bits: Bits) -> str:
    """Pack the bits into base64 text; the last byte is padded with zeros."""
    return base64.b64encode(np.packbits(bits).tobytes()).decode("ascii")


def unpack(text: str, count: int) -> Bits:
    """Unpack the first ``count`` bits of a text that `pack` returned."""
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8), count=count)
    return bits.astype(np.bool_)


def pack_numbers(numbers: NDArray[np.int64]) -> str:
    """Pack whole numbers of at most 32 bits into base64 text."""
    return base64.b64encode(zlib.compress(numbers.astype("<i4").tobytes(), 9)).decode("ascii")


def unpack_numbers(text: str) -> NDArray[np.int64]:
    """Unpack what `pack_numbers` returned."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<i4").astype(np.int64)
