"""The frozen recipe: when it gives way to a calmer one, and what counts then."""

from __future__ import annotations

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.record.events import Observed, Requested
from superconv_tune.record.recipe import CALMER, calmer, count, current, fresh_models, is_unsteady, requests_of
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Kind, Status, TrialOutcome, TrialRequest
from tests.simulated import opened


class Story:
    """A study that is told event by event."""

    def __init__(self) -> None:
        self.study = Study(opened(600.0, 2))

    def ask(self, kind: Kind, pick_lr: float) -> TrialRequest:
        number = len(self.study.requests)
        request = TrialRequest(f"{number:04d}", 1, kind, Hyperparameters(), number, "one_cycle", 0, 1e9, pick_lr)
        self.study.apply(Requested(0.0, request))
        return request

    def fresh(self, value: float, pick_lr: float = 0.2, status: Status = "finished") -> None:
        request = self.ask("confirm", pick_lr)
        validation = value if status == "finished" else None
        self.study.apply(Observed(0.0, TrialOutcome(request.trial_id, 1, status, value, validation=validation)))


def test_nothing_was_frozen_before_the_first_confirmation() -> None:
    story = Story()
    story.ask("search", 0.2)
    assert current(story.study) is None
    assert count(story.study) == 0
    assert fresh_models(story.study) == []
    assert not is_unsteady(story.study, 0.9, 1000)


def test_seeds_that_agree_within_the_noise_of_the_items_are_steady() -> None:
    story = Story()
    for value in (0.95, 0.96, 0.94):
        story.fresh(value)
    assert not is_unsteady(story.study, 0.965, 1000)


def test_few_items_excuse_what_many_do_not() -> None:
    story = Story()
    story.fresh(0.97)
    story.fresh(0.91)
    assert is_unsteady(story.study, None, 5000)
    assert not is_unsteady(story.study, None, 50)


def test_seeds_far_below_what_the_recipe_was_chosen_for_are_unsteady() -> None:
    story = Story()
    story.fresh(0.50)
    story.fresh(0.51)
    assert is_unsteady(story.study, 0.85, 1000)
    assert not is_unsteady(story.study, None, 1000)


def test_a_seed_that_diverged_is_unsteady_and_one_that_was_lost_is_not() -> None:
    lost, diverged = Story(), Story()
    lost.fresh(0.1, status="preempted")
    diverged.fresh(0.1, status="diverged")
    assert not is_unsteady(lost.study, 0.9, 1000)
    assert is_unsteady(diverged.study, 0.9, 1000)
    assert is_unsteady(diverged.study, None, None)


def test_after_a_calmer_recipe_was_frozen_nothing_of_the_first_counts() -> None:
    story = Story()
    story.fresh(0.9)
    story.ask("scaling", 0.2)
    story.fresh(0.3)
    first = current(story.study)
    assert first is not None
    story.fresh(0.8, pick_lr=calmer(first, 1.0).pick_lr or 0.0)
    story.ask("scaling", 0.1)
    recipe = current(story.study)
    assert recipe is not None
    assert recipe.pick_lr == CALMER * 0.2
    assert count(story.study) == 2
    assert [outcome.objective for _, outcome in fresh_models(story.study)] == [0.8]
    assert len(requests_of(story.study, "scaling")) == 1
    assert not is_unsteady(story.study, None, 1000)
