"""Loads kept models, and predicts with them; neither Ray nor MLflow nor Optuna is imported for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from superconv_tune.core.errors import UserError
from superconv_tune.core.lazy import LazyFunction
from superconv_tune.data.batches import ResidentSet, as_tensor
from superconv_tune.data.inputs import Inputs, inputs_of
from superconv_tune.data.nested import count, shape_words
from superconv_tune.data.parts import Part
from superconv_tune.kept.answers import predictions, probabilities, together
from superconv_tune.kept.description import INDEX, Description, Member, question_of, read_index
from superconv_tune.kept.weights import estimators, fill
from superconv_tune.problems.features import Assembled, computed
from superconv_tune.problems.payload import assembled, enlargement, network, task_of
from superconv_tune.problems.source import first_line
from superconv_tune.training.evaluation import evaluate
from superconv_tune.training.loop import Runtime, supported
from superconv_tune.training.memory import device_for
from superconv_tune.training.randomness import isolated

FOLDER = "model"  # in the folder of a study
# scikit-learn takes a second to import, and most models are networks.
_fitted = LazyFunction("superconv_tune.problems.fitted:FittedModel")
_features = LazyFunction("superconv_tune.problems.fitted:features")


class Model(Protocol):
    """A trained model."""

    def outputs(self, values: Any) -> Any:
        """Its outputs for inputs [n, ...] before normalisation, as it gave them in training."""
        ...


@dataclass(frozen=True)
class Predictions:
    """What a model says of items.

    Attributes:
        items: name of every item: its file, or its number.
        values: predicted label of every item, or the numbers in the units of the targets.
        labels: of the classes, in the order of the probabilities; empty if there are no classes.
        probabilities: [n, classes]; None if there are no classes.
        left_out: files of a folder that are no images that can be read, each with the reason.
    """

    items: tuple[str, ...]
    values: Any
    labels: tuple[Any, ...]
    probabilities: NDArray[np.float64] | None
    left_out: Mapping[str, str]


class Predictor:
    """One model, or several that predict together.

    Items are what the search was given: a folder of images, image files, a table in a file or a DataFrame, or arrays in
    the shape of the data. Of a task of your own they are arrays as its Dataset gives them, or what its loaders give.

    Attributes:
        description: how the model was made, and how inputs are read.
        models: those that predict together.
    """

    def __init__(self, description: Description, models: Sequence[Model]) -> None:
        self.description = description
        self.models = tuple(models)

    @property
    def labels(self) -> tuple[Any, ...]:
        """The labels of the classes, in the order of the probabilities; empty if there are no classes."""
        return self.description.answer.labels

    def predict(self, items: Any) -> Any:
        """The label of every item, or the numbers in the units of the targets.

        A model whose outputs have a meaning that only you know gives them as they are.

        Raises:
            UserError: if the items cannot be read, or are not like those that the model was trained on.
        """
        return predictions(self._outputs(self._read(items).values), self.description.answer)

    def predict_proba(self, items: Any) -> NDArray[np.float64]:
        """Probability of every class, [n, classes], in the order of `labels`.

        Raises:
            UserError: likewise, or if there are no classes.
        """
        found: NDArray[np.float64] = probabilities(
            self._outputs(self._read(items).values), self.description.answer
        ).numpy(force=True)
        return found

    def predictions(self, items: Any) -> Predictions:
        """Both of them, with the names of the items.

        Raises:
            UserError: as `predict`.
        """
        read, answer = self._read(items), self.description.answer
        outputs = self._outputs(read.values)
        has_classes = answer.kind == "classes"
        return Predictions(
            items=read.items,
            values=predictions(outputs, answer),
            labels=self.labels,
            probabilities=probabilities(outputs, answer).numpy(force=True) if has_classes else None,
            left_out=read.left_out,
        )

    def _read(self, items: Any) -> Inputs:
        known = self.description
        if not known.input_type:  # only the user's loaders know what inputs are
            return Inputs(items, tuple(map(str, range(_rows(items)))))
        read = inputs_of(items, known.reading, known.input_shape, np.dtype(known.input_type))
        if not read.items:
            raise UserError("predict: there are no items.")
        return read

    def _outputs(self, values: Any) -> Any:
        return together([model.outputs(values) for model in self.models], self.description.answer)


def load(folder: str | Path, *, ensemble: bool = False, device: str | None = None) -> Predictor:
    """The model in a folder: ``runs/NAME``, or ``runs/NAME/model``.

    A model of your own code runs that code, whose text is in the folder, as every worker did. A task of your own is
    called too, because it brings the model, and reads its data again if it does that.

    Args:
        folder: the folder.
        ensemble: whether all kept models predict together; the one that validated best if not.
        device: such as ``cpu`` or ``cuda:1``; None for the first GPU if there is one.

    Raises:
        UserError: if the folder holds no model, it is damaged, its code no longer works, or the device cannot be used.
    """
    place = Path(folder)
    place = place if (place / INDEX).exists() else place / FOLDER
    if not place.exists() and Path(folder).is_dir():
        raise UserError(
            f"{folder} holds no model: no fresh one was trained to its end, none was to be kept (keep_models: 0), or "
            f"it is no folder of a study."
        )
    kept = read_index(place)
    members = kept.members if ensemble else kept.members[:1]
    if not members:
        raise UserError(f"{place / INDEX} names no model.")
    where = device_for(with_gpu=True) if device is None else _device(device)
    with isolated(where):
        return Predictor(kept.description, [_loaded(member, kept.description, place, where) for member in members])


def _rows(items: Any) -> int:
    """Number of items in what a user's loader would give as inputs."""
    try:
        return count(items)
    except ValueError as error:
        raise UserError(
            f"predict: this model reads the inputs of a batch as the loaders of its own task give them: a tensor, or a "
            f"dict or tuple of tensors; but got {shape_words(items)}. Use superconv_tune.load(…).predict(inputs)."
        ) from error


def _device(name: str) -> torch.device:
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # AssertionError: torch without that device
        raise UserError(
            f"device: {name!r} cannot be used here ({first_line(error)}). Name one such as cpu or cuda:1, or none."
        ) from error


@dataclass(frozen=True)
class Network:
    """A network on its device.

    Attributes:
        module: the network, from the inputs on.
        description: how it is run.
        runtime: its device, precision and memory format.
        enlargement: as in `superconv_tune.data.batches.ResidentSet`.
    """

    module: nn.Module
    description: Description
    runtime: Runtime
    enlargement: float = 1.0

    def outputs(self, values: Any) -> Any:
        """Its outputs for inputs [n, ...]; batch by batch as in training, so that they are the same to the last bit."""
        known, device, trained = self.description, self.runtime.device, self.module
        if not known.input_type:
            return evaluate(trained, [(values, torch.zeros(0))], self.runtime)[0]
        if known.backbone is not None:  # its features first, in their own batches and precision, as for training
            assert isinstance(trained, Assembled)
            part = Part(values, np.zeros(len(values)))
            values = np.concatenate(list(computed(part, trained.backbone, known.backbone, device)))
            trained = trained.head
        evaluated = ResidentSet(
            as_tensor(values, device),
            torch.zeros(len(values), device=device),
            known.normaliser,
            as_given=known.handling.as_given,
            enlargement=self.enlargement,
        )
        return evaluate(trained, evaluated.batches(), self.runtime)[0]


@dataclass(frozen=True)
class Fitted:
    """A fitted model of a family that is not trained in cycles.

    Attributes:
        model: a `superconv_tune.problems.fitted.FittedModel`.
    """

    model: Any

    def outputs(self, values: NDArray[Any]) -> Tensor:
        """Its outputs for inputs [n, ...], as the metric reads them."""
        rows = _features(Part(values, np.zeros(len(values))))
        found: Tensor = self.model.outputs_of(rows, torch.device("cpu"))
        return found


def _loaded(member: Member, description: Description, folder: Path, device: torch.device) -> Model:
    content = _content(folder / member.file, member.sha256)
    if member.weights == "skops":
        return Fitted(_fitted(estimators(content), is_whole=True, payload=question_of(description)))
    question = question_of(description)
    task = task_of(question.spec, question.task) if question.task else None
    module = network(question, task)()
    if question.backbone is not None:
        module = assembled(question, module, task)
    fill(module, content)
    runtime = description.handling.runtime(module, device, supported(description.precision, device))
    return Network(runtime.place(module).eval(), description, runtime, enlargement(question))


def _content(file: Path, sha256: str) -> bytes:
    """The weights in a file.

    Raises:
        UserError: if it is missing or damaged.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}). Copy the whole folder of the model.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"{file} is damaged: its content is not the one that {INDEX} names. Copy it again.")
    return content
