"""Floors and ceilings: what simple methods reach on the same data, and what the labels allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Landmark:
    """A reference value to compare with, computed before the search.

    Attributes:
        name: the method, such as a linear model.
        kind: ``floor``: a simple method; ``ceiling``: what the labels allow; ``check``: whether the model can learn.
        value: value of the metric; None where it was skipped or is measured in something else.
        words: one sentence about it.
        is_warning: whether the sentence is a reason to trust the answer less.
    """

    name: str
    kind: Literal["floor", "ceiling", "check"]
    value: float | None
    words: str
    is_warning: bool = False
