"""A range test answers a changed question as the change demands."""

from __future__ import annotations

import pytest

from tests.finder.invariances import EXACT, GRID_STEP, NEARLY, measure

QUICK = (
    "SGD, loss times 1/8: pick times 8",
    "SGD, loss times 100: pick over 100",
    "AdamW, loss and epsilon times 64: pick the same",
    "every example twice, full batch: pick the same",
    "classes permuted: pick the same",
    "scale-invariant net, weights times 4: pick times 16",
)
NEARLY_ALIKE = 0.25  # relative; the largest of 3 seeds was 0.09


@pytest.mark.parametrize("case", QUICK)
def test_the_pick_changes_as_the_question_does(case: str) -> None:
    for ratios in measure(case, seeds=1).values():
        assert list(ratios) == pytest.approx([1.0], rel=GRID_STEP)


@pytest.mark.slow
@pytest.mark.parametrize("case", EXACT)
def test_it_does_on_every_seed(case: str) -> None:
    for ratios in measure(case, seeds=3).values():
        assert list(ratios) == pytest.approx([1.0] * 3, rel=GRID_STEP)


@pytest.mark.slow
@pytest.mark.parametrize("case", NEARLY)
def test_the_pick_is_nearly_the_same_where_the_invariance_is_not_exact(case: str) -> None:
    assert list(measure(case, seeds=3)["max_lr"]) == pytest.approx([1.0] * 3, rel=NEARLY_ALIKE)
