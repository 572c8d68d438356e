"""The state of a search at the moment of one decision, with the queries that all steps share."""

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

PATIENCE = 4.0  # times its predicted seconds, after which a trial must have ended
START_S = 30.0  # seconds that a worker may need to start before its first trial
LENIENCE = 0.25  # share of its predicted seconds by which a search trial may be late before its anneal is cut
LENIENCE_S = 1.0  # seconds that it may be late in any case, which is the margin every trial keeps before its deadline
LUCK = 2.0  # standard errors of a difference, within which either of two validation values may be the better one
BETTER = 1 / 3  # share of a rung, used where the noise of a validation value is unknown


def first(steps: Iterable[Step]) -> Decision | None:
    """The first decision that a step returns; None if none of them returns one."""
    return next((decision for step in steps if (decision := step()) is not None), None)


@dataclass(frozen=True)
class Situation:
    """The study, the brief and the time of one decision.

    Attributes:
        study: the study so far.
        brief: what the user asked for.
        now: Unix time in seconds.
    """

    study: Study
    brief: Brief
    now: float

    # -- small facts ------------------------------------------------------------------------------------------------

    @property
    def limit(self) -> float:
        """Unix time by which all trials must have ended."""
        return self.study.deadline - self.brief.report_s

    @cached_property
    def yardstick(self) -> Yardstick:
        """The metric on the validation part, as a yardstick."""
        return yardstick_of(self.study, self.brief)

    def batch_scale(self, params: Hyperparameters) -> float:
        """Factor on the learning rate for the batch size of these parameters."""
        return batch_scale(params, self.brief.defaults.batch_size)

    # -- seconds and deadlines --------------------------------------------------------------------------------------

    @cached_property
    def cost(self) -> CostModel:
        """Predicts the seconds of a trial."""
        return CostModel.of(self.study)

    def fits(self, params: Hyperparameters, limit: float) -> bool:
        """Whether a trial that starts now is expected to end by ``limit``."""
        return self.now + self.cost.seconds(params) <= limit

    def lenient(self, params: Hyperparameters, limit: float) -> float:
        """Deadline of a trial that should end by ``limit``; a bit later, because a cut anneal does more harm."""
        return min(self.patient(params), limit + max(LENIENCE_S, LENIENCE * self.cost.seconds(params)))

    def patient(self, params: Hyperparameters) -> float:
        """The latest deadline of a trial, so that one that hangs does not hold its worker until the end."""
        return self.patient_with(self.cost.seconds(params))

    def patient_with(self, seconds: float) -> float:
        """The latest deadline of a trial that is predicted to take ``seconds``."""
        return min(self.limit, self.now + START_S + PATIENCE * seconds)

    def later_s(self, plan: Plan, index: int) -> float:
        """Seconds that the rungs above, the confirmation, the other lengths and the baselines need.

        A free rung is not counted, because it takes what is left, nor is the run-off, which uses leftover time.
        """
        parts = [(rung.width, rung.epochs) for rung in plan.rungs[index + 1 :] if not rung.free]
        parts.append((plan.confirm_seeds, plan.rungs[-1].epochs))
        waves_s = sum(self.waves(count) * self.cycle_s(epochs) for count, epochs in parts)
        return waves_s + plan.baseline_s + plan.scaling_s

    def cycle_s(self, epochs: float) -> float:
        """Predicted seconds of a cycle of the usual parameters."""
        return self.cost.seconds(replace(self.usual, cycle_epochs=epochs))

    @cached_property
    def usual(self) -> Hyperparameters:
        """The default parameters, with a batch size that future trials are likely to have.

        It is one that may be the best of the last finished rung, or of the lowest one while that is searched: the most
        expensive of them, because the seconds of an epoch may differ greatly between batch sizes.
        """
        rungs = range(len(self.study.plan.rungs) if self.study.plan else 0)
        latest = max((rung for rung in rungs if self.asked("search", rung)), default=0)
        sizes = {trial.request.params.batch_size for trial in self.likely_best(max(0, latest - 1))}
        candidates = [replace(self.brief.defaults, batch_size=size) for size in sorted(sizes)]
        return max(candidates, key=self.cost.seconds, default=self.brief.defaults)

    def waves(self, count: int) -> int:
        """Number of trials that each worker runs, one after the other, for ``count`` trials in total."""
        return math.ceil(count / self.study.workers)

    # -- trials -----------------------------------------------------------------------------------------------------

    def asked(self, kind: Kind, rung: int | None = None) -> Collection[TrialRequest]:
        """Requests of one kind, optionally of one rung, in the order of asking."""
        return self.study.asked(kind, rung).values()

    def running(self, kind: Kind, rung: int | None = None) -> list[TrialRequest]:
        """Requests of one kind, optionally of one rung, that have no outcome yet."""
        return [r for r in self.study.running() if r.kind == kind and (rung is None or r.rung == rung)]

    def finished(self, rung: int) -> list[Trial]:
        """Search trials of a rung that trained the whole cycle."""
        return [trial for trial in self.study.came_back(self.asked("search", rung)) if trial.is_whole]

    def likely_best(self, rung: int) -> list[Trial]:
        """Trials of a rung that may be its best one within the noise of the validation part, the best first.

        If the number of validation items is unknown, it is the better third.
        """
        yardstick = self.yardstick
        ranked = sorted(self.finished(rung), key=lambda trial: yardstick.worth(trial.value), reverse=True)
        if not ranked or yardstick.items is None:
            return ranked[: math.ceil(BETTER * len(ranked))]
        value = ranked[0].value
        noise = LUCK * math.sqrt(2.0) * yardstick.standard_error(value)
        return [trial for trial in ranked if abs(trial.value - value) <= noise]

    # -- a request --------------------------------------------------------------------------------------------------

    def request(
        self, purpose: Purpose, work: Work, params: Hyperparameters, deadline: float, rung: int = -1
    ) -> TrialRequest:
        """The next request, with a new id and a new seed."""
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
        """The id of the next trial."""
        return f"{len(self.study.requests):04d}-{kind}"

    def next_seed(self) -> int:
        """The seed of the next trial, derived from the number of trials asked for so far."""
        return int(np.random.SeedSequence([self.brief.seed, len(self.study.requests)]).generate_state(1)[0])

    @property
    def precision(self) -> Precision:
        """Number format of the forward pass."""
        return self.study.opened.measured.precision

    def searched(self, params: Hyperparameters) -> dict[str, float]:
        """The values of the searched parameters, clamped to their ranges."""
        values: dict[str, float] = {}
        for name, dimension in self.brief.space.items():
            low, high = bounds(dimension, 0.0)
            values[name] = min(max(getattr(params, name), low), high)
        return values
