"""The state of a search at the moment of one decision, with the queries that all steps share."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.planner.ask import Decision
from superconv_tune.planner.brief import Brief, bounds
from superconv_tune.planner.cost import SLACK, CostModel
from superconv_tune.planner.divide import divide, starting_size
from superconv_tune.planner.learned import Learned, point_of
from superconv_tune.planner.surface import Point
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.purpose import Kind, Purpose
from superconv_tune.record.recipe import MOST_RECIPES
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Precision, Ramps, TrialRequest, Work

Step = Callable[[], Decision | None]

PATIENCE = 4.0  # times its predicted seconds, after which a trial must have ended
START_S = 30.0  # seconds that a worker may need to start before its first trial
LENIENCE = 0.25  # share of its predicted seconds by which a search trial may be late before its anneal is cut
LENIENCE_S = 1.0  # seconds that it may be late in any case, which is the margin every trial keeps before its deadline


def first(steps: Iterable[Step]) -> Decision | None:
    """The first decision that a step returns; None if none of them returns one."""
    return next((decision for step in steps if (decision := step()) is not None), None)


@dataclass(frozen=True)
class Moment:
    """The study, the brief and the time of one decision.

    Attributes:
        study: the study so far.
        brief: what the user asked for.
        now: Unix time in seconds.
    """

    study: Study
    brief: Brief
    now: float

    @property
    def limit(self) -> float:
        """Unix time by which all trials must have ended."""
        return self.study.deadline - self.brief.report_s

    def worth(self, value: float) -> float:
        """The value of the metric, the higher the better."""
        return self.brief.target.yardstick.worth(value)

    def patient_with(self, seconds: float) -> float:
        """The latest deadline of a trial of ``seconds``, so that one that hangs does not hold its worker to the end."""
        return min(self.limit, self.now + START_S + PATIENCE * seconds)


@dataclass(frozen=True)
class Situation(Moment):
    """The moment of a decision about a network, with the queries that its steps share."""

    @cached_property
    def learned(self) -> Learned:
        """What the cycles so far have taught."""
        return Learned(self.study, self.brief)

    # -- seconds and deadlines --------------------------------------------------------------------------------------

    @cached_property
    def cost(self) -> CostModel:
        """Predicts the seconds of a trial."""
        return CostModel.of(self.study)

    def fits(self, params: Hyperparameters, limit: float, slack: float = SLACK) -> bool:
        """Whether a trial that starts now is expected to end by ``limit``; ``slack`` as in `CostModel.seconds`."""
        return self.now + self.cost.seconds(params, slack) <= limit

    def lenient(self, params: Hyperparameters, limit: float) -> float:
        """Deadline of a trial that should end by ``limit``; a bit later, because a cut anneal does more harm."""
        return min(self.patient(params), limit + max(LENIENCE_S, LENIENCE * self.cost.seconds(params)))

    def patient(self, params: Hyperparameters) -> float:
        """The latest deadline of a trial with these parameters, as `patient_with`."""
        return self.patient_with(self.cost.seconds(params))

    @cached_property
    def usual(self) -> Hyperparameters:
        """The parameters that future trials are likely to have, whatever their length: those of the best so far.

        Before the first result they are the default ones, with the batch size that has the most steps in the same time.
        """
        latest = self.learned.latest(1 if self.brief.strategy == "free" else self.learned.rungs)
        return self.first_point(1.0).params if latest is None else replace(latest[1].params, cycle_epochs=1.0)

    def first_point(self, epochs: float) -> Point:
        """The default configuration with the first batch size, as far as the ranges allow; its peak is not known."""
        size = starting_size(self.brief, self.cost)
        defaults = replace(self.brief.defaults, batch_size=size, lr_multiplier=1.0)
        inside = self.searched(defaults) | {"cycle_epochs": epochs, "lr_multiplier": 1.0, "batch_size": size}
        return Point(replace(defaults, **inside), math.nan)  # type: ignore[arg-type]  # names of parameters

    @property
    def left_s(self) -> float:
        """Wall seconds left for each worker on average, without those that running trials will still take."""
        busy_s = sum(max(0.0, self.expected_end(request) - self.now) for request in self.study.running())
        return max(0.0, self.limit - self.now - busy_s / self.study.workers)

    def divided(self, begun: Sequence[RungPlan] = ()) -> Plan:
        """The time left, divided over rungs above those that were begun.

        Where training runs away from validation, the confirmation is not much longer than the cycles before it.
        """
        latest = self.learned.latest(len(begun))
        division = self.brief.division
        if latest is not None and self.learned.runs_away(*latest):
            division = replace(division, stretch=division.guarded)
        brief = replace(self.brief, defaults=self.first_point(1.0).params, division=division)
        return divide(brief, self.cost, self.study.workers, self.left_s, begun, len(self.asked("search")))

    @property
    def has_all_trials(self) -> bool:
        """Whether the user's number of search trials is used up."""
        return self.brief.trials is not None and len(self.asked("search")) >= self.brief.trials

    def expected_end(self, request: TrialRequest) -> float:
        """Unix time at which a running trial is expected to end."""
        return self.study.asked_at[request.trial_id] + self.predicted_s(request)

    def predicted_s(self, request: TrialRequest) -> float:
        """Seconds that a trial is expected to take; ramps count as a cycle of one epoch."""
        if isinstance(request.work, Ramps):
            return self.cost.seconds(self.usual, slack=1.0)
        return (self.cost.fresh_s if request.kind == "confirm" else self.cost.seconds)(request.params, slack=1.0)

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

    def tried(self, rung: int) -> list[Point]:
        """Configurations that a rung was asked for, in the order of asking; a repeated one several times."""
        return [point_of(request) for request in self.asked("search", rung)]

    # -- a request --------------------------------------------------------------------------------------------------

    def request(
        self, purpose: Purpose, work: Work, params: Hyperparameters, deadline: float, rung: int = -1
    ) -> TrialRequest:
        """The next request, with a new id and a new seed."""
        return TrialRequest(
            trial_id=next_id(self.study, purpose),
            attempt=1,
            purpose=purpose,
            work=work,
            params=params,
            schedule=self.brief.schedule,
            seed=next_seed(self.study, self.brief),
            deadline=deadline,
            rung=rung,
            precision=self.precision,
        )

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


def next_id(study: Study, purpose: Purpose) -> str:
    """The id of the next trial of a study."""
    return f"{len(study.requests):04d}-{purpose.kind}"


def next_seed(study: Study, brief: Brief) -> int:
    """The seed of the next trial of a study, derived from the number of trials asked for so far."""
    return int(np.random.SeedSequence([brief.seed, len(study.requests)]).generate_state(1)[0])


def next_number(study: Study) -> int:
    """The number of the next recipe of a study."""
    return 1 + max((recipe.number for recipe in study.recipes), default=0)


def may_be_followed(study: Study) -> bool:
    """Whether a study has not had its number of recipes yet."""
    return len({recipe.number for recipe in study.recipes}) < MOST_RECIPES
