"""A row of yes and no, such as which test items a model got right, as short text."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]


def pack(bits: Bits) -> str:
    """The bits as base64; the last byte is filled up with zeros."""
    return base64.b64encode(np.packbits(bits).tobytes()).decode("ascii")


def unpack(text: str, count: int) -> Bits:
    """The first ``count`` bits of what `pack` made."""
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8), count=count)
    return bits.astype(np.bool_)
