"""The learning-rate range test: what a ramp of the learning rate says about the peak of a cycle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Quality = Literal["good", "fair", "poor", "none"]


@dataclass(frozen=True)
class RangeTestResult:
    """What one or several ramps say.

    Attributes:
        lr_at_minimum: learning rate of the lowest smoothed loss.
        edge: largest learning rate before the curve gives its improvement back.
        max_lr: the robust pick for a short cycle, ``lr_at_minimum / 2`` (science: the best fixed rule measured).
        min_lr: ``lr_at_minimum / 10``, the lower end of the band.
        quality: how far the number can be trusted; ``none`` goes with a refusal.
        spread_log2: standard deviation over replicates of log2(lr_at_minimum); 0 for a single ramp.
        steps: optimizer steps that were spent.
        refusal: why the curve says nothing; None if it says something. All rates are then NaN-free placeholders of 0.
    """

    lr_at_minimum: float
    edge: float
    max_lr: float
    min_lr: float
    quality: Quality
    spread_log2: float
    steps: int
    refusal: str | None = None
