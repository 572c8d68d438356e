"""Networks and estimators as bytes and back."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

from superconv_tune.core.errors import UserError
from superconv_tune.kept.estimators import packed_estimators
from superconv_tune.kept.weights import estimators, fill, format_of, packed

X = np.random.default_rng(0).normal(size=(80, 4))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)


class Tied(nn.Module):
    """Two layers with the same weights, a norm with buffers, and a half-precision buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("halves", torch.rand(3).half())


class Strange(BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """An estimator of nobody's package."""


def test_a_network_is_the_same_again() -> None:
    torch.manual_seed(0)
    model, other = Tied(), Tied()
    model.norm(torch.randn(5, 4))
    fill(other, packed(model))
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
        assert other.state_dict()[name].dtype == value.dtype
    assert other.first.weight is other.second.weight


def test_another_network_is_refused() -> None:
    with pytest.raises(UserError, match=r"do not fit the network that is made now: .*size mismatch"):
        fill(nn.Linear(3, 2), packed(nn.Linear(4, 2)))


@pytest.mark.parametrize(
    "fitted",
    [
        HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(X, Y),
        HistGradientBoostingClassifier(max_iter=5, random_state=0, categorical_features=[3]).fit(
            np.column_stack([X[:, :3], Y]), Y
        ),
        HistGradientBoostingClassifier(max_iter=30, early_stopping=True, random_state=0).fit(X, Y),
        HistGradientBoostingRegressor(max_iter=5, random_state=0).fit(X, X[:, 0]),
        make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
        Ridge().fit(X, X[:, 0]),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_estimator_is_the_same_again(fitted: BaseEstimator) -> None:
    content = packed_estimators([fitted])
    assert format_of(fitted) == "skops"
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(content)
    (again,) = estimators(content)
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    if hasattr(fitted, "predict_proba"):
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_types_of_other_packages_are_neither_kept_nor_loaded() -> None:
    import skops.io  # noqa: PLC0415 - to write what `packed` refuses to

    with pytest.raises(ValueError, match="Strange, which is not known to be safe"):
        packed_estimators([Strange()])
    with pytest.raises(UserError, match=r"is not loaded: .*Strange"):
        estimators(skops.io.dumps(Strange()))


def test_functions_that_run_what_they_are_given_are_not_loaded() -> None:
    """A file may name any function of an installed package, also of scikit-learn's own."""
    import skops.io  # noqa: PLC0415 - to write what `packed` refuses to

    transformer = FunctionTransformer(func=np.lib.introspect.opt_func_info)
    with pytest.raises(UserError, match="is not known to be safe"):
        estimators(skops.io.dumps(transformer))
