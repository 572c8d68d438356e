"""One trial as a plain function: it runs the same under Ray, under pytest and under pdb."""

from __future__ import annotations

import logging
import math
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from superconv_tune.problems.problem import Problem
from superconv_tune.record.trial import Cycle, Fit, Ramps, TrialOutcome, TrialRequest
from superconv_tune.training.memory import release
from superconv_tune.training.randomness import isolated
from superconv_tune.trial.attempt import Attempt
from superconv_tune.trial.checkpointing import Checkpoint
from superconv_tune.trial.cycle import run_cycle
from superconv_tune.trial.failures import Stopped, explain
from superconv_tune.trial.fit import run_fit
from superconv_tune.trial.keeper import Keeper, kept
from superconv_tune.trial.ramp import edge_test, range_test
from superconv_tune.trial.tracker import Tracker
from superconv_tune.trial.trackers import FaultTolerantTracker

_log = logging.getLogger(__name__)


def run(  # noqa: PLR0913 - the optional ones are for whoever embeds it
    request: TrialRequest,
    problem: Problem,
    tracker: Tracker,
    clock: Callable[[], float],
    node: str | None = None,
    guard: AbstractContextManager[None] | None = None,
    checkpoint: Checkpoint | None = None,
    keeper: Keeper | None = None,
) -> TrialOutcome:
    """Run one attempt of a trial from its first step to its last evaluation.

    Its work is either ramps, a whole cycle on a fresh model, or the fit of a family that is not trained in cycles.
    Cycles and fits are validated at the end, and may read the test part once too. What is trained depends on the
    request alone, unless the deadline shortens it.

    Of several processes that train a cycle together, each calls this; the first one alone evaluates the model.

    Args:
        request: what to run.
        problem: the data, model, loss and metric.
        tracker: records the trial; a failure of it is logged and loses the record, not the trial.
        clock: returns the Unix time in seconds.
        node: host name for the outcome; this machine's if None.
        guard: entered while the trial computes, and not while the tracker waits for its server.
        checkpoint: where a cycle is saved after every epoch and resumed from; None for no checkpoint.
        keeper: keeps the model of a cycle that reads the test part; None keeps none.

    Returns:
        The outcome. A failure of data, model, loss, metric or memory is an outcome too, with a finite objective; only
        interrupts are raised. The caller's global random state is left as it was.

    Raises:
        ValueError: if there is both a checkpoint and a deadline: a shortened cycle cannot be continued exactly.
    """
    if checkpoint is not None and request.deadline < math.inf:
        raise ValueError(f"A cycle with a checkpoint has no deadline, but got {request.deadline}.")
    recorder = FaultTolerantTracker(tracker)
    recorder.start(request)
    attempt = Attempt(request, problem, recorder, clock, node or platform.node())
    with isolated(problem.device), guard or nullcontext():
        _run_phases(attempt, checkpoint, keeper)
    outcome = replace(attempt.outcome(), mlflow_run_id=recorder.run_id())
    if outcome.status == "oom":
        release(problem.device)  # so that the next trial finds all memory
    recorder.finish(outcome)
    return outcome


def _run_phases(attempt: Attempt, checkpoint: Checkpoint | None, keeper: Keeper | None) -> None:
    try:
        match attempt.request.work:
            case Ramps(finds_edge=True) as ramps:
                edge_test(attempt, ramps)
            case Ramps() as ramps:
                range_test(attempt, ramps)
            case Cycle() as cycle:
                _train_and_judge(attempt, cycle, checkpoint, keeper)
            case Fit() as fit:
                model, outputs = run_fit(attempt, fit)
                if keeper is not None and outputs is not None:
                    kept(keeper, attempt.request, attempt.outcome(), model, outputs)
    except Exception as error:  # noqa: BLE001 - a trial returns its failure, whatever it is
        status, reason = explain(error)
        attempt.note(status=status, reason=reason)
        if not isinstance(error, Stopped):
            _log.exception("Trial %s ended as %s.", attempt.request.trial_id, status)


def _train_and_judge(attempt: Attempt, cycle: Cycle, checkpoint: Checkpoint | None, keeper: Keeper | None) -> None:
    learner = run_cycle(attempt, cycle.max_lr, checkpoint)
    team = attempt.problem.team
    if team is not None and not team.leads:
        return
    with attempt.timed("eval_s"):
        attempt.judge_validation(*attempt.evaluate(learner, attempt.problem.validation))
        if cycle.reads_test:
            outputs, targets = attempt.evaluate(learner, attempt.problem.test)
            attempt.judge_test(outputs, targets)
    if cycle.reads_test and keeper is not None:
        kept(keeper, attempt.request, attempt.outcome(), learner.model, outputs)
