"""The record of training steps, one row per optimizer step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Columns of equal length, one entry per real optimizer step, in the order of the steps.

    Attributes:
        step: zero-based index of the optimizer step.
        lr: learning rate that this step used.
        momentum: momentum (``betas[0]`` for Adam-like optimizers) that this step used.
        loss: mean training loss of this step's batch, before the step; may be non-finite.
        elapsed_s: seconds from the start of the phase until the step was issued.
    """

    step: Column
    lr: Column
    momentum: Column
    loss: Column
    elapsed_s: Column

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in COLUMNS}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"All columns of a curve have the same length, but got {lengths}.")

    def __len__(self) -> int:
        return len(self.step)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Curve):
            return NotImplemented
        return all(np.array_equal(getattr(self, c), getattr(other, c), equal_nan=True) for c in COLUMNS)

    __hash__ = None  # type: ignore[assignment]  # arrays are compared by content, so no hash

    @staticmethod
    def empty() -> Curve:
        """A curve with no steps."""
        return Curve(*(np.empty(0, dtype=np.float64) for _ in COLUMNS))

    @staticmethod
    def join(parts: Sequence[Curve]) -> Curve:
        """Concatenate consecutive parts of one run."""
        if not parts:
            return Curve.empty()
        return Curve(*(np.concatenate([getattr(part, c) for part in parts]) for c in COLUMNS))

    def take(self, rows: NDArray[np.intp] | slice) -> Curve:
        """The chosen rows, in the given order."""
        return Curve(*(getattr(self, c)[rows] for c in COLUMNS))

    def thin(self, points: int) -> Curve:
        """Reduce the curve to at most ``points`` rows, keeping the first, the last and the extremes of the loss.

        The curve is cut into equal stretches, and each keeps the rows of its lowest and highest loss, so that a spike
        survives. A curve that is short enough is returned unchanged.

        Raises:
            ValueError: if ``points`` is below 4.
        """
        if points < 4:
            raise ValueError(f"`points >= 4` must hold, but got points={points}.")
        if len(self) <= points:
            return self
        keep = {0, len(self) - 1}
        finite = np.where(np.isfinite(self.loss), self.loss, np.inf)
        for stretch in np.array_split(np.arange(len(self)), (points - 2) // 2):
            keep.add(int(stretch[np.argmin(finite[stretch])]))
            keep.add(int(stretch[np.argmax(finite[stretch])]))
        return self.take(np.array(sorted(keep)))


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Curve))
