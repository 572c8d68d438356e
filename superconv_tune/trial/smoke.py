"""A real trial of a few steps, to see whether everything works and how fast it is."""

from __future__ import annotations

import time
from dataclasses import replace

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.policies import Constant
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import Smoke
from superconv_tune.record.trial import Cycle, Precision, TrialOutcome, TrialRequest
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

SMOKE_STEPS = 20
PATIENCE_S = 3600.0  # until the deadline, so that a smoke trial is not shortened
# The first at which it does not diverge: a smoke trial need not learn anything, and with the second no weight moves,
# whatever the scale of the loss.
GENTLE_RATES = (1e-4, 1e-12)


def smoke(problem: Problem, params: Hyperparameters, precision: Precision, steps: int = SMOKE_STEPS) -> TrialOutcome:
    """Run ``steps`` real training steps and one evaluation."""
    for rate in GENTLE_RATES:
        outcome = run(_request(problem, params, precision, steps, rate), problem, NullTracker(), time.time)
        if outcome.status not in ("diverged", "nan"):
            break
    return outcome


def _request(problem: Problem, params: Hyperparameters, precision: Precision, steps: int, rate: float) -> TrialRequest:
    return TrialRequest(
        trial_id="smoke",
        attempt=1,
        purpose=Smoke(),
        work=Cycle(rate),
        params=replace(params, cycle_epochs=steps / problem.train.steps_per_epoch(params.batch_size)),
        seed=0,
        schedule=Schedule(policy=Constant()),
        deadline=time.time() + PATIENCE_S,
        precision=precision,
    )
