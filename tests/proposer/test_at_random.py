"""Random proposals: inside the space, repeatable, and without Optuna."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.lr.schedule import Schedule
from superconv_tune.proposer.at_random import RandomProposer
from superconv_tune.record.events import Opened, Requested
from superconv_tune.record.purpose import Proposal, Sampled
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, TrialRequest

SPACE: SearchSpace = {
    "weight_decay": Interval(1e-6, 1e-2, log=True),
    "pct_start": Interval(0.1, 0.5),
    "batch_size": Choice((64, 128)),
}


@given(st.integers(0, 10_000))
def test_draws_lie_inside_and_are_the_same_for_the_same_seed(seed: int) -> None:
    one, other = RandomProposer(SPACE, seed), RandomProposer(SPACE, seed)
    for _ in range(5):
        proposal = one.ask("rung-0")
        assert proposal == other.ask("rung-0")
        assert proposal.params.keys() == SPACE.keys()
        assert 1e-6 <= proposal.params["weight_decay"] <= 1e-2
        assert 0.1 <= proposal.params["pct_start"] <= 0.5
        assert proposal.params["batch_size"] in (64, 128)


def test_what_is_fixed_comes_back_and_does_not_move_the_next_draws() -> None:
    free, fixing = RandomProposer(SPACE, 0), RandomProposer(SPACE, 0)
    first = free.ask("rung-0")
    fixed = fixing.ask("rung-0", {"pct_start": 0.3, "cycle_epochs": 9.0})
    assert fixed.params == {**first.params, "pct_start": 0.3, "cycle_epochs": 9.0}
    assert free.ask("rung-0") == fixing.ask("rung-0")


def test_a_resumed_study_gets_numbers_that_no_trial_has() -> None:
    proposer = RandomProposer(SPACE, 0)
    study = Study(Opened("a", 0.0, 1.0, 1, spec={}))
    purpose = Sampled(Proposal("rung-0", 7), pick_lr=0.1)
    request = TrialRequest(
        "t", 1, purpose, Cycle(0.1), params=Hyperparameters(), schedule=Schedule(), seed=0, deadline=1.0
    )
    study.apply(Requested(0.0, request))
    proposer.reconcile(study)
    assert proposer.ask("rung-0").proposal.number == 8


def test_it_needs_no_optuna() -> None:
    code = "import sys, superconv_tune.proposer.at_random; print('optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
