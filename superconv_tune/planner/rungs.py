"""One rung of the ladder: the order of its trials, the configurations it promotes, and its learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice
from superconv_tune.lr.horizon import HorizonRule, fit_exponent, prior
from superconv_tune.planner.ask import Decision, Draft, Draw
from superconv_tune.planner.finalists import Finalists
from superconv_tune.planner.first_ramps import own_ramp, pooled_range_test
from superconv_tune.planner.lengths import fitted
from superconv_tune.planner.probes import Probes
from superconv_tune.planner.situation import Situation, Step, first
from superconv_tune.record.conductor import Signal
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.purpose import FromProposer
from superconv_tune.record.trial import Trial
from superconv_tune.verdict.ladder import best

PROMOTED_SHARE = 2 / 3  # share of a rung for configurations from the rung below; the sampler proposes the rest
JITTER = (
    1.0,
    math.sqrt(2.0),
    1.0 / math.sqrt(2.0),
)  # factors on a promoted learning rate, because the best one depends on the length
SAME_LR = 0.1  # difference in log(lr) below which two learning rates count as the same
ENOUGH_OF_A_RUNG = 2 / 3  # share of a rung that must be done before an idle worker starts the next one


@dataclass(frozen=True)
class RungSteps:
    """The next step of one rung.

    Attributes:
        situation: the state of the search.
        plan: the division of the time budget.
        index: index of the rung, 0 for the shortest.
    """

    situation: Situation
    plan: Plan
    index: int

    def next(self) -> Decision | None:
        """A plan with adjusted lengths, a trial, or `Signal.WAIT`; None if the rung needs nothing more."""
        limit = self.situation.limit - self.situation.later_s(self.plan, self.index)
        steps: list[Step] = [lambda: fitted(self.situation, self.plan, self.index), lambda: self._search(limit)]
        if self.index == 0:
            steps.insert(1, lambda: self._probes.ask(self._rung, limit))
        if self._is_top:
            steps.append(lambda: self._finalists.run_off(limit))
        decision = first(steps)
        if decision is not None:
            return decision
        return Signal.WAIT if self._is_waited_for() else None

    @property
    def _rung(self) -> RungPlan:
        return self.plan.rungs[self.index]

    @property
    def _is_top(self) -> bool:
        return self.index == len(self.plan.rungs) - 1

    @property
    def _probes(self) -> Probes:
        return Probes(self.situation)

    @cached_property
    def _finalists(self) -> Finalists:
        return Finalists(self.situation, self.plan)

    def _is_waited_for(self) -> bool:
        """Whether trials of this rung must end before the next rung begins."""
        asked, running = self.situation.asked("search", self.index), self.situation.running("search", self.index)
        if not running or self._is_top:
            return bool(running)
        return self._awaits_a_size() or len(asked) - len(running) < ENOUGH_OF_A_RUNG * len(asked)

    def _awaits_a_size(self) -> bool:
        """Whether a trial of the lowest rung runs with a batch size that has no result yet, and may be the best."""
        if self.index > 0:
            return False
        situation = self.situation
        came_back = situation.study.came_back(situation.asked("search", 0))
        known = {trial.request.params.batch_size for trial in came_back}
        return any(request.params.batch_size not in known for request in situation.running("search", 0))

    def _search(self, limit: float) -> Draw | None:
        """A configuration promoted from the rung below, or one from the sampler.

        None once the next rung or the confirmation has begun, the rung is full, or time is too short.
        """
        situation, rung, index, rule = self.situation, self._rung, self.index, self._rule()
        if rule is None or situation.asked("search", index + 1) or situation.asked("confirm"):
            return None
        another = self._another_size()
        room = self._room(limit, is_wanted=another is not None)
        if room is None:
            return None
        promotion = None if another else self._promotion()
        chosen = another or (promotion.params if promotion else None)
        fixed = chosen if chosen is not None else {} if rung.free else {"cycle_epochs": rung.epochs}
        defaults = replace(situation.brief.defaults, cycle_epochs=rung.epochs)
        likely = replace(defaults, batch_size=int(fixed.get("batch_size", situation.usual.batch_size)))
        if not situation.fits(likely, room):
            return None
        draft = Draft(
            trial_id=situation.next_id("search"),
            seed=situation.next_seed(),
            rung=index,
            deadline=situation.lenient(likely, room),
            schedule=situation.brief.schedule,
            precision=situation.precision,
            defaults=defaults,
            own_ramp=own_ramp(situation, defaults),
            rule=rule,
            parent=promotion.parent if promotion else None,
        )
        below = f"rung{index - 1}" if index > 0 and not situation.asked("search", index) else None
        return Draw(f"rung{index}", fixed, draft, warm_start=below)

    def _room(self, limit: float, *, is_wanted: bool) -> float | None:
        """Unix time by which one more trial of this rung must end; None if the rung is full.

        The time of the run-off is reserved once every worker has had a trial.

        Args:
            limit: Unix time by which the rung must end.
            is_wanted: whether the trial is needed even if the rung is full.
        """
        asked = len(self.situation.asked("search", self.index))
        if self._is_top and asked >= self._rung.width:
            return limit - self._finalists.run_off_s() if self._finalists.are_worth_widening() else None
        if asked >= self._rung.width and not is_wanted:
            return None
        return limit if self._is_top or asked < self.situation.study.workers else limit - self.plan.run_off_s

    def _has_longest(self) -> bool:
        """Whether the plan has the longest allowed cycles, so that a more expensive epoch need not shorten them."""
        return self.plan.rungs[-1].epochs >= self.situation.brief.epochs_bounds[1]

    def _another_size(self) -> dict[str, float] | None:
        """On the lowest rung, the default parameters with a batch size that was not tried yet; None if there is none.

        So every batch size is tried once. If the probes fill the rung, only if the plan has the longest allowed cycles.
        """
        situation, sizes = self.situation, self.situation.brief.space.get("batch_size")
        asked = situation.asked("search", self.index)
        if self.index > 0 or (len(asked) >= self._rung.width and not self._has_longest()):
            return None
        tried = {request.params.batch_size for request in asked}
        untried = [int(size) for size in sizes.values if size not in tried] if isinstance(sizes, Choice) else []
        if not untried:
            return None
        params = replace(
            situation.brief.defaults, cycle_epochs=self._rung.epochs, batch_size=untried[0], lr_multiplier=1.0
        )
        return situation.searched(params)

    def _promotion(self) -> _Promotion | None:
        """The next configuration to promote from the rung below; None if the sampler is next."""
        situation, rung = self.situation, self._rung
        asked = situation.asked("search", self.index)
        if self.index == 0 or rung.free or len(asked) >= math.ceil(PROMOTED_SHARE * rung.width):
            return None
        below, likely = replace(self, index=self.index - 1)._rule(), situation.likely_best(self.index - 1)
        if below is None:
            return None
        existing = [situation.searched(request.params) for request in asked]
        moved = (
            _Promotion(trial.request.trial_id, situation.searched(self._moved(trial, below, jitter)))
            for jitter in JITTER
            for trial in likely
        )
        return next((each for each in moved if not any(_are_alike(each.params, other) for other in existing)), None)

    def _moved(self, trial: Trial, below: HorizonRule, jitter: float) -> Hyperparameters:
        """The configuration of a trial at this rung's length; its learning rate keeps its ratio to the pick."""
        params = trial.request.params
        picked = below.max_lr(params.cycle_epochs) * self.situation.batch_scale(params)
        multiplier = jitter * trial.max_lr / picked
        return replace(params, cycle_epochs=self._rung.epochs, lr_multiplier=multiplier)

    def _first_draw(self) -> float | None:
        """The learning rate picked for the first sampled or promoted trial, at the default batch size."""
        for request in self.situation.asked("search", self.index):
            if isinstance(request.purpose, FromProposer):
                return request.purpose.pick_lr / self.situation.batch_scale(request.params)
        return None

    def _rule(self) -> HorizonRule | None:
        """The learning rate for cycles of this rung: the pick of the probes, extrapolated by the rungs below.

        The first trial of a rung fixes it, because all multipliers of one rung must multiply the same number.
        """
        situation, rung = self.situation, self._rung
        first = self._first_draw()
        if first is not None and not rung.free:
            return HorizonRule(first, rung.epochs, exponent=0.0)
        if not self._probes.came_back():
            return None
        grid = self._probes.grid()
        leaders = [best(situation.finished(below), situation.yardstick) for below in range(self.index)]
        found = [
            (trial.request.params.cycle_epochs, trial.max_lr / situation.batch_scale(trial.request.params))
            for trial in leaders
            if trial is not None
        ]
        pooled = pooled_range_test(situation.study)
        minimum = pooled.lr_at_minimum if pooled is not None and pooled.refusal is None else None
        return HorizonRule(
            reference_lr=grid.pick(minimum),
            reference_epochs=self.plan.rungs[0].epochs,
            exponent=fit_exponent(found, prior(situation.brief.optimizer)),
            edge=grid.edge(),
        )


@dataclass(frozen=True)
class _Promotion:
    """A configuration to promote: id of the trial on the rung below, and its parameters at the new length."""

    parent: str
    params: dict[str, float]


def _are_alike(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether two configurations are nearly the same, with learning rates within `SAME_LR` of each other."""
    lr = math.log(one.get("lr_multiplier", 1.0) / other.get("lr_multiplier", 1.0))
    rest = one.keys() - {"lr_multiplier"}
    return abs(lr) < SAME_LR and all(math.isclose(one[name], other[name]) for name in rest)
