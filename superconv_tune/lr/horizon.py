"""How the best peak learning rate moves with the length of the cycle."""

from __future__ import annotations

import math
from dataclasses import dataclass

SATURATION = 27.0  # multiple of the reference length (three rungs) beyond which the rule is constant, for lack of data

# The exponent by optimizer, fitted without the family of tasks on which it is evaluated
# (benchmarks/range_test/regret.md). With SGD every such fit gives 0.1, and 0.25 or more makes long cycles diverge. With
# AdamW exponents between -0.2 and 0 differ by less than the noise, and nothing is known of others. It serves where no
# trial of that length can be run.
EXPONENTS: dict[str, float] = {"sgd": 0.1}


@dataclass(frozen=True)
class HorizonRule:
    """``max_lr(T) = min(edge, reference_lr * (T / reference_epochs)^exponent)``.

    Attributes:
        reference_lr: best peak learning rate of a cycle of ``reference_epochs``.
        reference_epochs: length of that cycle.
        exponent: exponent of the length, see `EXPONENTS`.
        edge: largest peak that trained without losing what it learned; None if unknown. Never lowers ``reference_lr``.
    """

    reference_lr: float
    reference_epochs: float
    exponent: float
    edge: float | None = None

    def max_lr(self, epochs: float) -> float:
        """The peak learning rate for a cycle of ``epochs``."""
        ratio = min(max(epochs / self.reference_epochs, 1.0 / SATURATION), SATURATION)
        pick = self.reference_lr * math.pow(ratio, self.exponent)
        if self.edge is None:
            return pick
        return min(pick, max(self.edge, self.reference_lr))


def exponent_of(optimizer: str) -> float:
    """The exponent of the length; 0 for an optimizer of which nothing is known."""
    return EXPONENTS.get(optimizer, 0.0)
