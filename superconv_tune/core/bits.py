"""Booleans packed into short text, such as which test items a model got right."""

from __future__ import annotations

import base64

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
