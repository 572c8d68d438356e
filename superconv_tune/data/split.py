"""Splits data into a training, a validation and a test part, and computes their fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.groups import held_out
from superconv_tune.data.parts import Indices, Part, RawData, Rows
from superconv_tune.data.reading import ArrayReading, ImageReading
from superconv_tune.data.words import SHOWN, count_of, some

CHUNK = 4096  # rows at a time, so that an array in a file need not fit into memory
LEAST_GROUPS = 2  # in a part that errors are estimated on: one says nothing of how groups differ
FIX = "Add examples, raise the share, or remove the class."
AS_NUMBERS = (
    "If they are numbers to predict, say so: `args: {kind: regression}` of a table or of arrays; a task gives floats."
)


@dataclass(frozen=True)
class Split:
    """Rows of the training part of the data, without overlap, each sorted.

    Attributes:
        train: rows to train on.
        validation: rows that the search is judged by; None if the data come with their own validation part.
        test: rows that are read once, for the verdict; None if the data come with their own test part.
        digest: SHA-256 of the rows of all these parts.
    """

    train: Indices
    validation: Indices | None
    test: Indices | None
    digest: str


def split(raw: RawData, validation: float, test: float, seed: int) -> Split:
    """Split by seed, stratified by class; the same data, shares and seed give the same rows.

    Where examples belong to groups, each is on one side as a whole, and the classes are as even as that allows.

    Args:
        raw: the data; a validation or test part that they come with is left unchanged.
        validation: share of the training part that is held out for the search, if the data have no such part.
        test: share that is held out for the verdict, if the data have no test part.
        seed: seed of the random split.

    Raises:
        UserError: if a class, the data or the groups are too few to be in every part.
    """
    asked = {"validation": (validation, raw.validation), "test": (test, raw.test)}
    shares = {part: share for part, (share, given) in asked.items() if given is None}
    sizes = {part: round(share * len(raw.train)) for part, share in shares.items()}
    raise_any(_size_faults(sizes, len(raw.train)))
    raise_any(_rare_faults(raw, parts=1 + len(sizes)))
    raise_any(_group_faults(raw, sizes))
    labels = raw.train.targets if raw.kind == "classification" else None
    rows, parts = np.arange(len(raw.train)), dict[str, Indices]()
    try:
        for draw, (part, size) in enumerate(reversed(sizes.items())):
            rows, parts[part] = _two(raw.train, rows, size, labels, seed + draw)
    except ValueError as error:  # in scikit-learn's words: a class with one item left, or more classes than items
        fault = f"split: these {len(raw.train)} examples cannot be split by class. {error} {_fix(raw)}"
        raise UserError(fault) from error
    parts["train"] = rows
    raise_any([*_class_faults(raw, parts), *_few_groups(raw, parts)])
    digest = _sha256(*(parts[part] for part in ("train", *shares)))
    return Split(rows, parts.get("validation"), parts.get("test"), digest)


def fingerprint(raw: RawData) -> str:
    """SHA-256 of all values, shapes and types."""
    return _sha256(*(array for part in raw.parts.values() for array in (part.inputs, part.targets)))


def items_digest(raw: RawData, rows: Split, part: Part, names: Sequence[str], *, are_read: bool = False) -> str:
    """SHA-256 of which items a test part has, whatever an option or a transform makes of their inputs.

    It is of the targets, and of what else tells the items from others: their names; of the lines of a table, or the
    items of a Dataset, their places; of arrays the inputs, wherever the axis of channels is said to be. Other data of
    which all this is equal count as the same.

    Args:
        raw: the data that the part is of.
        rows: their split.
        part: the test part.
        names: names of its items; empty if they have none.
        are_read: whether the items are those of a user's Dataset.
    """
    classes = raw.class_names
    labels = part.targets if classes is None else np.array([classes[label] for label in part.targets.tolist()])
    if names:
        return _sha256(labels, np.array(names))
    if raw.columns or are_read:
        return _sha256(labels, np.arange(len(part)) if rows.test is None else rows.test)
    inputs = np.asarray(part.inputs)
    is_moved = isinstance(raw.reading, ArrayReading) and raw.reading.channels == "last"
    given = np.moveaxis(inputs, 1, -1) if is_moved else inputs
    return _sha256(labels, given.reshape(len(given), -1))


def _size_faults(sizes: Mapping[str, int], count: int) -> list[str]:
    faults = [
        f"split: the {part} part of {count} examples would be empty. Raise split.{part}, or add examples."
        for part, size in sizes.items()
        if size < 1
    ]
    if sum(sizes.values()) >= count:
        held = " and ".join(f"{size} for {part}" for part, size in sizes.items())
        faults.append(f"split: {held} leave none of {count} examples to train on. Lower the shares.")
    return faults


def _rare_faults(raw: RawData, parts: int) -> list[str]:
    """A message if classes have fewer examples than there are parts."""
    if raw.classes is None or parts < 2:
        return []
    rare = np.flatnonzero(np.bincount(raw.train.targets, minlength=raw.classes) < parts)
    return [_too_few(raw, rare, f"each of {parts} parts")] if len(rare) else []


def _class_faults(raw: RawData, parts: Mapping[str, Indices]) -> list[str]:
    """A message for each part that lacks classes."""
    if raw.classes is None:
        return []
    counts = {part: np.bincount(raw.train.targets[rows], minlength=raw.classes) for part, rows in parts.items()}
    return [
        _too_few(raw, np.flatnonzero(found == 0), f"the {part} part")
        for part, found in counts.items()
        if not found.all()
    ]


def _too_few(raw: RawData, rare: NDArray[np.intp], where: str) -> str:
    """That these classes have too few examples for one in some part."""
    classes, targets = raw.classes or 0, raw.train.targets
    shown = rare[: SHOWN + 1]
    counts = [count_of(count, "example") for count in np.bincount(targets, minlength=classes)[shown].tolist()]
    if raw.train.groups is not None:
        pairs = np.unique(np.stack([targets, raw.train.groups]), axis=1)
        groups = np.bincount(pairs[0], minlength=classes)[shown].tolist()
        counts = [f"{has} in {count_of(count, 'group')}" for has, count in zip(counts, groups, strict=True)]
    names = raw.class_names or tuple(map(str, range(classes)))
    told = some([f"{names[label]} ({has})" for label, has in zip(shown.tolist(), counts, strict=True)])
    have = "has" if len(rare) == 1 else "have"
    return f"split: {len(rare)} of {classes} classes {have} too few examples for one in {where}: {told}. {_fix(raw)}"


def _fix(raw: RawData) -> str:
    are_images = isinstance(raw.reading, ImageReading)
    return f"{FIX} {AS_NUMBERS}" if raw.may_be_either and not are_images else FIX


def _group_faults(raw: RawData, sizes: Mapping[str, int]) -> list[str]:
    """A message if there are not enough groups for all parts, whatever their sizes."""
    groups, needed = raw.train.number_of_groups, 1 + LEAST_GROUPS * len(sizes)
    if not groups or groups >= needed:
        return []
    return [
        f"split.group: {groups} groups are too few to train on some and hold others out; at least {needed} are needed. "
        f"Add groups, or name what makes more of them."
    ]


def _few_groups(raw: RawData, parts: Mapping[str, Indices]) -> list[str]:
    """A message for each part that is held out with one group only."""
    if raw.train.groups is None:
        return []
    numbers = {part: len(np.unique(raw.train.groups[rows])) for part, rows in parts.items() if part != "train"}
    return [
        f"split.group: the {part} part has one group only of {raw.train.number_of_groups}, which says nothing of how "
        f"groups differ. Raise split.{part} (--group needs whole groups on one side), or add groups."
        for part, number in numbers.items()
        if number < LEAST_GROUPS
    ]


def _two(train: Part, rows: Indices, size: int, labels: NDArray[Any] | None, seed: int) -> tuple[Indices, Indices]:
    if train.groups is not None:
        is_held = held_out(train.groups[rows], labels[rows] if labels is not None else None, size, seed)
        return rows[~is_held], rows[is_held]
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
