"""What is sent to the workers, and how they make a `Problem` of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.lazy import LazyFunction
from superconv_tune.data.batches import (
    Batch,
    LoaderFactory,
    LoaderSet,
    LoaderSource,
    ResidentSet,
    ResidentSource,
    as_tensor,
)
from superconv_tune.data.nested import joined, pair
from superconv_tune.data.normalise import Normaliser, normalised
from superconv_tune.data.parts import Indices, Part, Rows
from superconv_tune.data.reading import AS_THEY_ARE, Reading
from superconv_tune.measures.loss_functions import LossFunction, loss_of
from superconv_tune.measures.losses import LOSSES
from superconv_tune.measures.metrics import METRICS
from superconv_tune.models.make import make
from superconv_tune.models.pretrained import Anatomy
from superconv_tune.problems.features import Assembled, Backbone, frozen
from superconv_tune.problems.fit import loss_name
from superconv_tune.problems.guess import chance_loss, constant_guess, own_value_of, value_of
from superconv_tune.problems.handling import Handling
from superconv_tune.problems.live import LiveSource
from superconv_tune.problems.networks import Network
from superconv_tune.problems.optimizers import OPTIMIZERS, param_groups, unscaled
from superconv_tune.problems.problem import BatchSource, EvaluationSet, Metric, Problem
from superconv_tune.problems.select import selecting
from superconv_tune.problems.source import Source, call, describe_error
from superconv_tune.problems.targets import AS_GIVEN, Form, Scaled
from superconv_tune.problems.user import Loader, Task, plain, task_faults
from superconv_tune.spec.spec import ExperimentSpec

Array = NDArray[Any]

FITTER = LazyFunction("superconv_tune.problems.fitted:Fitter")  # scikit-learn, which a network does not need


@dataclass(frozen=True)
class DataCard:
    """Description of the data, for the record.

    Attributes:
        kind: ``classification``, ``regression``, ``structured`` (whole numbers, but not one class per item) or
            ``loader`` (the user's own DataLoaders).
        classes: number of classes; None if there are none, or if it is not known.
        class_names: in the order of the classes; empty if they have no names.
        class_counts: number of training examples of every class.
        input_shape: shape of one example.
        train_items: number of training examples.
        validation_items: number of validation examples.
        test_items: number of test examples.
        fingerprint: SHA-256 of all values; of the factory's text for the user's own loaders.
        split_digest: SHA-256 of the rows of the split; empty if the user's own loaders read the data.
        notes: how the data were read, in sentences.
        warnings: what in the data weakens the result, in sentences.
        test_digest: SHA-256 of which items the test part has; of the factory's text for the user's own loaders, and
            empty in the journals of earlier versions.
        train_groups: number of groups that the training examples belong to; 0 if each stands for itself.
        validation_groups: the same of the validation part.
        test_groups: the same of the test part.
    """

    kind: str
    classes: int | None
    class_names: tuple[str, ...]
    class_counts: tuple[int, ...]
    input_shape: tuple[int, ...]
    train_items: int
    validation_items: int
    test_items: int
    fingerprint: str
    split_digest: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    test_digest: str = ""
    train_groups: int = 0
    validation_groups: int = 0
    test_groups: int = 0

    @property
    def test_part(self) -> str:
        """Digest by which the looks at the test part are counted."""
        return self.test_digest or self.fingerprint


@dataclass(frozen=True)
class Arrays:
    """The three parts as arrays, which the workers of a node share."""

    train: Part
    validation: Part
    test: Part
    normaliser: Normaliser | None


@dataclass(frozen=True)
class Payload:
    """Everything a worker needs to make the problem.

    Attributes:
        spec: the user's spec, completed with the model that was chosen for the data.
        arrays: the data; None if the user's loaders read them.
        kind: as in `DataCard`.
        classes: as in `DataCard`.
        task: the user's factory, its text included; None for built-in data.
        model: the user's factory of the model; None for a built-in one.
        optimizer: the user's factory of the optimizer; None for a built-in one.
        has_own_loss: whether the task brings its own loss.
        form: how batches hold the targets.
        handling: how the user's model is run, as a rehearsal found; None before it.
        live_rows: items of the task's Dataset that are trained on, which are read when they are needed; None to train
            on the arrays.
        families: the same question with each of the families that compete, by name; empty for a single network.
        anatomy: where the network of the user's factory ends; None if the spec says nothing that depends on it.
        backbone: the frozen network whose features the arrays are; None if they are the inputs.
        reading: how the inputs were read.
        class_names: as in `DataCard`.
    """

    spec: ExperimentSpec
    arrays: Arrays | None
    kind: str
    classes: int | None
    task: Source | None
    model: Source | None
    optimizer: Source | None
    has_own_loss: bool = False
    form: Form = AS_GIVEN
    handling: Handling | None = None
    live_rows: Indices | None = None
    families: Mapping[str, Payload] = field(default_factory=dict)
    anatomy: Anatomy | None = None
    backbone: Backbone | None = None
    reading: Reading = AS_THEY_ARE
    class_names: tuple[str, ...] = ()

    def of(self, family: str) -> Payload:
        """The question with one of its families; empty for the first network, or the only model."""
        return self.families[family] if family else self.first

    @property
    def first(self) -> Payload:
        """The question with its first network; with its first family if none is a network."""
        every = list(self.families.values())
        return next((each for each in every if not each.is_fitted), every[0] if every else self)

    @property
    def is_fitted(self) -> bool:
        """Whether the model is fitted, and not trained in cycles."""
        return self.spec.model is not None and self.spec.model.is_fitted

    @property
    def has_own_model(self) -> bool:
        """Whether the model is the user's, and not a built-in one."""
        return self.spec.model is None or self.spec.model.factory is not None

    @property
    def run_as(self) -> Handling:
        """How the model is run; as what is usual for its kind before a rehearsal found more."""
        return self.handling or Handling(channels_last=not self.has_own_model)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The user's files."""
        models = [each.model for each in self.families.values()]
        return tuple(filter(None, (self.task, self.model, *models, self.optimizer)))


def portable(payload: Payload) -> Payload:
    """A copy with memory-mapped arrays inlined, for workers on other machines."""
    found: dict[int, Array] = {}  # one array for all parts of all families that share it, so that it is sent once

    def inlined(part: Part) -> Part:
        if not isinstance(part.inputs, Rows):
            return part
        base = found.setdefault(id(part.inputs.base), np.asarray(part.inputs.base))
        return replace(part, inputs=replace(part.inputs, base=base))

    def with_parts(of: Payload) -> Payload:
        if of.arrays is None:
            return of
        train, validation, test = map(inlined, (of.arrays.train, of.arrays.validation, of.arrays.test))
        return replace(of, arrays=Arrays(train, validation, test, of.arrays.normaliser))

    families = {name: with_parts(each) for name, each in payload.families.items()}
    return replace(with_parts(payload), families=families)


class Problems:
    """The problems of all families of a question on one device, each made when it is first asked for."""

    def __init__(self, payload: Payload, device: torch.device) -> None:
        self._payload = payload
        self._device = device
        self._made: dict[str, Problem] = {}

    def of(self, family: str) -> Problem:
        """The problem with this family; empty for the first network, or the only model."""
        if family not in self._made:
            self._made[family] = realise(self._payload.of(family), self._device)
        return self._made[family]


def realise(payload: Payload, device: torch.device) -> Problem:
    """The problem on a device; with several families that of the first network.

    Raises:
        UserError: if a factory, the model or the metric does not fit the data.
    """
    payload = payload.first
    spec = payload.spec
    task = task_of(spec, payload.task) if payload.task else None
    train, validation, test = _parts(payload, task, device)
    own = plain(task.metric) if task and task.metric else None
    metric = payload.form.metric(own or METRICS[spec.metric_name], is_own=own is not None)
    loss, targets = _loss(payload, task, device), _targets(validation)
    return Problem(
        device=device,
        make_model=network(payload, task),
        make_optimizer=_optimizer(payload),
        loss=loss,
        metric=metric,
        train=train,
        plain_train=_plain(train),
        validation=validation,
        test=test,
        trivial_value=_trivial(payload, metric, targets, is_own=own is not None),
        chance_loss=chance_loss(loss, targets, outputs_per_item(payload)),
        handling=payload.run_as,
        has_own_loss=payload.has_own_loss,
        fitter=FITTER(payload) if payload.is_fitted else None,
        validation_groups=payload.arrays.validation.groups if payload.arrays else None,
        test_groups=payload.arrays.test.groups if payload.arrays else None,
    )


def outputs_per_item(payload: Payload) -> int | None:
    """Number of outputs per item that the loss needs; None if the user's loaders or loss decide it."""
    if payload.arrays is None or payload.has_own_loss or payload.kind == "structured":
        return None
    return _wanted_outputs(payload, payload.arrays)


def is_standardised(payload: Payload) -> bool:
    """Whether numbers to predict are standardised for the loss, if their scale asks for it: one of ours takes them."""
    return (
        payload.kind in ("regression", "loader")
        and not payload.has_own_loss
        and LOSSES[loss_name(payload.spec, payload.kind)].regression
    )


def task_of(spec: ExperimentSpec, source: Source) -> Task:
    """The task that the user's factory returns.

    Raises:
        UserError: if the factory fails, does not return a task, or returns one that does not fit the spec.
    """
    assert spec.task is not None
    task = call(source, spec.task.args)
    if not isinstance(task, Task):
        raise UserError(f"task.factory: {spec.task.factory} returned {_shown(task)}. Return a Task.")
    raise_any(task_faults(task, spec))
    return task


def _shown(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _parts(
    payload: Payload, task: Task | None, device: torch.device
) -> tuple[BatchSource, EvaluationSet, EvaluationSet]:
    if payload.arrays is None:
        assert task is not None
        loaders = [part for part in (task.train, task.validation, task.test) if isinstance(part, Loader)]
        return (
            LoaderSource(_made(loaders[0], payload.form), loaders[0].examples, device),
            LoaderSet(_made(loaders[1], payload.form), loaders[1].examples, device),
            LoaderSet(_made(loaders[2], payload.form), loaders[2].examples, device),
        )
    arrays_ = payload.arrays
    augment = (payload.spec.data.augment if payload.spec.data and not payload.backbone else None) or ()
    if augment and arrays_.train.inputs.ndim != 4:
        shape = list(arrays_.train.inputs.shape[1:])
        raise UserError(f"data.augment: {', '.join(augment)} are for images, but the inputs have the shape {shape}.")
    read = {"normaliser": arrays_.normaliser, "as_given": payload.run_as.as_given}
    train, validation, test = (
        _on(part, payload.form, device) | read for part in (arrays_.train, arrays_.validation, arrays_.test)
    )
    source = _live(payload, task, device) or ResidentSource(**train, augmentations=tuple(augment))
    larger = enlargement(payload)
    return source, ResidentSet(**validation, enlargement=larger), ResidentSet(**test, enlargement=larger)


def enlargement(payload: Payload) -> float:
    """How many times as many values the network sees of an image as are stored."""
    size = payload.spec.model.size if payload.spec.model else None
    shape = payload.arrays.train.inputs.shape if payload.arrays else ()
    return 1.0 if size is None or len(shape) != 4 else max(1.0, size**2 / math.prod(shape[2:]))


def _made(loader: Loader, form: Form) -> LoaderFactory:
    """The user's batches; only numbers that are standardised for the loss are changed."""
    if not isinstance(form, Scaled):
        return loader.make
    return lambda size, seed: ((inputs, form.read(targets)) for inputs, targets in map(pair, loader.make(size, seed)))


def _live(payload: Payload, task: Task | None, device: torch.device) -> LiveSource | None:
    """Batches from the task's Dataset; None if it was read into arrays once and for all."""
    if payload.live_rows is None or task is None or payload.arrays is None:
        return None
    assert isinstance(task.train, Dataset)
    as_given, normaliser = payload.run_as.as_given, payload.arrays.normaliser

    def made(inputs: Array, targets: Array) -> Batch:
        read = torch.from_numpy(inputs)
        if not as_given:
            read = normalised(read, *normaliser.on(read.device)) if normaliser else read.float()
        return read, payload.form.read(torch.from_numpy(targets))

    return LiveSource(task.train, as_tensor(payload.live_rows, torch.device("cpu")), device, made)


def _plain(train: BatchSource) -> BatchSource | None:
    if isinstance(train, ResidentSource) and train.augmentations:
        return replace(train, augmentations=())
    return None


def _on(part: Part, form: Form, device: torch.device) -> dict[str, Any]:
    """The part as tensors: on the CPU the memory that all workers share; elsewhere a copy of the part's own rows."""
    inputs, targets = part.inputs, form.batched(as_tensor(part.targets, device))
    if not isinstance(inputs, Rows):
        return {"inputs": as_tensor(inputs, device), "targets": targets}
    if device.type == "cpu":
        return {"inputs": as_tensor(inputs.base, device), "targets": targets, "rows": as_tensor(inputs.rows, device)}
    return {"inputs": as_tensor(inputs[:], device), "targets": targets}


def network_of(payload: Payload, task: Task | None = None) -> Network:
    """The network of the user's factory."""
    wanted = payload.spec.model
    assert payload.model is not None
    assert wanted is not None
    select = task.select if task and task.select is not None else wanted.select
    return Network(payload.model, wanted, select, payload.anatomy, outputs_per_item(payload))


def assembled(payload: Payload, head: nn.Module, task: Task | None = None) -> Assembled:
    """The network with a head that was trained on its features, for inputs that ``payload.backbone`` normalises.

    It seeds the global generators: see `superconv_tune.training.randomness.isolated`.
    """
    assert payload.arrays is not None
    return Assembled(frozen(network_of(payload, task)), payload.arrays.normaliser, head)


def network(payload: Payload, task: Task | None) -> Callable[[], nn.Module]:
    """Makes a fresh model of the question; of the arrays only the shapes count."""
    if task is not None and task.model is not None:
        return selecting(task.model, task.select)
    wanted = payload.spec.model
    assert wanted is not None
    if wanted.is_fitted:
        return _no_network
    if payload.model is not None:
        network = network_of(payload, task)
        return partial(network.head_alone, payload.backbone.width) if payload.backbone else network.whole
    assert payload.arrays is not None
    assert wanted.name is not None
    shape = payload.arrays.train.inputs.shape[1:]
    outputs = _wanted_outputs(payload, payload.arrays)
    sized = {} if wanted.width is None else {"width": wanted.width}
    return partial(make, wanted.name, shape, outputs, **sized, **wanted.args)


def _no_network() -> nn.Module:
    raise TypeError("A family that is fitted has no network to train.")


def _wanted_outputs(payload: Payload, arrays_: Arrays) -> int:
    return payload.classes or int(np.prod(arrays_.train.targets.shape[1:]))


def _optimizer(payload: Payload) -> Callable[[nn.Module, Hyperparameters], torch.optim.Optimizer]:
    wanted = payload.spec.optimizer
    scales = network_of(payload).scales if payload.model is not None and payload.backbone is None else unscaled
    if payload.optimizer is not None:
        source = payload.optimizer
        return lambda model, params: call(
            source, {"params": param_groups(model, params.weight_decay, scales(model)), **wanted.args}
        )
    if wanted.name == "sgd":
        return partial(OPTIMIZERS["sgd"], nesterov=wanted.nesterov, scales=scales)
    return partial(OPTIMIZERS[wanted.name], scales=scales)


def _loss(payload: Payload, task: Task | None, device: torch.device) -> LossFunction:
    if task is not None and task.loss is not None:
        own = task.loss
        return lambda outputs, targets, _smoothing: own(outputs, targets)
    targets = payload.arrays.train.targets if payload.arrays else None
    return payload.form.loss(loss_of(loss_name(payload.spec, payload.kind), payload.classes, targets, device), device)


def _targets(validation: EvaluationSet) -> Any:
    """All targets of the validation part, read once.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        return joined([targets for _, targets in validation.batches()])
    except Exception as error:
        raise UserError(f"task: the validation part cannot be read: {describe_error(error)}.") from error


def _trivial(payload: Payload, metric: Metric, targets: Any, *, is_own: bool) -> float:
    """The metric of a constant guess, where such a guess has a meaning; else of the untrained model, or NaN.

    Raises:
        UserError: if a built-in metric has no value for that guess.
    """
    is_known = not (is_own and payload.has_own_loss)  # or else only the user knows what outputs are
    read = targets if payload.kind != "classification" else _numbers(payload, targets)
    guess = constant_guess(read, payload.classes) if is_known else None
    if guess is not None and not is_own:
        return value_of(metric, guess, targets)
    own = own_value_of(metric, guess, targets) if guess is not None else None
    if own is not None:
        return own
    found = payload.run_as.untrained
    return math.nan if found is None else found


def _numbers(payload: Payload, targets: Tensor) -> Tensor:
    assert payload.arrays is not None
    return as_tensor(payload.arrays.validation.targets, targets.device)
