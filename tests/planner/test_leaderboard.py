"""What every family reached, and how sure that is."""

from __future__ import annotations

from dataclasses import replace

from superconv_tune.planner.leaderboard import leaderboard
from superconv_tune.verdict.statistics import wilson
from tests.record.story import Story
from tests.simulated import brief


def test_the_interval_of_a_validation_value_counts_groups() -> None:
    told = Story()
    trial = told.searched(0.2, 0.9)
    (alone,) = leaderboard(told.study, brief())
    assert (alone.low, alone.high) == wilson(0.9, 2000, 0.95)
    told.study.outcomes[trial.request.trial_id] = replace(trial.outcome, validation_worth=20.0)
    (grouped,) = leaderboard(told.study, brief())
    assert (grouped.low, grouped.high) == wilson(0.9, 20.0, 0.95)
