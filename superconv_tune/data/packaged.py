"""Data sets that come with a package; nothing is read from the disk of the user."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from superconv_tune.data.options import Args, options
from superconv_tune.data.parts import Part, RawData, classified
from superconv_tune.data.reading import ArrayReading


def digits(_path: Path | None, args: Args) -> RawData:
    """1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn; no test part."""
    options("digits", args, {})
    bunch = load_digits()
    images = (bunch.images * (255.0 / 16.0)).round().astype(np.uint8)
    raw = classified(Part(images[:, None], bunch.target.astype(np.int64)))
    return replace(raw, reading=ArrayReading("none"))
