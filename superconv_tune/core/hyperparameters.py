"""One point of the search space."""

from __future__ import annotations

from dataclasses import dataclass

WHOLE_NUMBERS = ("batch_size", "augment")


@dataclass(frozen=True)
class Hyperparameters:
    """One point of the search space, under the names used from YAML to MLflow.

    Attributes:
        cycle_epochs: length of the one cycle, in epochs; may be fractional, and is less than the least one of the range
            where the time has no room for such cycles.
        lr_multiplier: the trial's ``max_lr`` divided by the learning rate that was picked for its rung.
        base_momentum: lowest momentum, reached where the learning rate is highest.
        momentum_width: ``max_momentum - base_momentum``; the width is searched so that it can never be negative.
        weight_decay: passed to the optimizer unchanged, for weights of two or more dimensions only.
        pct_start: share of the cycle in which the learning rate rises.
        div_factor: ``max_lr`` divided by the first learning rate.
        final_div_factor: first learning rate divided by the last one.
        batch_size: examples per optimizer step.
        label_smoothing: share of the target probability that is spread over all classes.
        augment: 1 to change training images as ``data.augment`` says, 0 to leave them as they are.
    """

    cycle_epochs: float = 1.0
    lr_multiplier: float = 1.0
    base_momentum: float = 0.85
    momentum_width: float = 0.1
    weight_decay: float = 5e-4
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    batch_size: int = 128
    label_smoothing: float = 0.0
    augment: int = 1

    @property
    def max_momentum(self) -> float:
        """Highest momentum, at both ends of the cycle; at most 0.99, because at 1 old gradients would never decay."""
        return min(0.99, self.base_momentum + self.momentum_width)
