"""Floors and ceilings on data whose truth is known, and within the time that they were given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from superconv_tune.problems.overfit import overfit
from superconv_tune.problems.payload import Payload, realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.simple_models import doubtful, probe
from superconv_tune.problems.survey import survey
from superconv_tune.record.landmarks import Landmark
from superconv_tune.spec.load import load_spec
from tests.fakes import FakeClock, toy_problem

CPU = torch.device("cpu")
LONG_S = 1e9


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the preflight runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def question(folder: Path, x: Any, y: Any, **content: Any) -> Payload:
    np.savez(folder / "d.npz", x=x, y=y)
    spec = {
        "name": "t",
        "data": {"format": "npz", "path": "d.npz"},
        "split": {"validation": 0.3, "test": 0.1},
        **content,
    }
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    return prepare(load_spec(folder / "spec.json", {}))[0]


def marks(payload: Payload, seconds: float = LONG_S, clock: FakeClock | None = None) -> dict[str, Landmark]:
    metric = realise(payload, CPU).metric
    found = probe(payload, metric, seconds, clock) if clock else probe(payload, metric, seconds)
    return {mark.name: mark for mark in found}


def clouds(items: int, classes: int, spread: float, wrong: float = 0.0) -> tuple[Any, Any]:
    """Gaussian clouds, and a share of labels that are another class."""
    rng = np.random.default_rng(0)
    labels = np.arange(items) % classes
    inputs = rng.standard_normal((classes, 8))[labels] * 3 + spread * rng.standard_normal((items, 8))
    is_wrong = rng.random(items) < wrong
    given = np.where(is_wrong, (labels + rng.integers(1, classes, items)) % classes, labels)
    return inputs.astype(np.float32), given


def test_a_straight_boundary_is_found_by_the_linear_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((900, 30)).astype(np.float32)
    found = marks(question(tmp_path, x, (x @ rng.standard_normal(30) > 0).astype(int)))
    linear, nearest = found["a linear model"].value, found["the nearest neighbour"].value
    assert linear is not None
    assert nearest is not None
    assert linear > 0.9 > nearest > 0.5


def test_circles_are_found_by_the_nearest_neighbour(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((900, 2)).astype(np.float32)
    found = marks(question(tmp_path, x, (np.hypot(*x.T) > 1.2).astype(int)))
    linear, nearest = found["a linear model"].value, found["the nearest neighbour"].value
    assert linear is not None
    assert nearest is not None
    assert nearest > 0.9 > 0.7 > linear


def test_a_straight_line_through_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 4)).astype(np.float32)
    y = (x @ [1.0, -2.0, 0.5, 3.0] + 0.1 * rng.standard_normal(500)).astype(np.float32)
    found = marks(question(tmp_path, x, y, metric="r2"))
    assert found["a linear model"].value == pytest.approx(1.0, abs=0.01)
    assert "label noise" not in found


@pytest.mark.parametrize("wrong", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("classes", [2, 5])
def test_wrong_labels_are_estimated(wrong: float, classes: int, tmp_path: Path) -> None:
    mark = marks(question(tmp_path, *clouds(1500, classes, spread=0.7, wrong=wrong)))["label noise"]
    assert mark.value is not None
    assert 0.5 * wrong <= 1.0 - mark.value <= wrong + 0.02  # "at least": it is careful
    assert mark.is_warning is (wrong > 0.0)


def test_digits_have_clean_labels_and_known_floors(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({"name": "t", "data": "digits"}), encoding="utf-8")
    found = marks(prepare(load_spec(tmp_path / "s.json", {}))[0])
    assert not found["label noise"].is_warning
    for name in ("a linear model", "the nearest neighbour"):
        value = found[name].value
        assert value is not None
        assert value > 0.92


def test_hard_but_clean_classes_are_not_taken_for_wrong_labels(tmp_path: Path) -> None:
    """The signals of MNIST-1D, of which a linear model understands a third: its errors are not the labels'."""
    (tmp_path / "s.json").write_text(json.dumps({"name": "t", "data": "mnist1d"}), encoding="utf-8")
    mark = marks(prepare(load_spec(tmp_path / "s.json", {}))[0])["label noise"]
    assert mark.value is None
    assert not mark.is_warning
    assert "not judged" in mark.words


def test_both_methods_have_to_agree() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
    other = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9]])
    assert doubtful(sure, sure, labels).tolist() == [False, False, True, False, False, True]
    assert doubtful(sure, other, labels).tolist() == [False, False, True, False, False, False]


def test_no_larger_sample_is_taken_than_the_time_allows(tmp_path: Path) -> None:
    payload = question(tmp_path, *clouds(1500, 3, 0.7))
    assert "on 300 examples" in marks(payload, 1.0, FakeClock(tick_s=1.0))["a linear model"].words
    assert "on 900 examples" in marks(payload, LONG_S, FakeClock(tick_s=1.0))["a linear model"].words


def test_texts_are_compared_by_their_pairs_of_bytes(tmp_path: Path) -> None:
    """The same letters in another order: single bytes would tell nothing."""
    rng = np.random.default_rng(0)
    words = (["abc", "bca", "cab"], ["acb", "bac", "cba"])
    texts = [" ".join(rng.choice(words[index % 2], 8)) for index in range(600)]
    x = np.zeros((600, 40), np.uint8)
    for row, text in zip(x, texts, strict=True):
        row[: len(text)] = list(text.encode())
    value = marks(question(tmp_path, x, np.arange(600) % 2, model="text_bytes"))["a linear model"].value
    assert value is not None
    assert value > 0.95


def test_large_inputs_and_many_classes_are_bounded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    x = (rng.integers(0, 100, (400, 3, 100, 100)) + 60 * y[:, None, None, None]).astype(np.uint8)
    assert (marks(question(tmp_path, x, y))["a linear model"].value or 0.0) > 0.95
    skipped = marks(question(tmp_path, x, y), seconds=0.01)
    assert "not tried" in skipped["simple methods"].words


def test_a_survey_without_time_has_the_constant_guess(tmp_path: Path) -> None:
    payload = question(tmp_path, *clouds(300, 3, 0.7))
    problem = realise(payload, CPU)
    (mark,) = survey(payload, problem, 180, 0.0)
    assert mark.value == problem.trivial_value
    assert {mark.kind for mark in survey(payload, problem, 180, 5.0)} == {"floor", "ceiling", "check"}


def test_a_model_that_can_learn_does() -> None:
    mark = overfit(toy_problem(), 480, LONG_S)
    assert mark.value is not None
    assert mark.value > 0.9
    assert not mark.is_warning


def test_a_model_that_sees_nothing_is_warned_of(tmp_path: Path) -> None:
    """The labels are coins, and the model has two parameters for each class."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2000, 1)).astype(np.float32), rng.integers(0, 4, 2000)
    payload = question(tmp_path, x, y, model={"name": "mlp", "args": {"depth": 0}})
    mark = overfit(realise(payload, CPU), 1400, LONG_S)
    assert mark.is_warning
    assert "cannot even fit" in mark.words


def test_too_little_time_is_reported_and_not_a_warning() -> None:
    mark = overfit(toy_problem(), 480, 3.0, FakeClock(tick_s=1.0))
    assert mark.value is None
    assert not mark.is_warning
    assert "do not fit" in mark.words
