"""One point of the search space."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hyperparameters:
    """One point of the search space, under the names used from YAML to MLflow.

    Attributes:
        cycle_epochs: length of the one cycle, in epochs; may be fractional.
        lr_multiplier: the trial's ``max_lr`` over the pick that is frozen for its rung.
        base_momentum: lowest momentum, reached where the learning rate is highest.
        momentum_width: ``max_momentum - base_momentum``; the width is searched so that no draw can be inverted.
        weight_decay: decoupled from nothing: handed to the optimizer as it is, for weights of two or more dimensions.
        pct_start: share of the cycle in which the learning rate rises.
        div_factor: ``max_lr`` over the first learning rate.
        final_div_factor: first learning rate over the last one.
        batch_size: examples per optimizer step.
        label_smoothing: share of the target spread over all classes.
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

    @property
    def max_momentum(self) -> float:
        """Highest momentum, at both ends of the cycle; kept below 1, where momentum would never forget."""
        return min(0.99, self.base_momentum + self.momentum_width)
