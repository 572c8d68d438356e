"""One whole cycle of the learning rate, from a fresh model to an annealed one."""

from __future__ import annotations

from contextlib import closing

from superconv_tune.lr.schedule import Knobs
from superconv_tune.lr.span import Span
from superconv_tune.trial.attempt import Attempt, Learner
from superconv_tune.trial.divergence import DivergenceWatch
from superconv_tune.trial.failures import Stopped
from superconv_tune.trial.pace import Pacer

MAX_BLOCK_STEPS = 50
BLOCKS_PER_CYCLE = 10  # at least, so that a late cycle is noticed in time


def run_cycle(attempt: Attempt, max_lr: float) -> Learner:
    """Train a fresh model for one cycle that peaks at ``max_lr``; returns it for evaluation.

    Raises:
        Stopped: if the cycle diverged, its loss was not a number, or the deadline left no useful cycle.
    """
    attempt.check_deadline()
    attempt.note(max_lr=max_lr)
    steps = max(1, round(attempt.request.params.cycle_epochs * attempt.steps_per_epoch()))
    learner = attempt.fresh_learner()
    pacer = Pacer(steps, _evaluation_steps(attempt), attempt.request.deadline, attempt.clock)
    with attempt.timed("train_s"):
        taken = _train(attempt, learner, Span.of(attempt.request.params, steps, max_lr), pacer)
    if not pacer.pace.completes(taken):
        raise Stopped("deadline", f"The deadline came {taken} steps into a cycle of {steps}.")
    attempt.note(shortened=pacer.pace.is_shortened)
    return learner


def _train(attempt: Attempt, learner: Learner, span: Span, pacer: Pacer) -> int:
    """The steps taken until the cycle ended, by its schedule or by the clock."""
    schedule = attempt.request.schedule.knobs(span)
    watch = DivergenceWatch(span.steps, attempt.problem.chance_loss)

    def knobs(step: int) -> Knobs | None:
        progress = pacer.progress(step)
        return None if progress is None else schedule(progress)

    taken = 0
    block_steps = min(MAX_BLOCK_STEPS, span.steps // BLOCKS_PER_CYCLE + 1)
    with closing(attempt.steps("cycle", learner, knobs, block_steps)) as blocks:
        for block in blocks:
            taken += len(block)
            stop = watch.judge(block.loss)
            if stop is not None:
                raise Stopped(*stop)
            pacer.taken(taken)
            if pacer.pace.is_too_short:
                raise Stopped("deadline", f"Only {pacer.pace.last_step + 1} of {span.steps} steps fit the deadline.")
    return taken


def _evaluation_steps(attempt: Attempt) -> float:
    """What will be evaluated after the cycle, in batches of its size."""
    items = len(attempt.problem.validation)
    if attempt.request.cycle.reads_test:
        items += len(attempt.problem.test)
    return items / attempt.request.params.batch_size
