"""Many searches of one data set: each begins where the one before looked best on the same test part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from superconv_tune.verdict.calibration import library
from superconv_tune.verdict.verdict import ALPHA, Case, Evidence, Target

SEARCHES = 50
ITEMS = 400
MODELS = 3
EASY = 1.5  # mean log odds of being right on an item
COMMON = 1.5  # standard deviation of the log odds between items

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Hunt:
    """Searches of which each varies the recipe that did best on the test part so far; none is truly better.

    Attributes:
        own: how much the log odds of an item differ between recipes.
        kept: correlation of a recipe's with those of the best so far.
    """

    own: float
    kept: float

    def chance(self, own: Array, common: Array) -> Array:
        """Probability that a recipe's model is right on each item."""
        return 1.0 / (1.0 + np.exp(-(EASY + COMMON * common + self.own * own)))

    @property
    def truth(self) -> float:
        """Accuracy of every recipe on fresh data."""
        rng = np.random.default_rng(0)
        return float(self.chance(rng.standard_normal(2_000_000), rng.standard_normal(2_000_000)).mean())


def adaptive_searches(hunt: Hunt, target: float, seed: int, *, shares_ledger: bool) -> bool:
    """Whether one of the searches demonstrates the target."""
    rng = np.random.default_rng(seed)
    common, best, reached = rng.standard_normal(ITEMS), np.zeros(ITEMS), 0.0
    for search in range(1, SEARCHES + 1):
        own = hunt.kept * best + np.sqrt(1.0 - hunt.kept**2) * rng.standard_normal(ITEMS)
        correct = rng.random((MODELS, ITEMS)) < hunt.chance(own, common)
        values = correct.mean(axis=1)
        others = tuple(map(str, range(1, search))) if shares_ledger else ()
        looks = search if shares_ledger else 1
        evidence = Evidence(tuple(values), correct, looks, (), validation_items=500, epochs=9.0, others=others)
        case = Case.of(Target("accuracy", "max", target), evidence, library())
        assert case is not None
        if case.word == "demonstrated":
            return True
        if values.mean() > reached:
            best, reached = own, float(values.mean())
    return False


@pytest.mark.parametrize("hunt", [Hunt(own=0.7, kept=0.7), Hunt(own=1.2, kept=0.9)], ids=["usual", "obstinate"])
def test_fifty_adaptive_searches_that_share_a_ledger_rarely_demonstrate_what_is_not_so(hunt: Hunt) -> None:
    target, rounds = hunt.truth + 0.001, 60
    false = sum(adaptive_searches(hunt, target, seed, shares_ledger=True) for seed in range(rounds))
    assert false / rounds <= ALPHA
    alone = sum(adaptive_searches(hunt, target, seed, shares_ledger=False) for seed in range(rounds))
    assert alone / rounds > 3.0 * ALPHA  # what the ledger is for
