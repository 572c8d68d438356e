"""One decision, with what every step of it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.planner.ask import Decision, batch_scale
from superconv_tune.planner.brief import Brief, bounds
from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.evidence import yardstick_of
from superconv_tune.record.plan import Plan
from superconv_tune.record.purpose import Kind, Purpose
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Precision, Trial, TrialRequest, Work

Step = Callable[[], Decision | None]

PATIENCE = 4.0  # times its predicted seconds, after which a trial has to be over
START_S = 30.0  # that a worker may take to start before its first trial
LENIENCE = 0.25  # of its predicted seconds, that a search trial may end late before its anneal is cut
LENIENCE_S = 1.0  # that it may at least: a short one loses as much to the margin that every trial keeps before the end
LUCK = 2.0  # standard errors between two values of the validation part, within which either may be the better one
BETTER = 1 / 3  # of a rung, where nothing tells how far luck reaches


def first(steps: Iterable[Step]) -> Decision | None:
    """The decision of the first step that has one."""
    return next((decision for step in steps if (decision := step()) is not None), None)


@dataclass(frozen=True)
class Situation:
    """Where one decision is made: the questions that every step asks of the study and of the time.

    Attributes:
        study: all that was asked and came back.
        policy: what the user decided.
        now: Unix time.
    """

    study: Study
    brief: Brief
    now: float

    # -- small facts ------------------------------------------------------------------------------------------------

    @property
    def limit(self) -> float:
        """Unix time by which everything has come back."""
        return self.study.deadline - self.brief.report_s

    @cached_property
    def yardstick(self) -> Yardstick:
        """The metric on the validation part."""
        return yardstick_of(self.study, self.brief)

    def batch_scale(self, params: Hyperparameters) -> float:
        """How the pick moves with the batch size of these parameters."""
        return batch_scale(params, self.brief.defaults.batch_size)

    # -- seconds and deadlines --------------------------------------------------------------------------------------

    @cached_property
    def cost(self) -> CostModel:
        """What a trial will take."""
        return CostModel.of(self.study)

    def fits(self, params: Hyperparameters, limit: float) -> bool:
        """Whether a trial that begins now is expected to end by ``limit``."""
        return self.now + self.cost.seconds(params) <= limit

    def lenient(self, params: Hyperparameters, limit: float) -> float:
        """The deadline of a trial that should end by ``limit``: a little late does less harm than a cut anneal."""
        return min(self.patient(params), limit + max(LENIENCE_S, LENIENCE * self.cost.seconds(params)))

    def patient(self, params: Hyperparameters) -> float:
        """The latest deadline of a trial: what hangs, or crawls, must not hold its worker until the hour is over."""
        return self.patient_with(self.cost.seconds(params))

    def patient_with(self, seconds: float) -> float:
        """The same for a trial that is predicted to take so many seconds."""
        return min(self.limit, self.now + START_S + PATIENCE * seconds)

    def later_s(self, plan: Plan, index: int) -> float:
        """Seconds that the rungs above, the confirmation and the baselines need; a free rung takes what is left.

        Not those of the run-off, which is for time that is over.
        """
        parts = [(rung.width, rung.epochs) for rung in plan.rungs[index + 1 :] if not rung.free]
        parts.append((plan.confirm_seeds, plan.rungs[-1].epochs))
        waves_s = sum(self.waves(count) * self.cycle_s(epochs) for count, epochs in parts)
        return waves_s + plan.baseline_s + plan.scaling_s

    def cycle_s(self, epochs: float) -> float:
        """Seconds of a cycle of the usual parameters."""
        return self.cost.seconds(replace(self.usual, cycle_epochs=epochs))

    @cached_property
    def usual(self) -> Hyperparameters:
        """The default parameters, with a batch size that trials to come may well have.

        That is one of those that may be the best of the last rung that is over, or of the lowest one while that is
        searched; of several the dearest, for an epoch may take far longer with one than with another.
        """
        rungs = range(len(self.study.plan.rungs) if self.study.plan else 0)
        latest = max((rung for rung in rungs if self.asked("search", rung)), default=0)
        sizes = {trial.request.params.batch_size for trial in self.likely_best(max(0, latest - 1))}
        candidates = [replace(self.brief.defaults, batch_size=size) for size in sorted(sizes)]
        return max(candidates, key=self.cost.seconds, default=self.brief.defaults)

    def waves(self, count: int) -> int:
        """Times that all workers begin a trial, for so many trials."""
        return math.ceil(count / self.study.workers)

    # -- trials -----------------------------------------------------------------------------------------------------

    def asked(self, kind: Kind, rung: int | None = None) -> Collection[TrialRequest]:
        """Requests of one kind, of one rung if it is given, in the order of asking."""
        return self.study.asked(kind, rung).values()

    def running(self, kind: Kind, rung: int | None = None) -> list[TrialRequest]:
        """Those whose outcome has not come."""
        return [r for r in self.study.running() if r.kind == kind and (rung is None or r.rung == rung)]

    def finished(self, rung: int) -> list[Trial]:
        """Search trials of a rung that trained the whole cycle."""
        return [trial for trial in self.study.came_back(self.asked("search", rung)) if trial.is_whole]

    def likely_best(self, rung: int) -> list[Trial]:
        """Trials of a rung that may be its best one, the best first.

        By the items of the validation part; where these are not counted, the better third.
        """
        yardstick = self.yardstick
        ranked = sorted(self.finished(rung), key=lambda trial: yardstick.worth(trial.value), reverse=True)
        if not ranked or yardstick.items is None:
            return ranked[: math.ceil(BETTER * len(ranked))]
        value = ranked[0].value
        luck = LUCK * math.sqrt(2.0) * yardstick.standard_error(value)
        return [trial for trial in ranked if abs(trial.value - value) <= luck]

    # -- a request --------------------------------------------------------------------------------------------------

    def request(
        self, purpose: Purpose, work: Work, params: Hyperparameters, deadline: float, rung: int = -1
    ) -> TrialRequest:
        """The next one, with an id and a seed of its own."""
        return TrialRequest(
            trial_id=self.next_id(purpose.kind),
            attempt=1,
            purpose=purpose,
            work=work,
            params=params,
            schedule=self.brief.schedule,
            seed=self.next_seed(),
            deadline=deadline,
            rung=rung,
            precision=self.precision,
        )

    def next_id(self, kind: Kind) -> str:
        """Id of the next trial."""
        return f"{len(self.study.requests):04d}-{kind}"

    def next_seed(self) -> int:
        """Seed of the next trial, from the number of trials that were asked for."""
        return int(np.random.SeedSequence([self.brief.seed, len(self.study.requests)]).generate_state(1)[0])

    @property
    def precision(self) -> Precision:
        """Number format of the forward pass."""
        return self.study.opened.measured.precision

    def searched(self, params: Hyperparameters) -> dict[str, float]:
        """The parameters that the sampler knows, inside its ranges."""
        values: dict[str, float] = {}
        for name, dimension in self.brief.space.items():
            low, high = bounds(dimension, 0.0)
            values[name] = min(max(getattr(params, name), low), high)
        return values
