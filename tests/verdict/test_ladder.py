"""Which configuration of the longest cycles is confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.yardstick import Direction, Yardstick
from superconv_tune.record.trial import Status, Trial
from superconv_tune.verdict.ladder import contenders, origin_of, rungs, winner
from superconv_tune.verdict.statistics import wilson
from tests.record.story import Story

ITEMS = 1_000


def study_of(*trials: tuple[float, float, Status], rung: int = 1, story: Story | None = None) -> Story:
    """A study with search trials of one rung, given as peak, value and status; a repeated peak is a fresh seed."""
    story = story or Story()
    first: dict[float, Trial] = {}
    for max_lr, value, status in trials:
        if max_lr in first:
            story.again(first[max_lr], value, status)
        else:
            params = Hyperparameters(cycle_epochs=10.0 ** (rung + 1))
            first[max_lr] = story.searched(max_lr, value, status, rung, params)
    return story


def finished(*trials: tuple[float, float]) -> list[tuple[float, float, Status]]:
    return [(max_lr, value, "finished") for max_lr, value in trials]


def yardstick(items: int | None = ITEMS, direction: Direction = "max") -> Yardstick:
    return Yardstick("metric", direction, items)


def peaks(story: Story, items: int | None = ITEMS, direction: Direction = "max") -> list[float]:
    found = contenders(story.study, yardstick(items, direction))
    assert all(each.origin == origin_of(trial) for each in found for trial in each.trials)
    return [story.study.trial(each.origin).max_lr for each in found]


def chosen(story: Story, items: int | None = ITEMS, direction: Direction = "max") -> float | None:
    found = winner(story.study, yardstick(items, direction))
    return None if found is None else found.max_lr


def test_without_a_whole_cycle_there_is_no_winner() -> None:
    assert chosen(study_of()) is None
    assert chosen(study_of((0.1, 0.1, "diverged"))) is None


def test_among_single_trials_the_best_wins() -> None:
    assert chosen(study_of(*finished((0.1, 0.90), (0.2, 0.95), (0.3, 0.94)))) == 0.2
    assert chosen(study_of(*finished((0.1, 0.90), (0.2, 0.95))), direction="min") == 0.1


def test_a_lucky_trial_loses_to_one_that_did_nearly_as_well_twice() -> None:
    story = study_of(*finished((0.1, 0.952), (0.2, 0.950), (0.2, 0.951), (0.2, 0.951)))
    assert chosen(story) == 0.2
    assert len(contenders(story.study, yardstick())[0].trials) == 3


def test_a_second_seed_that_disappoints_counts() -> None:
    assert chosen(study_of(*finished((0.1, 0.96), (0.2, 0.95), (0.1, 0.92)))) == 0.2


@pytest.mark.parametrize(("second", "among"), [(0.945, [0.1, 0.2]), (0.90, [0.1])])
def test_only_configurations_within_the_noise_of_the_items_are_contenders(
    second: float, among: Sequence[float]
) -> None:
    assert peaks(study_of(*finished((0.1, 0.95), (0.2, second)))) == among


def test_without_a_number_of_items_the_best_mean_wins_alone() -> None:
    story = study_of(*finished((0.1, 0.30), (0.2, 0.31), (0.1, 0.33)))
    assert peaks(story, items=None, direction="min") == [0.2]


def test_a_configuration_with_a_diverged_seed_is_excluded_unless_all_have_one() -> None:
    shaky = [*finished((0.4, 0.97)), (0.4, 0.1, "diverged")]
    assert chosen(study_of(*shaky, *finished((0.2, 0.95)))) == 0.2
    assert chosen(study_of(*shaky)) == 0.4


def test_the_interval_of_a_rung_counts_groups() -> None:
    story = study_of(*finished((0.1, 0.90)), rung=0)
    (alone,) = rungs(story.study, yardstick())
    (trial,) = story.study.trials("search")
    story.study.outcomes[trial.request.trial_id] = replace(trial.outcome, validation_worth=20.0)
    (grouped,) = rungs(story.study, yardstick())
    assert (grouped.low, grouped.high) == wilson(0.90, 20, 0.95)
    assert grouped.low < alone.low < alone.high < grouped.high


def test_a_shorter_cycle_wins_only_past_the_interval_of_the_longest() -> None:
    for shorter, expected in ((0.955, 0.2), (0.99, 0.1)):
        story = study_of(*finished((0.1, shorter)), rung=0)
        assert chosen(study_of(*finished((0.2, 0.95)), rung=1, story=story)) == expected


def test_two_configurations_with_the_same_peak_are_two_contenders() -> None:
    """A seed of the first diverged; that must not exclude the second, which has another weight decay."""
    story = Story()
    shaky = story.searched(0.2, 0.97, rung=1)
    steady = story.searched(0.2, 0.95, rung=1, params=Hyperparameters(weight_decay=1e-3))
    story.again(shaky, 0.1, "diverged")
    again = story.again(steady, 0.94)
    (found,) = contenders(story.study, yardstick())
    assert found.trials == (steady, again)
    assert winner(story.study, yardstick()) == steady
