"""What every length reached, and which of the longest cycles is the best so far."""

from __future__ import annotations

from dataclasses import replace

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.yardstick import Direction, Yardstick
from superconv_tune.record.trial import Status
from superconv_tune.verdict.ladder import best_so_far, rungs
from superconv_tune.verdict.statistics import wilson
from tests.record.story import Story

ITEMS = 1_000


def study_of(*trials: tuple[float, float, Status], rung: int = 1, story: Story | None = None) -> Story:
    """A study with search trials of one rung, given as peak, value and status."""
    story = story or Story()
    for max_lr, value, status in trials:
        story.searched(max_lr, value, status, rung, Hyperparameters(cycle_epochs=10.0 ** (rung + 1)))
    return story


def finished(*trials: tuple[float, float]) -> list[tuple[float, float, Status]]:
    return [(max_lr, value, "finished") for max_lr, value in trials]


def yardstick(items: int | None = ITEMS, direction: Direction = "max") -> Yardstick:
    return Yardstick("metric", direction, items)


def chosen(story: Story, items: int | None = ITEMS, direction: Direction = "max") -> float | None:
    found = best_so_far(story.study, yardstick(items, direction))
    return None if found is None else found.max_lr


def test_without_a_whole_cycle_none_is_the_best() -> None:
    assert chosen(study_of()) is None
    assert chosen(study_of((0.1, 0.1, "diverged"))) is None


def test_the_best_of_the_longest_cycles_is_the_best_so_far() -> None:
    assert chosen(study_of(*finished((0.1, 0.90), (0.2, 0.95), (0.3, 0.94)))) == 0.2
    assert chosen(study_of(*finished((0.1, 0.90), (0.2, 0.95))), direction="min") == 0.1


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
        assert chosen(story, items=None) == 0.2  # there is no interval to pass


def test_that_interval_counts_groups() -> None:
    story = study_of(*finished((0.1, 0.99)), rung=0)
    study_of(*finished((0.2, 0.95)), rung=1, story=story)
    assert chosen(story) == 0.1
    for trial in story.study.trials("search"):
        story.study.outcomes[trial.request.trial_id] = replace(trial.outcome, validation_worth=20.0)
    assert chosen(story) == 0.2
