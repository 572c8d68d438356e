"""Everything that the outputs of a study are made from, as plain values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from superconv_tune.core.codec import encode
from superconv_tune.core.secrets import masked
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.record.kept import KeptModels
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Fit, Status, Trial, TrialOutcome
from superconv_tune.verdict.comparison import ComparedPolicy, Shortfall
from superconv_tune.verdict.ladder import Rung
from superconv_tune.verdict.standing import Standing
from superconv_tune.verdict.verdict import Target, Verdict


@dataclass(frozen=True)
class Findings:
    """What one study found.

    Attributes:
        study: the replayed study.
        target: the question's metric, direction and value.
        verdict: the answer.
        ladder: what each cycle length reached, the shortest first.
        winner: the best search trial, with the peak of the recipe that was frozen; None if nothing finished.
        range_test: the pooled range test; None if none ran.
        importance: importance of each searched hyperparameter, as shares of 1.
        now: Unix time up to which time is counted: now, or the study's last event when an old study is rendered again.
        baselines: the comparison with other policies.
        shortfall: the comparisons that are missing or were made at another length, and why.
        leaderboard: what every family of models reached, the best one first.
        kept: the trained models in the study's folder; None if there are none.
    """

    study: Study
    target: Target
    verdict: Verdict
    ladder: tuple[Rung, ...]
    winner: Trial | None
    range_test: RangeTestResult | None
    importance: Mapping[str, float]
    now: float
    baselines: tuple[ComparedPolicy, ...] = ()
    shortfall: Shortfall = field(default_factory=Shortfall)
    leaderboard: tuple[Standing, ...] = ()
    kept: KeptModels | None = None

    @property
    def limit_s(self) -> float:
        """Wall-clock seconds that the study may take, including time added on resuming, without pauses."""
        return self.study.budget_s

    @property
    def used_s(self) -> float:
        """Wall-clock seconds since the command was given, without pauses."""
        return max(0.0, self.now - self.study.opened.started_at - self.study.paused_s)

    @property
    def worker_s(self) -> float:
        """Worker-seconds available so far."""
        return self.study.worker_s(self.now)

    @property
    def training_share(self) -> float:
        """Share of the worker-seconds spent in training and evaluation, ramps included."""
        return sum(step_seconds(outcome) for outcome in self.study.outcomes.values()) / (self.worker_s or math.inf)

    @property
    def confirmations(self) -> list[Trial]:
        """The fresh-seed runs of the recipe that count: finished, and not shortened."""
        return self.study.fresh_models()

    @property
    def statuses(self) -> dict[str, int]:
        """Number of trials by status, with every status named, and of those still running."""
        ended = Counter(outcome.status for outcome in self.study.outcomes.values())
        return {status: ended[status] for status in get_args(Status)} | {"running": len(self.study.running())}

    def optimism(self, outcome: TrialOutcome) -> float | None:
        """By how much the validation metric is better than the test metric; None if one is missing."""
        if outcome.validation is None or outcome.test is None:
            return None
        return self.target.yardstick.worth(outcome.validation - outcome.test)


def step_seconds(outcome: TrialOutcome) -> float:
    """Seconds that a trial spent in training and evaluation steps, ramps included."""
    return outcome.train_s + outcome.eval_s + outcome.range_test_s


def trained_params(trial: Trial) -> dict[str, Any]:
    """The hyperparameters of a trial, with its peak learning rate and highest momentum; of a fit its options."""
    if isinstance(trial.request.work, Fit):
        return dict(trial.request.work.options)
    params = trial.request.params
    return {**encode(params), "max_momentum": params.max_momentum, "max_lr": trial.outcome.max_lr}


def publishable(value: object) -> Any:
    """A strict JSON value, with NaN and infinity as null, and passwords in addresses as ``***``."""
    return _cleaned(encode(value))


def _cleaned(value: Any) -> Any:
    match value:
        case dict():
            return {key: _cleaned(item) for key, item in value.items()}
        case list():
            return [_cleaned(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
        case str():
            return masked(value)
    return value
