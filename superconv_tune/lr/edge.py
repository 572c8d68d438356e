"""The stability edge: the largest constant learning rate that does not raise the loss, found by bisection.

A ramp alone overestimates it, because a divergence becomes visible only after it has grown: by 1.6 to 7 times on
full-batch quadratics, more for faster ramps. Probes at constant rates have no such lag.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from superconv_tune.core.curve import Column

OPENING = 10  # steps at a negligible rate, whose median loss is the loss before training
LAST_SHARE = 0.2  # share of the steps, the last ones, whose median loss is the loss at the end
PROBE_STEPS = 120
HALVINGS = 7  # halvings of a bracket of a factor of 64, which narrow it to within 3.3 %
BELOW, ABOVE = 16.0, 4.0  # ends of the bracket: the edge that a ramp saw divided by BELOW, and times ABOVE
# Times that an end of the bracket is moved by `ABOVE` or `BELOW` until the bracket contains the edge.
MOST_STRETCHES = 6


@dataclass(frozen=True)
class Bracket:
    """An interval that contains the edge.

    Attributes:
        stable: largest learning rate that was stable; 0 if none was.
        unstable: smallest learning rate that was unstable; infinity if none was.
    """

    stable: float
    unstable: float

    @property
    def edge(self) -> float:
        """The geometric mean of both ends; the known end where only one is known."""
        if self.stable == 0.0 or math.isinf(self.unstable):
            return self.stable or self.unstable
        return math.sqrt(self.stable * self.unstable)


def is_stable(losses: Column, before: float) -> bool:
    """Whether training at a constant rate was stable: the loss is finite, and at the end no higher than before.

    The first losses of the training cannot serve as reference: where the loss grows no faster than the weights, as
    with cross-entropy, a rate that is far too large does all its damage in the first step.

    Args:
        losses: training losses, one per step, at least one.
        before: loss of the untrained model.
    """
    if not np.isfinite(losses).all():
        return False
    last = max(1, round(LAST_SHARE * len(losses)))
    return float(np.median(losses[-last:])) <= before


def bisect(is_stable_at: Callable[[float], bool], guess: float, halvings: int = HALVINGS) -> Bracket:
    """Bisect in log(lr) from ``guess / 16`` to ``4 * guess``, stretched until one end is stable and the other is not.

    Args:
        is_stable_at: tries a constant rate; never called twice with one rate, and at most ``halvings`` times besides
            once for each end and each stretch.
        guess: expected edge, such as that of a ramp.
        halvings: number of halvings of the bracket.
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
        return stable, unstable  # the unstable end was already tried while stretching downwards
    for _ in range(MOST_STRETCHES):
        if not is_stable_at(unstable):
            return stable, unstable
        stable, unstable = unstable, unstable * ABOVE
    return stable, math.inf
