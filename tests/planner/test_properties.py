"""Properties under any failures: deadline, idle workers, promotions, baselines, replay, and computing time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulation import VirtualClock
from superconv_tune.cluster.in_process import InProcessCluster
from superconv_tune.planner.ask import Decision, Draw, Redraw
from superconv_tune.planner.baselines import SHARE, comparison_of
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.decide import decide
from superconv_tune.planner.divide import MAX_SEEDS
from superconv_tune.planner.evidence import is_decided, replaced, verdict_of, word_of
from superconv_tune.planner.network import ATTEMPTS
from superconv_tune.record.events import Event, Frozen, Opened, Planned, Requested
from superconv_tune.record.purpose import Promoted
from superconv_tune.record.recipe import MOST_RECIPES, Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, Trial, TrialRequest
from tests.record.story import asked_for
from tests.simulated import AROUND_S, SPACE, START_S, WatchedConductor, Workers, World, brief, opened, searched

pytestmark = pytest.mark.no_cover  # many whole searches, which tracing makes three times slower

FAULTS: tuple[Status, ...] = ("preempted", "code_error", "nan", "oom", "data_error")
SAMPLED = ("base_momentum", "momentum_width", "weight_decay", "pct_start")


def faulty(seed: int, share: float, slow: float, step_s: float, hanging: float) -> World:
    """Trials that fail in every way or hang, on machines up to ``1.6 * slow`` slower than measured."""

    def draw(request: TrialRequest, of: int) -> float:
        return float(np.random.default_rng([seed, of, request.seed, request.attempt]).random())

    def fate(request: TrialRequest) -> Status:
        failed = draw(request, 0) < share
        return FAULTS[int(draw(request, 1) * len(FAULTS))] if failed else "finished"

    return World(
        step_s=step_s,
        slow=lambda request: slow * (0.8 + 0.8 * draw(request, 2)),
        fate=fate,
        # A baseline that never returns would take more than its share whatever the planner does.
        hangs=lambda request: request.kind != "baseline" and draw(request, 3) < hanging,
    )


def commute(seed: int, workers: int, budget_s: float, start: float) -> list[tuple[float, int]]:
    """Changes of the number of workers, never above the initial one, which is restored at the end."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0.0, 0.9 * budget_s, rng.integers(0, 8)))
    changes = [(start + float(t), int(rng.integers(0, workers + 1))) for t in times]
    return [*changes, (start + 0.92 * budget_s, workers)]


def search(
    world: World, how: Brief, budget_s: float, workers: int, commuter: int | None = None
) -> tuple[WatchedConductor, VirtualClock]:
    """Run a search from half a minute after the command to its end."""
    start = opened(budget_s, workers)
    began = start.started_at + START_S
    changes = [] if commuter is None else commute(commuter, workers, budget_s - START_S, began)
    return searched(Workers(world), start, how, changes)


SEARCHES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "budget_s": st.floats(60.0, 3600.0),
        "workers": st.integers(1, 12),
        "step_s": st.floats(0.002, 0.2),
        "slow": st.floats(0.5, 4.0),
        "share": st.sampled_from([0.0, 0.1, 0.5]),
        "hanging": st.sampled_from([0.0, 0.0, 0.02]),
        "comes_and_goes": st.booleans(),
        "strategy": st.sampled_from(["ladder", "free"]),
        "target": st.sampled_from([None, 0.7, 0.9, 0.99]),
    }
)


def drawn(given_search: dict[str, object]) -> tuple[WatchedConductor, VirtualClock]:
    s = dict(given_search)
    world = faulty(s["seed"], s["share"], s["slow"], s["step_s"], s["hanging"])  # type: ignore[arg-type]  # drawn
    how = brief(s["target"], seed=s["seed"], strategy=s["strategy"])  # type: ignore[arg-type]
    commuter = s["seed"] if s["comes_and_goes"] else None
    return search(world, how, s["budget_s"], s["workers"], commuter)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(SEARCHES)
def test_under_any_failures_the_deadline_is_met_and_there_is_a_verdict(of: dict[str, object]) -> None:
    conductor, clock = drawn(of)
    assert clock.now <= conductor.study.deadline
    if not of["hanging"]:
        assert not conductor.study.running()
    verdict = verdict_of(conductor.study, conductor.brief)
    assert (verdict.word is None) == (of["target"] is None)


@settings(max_examples=30, deadline=None)
@given(SEARCHES)
def test_baselines_stay_within_a_tenth_of_the_worker_seconds(of: dict[str, object]) -> None:
    conductor, _ = drawn(of)
    opened_at, study = conductor.study.opened, conductor.study
    runs = len(study.asked("baseline"))
    # The simulated machine needs its last moments even for a run that has no time left.
    most_s = SHARE * study.workers * (study.deadline - opened_at.started_at) + AROUND_S * (runs > 0)
    assert conductor.spent_s["baseline"] <= most_s


@settings(max_examples=20, deadline=None)
@given(SEARCHES)
def test_nothing_is_promoted_or_confirmed_on_a_cut_or_failed_cycle(of: dict[str, object]) -> None:
    """In this world a cycle that was cut short looks better than any other."""
    check_promotions(drawn(of)[0])


def test_cut_cycles_that_look_best_are_neither_promoted_nor_confirmed() -> None:
    """Every third trial of the ladder is so slow that its deadline cuts it."""

    def slow(request: TrialRequest) -> float:
        return 30.0 if request.kind == "search" and request.seed % 3 == 0 else 1.0

    conductor, _ = search(World(step_s=0.03, slow=slow), brief(None), 900.0, 4)
    assert sum(trial.outcome.shortened for trial in conductor.study.trials("search")) >= 3
    assert asked_for(conductor.study, Promoted)
    check_promotions(conductor)


def check_promotions(conductor: WatchedConductor) -> None:
    known = Study(conductor.study.opened)
    for event in conductor.events[1:]:
        if isinstance(event, Requested) and isinstance(event.request.purpose, Promoted) and event.request.attempt == 1:
            request, parent = event.request, known.trial(event.request.purpose.parent)
            assert was_whole(parent)
            assert parent.request.rung == request.rung - 1
            assert is_child(request, parent.request, conductor.brief)
        if isinstance(event, Frozen):
            assert was_whole(known.trial(event.recipe.origin))
        if isinstance(event, Requested) and event.request.kind in ("confirm", "baseline"):
            assert event.request.recipe == len(known.recipes)
        assert not (isinstance(event, Requested) and event.request.kind == "search" and known.recipes)
        known.apply(event)
    for number, recipe in enumerate(known.recipes, 1):
        check_recipe(known, number, recipe)


def check_recipe(study: Study, number: int, recipe: Recipe) -> None:
    """Check that a recipe has its origin's peak or half a step beside it; or half of its predecessor's, or a length."""
    assert recipe.number == number
    before = study.recipes[number - 2] if number > 1 else None
    if before is None:
        octaves = abs(np.log2(recipe.max_lr / study.trial(recipe.origin).max_lr))
        assert octaves == pytest.approx(0.0, abs=1e-9) or octaves == pytest.approx(0.5)
    else:
        assert before.origin == recipe.origin
        assert recipe.max_lr == before.calmer().max_lr or recipe.params.cycle_epochs > before.params.cycle_epochs


def was_whole(trial: Trial) -> bool:
    return trial.outcome.status == "finished" and not trial.outcome.shortened


def is_child(child: TrialRequest, parent: TrialRequest, how: Brief) -> bool:
    """Whether the child has the parent's parameters except length and rate, as far as the ranges allow."""
    for name in SAMPLED:
        dimension = how.space[name]
        inside = float(np.clip(getattr(parent.params, name), dimension.low, dimension.high))  # type: ignore[union-attr]
        if getattr(child.params, name) != inside:
            return False
    return True


@settings(max_examples=20, deadline=None)
@given(SEARCHES)
def test_no_worker_waits_while_something_useful_fits(of: dict[str, object]) -> None:
    conductor, _ = drawn(of)
    known, place = Study(conductor.study.opened), 1
    for events, now in conductor.idle:
        for event in conductor.events[place:events]:
            known.apply(event)
        place = events
        assert useful(known, conductor.brief, now) is None


def useful(study: Study, how: Brief, now: float) -> str | None:
    """A trial that an idle worker could have run, found independently of the planner; None if there is none."""
    limit, cost = study.deadline - how.report_s, CostModel.of(study)
    for request in (trial.request for trial in study.lost()):
        retried = request.kind != "baseline" and study.losses[request.trial_id] < ATTEMPTS
        retried &= not study.recipes or request.recipe == study.recipes[-1].number
        if retried and now + cost.seconds(request.params) <= limit:
            return f"{request.trial_id} again"
    if study.plan is None:
        return "a plan"
    if study.recipe is not None:
        return of_the_finish(study, how, now)
    searching = [request for request in study.running() if request.kind == "search"]
    free = how.strategy == "free" and any(study.asked("search", 1))
    if not searching or free or not any(trial.is_whole for trial in study.trials("search")):
        return None
    ends = max(study.asked_at[request.trial_id] + cost.seconds(request.params, slack=1.0) for request in searching)
    sizes = {request.params.batch_size for request in study.asked("search", 0).values()}
    shortest = study.plan.rungs[0].epochs
    cheapest_s = max(cost.seconds(replace(how.defaults, batch_size=size, cycle_epochs=shortest)) for size in sizes)
    return "a short cycle" if min(0.9 * (ends - now), limit - now) > 1.1 * cheapest_s else None


def of_the_finish(study: Study, how: Brief, now: float) -> str | None:
    """A fresh seed or a run of another policy that could have been asked for; None if there is none."""
    recipe = study.recipe
    if recipe is None or study.plan is None:
        return None
    seed_s = CostModel.of(study).seconds(recipe.params)
    limit = study.deadline - how.report_s
    confirms = [r for r in study.running() if r.kind == "confirm"]
    asked, most = len(study.of_recipe("confirm")), max(MAX_SEEDS, study.plan.confirm_seeds + replaced(study))
    are_in = len(study.fresh_models()) >= study.plan.confirm_seeds
    is_open = are_in and asked < most and not is_decided(study, how)
    if (asked < study.plan.confirm_seeds or is_open) and now + seed_s <= limit:
        return "a fresh seed"
    # Another recipe may follow when the fresh models have ended, and needs every worker.
    is_last = how.target.value is None or len({each.number for each in study.recipes}) == MOST_RECIPES
    ends = [study.asked_at[r.trial_id] + CostModel.of(study).seconds(r.params, slack=1.0) for r in confirms]
    until = limit if is_last else max(ends, default=limit)
    if word_of(study, how) != "demonstrated" and unscaled(study, how, recipe, until - now):
        return "the recipe at another length"
    run = None if (comparison := comparison_of(study, how, now)) is None else comparison.next()
    if run is None:
        return None
    run_s = CostModel.of(study).seconds(replace(recipe.params, cycle_epochs=run.epochs))
    leaves_a_seed = now + run_s + seed_s <= limit or now + seed_s > limit or not confirms or asked >= most
    return "a run of another policy" if leaves_a_seed else None


def unscaled(study: Study, how: Brief, recipe: Recipe, left_s: float) -> bool:
    """Whether a repetition of the recipe at a third or a ninth of its length is missing and fits."""
    cost, scaled = CostModel.of(study), study.of_recipe("scaling")
    asked = [(request.params.cycle_epochs, request.cycle.data_share) for request in scaled]
    thirds = [recipe.params.cycle_epochs / 3.0**power for power in (1, 2)]
    for epochs in thirds:
        params = replace(recipe.params, cycle_epochs=epochs)
        is_cycle = epochs >= how.epochs_bounds[0] and cost.steps(params) >= 150
        if is_cycle and asked.count((epochs, 1.0)) < 2 and cost.seconds(params) <= left_s:
            return True
    return False


@settings(max_examples=15, deadline=None)
@given(SEARCHES)
def test_a_replayed_prefix_decides_the_same(of: dict[str, object]) -> None:
    conductor, _ = drawn(of)
    places = [i for i, event in enumerate(conductor.events) if isinstance(event, Requested | Planned | Frozen)]
    for place in places[:: max(1, len(places) // 25)]:
        event = conductor.events[place]
        decision = decide(Study.replay(conductor.events[:place]), conductor.brief, event.at)
        if isinstance(event, Planned):
            assert decision == event.plan
        elif isinstance(event, Frozen):
            assert decision == event.recipe
        else:
            assert isinstance(event, Requested)
            assert decided(decision, event.request) == event.request


def decided(decision: Decision, drawn: TrialRequest) -> TrialRequest:
    """The request for a decision if the proposer draws the same parameters as before."""
    if isinstance(decision, TrialRequest):
        return decision
    assert isinstance(decision, Draw | Redraw)
    assert drawn.proposal is not None
    params = {name: getattr(drawn.params, name) for name in SPACE}
    return decision.request(params, drawn.proposal)


@pytest.mark.timeout(120)
def test_ten_thousand_decisions_take_less_than_a_minute_and_do_not_slow_down() -> None:
    how = brief(0.999, strategy="free", trials=10_000)
    start = opened(400_000.0, 8)
    clock = VirtualClock(start.started_at + START_S)
    conductor = Stopwatch(start, how, clock)
    InProcessCluster(Workers(World()), clock, 8).run(conductor)
    assert len(conductor.study.outcomes) >= 10_000
    asked_s = np.diff([at for at, event in zip(conductor.at_s, conductor.events, strict=True) if is_search(event)])
    early, late = (float(np.median(part)) for part in (asked_s[500:2500], asked_s[-2500:-500]))
    assert sum(asked_s) < 60.0
    assert late < 2.0 * early


def is_search(event: Event) -> bool:
    return isinstance(event, Requested) and event.request.kind == "search"


class Stopwatch(WatchedConductor):
    """Records the processor time of every event."""

    def __init__(self, start: Opened, how: Brief, clock: Callable[[], float]) -> None:
        super().__init__(start, how, clock)
        self.at_s = [time.process_time()]

    def record(self, event: Event) -> None:
        super().record(event)
        self.at_s.append(time.process_time())
