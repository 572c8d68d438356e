"""What is kept beside the weights: everything between a user's items and the predictions of a model, as plain JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.errors import UserError
from superconv_tune.core.imports import package_version
from superconv_tune.core.yardstick import Direction
from superconv_tune.data.normalise import Normaliser
from superconv_tune.data.parts import Part
from superconv_tune.data.reading import Reading
from superconv_tune.models.pretrained import Anatomy
from superconv_tune.problems.features import Backbone
from superconv_tune.problems.handling import Handling
from superconv_tune.problems.payload import Arrays, Payload
from superconv_tune.problems.source import Source
from superconv_tune.problems.targets import AS_GIVEN, Labelled, Scaled
from superconv_tune.record.kept import Ensemble
from superconv_tune.record.trial import Precision
from superconv_tune.spec.recipe_file import QUESTION
from superconv_tune.spec.spec import ExperimentSpec

FORMAT = 1  # of model.json
INDEX = "model.json"
PACKAGES = ("superconv-tune", "torch", "numpy", "scikit-learn", "skops", "safetensors")
RUNS_CODE = "Loading this model runs the code in `task` and `network`, as training did. Load it if you trust them."

Weights = Literal["safetensors", "skops"]


@dataclass(frozen=True)
class Answer:
    """What the outputs of a model stand for.

    Attributes:
        kind: ``classes``; ``numbers``; or ``raw`` where only the user knows what they are.
        labels: of the classes, in the order of the outputs: text, whole numbers or booleans.
        scale: what numbers are to be multiplied by for the units of the targets; empty for 1.
        offset: what is to be added then; empty for 0.
        shape: of one target.
    """

    kind: Literal["classes", "numbers", "raw"]
    labels: tuple[Any, ...] = ()
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Description:
    """How a model was made and is to be used; the same for all models of a recipe.

    Attributes:
        question: the parts of the spec that say what was trained.
        kind: of the targets, as in `superconv_tune.problems.payload.DataCard`.
        metric: name of the metric.
        direction: ``max`` if a higher metric is better.
        answer: what the outputs stand for.
        reading: how the inputs were read.
        normaliser: of what is trained on, which is the inputs, or their features; None if that is not normalised.
        input_shape: of one input; empty where the user's own loaders read the data.
        input_type: number format of the inputs before normalisation; empty likewise.
        handling: how the model is run.
        precision: number format of the forward pass.
        has_own_loss: whether the loss is the user's.
        task: the user's factory of the task, with its text.
        network: the user's factory of the model, with its text.
        anatomy: where the network of that factory ends; None if nothing depends on it.
        recipe: the recipe that was trained: hyperparameters, peak learning rate, schedule.
        versions: of the packages that trained it.
        note: what to know before loading it; empty for nothing.
        backbone: the frozen network on whose features the head was trained; None if it was trained on the inputs.
    """

    question: Mapping[str, Any]
    kind: str
    metric: str
    direction: Direction
    answer: Answer
    reading: Reading
    normaliser: Normaliser | None
    input_shape: tuple[int, ...]
    input_type: str
    handling: Handling
    precision: Precision
    has_own_loss: bool
    task: Source | None
    network: Source | None
    anatomy: Anatomy | None
    recipe: Mapping[str, Any]
    versions: Mapping[str, str]
    note: str = ""
    backbone: Backbone | None = None

    @property
    def input_normaliser(self) -> Normaliser | None:
        """Of the inputs of the whole network; None if they are not normalised."""
        return self.backbone.normaliser if self.backbone else self.normaliser

    @property
    def keeps_input_type(self) -> bool:
        """Whether the whole network reads inputs in their own number format, and not as float32."""
        return self.backbone.as_given if self.backbone else self.handling.as_given


@dataclass(frozen=True)
class Member:
    """One trained model.

    Attributes:
        trial: id of the trial that trained it.
        seed: its seed.
        validation: metric on the validation part.
        test: metric on the test part.
        test_items: number of test items; 0 for a metric that is not a mean over items.
        weights: format of the file.
        file: name of the file with the weights.
        sha256: of that file.
        outputs: name of the file with the outputs and the targets of the test part; empty if they are not kept.
    """

    trial: str
    seed: int
    validation: float
    test: float
    test_items: int
    weights: Weights
    file: str
    sha256: str
    outputs: str = ""


@dataclass(frozen=True)
class Kept:
    """The content of model.json.

    Attributes:
        format: version of the file's layout.
        description: how the models were made and are to be used.
        members: the models; the first is the one that validated best.
        ensemble: all of them as one model; None for one alone, or where nothing is known of it.
    """

    format: int
    description: Description
    members: tuple[Member, ...]
    ensemble: Ensemble | None = None


def described(payload: Payload, precision: Precision, recipe: Mapping[str, Any]) -> Description:
    """The description of a model of a question.

    Args:
        payload: the question.
        precision: in which it is trained.
        recipe: hyperparameters, peak learning rate and schedule.
    """
    spec, arrays, backbone = payload.spec, payload.arrays, payload.backbone
    inputs = arrays.train.inputs if arrays else None
    of_arrays = (tuple(inputs.shape[1:]), inputs.dtype.name) if inputs is not None else ((), "")
    input_shape, input_type = (backbone.input_shape, backbone.input_type) if backbone else of_arrays
    values = spec.model_dump(mode="json")
    return Description(
        question={part: values[part] for part in QUESTION},
        kind=payload.kind,
        metric=spec.metric_name,
        direction=spec.direction,
        answer=_answer(payload),
        reading=payload.reading,
        normaliser=arrays.normaliser if arrays else None,
        input_shape=input_shape,
        input_type=input_type,
        handling=payload.run_as,
        precision=precision,
        has_own_loss=payload.has_own_loss,
        task=payload.task,
        network=payload.model,
        anatomy=payload.anatomy,
        recipe=recipe,
        versions={package: found for package in PACKAGES if (found := package_version(package)) is not None},
        note=RUNS_CODE if payload.task or payload.model else "",
        backbone=backbone,
    )


def question_of(description: Description) -> Payload:
    """The question without its data: what is needed to make a model of it."""
    answer, backbone, arrays = description.answer, description.backbone, None
    if description.input_type:
        of_inputs = (description.input_shape, description.input_type)
        shape, kind = ((backbone.width,), "float32") if backbone else of_inputs
        inputs = np.zeros((0, *shape), kind)
        part = Part(inputs, np.zeros((0, *answer.shape)))
        arrays = Arrays(part, part, part, description.normaliser)
    return Payload(
        spec=ExperimentSpec.model_validate(description.question),
        arrays=arrays,
        kind=description.kind,
        classes=len(answer.labels) or None,
        task=description.task,
        model=description.network,
        optimizer=None,
        has_own_loss=description.has_own_loss,
        handling=description.handling,
        form=Scaled(np.array(answer.offset), np.array(answer.scale), as_float64=False) if answer.scale else AS_GIVEN,
        reading=description.reading,
        anatomy=description.anatomy,
        backbone=backbone,
    )


def read_index(folder: Path) -> Kept:
    """The models in a folder.

    Raises:
        UserError: if it holds none, or those of a later version.
    """
    place = folder / INDEX
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        is_known = content["format"] == FORMAT
        kept: Kept | None = decode(Kept, content) if is_known else None
    except OSError as error:
        raise UserError(f"{place} cannot be read ({error.strerror}). Name the folder `model` of a study.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{place} does not describe a model ({error}). Name the folder `model` of a study.") from error
    if kept is None:
        raise UserError(f"{place} is of format {content['format']}, and this version reads {FORMAT}. Install its own.")
    return kept


def as_json(value: object) -> bytes:
    """A dataclass as a file of strict JSON, with null for NaN and infinity."""
    return (json.dumps(_finite(encode(value)), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _finite(value: Any) -> Any:
    """Plain JSON, in which NaN and infinity are null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _answer(payload: Payload) -> Answer:
    form, arrays = payload.form, payload.arrays
    # Loaders whose numbers were standardised: of other targets only the user knows what the outputs are.
    if arrays is None and isinstance(form, Scaled):
        return Answer("numbers", (), *form.listed, np.shape(form.offset))
    if arrays is None or payload.kind not in ("classification", "regression"):
        return Answer("raw")
    if payload.kind == "classification":
        return Answer("classes", _labels(payload))
    shape = tuple(arrays.train.targets.shape[1:])
    if not isinstance(form, Scaled):
        return Answer("numbers", shape=shape)
    return Answer("numbers", (), *form.listed, shape)


def _labels(payload: Payload) -> tuple[Any, ...]:
    """The labels of the classes, as the user gave them; names that are all whole numbers are these numbers."""
    if isinstance(payload.form, Labelled):
        return tuple(payload.form.values.tolist())
    names = payload.class_names or tuple(map(str, range(payload.classes or 0)))
    return tuple(map(int, names)) if all(map(_is_whole, names)) else names


def _is_whole(name: str) -> bool:
    return name.removeprefix("-").isdecimal() and str(int(name)) == name
