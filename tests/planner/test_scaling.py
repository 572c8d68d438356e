"""The recipe at other lengths and on less data: the trials, their order, and their time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice
from superconv_tune.lr.schedule import Schedule
from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.evidence import verdict_of, word_of
from superconv_tune.planner.scaling import Variation, lengths, missing
from superconv_tune.record.purpose import Scaling
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, TrialRequest
from tests.planner.hours import hour
from tests.simulated import SPACE, World, brief, opened

COST = CostModel.of(Study(opened(600.0, 2)))
RECIPE = Hyperparameters(cycle_epochs=27.0)  # 78 steps an epoch


def asked(variation: Variation, number: int) -> TrialRequest:
    params = replace(RECIPE, cycle_epochs=variation.epochs)
    work = Cycle(0.1, data_share=variation.data_share)
    return TrialRequest(
        str(number), 1, Scaling(1), work, params=params, schedule=Schedule(), seed=0, deadline=0.0, rung=0
    )


def test_every_length_comes_twice_and_then_the_shares_of_the_data() -> None:
    order: list[Variation] = []
    while True:
        following = next(missing(brief(), COST, RECIPE, [asked(v, n) for n, v in enumerate(order)]), None)
        if following is None:
            break
        order.append(following)
    assert order[:4] == [Variation(3.0), Variation(9.0)] * 2
    assert order[4:] == [Variation(9.0, 0.5), Variation(9.0, 0.25)]


@pytest.mark.parametrize(("epochs", "found"), [(27.0, [9.0, 3.0]), (9.0, [3.0]), (3.0, []), (1.5, [])])
def test_no_length_is_too_short_to_be_a_cycle(epochs: float, found: list[float]) -> None:
    """150 steps are two epochs here, and the user's shortest cycle is one."""
    assert lengths(brief(), COST, replace(RECIPE, cycle_epochs=epochs)) == found


def test_a_search_without_a_target_repeats_its_recipe_and_predicts_longer_cycles() -> None:
    of_one_size = {**SPACE, "batch_size": Choice((128,))}  # larger batches take too few steps in a ninth of the length
    conductor, _ = hour(World(), budget_s=900.0, how=brief(None, space=of_one_size))
    recipe = conductor.study.recipe
    assert recipe is not None
    runs = conductor.study.asked("scaling").values()
    counts = Counter(
        round(recipe.params.cycle_epochs / run.params.cycle_epochs) for run in runs if run.cycle.data_share == 1.0
    )
    assert counts == {3: 2, 9: 2}
    assert {run.params.weight_decay for run in runs} == {recipe.params.weight_decay}
    assert len({run.seed for run in runs}) == len(runs)
    found = verdict_of(conductor.study, conductor.brief).reachable
    assert found is not None
    assert found.low < found.value < found.high
    assert found.epochs == pytest.approx(8.0 * recipe.params.cycle_epochs, rel=0.01)


def test_no_other_lengths_are_trained_once_the_target_is_demonstrated() -> None:
    conductor, _ = hour(World(), how=brief(0.7))
    assert word_of(conductor.study, conductor.brief) == "demonstrated"
    last = max(place for place, key in enumerate(conductor.study.requests) if key.endswith("confirm"))
    assert not any(key.endswith("scaling") for key in list(conductor.study.requests)[last + 3 :])


def test_parts_of_an_epoch_are_repeated_where_the_search_had_no_longer_ones() -> None:
    many, recipe = replace(COST, train_items=1_000_000), replace(RECIPE, cycle_epochs=0.9)
    assert lengths(brief(), many, recipe) == []
    assert lengths(brief(), many, recipe, searched=0.05) == pytest.approx([0.3, 0.1])
