"""The stability edge: the largest constant learning rate that does not lose what the model knew, by bisection.

A ramp alone overestimates it, because a divergence shows only once its amplitude has regrown: by 1.6 to 7 times on
full-batch quadratics, the more the faster the ramp. Probes at constant rates have no such lag.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from superconv_tune.core.curve import Column

OPENING = 10  # steps at a rate that does nothing, whose median is the loss at the beginning
LAST_SHARE = 0.2  # of the steps, whose median is the loss at the end
PROBE_STEPS = 120
HALVINGS = 7  # of a bracket of a factor 64: to within 3.3 %
BELOW, ABOVE = 16.0, 4.0  # the bracket, around the edge that a ramp saw
MOST_STRETCHES = 6  # of the bracket, by `ABOVE` or `BELOW`, until it holds the edge


@dataclass(frozen=True)
class Bracket:
    """The edge lies between the largest stable rate and the least unstable one.

    Attributes:
        stable: 0 if no rate was stable.
        unstable: infinity if every rate was stable.
    """

    stable: float
    unstable: float

    @property
    def edge(self) -> float:
        """The middle in the logarithm; the finite end where only one is known."""
        if self.stable == 0.0 or math.isinf(self.unstable):
            return self.stable or self.unstable
        return math.sqrt(self.stable * self.unstable)


def is_stable(losses: Column, before: float) -> bool:
    """Whether training at a constant rate kept its loss: finite, and at the end no higher than before the training.

    The first losses of the training itself will not do for a beginning: where the loss grows no faster than the
    weights, as cross-entropy does, a rate that is far too large loses everything in one step and then nothing more.

    Args:
        losses: one per step, at least one.
        before: loss of the untrained model.
    """
    if not np.isfinite(losses).all():
        return False
    last = max(1, round(LAST_SHARE * len(losses)))
    return float(np.median(losses[-last:])) <= before


def bisect(is_stable_at: Callable[[float], bool], guess: float, halvings: int = HALVINGS) -> Bracket:
    """Bisect in log(lr) from ``guess / 16`` to ``4 * guess``, stretched until the ends differ.

    Args:
        is_stable_at: tries a constant rate, no rate twice; called at most ``halvings`` times, and once for each end and
            each stretch.
        guess: where the edge is thought to lie, such as the edge of a ramp.
        halvings: of the bracket.
    """
    stable, unstable = _ends(is_stable_at, guess)
    if stable == 0.0 or math.isinf(unstable):
        return Bracket(stable, unstable)
    for _ in range(halvings):
        middle = math.sqrt(stable * unstable)
        if is_stable_at(middle):
            stable = middle
        else:
            unstable = middle
    return Bracket(stable, unstable)


def _ends(is_stable_at: Callable[[float], bool], guess: float) -> tuple[float, float]:
    """A stable rate, or 0, and an unstable one, or infinity."""
    stable, unstable = guess / BELOW, guess * ABOVE
    for stretches in range(MOST_STRETCHES):  # noqa: B007  (read after the loop)
        if is_stable_at(stable):
            break
        stable, unstable = stable / BELOW, stable
    else:
        return 0.0, unstable
    if stretches:
        return stable, unstable  # which was tried on the way down
    for _ in range(MOST_STRETCHES):
        if not is_stable_at(unstable):
            return stable, unstable
        stable, unstable = unstable, unstable * ABOVE
    return stable, math.inf
