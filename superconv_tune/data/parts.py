"""A data set as it was read: its parts, their description, and the faults that make learning impossible."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from superconv_tune.core.errors import raise_any
from superconv_tune.data.reading import AS_THEY_ARE, Column, Reading, TableReading

# structured: whole numbers, but not one class per item, such as a class per pixel or several labels
Kind = Literal["classification", "regression", "structured"]
Indices = NDArray[np.intp]

NUMBERS = "buif"  # numpy's kinds
BLURRED = 1e-4  # of the standard deviation: a larger error of rounding to float32 is kept out of the targets
MIN_EXAMPLES = 20  # fewer cannot be split into three parts that mean anything


@dataclass(frozen=True)
class Rows:
    """Some rows of an array, in a given order, without a copy; used to split large images.

    It is used like an array of inputs: it has a shape and a type, and indexing returns the rows as an array.

    Attributes:
        base: the whole array, which may be in a file and shared by all parts.
        rows: indices of the rows, shape [n].
    """

    base: NDArray[Any]
    rows: Indices

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        found: NDArray[Any] = np.asarray(self.base)[self.rows[key]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 - numpy's
        """All rows, copied into one array."""
        return np.asarray(self[:], dtype=dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """[n, ...]."""
        return (len(self.rows), *self.base.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.base.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """As in the whole array."""
        return self.base.dtype

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Part:
    """Inputs and targets of some examples.

    Attributes:
        inputs: uint8 or float32, shape [n, ...]; images as [n, channels, height, width]. `Rows` of a larger array if
            that array is shared.
        targets: int64 classes from 0, shape [n]; or numbers, shape [n, ...], float32 or what `exact` makes of them; or
            other whole numbers, shape [n, ...].
        groups: number of the group that each example belongs to, shape [n], the same in all parts; None if every
            example stands for itself.
    """

    inputs: NDArray[Any] | Rows
    targets: NDArray[Any]
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Indices) -> Part:
        """Some of the examples; inputs in a shared array are not copied."""
        inputs = self.inputs
        taken = Rows(inputs.base, inputs.rows[rows]) if isinstance(inputs, Rows) else inputs[rows]
        return Part(taken, self.targets[rows], None if self.groups is None else self.groups[rows])

    @property
    def number_of_groups(self) -> int:
        """How many different groups there are; 0 if every example stands for itself."""
        return 0 if self.groups is None else len(np.unique(self.groups))


@dataclass(frozen=True)
class RawData:
    """A data set as it was read.

    Attributes:
        train: the training part, from which the parts that the data lack are split off.
        test: the test part that the data come with; None if they come with none.
        kind: whether the targets are classes or numbers.
        classes: number of classes; None for regression.
        class_names: in the order of the classes; None if they have no names.
        validation: the validation part that the data come with; None if they come with none.
        names: names of the examples of ``train``, ``validation`` and ``test``; empty if they have no names.
        reading: how the inputs were read.
        notes: how the data were read, in sentences.
        warnings: what was left out or filled in, in sentences.
    """

    train: Part
    test: Part | None
    kind: Kind
    classes: int | None
    class_names: tuple[str, ...] | None = None
    validation: Part | None = None
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reading: Reading = AS_THEY_ARE
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def grouped(self, groups: Mapping[str, NDArray[np.int64]]) -> RawData:
        """The same with the groups of ``train``, ``validation`` and ``test``."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        found = {
            name: replace(part, groups=groups.get(name)) if part is not None else None for name, part in parts.items()
        }
        assert found["train"] is not None
        return replace(self, train=found["train"], validation=found["validation"], test=found["test"])

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a table, in the order of the inputs; empty for other data."""
        return self.reading.columns if isinstance(self.reading, TableReading) else ()

    @property
    def may_be_either(self) -> bool:
        """Whether the targets are a whole number per example, which may be a class as well as a number to predict."""
        targets = self.train.targets
        if self.kind == "classification":
            return all(re.fullmatch("-?[0-9]+", name) for name in self.class_names or ())
        return self.kind == "regression" and targets.ndim == 1 and np.array_equal(targets, np.floor(targets))

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that exist, by their names in messages."""
        found = {"training": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in found.items() if part is not None}


def classified(train: Part, test: Part | None = None, validation: Part | None = None) -> RawData:
    """The parts as a classification, with labels renumbered from 0; the original labels become the class names.

    Raises:
        UserError: if a part has classes that the training part does not have.
    """
    found = np.unique(train.targets)
    names = tuple(str(label) for label in found.tolist())
    given = {"train": train, "test": test, "validation": validation}
    parts = {name: part for name, part in given.items() if part is not None}
    strange = {name: np.setdiff1d(part.targets, found).tolist() for name, part in parts.items()}
    raise_any(
        [
            f"data: the {name} part has the classes {labels[:5]}, which the training part does not have."
            for name, labels in strange.items()
            if labels
        ]
    )
    numbered = {
        name: replace(part, targets=np.searchsorted(found, part.targets).astype(np.int64))
        for name, part in parts.items()
    }
    return RawData(
        numbered["train"],
        numbered.get("test"),
        "classification",
        len(found),
        names,
        validation=numbered.get("validation"),
    )


def numeric(inputs: NDArray[Any], targets: NDArray[Any], what: str, kind: Kind) -> Part:
    """Inputs and targets in the types that models take, and in C order; class names in words stay words.

    Raises:
        UserError: if they are not numbers, or the targets are not classes.
    """
    words = "U" if kind == "classification" else ""
    faults = [
        f"data: the {name} of the {what} part are {array.dtype}, but have to be numbers."
        for name, array, kinds in (("inputs", inputs, NUMBERS), ("targets", targets, NUMBERS + words))
        if array.dtype.kind not in kinds
    ]
    if not faults and kind == "classification":
        faults = _label_faults(targets, what)
    raise_any(faults)
    flat = targets.reshape(len(targets)) if targets.ndim == 2 and targets.shape[1] == 1 else targets
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is reported as such
        return Part(
            np.ascontiguousarray(inputs, dtype=np.uint8 if inputs.dtype == np.uint8 else np.float32),
            flat if flat.dtype.kind == "U" else _whole_or_exact(flat, kind),
        )


def _whole_or_exact(numbers: NDArray[Any], kind: Kind) -> NDArray[Any]:
    return np.ascontiguousarray(numbers, dtype=np.int64) if kind == "classification" else exact(numbers)


def exact(numbers: NDArray[Any]) -> NDArray[Any]:
    """Numbers as float32; as float64 where float32 would blur them, such as 1700000000.5 among its like."""
    if numbers.dtype == np.float32:
        return np.ascontiguousarray(numbers)
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large becomes infinite, and is reported as such
        wide = np.ascontiguousarray(numbers, dtype=np.float64)
        rounded = wide.astype(np.float32)
        axis = 0 if wide.ndim <= 2 else None
        blur, spread = np.abs(rounded - wide).max(axis=axis, initial=0.0), wide.std(axis=axis) if wide.size else 0.0
        return wide if (blur > BLURRED * spread).any() and np.isfinite(rounded).all() else rounded


def problems(data: RawData) -> list[str]:
    """What makes the data impossible to learn from, one sentence each."""
    found = [problem for name, part in data.parts.items() for problem in _part_problems(part, name)]
    found += [
        f"one input of the {name} part has the shape {part.inputs.shape[1:]}, but one of the training part "
        f"{data.train.inputs.shape[1:]}."
        for name, part in data.parts.items()
        if part.inputs.shape[1:] != data.train.inputs.shape[1:]
    ]
    if len(data.train) < MIN_EXAMPLES:
        found.append(
            f"{len(data.train)} examples are too few: at least {MIN_EXAMPLES} are needed to split and evaluate."
        )
    elif (data.train.targets == data.train.targets[:1]).all():
        found.append("all targets are the same, so nothing can be learned. Check the labels.")
    return found


def _label_faults(targets: NDArray[Any], what: str) -> list[str]:
    if targets.ndim != 1 and targets.shape[1:] != (1,):
        return [f"data: the labels of the {what} part have the shape {targets.shape}. Give one class number per item."]
    if targets.dtype.kind == "f" and not np.array_equal(targets, np.floor(targets)):
        return [f"data: some labels of the {what} part are not whole numbers. Are they numbers to predict?"]
    return []


def _part_problems(part: Part, name: str) -> list[str]:
    found = []
    if len(part.inputs) != len(part.targets):
        found.append(f"the {name} part has {len(part.inputs)} inputs, but {len(part.targets)} targets.")
    if not part.inputs.size:
        found.append(f"the {name} part is empty: its inputs have the shape {part.inputs.shape}.")
    elif part.inputs.ndim < 2:
        found.append(f"the {name} part has inputs of shape {part.inputs.shape}. Give a row per item: [n, 1].")
    for what, values in (("inputs", part.inputs), ("targets", part.targets)):
        if values.dtype.kind != "f":  # whole numbers are finite, and images may be many
            continue
        is_bad = ~np.isfinite(np.asarray(values))
        if is_bad.any():
            first = int(np.flatnonzero(is_bad.reshape(len(values), -1).any(axis=1))[0])
            found.append(
                f"the {what} of the {name} part have {int(is_bad.sum())} values that are NaN or infinite as float32, "
                f"the first at index {first}. Remove or replace them."
            )
    return found
