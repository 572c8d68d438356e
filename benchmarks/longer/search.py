"""A search of a task by the program itself, on a clock with one virtual second per optimizer step.

Planner, sampler and trials are those of the program; only the clock is not, so that every machine divides the budget
alike and none is late.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.simulation import VirtualClock
from superconv_tune.cluster.in_process import InProcessCluster
from superconv_tune.data.batches import ResidentSource
from superconv_tune.journal.journal import Journal
from superconv_tune.planner.brief import Brief
from superconv_tune.problems.problem import Problem
from superconv_tune.record.events import Measured, Opened
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Precision, Ramps, TrialOutcome, TrialRequest
from superconv_tune.study.conclude import proposer_of
from superconv_tune.study.conductor import StudyConductor
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

WORKERS = 2
RAMP_STEPS = 285  # of a first range test
PATIENCE_S = 1e6


@dataclass(frozen=True)
class TrainingWorld:
    """Trials that are really trained, on the virtual clock."""

    problem: Problem

    def run(self, request: TrialRequest, now: float, slot: int) -> tuple[TrialOutcome, float]:
        """The outcome and its duration, both in virtual seconds; all workers are equally fast here."""
        del now, slot
        outcome = run(
            replace(request, deadline=time.time() + PATIENCE_S), self.problem, NullTracker(), time.time, "virtual"
        )
        ramp_s = float(RAMP_STEPS if isinstance(request.work, Ramps) else 0)
        train_s = float(outcome.steps)
        ramp = outcome.range_curve
        return replace(
            outcome,
            train_s=train_s,
            eval_s=0.0,
            range_test_s=ramp_s,
            wall_s=train_s + ramp_s,
            range_curve=None if ramp is None else replace(ramp, elapsed_s=ramp.step.astype(np.float64)),
        ), train_s + ramp_s


def searched(problem: Problem, brief: Brief, batch_size: int, budget_s: float, precision: Precision = "fp32") -> Study:
    """The whole search of a task with this one batch size, in ``budget_s`` virtual seconds."""
    assert isinstance(problem.train, ResidentSource)
    measured = Measured(
        train_items=len(problem.train.targets),
        validation_items=len(problem.validation),
        test_items=len(problem.test),
        step_s={str(batch_size): 1.0},
        eval_s=0.0,
        overhead_s=0.0,
        trivial_value=problem.trivial_value,
        precision=precision,
    )
    study = Study(Opened("longer", 0.0, budget_s, WORKERS, spec={}, measured=measured))
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/longer.db"
        proposer = proposer_of("longer", brief, "auto", storage)
        clock = VirtualClock()
        with Journal(storage) as journal:
            journal.append("longer", study.opened)
            conductor = StudyConductor(study, brief, journal, proposer, clock, on_event=lambda: None)
            InProcessCluster(TrainingWorld(problem), clock, WORKERS).run(conductor)
            conductor.close()
        proposer.close()
    return study
