"""The ladder of complete cycles: what each cycle length reached."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """What cycles of one length reached.

    Attributes:
        epochs: length of the cycle.
        value: best (for the confirmed rung: mean) value of the metric.
        low: lower end of its 95 % interval.
        high: upper end of it.
        trials: complete cycles of this length.
    """

    epochs: float
    value: float
    low: float
    high: float
    trials: int
