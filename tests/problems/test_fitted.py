"""Families that are fitted: the same models as scikit-learn's, in the form of the data, and within their time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from superconv_tune.core.errors import UserError
from superconv_tune.problems import fitted
from superconv_tune.problems.fitted import Fitter, check_fit, features
from superconv_tune.problems.payload import Payload, Problems, portable, realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.spec.load import load_spec

CPU = torch.device("cpu")
LONG_S = 1e6


def question(folder: Path, model: Any = None, numbers: bool = False, **content: Any) -> Payload:
    """600 rows of 6 inputs; classes, or numbers far from 0, that trees tell apart better than a line."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 6)).astype(np.float32)
    score = x[:, 0] * x[:, 1] + 0.5 * x[:, 2]
    y = (1000.0 + 50.0 * score).astype(np.float32) if numbers else np.digitize(score, [-0.4, 0.4])
    np.savez(folder / "d.npz", x=x, y=y)
    spec = {"name": "t", "data": {"format": "npz", "path": "d.npz"}, **content}
    spec |= {} if model is None else {"model": model}
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    return prepare(load_spec(folder / "spec.json", {}))[0]


def columns(payload: Payload, part: str) -> tuple[NDArray[Any], NDArray[Any]]:
    found = getattr(payload.arrays, part)
    return features(found), found.targets


@pytest.mark.parametrize("options", [{}, {"max_iter": 130, "learning_rate": 0.05, "early_stopping": True}])
def test_trees_grown_in_stages_are_those_of_one_fit(tmp_path: Path, options: dict[str, Any]) -> None:
    payload = question(tmp_path, "trees").of("trees")
    whole = HistGradientBoostingClassifier(**options, random_state=5).fit(*columns(payload, "train"))
    fitted = Fitter(payload).fit(options, 5, lambda: LONG_S)
    assert fitted.is_whole
    assert fitted.estimators[0].n_iter_ == whole.n_iter_
    wanted = whole.predict_proba(columns(payload, "test")[0])
    np.testing.assert_allclose(torch.softmax(fitted.outputs("test", CPU), dim=1), wanted, atol=1e-4)


def test_numbers_are_predicted_in_their_units(tmp_path: Path) -> None:
    payload = question(tmp_path, ["trees", "linear"], numbers=True, metric="rmse")
    train, (x, y) = columns(payload, "train"), columns(payload, "validation")
    oracles = {
        "trees": HistGradientBoostingRegressor(random_state=0),
        "linear": make_pipeline(StandardScaler(), Ridge()),
    }
    for name, oracle in oracles.items():
        problem = Problems(payload, CPU).of(name)
        assert problem.fitter is not None
        outputs = problem.fitter.fit({}, 0, lambda: LONG_S).outputs("validation", CPU)
        [(_, targets)] = problem.validation.batches()
        error = np.sqrt(np.mean((oracle.fit(*train).predict(x) - y) ** 2))
        assert problem.metric.compute(outputs, targets) == pytest.approx(error, rel=1e-3)


def test_linear_is_logistic_regression_of_standardised_inputs(tmp_path: Path) -> None:
    payload = question(tmp_path, "linear").of("linear")
    oracle = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300)).fit(*columns(payload, "train"))
    outputs = Fitter(payload).fit({"strength": 10.0}, 0, lambda: LONG_S).outputs("validation", CPU)
    wanted = oracle.predict_proba(columns(payload, "validation")[0])
    np.testing.assert_allclose(torch.softmax(outputs, dim=1), wanted, atol=1e-3)


def test_a_class_that_was_not_trained_on_is_unlikely_and_not_left_out(tmp_path: Path) -> None:
    payload = question(tmp_path, "trees").of("trees")
    assert payload.arrays is not None
    kept = np.flatnonzero(payload.arrays.train.targets != 1)
    arrays = type(payload.arrays)(
        payload.arrays.train.take(kept), payload.arrays.validation, payload.arrays.test, payload.arrays.normaliser
    )
    outputs = Fitter(Payload(payload.spec, arrays, payload.kind, payload.classes, None, None, None)).fit(
        {}, 0, lambda: LONG_S
    )
    logits = outputs.outputs("test", CPU)
    assert logits.shape[1] == 3
    assert float(torch.softmax(logits, dim=1)[:, 1].max()) < 1e-6


def test_the_same_seed_gives_the_same_trees_and_another_one_others(tmp_path: Path) -> None:
    payload = question(tmp_path, "trees").of("trees")
    options = {"early_stopping": True, "max_features": 0.5}
    once, again, other = (Fitter(payload).fit(options, seed, lambda: LONG_S).outputs("test", CPU) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_a_fit_without_time_ends_after_its_first_stage(tmp_path: Path) -> None:
    fitted = Fitter(question(tmp_path, "trees").of("trees")).fit({}, 0, lambda: -1.0)
    assert not fitted.is_whole
    assert fitted.estimators[0].n_iter_ == 1


def test_a_linear_model_without_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="An iteration of logistic regression takes"):
        Fitter(question(tmp_path, "linear").of("linear")).fit({}, 0, lambda: 0.0)


def test_options_of_the_spec_count_and_wrong_ones_are_told(tmp_path: Path) -> None:
    few = question(tmp_path, {"name": "trees", "args": {"max_iter": 3}}).of("trees")
    assert Fitter(few).fit({}, 0, lambda: LONG_S).estimators[0].n_iter_ == 3
    with pytest.raises(UserError, match=r"trees cannot be fitted: TypeError: .*max_itr"):
        check_fit(question(tmp_path, {"name": "trees", "args": {"max_itr": 3}}).of("trees"))
    for wrong in (0, 3.5, "many"):
        with pytest.raises(UserError, match=rf"max_iter is a whole number of 1 or more, but got '?{wrong}"):
            check_fit(question(tmp_path, {"name": "trees", "args": {"max_iter": wrong}}).of("trees"))


@pytest.mark.parametrize("name", ["trees", "linear"])
def test_the_check_before_a_search_fits_as_little_as_possible(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = list[int]()

    class Trees(HistGradientBoostingClassifier):  # type: ignore[misc]  # scikit-learn has no types
        def fit(self, X: Any, y: Any) -> Any:  # noqa: N803
            fits.append(self.max_iter)
            return super().fit(X, y)

    class Linear(LogisticRegression):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> Any:  # noqa: N803
            fits.append(self.max_iter)
            return super().fit(X, y)

    payload = question(tmp_path, {"name": name}).of(name)
    monkeypatch.setattr(fitted, "HistGradientBoostingClassifier", Trees)
    monkeypatch.setattr(fitted, "LogisticRegression", Linear)
    check_fit(payload)
    assert fits == [1 if name == "trees" else fitted.TRIED_ITERATIONS]


@pytest.mark.parametrize("counts", [(200, 200, 1), (7, 7, 6)])
def test_trees_stop_early_only_where_every_class_can_be_held_out(tmp_path: Path, counts: tuple[int, ...]) -> None:
    """A tenth is stratified by class: that takes two examples of each, and as many held out as there are classes."""
    payload = question(tmp_path, "trees").of("trees")
    assert payload.arrays is not None
    few = [np.flatnonzero(payload.arrays.train.targets == label)[:count] for label, count in enumerate(counts)]
    arrays = replace(payload.arrays, train=payload.arrays.train.take(np.concatenate(few)))
    found = Fitter(replace(payload, arrays=arrays)).fit({"early_stopping": True, "max_iter": 30}, 0, lambda: LONG_S)
    assert found.estimators[0].n_iter_ == 30
    whole = Fitter(payload).fit({"early_stopping": True, "max_iter": 1000}, 0, lambda: LONG_S)
    assert whole.estimators[0].n_iter_ < 1000


def test_all_classes_weigh_the_same_if_the_loss_says_so(tmp_path: Path) -> None:
    payload = question(tmp_path, "linear", loss="balanced_cross_entropy").of("linear")
    model = Fitter(payload).fit({}, 0, lambda: LONG_S).estimators[0]
    assert model[-1].class_weight == "balanced"


def test_a_table_without_a_model_gets_trees_a_line_and_a_network(tmp_path: Path) -> None:
    payload = question(tmp_path)
    assert list(payload.families) == ["trees", "linear", "mlp"]
    assert payload.spec.model is None
    assert payload.first is payload.families["mlp"]
    assert all(
        each.arrays is not None and each.arrays.train is payload.arrays.train
        for each in payload.families.values()
        if payload.arrays
    )
    assert realise(payload, CPU).fitter is None
    sent = portable(payload)
    assert list(sent.families) == list(payload.families)


TASK = """
import numpy as np, torch
from torch import nn
from superconv_tune.problems.user import Task

def task():
    x = np.random.default_rng(0).standard_normal((200, 3)).astype(np.float32)
    return Task((x, {targets}), loss=lambda outputs, targets: nn.functional.mse_loss(outputs, targets.float()))
"""


def test_targets_that_are_not_one_class_or_numbers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(TASK.format(targets="(x > 0).astype(np.int64)"), encoding="utf-8")
    metric = {"name": "mine", "direction": "max"}
    spec = {"name": "t", "task": "own.py:task", "model": ["trees", {"factory": "own.py:net"}], "metric": metric}
    (tmp_path / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    with pytest.raises(UserError, match=r"model: trees gives one row of outputs per item"):
        prepare(load_spec(tmp_path / "spec.json", {}))
