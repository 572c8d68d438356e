"""What losses and metrics get as targets: the user's own what the user gave, the built-in ones what they read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from superconv_tune.data.parts import exact
from superconv_tune.measures.loss_functions import loss_of
from superconv_tune.measures.metrics import METRICS
from superconv_tune.problems.problem import Metric
from superconv_tune.problems.targets import AsGiven, Labelled, Scaled, are_ordinary, flat, knows_no_units

CPU = torch.device("cpu")
OUTPUTS = torch.tensor([[3.0, 1.0], [0.0, 2.0], [5.0, 0.0], [1.0, 0.0]])
NUMBERS = torch.tensor([0, 1, 0, 1])  # three of four are right


def seen_by(form: Any, targets: Tensor) -> Tensor:
    """What a user's own metric gets."""
    seen = []

    def look(_outputs: Tensor, wanted: Tensor) -> float:
        seen.append(wanted)
        return 0.0

    form.metric(Metric("own", "max", 0.0, 1.0, look), is_own=True).compute(torch.zeros(len(targets), 1), targets)
    return seen[0]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([-1, 1, -1, 1]),  # of a hinge loss
        np.array([1, 2, 1, 2]),  # counted from 1; fastai issue 2264: "Labels get renumbered"
        np.array([10, 30, 10, 30]),  # OpenTabular/DeepTab pull request 434
        np.array([False, True, False, True]),  # of which ~ is another thing as whole numbers
        np.array([[0], [1], [0], [1]]),
        np.array([[-1], [1], [-1], [1]]),
        np.array([0, 1, 0, 1]),
    ],
)
def test_labels_keep_values_type_and_shape_and_built_in_ones_get_class_numbers(labels: Any) -> None:
    form = Labelled.of(labels)
    batched = form.batched(NUMBERS)
    assert batched.shape == labels.shape
    assert torch.equal(batched, torch.from_numpy(labels))
    assert batched.dtype == torch.from_numpy(labels).dtype
    assert torch.equal(form.read(batched), batched)
    assert torch.equal(seen_by(form, batched), batched)
    metric = form.metric(METRICS["accuracy"], is_own=False)
    assert metric.compute(OUTPUTS, batched) == 0.75
    assert metric.correct is not None
    assert metric.correct(OUTPUTS, batched).tolist() == [True, True, True, False]
    plain = loss_of("cross_entropy", 2, None, CPU)
    assert form.loss(plain, CPU)(OUTPUTS, batched, 0.1) == plain(OUTPUTS, NUMBERS, 0.1)


def test_a_column_of_classes_from_a_loader_is_not_compared_with_every_output() -> None:
    """pytorch issue 19699, of a loss: [n] against [n, 1] is [n, n], without an error."""
    column, form = NUMBERS[:, None], AsGiven(may_be_columns=True)
    assert torch.equal(seen_by(form, column), column)
    assert form.metric(METRICS["accuracy"], is_own=False).compute(OUTPUTS, column) == 0.75
    plain = loss_of("cross_entropy", 2, None, CPU)
    assert form.loss(plain, CPU)(OUTPUTS, column, 0.0) == plain(OUTPUTS, NUMBERS, 0.0)
    floats = torch.rand(4, 1)
    assert flat(floats) is floats


@given(
    scale=st.sampled_from([1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9]),
    offset=st.sampled_from([-1e3, -1.0, 0.0, 1.0, 1e3, 1e6]),
    seed=st.integers(0, 99),
)
def test_numbers_of_any_scale_and_offset_are_near_zero_inside_and_as_they_were_outside(
    scale: float, offset: float, seed: int
) -> None:
    """In standard deviations offsets go up to a million: float32 alone would lose them."""
    plain = np.random.default_rng(seed).standard_normal(200)
    targets = exact((plain + offset) * scale)
    form = Scaled.of(targets)
    batched = form.batched(torch.from_numpy(targets))
    assert batched.dtype == torch.float32
    assert float(batched.mean()) == pytest.approx(0.0, abs=1e-3)
    assert float(batched.std()) == pytest.approx(1.0, abs=0.01)
    seen = seen_by(form, batched)
    np.testing.assert_allclose(seen.numpy(), targets, rtol=1e-6, atol=1e-3 * scale)
    guess = torch.from_numpy(plain - plain.mean()).float() / plain.std() + 0.1
    error = form.metric(METRICS["rmse"], is_own=False).compute(guess, batched)
    assert error == pytest.approx(0.1 * plain.std() * scale, rel=0.02)
    assert form.metric(METRICS["r2"], is_own=False).compute(guess, batched) == pytest.approx(0.99, abs=0.001)


def test_every_number_of_an_item_has_its_own_scale() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.standard_normal((500, 3)) * [1e-3, 1.0, 1e6] + [0.0, 5.0, 1e7]).astype(np.float32)
    batched = Scaled.of(targets).batched(torch.from_numpy(targets))
    torch.testing.assert_close(batched.std(dim=0), torch.ones(3), atol=0.01, rtol=0.0)


def test_a_network_that_cannot_go_below_zero_still_can_reach_what_is_above() -> None:
    prices = np.random.default_rng(0).uniform(1e5, 5e5, 300).astype(np.float32)
    assert Scaled.of(prices, keeps_sign=True).offset == 0.0
    far = exact(1e9 + np.random.default_rng(0).standard_normal(300))
    assert Scaled.of(far, keeps_sign=True).offset == pytest.approx(1e9)


@pytest.mark.parametrize(
    ("values", "ordinary"),
    [((0.0, 1.0), True), ((3.0, 10.0), True), ((50.0, 1.0), True), ((0.0, 1e3), False), ((0.0, 1e-4), False),
     ((1e6, 1.0), False)],
)  # fmt: skip
def test_which_scales_a_network_reaches_by_itself(values: tuple[float, float], ordinary: bool) -> None:
    mean, spread = values
    assert are_ordinary(mean + spread * np.random.default_rng(0).standard_normal(300)) is ordinary


def test_a_model_that_begins_in_the_units_of_its_targets_knows_them() -> None:
    assert knows_no_units(torch.randn(20))
    assert not knows_no_units(3e5 + torch.randn(20))


def test_float32_is_left_only_where_it_blurs() -> None:
    rng = np.random.default_rng(0).standard_normal(100)
    assert exact(rng).dtype == np.float32
    assert exact(3e5 + 1e5 * rng).dtype == np.float32
    assert exact(1.7e9 + rng).dtype == np.float64
    assert exact((1.7e9 + rng).astype(np.float32)).dtype == np.float32  # what was never there cannot be kept
    assert exact(np.array([1e300, 1.0])).dtype == np.float32  # infinite, which is reported
