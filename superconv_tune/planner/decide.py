"""What to run next: a pure function of the study, the policy and the time."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile

import numpy as np

from superconv_tune.core.horizon import HorizonRule, fit_exponent, prior
from superconv_tune.core.ladder import Contender, best, contenders, is_whole, winner
from superconv_tune.core.lr_range import RangeTestResult, pool
from superconv_tune.core.plan import Plan, RungPlan
from superconv_tune.core.probes import (
    FALLBACK_LR,
    FALLBACK_LR_ELSE,
    GRID_FACTOR,
    MOST_WIDENINGS,
    ProbeGrid,
    first_grid,
)
from superconv_tune.core.recipe import MOST_RECIPES, calmer, count, current, is_unsteady, requests_of
from superconv_tune.core.study import Study, Trial
from superconv_tune.core.trial import Hyperparameters, Kind, TrialRequest
from superconv_tune.planner.ask import Ask, Signal, batch_scale, own_ramp_steps, with_drawn
from superconv_tune.planner.baselines import Comparison
from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.divide import (
    FIRST_GRID,
    LATE,
    MAX_SEEDS,
    MIN_SEEDS,
    REFIT_SHARE,
    WIDEST,
    divide,
    refit,
    shorten,
)
from superconv_tune.planner.evidence import is_decided, word_of
from superconv_tune.planner.policy import Policy, bounds
from superconv_tune.planner.scaling import missing

Decision = Ask | Plan | Signal
Step = Callable[[], Decision | None]

RAMPS = 2  # replicates of the first range test, at least; more where there are more workers
MOST_RAMPS = 3
RAMP_STEPS = 180  # of a first fine ramp: three decades at 60 steps per decade (science 2.3)
COARSE_STEPS = 105  # of the coarse ramp before it: seven decades at 15 steps per decade
OWN_RAMP_SHARE = 0.1  # a trial's own ramp is this share of its cycle
OWN_RAMP_REACH = 10.0  # it crosses the pooled minimum / and * this factor
MOST_SPECULATION = 2  # probes beyond the border that run before one of them came back
PROMOTED_SHARE = 2 / 3  # of a rung: configurations from the rung below; the sampler proposes the rest
JITTER = (1.0, math.sqrt(2.0), 1.0 / math.sqrt(2.0))  # of a promoted learning rate, for the best one moves with length
RUN_OFF = 3  # contenders that are trained again before one is frozen
RUN_OFF_SEEDS = 3  # of each of them
SPARE_WAVES = 1  # kept free by both for what the plan leaves to chance: slow cycles, the recipe on less data
SAFELY = 2.0  # standard errors of the validation part past the target, where the search for better ones ends
ENOUGH_OF_A_RUNG = 2 / 3  # done, so that an idle worker may start on the next one
PATIENCE = 4.0  # times its predicted seconds, after which a trial has to be over
START_S = 30.0  # that a worker may take to start before its first trial
LENIENCE = 0.25  # of its predicted seconds, that a search trial may end late before its anneal is cut
ATTEMPTS = 3  # of a trial that was lost through no fault of its own


def decide(study: Study, policy: Policy, now: float) -> Decision:
    """A trial to ask for, a plan to lay down, or a signal.

    Nothing is remembered between calls: the same study at the same time gives the same decision, which is what makes a
    replay of the journal a resume.
    """
    if study.closed is not None:
        return Signal.DONE
    return _Desk(study, policy, now).decide()


def pooled_range_test(study: Study) -> RangeTestResult | None:
    """What the first range tests say together; None before one came back."""
    results = [outcome.range_test for _, outcome in study.trials("range_test") if outcome.range_test is not None]
    return pool(results) if results else None


def comparison_of(study: Study, policy: Policy, now: float) -> Comparison | None:
    """The comparison with other policies as it stands; None before a recipe was frozen."""
    recipe = current(study)
    if study.plan is None or recipe is None:
        return None
    return Comparison(study, policy, CostModel.of(study), study.plan, recipe, now, study.deadline - policy.report_s)


@dataclass(frozen=True)
class _Desk:
    """One decision, with what every step of it needs."""

    study: Study
    policy: Policy
    now: float

    # -- the order of things ----------------------------------------------------------------------------------------

    def decide(self) -> Decision:
        for step in (self._retry, self._range_test, self._plan):
            decision = step()
            if decision is not None:
                return decision
        assert self.study.plan is not None
        for index in range(len(self.study.plan.rungs)):
            decision = self._rung(self.study.plan, index)
            if decision is not None:
                return decision
        return self._finish(self.study.plan)

    def _finish(self, plan: Plan) -> Decision:
        """Fresh seeds of the frozen recipe, the recipe at other lengths, and runs of other policies."""
        recipe = self._recipe()
        if recipe is None:
            return Signal.WAIT if self._running("search") else Signal.DONE
        steps: list[Step] = [
            lambda: self._confirm(plan, recipe),
            lambda: self._scaling(recipe),
            lambda: self._confirm_more(recipe),
            self._baseline,
        ]
        for step in steps:
            decision = step()
            if decision is not None:
                return decision
        return Signal.WAIT if self.study.running() else Signal.DONE

    def _retry(self) -> Decision | None:
        for request, _ in self.study.lost():
            if request.kind == "baseline":
                continue  # has rules of its own
            if request.attempt < ATTEMPTS and self._fits(request.params, self._limit):
                deadline = self._patient(request.params)
                again = replace(request, attempt=request.attempt + 1, deadline=deadline, proposal=None)
                if request.proposal is None:
                    return Ask(again)
                return Ask(again, study=request.proposal[0], fixed=self._searched(request.params))
        return None

    def _range_test(self) -> Decision | None:
        wanted = min(MOST_RAMPS, max(RAMPS, self.study.workers))
        ramp_s = self._cost.ramp_s(self.policy.defaults, COARSE_STEPS + RAMP_STEPS)
        in_time = self.now + ramp_s <= self._limit
        deadline = min(self._limit, self.now + START_S + PATIENCE * ramp_s)
        if len(self._asked("range_test")) < wanted and in_time:
            return Ask(
                replace(
                    self._request("range_test", -1, self.policy.defaults, deadline),
                    ramp=self.policy.ramp_interval,
                    ramp_steps=RAMP_STEPS,
                )
            )
        return Signal.WAIT if self._running("range_test") else None

    def _plan(self) -> Decision | None:
        if self.study.plan is not None:
            return None
        return divide(self.policy, self._cost, self.study.workers, max(0.0, self._limit - self.now))

    # -- a rung -----------------------------------------------------------------------------------------------------

    def _rung(self, plan: Plan, index: int) -> Decision | None:
        rung, limit = plan.rungs[index], self._limit - self._later_s(plan, index)
        steps: list[Step] = [lambda: self._refit(plan, index), lambda: self._search(plan, index, limit)]
        if index == 0:
            steps.insert(1, lambda: self._probe(rung, limit))
        if index == len(plan.rungs) - 1:
            steps.append(lambda: self._run_off(plan, limit))
        for step in steps:
            decision = step()
            if decision is not None:
                return decision
        return Signal.WAIT if self._is_waited_for(plan, index) else None

    def _is_waited_for(self, plan: Plan, index: int) -> bool:
        """Whether what runs in this rung has to end before the next one begins."""
        asked, running = self._asked("search", index), self._running("search", index)
        is_top = index == len(plan.rungs) - 1
        return bool(running) and (is_top or len(asked) - len(running) < ENOUGH_OF_A_RUNG * len(asked))

    def _refit(self, plan: Plan, index: int) -> Decision | None:
        """Before its first sampled trial a rung, and all above it, is fitted to the time that is left."""
        left_s = max(0.0, self._limit - self.now)
        asked = self._asked("search", index)
        if index < len(plan.rungs) - 1:
            return self._shorten(plan, index, left_s)
        if plan.rungs[index].free or asked:
            return None
        return refit(self.policy, self._cost, self.study.workers, left_s, plan)

    def _shorten(self, plan: Plan, index: int, left_s: float) -> Decision | None:
        """Shorter cycles for all rungs that have not begun, if the machine is too slow for the plan and it helps.

        What was shortened must let this rung ask for a trial, or the top rung would be stretched again at once.
        """
        asked = self._asked("search", index)
        missing = plan.rungs[index].width - len(asked)
        if missing <= 0 or plan.rungs[-1].free or self._is_settled(index):
            return None
        needed_s = self._waves(missing) * self._cycle_s(plan.rungs[index].epochs) + self._later_s(plan, index)
        if left_s >= LATE * needed_s:
            return None
        first = index + 1 if asked else index
        shorter = shorten(self.policy, self._cost, plan, first, REFIT_SHARE * left_s / needed_s)
        helps = self._cycle_s(shorter.rungs[index].epochs) + self._later_s(shorter, index) <= left_s
        return shorter if helps and shorter.rungs != plan.rungs else None

    def _is_settled(self, index: int) -> bool:
        """Whether a rung's length stands: a sampled trial has it, or the search is beyond it or cannot sample yet."""
        sampled = any(request.proposal is not None for request in self._asked("search", index))
        beyond = bool(self._asked("search", index + 1) or self._asked("confirm"))
        return sampled or beyond or (index > 0 and not self._probes())

    def _probe(self, rung: RungPlan, limit: float) -> Decision | None:
        """Complete cycles of the default parameters over a grid of learning rates, until the best is inside it."""
        params = replace(self.policy.defaults, cycle_epochs=rung.epochs)
        probes = self._probes()
        asked = {request.pick_lr for request in self._probe_requests()}
        missing = [lr for lr in self._grid() if lr not in asked] or self._beyond(probes, asked)
        if not missing and self._running_probes():
            return Signal.WAIT
        if not missing or not self._fits(params, limit):
            return None
        request = self._request("search", 0, params, self._lenient(params, limit))
        return Ask(replace(request, pick_lr=missing[0]))

    def _beyond(self, probes: list[Trial], asked: set[float | None]) -> list[float]:
        """The next rate beyond the border where the best one lies, past those that run already."""
        is_enough = len(asked) >= FIRST_GRID + MOST_WIDENINGS or len(self._running_probes()) >= MOST_SPECULATION
        if len(probes) < 2 or is_enough or self._is_done_with_probes(asked):
            return []
        grid = self._probe_grid(probes)
        lr = grid.beyond()
        if lr is None:
            return []
        step = GRID_FACTOR if lr > grid.rates[-1] else 1.0 / GRID_FACTOR
        while any(taken is not None and math.isclose(lr, taken) for taken in asked):
            lr *= step
        return [lr]

    def _grid(self) -> list[float]:
        pooled = pooled_range_test(self.study)
        if pooled is None or pooled.refusal is not None:
            centre = FALLBACK_LR.get(self.policy.optimizer, FALLBACK_LR_ELSE)
        else:
            centre = pooled.max_lr
        return first_grid(centre)

    def _probe_grid(self, probes: list[Trial]) -> ProbeGrid:
        scores = [
            (request.pick_lr or 0.0, outcome.objective if outcome.status == "finished" else math.nan)
            for request, outcome in probes
        ]
        trivial = self.study.opened.measured.trivial_value
        return ProbeGrid.of(scores, higher_is_better=self._higher, untrained=trivial)

    def _is_done_with_probes(self, asked: set[float | None]) -> bool:
        """Sampled trials stand on the pick of the probes, so that it must not move once one was asked for."""
        return len(self._asked("search", 0)) > len(asked)

    def _search(self, plan: Plan, index: int, limit: float) -> Decision | None:
        """A promoted configuration of the rung below, or one from the sampler.

        A rung that the next one has overtaken, or that it is too late for, asks for nothing more.
        """
        rung, rule = plan.rungs[index], self._rule(plan, index)
        if rule is None or self._asked("search", index + 1) or self._asked("confirm"):
            return None
        if len(self._asked("search", index)) >= rung.width:
            if not self._is_worth_widening(plan, index):
                return None
            limit -= (self._waves(RUN_OFF) + SPARE_WAVES) * self._cycle_s(rung.epochs)
        params = replace(self.policy.defaults, cycle_epochs=rung.epochs)
        if not self._fits(params, limit):
            return None
        request = self._with_ramp(self._request("search", index, params, self._lenient(params, limit)))
        promoted = self._promotion(plan, index)
        fixed = promoted if promoted is not None else {} if rung.free else {"cycle_epochs": rung.epochs}
        below = f"rung{index - 1}" if index > 0 and not self._asked("search", index) else None
        return Ask(request, study=f"rung{index}", fixed=fixed, warm_start=below, rule=rule)

    def _is_worth_widening(self, plan: Plan, index: int) -> bool:
        """Whether the top rung takes more trials than planned: where there is time that no longer cycle can use."""
        asked, trials = len(self._asked("search", index)), self.policy.trials
        is_top = index == len(plan.rungs) - 1 and not plan.rungs[index].free
        is_allowed = asked < WIDEST and (trials is None or len(self._asked("search")) < trials)
        return is_top and not plan.note and is_allowed and not self._looks_reached()

    def _run_off(self, plan: Plan, limit: float) -> Ask | None:
        """A fresh seed of one of the best configurations, while more than one of them may be the best."""
        rung, top = plan.rungs[-1], len(plan.rungs) - 1
        if rung.free or plan.note or self._asked("confirm"):
            return None
        leading = self._contenders[: max(RUN_OFF, self.study.workers // 2)]
        if len(leading) < 2 or self._looks_reached():
            return None
        again = [(r.params, r.pick_lr) for r in self._asked("search", top) if r.proposal is None]
        next_one = min(leading, key=lambda contender: again.count(contender.key))
        recipe = _frozen(next_one.trials[0])
        limit -= SPARE_WAVES * self._cycle_s(rung.epochs)
        if again.count(next_one.key) >= RUN_OFF_SEEDS - 1 or not self._fits(recipe.params, limit):
            return None
        fresh = self._request("search", top, recipe.params, self._lenient(recipe.params, limit))
        return Ask(replace(fresh, pick_lr=recipe.pick_lr))

    @cached_property
    def _contenders(self) -> list[Contender]:
        return contenders(self.study, self.policy.target.direction, self._items)

    def _looks_reached(self) -> bool:
        """Whether the safest contender is past the target by more than luck explains: then the confirmation is next."""
        target = self.policy.target.value
        if target is None or not self._contenders:
            return False
        safest = self._contenders[0]
        ahead = safest.value - target if self._higher else target - safest.value
        return ahead > SAFELY * safest.margin

    def _promotion(self, plan: Plan, index: int) -> dict[str, float] | None:
        """The next configuration of the rung below, with its learning rate carried over and jittered."""
        rung = plan.rungs[index]
        if index == 0 or rung.free:
            return None
        taken = len(self._asked("search", index))
        ranked = sorted(self._finished(index - 1), key=lambda trial: trial[1].objective, reverse=self._higher)
        if taken >= min(len(ranked), math.ceil(PROMOTED_SHARE * rung.width)):
            return None
        request, outcome = ranked[taken]
        below = self._rule(plan, index - 1)
        assert below is not None
        assert outcome.max_lr is not None
        picked = below.max_lr(request.params.cycle_epochs) * self._batch_scale(request)
        multiplier = outcome.max_lr / picked * JITTER[taken % len(JITTER)]
        moved = replace(request.params, cycle_epochs=rung.epochs, lr_multiplier=multiplier)
        return self._searched(moved)

    def _rule(self, plan: Plan, index: int) -> HorizonRule | None:
        """The pick for cycles of this rung: the probes' at the lowest one, moved by what the rungs showed.

        The first trial of a rung freezes it: multipliers of one rung must all multiply the same number.
        """
        rung = plan.rungs[index]
        first = next((r for r in self._asked("search", index) if r.proposal is not None), None)
        if first is not None and first.pick_lr is not None and not rung.free:
            return HorizonRule(first.pick_lr / self._batch_scale(first), rung.epochs, exponent=0.0)
        probes = self._probes()
        if not probes:
            return None
        grid = self._probe_grid(probes)
        exponents = prior(self.policy.optimizer)
        leaders = [best(self._finished(below), self.policy.target.direction) for below in range(index)]
        found = [
            (request.params.cycle_epochs, outcome.max_lr / self._batch_scale(request))
            for request, outcome in filter(None, leaders)
            if outcome.max_lr is not None
        ]
        pooled = pooled_range_test(self.study)
        minimum = pooled.lr_at_minimum if pooled is not None and pooled.refusal is None else None
        return HorizonRule(
            reference_lr=grid.pick(minimum),
            reference_epochs=plan.rungs[0].epochs,
            exponent=fit_exponent(found, exponents),
            edge=grid.edge(),
        )

    # -- the confirmation -------------------------------------------------------------------------------------------

    def _recipe(self) -> TrialRequest | None:
        """What is confirmed: as it was frozen, or a calmer one where its seeds do not hold together and time allows."""
        items = self._items
        recipe, frozen = current(self.study), count(self.study)
        chosen = winner(self.study, self.policy.target.direction, items) if frozen < 2 else None
        if recipe is None:
            return None if chosen is None else _frozen(chosen)
        expected = chosen[1].objective if chosen is not None else None
        if frozen == MOST_RECIPES or not is_unsteady(self.study, expected, items):
            return recipe
        epochs = self._length_of_another(recipe)
        return recipe if epochs is None else calmer(recipe, epochs)

    def _length_of_another(self, recipe: TrialRequest) -> float | None:
        """Of a recipe of which enough fresh seeds fit into what is left: this one's, or less, but no less than half."""
        epochs = recipe.params.cycle_epochs
        each_s = (self._limit - self.now) / math.ceil(MIN_SEEDS / self.study.workers)
        lengths = (epochs * share for share in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5))
        fitting = (t for t in lengths if self._cost.seconds(replace(recipe.params, cycle_epochs=t)) <= each_s)
        return next(fitting, None)

    def _confirm(self, plan: Plan, recipe: TrialRequest) -> Ask | None:
        return self._seed(recipe) if self._seeds_of(recipe) < plan.confirm_seeds else None

    def _seeds_of(self, recipe: TrialRequest) -> int:
        return sum(request.pick_lr == recipe.pick_lr for request in self._asked("confirm"))

    def _confirm_more(self, recipe: TrialRequest) -> Ask | None:
        """A seed beyond the planned ones, once all that may decide came back and did not."""
        is_open = bool(self._running("confirm") or self._running("scaling")) or is_decided(self.study, self.policy)
        return None if is_open else self._seed(recipe)

    def _seed(self, recipe: TrialRequest) -> Ask | None:
        if self._seeds_of(recipe) >= MAX_SEEDS or not self._fits(recipe.params, self._limit):
            return None
        fresh = self._request("confirm", recipe.rung, recipe.params, self._patient(recipe.params))
        return Ask(replace(fresh, pick_lr=recipe.pick_lr))

    def _scaling(self, recipe: TrialRequest) -> Ask | None:
        """The recipe at another length, or on less data: where the fresh models alone do not answer the question."""
        if self._seeds_of(recipe) == 0:
            return None
        rule = HorizonRule(recipe.pick_lr or 0.0, recipe.params.cycle_epochs, prior(self.policy.optimizer)[0])
        for variation in missing(self.policy, self._cost, recipe.params, requests_of(self.study, "scaling")):
            params = replace(recipe.params, cycle_epochs=variation.epochs)
            if not self._fits(params, self._limit):
                continue
            if word_of(self.study, self.policy) == "demonstrated":  # asked last, for it takes the most time
                return None
            request = self._request("scaling", recipe.rung, params, self._patient(params))
            return Ask(replace(request, pick_lr=rule.max_lr(params.cycle_epochs), data_share=variation.data_share))
        return None

    def _baseline(self) -> Ask | None:
        comparison = comparison_of(self.study, self.policy, self.now)
        run = comparison.next() if comparison is not None else None
        if comparison is None or run is None or self._costs_a_seed(comparison.recipe, run.epochs):
            return None
        recipe = comparison.recipe
        request = self._request("baseline", recipe.rung, replace(recipe.params, cycle_epochs=run.epochs), run.deadline)
        return Ask(replace(request, schedule=run.schedule, pick_lr=run.max_lr))

    def _costs_a_seed(self, recipe: TrialRequest, epochs: float) -> bool:
        """Whether a fresh seed that may still be asked for fits now, and would not after a run of so many epochs."""
        is_open = self._seeds_of(recipe) < MAX_SEEDS and bool(self._running("confirm"))
        after = self.now + self._cost.seconds(replace(recipe.params, cycle_epochs=epochs))
        seed_s = self._cost.seconds(recipe.params)
        return is_open and self.now + seed_s <= self._limit < after + seed_s

    # -- small facts ------------------------------------------------------------------------------------------------

    @property
    def _limit(self) -> float:
        return self.study.deadline - self.policy.report_s

    @property
    def _higher(self) -> bool:
        return self.policy.target.direction == "max"

    @property
    def _items(self) -> int | None:
        return self.study.opened.measured.validation_items if self.policy.item_level else None

    def _batch_scale(self, request: TrialRequest) -> float:
        return batch_scale(request.params, self.policy.defaults.batch_size)

    @cached_property
    def _cost(self) -> CostModel:
        return CostModel.of(self.study)

    def _fits(self, params: Hyperparameters, limit: float) -> bool:
        return self.now + self._cost.seconds(params) <= limit

    def _lenient(self, params: Hyperparameters, limit: float) -> float:
        """The deadline of a trial that should end by ``limit``: a little late does less harm than a cut anneal."""
        return min(self._patient(params), limit + LENIENCE * self._cost.seconds(params))

    def _patient(self, params: Hyperparameters) -> float:
        """The latest deadline of a trial: what hangs, or crawls, must not hold its worker until the hour is over."""
        return min(self._limit, self.now + START_S + PATIENCE * self._cost.seconds(params))

    def _later_s(self, plan: Plan, index: int) -> float:
        """Seconds that the rungs above, the confirmation and the baselines need; a free rung takes what is left."""
        parts = [(rung.width, rung.epochs) for rung in plan.rungs[index + 1 :] if not rung.free]
        parts.append((plan.confirm_seeds, plan.rungs[-1].epochs))
        return (
            plan.baseline_s
            + plan.scaling_s
            + sum(self._waves(count) * self._cycle_s(epochs) for count, epochs in parts)
        )

    def _cycle_s(self, epochs: float) -> float:
        """Seconds of a cycle of the default parameters."""
        return self._cost.seconds(replace(self.policy.defaults, cycle_epochs=epochs))

    def _waves(self, count: int) -> int:
        """Times that all workers begin a trial, for so many trials."""
        return math.ceil(count / self.study.workers)

    def _asked(self, kind: Kind, rung: int | None = None) -> Collection[TrialRequest]:
        return self.study.asked(kind, rung).values()

    def _running(self, kind: Kind, rung: int | None = None) -> list[TrialRequest]:
        return [r for r in self.study.running() if r.kind == kind and (rung is None or r.rung == rung)]

    def _finished(self, rung: int) -> list[Trial]:
        return [trial for trial in self._came_back(self._asked("search", rung)) if is_whole(trial)]

    def _probe_requests(self) -> list[TrialRequest]:
        """They are asked for before any sampled trial of the lowest rung, whose number may be large."""
        requests = takewhile(lambda request: request.proposal is None, self._asked("search", 0))
        return [request for request in requests if request.pick_lr is not None]

    def _probes(self) -> list[Trial]:
        return self._came_back(self._probe_requests())

    def _running_probes(self) -> list[TrialRequest]:
        return [request for request in self._running("search", 0) if request.proposal is None]

    def _came_back(self, requests: Iterable[TrialRequest]) -> list[Trial]:
        outcomes = self.study.outcomes
        return [(request, outcomes[request.trial_id]) for request in requests if request.trial_id in outcomes]

    def _searched(self, params: Hyperparameters) -> dict[str, float]:
        """The parameters that the sampler knows, inside its ranges."""
        values: dict[str, float] = {}
        for name, dimension in self.policy.space.items():
            low, high = bounds(dimension, 0.0)
            values[name] = min(max(getattr(params, name), low), high)
        return values

    def _request(self, kind: Kind, rung: int, params: Hyperparameters, deadline: float) -> TrialRequest:
        number = len(self.study.requests)
        seed = np.random.SeedSequence([self.policy.seed, number]).generate_state(1)[0]
        return TrialRequest(
            trial_id=f"{number:04d}-{kind}",
            attempt=1,
            kind=kind,
            params=params,
            seed=int(seed),
            schedule=self.policy.schedule,
            rung=rung,
            deadline=deadline,
            precision=self.study.opened.measured.precision,
        )

    def _with_ramp(self, request: TrialRequest) -> TrialRequest:
        pooled = pooled_range_test(self.study)
        if pooled is None or pooled.refusal is not None:
            return request
        steps = own_ramp_steps(OWN_RAMP_SHARE * self._cost.steps(request.params))
        interval = (pooled.lr_at_minimum / OWN_RAMP_REACH, pooled.lr_at_minimum * OWN_RAMP_REACH)
        return replace(request, ramp=interval, ramp_steps=steps)


def _frozen(trial: Trial) -> TrialRequest:
    """The recipe as it was really trained: the peak after its own ramp, with nothing left to multiply."""
    request, outcome = trial
    return replace(request, params=with_drawn(request.params, {"lr_multiplier": 1.0}), pick_lr=outcome.max_lr)
