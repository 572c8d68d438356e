"""Where a family of models stands among those of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Standing:
    """What one family reached.

    Attributes:
        family: its name.
        value: mean metric of fresh models of its recipe on the test part, or its best value on the validation part.
        low: lower end of the interval of ``value``; None where it is not known.
        high: upper end of it.
        level: confidence level of that interval.
        part: which part of the data ``value`` was measured on. A best value on the validation part is optimistic.
        models: number of models behind it.
        validation: best value on the validation part, by which families compare with one another.
        seconds: worker-seconds of all its trials.
        size: number of parameters of a network, bytes of a fitted model; None if it is not known.
        unit: what ``size`` counts.
        is_recipe: whether the recipe is of this family.
    """

    family: str
    value: float
    low: float | None
    high: float | None
    level: float
    part: Literal["validation", "test"]
    models: int
    validation: float
    seconds: float
    size: int | None
    unit: Literal["parameters", "bytes"]
    is_recipe: bool
