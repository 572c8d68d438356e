"""The values that a trial passes to its schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.options import Checked, Limits, Positive, Share

AtLeastOne = Annotated[float, Limits(least=1)]


@dataclass(frozen=True, kw_only=True)
class Span(Checked):
    """The length of a run, its peak learning rate, and the limits of momentum, weight decay and learning rate.

    Attributes:
        steps: number of optimizer steps.
        max_lr: the peak learning rate.
        base_momentum: momentum where the learning rate is highest.
        max_momentum: momentum where the learning rate is lowest, and throughout for a policy without a cycle, which
            has no phase of high rates that a lower momentum must stabilise.
        weight_decay: weight decay; where it is cycled, its value at the ends.
        pct_start: share of the run in which a one-cycle rises.
        div_factor: peak divided by the first learning rate; cyclical policies have the floor ``max_lr / div_factor``.
        final_div_factor: first divided by the last learning rate.
    """

    steps: Annotated[int, Limits(least=1)]
    max_lr: Positive
    base_momentum: Share = 0.85
    max_momentum: Share = 0.95
    weight_decay: Annotated[float, Limits(least=0)] = 5e-4
    pct_start: Share = 0.3
    div_factor: AtLeastOne = 25.0
    final_div_factor: AtLeastOne = 1e4

    def __post_init__(self) -> None:
        """Check every limit.

        Raises:
            ValueError: with what is wrong and which value was given.
        """
        super().__post_init__()
        if self.base_momentum > self.max_momentum:
            raise ValueError(
                f"base_momentum must not exceed max_momentum, but got {self.base_momentum} and {self.max_momentum}."
            )

    @staticmethod
    def of(params: Hyperparameters, steps: int, max_lr: float) -> Span:
        """The span of a run with these hyperparameters; ``max_lr`` already includes ``lr_multiplier``."""
        return Span(
            steps=steps,
            max_lr=max_lr,
            base_momentum=params.base_momentum,
            max_momentum=params.max_momentum,
            weight_decay=params.weight_decay,
            pct_start=params.pct_start,
            div_factor=params.div_factor,
            final_div_factor=params.final_div_factor,
        )

    @property
    def min_lr(self) -> float:
        """The first learning rate of a cycle: ``max_lr / div_factor``."""
        return self.max_lr / self.div_factor

    @property
    def final_lr(self) -> float:
        """The last learning rate, above 0 so that the last step still moves: ``min_lr / final_div_factor``."""
        return self.min_lr / self.final_div_factor
