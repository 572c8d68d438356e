"""What is trained on, what the search looks at, and what is read once; and the fingerprint of the data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.parts import Indices, RawData, Rows

CHUNK = 4096  # rows at a time: what lies in a file need not come into memory as a whole
MEND = "Bring more of it, raise the share, or leave the class out; targets that are numbers are no classes."


@dataclass(frozen=True)
class Split:
    """Rows of the training part of the data, without overlap, each sorted.

    Attributes:
        train: to be trained on.
        validation: what the search looks at; None where the data come with their own validation part.
        test: what is read once; None where the data come with their own test part.
        digest: SHA-256 of those that are there.
    """

    train: Indices
    validation: Indices | None
    test: Indices | None
    digest: str


def split(raw: RawData, validation: float, test: float, seed: int) -> Split:
    """Split by seed, stratified by class; the same data, shares and seed give the same rows.

    Args:
        raw: the data; a validation or test part that they come with is left alone.
        validation: share of the training part that is held out for the search, where the data have no such part.
        test: share that is held out for the verdict, where the data have no test part.
        seed: of the draw.

    Raises:
        UserError: if a class or the data are too small to be in every part.
    """
    asked = {"validation": (validation, raw.validation), "test": (test, raw.test)}
    shares = {part: share for part, (share, given) in asked.items() if given is None}
    sizes = {part: round(share * len(raw.train)) for part, share in shares.items()}
    raise_any(_size_faults(sizes, len(raw.train)))
    labels = raw.train.targets if raw.kind == "classification" else None
    rows, parts = np.arange(len(raw.train)), dict[str, Indices]()
    try:
        for draw, (part, size) in enumerate(reversed(sizes.items())):
            rows, parts[part] = _two(rows, size, labels, seed + draw)
    except ValueError as error:  # in scikit-learn's words: a class of one, or more classes than the part has items
        raise UserError(f"split: these {len(raw.train)} examples cannot be split by class. {error} {MEND}") from error
    parts["train"] = rows
    raise_any(_class_faults(raw, parts))
    digest = _sha256(*(parts[part] for part in ("train", *shares)))
    return Split(rows, parts.get("validation"), parts.get("test"), digest)


def fingerprint(raw: RawData) -> str:
    """SHA-256 of all values, shapes and types."""
    return _sha256(*(array for part in raw.parts.values() for array in (part.inputs, part.targets)))


def _size_faults(sizes: Mapping[str, int], count: int) -> list[str]:
    faults = [
        f"split: the {part} part of {count} examples would be empty. Raise split.{part}, or bring more examples."
        for part, size in sizes.items()
        if size < 1
    ]
    if sum(sizes.values()) >= count:
        held = " and ".join(f"{size} for {part}" for part, size in sizes.items())
        faults.append(f"split: {held} leave nothing of {count} examples to train on. Lower the shares.")
    return faults


def _class_faults(raw: RawData, parts: Mapping[str, Indices]) -> list[str]:
    if raw.classes is None:
        return []
    faults = []
    for part, rows in parts.items():
        for lacking in np.flatnonzero(np.bincount(raw.train.targets[rows], minlength=raw.classes) == 0):
            name = raw.class_names[lacking] if raw.class_names else lacking
            has = int((raw.train.targets == lacking).sum())
            faults.append(f"split: class {name} has {has} examples, too few for one in the {part} part. {MEND}")
    return faults


def _two(rows: Indices, size: int, labels: NDArray[Any] | None, seed: int) -> tuple[Indices, Indices]:
    stratify = labels[rows] if labels is not None else None
    kept, held = train_test_split(rows, test_size=size, random_state=seed % 2**32, stratify=stratify)
    return np.sort(kept), np.sort(held)


def _sha256(*arrays: NDArray[Any] | Rows) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        for start in range(0, len(array), CHUNK):
            digest.update(np.ascontiguousarray(array[start : start + CHUNK]).data)
    return digest.hexdigest()
