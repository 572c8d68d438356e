"""Searches over configurations: what they draw, what they deliver, and how a delivered one is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmarks.claims.cycles import BLOCKS, NAMES, Cycle, Percent
from benchmarks.range_test import findings
from benchmarks.range_test.regret import Finding, ours
from superconv_tune.core.space import Interval
from superconv_tune.spec.spec import ExperimentSpec, search_space

WIDE = Interval(1e-4, 1.0, log=True)  # learning rates of somebody who ran no range test
SPACE = search_space(ExperimentSpec.model_validate({"name": "claims", "data": "digits"}))
OTHERS = ("base_momentum", "momentum_width", "weight_decay", "pct_start")
# Keys of the random streams of a search
DRAWS, TRIALS, CONFIRMATION, TRUTH, LADDER = range(5)


@dataclass(frozen=True)
class Candidate:
    """A configuration without its length.

    Attributes:
        lr: the peak, or the factor on the range test's pick.
        base_momentum: as in `Hyperparameters`, like the next three.
        momentum_width: see there.
        weight_decay: see there.
        pct_start: see there.
    """

    lr: float
    base_momentum: float
    momentum_width: float
    weight_decay: float
    pct_start: float

    def cycle(self, name: str, epochs: float, max_lr: float, seed: int) -> Cycle:
        """A whole cycle of it."""
        return Cycle(
            task=name,
            epochs=epochs,
            max_lr=float(f"{max_lr:.4g}"),
            seed=seed,
            base_momentum=self.base_momentum,
            momentum_width=self.momentum_width,
            weight_decay=self.weight_decay,
            pct_start=self.pct_start,
        )


def draw(rates: Interval, rng: np.random.Generator) -> Candidate:
    """A random configuration; the learning rate from ``rates``, all else from the project's default space."""
    others = {name: _draw(SPACE[name], rng) for name in OTHERS}  # first, so that they are the same for all rates
    return Candidate(_draw(rates, rng), **others)


def _draw(dimension: object, rng: np.random.Generator) -> float:
    assert isinstance(dimension, Interval)
    low, high = dimension.low, dimension.high
    value = np.exp(rng.uniform(np.log(low), np.log(high))) if dimension.log else rng.uniform(low, high)
    return float(f"{value:.4g}")


def narrowed() -> Interval:
    """The factors on the range test's pick that a search of this project draws from."""
    dimension = SPACE["lr_multiplier"]
    assert isinstance(dimension, Interval)
    return dimension


def seeds(*key: int) -> Iterator[int]:
    """Endless seeds of a stream of their own."""
    rng = np.random.default_rng(key)
    while True:
        yield int(rng.integers(2**31))


def draws(rates: Interval, name: str, search: int) -> Iterator[Candidate]:
    """Endless configurations of a search."""
    rng = np.random.default_rng([DRAWS, NAMES.index(name), search])
    while True:
        yield draw(rates, rng)


@dataclass(frozen=True)
class Parts:
    """Which blocks of the held-out examples a search calls its own; they go round, so that no block's luck stays.

    Attributes:
        validation: what it looks at.
        test: what its confirmation reads.
    """

    validation: int
    test: int

    @staticmethod
    def of(name: str, search: int) -> Parts:
        """The parts of a search of a model, by its number."""
        first = search * len(NAMES) + NAMES.index(name)
        return Parts(first % BLOCKS, (first + 1) % BLOCKS)

    def truth(self, found: Sequence[Percent]) -> float:
        """Mean accuracy in percent over fresh models, on the blocks that the search has not seen."""
        unseen = [block for block in range(BLOCKS) if block not in (self.validation, self.test)]
        return float(np.mean([each[-1, unseen] for each in found]))


def pick(name: str, search: int, epochs: float) -> float:
    """The peak that the range test of a search says for cycles of so many epochs."""
    found = _findings(name)
    return ours(found[search % len(found)], epochs)


@cache
def _findings(name: str) -> list[Finding]:
    return [found for found in findings.read() if (found["task"], found["optimizer"]) == (name, "sgd")]
