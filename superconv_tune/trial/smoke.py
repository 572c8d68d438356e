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
GENTLE_LR = 1e-4  # low enough not to diverge; a smoke trial need not learn anything


def smoke(problem: Problem, params: Hyperparameters, precision: Precision, steps: int = SMOKE_STEPS) -> TrialOutcome:
    """Run ``steps`` real training steps and one evaluation."""
    request = TrialRequest(
        trial_id="smoke",
        attempt=1,
        purpose=Smoke(),
        work=Cycle(GENTLE_LR),
        params=replace(params, cycle_epochs=steps / problem.train.steps_per_epoch(params.batch_size)),
        seed=0,
        schedule=Schedule(policy=Constant()),
        deadline=time.time() + PATIENCE_S,
        precision=precision,
    )
    return run(request, problem, NullTracker(), time.time)
