"""Everything that the outputs say, as plain values, and the few sums that several of them need."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from superconv_tune.core.codec import encode
from superconv_tune.core.secrets import masked
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, Trial, TrialOutcome
from superconv_tune.verdict.comparison import ComparedPolicy, Shortfall
from superconv_tune.verdict.ladder import Rung
from superconv_tune.verdict.verdict import Target, Verdict


@dataclass(frozen=True)
class Findings:
    """What one study found.

    Attributes:
        study: the replayed study; its environment and spec are those of ``study.opened``.
        target: the question's metric, direction and value.
        verdict: the answer.
        ladder: what each cycle length reached, the shortest first.
        winner: the best search trial, with the peak of the recipe that was frozen; None if nothing finished.
        range_test: the pooled range test; None if none ran.
        importance: share of the metric's variation that each searched name explains.
        now: Unix time at which the account ends: of the report, or of the study's last event when an old study is
            rendered again (time that passed since is not the study's).
        baselines: the policies that the searched one was compared with.
        shortfall: which were not, or not at the length of the recipe, and what explains it.
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

    @property
    def limit_s(self) -> float:
        """Wall-clock seconds that the study may take, added time included."""
        return self.study.deadline - self.study.opened.started_at

    @property
    def used_s(self) -> float:
        """Wall-clock seconds since the command was given."""
        return max(0.0, self.now - self.study.opened.started_at)

    @property
    def worker_s(self) -> float:
        """Worker-seconds that were there to be used."""
        return self.study.workers * self.used_s

    @property
    def training_share(self) -> float:
        """Share of the worker-seconds spent in training and evaluation steps, ramps included."""
        return sum(step_seconds(outcome) for outcome in self.study.outcomes.values()) / (self.worker_s or math.inf)

    @property
    def confirmations(self) -> list[Trial]:
        """Fresh-seed runs of the recipe that count: finished, and with their whole anneal."""
        return self.study.fresh_models()

    @property
    def statuses(self) -> dict[str, int]:
        """Trials by how they ended, every status named, and those that still run."""
        ended = Counter(outcome.status for outcome in self.study.outcomes.values())
        return {status: ended[status] for status in get_args(Status)} | {"running": len(self.study.running())}

    def optimism(self, outcome: TrialOutcome) -> float | None:
        """By how much the validation part flatters against the test part; positive where it does."""
        if outcome.validation is None or outcome.test is None:
            return None
        return self.target.yardstick.worth(outcome.validation - outcome.test)


def step_seconds(outcome: TrialOutcome) -> float:
    """Seconds of a trial in training and evaluation steps."""
    return outcome.train_s + outcome.eval_s + outcome.range_test_s


def trained_params(trial: Trial) -> dict[str, Any]:
    """The hyperparameters of a trial, with the peak learning rate and momentum that it really used."""
    params = trial.request.params
    return {**encode(params), "max_momentum": params.max_momentum, "max_lr": trial.outcome.max_lr}


def publishable(value: object) -> Any:
    """A strict JSON value: NaN and infinity become null, passwords inside addresses ``***``."""
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
