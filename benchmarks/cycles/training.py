"""One cycle by the program itself, and beside it an average of its weights, and perhaps clipped gradients."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from benchmarks.cycles.cells import Cell
from benchmarks.cycles.tasks import PRECISION, problem_of
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.problem import EvaluationSet, Problem
from superconv_tune.record.purpose import Confirm
from superconv_tune.record.trial import INFORMATIVE, Cycle, TrialOutcome, TrialRequest
from superconv_tune.training.evaluation import evaluate
from superconv_tune.training.loop import Runtime
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

HALF_LIFE = 0.02  # of the cycle's steps, in which the weight of a step in the average halves
NORM_BATCHES = 20  # training batches from which the averaged model's batch norms take their statistics
REFRESHED_SEED = 2**32  # of these batches, which is none of a trial's
WATCHED = (0.02, 0.1)  # of the cycle, whose median gradient norm is the threshold of clipping
LAST_LOSSES = 0.05  # of the cycle, whose mean is the training loss


@dataclass(frozen=True)
class Trained:
    """What the table holds of one cycle, beside what identifies it."""

    status: str
    steps: int
    validation: float
    test: float | None
    averaged_validation: float | None
    averaged_test: float | None
    train_loss: float | None
    items: int
    wall_s: float


def train(cell: Cell, root: Path) -> Trained:
    """Train and judge one cycle.

    Raises:
        RuntimeError: if the trial failed in a way that says nothing about its parameters.
    """
    torch.set_num_threads(1)
    started, problem = time.time(), problem_of(cell.task, root)
    params = replace(
        Hyperparameters(),
        cycle_epochs=float(cell.epochs),
        batch_size=cell.batch_size,
        weight_decay=cell.weight_decay,
        label_smoothing=cell.label_smoothing,
    )
    steps = max(1, round(cell.epochs * problem.train.steps_per_epoch(cell.batch_size)))
    beside = _Beside(problem, steps, cell.clip)
    observed = replace(problem, make_optimizer=beside.make_optimizer)
    outcome = trained(observed, params, cell.max_lr, cell.seed)
    if outcome.status not in INFORMATIVE:
        raise RuntimeError(f"{cell} ended as {outcome.status}: {outcome.reason}")
    averages: tuple[float | None, float | None] = (None, None)
    if outcome.status == "finished":
        averages = beside.averages(cell.batch_size)
    return Trained(
        outcome.status,
        outcome.steps,
        outcome.objective,
        outcome.test,
        *averages,
        _last_loss(outcome),
        problem.train.steps_per_epoch(1),
        time.time() - started,
    )


def trained(
    problem: Problem,
    params: Hyperparameters,
    max_lr: float,
    seed: int,
    *,
    reads_test: bool = True,
    clock: Callable[[], float] = time.time,
) -> TrialOutcome:
    """The outcome of a trial of the program."""
    request = TrialRequest(
        trial_id="bench",
        attempt=1,
        purpose=Confirm(recipe=1),
        work=Cycle(max_lr, reads_test=reads_test),
        params=params,
        schedule=Schedule(),
        seed=seed,
        deadline=math.inf,
        precision=PRECISION,
    )
    return run(request, problem, NullTracker(), clock)


class _Beside:
    """Averages the weights of a cycle, and clips its gradients, through hooks of its optimizer."""

    def __init__(self, problem: Problem, steps: int, clip: bool) -> None:  # noqa: FBT001
        self._problem = problem
        self._decay = 0.5 ** (1.0 / (HALF_LIFE * steps))
        self._watched = range(max(1, round(WATCHED[0] * steps)), max(2, round(WATCHED[1] * steps)))
        self._clip = clip
        self._norms: list[float] = []
        self._averaged = AveragedModel(nn.Identity())
        self._step = 0

    def make_optimizer(self, model: nn.Module, params: Hyperparameters) -> torch.optim.Optimizer:
        """The problem's own optimizer, watched."""
        optimizer = self._problem.make_optimizer(model, params)
        averaging = get_ema_multi_avg_fn(self._decay)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._averaged = AveragedModel(model, multi_avg_fn=averaging)

        def average(*_: Any) -> None:
            self._averaged.update_parameters(model)

        def clip(*_: Any) -> None:
            self._clip_now(model)

        optimizer.register_step_post_hook(average)
        if self._clip:
            optimizer.register_step_pre_hook(clip)
        return optimizer

    def _clip_now(self, model: nn.Module) -> None:
        """Note the norm of the first gradients, and clip the later ones to the median of what was noted."""
        if self._step in self._watched:
            gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
            self._norms.append(float(nn.utils.get_total_norm(gradients)))
        elif self._step >= self._watched.stop:
            nn.utils.clip_grad_norm_(model.parameters(), median(self._norms))
        self._step += 1

    def averages(self, batch_size: int) -> tuple[float, float]:
        """Validation and test metric of the averaged weights; statistics of batch norms are taken anew."""
        problem, model = self._problem, self._averaged.module
        has_images = any(isinstance(module, nn.Conv2d) for module in model.modules())
        runtime = Runtime(problem.device, PRECISION, channels_last=has_images)
        batches = islice(problem.train.stream(batch_size, REFRESHED_SEED), NORM_BATCHES)
        with torch.autocast(problem.device.type, torch.bfloat16, enabled=PRECISION == "bf16"):
            update_bn((runtime.batch(batch)[0] for batch in batches), model)
        return self._value(model, problem.validation, runtime), self._value(model, problem.test, runtime)

    def _value(self, model: nn.Module, part: EvaluationSet, runtime: Runtime) -> float:
        return float(self._problem.metric.compute(*evaluate(model, part.batches(), runtime)))


def _last_loss(outcome: TrialOutcome) -> float | None:
    """The mean training loss at the end of a finished cycle."""
    if outcome.status != "finished" or outcome.cycle_curve is None:
        return None
    losses = outcome.cycle_curve.loss
    return float(np.mean(losses[-max(1, round(LAST_LOSSES * len(losses))) :]))
