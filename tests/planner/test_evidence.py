"""What the verdict is told: which trainings count, whether the search may be at fault, and every look."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from superconv_tune.core.bits import pack
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.planner.evidence import (
    best_recipe,
    confirmed_worth,
    ended,
    gather,
    has_all_seeds,
    is_bracketed,
    unconfirmed_recipe,
    uncounted_look,
)
from superconv_tune.planner.learned import MOST_SEEN, Learned
from superconv_tune.record.events import Family, Looked, Planned, Requested, Surveyed
from superconv_tune.record.landmarks import Landmark
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.purpose import Scaling
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import Cycle, Status, TrialRequest
from superconv_tune.verdict.more_data import Slope
from superconv_tune.verdict.verdict import Target, last_step
from tests.planner.hours import hour
from tests.record.story import Story
from tests.simulated import WatchedConductor, World, brief

ACCURACY = Yardstick("accuracy", "max", 2000)
SHORT, LONG = Hyperparameters(cycle_epochs=1.0), Hyperparameters(cycle_epochs=3.0)


def story(*rates: float, above: Status = "finished") -> Story:
    """Two rungs: the short one is bracketed at 0.2; of the long one these rates were tried, 0.2 the best of them."""
    told = Story()
    told.study.apply(Planned(0.0, Plan((RungPlan(1.0, 3), RungPlan(3.0, 3)), 2, (1.0, 3.0))))
    for rate in (0.1, 0.2, 0.4):
        told.searched(rate, 0.8 - abs(rate - 0.2), params=SHORT)
    for rate in rates:
        status: Status = above if rate > 0.2 else "finished"
        told.searched(rate, 0.9 - abs(rate - 0.2), status, rung=1, params=LONG)
    return told


def frozen(told: Story, rung: int = 1) -> Story:
    trials = [trial for trial in told.study.trials("search") if trial.request.rung == rung]
    told.freeze(Recipe.of(next(trial for trial in trials if trial.max_lr == 0.2), 1))
    return told


def bracketed(told: Story) -> bool:
    return is_bracketed(Learned(told.study, brief()))


@pytest.mark.parametrize(
    ("rates", "is_known"),
    [((0.2,), False), ((0.2, 0.4), False), ((0.1, 0.2), False), ((0.1, 0.2, 0.4), True), ((0.2, 0.2 * 1.01), False)],
)
def test_a_rate_is_known_when_it_was_beaten_from_both_sides_at_the_longest_length(
    rates: tuple[float, ...], is_known: bool
) -> None:
    assert bracketed(frozen(story(*rates))) is is_known


def test_a_rate_with_which_cycles_diverge_is_beaten() -> None:
    assert bracketed(frozen(story(0.1, 0.2, 0.4, above="diverged")))
    assert not bracketed(frozen(story(0.1, 0.2, 0.4, above="oom")))


def test_a_rate_is_beaten_by_what_is_expected_of_it_and_not_by_luck() -> None:
    told = story(0.1, 0.2)
    for value in (0.905, 0.80, 0.79):  # once a little better than 0.2, and worse with other seeds
        told.searched(0.4, value, rung=1, params=LONG)
    assert bracketed(frozen(told))


def test_a_rate_that_went_wrong_in_shorter_cycles_is_beaten_only_by_what_is_above_it() -> None:
    told = story(0.1, 0.2)
    told.searched(0.4, 0.5, "diverged", params=SHORT)
    told.searched(0.4, 0.97, rung=1, params=LONG)
    assert not bracketed(frozen(told))
    told.searched(0.8, 0.5, rung=1, params=LONG)
    assert bracketed(frozen(told))


def test_other_settings_say_nothing_about_the_rate() -> None:
    told = story(0.1, 0.2)
    told.searched(0.4, 0.5, rung=1, params=replace(LONG, batch_size=256))
    assert not bracketed(frozen(told))


def test_a_recipe_of_a_shorter_rung_needs_the_longer_ones_bracketed_too() -> None:
    assert bracketed(frozen(story(0.1, 0.2, 0.4), rung=0))
    assert not bracketed(frozen(story(0.2, 0.4), rung=0))
    assert not bracketed(story(0.1, 0.2, 0.4))  # there is no recipe yet


def confirmed_at(told: Story, epochs: float) -> Story:
    """The recipe with cycles of this length, and three fresh models of it that were evaluated on the test part."""
    assert told.study.recipe is not None
    told.freeze(told.study.recipe.with_epochs(epochs))
    for _ in range(3):
        trial = told.fresh(0.7)
        told.study.outcomes[trial.request.trial_id] = replace(trial.outcome, test=0.7)
    return told


def test_a_recipe_cut_for_want_of_time_does_not_say_that_longer_cycles_are_no_better() -> None:
    cut = gather(confirmed_at(frozen(story(0.1, 0.2, 0.4)), 1.0).study, brief())
    assert (cut.epochs, cut.searched, cut.is_cut) == (1.0, 3.0, True)
    assert last_step(cut) is None
    shorter = gather(confirmed_at(frozen(story(0.1, 0.2, 0.4), rung=0), 1.0).study, brief())
    assert (shorter.epochs, shorter.searched, shorter.is_cut) == (1.0, 1.0, False)
    assert last_step(shorter) == Slope(0.0, 0.0)


def test_where_the_recipe_was_not_repeated_the_last_step_starts_from_the_best_cycles_of_the_search() -> None:
    found = gather(confirmed_at(frozen(story(0.1, 0.2, 0.4)), 9.0).study, brief())
    assert [(each.epochs, each.is_searched) for each in found.repeats] == [(9.0, False), (1.0, True), (3.0, True)]
    short, long = (each.value for each in found.repeats[1:])
    assert 0.7 < short < 0.8 < long < 0.9  # a little less than the best value, which was chosen for being the best
    step = last_step(found)
    assert step is not None
    assert step.value == pytest.approx((np.log(0.7 / 0.3) - np.log(long / (1.0 - long))) / np.log(3.0))
    assert step.se > 0.0


def repeated(told: Story, epochs: float, value: float, share: float = 1.0) -> None:
    """A repetition of the recipe at another length, or on less data."""
    number, fresh = len(told.study.requests), next(iter(told.study.asked("confirm").values()))
    request = replace(fresh, trial_id=f"{number:04d}", purpose=Scaling(fresh.recipe or 0))
    request = replace(request, work=Cycle(0.2, data_share=share), params=replace(LONG, cycle_epochs=epochs))
    told.study.apply(Requested(0.0, request))
    told.answer(request, value)


def test_the_last_step_starts_from_the_longest_of_the_shorter_cycles() -> None:
    told = confirmed_at(frozen(story(0.1, 0.2, 0.4)), 18.0)

    def lengths() -> list[tuple[float, bool]]:
        every = gather(told.study, brief()).repeats
        return sorted((each.epochs, each.is_searched) for each in every if each.data_share == 1.0)

    repeated(told, 6.0, 0.5, share=0.5)
    assert lengths() == [(1.0, True), (3.0, True), (18.0, False)]
    repeated(told, 2.0, 0.6)
    assert lengths() == [(2.0, False), (3.0, True), (18.0, False)]
    repeated(told, 6.0, 0.65)
    assert lengths() == [(2.0, False), (6.0, False), (18.0, False)]


def test_the_noise_of_items_is_that_of_the_noisiest_model_and_unknown_for_fits_without_it() -> None:
    network = confirmed_at(frozen(story(0.1, 0.2, 0.4)), 3.0).study
    assert gather(network, brief()).items_se == 0.0
    for (trial_id, outcome), noise in zip(list(network.outcomes.items())[-3:], (0.01, 0.03, 0.02), strict=True):
        network.outcomes[trial_id] = replace(outcome, test_se=noise)
    assert gather(network, brief()).items_se == 0.03
    unknown = replace(network.outcomes[trial_id], test_se=None)
    network.outcomes[trial_id] = unknown
    assert gather(network, brief()).items_se == 0.03
    network.family = Family("trees", network.opened.measured, is_fitted=True)
    assert gather(network, brief()).items_se == math.inf
    network.outcomes[trial_id] = replace(unknown, test_correct=pack(np.ones(10, dtype=bool)), test_items=10)
    assert gather(network, brief()).items_se == 0.03


def test_validation_items_are_worth_what_the_groups_of_the_least_sure_model_are() -> None:
    told = confirmed_at(frozen(story(0.1, 0.2, 0.4)), 3.0).study
    assert gather(told, brief()).validation_worth is None
    for (trial_id, outcome), worth in zip(list(told.outcomes.items())[-3:], (40.0, 30.0, 50.0), strict=True):
        told.outcomes[trial_id] = replace(outcome, validation_worth=worth)
    assert gather(told, brief()).validation_worth == 30.0


def test_a_whole_search_brackets_its_rate() -> None:
    conductor, _ = hour(World(step_s=0.03), 1800.0, how=brief(0.99))
    assert gather(conductor.study, conductor.brief).is_bracketed


def test_the_best_floor_and_the_seconds_of_an_epoch_are_told() -> None:
    conductor, _ = hour(World(), 600.0)
    study = conductor.study
    assert gather(study, conductor.brief).floor is None
    floors = [Landmark("a linear model", "floor", 0.7, ""), Landmark("a constant guess", "floor", 0.1, "")]
    study.apply(Surveyed(0.0, (*floors, Landmark("label noise", "ceiling", 0.99, ""))))
    found = gather(study, conductor.brief)
    assert found.floor == 0.7
    trials = study.fresh_models()
    waves = -(-len(trials) // study.workers)
    each_s = sum(t.outcome.wall_s for t in trials) / sum(t.request.params.cycle_epochs for t in trials)
    assert found.epoch_s == pytest.approx(waves * each_s)


def losing(every: int) -> WatchedConductor:
    """A search of which so many fresh seeds diverge."""

    def fate(request: TrialRequest) -> Status:
        return "diverged" if request.kind == "confirm" and request.seed % every == 0 else "finished"

    return hour(World(fate=fate, ceiling=0.999), 900.0, how=brief(0.5))[0]


def test_a_fresh_seed_that_diverged_counts_as_a_training_that_missed() -> None:
    study = losing(2).study
    confirmations = study.of_recipe("confirm")
    wrong = [trial for trial in study.came_back(confirmations) if trial.went_wrong]
    assert gather(study, brief(0.5)).failed == len(wrong)
    assert len(ended(study)) >= len(wrong)
    assert len(ended(study, len(study.recipes))) == len(ended(study))


def test_the_recipe_that_stands_is_the_one_whose_fresh_models_validate_best() -> None:
    told = frozen(story(0.1, 0.2, 0.4))
    (first,) = told.study.recipes
    told.fresh(0.9)
    assert best_recipe(told.study, ACCURACY) is None  # there is no other
    told.fresh(0.92)
    told.freeze(replace(first, number=2))
    assert best_recipe(told.study, ACCURACY) == first  # the second one was not trained
    told.fresh(0.97)
    assert best_recipe(told.study, ACCURACY) == first  # one model may be lucky
    told.fresh(0.93)
    assert best_recipe(told.study, ACCURACY) is None
    told.fresh(0.1, "diverged")
    assert best_recipe(told.study, ACCURACY) == first


def test_a_recipe_that_had_no_time_is_known_when_an_earlier_one_stands() -> None:
    told = frozen(story(0.1, 0.2, 0.4))
    (first,) = told.study.recipes
    for value in (0.9, 0.92):
        told.fresh(value)
    second = told.freeze(replace(first, number=2))
    told.fresh(0.95)
    assert unconfirmed_recipe(told.study, ACCURACY) is None  # it is the current one
    told.freeze(first)
    assert unconfirmed_recipe(told.study, ACCURACY) == second
    told.freeze(second)
    told.fresh(0.8)
    told.freeze(first)
    assert unconfirmed_recipe(told.study, ACCURACY) is None  # it was worse


def test_a_training_that_failed_is_no_better_than_those_that_did_not() -> None:
    """Where most examples are of one class, the constant guess of a diverged model may beat short cycles."""
    told = frozen(story(0.1, 0.2, 0.4))
    for value in (0.90, 0.91):
        told.fresh(value)
    told.fresh(0.95, "diverged")
    (recipe,) = told.study.recipes
    assert confirmed_worth(told.study, recipe, ACCURACY) == pytest.approx((0.90 + 0.91 + 0.90) / 3)


def test_a_cycle_that_went_wrong_counts_as_no_better_than_the_worst_complete_one_of_its_length() -> None:
    told = Story()
    told.study.apply(Planned(0.0, Plan((RungPlan(1.0, 3),), 2, (1.0,))))
    for rate, value in ((0.1, 0.93), (0.2, 0.945)):
        told.searched(rate, value, params=SHORT)
    hot = told.searched(0.4, 0.95, "diverged", params=SHORT)
    surface = Learned(told.study, brief()).surface
    assert surface is not None
    (worth,) = [each.worth for each in surface.seen if each.point.max_lr == hot.max_lr]
    assert worth == 0.93


def test_cycles_that_went_wrong_do_not_crowd_out_complete_ones() -> None:
    """Their constant guess may beat all complete ones, as where nearly all examples are of one class."""
    told = Story()
    told.study.apply(Planned(0.0, Plan((RungPlan(1.0, 3),), 2, (1.0,))))
    for rate, value in ((0.1, 0.93), (0.2, 0.945)):
        told.searched(rate, value, params=SHORT)
    for _ in range(2 * MOST_SEEN):
        told.searched(0.4, 0.99, "diverged", params=SHORT)
    leader = Learned(told.study, brief()).leader(0)
    assert leader is not None
    assert leader.max_lr == 0.2


def test_an_error_is_the_share_of_wrong_items_whether_higher_or_lower_is_better() -> None:
    for direction, worth in (("max", 0.95), ("min", -0.05)):
        target = Target("mine", direction, None)  # type: ignore[arg-type]  # names of directions
        assert Learned(Story().study, replace(brief(), target=target)).error(worth) == pytest.approx(0.05, abs=0.001)


def looks_of(conductor: WatchedConductor) -> list[Looked]:
    return [event for event in conductor.events if isinstance(event, Looked)]


def test_every_look_of_every_recipe_has_a_number_of_its_own() -> None:
    def fate(request: TrialRequest) -> Status:
        is_hot = request.kind == "confirm" and request.recipe == 1
        return "diverged" if is_hot and request.seed % 4 == 0 else "finished"

    conductor, _ = hour(World(fate=fate, ceiling=0.9), 1800.0, how=brief(0.88))
    found = looks_of(conductor)
    assert [look.number for look in found] == list(range(1, len(found) + 1))
    assert len({(look.recipe, look.models) for look in found}) == len(found)
    assert gather(conductor.study, conductor.brief).looks == len(found)
    assert uncounted_look(conductor.study) is None


def test_a_look_is_counted_before_anything_is_asked_for_because_of_it() -> None:
    conductor, _ = hour(World(ceiling=0.93), 900.0, how=brief(0.9))
    first = looks_of(conductor)[0]
    planned = conductor.study.plan.confirm_seeds if conductor.study.plan else 0
    assert first.models == planned
    before = conductor.events[: conductor.events.index(first)]
    assert sum(isinstance(event, Requested) and event.request.kind == "confirm" for event in before) <= planned


def test_fewer_models_than_can_demonstrate_anything_are_no_look() -> None:
    told = frozen(story(0.1, 0.2, 0.4))
    for _ in range(2):
        told.fresh(0.9)
    assert uncounted_look(told.study) is None
    assert not has_all_seeds(told.study)  # neither was evaluated on the test part


def test_a_journal_without_looks_counts_those_that_its_version_made() -> None:
    conductor, _ = hour(World(ceiling=0.93), 900.0, how=brief(0.93))
    study = conductor.study
    assert len(study.recipes) >= 1
    study.looks.clear()
    planned = study.plan.confirm_seeds if study.plan else 0
    counts = [len(ended(study, number)) for number in range(1, len(study.recipes) + 1)]
    assert gather(study, conductor.brief).looks == sum(1 + max(0, count - planned) for count in counts)


def test_looks_of_other_searches_count_though_the_ledger_no_longer_answers() -> None:
    told = confirmed_at(frozen(story(0.1, 0.2, 0.4)), 3.0).study
    assert (gather(told, brief()).looks, gather(told, brief()).others) == (2, ())
    told.opened = replace(told.opened, others=("earlier", "before"))
    assert (gather(told, brief()).looks, gather(told, brief()).others) == (4, ("earlier", "before"))
    told.apply(Looked(0.0, 1, 3, 5, ("earlier", "before", "beside")))
    assert (gather(told, brief()).looks, len(gather(told, brief()).others)) == (5, 3)
