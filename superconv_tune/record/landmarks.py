"""Floors and ceilings: what simple methods reach on the same data, and what the labels allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Landmark:
    """Something to compare with, computed before the search.

    Attributes:
        name: what was tried.
        kind: ``floor``: a simple method; ``ceiling``: what the labels allow; ``check``: whether the model can learn.
        value: of the metric; None where it was skipped, or is no value of the metric.
        words: one sentence about it.
        is_warning: the sentence weakens an answer.
    """

    name: str
    kind: Literal["floor", "ceiling", "check"]
    value: float | None
    words: str
    is_warning: bool = False
