"""One trial as a plain function: it runs the same under Ray, under pytest and under pdb."""

from __future__ import annotations

import logging
import math
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from superconv_tune.core.bits import pack
from superconv_tune.problems.problem import Problem
from superconv_tune.record.trial import Cycle, Ramps, TrialOutcome, TrialRequest
from superconv_tune.training.memory import release
from superconv_tune.training.randomness import isolated
from superconv_tune.trial.attempt import Attempt, Learner
from superconv_tune.trial.checkpointing import Checkpoint
from superconv_tune.trial.cycle import run_cycle
from superconv_tune.trial.failures import Stopped, explain
from superconv_tune.trial.ramp import capped_max_lr, edge_test, range_test
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
) -> TrialOutcome:
    """Run one attempt of a trial from its first ramp to its last evaluation.

    Its work is either ramps, or a whole cycle on a fresh model. A cycle may begin with a ramp of its own; it is
    validated at the end, and may read the test part once too. What is trained depends on the request alone, unless the
    deadline shortens it.

    Args:
        request: what to run.
        problem: the data, model, loss and metric.
        tracker: records the trial; a failure of it is logged and loses the record, not the trial.
        clock: returns the Unix time in seconds.
        node: host name for the outcome; this machine's if None.
        guard: entered while the trial computes, and not while the tracker waits for its server.
        checkpoint: where a cycle is saved after every epoch and resumed from; None for no checkpoint.

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
        _run_phases(attempt, checkpoint)
    outcome = replace(attempt.outcome(), mlflow_run_id=recorder.run_id())
    if outcome.status == "oom":
        release(problem.device)  # so that the next trial finds all memory
    recorder.finish(outcome)
    return outcome


def _run_phases(attempt: Attempt, checkpoint: Checkpoint | None) -> None:
    try:
        match attempt.request.work:
            case Ramps(finds_edge=True) as ramps:
                edge_test(attempt, ramps)
            case Ramps() as ramps:
                range_test(attempt, ramps)
            case Cycle() as cycle:
                _train_and_judge(attempt, cycle, checkpoint)
    except Exception as error:  # noqa: BLE001 - a trial returns its failure, whatever it is
        status, reason = explain(error)
        attempt.note(status=status, reason=reason)
        if not isinstance(error, Stopped):
            _log.exception("Trial %s ended as %s.", attempt.request.trial_id, status)


def _train_and_judge(attempt: Attempt, cycle: Cycle, checkpoint: Checkpoint | None) -> None:
    learner = run_cycle(attempt, capped_max_lr(attempt, cycle), checkpoint)
    with attempt.timed("eval_s"):
        _validate(attempt, learner)
        if cycle.reads_test:
            _test(attempt, learner)


def _validate(attempt: Attempt, learner: Learner) -> None:
    problem = attempt.problem
    outputs, targets = attempt.evaluate(learner, problem.validation)
    value = _finite(problem.metric.compute(outputs, targets), f"{problem.metric.name} of the validation part")
    # Without label smoothing, so that trials which smooth differently can be compared.
    loss = float(problem.loss(outputs, targets, 0.0))
    attempt.note(validation=value, objective=value, validation_loss=loss if math.isfinite(loss) else None)


def _test(attempt: Attempt, learner: Learner) -> None:
    metric = attempt.problem.metric
    outputs, targets = attempt.evaluate(learner, attempt.problem.test)
    attempt.note(test=_finite(metric.compute(outputs, targets), f"{metric.name} of the test part"))
    if metric.correct is not None:
        correct = metric.correct(outputs, targets)
        attempt.note(test_correct=pack(correct.cpu().numpy()), test_items=len(correct))


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise Stopped("nan", f"The {what} is not finite after a whole cycle: got {value}.")
    return value
