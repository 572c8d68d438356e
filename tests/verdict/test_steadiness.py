"""When fresh seeds of a recipe disagree."""

from __future__ import annotations

from superconv_tune.core.yardstick import Yardstick
from superconv_tune.verdict.steadiness import is_unsteady
from tests.record.story import Story


def accuracy(items: int | None) -> Yardstick:
    return Yardstick("accuracy", items=items)


def test_a_study_without_a_recipe_is_not_unsteady() -> None:
    story = Story()
    story.searched(0.2, 0.1, "diverged")
    assert not is_unsteady(story.study, accuracy(1000))


def test_seeds_that_agree_within_the_noise_of_the_items_are_steady() -> None:
    story = Story()
    for value in (0.95, 0.96, 0.94):
        story.fresh(value)
    assert not is_unsteady(story.study, accuracy(1000))


def test_the_same_difference_is_noise_with_few_items_but_not_with_many() -> None:
    story = Story()
    story.fresh(0.97)
    story.fresh(0.91)
    assert is_unsteady(story.study, accuracy(5000))
    assert not is_unsteady(story.study, accuracy(50))


def test_a_seed_that_diverged_is_unsteady_and_one_that_was_lost_is_not() -> None:
    lost, diverged = Story(), Story()
    lost.fresh(0.1, status="preempted")
    diverged.fresh(0.1, status="diverged")
    assert not is_unsteady(lost.study, accuracy(1000))
    assert is_unsteady(diverged.study, accuracy(1000))
    assert is_unsteady(diverged.study, accuracy(None))


def test_seeds_of_a_replaced_recipe_do_not_count() -> None:
    story = Story()
    story.fresh(0.9)
    story.fresh(0.3)
    assert is_unsteady(story.study, accuracy(1000))
    first = story.study.recipe
    assert first is not None
    story.freeze(first.calmer())
    assert not is_unsteady(story.study, accuracy(1000))
    story.fresh(0.8)
    assert not is_unsteady(story.study, accuracy(1000))
