"""What is searched, and within which limits: the ``space`` of a spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from superconv_tune.spec.fields import Number, Section


class Range(Section):
    """A number between two ends.

    Attributes:
        low: least value, included.
        high: greatest value, included.
        log: whether its logarithm is drawn uniformly.
    """

    low: Number
    high: Number
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> Range:
        if self.low > self.high:
            raise ValueError(f"the range is inverted: low {self.low:g} is above high {self.high:g}. Swap them")
        if self.low == self.high:
            raise ValueError(f"the range is empty: low and high are {self.low:g}. Write the plain number to fix it")
        if self.log and self.low <= 0:
            raise ValueError(f"a log range starts above 0, but got low {self.low:g}. Raise low, or drop log")
        return self


def _distinct(values: tuple[int | float, ...]) -> tuple[int | float, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"lists a value twice: {list(values)}. Name each choice once")
    return values


def _shape(value: object) -> str:
    if isinstance(value, dict | Range):
        return "range"
    return "choices" if isinstance(value, list | tuple) else "number"


Choices = Annotated[tuple[Number, ...], Field(min_length=1), AfterValidator(_distinct)]
SHAPES = ("range", "choices", "number")  # pydantic adds them to the location of an error
Dimension = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")] | Annotated[Number, Tag("number")],
    Discriminator(_shape),
]


def values(dimension: Dimension) -> tuple[int | float, ...]:
    """The ends of a range, all choices, or the one number."""
    if isinstance(dimension, Range):
        return dimension.low, dimension.high
    return dimension if isinstance(dimension, tuple) else (dimension,)


def _within(low: float, high: float) -> Callable[[Dimension], Dimension]:
    def check(dimension: Dimension) -> Dimension:
        wrong = [value for value in values(dimension) if not low <= value <= high]
        if wrong:
            raise ValueError(f"must lie between {low:g} and {high:g}, but got {wrong[0]:g}")
        return dimension

    return check


def _whole_sizes(dimension: Dimension) -> Dimension:
    if isinstance(dimension, Range):
        raise ValueError("takes a list of sizes, not a range. Write for example [64, 128, 256]")
    wrong = [value for value in values(dimension) if value != int(value)]
    if wrong:
        raise ValueError(f"must be whole numbers, but got {wrong[0]:g}")
    return dimension if isinstance(dimension, tuple) else int(dimension)


def _zero_or_one(dimension: Dimension) -> Dimension:
    if isinstance(dimension, Range) or set(values(dimension)) - {0, 1}:
        raise ValueError("takes 0, 1 or the list [0, 1]: without the augmentations of data.augment, with them, or both")
    return tuple(map(int, dimension)) if isinstance(dimension, tuple) else int(dimension)


LARGE = 1e9  # upper limit of dimensions that have no natural one

Epochs = Annotated[Dimension, AfterValidator(_within(0.01, LARGE))]
Factor = Annotated[Dimension, AfterValidator(_within(1e-3, 1e3))]
Momentum = Annotated[Dimension, AfterValidator(_within(0.0, 0.99))]
Fraction = Annotated[Dimension, AfterValidator(_within(0.0, 1.0))]
Divisor = Annotated[Dimension, AfterValidator(_within(1.0, LARGE))]
Switch = Annotated[Dimension, AfterValidator(_zero_or_one)]
BatchSize = Annotated[Dimension, AfterValidator(_within(1, LARGE)), AfterValidator(_whole_sizes)]


class Space(Section):
    """One dimension per hyperparameter: a range, a list of choices, or a number that fixes it.

    The defaults follow the literature (Smith 2018, arXiv:1803.09820, sections 4 and 5), narrowed by pilot runs; what
    made no difference in them is fixed.
    """

    cycle_epochs: Epochs = Range(low=1, high=300, log=True)
    lr_multiplier: Factor = Range(low=0.35, high=2.0, log=True)
    base_momentum: Momentum = Range(low=0.80, high=0.90)
    momentum_width: Momentum = Range(low=0.0, high=0.12)
    weight_decay: Fraction = Range(low=1e-5, high=1e-1, log=True)
    pct_start: Fraction = Range(low=0.1, high=0.5)
    div_factor: Divisor = 25.0
    final_div_factor: Divisor = 1e4
    batch_size: BatchSize = (32, 64, 128, 256)
    label_smoothing: Annotated[Dimension, AfterValidator(_within(0.0, 0.9))] = 0.0
    augment: Switch = 1


# Names that people look for here, and what they want instead.
ELSEWHERE = {
    "max_lr": "The range test finds the peak; search the factor on it, lr_multiplier.",
    "lr": "The range test finds the peak; search the factor on it, lr_multiplier.",
    "learning_rate": "The range test finds the peak; search the factor on it, lr_multiplier.",
    "min_lr": "It follows from the peak; set div_factor and final_div_factor.",
    "max_momentum": "Search momentum_width = max_momentum - base_momentum, so that no draw is inverted.",
    "momentum": "Search base_momentum and momentum_width; the cycle runs between base and base + width.",
    "epochs": "The length of the cycle is called cycle_epochs.",
    "scheduler": "It is a key of the file itself, and only fifo is supported.",
}
