"""Searches as scikit-learn estimators, for pipelines, cross-validation and whatever else takes one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_X_y, validate_data

from superconv_tune.api.search import search
from superconv_tune.core.errors import UserError
from superconv_tune.kept.predictor import load
from superconv_tune.problems.prepare import METRIC_OF_NUMBERS

Array = NDArray[Any]
LARGEST_SEED = 2**31 - 1
LEAST_ROWS = 50  # of fewer, a validation part of the usual share is a handful, and its metric may have no value
TWO = 2  # classes and examples, of which there have to be as many


class _Searched(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators share; their docstrings are for users."""

    def __init__(  # noqa: PLR0913 - scikit-learn wants every option to be a parameter
        self,
        budget: float | str = "10m",
        *,
        target: float | None = None,
        metric: str | None = None,
        model: Any = None,
        random_state: Any = None,
        output: str | None = None,
        debug: bool = False,
        verbose: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.budget = budget
        self.target = target
        self.metric = metric
        self.model = model
        self.random_state = random_state
        self.output = output
        self.debug = debug
        self.verbose = verbose
        self.options = options

    def _fit(self, X: Any, y: Array, keys: Mapping[str, Any], otherwise: Any) -> Self:  # noqa: N803
        """Search, and keep the model; with too few examples to split, fit ``otherwise`` instead."""
        if len(y) < LEAST_ROWS:
            warnings.warn(
                f"{len(y)} examples are too few to train, choose and judge networks (at least {LEAST_ROWS}): a linear "
                f"model was fitted instead.",
                stacklevel=3,
            )
            numbers = _numbers_of_columns() if isinstance(X, pd.DataFrame) else StandardScaler()
            self.study_, self.predictor_ = None, make_pipeline(numbers, otherwise).fit(X, y)
            return self
        seeded = {} if self.random_state is None else {"seed": self._seed()}
        with ExitStack() as stack:
            output = self.output or stack.enter_context(TemporaryDirectory(prefix="superconv_tune-"))
            kept = {} if self.output else {"tracking_uri": "none"}
            try:
                self.study_ = search(
                    (X, y), target=self.target, budget=self.budget, model=self.model, output=Path(output),
                    debug=self.debug, quiet=not self.verbose,
                    **{**kept, **seeded, **keys, **(self.options or {})},
                )  # fmt: skip
                self.predictor_ = load(self.study_.folder)
            except UserError as error:  # which scikit-learn's tools would not know
                raise ValueError(str(error)) from error
        return self

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(LARGEST_SEED))

    def _checked(self, X: Any) -> Any:  # noqa: N803
        check_is_fitted(self)
        return validate_data(self, X, reset=False, skip_check_array=isinstance(X, pd.DataFrame))


class Classifier(ClassifierMixin, _Searched):  # type: ignore[misc]
    """A search for the best network within a budget, as a scikit-learn classifier.

    ``fit`` takes as long as the budget, or less if the question is decided earlier. Of the rows that it gets it holds
    out a validation and a test part; the confirmed model that validated best predicts. A DataFrame may have columns of
    words and missing values; arrays hold numbers.

    Args:
        budget: time of one ``fit``: seconds, or ``10m``, ``1h30m``.
        target: accuracy (or value of ``metric``) to be reached, at which the search may end early; None for as much as
            the budget allows.
        metric: what models are chosen by; None for accuracy.
        model: built-in model, or what the key ``model`` of a spec takes; None for what suits the data.
        random_state: seed of the search.
        output: folder of all studies, where report and recipe stay; None keeps nothing on disk.
        debug: whether trials run one after the other in this process, without Ray.
        verbose: whether progress is printed.
        options: further keys of a spec, such as ``{"trials": 20}``.

    Attributes:
        classes_: the labels, sorted.
        study_: the `Study`, with its verdict and interval; its labels are places in ``classes_``. None where a linear
            model was fitted to fewer than 50 rows.
        predictor_: the model.
        n_features_in_: number of columns.
    """

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Search on these data.

        Raises:
            ValueError: if they cannot be learned from, or no model was confirmed within the budget.
        """
        X, y = _validated(self, X, y)  # noqa: N806
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < TWO:
            raise ValueError(f"There is one class only, {self.classes_[0]!r}. Give examples of at least two classes.")
        # Said, because a table of many whole numbers would count as one of numbers to predict.
        asked = {"data.args.kind": "classification", "metric": self.metric}
        return self._fit(X, codes.astype(np.int64), asked, LogisticRegression())

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The label of every row, [n]."""
        best = self.predict_proba(X).argmax(axis=1)
        found: Array = self.classes_[best]
        return found

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """Probability of every class, [n, classes], in the order of ``classes_``."""
        X = self._checked(X)  # noqa: N806
        found: Array = self.predictor_.predict_proba(X)
        return found

    def __sklearn_tags__(self) -> Any:
        return _tagged(super().__sklearn_tags__())


class Regressor(RegressorMixin, _Searched):  # type: ignore[misc]
    """A search for the best network within a budget, as a scikit-learn regressor.

    As `Classifier`, for numbers to predict, in any units.

    Args:
        budget: time of one ``fit``: seconds, or ``10m``, ``1h30m``.
        target: value of ``metric`` to be reached, at which the search may end early; None for as much as the budget
            allows.
        metric: what models are chosen by; None for r2.
        model: built-in model, or what the key ``model`` of a spec takes; None for what suits the data.
        random_state: seed of the search.
        output: folder of all studies, where report and recipe stay; None keeps nothing on disk.
        debug: whether trials run one after the other in this process, without Ray.
        verbose: whether progress is printed.
        options: further keys of a spec, such as ``{"trials": 20}``.

    Attributes:
        study_: the `Study`, with its verdict and interval; None where a linear model was fitted to fewer than 50 rows.
        predictor_: the model.
        n_features_in_: number of columns.
    """

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Search on these data.

        Raises:
            ValueError: if they cannot be learned from, or no model was confirmed within the budget.
        """
        X, y = _validated(self, X, y, y_numeric=True)  # noqa: N806
        asked = {"data.args.kind": "regression", "metric": self.metric or METRIC_OF_NUMBERS}
        return self._fit(X, np.asarray(y, dtype=float), asked, Ridge())

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The number for every row, [n], in the units of the targets."""
        X = self._checked(X)  # noqa: N806
        found: Array = np.asarray(self.predictor_.predict(X), dtype=float).reshape(len(X))
        return found

    def __sklearn_tags__(self) -> Any:
        return _tagged(super().__sklearn_tags__())


def _validated(estimator: _Searched, X: Any, y: Any, **options: Any) -> tuple[Any, Array]:  # noqa: N803
    """Inputs and one target per row; arrays hold finite numbers, and a DataFrame stays one.

    Raises:
        ValueError: if they are not that.
    """
    if not isinstance(X, pd.DataFrame):
        found: tuple[Any, Array] = validate_data(estimator, X, y, ensure_min_samples=TWO, **options)
        return found
    # The columns are recorded, and read as those of a table; y is checked beside a column of numbers.
    validate_data(estimator, X, y, skip_check_array=True)
    _, targets = check_X_y(np.zeros((len(X), 1)), y, ensure_min_samples=TWO, **options)
    return X, targets


def _numbers_of_columns() -> Any:
    """Makes numbers of a DataFrame: numbers scaled, words one-hot; a gap is the median, or a word of its own."""
    filled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    encoded = make_pipeline(FunctionTransformer(_as_words), OneHotEncoder(handle_unknown="ignore"))
    return make_column_transformer((filled, _hold_numbers), (encoded, _hold_words))


def _as_words(columns: pd.DataFrame) -> pd.DataFrame:
    return columns.astype("string").fillna("").astype(object)


def _hold_numbers(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """For each column whether it holds numbers. Names would not do: whole numbers among them count as places."""
    is_number = [pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind) for kind in frame.dtypes]
    return np.array(is_number, dtype=bool)


def _hold_words(frame: pd.DataFrame) -> NDArray[np.bool_]:
    return ~_hold_numbers(frame)


def _tagged(tags: Any) -> Any:
    tags.non_deterministic = True  # how long cycles are depends on the time that they take
    return tags
