"""Gather from a study the evidence for the verdict."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from superconv_tune.core.bits import unpack, unpack_numbers
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.divide import SEEDS
from superconv_tune.planner.learned import Learned, point_of
from superconv_tune.planner.surface import SAME_RATE, Point
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Trial, TrialOutcome
from superconv_tune.verdict import more_data
from superconv_tune.verdict.calibration import library
from superconv_tune.verdict.judge import judge
from superconv_tune.verdict.ladder import rungs
from superconv_tune.verdict.reliability import MIN_MODELS
from superconv_tune.verdict.verdict import LONGER, Case, Evidence, Repeat, Verdict, Word

MOST_REPLACED = 3  # fresh trainings of a recipe that ended without evidence and are replaced; more would end so too


def confirmed(study: Study) -> list[Trial]:
    """Fresh models of the current recipe that trained the whole cycle and were evaluated on the test part."""
    return [trial for trial in study.fresh_models() if trial.outcome.test is not None]


def ended(study: Study, recipe: int | None = None) -> list[Trial]:
    """Fresh trainings of a recipe that count: those evaluated on the test part, and those that diverged.

    Without a number it is the current recipe.
    """
    fresh = study.came_back(study.of_recipe("confirm", recipe))
    return [t for t in fresh if t.went_wrong or (t.is_whole and t.outcome.test is not None)]


def replaced(study: Study) -> int:
    """Number of fresh trainings of the current recipe to ask for beyond the planned ones.

    They replace those that ended without evidence: out of memory, by an error, cut short, or lost for good.
    """
    return min(MOST_REPLACED, len(study.came_back(study.of_recipe("confirm"))) - len(ended(study)))


def best_recipe(study: Study, yardstick: Yardstick, among: Sequence[Recipe] | None = None) -> Recipe | None:
    """The recipe whose fresh models validate best, if it is not the current one; None if it is, or none has enough.

    Args:
        study: the whole study.
        yardstick: the metric on the validation part.
        among: the recipes to choose from, of equals the first; None for all, the latest first.
    """
    recipes = study.recipes[::-1] if among is None else among
    worth = {recipe.number: confirmed_worth(study, recipe, yardstick) for recipe in recipes}
    best = max(recipes, key=lambda recipe: worth[recipe.number], default=None)
    is_known = best is not None and worth[best.number] > -math.inf
    return best if is_known and best != study.recipe else None


def unconfirmed_recipe(study: Study, yardstick: Yardstick) -> Recipe | None:
    """The newest recipe, if an earlier one is the current one because it had no time for enough fresh models."""
    newest = max(study.recipes, key=lambda recipe: recipe.number, default=None)
    if newest is None or study.recipe is None or newest.number == study.recipe.number:
        return None
    return newest if confirmed_worth(study, newest, yardstick) == -math.inf else None


def confirmed_worth(study: Study, recipe: Recipe, yardstick: Yardstick) -> float:
    """Mean worth of the fresh models of a recipe on the validation part; minus infinity with fewer than `SEEDS`.

    Those that failed count as nothing learned, and as no better than the others. One that was cut short says nothing,
    and one alone may be lucky.
    """
    trials = study.came_back(study.of_recipe("confirm", recipe.number))
    whole = [yardstick.worth(trial.value) for trial in trials if trial.is_whole]
    failed = [min([yardstick.worth(trial.value), *whole]) for trial in trials if trial.went_wrong]
    values = whole + failed
    return sum(values) / len(values) if len(values) >= SEEDS else -math.inf


def gather(study: Study, brief: Brief) -> Evidence:
    """The evidence of the study so far."""
    trials = confirmed(study)
    outcomes = [trial.outcome for trial in trials]
    packed = [outcome.test_correct for outcome in outcomes if outcome.test_correct is not None]
    correct = np.stack([unpack(text, outcomes[0].test_items) for text in packed]) if packed else None
    learned = Learned(study, brief)
    yardstick = learned.yardstick
    floor_of, floor = _floor(study, yardstick)
    packed_groups = study.opened.test_groups
    return Evidence(
        values=tuple(outcome.test for outcome in outcomes if outcome.test is not None),
        correct=correct,
        looks=_looks(study),
        rungs=rungs(study, yardstick),
        validation_items=yardstick.items,
        epochs=trials[0].request.params.cycle_epochs if trials and not study.is_fitted else 0.0,
        repeats=_repeats(learned),
        horizon=brief.horizon,
        failed=len(ended(study)) - len(trials),
        is_bracketed=is_bracketed(learned),
        floor=floor,
        floor_of=floor_of,
        epoch_s=_epoch_s(study, trials),
        others=study.looks[-1].others if study.looks else study.opened.others,
        is_fitted=study.is_fitted,
        items_se=max((_items_se(study, outcome) for outcome in outcomes), default=0.0),
        groups=unpack_numbers(packed_groups) if packed_groups else None,
        searched=0.0 if study.recipe is None or study.is_fitted else searched_epochs(study, study.recipe),
        validation_worth=min((o.validation_worth for o in outcomes if o.validation_worth), default=None),
        test_items=study.opened.measured.test_items,
    )


def _items_se(study: Study, outcome: TrialOutcome) -> float:
    """Standard error of a test value from the number of items; where it is not known, seeds of a network show noise."""
    if outcome.test_se is not None or outcome.test_correct is not None:
        return outcome.test_se or 0.0
    return math.inf if study.is_fitted else 0.0


def searched_epochs(study: Study, recipe: Recipe) -> float:
    """Length of the search's cycle that a recipe comes from."""
    return study.requests[recipe.origin].params.cycle_epochs


def uncounted_look(study: Study) -> tuple[int, int] | None:
    """Number of the recipe, and of its fresh trainings, that would be judged now; None if that look was counted.

    Fewer models than can demonstrate anything are no look.
    """
    recipe = study.recipe
    state = (recipe.number if recipe else 0, len(ended(study)))
    is_known = any((look.recipe, look.models) == state for look in study.looks)
    return None if is_known or len(confirmed(study)) < MIN_MODELS else state


def _looks(study: Study) -> int:
    """Number of looks at the test part, this one included.

    A study without recorded looks (of an earlier version, or with a database that did not answer) is judged once when
    all planned seeds of a recipe have ended, and again after every later one; each of the other studies that had looked
    when it began looked at least once.
    """
    if study.looks:
        return study.looks[-1].number + (uncounted_look(study) is not None)
    planned = study.plan.confirm_seeds if study.plan else math.inf
    counts = (len(ended(study, number)) for number in {recipe.number for recipe in study.recipes})
    own = max(1, sum(1 + max(0, count - int(min(planned, count))) for count in counts))
    return own + len(study.opened.others)


def is_bracketed(learned: Learned) -> bool:
    """Whether the best learning rate was beaten from above and below at the longest length of the search.

    If a shorter rung has the recipe, it must be so from that rung on: a longer one may have been worse for its rate.
    The best rate is the one with the best weighed values, and a rate with which a cycle of that length went wrong is
    beaten.
    """
    study = learned.study
    if study.recipe is None or study.plan is None or study.is_fitted:
        return False
    longest = range(study.requests[study.recipe.origin].rung, len(study.plan.rungs))
    best = [(rung, favourite) for rung in longest if (favourite := learned.favourite(rung)) is not None]
    return bool(best) and all(_is_inside(study, *each) for each in best)


def _is_inside(study: Study, rung: int, best: Point) -> bool:
    """Whether a rung tried the setting of its best configuration with higher and with lower learning rates."""
    rates = [
        trial.request.cycle.max_lr
        for trial in study.came_back(study.asked("search", rung).values())
        if (trial.is_whole or trial.went_wrong) and point_of(trial.request).setting == best.setting
    ]
    apart = [math.log(rate / best.max_lr) for rate in rates]
    return min(apart, default=0.0) < -SAME_RATE and max(apart, default=0.0) > SAME_RATE


def _floor(study: Study, yardstick: Yardstick) -> tuple[str, float | None]:
    """What reached the most besides the recipe: a simple method, or another family that competes; None for nothing."""
    marks = study.opened.measured.landmarks
    found = [("a simple method", mark.value) for mark in marks if mark.kind == "floor" and mark.value is not None]
    for name, arm in study.rivals.items():
        found += [(f"another family ({name})", trial.value) for trial in arm.trials() if trial.is_whole]
    return max(found, key=lambda each: yardstick.worth(each[1]), default=("a simple method", None))


def _epoch_s(study: Study, trials: list[Trial]) -> float:
    """Seconds on the clock that the fresh models take per epoch of their length; 0 without one."""
    if not trials or study.is_fitted:
        return 0.0
    each_s = math.fsum(trial.outcome.wall_s for trial in trials) / math.fsum(
        trial.request.params.cycle_epochs for trial in trials
    )
    return each_s * math.ceil(len(trials) / study.workers)


def _repeats(learned: Learned) -> tuple[Repeat, ...]:
    """What the recipe, and shorter cycles of the search, reach on validation, by length and by share of the data.

    Those of the search count that are longer than any in which the recipe was repeated.
    """
    fresh = _of_fresh_models(learned.study)
    lengths = sorted(repeat.epochs for repeat in fresh if repeat.data_share == 1.0)
    if not lengths:
        return fresh
    repeated = lengths[-2] if len(lengths) > 1 else 0.0
    return (*fresh, *_of_search(learned, repeated, lengths[-1] / LONGER))


def _of_fresh_models(study: Study) -> tuple[Repeat, ...]:
    """Mean validation results of fresh models of the recipe."""
    values: defaultdict[tuple[float, float], list[float]] = defaultdict(list)
    for trial in study.came_back([*study.of_recipe("confirm"), *study.of_recipe("scaling")]):
        if trial.is_whole and isinstance(trial.request.work, Cycle):
            key = (trial.request.params.cycle_epochs, trial.request.cycle.data_share)
            values[key].append(trial.value)
    return tuple(Repeat(*key, math.fsum(found) / len(found), len(found)) for key, found in values.items())


def _of_search(learned: Learned, above: float, longest: float) -> Iterator[Repeat]:
    """What the best cycles of every length ``above`` so many epochs, up to ``longest``, would reach again."""
    for rung in range(learned.rungs):
        leader = learned.leader(rung)
        if leader is not None and learned.surface is not None and above < leader.params.cycle_epochs <= longest:
            value = learned.yardstick.worth(learned.surface.expected(rung, leader))
            yield Repeat(leader.params.cycle_epochs, 1.0, value, models=1, is_searched=True)


def verdict_of(study: Study, brief: Brief) -> Verdict:
    """The verdict on the study so far."""
    return judge(brief.target, gather(study, brief), library(), more_data.library())


def word_of(study: Study, brief: Brief) -> Word | None:
    """The one-word verdict, cheaper than `verdict_of`; None if no target was given or nothing is confirmed."""
    case = None if brief.target.value is None else Case.of(brief.target, gather(study, brief), library())
    return None if case is None else case.word


def has_all_seeds(study: Study) -> bool:
    """Whether all planned fresh trainings of the current recipe have ended."""
    return study.plan is not None and len(ended(study)) >= study.plan.confirm_seeds


def is_decided(study: Study, brief: Brief) -> bool:
    """Whether no more seeds are needed: those planned are in, and the verdict is final or no target was given."""
    if brief.target.value is None:
        return has_all_seeds(study)
    return has_all_seeds(study) and word_of(study, brief) in ("demonstrated", "infeasible")
