"""The division of the time budget over lengths."""

from __future__ import annotations

import pytest

from superconv_tune.core.space import Interval
from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.divide import SCALING_WAVES, divide
from superconv_tune.record.plan import Plan
from superconv_tune.record.study import Study
from tests.simulated import SPACE, brief, opened

LEFT_S, WORKERS = 300.0, 2


def plan(longest: float, left_s: float = LEFT_S) -> Plan:
    how = brief(None, baselines=(), space={**SPACE, "cycle_epochs": Interval(1.0, longest, log=True)})
    return divide(how, CostModel.of(Study(opened(left_s, WORKERS))), WORKERS, left_s)


def seconds(found: Plan) -> list[float]:
    """Worker-seconds of every rung."""
    return [rung.width * each_s for rung, each_s in zip(found.rungs, found.trial_s, strict=True)]


def test_a_top_length_that_fills_its_share_leaves_the_share_of_the_shorter_ones() -> None:
    found, share = plan(1000.0), brief().division.lower_share
    shortest, *lower, _ = seconds(found)
    assert found.rungs[-1].epochs < 1000.0
    assert shortest == pytest.approx(share * WORKERS * LEFT_S / (1 + len(lower)), rel=0.1)
    assert found.run_off_s < 0.02 * LEFT_S


@pytest.mark.parametrize("longest", [30.0, 60.0])
def test_time_that_the_longest_allowed_cycle_cannot_use_goes_to_every_length(longest: float) -> None:
    capped, shares = plan(longest), brief().division
    assert capped.rungs[-1].epochs == longest
    shortest, *lower, _ = seconds(capped)
    waves = 1 + capped.confirm_seeds // WORKERS + SCALING_WAVES / WORKERS
    spare_s = WORKERS * (shares.top_share * LEFT_S - waves * capped.trial_s[-1])
    run_off_s = WORKERS * capped.run_off_s
    assert 0.0 < run_off_s <= spare_s / 2.0
    share_s = shares.lower_share * WORKERS * LEFT_S / (1 + len(lower))
    part_s = share_s + min(share_s, (spare_s - run_off_s) / len(capped.rungs))
    for rung_s, trial_s in zip((shortest, lower[0]), capped.trial_s, strict=False):
        assert part_s - WORKERS * trial_s < rung_s <= part_s  # whole waves
    whole = run_off_s + sum(seconds(capped)) + capped.confirm_seeds * capped.trial_s[-1] + WORKERS * capped.scaling_s
    assert whole <= WORKERS * LEFT_S


def test_a_plan_at_the_longest_allowed_length_grows_wider_with_more_time() -> None:
    plans = [plan(10.0, left_s) for left_s in (300.0, 600.0, 1200.0)]
    assert {found.rungs[-1].epochs for found in plans} == {10.0}
    widths = [sum(rung.width for rung in found.rungs[:-1]) for found in plans]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_if_the_sampler_chooses_the_lengths_no_time_is_reserved_for_a_run_off() -> None:
    how = brief(None, strategy="free", baselines=())
    assert divide(how, CostModel.of(Study(opened(LEFT_S, WORKERS))), WORKERS, LEFT_S).run_off_s == 0.0


def test_a_budget_too_small_for_the_shortest_cycles_is_marked_and_has_one_rung() -> None:
    found = plan(30.0, left_s=1.0)
    assert found.is_too_small
    assert [rung.epochs for rung in found.rungs] == [1.0]
    assert found.scaling_s == 0.0
    assert not plan(30.0).is_too_small
