"""Families as arms of one search, in simulated searches: who runs, who is dropped, and what the answer is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superconv_tune.core.bits import pack
from superconv_tune.planner.arms import Arms
from superconv_tune.planner.decide import decide
from superconv_tune.planner.evidence import gather, verdict_of, word_of
from superconv_tune.planner.fits import OPTIONS, SHARE, FitSteps
from superconv_tune.planner.leaderboard import leaderboard, leading
from superconv_tune.record.conductor import Signal
from superconv_tune.record.events import Dropped, Event, Frozen, Looked, Observed, Requested
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Fit, Status, TrialOutcome, TrialRequest
from tests.families import ITEMS, Fitting, Question, compete, fresh_values
from tests.simulated import START_S, WatchedConductor, Workers, World, brief, opened, searched

NET, WEAK = World(ceiling=0.97), World(ceiling=0.93)


def frozen(conductor: WatchedConductor) -> list[str]:
    return [event.recipe.family for event in conductor.events if isinstance(event, Frozen)]


def dropped(conductor: WatchedConductor) -> list[str]:
    return [event.family for event in conductor.events if isinstance(event, Dropped)]


def word(conductor: WatchedConductor) -> str | None:
    return verdict_of(conductor.study.lead, conductor.brief).word


def test_a_target_that_only_trees_reach_is_demonstrated_at_once() -> None:
    conductor, clock = compete(Question({"net": WEAK}, {"trees": Fitting(0.95)}), brief(0.93))
    assert (word(conductor), frozen(conductor)) == ("demonstrated", ["trees"])
    assert clock.now - conductor.study.opened.started_at < 0.1 * 600.0


def test_the_confirmation_of_trees_is_of_fresh_seeds_on_the_test_part() -> None:
    conductor, _ = compete(Question({"net": WEAK}, {"trees": Fitting(0.95)}), brief(0.93))
    confirmed = conductor.study.trials("confirm")
    searched = [request.seed for request in conductor.study.asked("fit").values()]
    assert len(confirmed) >= 3
    assert len({trial.request.seed for trial in confirmed} | set(searched)) == len(confirmed) + len(searched)
    for trial in confirmed:
        assert isinstance(trial.request.work, Fit)
        assert trial.request.work.reads_test
    assert all(isinstance(r.work, Fit) and not r.work.reads_test for r in conductor.study.asked("fit").values())
    looks = [event for event in conductor.events if isinstance(event, Looked)]
    assert [look.models for look in looks] == [len(confirmed)]


def test_a_weak_fit_leaves_the_answer_to_the_network() -> None:
    conductor, _ = compete(Question({"net": NET}, {"trees": Fitting(0.85), "linear": Fitting(0.7)}), brief(0.9))
    assert (word(conductor), frozen(conductor)) == ("demonstrated", ["net"])
    assert set(fresh_values(conductor)) == {"net"}


def test_without_a_target_the_better_of_both_is_the_recipe() -> None:
    conductor, _ = compete(Question({"net": NET}, {"trees": Fitting(0.99)}), brief(None))
    assert conductor.study.lead.family == conductor.study.arms["trees"].family
    assert set(fresh_values(conductor)) == {"net", "trees"}  # the network had the time that was left, and was worse
    assert frozen(conductor) == ["trees", "net", "trees"]
    assert frozen(conductor)[-1] == leaderboard(conductor.study, conductor.brief)[0].family


def test_a_network_that_grows_past_a_fit_is_the_recipe_in_the_end() -> None:
    conductor, _ = compete(Question({"net": World(ceiling=0.97)}, {"trees": Fitting(0.905)}), brief(None))
    assert conductor.study.lead is conductor.study.arms["net"]


def test_a_target_that_another_family_reaches_is_never_infeasible() -> None:
    """Even where the recipe's network is trained to its end, and flat."""
    question = Question({"net": World(ceiling=0.9)}, {"trees": Fitting(0.9601)})
    conductor, _ = compete(question, brief(0.96), budget_s=1800.0, workers=4)
    assert word(conductor) != "infeasible"
    network = conductor.study.arms["net"]
    assert gather(network, conductor.brief).floor == pytest.approx(0.9601)
    assert gather(network, conductor.brief).floor_of == "another family (trees)"


def test_with_fits_alone_the_best_is_confirmed_when_all_options_were_tried() -> None:
    conductor, clock = compete(Question(fits={"trees": Fitting(0.8, gain=0.02), "linear": Fitting(0.7)}), brief(0.9))
    study = conductor.study
    assert {name: len(arm.asked("fit")) for name, arm in study.arms.items()} == {
        name: len(options) for name, options in OPTIONS.items()
    }
    assert study.recipe is not None
    assert (study.recipe.family, study.recipe.fit) == ("trees", OPTIONS["trees"][1])
    assert word(conductor) == "undecided"  # no longer cycle says that it is out of reach
    assert clock.now < study.deadline


def test_other_options_of_fits_take_a_small_share_of_the_budget() -> None:
    conductor, _ = compete(Question({"net": NET}, {"trees": Fitting(0.85, seconds=8.0)}), brief(0.9), budget_s=300.0)
    fits = list(conductor.study.arms["trees"].trials("fit"))
    assert 1 < len(fits) < len(OPTIONS["trees"])
    assert sum(trial.outcome.wall_s for trial in fits[1:]) <= SHARE * 2 * 300.0


def test_where_the_noise_is_not_known_a_fit_is_confirmed_when_all_options_were_tried() -> None:
    how = brief(0.79, item_level=False)
    conductor, _ = compete(Question(fits={"trees": Fitting(0.8, gain=0.02)}), how)
    assert len(conductor.study.asked("fit")) == len(OPTIONS["trees"])
    assert conductor.study.recipe is not None
    assert conductor.study.recipe.fit == OPTIONS["trees"][1]


@dataclass(frozen=True)
class Flattered(Fitting):
    """A family that reaches seven tenths on the test part, whatever it reaches on validation."""

    def run(self, request: TrialRequest, now: float) -> tuple[TrialOutcome | None, float]:
        outcome, took = super().run(request, now)
        if outcome is None or outcome.test is None:
            return outcome, took
        return replace(outcome, test=0.7, test_correct=pack(np.arange(ITEMS) < 0.7 * ITEMS)), took


def test_when_a_fit_falls_short_on_the_test_part_other_options_are_tried() -> None:
    conductor, _ = compete(Question(fits={"trees": Flattered(0.95)}), brief(0.9))
    assert len(conductor.study.asked("fit")) == len(OPTIONS["trees"])


def test_a_fit_that_time_cut_is_not_repeated_in_less_time() -> None:
    conductor, _ = compete(Question({"net": NET}, {"trees": Fitting(0.95, seconds=500.0)}), brief(0.9))
    assert len(conductor.study.asked("fit")) == 1


def test_a_fit_that_is_lost_is_asked_for_again() -> None:
    conductor, _ = compete(Question({"net": WEAK}, {"trees": Fitting(0.95, lost=1)}), brief(0.93))
    assert word(conductor) == "demonstrated"
    assert {request.attempt for request in conductor.study.arms["trees"].requests.values()} == {2}


def test_a_fit_that_is_lost_again_and_again_is_given_up() -> None:
    conductor, _ = compete(Question({"net": NET}, {"trees": Fitting(0.95, lost=9)}), brief(0.9))
    assert frozen(conductor) == ["net"]
    assert conductor.study.arms["trees"].losses["0000-fit"] == 3


def test_a_fresh_fit_that_ended_without_evidence_is_replaced() -> None:
    ended: list[str] = []

    def fate(request: TrialRequest) -> Status:
        if request.kind == "confirm":
            ended.append(request.trial_id)
        return "oom" if ended == [request.trial_id] else "finished"

    conductor, _ = compete(Question(fits={"trees": Fitting(0.95, fate=fate)}), brief(0.93), workers=1)
    assert word(conductor) == "demonstrated"
    assert len(conductor.study.asked("confirm")) == 4


def test_networks_that_lag_are_dropped_early() -> None:
    conductor, _ = compete(Question({"net": NET, "weak": WEAK}), brief(0.9))
    assert (dropped(conductor), frozen(conductor)) == (["weak"], ["net"])
    spent = {name: sum(o.wall_s for o in arm.outcomes.values()) for name, arm in conductor.study.arms.items()}
    assert spent["weak"] < 0.1 * sum(spent.values())


def test_of_several_networks_half_go_on_at_each_height() -> None:
    worlds = {f"net{place}": World(ceiling=ceiling) for place, ceiling in enumerate((0.97, 0.965, 0.93, 0.92))}
    conductor, _ = compete(Question(worlds), brief(0.88), budget_s=1200.0)
    assert len(dropped(conductor)) == 3
    assert sorted(dropped(conductor)[:2]) == ["net2", "net3"]


def test_time_that_the_best_network_cannot_use_goes_to_one_that_was_dropped() -> None:
    """No cycle is longer than 30 epochs here, which the quick network has soon; the slow one is better in the end."""
    question = Question({"quick": NET, "slow": World(ceiling=0.99, step_s=0.1)})
    conductor, clock = compete(question, brief(None), budget_s=1800.0, workers=4)
    assert (dropped(conductor), frozen(conductor)) == (["slow"], ["quick", "slow"])
    best = leaderboard(conductor.study, conductor.brief)[0]
    assert (best.family, best.models >= 2) == ("slow", True)
    assert conductor.busy_s > 0.9 * 4 * (clock.now - conductor.study.opened.started_at - START_S)
    worse = Question({"net": NET, "weak": WEAK})
    conductor, _ = compete(worse, brief(None), budget_s=1200.0)
    assert frozen(conductor) == ["net", "weak", "net"]


def test_networks_are_compared_by_seconds_and_not_by_epochs() -> None:
    """A net whose steps take ten times as long is better in equal epochs, but not in equal time."""
    question = Question({"quick": NET, "slow": World(ceiling=0.975, step_s=0.1)})
    conductor, _ = compete(question, brief(0.89))
    assert (dropped(conductor), frozen(conductor)) == (["slow"], ["quick"])


def test_networks_share_the_number_of_trials_that_the_user_allows() -> None:
    conductor, _ = compete(Question({"net": NET, "weak": WEAK}), brief(None, trials=12))
    assert 10 <= len(conductor.study.asked("search")) <= 12
    assert conductor.study.fresh_models()


def test_a_network_whose_cycles_are_slow_does_not_take_every_worker_at_first() -> None:
    conductor, _ = compete(Question({"slow": World(step_s=2.0), "quick": NET}), brief(None), budget_s=3600.0)
    first, second, *_ = conductor.study.asked("search").values()
    assert {first.family, second.family} == {"slow", "quick"}


def test_a_network_that_always_fails_is_dropped() -> None:
    failing = World(ceiling=0.99, fate=lambda _: "code_error")
    conductor, _ = compete(Question({"net": NET, "failing": failing}), brief(0.9))
    assert (dropped(conductor), word(conductor)) == (["failing"], "demonstrated")


def test_trials_of_all_families_have_ids_and_seeds_of_their_own() -> None:
    conductor, _ = compete(Question({"net": NET, "weak": WEAK}, {"trees": Fitting(0.8)}), brief(0.9))
    requests = list(conductor.study.requests.values())
    assert len({request.seed for request in requests}) == len(requests)
    assert [request.trial_id[:4] for request in requests] == [f"{number:04d}" for number in range(len(requests))]
    assert {request.family for request in requests} == {"net", "weak", "trees"}
    keys = {request.proposal.study for request in requests if request.proposal}
    assert {key.split("/")[0] for key in keys} <= {"net", "weak"}
    numbers = [event.recipe.number for event in conductor.events if isinstance(event, Frozen)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_leaderboard_says_where_a_value_was_measured() -> None:
    conductor, _ = compete(Question({"net": NET, "weak": WEAK}, {"trees": Fitting(0.8)}), brief(0.9))
    rows = {row.family: row for row in leaderboard(conductor.study, conductor.brief)}
    assert next(iter(rows)) == "net"
    assert (rows["net"].part, rows["net"].unit, rows["net"].size, rows["net"].is_recipe) == (
        "test",
        "parameters",
        1000,
        True,
    )
    assert (rows["trees"].part, rows["trees"].unit, rows["trees"].size) == ("validation", "bytes", 1000)
    for row in rows.values():
        assert row.low is not None
        assert row.high is not None
        assert row.low <= row.value <= row.high
        assert row.seconds == pytest.approx(sum(o.wall_s for o in conductor.study.arms[row.family].outcomes.values()))


def test_before_there_is_a_recipe_the_answer_is_about_the_best_trial() -> None:
    conductor, _ = compete(Question({"net": NET}, {"trees": Fitting(0.85)}), brief(None))
    before = upto(conductor.events, Frozen)
    assert before.recipe is None
    assert leading(before, conductor.brief) is before.arms["net"]
    assert leading(Study(conductor.study.opened), conductor.brief).arms


def upto(events: list[Event], kind: type[Event]) -> Study:
    """The study before the first event of this kind."""
    first = next(place for place, event in enumerate(events) if isinstance(event, kind))
    return Study.replay(events[:first])


QUESTIONS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "ceilings": st.lists(st.floats(0.8, 0.99), max_size=3),  # of networks, without which there are trees
        "steps": st.lists(st.sampled_from([0.003, 0.01, 0.05]), min_size=3, max_size=3),
        "fits": st.dictionaries(st.sampled_from(["trees", "linear"]), st.floats(0.5, 0.99), max_size=2),
        "fit_s": st.sampled_from([0.1, 2.0, 40.0]),
        "lost": st.sampled_from([0, 0, 1, 3]),
        "target": st.sampled_from([None, 0.8, 0.9, 0.97]),
        "budget_s": st.floats(60.0, 1500.0),
        "workers": st.integers(1, 6),
    }
)


def drawn(of: dict[str, Any]) -> tuple[WatchedConductor, float]:
    networks = {f"net{n}": World(ceiling=c, step_s=of["steps"][n]) for n, c in enumerate(of["ceilings"])}
    skills = of["fits"] if networks else {"trees": 0.9, **of["fits"]}
    fits = {name: Fitting(skill, seconds=of["fit_s"], lost=of["lost"]) for name, skill in skills.items()}
    conductor, clock = compete(Question(networks, fits), brief(of["target"]), of["budget_s"], of["workers"])
    return conductor, clock.now


@pytest.mark.no_cover
@settings(max_examples=10, deadline=None)
@given(QUESTIONS)
def test_whatever_competes_the_deadline_is_met_and_the_answer_is_about_the_best(of: dict[str, Any]) -> None:
    conductor, ended = drawn(of)
    study, how = conductor.study, conductor.brief
    assert ended <= study.deadline
    assert not study.running()
    if word_of(study.lead, how) == "infeasible":
        target = how.target.value
        assert target is not None
        assert not any(
            trial.is_whole and trial.value >= target for arm in study.lead.rivals.values() for trial in arm.trials()
        )
    confirmed = [row for row in leaderboard(study, how) if row.part == "test"]
    assert not confirmed or confirmed[0].is_recipe


@pytest.mark.no_cover
@settings(max_examples=3, deadline=None)
@given(QUESTIONS)
def test_replayed_events_give_the_same_decisions(of: dict[str, Any]) -> None:
    """Every trial, plan, recipe and drop follows from the events before it alone."""
    conductor, _ = drawn(of)
    study = Study(conductor.study.opened)
    for event in conductor.events[1:]:
        if not isinstance(event, Observed | Looked) and (
            not isinstance(event, Requested) or event.request.proposal is None
        ):
            found = decide(study, conductor.brief, event.at)
            match event:
                case Requested(request=request):
                    assert found == request
                case Frozen(recipe=recipe):
                    assert found == recipe
        study.apply(event)


def test_after_the_search_nothing_more_is_asked_for() -> None:
    conductor, clock = compete(Question({"net": NET}, {"trees": Fitting(0.95)}), brief(0.93))
    assert decide(conductor.study, conductor.brief, clock.now) is Signal.DONE
    assert Arms(replayed(conductor), conductor.brief, clock.now).next() is Signal.DONE


def replayed(conductor: WatchedConductor) -> Study:
    study = Study.replay(conductor.events)
    study.closed = None
    return study


def test_nothing_is_fitted_where_no_time_is_left() -> None:
    conductor, _ = compete(Question({"net": NET}, {"trees": Fitting(0.95)}), brief(0.93))
    steps = FitSteps(Study(conductor.study.opened), conductor.brief, conductor.study.deadline)
    assert steps.defaults() is None
    early = replace(steps, now=conductor.study.opened.started_at + START_S)
    assert early.defaults() is not None


def test_a_single_network_stands_alone_on_its_leaderboard() -> None:
    conductor, _ = searched(Workers(NET), replace(opened(600.0, 2), spec={"model": {"name": "mlp"}}), brief(0.9))
    [row] = leaderboard(conductor.study, conductor.brief)
    assert (row.family, row.part, row.size, row.is_recipe) == ("mlp", "test", None, True)
    assert leaderboard(Study(opened(600.0, 2)), conductor.brief) == ()
