"""A search space as plain data, independent of Optuna."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A number between ``low`` and ``high``, both included; ``log`` draws it log-uniformly."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of a few values; values with an order, such as batch sizes, are listed in it."""

    values: tuple[float, ...]


Dimension = Interval | Choice
SearchSpace = Mapping[str, Dimension]
