"""Limits over groups: those of Clopper and Pearson where they must be, and their coverage where groups are planted."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from superconv_tune.verdict.groups import Groups
from superconv_tune.verdict.reliability import MIN_MODELS, Trainings, p_value
from superconv_tune.verdict.statistics import Spread, confidence_above, interval, proportion

Array = NDArray[np.float64]
SIDE = 1.96  # normal score of 97.5 %
MODELS = 3


@pytest.mark.parametrize(("right", "of"), [(27, 30), (8, 8), (1, 5), (90, 100), (0, 12)])
def test_groups_that_are_all_right_or_all_wrong_are_trials(right: int, of: int) -> None:
    groups = Groups(np.repeat([1.0, 0.0], [right, of - right]), np.ones(of))
    low, high = groups.limits(SIDE)
    exact = stats.binomtest(right, of).proportion_ci(2.0 * stats.norm.cdf(SIDE) - 1.0, "exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=2e-3)


def test_limits_are_quantiles_of_the_bootstrap_with_an_unseen_group() -> None:
    rng = np.random.default_rng(0)
    right, weights = rng.beta(5.0, 1.0, 9), rng.uniform(0.5, 2.0, 9)
    groups = Groups(right, weights / weights.mean())
    drawn = rng.exponential(size=(200_000, 10)) * np.append(groups.weights, 1.0)
    means = drawn[:, :9] @ right / drawn.sum(axis=1)
    for quantile in (0.001, 0.025, 0.3, 0.5, 0.8):
        score = groups.score(float(np.quantile(means, quantile)))
        assert stats.norm.sf(score) == pytest.approx(quantile, rel=0.2)


def test_the_score_is_continuous_where_half_of_the_weight_lies() -> None:
    groups = Groups(np.array([1.0, 0.9, 0.8, 0.95]), np.ones(4))
    centre = float(groups.right.sum()) / 5.0  # where the saddlepoint is 0
    around = [groups.score(centre + apart) for apart in (-1e-3, -1e-6, 0.0, 1e-6, 1e-3)]
    assert np.diff(around) == pytest.approx([-5.8e-3, -5.8e-6, -5.8e-6, -5.8e-3], rel=0.3)


@settings(max_examples=60, deadline=None)
@given(
    right=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=20),
    better=st.lists(st.floats(0.0, 1.0), min_size=20, max_size=20),
    value=st.floats(0.01, 0.99),
)
def test_better_groups_are_never_less_sure(right: list[float], better: list[float], value: float) -> None:
    before = Groups(np.array(right), np.ones(len(right)))
    after = Groups(np.maximum(right, better[: len(right)]), np.ones(len(right)))
    assert after.score(value) >= before.score(value) - 1e-6


def test_one_item_per_group_counts_about_as_much_as_items_without_groups() -> None:
    correct = np.random.default_rng(0).random((3, 400)) < 0.8
    alone, grouped = proportion(correct), proportion(correct, np.arange(400, dtype=np.int64))
    assert grouped.mean == alone.mean
    assert grouped.se == pytest.approx(alone.se, rel=0.15)
    assert interval(grouped, 0.95) == pytest.approx(interval(alone, 0.95), abs=0.01)


def test_an_interval_inverts_the_confidence() -> None:
    correct, groups = planted(np.random.default_rng(1), 20, 0.9, 0.3)
    spread = proportion(correct, groups)
    low, high = interval(spread, 0.9)
    assert low < spread.mean < high
    assert confidence_above(spread, low) == pytest.approx(0.95, abs=1e-4)
    assert confidence_above(spread, low + 1e-3) < 0.95
    assert confidence_above(spread, 0.0) == 1.0
    assert confidence_above(spread, 1.0) == 0.0
    assert confidence_above(spread, spread.mean) < 0.5  # an unseen group may be all wrong


def planted(
    rng: np.random.Generator, number: int, share: float, alike: float, *, uneven: bool = True, failing: float = 0.0
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Models on items of groups, of which each is right with a probability of its own.

    Args:
        rng: source of all draws.
        number: of groups.
        share: of items that are right, on average over all groups.
        alike: correlation of two items of one group.
        uneven: whether groups are of very different sizes.
        failing: share of groups of which all items are wrong; the others are right equally often.
    """
    sizes = np.maximum(2, (15 * rng.lognormal(0.0, 0.8 if uneven else 0.0, number)).astype(int))
    if failing:
        chances = np.where(rng.random(number) < failing, 0.0, share / (1.0 - failing))
    else:
        scale = 1.0 / alike - 1.0
        chances = rng.beta(share * scale, (1.0 - share) * scale, number)
    groups = np.repeat(np.arange(number), sizes)
    hard, is_same = rng.random(len(groups)), rng.random(len(groups)) < 0.6  # models agree on most items
    drawn = np.where(is_same, hard, rng.random((MODELS, len(groups))))
    return drawn < chances[groups], groups.astype(np.int64)


PLANTED = {
    "a little alike": {"alike": 0.05},
    "alike": {"alike": 0.3},
    "nearly the same": {"alike": 0.7},
    "one in twenty fails": {"alike": 0.0, "failing": 0.05},
}


@pytest.mark.parametrize("kind", PLANTED)
def test_intervals_hold_where_items_of_a_group_are_alike(kind: str) -> None:
    """95 % intervals; the lower limit is what a demonstration rests on."""
    rng = np.random.default_rng(list(PLANTED).index(kind))
    missed, above, number = 0, 0, 0
    for groups in (5, 12, 40):
        for share in (0.7, 0.9):
            for _ in range(12):
                low, high = interval(proportion(*planted(rng, groups, share, **PLANTED[kind])), 0.95)  # type: ignore[arg-type]
                missed += not low <= share <= high
                above += share < low
                number += 1
    assert missed <= 7  # of 72; 3.6 are to be expected
    assert above <= 4  # 1.8 are to be expected


def test_items_alone_would_hide_what_groups_show() -> None:
    rng = np.random.default_rng(0)
    missed = [0, 0]
    for _ in range(40):
        correct, groups = planted(rng, 12, 0.8, 0.3)
        for place, known in enumerate((None, groups)):
            low, high = interval(proportion(correct, known), 0.95)
            missed[place] += not low <= 0.8 <= high
    assert missed[0] > 20
    assert missed[1] <= 5


@pytest.mark.parametrize("failing", [0.0, 0.02, 0.1])
def test_groups_that_fail_unseen_are_rarely_demonstrated_away(failing: float) -> None:
    """The target is just missed, because of groups that are all wrong and hardly ever in the test part."""
    rng = np.random.default_rng(7)
    demonstrated = items_alone = 0
    for _ in range(40):
        share = 0.99 * (1.0 - failing)
        correct, groups = planted(rng, 20, share, 0.3, uneven=False, failing=failing)
        values = [float(row.mean()) for row in correct]
        alone = [Groups.of(row, groups) for row in correct]
        assert len(values) >= MIN_MODELS
        counted = Trainings(values, proportion(correct, groups), 0, correct.shape[1], alone)
        naive = Trainings(values, proportion(correct), 0, correct.shape[1])
        demonstrated += p_value(counted, share + 0.002, 0.5) <= 0.025
        items_alone += p_value(naive, share + 0.002, 0.5) <= 0.025
    assert demonstrated <= 3
    if failing == 0.02:
        assert items_alone > 13


def test_many_good_groups_demonstrate() -> None:
    correct, groups = planted(np.random.default_rng(0), 150, 0.97, 0.1)
    values = [float(row.mean()) for row in correct]
    alone = [Groups.of(row, groups) for row in correct]
    trainings = Trainings(values, proportion(correct, groups), 0, correct.shape[1], alone)
    assert p_value(trainings, 0.9, 0.5) < 0.01
    assert p_value(trainings, 0.97, 0.5) > 0.2
    assert math.isclose(trainings.spread.mean, float(correct.mean()))


def usual_lower_limit(correct: NDArray[np.bool_], groups: NDArray[np.int64]) -> float:
    """From the standard error over groups (linearised ratio) and Student's t, in Wilson's form."""
    right = correct.mean(axis=0)
    mean, number = float(right.mean()), int(groups.max()) + 1
    rest = np.bincount(groups, weights=right - mean)
    variance = max(number / (number - 1) * float(rest @ rest) / len(right) ** 2, float(right.var(ddof=1)) / len(right))
    items = mean * (1.0 - mean) / variance if variance > 0.0 else number
    return interval(Spread(mean, math.sqrt(variance), number - 1.0, items), 0.95)[0]


def shares_above(*, failing: float = 0.0, alike: float = 0.0) -> tuple[float, float]:
    """Shares of 97.5 % lower limits that lie above the truth: ours, and the usual ones."""
    rng = np.random.default_rng([round(100 * failing), round(100 * alike)])
    above = []
    for number, share, uneven in itertools.product((4, 12, 40), (0.7, 0.88), (False, True)):
        for _ in range(20):
            found = planted(rng, number, share, alike, uneven=uneven, failing=failing)
            above.append((confidence_above(proportion(*found), share) > 0.975, usual_lower_limit(*found) > share))
    ours, usual = np.mean(above, axis=0)
    return float(ours), float(usual)


@pytest.mark.slow
def test_lower_limits_hold_over_the_whole_grid_where_the_usual_ones_fail() -> None:
    """The figures of docs/how_it_decides.md; 240 test parts behind each share."""
    found = [shares_above(alike=alike) for alike in (0.05, 0.2, 0.5, 0.8)]
    found += [shares_above(failing=failing) for failing in (0.02, 0.05, 0.1)]
    ours, usual = np.array(found).T
    assert max(ours) <= 0.045, found  # 2.5 % and two standard errors
    assert max(usual) >= 0.15, found
