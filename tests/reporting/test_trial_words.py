"""Why a trial was asked for, in words: for every purpose, and beside the best of its rung."""

from __future__ import annotations

from dataclasses import replace

import pytest

from superconv_tune.record.events import Observed, Requested
from superconv_tune.record.purpose import (
    Confirm,
    Fitted,
    LongRun,
    Probe,
    Promoted,
    Proposal,
    Purpose,
    RunOff,
    Sampled,
    Scaling,
)
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Fit, TrialRequest
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.trial_words import what, why


@pytest.fixture
def request_(findings: Findings) -> TrialRequest:
    """A search trial that no other trial of its rung comes before."""
    first = findings.study.trials("search")[0].request
    return replace(first, trial_id="new", purpose=Probe(0.1), rung=7)


def test_what_is_trained(request_: TrialRequest, findings: Findings) -> None:
    params = replace(request_.params, cycle_epochs=2.5, batch_size=64)
    cycle = replace(request_, params=params, work=replace(request_.cycle, max_lr=0.1234))
    assert what(cycle) == "2.5 epochs, max_lr 0.123, batch_size 64"


def test_what_is_fitted(request_: TrialRequest, findings: Findings) -> None:
    fit = replace(request_, purpose=Fitted(), work=Fit({"max_leaf_nodes": 15}), family="trees")
    assert what(fit) == "trees, max_leaf_nodes 15"
    assert why(findings.study, fit, higher_is_better=True) == "other options of a family that is fitted"
    assert "in seconds" in why(findings.study, replace(fit, work=Fit()), higher_is_better=True)
    assert what(replace(request_, family="mlp")).startswith("mlp, ")


def test_every_purpose_has_a_reason_of_its_own(request_: TrialRequest, findings: Findings) -> None:
    proposal = Proposal("rung0", 1)
    purposes: list[Purpose] = [
        Promoted("a", proposal, 0.1),
        Sampled(proposal, 0.1),
        RunOff("a"),
        Scaling(1),
        Confirm(1),
    ]
    reasons = [why(findings.study, replace(request_, purpose=p), higher_is_better=True) for p in purposes]
    assert len(set(reasons)) == len(purposes)
    assert why(findings.study, replace(request_, purpose=LongRun()), higher_is_better=True) == "long run"


@pytest.mark.parametrize(
    ("rate", "changes", "said"),
    [
        (2.0, {}, "the best of its length with 2 times the learning rate"),
        (0.5, {}, "the best of its length with 1/2 of the learning rate"),
        (1.0, {"batch_size": 31}, "the best of its length with batch_size 31"),
        (1.0, {"augment": 0}, "the best of its length with augment 0"),
        (4.0, {"batch_size": 31}, "the best of its length with 4 times the learning rate and batch_size 31"),
        (1.0, {}, "the best of its length again"),
    ],
)
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_trial_beside_the_best_says_what_differs(
    rate: float, changes: dict[str, int], said: str, higher_is_better: bool, findings: Findings, request_: TrialRequest
) -> None:
    study = Study(findings.study.opened)
    outcome = findings.study.trials("search")[0].outcome
    better = replace(request_.params, weight_decay=0.123)
    for name, params, value in (("worse", request_.params, 0.5), ("best", better, 0.9)):
        worth = value if higher_is_better else 1.0 - value
        study.apply(Requested(0.0, replace(request_, trial_id=name, params=params)))
        study.apply(Observed(0.0, replace(outcome, trial_id=name, validation=worth, objective=worth)))
    work = replace(request_.cycle, max_lr=request_.cycle.max_lr * rate)
    new = replace(request_, params=replace(better, **changes), work=work)
    assert why(study, new, higher_is_better=higher_is_better) == said


def test_a_share_of_the_data_is_a_percentage(request_: TrialRequest, findings: Findings) -> None:
    less = replace(request_, purpose=Scaling(1), work=replace(request_.cycle, data_share=0.25))
    assert why(findings.study, less, higher_is_better=True) == "what data buy: the recipe on 25 % of the examples"


def test_fresh_models_are_counted(findings: Findings) -> None:
    asked = findings.study.of_recipe("confirm")
    reasons = [why(findings.study, request, higher_is_better=True) for request in asked]
    assert len(reasons) == len(set(reasons)) > 2
    assert all(f"fresh model {number}" in reason for number, reason in enumerate(reasons, start=1))
