"""What is trained on, what the search looks at, and what is read once; and the fingerprint of the data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from superconv_tune.core.errors import UserError
from superconv_tune.data.formats import RawData

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """Rows of the training part of the data, without overlap, each sorted.

    Attributes:
        train: to be trained on.
        validation: what the search looks at.
        test: what is read once; None where the data come with their own test part.
        digest: SHA-256 of the three.
    """

    train: Indices
    validation: Indices
    test: Indices | None
    digest: str


def split(raw: RawData, validation: float, test: float, seed: int) -> Split:
    """Split by seed, stratified by class; the same data, shares and seed give the same rows.

    Args:
        raw: the data; a test part that they come with is left alone.
        validation: share of the training part that is held out for the search.
        test: share that is held out for the verdict, where the data have no test part.
        seed: of the draw.

    Raises:
        UserError: if a class or the data are too small to be in every part.
    """
    labels = raw.train.targets if raw.kind == "classification" else None
    rows = np.arange(len(raw.train))
    try:
        held: Indices | None = None
        if raw.test is None:
            rows, held = _two(rows, test, labels, seed)
            validation = validation / (1.0 - test)
        train, looked_at = _two(rows, validation, labels, seed + 1)
    except ValueError as error:
        raise UserError(
            f"split: {len(raw.train)} examples cannot be split into a validation share of {validation:.2g} and a test "
            f"share of {test:.2g} ({error}) Give larger shares, or more examples of the smallest class."
        ) from error
    parts = [train, looked_at] + ([held] if held is not None else [])
    return Split(train, looked_at, held, digest=_sha256(*parts))


def fingerprint(raw: RawData) -> str:
    """SHA-256 of all values, shapes and types."""
    parts = [raw.train] + ([raw.test] if raw.test is not None else [])
    return _sha256(*(array for part in parts for array in (part.inputs, part.targets)))


def _two(rows: Indices, share: float, labels: NDArray[Any] | None, seed: int) -> tuple[Indices, Indices]:
    stratify = labels[rows] if labels is not None else None
    kept, held = train_test_split(rows, test_size=share, random_state=seed, stratify=stratify)
    return np.sort(kept), np.sort(held)


def _sha256(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
