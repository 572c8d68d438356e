"""Checks whether the model can memorise a few examples; if it cannot, no learning rate will help it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from superconv_tune.core.words import number
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.problems.problem import Metric, Problem
from superconv_tune.record.landmarks import Landmark
from superconv_tune.training.evaluation import evaluate
from superconv_tune.training.loop import Runtime
from superconv_tune.training.randomness import isolated, seed_all

SHARE = 0.05
MOST = 512  # examples; 5 % of a large set would take too long
LEAST = 32
BATCH = 64
RATES = (1e-3, 1e-2)  # of AdamW, which is robust; the best recipe is not needed here
LOOK_EVERY = 25  # steps, to compute the metric
JUDGE_EVERY = 150  # steps, to check that the loss still falls
FEWEST = 75  # steps that have to fit into the time; fewer would not show anything
MOST_STEPS = 1000  # with each rate
CLOSED = 0.9  # of the way from a constant guess to the best value
FALLING = 0.9  # a loss still falls if its last third is below this share of the third before

NAME = "learning 5 % by heart"
Clock = Callable[[], float]


def overfit(problem: Problem, train_items: int, seconds: float, clock: Clock = time.perf_counter) -> Landmark:
    """Train a fresh model on 5 % of the training part until it has memorised them, or the time is up.

    Args:
        problem: the data, model, loss and metric.
        train_items: size of the training part.
        seconds: time for the whole check.
        clock: returns seconds.
    """
    metric = problem.metric
    best = metric.high if metric.direction == "max" else metric.low
    if best is None or best == problem.trivial_value:
        return _landmark(f"{metric.name} has no best value to compare with", None)
    count = min(MOST, max(LEAST, round(SHARE * train_items)), train_items)
    deadline = clock() + seconds
    reached: float | None = None
    with isolated(problem.device):
        inputs, targets = next(iter(problem.train.stream(count, 0)))
        if not (isinstance(inputs, Tensor) and isinstance(targets, Tensor)):
            return _landmark("not for inputs or targets of several tensors", None)
        for rate in RATES:
            run = _Run(problem, inputs, targets, rate)
            value, verdict = run.until(_goal(problem.trivial_value, best), deadline, clock)
            if verdict == "slow":
                return _landmark(f"{FEWEST} steps do not fit into the rest of {seconds:.1f} s", reached)
            reached = value if reached is None else _better(metric, value, reached)
            if verdict == "learned":
                return _landmark(f"{metric.name} {number(value)} on {count} training examples", value)
            if verdict == "learning":
                return _landmark(
                    f"{metric.name} {number(reached)} on {count} training examples when the time was up", reached
                )
    assert reached is not None
    words = (
        f"The model cannot even fit 5 % of the data: after its loss stopped falling, {metric.name} on {count} training "
        f"examples was {number(reached)}. Look at the model, the scale of the inputs and the labels."
    )
    return Landmark(NAME, "check", reached, words, is_warning=True)


class _Run:
    """One fresh model on the same few examples."""

    def __init__(self, problem: Problem, inputs: Tensor, targets: Tensor, rate: float) -> None:
        seed_all(0)
        self.problem, self.inputs, self.targets = problem, inputs, targets
        handling = problem.handling
        self.runtime = Runtime(
            problem.device, evaluates_with_grad=handling.evaluates_with_grad, is_double=handling.is_double
        )
        self.model: nn.Module = self.runtime.place(problem.make_model())
        self.optimizer = torch.optim.AdamW((p for p in self.model.parameters() if p.requires_grad), lr=rate)
        self.losses: list[float] = []

    def until(self, is_reached: Callable[[float], bool], deadline: float, clock: Clock) -> tuple[float, str]:
        """The metric at the end, and how it ended: ``learned``, ``learning``, ``stuck``, or ``slow``."""
        value, warm = self.problem.trivial_value, math.inf
        for step, rows in enumerate(self._batches(), 1):
            self._step(rows)
            if step == 1:
                warm = clock()  # the first step also loads libraries, so it is not timed
            elif step < FEWEST and clock() + (FEWEST - step) * (clock() - warm) / (step - 1) > deadline:
                return value, "slow"
            is_over = clock() >= deadline or step == MOST_STEPS
            if step % LOOK_EVERY == 0 or is_over:
                value = self._value()
                if is_reached(value):
                    return value, "learned"
            if not math.isfinite(self.losses[-1]) or (step % JUDGE_EVERY == 0 and not self._falls()):
                break
            if is_over:
                return value, "learning"
        return value, "stuck"

    def _batches(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(0)
        while True:
            for rows in torch.split(torch.randperm(len(self.targets), generator=generator), BATCH):
                if len(rows) > 1:  # a batch norm fails on a single example
                    yield rows.to(self.targets.device)

    def _step(self, rows: Tensor) -> None:
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        inputs, targets = self.runtime.batch((self.inputs[rows], self.targets[rows]))
        loss = self.problem.loss(self.model(inputs), targets, 0.0)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.losses.append(float(loss.detach()))

    def _value(self) -> float:
        parts = zip(torch.split(self.inputs, BATCH), torch.split(self.targets, BATCH), strict=True)
        return self.problem.metric.compute(*evaluate(self.model, parts, self.runtime))

    def _falls(self) -> bool:
        third = len(self.losses) // 3
        before, last = sum(self.losses[-2 * third : -third]), sum(self.losses[-third:])
        return third > 0 and last < FALLING * before


def _goal(trivial: float, best: float) -> Callable[[float], bool]:
    return lambda value: (value - trivial) / (best - trivial) >= CLOSED


def _better(metric: Metric, one: float, other: float) -> float:
    return Yardstick(metric.name, metric.direction).best((one, other))


def _landmark(words: str, value: float | None) -> Landmark:
    return Landmark(NAME, "check", value, f"{NAME}: {words}.")
