"""The estimators keep to scikit-learn's contract; every fit is a search, in this process and without MLflow."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

import superconv_tune
from superconv_tune.api.estimators import LEAST_ROWS

QUICK = {
    "trials": 1, "baselines": "none", "sampler": "random", "space": {"cycle_epochs": 20, "batch_size": 32},
    "keep_models": 1, "tracking_uri": "none",
}  # fmt: skip
ESTIMATORS = [superconv_tune.Classifier, superconv_tune.Regressor]
# Those that fit nothing, or so few rows that a linear model is fitted.
IN_NO_TIME = {
    "check_estimator_cloneable", "check_valid_tag_types", "check_estimator_repr", "check_no_attributes_set_in_init",
    "check_estimators_unfitted", "check_do_not_raise_errors_in_init_or_set_params", "check_mixin_order",
    "check_n_features_in_after_fitting", "check_estimators_overwrite_params", "check_estimators_dtypes",
    "check_complex_data", "check_estimators_empty_data_messages", "check_estimators_nan_inf",
    "check_estimator_sparse_array", "check_estimator_sparse_matrix", "check_estimators_pickle",
    "check_classifier_data_not_an_array", "check_classifiers_one_label", "check_classifiers_regression_target",
    "check_supervised_y_no_nan", "check_supervised_y_2d", "check_parameters_default_constructible",
    "check_fit2d_1sample", "check_fit2d_1feature", "check_get_params_invariance", "check_set_params",
    "check_dict_unchanged", "check_fit1d", "check_fit2d_predict1d", "check_requires_y_none",
}  # fmt: skip
# They fit twice and expect the same model.
WHY = "how long the cycles of a search are depends on the time that they take"
MAY_DIFFER = dict.fromkeys(["check_fit_idempotent", "check_regressor_data_not_an_array", "check_regressors_int"], WHY)


def quick(kind: type[Any], **changes: Any) -> Any:
    return kind(**{"budget": "60s", "debug": True, "model": "mlp", "options": QUICK, "random_state": 0} | changes)


def named(check: Any) -> str:
    return str((check.func if hasattr(check, "func") else check).__name__)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_scikit_learns_checks_that_take_no_time(kind: type[Any]) -> None:
    tried = set()
    for estimator, check in estimator_checks_generator(quick(kind)):
        if named(check) in IN_NO_TIME:
            check(estimator)
            tried.add(named(check))
    assert len(tried) >= len(IN_NO_TIME) - 3  # of which some are for classifiers only


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_all_of_scikit_learns_checks(kind: type[Any]) -> None:
    found = check_estimator(quick(kind), expected_failed_checks=MAY_DIFFER)
    assert {each["status"] for each in found} <= {"passed", "skipped", "xfail"}
    assert sum(each["status"] == "passed" for each in found) >= 45


def test_a_classifier_of_words_and_numbers_with_gaps(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    classes = np.arange(240) % 3
    frame = pd.DataFrame({"size": classes + 0.3 * rng.standard_normal(240), "sea": np.array(["a", "b", "a"])[classes]})
    frame.loc[::17, "size"] = np.nan
    names = np.array(["cod", "eel", "ray"])[classes]
    model = make_pipeline(FunctionTransformer(), quick(superconv_tune.Classifier, output=str(tmp_path / "runs")))
    model.fit(frame, names)
    assert model.score(frame, names) > 0.85
    found = model[-1]
    assert found.classes_.tolist() == ["cod", "eel", "ray"]
    np.testing.assert_allclose(model.predict_proba(frame).sum(axis=1), 1.0, atol=1e-5)
    assert found.study_.verdict is None
    assert found.study_.estimate is not None
    assert found.study_.report().is_relative_to(tmp_path)
    np.testing.assert_array_equal(found.classes_[found.study_.predict(frame[:9])], model.predict(frame[:9]))


def test_a_regressor_in_units_of_its_own_leaves_nothing_on_disk() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((200, 3))
    prices = 1e6 + 1e5 * inputs @ [1.0, -2.0, 0.5]
    model = pickle.loads(pickle.dumps(quick(superconv_tune.Regressor).fit(inputs, prices.round())))
    assert model.score(inputs, prices) > 0.9
    assert not model.study_.folder.exists()


def test_few_rows_get_a_linear_model_and_a_warning() -> None:
    inputs = np.arange(2.0 * LEAST_ROWS - 2).reshape(-1, 2)
    with pytest.warns(UserWarning, match="a linear model was fitted instead"):
        model = quick(superconv_tune.Regressor).fit(inputs, inputs[:, 0])
    assert model.study_ is None
    assert model.score(inputs, inputs[:, 0]) > 0.9


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_few_rows_may_have_words_and_gaps(kind: type[Any]) -> None:
    rows = LEAST_ROWS - 10
    classes = np.arange(rows) % 2
    frame = pd.DataFrame(
        {
            3: pd.array([1, None] * (rows // 2), dtype="Int64"),
            5: pd.Series([*np.array(["cod", "eel"])[classes[2:]], None, pd.NA], dtype="string"),
            4: np.where(classes == 1, np.nan, 2.0),
            1: classes == 1,
            2: pd.Series(np.array(["a", "b"])[classes], dtype="category"),
            0: np.full(rows, np.nan),
        }
    )
    frame[6] = frame[5].astype(object)
    with pytest.warns(UserWarning, match="a linear model was fitted instead"):
        model = pickle.loads(pickle.dumps(quick(kind).fit(frame, classes)))
    assert model.score(frame, classes) > 0.9
    frame.loc[0, [5, 6]] = "a fish that was never seen"
    assert np.isfinite(model.predict(frame)).all()


@pytest.mark.filterwarnings("ignore:The number of unique classes")  # scikit-learn, of the first rows
def test_many_classes_in_a_table_are_classes() -> None:
    codes = np.arange(600) % 60
    frame = pd.DataFrame({"code": codes + 0.0, "half": (codes % 2) * 10.0})
    model = quick(superconv_tune.Classifier, model="linear").fit(frame, codes)
    assert model.predict_proba(frame).shape == (600, 60)
    assert set(model.predict(frame)) <= set(codes)


def test_a_regressor_with_a_target_needs_no_metric() -> None:
    inputs = np.random.default_rng(0).standard_normal((120, 2))
    model = quick(superconv_tune.Regressor, model="linear", target=0.8).fit(inputs, inputs @ [1.0, 2.0])
    assert model.study_.details["question"]["metric"] == "r2"


def test_a_mistake_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"^metric: is unknown: 'acuracy'"), warnings.catch_warnings():
        quick(superconv_tune.Classifier, metric="acuracy").fit(np.eye(60), np.arange(60) % 2)
    with pytest.raises(NotFittedError):
        quick(superconv_tune.Classifier).predict(np.eye(6))
