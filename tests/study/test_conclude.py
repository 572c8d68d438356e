"""What in the data makes an answer weaker is said with the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.planner.evidence import verdict_of
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.record.events import Closed
from superconv_tune.record.purpose import Proposal, Sampled
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, TrialRequest
from superconv_tune.reporting.verdict_json import verdict_json
from superconv_tune.study.conclude import findings_of, proposer_of
from tests.planner.hours import hour
from tests.record.story import Story
from tests.simulated import World, brief, opened

DOUBT = "2 of 9 examples of the test part are equal to ones of the training part."


def test_warnings_about_the_data_follow_those_of_the_verdict(tmp_path: Path) -> None:
    study, how = Study(opened(600.0, 2)), brief(0.85)
    proposer = proposer_of("simulated", how, "random", f"sqlite:///{tmp_path / 'studies.db'}")
    for doubts in ((DOUBT,), ()):
        found = findings_of(study, how, proposer, study.opened.started_at, doubts)
        assert found.verdict.warnings == (*verdict_of(study, how).warnings, *doubts)
        assert verdict_json(found)["warnings"] == list(found.verdict.warnings)


def test_a_search_whose_budget_was_too_short_for_a_trial_says_so(tmp_path: Path) -> None:
    study, how = Study(opened(600.0, 2)), brief(0.85)
    proposer = proposer_of("simulated", how, "random", f"sqlite:///{tmp_path / 'studies.db'}")
    now = study.opened.started_at
    assert not any("--budget" in warning for warning in findings_of(study, how, proposer, now).verdict.warnings)
    study.apply(Closed(now, "exhausted"))
    assert any(
        "Give a longer --budget" in warning for warning in findings_of(study, how, proposer, now).verdict.warnings
    )


def test_what_most_lost_trials_died_of_is_said_with_the_verdict() -> None:
    """As in a search whose every worker dies, which said nothing else of it (ray-project/ray issue 18377)."""

    def lost_warnings(fate: Status) -> list[str]:
        conductor, clock = hour(World(fate=lambda _: fate), budget_s=300.0)
        for key, outcome in conductor.study.outcomes.items():
            conductor.study.outcomes[key] = replace(outcome, reason="its process died: SIGSEGV.")
        found = findings_of(conductor.study, brief(), None, clock.now)
        return [warning for warning in found.verdict.warnings if "were lost" in warning]

    (said,) = lost_warnings("preempted")
    assert said.endswith("trials were lost. Most often: preempted: its process died: SIGSEGV.")
    assert lost_warnings("finished") == []


def test_the_recipe_that_is_told_is_the_one_that_was_confirmed(tmp_path: Path) -> None:
    """What looked best fails in its confirmation, and another one of the run-off is confirmed in its place."""

    def fate(request: TrialRequest) -> Status:
        return "diverged" if request.kind == "confirm" and request.recipe == 1 else "finished"

    how, storage = brief(None), f"sqlite:///{tmp_path / 'studies.db'}"
    conductor, clock = hour(World(fate=fate), budget_s=2100.0, how=how)
    study = conductor.study
    found = findings_of(study, how, proposer_of("simulated", how, "random", storage), clock.now)
    first, recipe = study.recipes
    assert found.winner is not None
    assert found.winner.max_lr == recipe.max_lr != first.max_lr
    assert replace(found.winner.request.params, lr_multiplier=1.0) == recipe.params
    assert any("did not hold up" in warning for warning in found.verdict.warnings)


def unsteady_warnings(*recipes: Recipe, fresh: tuple[float, ...] = (0.9, 0.9)) -> list[str]:
    """What is said of the learning rate of the last recipe, after fresh seeds of each."""
    told = Story()
    told.searched(0.2, 0.9)
    for recipe in recipes:
        told.freeze(recipe)
        for value in fresh:
            told.fresh(value)
    found = findings_of(told.study, brief(), None, told.study.opened.started_at).verdict.warnings
    return [warning for warning in found if "learning rate" in warning]


def test_only_a_recipe_that_gave_way_to_another_peak_did_not_hold_up() -> None:
    first = Recipe(1, "0000", Hyperparameters(), 0.2, Schedule())
    longer = replace(first, number=2).with_epochs(60.0)
    assert unsteady_warnings(first, longer) == []
    assert unsteady_warnings(first, longer, first) == []
    (said,) = unsteady_warnings(first, first.calmer())
    assert "did not hold up" in said


def test_a_fit_has_no_learning_rate_to_lower() -> None:
    first = Recipe(1, "0000", Hyperparameters(), 0.2, Schedule())
    (said,) = unsteady_warnings(first, fresh=(0.9, 0.2))
    assert said.endswith("none was confirmed.")
    assert unsteady_warnings(replace(first, fit={}), fresh=(0.9, 0.2)) == []


def test_the_importance_is_that_of_the_first_rung_with_the_most_trials() -> None:
    """Whatever the order of a set of texts is in this process."""
    told, asked = Story(), list[str]()
    for number, rung in enumerate(("c", "a", "b", "a", "b", "c")):
        told.searched(0.2, 0.9)
        trial_id, request = list(told.study.requests.items())[-1]
        purpose = Sampled(pick_lr=0.2, proposal=Proposal(rung, number))
        told.study.requests[trial_id] = replace(request, purpose=purpose)

    class Asked:
        def importance(self, study: str) -> dict[str, float]:
            asked.append(study)
            return {}

    findings_of(told.study, brief(), cast(Proposer, Asked()), told.study.opened.started_at)
    assert asked == ["c"]
