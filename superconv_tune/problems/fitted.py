"""Families that are fitted and not trained in cycles: boosted trees, and a linear model; through scikit-learn.

``trees`` is histogram gradient boosting (Ke et al. 2017, LightGBM), with scikit-learn's defaults. ``linear`` is
logistic regression, or ridge regression of numbers, on standardised inputs. Options by name change both; ``strength``
is the penalty of ``linear`` in units of scikit-learn's default.

Python cannot end a fit that runs. So trees grow in stages, and a linear model is fitted for a few iterations first: a
stage that is not likely to end in time is not begun.
"""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor

from superconv_tune.core.errors import UserError
from superconv_tune.data.parts import Indices, Part
from superconv_tune.measures.losses import BALANCED
from superconv_tune.measures.metrics import METRICS
from superconv_tune.problems.fit import loss_name
from superconv_tune.problems.payload import Payload
from superconv_tune.problems.source import describe_error

STAGES = (1, 4, 16, 50, 100, 200, 400)  # trees of every stage; beyond, and between, those that the options ask for
GROWTH = 1.3  # factor by which a stage is expected to take longer than those before it, per tree
MOST_ITERATIONS = 300  # of logistic regression; with standardised inputs more hardly change it
TRIED_ITERATIONS = 5
TRIED_EXAMPLES = 50  # of the check before a search
NO_TIME_S = -1.0
FEWEST_ITERATIONS = 30  # with fewer a logistic regression is not worth having
LEAST_LOGIT = -30.0  # of a class that no example of the fit has

Array = NDArray[Any]
LeftS = Callable[[], float]


@dataclass(frozen=True)
class FittedModel:
    """A fitted model.

    Attributes:
        estimators: scikit-learn's; of trees that predict several numbers one for each of them.
        is_whole: whether time did not end the fit early.
        payload: the data.
    """

    estimators: Sequence[Any]
    is_whole: bool
    payload: Payload

    @property
    def size_bytes(self) -> int:
        """Size of the pickled model."""
        return len(pickle.dumps(self.estimators))

    def outputs(self, part: str, device: torch.device) -> Tensor:
        """Outputs for the validation or the test part, as a network would give them for the metric.

        Logits [items, classes], or numbers in the form in which batches hold the targets.
        """
        return self.outputs_of(features(getattr(self.payload.arrays, part)), device)

    def outputs_of(self, inputs: Array, device: torch.device) -> Tensor:
        """The same for rows of features [items, features]."""
        if self.payload.classes is not None:
            return torch.from_numpy(logits_of(self.estimators[0], inputs, self.payload.classes)).float().to(device)
        assert self.payload.arrays is not None
        numbers = np.stack([each.predict(inputs) for each in self.estimators], axis=-1)
        shape = self.payload.arrays.train.targets.shape[1:]
        return self.payload.form.batched(torch.from_numpy(numbers.reshape(len(inputs), *shape))).to(device)


@dataclass(frozen=True)
class Fitter:
    """Fits one family on the training part.

    Attributes:
        payload: the data, and the family as its model.
    """

    payload: Payload

    def fit(self, options: Mapping[str, object], seed: int, left_s: LeftS) -> FittedModel:
        """A model from the training part; the same options and seed give the same model, unless time ends it early.

        Args:
            options: what differs from the options in the spec.
            seed: of the examples that are held out for early stopping, and whatever else is drawn.
            left_s: returns the seconds left.

        Raises:
            TimeoutError: if there is no time for anything useful.
        """
        wanted, arrays = self.payload.spec.model, self.payload.arrays
        assert wanted is not None
        assert arrays is not None
        chosen = wanted.args | dict(options)
        with threadpool_limits(torch.get_num_threads()):
            inputs, targets = features(arrays.train), arrays.train.targets
            if wanted.name == "linear":
                estimators, is_whole = self._linear(chosen, inputs, targets, left_s)
            else:
                estimators, is_whole = self._trees(chosen, seed, inputs, targets, left_s)
        return FittedModel(estimators, is_whole, self.payload)

    def _trees(
        self, options: dict[str, Any], seed: int, inputs: Array, targets: Array, left_s: LeftS
    ) -> tuple[list[Any], bool]:
        trees = options.pop("max_iter", 100)
        if not isinstance(trees, int) or trees < 1:
            raise ValueError(f"max_iter is a whole number of 1 or more, but got {trees!r}")
        if self.payload.classes is not None and not _can_stop_early(options, targets):
            options["early_stopping"] = False
        kind = HistGradientBoostingRegressor if self.payload.classes is None else HistGradientBoostingClassifier
        columns = list(_columns(targets).T)
        models = [kind(**self._weights, **options, random_state=seed % 2**32, warm_start=True) for _ in columns]
        return models, _grown(models, columns, inputs, trees, left_s)

    def _linear(self, options: dict[str, Any], inputs: Array, targets: Array, left_s: LeftS) -> tuple[list[Any], bool]:
        strength = options.pop("strength", 1.0)
        if self.payload.classes is None:
            columns = _columns(targets)
            ridges = [Ridge(alpha=strength, **options) for _ in range(columns.shape[1])]
            return [
                make_pipeline(StandardScaler(), ridge).fit(inputs, column)
                for ridge, column in zip(ridges, columns.T, strict=True)
            ], True
        model = LogisticRegression(C=1.0 / strength, **self._weights, **options)
        scaler = StandardScaler().fit(inputs)
        scaled = scaler.transform(inputs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            iterations = MOST_ITERATIONS if math.isinf(left_s()) else _affordable(model, scaled, targets, left_s)
            model.set_params(max_iter=iterations).fit(scaled, targets)
        return [make_pipeline(scaler, model)], iterations == MOST_ITERATIONS

    @property
    def _weights(self) -> dict[str, Any]:
        """Weights of classes, where the loss says that all of them weigh the same."""
        is_balanced = loss_name(self.payload.spec, self.payload.kind) == BALANCED
        return {"class_weight": "balanced"} if is_balanced else {}


def _can_stop_early(options: Mapping[str, Any], targets: Array) -> bool:
    """Whether every class is frequent enough for the examples that early stopping holds out, stratified by class."""
    share = options.get("validation_fraction", 0.1)
    try:
        train_test_split(targets, test_size=share, stratify=targets, random_state=0)
    except ValueError:
        return share is None  # then the loss of the training examples decides
    return True


def _affordable(model: LogisticRegression, inputs: Array, targets: Array, left_s: LeftS) -> int:
    """Number of iterations that the seconds left allow, from how long the first few take.

    Raises:
        TimeoutError: if they allow too few.
    """
    started_s = left_s()
    model.set_params(max_iter=TRIED_ITERATIONS).fit(inputs, targets)
    each_s = max((started_s - left_s()) / TRIED_ITERATIONS, 1e-9)
    iterations = min(MOST_ITERATIONS, int(left_s() / (GROWTH * each_s)))
    if iterations < FEWEST_ITERATIONS:
        raise TimeoutError(f"An iteration of logistic regression takes {each_s:.2g} s.")
    return iterations


def _grown(models: list[Any], columns: list[Array], inputs: Array, trees: int, left_s: LeftS) -> bool:
    """Grow boosted trees in stages; returns False if time ended it before there were as many as were asked for."""
    stages = [*(stage for stage in STAGES if stage < trees), trees]
    grown = 0
    for stage, following in zip(stages, [*stages[1:], 0], strict=True):
        before_s = left_s()
        for model, column in zip(models, columns, strict=True):
            if not grown or model.n_iter_ == grown:  # the others have stopped early
                model.set_params(max_iter=stage).fit(inputs, column)
        if not following or all(model.n_iter_ < stage for model in models):
            return True
        tree_s = (before_s - left_s()) / (stage - grown)
        if GROWTH * tree_s * (following - stage) > left_s():
            return False
        grown = stage
    return True


def check_fit(payload: Payload) -> None:
    """Fit a few examples for the shortest time, so that what is wrong is one message before anything begins.

    Raises:
        UserError: if the family does not go with the data, or does not know an option.
    """
    assert payload.spec.model is not None
    name = payload.spec.model.name
    reason = _unfit(payload)
    if reason:
        raise UserError(f"model: {name} does not go with this question: {reason}. Take a network.")
    assert payload.arrays is not None
    train = payload.arrays.train
    few = replace(payload, arrays=replace(payload.arrays, train=train.take(_few(train.targets))))
    try:
        with suppress(TimeoutError):
            Fitter(few).fit({}, 0, lambda: NO_TIME_S)
    except (TypeError, ValueError) as error:
        raise UserError(f"model: {name} cannot be fitted: {describe_error(error)}.") from error


def _unfit(payload: Payload) -> str:
    """Why the outputs that the metric needs, or the inputs, are not known; empty if they are."""
    if payload.arrays is None:
        return "the data are read by loaders of the task's own"
    if payload.kind == "structured" or payload.arrays.train.targets.ndim > 2:
        return "a target is not one class, or one row of numbers"
    if payload.has_own_loss and payload.spec.metric_name not in METRICS:
        return "loss and metric are the task's own, so that it is not known what the outputs have to be"
    return ""


def _few(targets: Array) -> Indices:
    """Rows of the first examples, and of the first one of every class."""
    rows = np.arange(min(len(targets), TRIED_EXAMPLES))
    if targets.dtype.kind == "f":
        return rows
    return np.unique(np.concatenate([rows, np.unique(targets, return_index=True)[1]]))


def logits_of(estimator: Any, inputs: Array, classes: int) -> Array:
    """Logits [items, classes] of a fitted classifier, which may not have seen all classes."""
    logits = np.full((len(inputs), classes), LEAST_LOGIT)
    logits[:, estimator.classes_] = np.log(np.maximum(estimator.predict_proba(inputs), math.exp(LEAST_LOGIT)))
    return logits


def features(part: Part) -> Array:
    """The inputs of a part as rows of float32."""
    inputs = np.asarray(part.inputs[:])
    return inputs.reshape(len(inputs), -1).astype(np.float32)


def _columns(targets: Array) -> Array:
    """Numbers to predict as [items, numbers]."""
    return targets.reshape(len(targets), -1)
