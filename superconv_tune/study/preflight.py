"""What is checked and measured before the hour is spent: a real trial of a few steps, and the speed of a step."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

import torch

from superconv_tune.core.errors import UserError
from superconv_tune.core.events import Measured
from superconv_tune.core.trial import Hyperparameters, Precision, TrialRequest
from superconv_tune.problems.payload import DataCard
from superconv_tune.problems.problem import Problem
from superconv_tune.training.loop import Runtime, supports_bf16, train
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

SMOKE_STEPS = 20
TIMED_STEPS = 8  # after as many that warm the caches up
OVERHEAD_S = 1.0  # around one trial, before any was seen: hand-over, parameters and figures to MLflow
GENTLE_LR = 1e-4  # nothing is learned in a smoke trial; it must only not diverge
BF16_GAIN = 1.1  # bf16 is taken where it is at least this much faster


def measure(problem: Problem, card: DataCard, defaults: Hyperparameters, batch_sizes: Iterable[int]) -> Measured:
    """Run a smoke trial, then time a step of every batch size on one thread, as a trial will run.

    Raises:
        UserError: if the smoke trial fails, with the reason that it gave.
    """
    eval_s = _smoke(problem, defaults)
    sizes = sorted(set(batch_sizes) | {defaults.batch_size})
    precision = _precision(problem, defaults)
    step_s = {str(size): _step_s(problem, replace(defaults, batch_size=size), precision) for size in sizes}
    return Measured(
        train_items=card.train_items,
        validation_items=card.validation_items,
        test_items=card.test_items,
        step_s=step_s,
        eval_s=eval_s,
        overhead_s=OVERHEAD_S,
        trivial_value=problem.trivial_value,
        precision=precision,
    )


def _smoke(problem: Problem, defaults: Hyperparameters) -> float:
    """Twenty real steps and one evaluation; returns the seconds of the evaluation."""
    epochs = SMOKE_STEPS / problem.train.steps_per_epoch(defaults.batch_size)
    params = replace(defaults, cycle_epochs=epochs)
    request = TrialRequest(
        "smoke", 1, "search", params, 0, "constant", rung=-1, deadline=time.time() + 3600.0, pick_lr=GENTLE_LR
    )
    outcome = run(request, problem, NullTracker(), time.time)
    if outcome.status != "finished":
        raise UserError(
            f"The smoke trial of {SMOKE_STEPS} steps ended as {outcome.status}: {outcome.reason} "
            f"Nothing was started; mend the data, the model or the loss first."
        )
    return outcome.eval_s


def _precision(problem: Problem, defaults: Hyperparameters) -> Precision:
    """bf16 where the device has it and it is faster here; nothing is assumed of a machine that was not timed."""
    if not supports_bf16(problem.device):
        return "fp32"
    gain = _step_s(problem, defaults, "fp32") / _step_s(problem, defaults, "bf16")
    return "bf16" if gain >= BF16_GAIN else "fp32"


def _step_s(problem: Problem, params: Hyperparameters, precision: Precision) -> float:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = problem.make_model()
    runtime = Runtime(problem.device, precision)
    blocks = train(
        model.to(problem.device),
        problem.make_optimizer(model, params),
        problem.train.stream(params.batch_size, seed=0),
        lambda outputs, targets: problem.loss(outputs, targets, params.label_smoothing),
        lambda _: None,
        runtime=runtime,
        clock=time.perf_counter,
        block_steps=TIMED_STEPS,
    )
    return blocks
