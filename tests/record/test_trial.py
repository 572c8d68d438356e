"""Properties derived from requests and outcomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import Confirm, Kind, Probe, Promoted, Proposal, Purpose, RangeTest, RunOff, Sampled
from superconv_tune.record.trial import INFORMATIVE, LOST, Cycle, Ramps, Status, Trial, TrialOutcome, TrialRequest

PARAMS = Hyperparameters(lr_multiplier=2.0)
PROPOSAL = Proposal("rung0", 3)
OUTCOME = TrialOutcome("a", 1, "finished", 0.9, max_lr=0.2, validation=0.9)


def request(purpose: Purpose, work: Cycle | Ramps | None = None) -> TrialRequest:
    return TrialRequest("a", 1, purpose, work or Cycle(0.2), params=PARAMS, schedule=Schedule(), seed=0, deadline=1e9)


@pytest.mark.parametrize(
    ("purpose", "kind", "proposal", "recipe"),
    [
        (RangeTest(), "range_test", None, None),
        (Probe(0.1), "search", None, None),
        (Sampled(PROPOSAL, 0.1), "search", PROPOSAL, None),
        (Promoted("0001", PROPOSAL, 0.1), "search", PROPOSAL, None),
        (RunOff("0001"), "search", None, None),
        (Confirm(2), "confirm", None, 2),
    ],
)
def test_a_purpose_gives_the_phase_the_proposal_and_the_recipe(
    purpose: Purpose, kind: Kind, proposal: Proposal | None, recipe: int | None
) -> None:
    asked = request(purpose)
    assert (asked.kind, asked.proposal, asked.recipe) == (kind, proposal, recipe)


@pytest.mark.parametrize("purpose", [Probe(0.15), Sampled(PROPOSAL, 0.15), Promoted("0001", PROPOSAL, 0.15)])
def test_the_pick_is_that_of_the_purpose(purpose: Purpose) -> None:
    assert request(purpose).pick_lr == 0.15


def test_the_pick_of_any_other_cycle_is_its_peak_without_the_multiplier_and_ramps_have_none() -> None:
    assert request(RunOff("0001")).pick_lr == 0.1
    assert request(RangeTest(), Ramps(1e-5, 10.0)).pick_lr is None


def test_the_cycle_of_ramps_is_an_error() -> None:
    assert request(Probe(0.1)).cycle == Cycle(0.2)
    with pytest.raises(ValueError, match=r"'a' trains no cycle.*Ramps"):
        _ = request(RangeTest(), Ramps(1e-5, 10.0)).cycle


@pytest.mark.parametrize(
    ("outcome", "whole"),
    [(OUTCOME, True), (replace(OUTCOME, shortened=True), False), (replace(OUTCOME, validation=None), False)],
)
def test_a_whole_trial_ran_to_its_planned_end_and_was_evaluated(outcome: TrialOutcome, whole: bool) -> None:
    trial = Trial(request(Probe(0.1)), outcome)
    assert trial.is_whole is whole
    assert (trial.value, trial.max_lr, trial.went_wrong) == (0.9, 0.2, False)


@pytest.mark.parametrize("status", ["diverged", "nan", "no_lr", "oom", "preempted", "deadline", "code_error"])
def test_only_statuses_that_blame_the_parameters_count_as_gone_wrong(status: Status) -> None:
    trial = Trial(request(Probe(0.1)), replace(OUTCOME, status=status, validation=None))
    assert trial.went_wrong is (status in INFORMATIVE)
    assert not (trial.went_wrong and status in LOST)
    assert not trial.is_whole
