"""Whether a fresh training reaches the target often enough: levels, with trainings that collapse, and power."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from superconv_tune.verdict.reliability import (
    COUNTED_SHARE,
    MIN_MODELS,
    MOST_FAILURES,
    Trainings,
    least_models,
    least_p,
    p_value,
    possible_failures,
)
from superconv_tune.verdict.statistics import confidence_above, over_seeds, proportion
from superconv_tune.verdict.verdict import ALPHA

TARGET = 0.9
ITEMS = 1000
HARD, HARD_ONES = 0.25, 0.6  # share of hard items, and how often they are right: 0.9 in all
PLANNED, MOST = 4, 8  # fresh models at the first look, and at the last


@dataclass
class Recipe:
    """Trainings of which a share collapses or diverges, while the others are normally distributed.

    Attributes:
        failing: share of trainings that fail, half of them without a value.
        above: by how much the others are better than the target on average.
        apart: their standard deviation.
    """

    failing: float
    above: float
    apart: float

    def trainings(self, rng: np.random.Generator) -> list[np.ndarray | None]:
        """Whether each model is right on each item; None for one that diverged."""
        is_hard = rng.random(ITEMS) < HARD
        found: list[np.ndarray | None] = []
        for failed, diverged in zip(rng.random(MOST) < self.failing, rng.random(MOST) < 0.5, strict=True):
            skill = (self.above + rng.normal(0.0, self.apart)) / HARD  # all of it shows on the hard items
            chance = np.full(ITEMS, 0.1) if failed else np.where(is_hard, np.clip(HARD_ONES + skill, 0.0, 1.0), 1.0)
            found.append(None if failed and diverged else rng.random(ITEMS) < chance)
        return found


def of(found: list[np.ndarray | None]) -> Trainings | None:
    """As the verdict would count them; None if too few ended well."""
    well = [each for each in found if each is not None]
    if len(well) < MIN_MODELS:
        return None
    return Trainings([float(each.mean()) for each in well], proportion(np.stack(well)), len(found) - len(well), ITEMS)


def demonstrated(found: list[np.ndarray | None], share: float, *, counts_failed: bool = True) -> bool:
    """Whether any look, after the fourth and every later training, demonstrates the target."""
    for look, number in enumerate(range(PLANNED, len(found) + 1), start=1):
        trainings = of(found[:number])
        if trainings is None:
            continue
        trainings = trainings if counts_failed else replace(trainings, failed=0)
        if p_value(trainings, TARGET, share) <= ALPHA / (look * (look + 1)):
            return True
    return False


def at_the_border(failing: float, apart: float, share: float) -> Recipe:
    """The best recipe that does not reach the target with probability ``share``."""
    return Recipe(failing, apart * float(stats.norm.ppf(share / (1.0 - failing))), apart)


@pytest.mark.parametrize("failing", [0.0, 0.02, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("apart", [0.002, 0.02])
def test_with_trainings_that_collapse_a_demonstration_is_rarely_false(failing: float, apart: float) -> None:
    rng = np.random.default_rng([round(1000 * failing), round(1000 * apart)])
    recipe, rounds = at_the_border(failing, apart, share=0.5), 400
    false = sum(demonstrated(recipe.trainings(rng), 0.5) for _ in range(rounds))
    assert false / rounds <= ALPHA


def test_a_higher_reliability_is_not_demonstrated_by_what_reaches_it_less_often() -> None:
    rng = np.random.default_rng(1)
    for recipe in (at_the_border(0.1, 0.02, 0.75), Recipe(failing=0.2, above=0.08, apart=0.001)):
        share = 0.75 if recipe.apart == 0.02 else 0.9
        assert sum(demonstrated(recipe.trainings(rng), share) for _ in range(300)) / 300 <= ALPHA


def test_three_or_four_good_models_well_above_the_target_are_enough() -> None:
    rng, rounds = np.random.default_rng(2), 100
    recipe = Recipe(failing=0.0, above=0.04, apart=0.003)
    for models in (3, 4):
        found = [of(recipe.trainings(rng)[:models]) for _ in range(rounds)]
        sure = [p_value(trainings, TARGET, 0.5) <= ALPHA / 2.0 for trainings in found if trainings is not None]
        assert len(sure) == rounds
        assert np.mean(sure) >= 0.95


def test_many_models_demonstrate_the_target_though_some_of_them_failed() -> None:
    values = np.full(16, 0.95) + np.linspace(-0.01, 0.01, 16)
    good = Trainings(values.tolist(), over_seeds(values.tolist()), 0, 2000)
    assert p_value(replace(good, failed=3), TARGET, 0.5) < ALPHA / 2.0
    assert p_value(replace(good, failed=16), TARGET, 0.5) == 1.0  # half of them failed
    four = [0.95, 0.955, 0.96, 0.96]
    assert p_value(Trainings(four, over_seeds(four)), TARGET, 0.5) < ALPHA / 2.0
    assert p_value(Trainings(four, over_seeds(four), 1), TARGET, 0.5) > ALPHA / 2.0


def test_without_failures_the_median_is_tested_as_the_mean_was() -> None:
    """Up to the share of the level that the other test has: at one half no quantile is added."""
    spread = over_seeds([0.93, 0.94, 0.95, 0.96])
    found = p_value(Trainings([0.93, 0.94, 0.95, 0.96], spread), 0.935, 0.5)
    assert found == pytest.approx((1.0 - confidence_above(spread, 0.935)) / (1.0 - COUNTED_SHARE), rel=1e-6)


@pytest.mark.parametrize(("share", "models"), [(0.5, 3), (0.79, 3), (0.8, 18), (0.9, 38), (0.935, 59), (0.94, 64)])
def test_a_high_reliability_takes_many_models(share: float, models: int) -> None:
    assert least_models(share, ALPHA / 2.0) == models
    if models > MIN_MODELS:
        perfect = [1.0] * models
        enough, few = (Trainings(perfect[:n], over_seeds(perfect[:n])) for n in (models, models - 1))
        assert p_value(enough, 0.5, share) <= ALPHA / 2.0 < p_value(few, 0.5, share)


def test_what_three_models_cannot_exclude() -> None:
    """The exact binomial limit: 0.05 = (1 - p)^3."""
    assert possible_failures(3) == pytest.approx(1.0 - 0.05 ** (1 / 3))
    assert possible_failures(3) > MOST_FAILURES


@given(
    values=st.lists(st.floats(0.5, 1.0), min_size=3, max_size=8),
    failed=st.integers(0, 3),
    value=st.floats(0.4, 0.99),
    share=st.floats(0.5, 0.94),
    better=st.floats(0.0, 0.2),
)
def test_a_harder_question_is_never_surer(
    values: list[float], failed: int, value: float, share: float, better: float
) -> None:
    trainings = Trainings(values, over_seeds(values), failed, 500)
    luck = p_value(trainings, value, share)
    assert 0.0 < luck <= 1.0
    assert p_value(trainings, value + better, share) >= luck - 1e-9
    assert p_value(trainings, value, min(0.94, share + better)) >= luck - 1e-6
    assert p_value(replace(trainings, failed=failed + 1), value, share) >= luck - 1e-9


def test_models_that_are_equal_do_not_hide_the_noise_of_the_items() -> None:
    """Fits from other seeds may be the very same model, of which the test items may say too much good."""
    values, items_se = [0.8] * 16, 0.02
    equal = Trainings(values, over_seeds(values, items_se), items_se=items_se)
    assert p_value(equal, 0.799, 0.5) > ALPHA / 2.0
    assert p_value(equal.mirrored, -0.801, 0.5) > ALPHA / 2.0
    assert p_value(equal, 0.72, 0.5) < ALPHA / 2.0


@given(
    values=st.lists(st.floats(0.05, 0.95), min_size=2, max_size=12),
    failed=st.integers(0, 4),
    share=st.sampled_from([0.5, 0.75, 0.8, 0.9, 0.95]),
)
def test_no_trainings_have_a_lower_p_value_than_those_that_passed_any_target(
    values: list[float], failed: int, share: float
) -> None:
    least = least_p(len(values), failed, share)
    trainings = Trainings(values, over_seeds(values), failed)
    assert p_value(trainings, 0.5, share) >= least - 1e-12
    assert p_value(trainings, -1e9, share) == pytest.approx(least, abs=1e-9)


def test_one_training_is_no_evidence_whatever_it_reached() -> None:
    assert least_p(1, 0, 0.5) == least_p(3, 1, 0.5) == least_p(4, 0, 0.95) == 1.0
    assert least_p(3, 0, 0.5) < ALPHA / 100
