"""Short real trials that check a question and measure its speed before the search begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.problems.payload import DataCard
from superconv_tune.problems.problem import Problem
from superconv_tune.record.events import Measured
from superconv_tune.record.trial import Precision, TrialOutcome
from superconv_tune.training.loop import supports_bf16
from superconv_tune.trial.smoke import SMOKE_STEPS, smoke

OVERHEAD_S = 0.5  # assumed per trial until some were seen: hand-over, parameters and figures to MLflow
WARM_STEPS = 3  # before a measurement: kernels of that precision and batch size are loaded and chosen in the first ones
SLOW_STEPS = 5  # of a smoke trial, if they take long enough to be timed
ENOUGH_S = 0.3
BF16_GAIN = 1.1  # bf16 is used if a step is at least this much faster


def measure(problem: Problem, card: DataCard, defaults: Hyperparameters, batch_sizes: Iterable[int]) -> Measured:
    """Run smoke trials, and return the seconds of a step for every batch size and of an evaluation.

    Raises:
        UserError: if one of them fails, with its reason.
    """
    precision, default = _faster_precision(problem, defaults)
    others = sorted({*batch_sizes} - {defaults.batch_size})
    outcomes = {size: _smoke(problem, replace(defaults, batch_size=size), precision) for size in others}
    outcomes[defaults.batch_size] = default
    return Measured(
        train_items=card.train_items,
        validation_items=card.validation_items,
        test_items=card.test_items,
        step_s={str(size): _step_s(outcome) for size, outcome in sorted(outcomes.items())},
        eval_s=min(outcome.eval_s for outcome in outcomes.values()),
        overhead_s=OVERHEAD_S,
        trivial_value=problem.trivial_value,
        precision=precision,
    )


def _smoke(problem: Problem, params: Hyperparameters, precision: Precision) -> TrialOutcome:
    """A smoke trial, after one of a few steps whose speed would mislead; a short one where steps are slow."""
    for steps in (WARM_STEPS, SLOW_STEPS, SMOKE_STEPS):
        outcome = smoke(problem, params, precision, steps)
        if outcome.status != "finished":
            raise UserError(
                f"A smoke trial of {steps} steps ended as {outcome.status}: {outcome.reason} Nothing was started."
            )
        if steps == SLOW_STEPS and outcome.train_s >= ENOUGH_S:
            break
    return outcome


def _faster_precision(problem: Problem, params: Hyperparameters) -> tuple[Precision, TrialOutcome]:
    """bf16 if device and model support it and it was measured to be faster here, else fp32; and the smoke trial."""
    full = _smoke(problem, params, "fp32")
    if not supports_bf16(problem.device):
        return "fp32", full
    try:
        half = _smoke(problem, params, "bf16")
    except UserError:  # a Fourier transform, say, has no bf16
        return "fp32", full
    return ("bf16", half) if _step_s(full) / _step_s(half) >= BF16_GAIN else ("fp32", full)


def _step_s(outcome: TrialOutcome) -> float:
    return outcome.train_s / outcome.steps
