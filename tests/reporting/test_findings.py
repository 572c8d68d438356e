from dataclasses import replace

import pytest

from superconv_tune.record.events import Closed, Frozen, Observed, Requested, Resumed
from superconv_tune.record.study import Study
from superconv_tune.record.trial import TrialOutcome
from superconv_tune.reporting.findings import Findings, publishable


def test_training_share_is_step_time_over_worker_time(findings: Findings) -> None:
    outcomes = findings.study.outcomes.values()
    steps_s = sum(outcome.train_s + outcome.eval_s + outcome.range_test_s for outcome in outcomes)

    assert findings.used_s == 243.0
    assert findings.training_share == pytest.approx(steps_s / (2 * 243.0))
    assert 0.5 < findings.training_share < 1.0


def test_a_pause_before_it_is_resumed_is_no_time_used_or_allowed(findings: Findings) -> None:
    opened = findings.study.opened
    began, day = opened.started_at, opened.started_at + 86_400.0
    resumed = Resumed(day + 20.0, day + 400.0, 4, started_at=day)
    study = Study.replay([opened, Closed(began + 200.0, "interrupted"), resumed])
    found = replace(findings, study=study, now=day + 100.0)

    assert (found.used_s, found.limit_s) == (300.0, 600.0)
    assert found.worker_s == 2 * 200.0 + 4 * 100.0


def test_a_study_that_used_no_time_has_no_training_share(empty_findings: Findings) -> None:
    opened_now = replace(empty_findings, now=empty_findings.study.opened.started_at)

    assert opened_now.training_share == 0.0


def test_shortened_and_failed_runs_confirm_nothing(findings: Findings) -> None:
    first, second, *_ = findings.confirmations
    study = Study(findings.study.opened)
    for recipe in findings.study.recipes:
        study.apply(Frozen(0.0, recipe))
    for trial, change in (first, {"shortened": True}), (second, {"status": "oom"}):
        study.apply(Requested(0.0, trial.request))
        study.apply(Observed(0.0, replace(trial.outcome, **change)))

    assert replace(findings, study=study).confirmations == []


def test_every_status_is_counted_once(findings: Findings) -> None:
    counts = findings.statuses

    assert counts["finished"] == 17
    assert (counts["diverged"], counts["oom"], counts["running"], counts["nan"]) == (1, 1, 1, 0)
    assert sum(counts.values()) == len(findings.study.requests)


@pytest.mark.parametrize(("direction", "sign"), [("max", 1), ("min", -1)])
def test_optimism_is_positive_where_validation_flatters(findings: Findings, direction: str, sign: int) -> None:
    outcome = TrialOutcome("t", 1, "finished", 0.9, validation=0.93, test=0.90)
    asked = replace(findings, target=replace(findings.target, direction=direction))  # type: ignore[arg-type]  # drawn

    assert asked.optimism(outcome) == pytest.approx(sign * 0.03)
    assert asked.optimism(replace(outcome, test=None)) is None


def test_publishable_drops_passwords_and_what_json_has_no_word_for() -> None:
    value = {
        "uri": "postgresql://tuner:hun@ter2@db/x",
        "list": (float("nan"), float("-inf"), 1.5),
        "n": 3,
        "flag": True,
    }

    assert publishable(value) == {"uri": "postgresql://tuner:***@db/x", "list": [None, None, 1.5], "n": 3, "flag": True}
