"""What in the data makes an answer weaker is said with the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from superconv_tune.planner.evidence import verdict_of
from superconv_tune.record.events import Closed
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, TrialRequest
from superconv_tune.reporting.verdict_json import verdict_json
from superconv_tune.study.conclude import findings_of, proposer_of
from tests.planner.hours import hour
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
