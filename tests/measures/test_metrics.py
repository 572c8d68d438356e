"""Every metric against scikit-learn's, on what models really give, and at the edges."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle

from superconv_tune.measures.losses import LOSSES
from superconv_tune.measures.metrics import METRICS

DOCUMENT = Path("docs/reference/measures.md").read_text(encoding="utf-8")

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]


def per_class(measure: Callable[[Any, Any], float], logits: Scores, targets: Labels) -> float:
    """The mean of each class against the rest, of those that have both sides; of two classes the second alone."""
    odds = torch.tensor(logits).log_softmax(-1).numpy()
    if logits.shape[1] == 2:
        return measure(targets == 1, logits[:, 1] - logits[:, 0])
    found = [index for index in range(logits.shape[1]) if 0 < (targets == index).sum() < len(targets)]
    return float(np.mean([measure(targets == index, odds[:, index]) for index in found]))


CLASSES: dict[str, Callable[[Scores, Labels], float]] = {
    "accuracy": lambda logits, targets: oracle.accuracy_score(targets, logits.argmax(1)),
    "balanced_accuracy": lambda logits, targets: oracle.balanced_accuracy_score(targets, logits.argmax(1)),
    "macro_f1": lambda logits, targets: oracle.f1_score(targets, logits.argmax(1), average="macro"),
    "mcc": lambda logits, targets: oracle.matthews_corrcoef(targets, logits.argmax(1)),
    "auroc": lambda logits, targets: per_class(oracle.roc_auc_score, logits, targets),
    "average_precision": lambda logits, targets: per_class(oracle.average_precision_score, logits, targets),
    "top5_accuracy": lambda logits, targets: oracle.top_k_accuracy_score(
        targets, logits, k=5, labels=np.arange(logits.shape[1])
    ),
}
NUMBERS: dict[str, Callable[[Scores, Scores], float]] = {
    "rmse": lambda guesses, targets: oracle.root_mean_squared_error(targets, guesses),
    "mae": lambda guesses, targets: oracle.mean_absolute_error(targets, guesses),
    "r2": lambda guesses, targets: oracle.r2_score(targets, guesses),
}


def ours(name: str, outputs: Any, targets: Any) -> float:
    return METRICS[name].compute(torch.as_tensor(outputs), torch.as_tensor(targets))


def theirs(measure: Callable[[Any, Any], float], outputs: Any, targets: Any) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn tells of classes that only the outputs have
        return float(measure(outputs, targets))


def test_every_metric_has_an_oracle() -> None:
    assert CLASSES.keys() == {name for name, metric in METRICS.items() if not metric.regression}
    assert NUMBERS.keys() == {name for name, metric in METRICS.items() if metric.regression}


@pytest.mark.parametrize(("kind", "names"), [("Metrics", METRICS), ("Losses", LOSSES)])
def test_the_document_names_them(kind: str, names: Mapping[str, object]) -> None:
    (paragraph,) = [text for text in DOCUMENT.split("\n\n") if text.startswith(f"{kind}: ")]
    assert [name for name in names if f"`{name}`" not in paragraph] == []


@pytest.mark.parametrize(
    ("name", "classes"),
    [(name, classes) for name in CLASSES for classes in (2, 7, 40) if (name, classes) != ("top5_accuracy", 2)],
)
@given(data=st.data())
def test_classes(name: str, classes: int, data: st.DataObject) -> None:
    """Coarse logits, so that there are ties; few items, so that classes are missing."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    items, step = data.draw(st.integers(3, 40)), data.draw(st.sampled_from([0.01, 1.0, 50.0]))
    logits = np.round(rng.standard_normal((items, classes)) * data.draw(st.sampled_from([1.0, 3.0])) / step) * step
    targets = rng.integers(0, classes, items)
    targets[:2] = [0, 1]
    if name == "top5_accuracy":  # equal logits have no order to agree about
        logits = rng.permuted(np.tile(np.arange(float(classes)), (items, 1)), axis=1)
    assert ours(name, logits, targets) == pytest.approx(theirs(CLASSES[name], logits, targets), abs=1e-6)


@pytest.mark.parametrize("name", NUMBERS)
@given(data=st.data())
def test_numbers(name: str, data: st.DataObject) -> None:
    """Far from zero and of any scale, as targets in a user's own units are."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    scale, shift = data.draw(st.sampled_from([1e-4, 1.0, 1e5])), data.draw(st.sampled_from([0.0, 1e3]))
    targets = (rng.standard_normal(data.draw(st.integers(2, 50))) + shift) * scale
    guesses = targets + rng.standard_normal(len(targets)) * scale * data.draw(st.sampled_from([0.0, 0.3, 5.0]))
    assert ours(name, guesses[:, None], targets) == pytest.approx(theirs(NUMBERS[name], guesses, targets), rel=1e-6)


def test_several_numbers_per_item_are_averaged() -> None:
    rng = np.random.default_rng(0)
    targets = rng.standard_normal((30, 3)) * [1, 10, 100]
    guesses = targets + rng.standard_normal((30, 3)) * [1, 5, 300]
    assert ours("r2", guesses, targets) == pytest.approx(oracle.r2_score(targets, guesses))


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if not metric.regression])
@pytest.mark.parametrize("classes", [2, 9])
def test_constant_outputs_are_worth_a_guess(name: str, classes: int) -> None:
    targets = torch.arange(90) % classes
    value = ours(name, torch.zeros(90, classes), targets)
    if name == "auroc":
        assert value == 0.5
    elif name == "average_precision":
        assert value == pytest.approx(1 / classes)
    else:
        assert 0.0 <= value <= (1.0 if name == "top5_accuracy" and classes == 2 else 0.6)


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
@pytest.mark.parametrize("shape", [(60,), (60, 1)])
def test_one_logit_ranks_as_the_two_that_differ_by_it(name: str, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    logit, targets = torch.randn(60, generator=generator), torch.arange(60) % 2
    both = torch.stack([0.3 * logit, 1.3 * logit], dim=1)
    assert ours(name, logit.reshape(shape), targets) == pytest.approx(ours(name, both, targets))


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_confident_logits_keep_their_order(name: str) -> None:
    """A sigmoid in float32 is 1 for all of these."""
    logits = torch.tensor([30.0, 60.0, 90.0, 120.0])
    assert ours(name, logits, torch.tensor([0, 0, 1, 1])) == 1.0
    assert ours(name, -logits, torch.tensor([0, 0, 1, 1])) < 0.6


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_what_cannot_be_ranked_has_no_value(name: str) -> None:
    assert math.isnan(ours(name, torch.randn(5, 2), torch.zeros(5, dtype=torch.long)))
    assert math.isnan(ours(name, torch.full((4, 2), math.nan), torch.tensor([0, 1, 0, 1])))


def test_balanced_accuracy_leaves_out_a_class_that_the_targets_lack() -> None:
    outputs = torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    assert ours("balanced_accuracy", outputs, torch.tensor([0, 1, 1, 0])) == pytest.approx((1 + 1 / 2) / 2)


@pytest.mark.parametrize("name", METRICS)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_items_makes_no_difference_and_the_range_holds(name: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    metric = METRICS[name]
    outputs = torch.randn(30, 6, generator=generator)
    targets = torch.randn(30, 6, generator=generator) if metric.regression else torch.arange(30) % 6
    order = torch.randperm(30, generator=generator)
    value = ours(name, outputs, targets)
    assert value == pytest.approx(ours(name, outputs[order], targets[order]), rel=1e-5)
    assert metric.low is None or value >= metric.low
    assert metric.high is None or value <= metric.high
