"""One rung of the ladder: complete cycles of one length, until the best of them has been beaten from both sides."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Interval
from superconv_tune.lr.rate_grid import GRID_FACTOR
from superconv_tune.planner.ask import Decision, Draw, batch_scale
from superconv_tune.planner.brief import bounds
from superconv_tune.planner.divide import SIMILAR, fast_sizes, rounded
from superconv_tune.planner.first_ramps import first_rate
from superconv_tune.planner.learned import point_of
from superconv_tune.planner.situation import Situation
from superconv_tune.planner.surface import Point, is_same_rate
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.purpose import Probe, Proposal, RunOff, Sampled
from superconv_tune.record.trial import Cycle, TrialRequest

COARSE_POWERS = (0, 2, -2)  # powers of `GRID_FACTOR` in the first grid, in the order of asking
FARTHEST_POWER = 4  # for workers that would have nothing else to do
MOST_REPEATS = 2  # fresh seeds of the best configuration of a rung
WIDER = 1.5  # times its width, to which a rung grows while the best learning rate lies at the border of those tried
EVERY_SIZE_UNTIL = 1  # rung by which every batch size of similar throughput was tried (design 6)
LEAST_SHARE = 0.7  # of the planned confirmation, which the search for the best learning rate may not use
WORTH_TRYING = 0.5  # throughput, as a share of the best one's, of a batch size next to the best one that is tried
MORE_DECAY = 10.0  # factor on a weight decay: about as far apart as shows in a few hundred items
WORTH_REPLANNING = 0.04  # relative change of a length below which a plan is kept


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
        """The plan as fitted to the speed so far, or a trial; None if the rung needs nothing more for now."""
        if not self._may_begin():
            return None
        return self._replanned() or self._trial(self.situation.limit - self._confirm_s())

    def spare(self, limit: float) -> Decision | None:
        """A trial for an idle worker that ends by ``limit``; None if none fits."""
        return self._wished(limit) if self._may_begin() else None

    # -- what is asked for ------------------------------------------------------------------------------------------

    def _trial(self, limit: float) -> Decision | None:
        asked, width = len(self.situation.asked("search", self.index)), self._rung.width
        if self._rung.free and self.index > 0:
            return self._drawn(limit, {}) if asked < width else None
        if asked < WIDER * width:
            late = limit + (1.0 - LEAST_SHARE) * self._confirm_s()
            for point in self._required():
                if not self._is_tried(point):
                    return self._at(point, late)
        return self._wished(limit) if asked < width else None

    def _required(self) -> Iterator[Point]:
        """What the rung begins with, and the neighbours that may beat the best so far."""
        yield from self._entrants()
        leader = self.situation.learned.leader(self.index)
        if leader is None:
            yield from self._far_below()
        else:
            yield leader.at_rate(leader.max_lr * GRID_FACTOR)
            yield leader.at_rate(leader.max_lr / GRID_FACTOR)

    def _entrants(self) -> Iterator[Point]:
        """The first grid; on a higher rung the best of the rung below, and the same with twice the rate."""
        for power in COARSE_POWERS if self.index == 0 else (0, 1):
            yield self._start.at_rate(self._start.max_lr * GRID_FACTOR**power)

    def _far_below(self) -> Iterator[Point]:
        """A much lower rate than those tried, where every cycle of the first grid, or more, went wrong."""
        situation = self.situation
        ended = situation.study.came_back(situation.asked("search", self.index))
        if len(ended) >= len(COARSE_POWERS) and all(trial.went_wrong for trial in ended):
            yield self._start.at_rate(min(point.max_lr for point in self._tried) / GRID_FACTOR**2)

    def _wished(self, limit: float) -> Decision | None:
        """What is worth a trial while the rung has room: augmentation or none, batch sizes, more decay, then the rest.

        The rest are other parameters and fresh seeds, by turns. Workers that are many try farther learning rates too,
        on the lowest rung.
        """
        best = self._best
        farther = self._farther(best) if self.index == 0 else ()
        wishes = chain(self._other_augment(best), self._other_sizes(best), farther, self._more_decay(best))
        point = next(wishes, None)
        if point is not None:
            return self._at(point, limit)
        repeated = self._repeated(best, limit) if len(self._tried) % 2 else None
        return repeated or self._drawn(limit, self._fixed(best))

    def _other_augment(self, best: Point) -> Iterator[Point]:
        """The best configuration with images augmented if they were not, or the reverse; not in the shortest cycles.

        Augmentation does not show there what it is for: cycles in which a model could learn its examples by heart.
        """
        if self.index == 0 or "augment" not in self.situation.brief.space:
            return
        other = best.with_params(augment=1 - best.params.augment)
        if all(point.params.augment != other.params.augment for point in self._tried):
            yield other

    def _other_sizes(self, best: Point) -> Iterator[Point]:
        """The best configuration with batch sizes that the rung has not tried, the nearest first.

        They are its neighbours; on the low rungs also all others that process examples about as fast as the fastest.
        """
        brief, cost, size = self.situation.brief, self.situation.cost, best.params.batch_size
        every = fast_sizes(brief, cost, WORTH_TRYING)
        if size not in every:
            return
        place = every.index(size)
        wanted = set(every[max(0, place - 1) : place + 2])
        wanted |= set(fast_sizes(brief, cost, SIMILAR)) if self.index <= EVERY_SIZE_UNTIL else set()
        known = {point.params.batch_size for point in self._tried}
        for other in sorted(wanted - known, key=lambda other: abs(every.index(other) - place)):
            octaves = math.log(batch_scale(other, size), GRID_FACTOR)
            point = best.with_params(batch_size=other).at_rate(best.max_lr * GRID_FACTOR ** math.trunc(octaves))
            yield self._at_length(point)

    def _more_decay(self, best: Point) -> Iterator[Point]:
        """The best configuration with ten times its weight decay, where training runs away from validation."""
        decay = self.situation.brief.space.get("weight_decay")
        if not isinstance(decay, Interval) or not self.situation.learned.runs_away(self.index, best):
            return
        more = best.with_params(weight_decay=min(decay.high, MORE_DECAY * best.params.weight_decay))
        if not self._is_tried(more):
            yield more

    def _farther(self, best: Point) -> Iterator[Point]:
        for power in range(1, FARTHEST_POWER + 1):
            for sign in (1, -1):
                point = best.at_rate(best.max_lr * GRID_FACTOR ** (sign * power))
                if not self._is_tried(point):
                    yield point

    # -- requests ---------------------------------------------------------------------------------------------------

    def _at(self, point: Point, limit: float) -> Decision | None:
        """A trial of a given configuration: of the sampler's study if a trial of the rung below had it."""
        situation = self.situation
        if not situation.fits(point.params, limit):
            return None
        rate = point.max_lr / self._multiplier
        params = replace(point.params, lr_multiplier=self._multiplier)
        draft = situation.request(
            Probe(rate), Cycle(point.max_lr), params, situation.lenient(point.params, limit), self.index
        )
        parent = self._parent(point)
        if parent is None or not situation.brief.space:
            return draft
        return Draw(self._study, situation.searched(params), draft, rate, parent, self._warm_start)

    def _drawn(self, limit: float, fixed: dict[str, float]) -> Draw | None:
        """A configuration from the sampler around the best one; None if there is nothing to draw, or no time."""
        situation, best = self.situation, self._start if self._rung.free else self._best
        if not situation.fits(best.params, limit) or not set(situation.brief.space) - set(fixed):
            return None
        deadline = situation.lenient(best.params, limit)
        rate = best.max_lr / self._multiplier
        nothing = Sampled(Proposal(self._study, -1), rate)
        draft = situation.request(nothing, Cycle(best.max_lr), best.params, deadline, self.index)
        return Draw(self._study, fixed, draft, rate, warm_start=self._warm_start)

    def _fixed(self, best: Point) -> dict[str, float]:
        """What the sampler does not draw in a rung: the length, and what has a search of its own."""
        given = {
            "cycle_epochs": best.params.cycle_epochs,
            "batch_size": float(best.params.batch_size),
            "augment": float(best.params.augment),
        }
        return {name: value for name, value in given.items() if name in self.situation.brief.space}

    def _repeated(self, best: Point, limit: float) -> TrialRequest | None:
        """A fresh seed of the best configuration of the rung; None if it has enough of them."""
        situation = self.situation
        origin = next((r for r in situation.asked("search", self.index) if point_of(r) == best), None)
        if origin is None or Counter(self._tried)[best] > MOST_REPEATS or not situation.fits(best.params, limit):
            return None
        deadline = situation.lenient(best.params, limit)
        return situation.request(RunOff(origin.trial_id), Cycle(best.max_lr), best.params, deadline, self.index)

    def _parent(self, point: Point) -> str | None:
        """The complete cycle of the rung below with the same configuration."""
        below = self.situation.learned.finished(self.index - 1) if self.index > 0 else []
        return next((t.request.trial_id for t in below if point_of(t.request).is_like(point)), None)

    # -- facts ------------------------------------------------------------------------------------------------------

    @property
    def _rung(self) -> RungPlan:
        return self.plan.rungs[self.index]

    @property
    def _study(self) -> str:
        """Key of the proposer's study of the rung."""
        return f"rung{self.index}"

    @property
    def _warm_start(self) -> str | None:
        asked = self.situation.study.asked("search", self.index)
        is_first = not any(request.proposal is not None for request in asked.values())
        return f"rung{self.index - 1}" if self.index > 0 and is_first else None

    @property
    def _multiplier(self) -> float:
        """The multiplier of a trial in which nothing is drawn: 1, or what is nearest to it in the space."""
        low, high = bounds(self.situation.brief.space.get("lr_multiplier"), 1.0)
        return min(max(1.0, low), high)

    @cached_property
    def _tried(self) -> list[Point]:
        return self.situation.tried(self.index)

    @cached_property
    def _rates(self) -> dict[Hyperparameters, list[float]]:
        """The peaks that the rung was asked for, by setting."""
        found: defaultdict[Hyperparameters, list[float]] = defaultdict(list)
        for point in self._tried:
            found[point.setting].append(point.max_lr)
        return found

    def _is_tried(self, point: Point) -> bool:
        return any(is_same_rate(point.max_lr, rate) for rate in self._rates.get(point.setting, ()))

    @cached_property
    def _below(self) -> Point | None:
        """The best configuration of the highest rung below that has one."""
        latest = self.situation.learned.latest(self.index)
        return None if latest is None else latest[1]

    @cached_property
    def _start(self) -> Point:
        """The configuration that the rung begins with: the best of the rung below, or the default one."""
        if self._below is not None:
            return self._at_length(self._below)
        return self.situation.first_point(self._rung.epochs).at_rate(first_rate(self.situation))

    def _at_length(self, point: Point) -> Point:
        """The configuration in a cycle of this rung, which takes about as many seconds with every batch size."""
        situation = self.situation
        low, high = situation.brief.epochs_bounds
        first = situation.first_point(self._rung.epochs).params
        epochs = situation.cost.same_time(first, point.params.batch_size)
        return point.at_length(rounded(min(max(epochs, min(low, self._rung.epochs)), high)))

    @cached_property
    def _best(self) -> Point:
        """The best configuration of the rung so far, or the one that it begins with."""
        return self.situation.learned.leader(self.index) or self._start

    def _confirm_s(self) -> float:
        """Wall seconds that the confirmation is planned to take."""
        params = self.situation.first_point(self.plan.rungs[-1].epochs).params
        return self.situation.waves(self.plan.confirm_seeds) * self.situation.cost.fresh_s(params, slack=1.0)

    def _may_begin(self) -> bool:
        """Whether there is something to start from, and the user allows another trial."""
        return (self.index == 0 or self._below is not None) and not self.situation.has_all_trials

    def _replanned(self) -> Plan | None:
        """The plan from this rung on, fitted to the time left and to the speed so far; None if it is much the same."""
        situation, index = self.situation, self.index
        if self.plan.is_too_small:
            return self._enlarged()
        begun = any(situation.asked("search", rung) for rung in range(index, len(self.plan.rungs)))
        if index == 0 or begun or self._rung.free:
            return None
        plan = situation.divided(self.plan.rungs[:index])
        if not self._rung.width and len(plan.rungs) <= len(self.plan.rungs):
            return None  # only the confirmation is left, whose length follows from the time left
        return None if _are_close(plan, self.plan) else replace(plan, confirm_seeds=self.plan.confirm_seeds)

    def _enlarged(self) -> Plan | None:
        """A plan with more rungs, where the first cycle shows that the machine is faster than it seemed."""
        if not self.situation.learned.finished(0):
            return None
        plan = self.situation.divided(self.plan.rungs[:1])
        return plan if any(rung.width for rung in plan.rungs[1:]) else None


def _are_close(one: Plan, other: Plan) -> bool:
    """Whether the rungs of two plans have nearly the same lengths."""
    return len(one.rungs) == len(other.rungs) and all(
        abs(math.log(a.epochs / b.epochs)) < WORTH_REPLANNING for a, b in zip(one.rungs, other.rungs, strict=True)
    )
