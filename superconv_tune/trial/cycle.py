"""One whole cycle of the learning rate, from a fresh model to an annealed one."""

from __future__ import annotations

from contextlib import closing

from superconv_tune.lr.schedule import Knobs
from superconv_tune.lr.span import Span
from superconv_tune.trial.attempt import Attempt, Learner, Position
from superconv_tune.trial.checkpointing import Checkpoint
from superconv_tune.trial.divergence import DivergenceWatch
from superconv_tune.trial.failures import Stopped
from superconv_tune.trial.pace import Pacer

MAX_BLOCK_STEPS = 50
BLOCKS_PER_CYCLE = 10  # or more, so that a late cycle is noticed in time


def run_cycle(attempt: Attempt, max_lr: float, checkpoint: Checkpoint | None = None) -> Learner:
    """Train a fresh model for one cycle that peaks at ``max_lr``; returns it for evaluation.

    With a checkpoint the cycle is saved after every epoch and at its end, and continues from what was saved before.

    Raises:
        Stopped: if the cycle diverged, its loss was not a number, the deadline left too little of it to be useful, or
            the checkpoint belongs to another trial.
    """
    attempt.check_deadline()
    attempt.note(max_lr=max_lr)
    steps = max(1, round(attempt.request.params.cycle_epochs * attempt.steps_per_epoch()))
    learner = attempt.fresh_learner()
    start = checkpoint.resume(attempt, learner) if checkpoint else Position()
    pacer = Pacer(steps, _evaluation_steps(attempt), attempt.request.deadline, attempt.clock)
    with attempt.timed("train_s"):
        span = Span.of(attempt.request.params, steps, max_lr)
        taken = _train(attempt, learner, span, pacer, checkpoint, start)
    if not pacer.pace.completes(taken):
        raise Stopped("deadline", f"The deadline came {taken} steps into a cycle of {steps}.")
    attempt.note(shortened=pacer.pace.is_shortened)
    return learner


def _train(
    attempt: Attempt, learner: Learner, span: Span, pacer: Pacer, checkpoint: Checkpoint | None, start: Position
) -> int:
    """Train until the schedule or the deadline ends the cycle; returns the number of steps taken."""
    schedule = attempt.request.schedule.knobs(span)
    watch = DivergenceWatch(span.steps, attempt.problem.chance_loss)
    watch.judge(attempt.curve("cycle").loss)  # of an interrupted attempt, to restore the state of the watch

    def knobs(step: int) -> Knobs | None:
        progress = pacer.progress(step)
        return None if progress is None else schedule(progress)

    taken = start.step
    block_steps = min(MAX_BLOCK_STEPS, span.steps // BLOCKS_PER_CYCLE + 1)
    epoch = attempt.steps_per_epoch() if checkpoint else 0
    with closing(attempt.steps("cycle", learner, knobs, block_steps, start=start, round_steps=epoch)) as blocks:
        for block in blocks:
            taken += len(block)
            stop = watch.judge(block.loss)
            if stop is not None:
                raise Stopped(*stop)
            pacer.taken(taken)
            if pacer.pace.is_too_short:
                raise Stopped("deadline", f"Only {pacer.pace.last_step + 1} of {span.steps} steps fit the deadline.")
            if checkpoint and (taken % epoch == 0 or taken == span.steps):
                checkpoint.save(attempt, learner)
    return taken


def _evaluation_steps(attempt: Attempt) -> float:
    """Size of the evaluation after the cycle, in batches of the training batch size."""
    items = len(attempt.problem.validation)
    if attempt.request.cycle.reads_test:
        items += len(attempt.problem.test)
    return items / attempt.request.params.batch_size
