"""The frozen recipe, and its successors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import schedule_from
from superconv_tune.record.purpose import Proposal, Sampled
from superconv_tune.record.recipe import CALMER, Recipe
from superconv_tune.record.trial import Cycle, Trial, TrialOutcome, TrialRequest

COSINE = schedule_from("cosine,warmup=linear")
PARAMS = Hyperparameters(cycle_epochs=9.0, lr_multiplier=1.5, weight_decay=1e-3)
REQUEST = TrialRequest(
    "0007-search",
    1,
    Sampled(Proposal("rung1", 3), 0.2),
    Cycle(0.3),
    params=PARAMS,
    schedule=COSINE,
    seed=5,
    deadline=1e9,
    rung=1,
)
TRIAL = Trial(REQUEST, TrialOutcome("0007-search", 1, "finished", 0.9, max_lr=0.25, validation=0.9))


def test_a_recipe_has_the_peak_that_was_really_used() -> None:
    """An old journal may have capped the peak of 0.3; the multiplier is part of the peak and must not count twice."""
    recipe = Recipe.of(TRIAL, number=2)
    assert recipe == Recipe(2, "0007-search", replace(PARAMS, lr_multiplier=1.0), 0.25, COSINE)


def test_a_trial_without_a_cycle_gives_no_recipe() -> None:
    with pytest.raises(ValueError, match="'0007-search' began no cycle"):
        Recipe.of(replace(TRIAL, outcome=replace(TRIAL.outcome, max_lr=None)), number=1)


def test_another_length_changes_nothing_else() -> None:
    recipe = Recipe.of(TRIAL, number=1)
    shorter = recipe.with_epochs(4.5)
    assert shorter.params.cycle_epochs == 4.5
    assert shorter.with_epochs(9.0) == recipe


def test_a_calmer_recipe_has_the_next_number_and_half_the_peak() -> None:
    recipe = Recipe.of(TRIAL, number=1)
    calmer = recipe.calmer()
    assert (calmer.number, calmer.max_lr) == (2, CALMER * 0.25)
    assert replace(calmer, number=1, max_lr=0.25) == recipe
