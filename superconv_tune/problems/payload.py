"""What is sent to the workers, and how they make a `Problem` of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import LoaderSet, LoaderSource, ResidentSet, ResidentSource, as_tensor
from superconv_tune.data.normalise import Normaliser
from superconv_tune.data.parts import Part, Rows
from superconv_tune.measures.loss_functions import LossFunction, loss_of
from superconv_tune.measures.metrics import METRICS
from superconv_tune.models.make import make
from superconv_tune.problems.fit import loss_name
from superconv_tune.problems.optimizers import OPTIMIZERS, param_groups
from superconv_tune.problems.problem import BatchSource, EvaluationSet, Metric, Problem
from superconv_tune.problems.source import Source, call, describe_error
from superconv_tune.problems.user import Loader, Task, task_faults
from superconv_tune.spec.spec import ExperimentSpec


@dataclass(frozen=True)
class DataCard:
    """Description of the data, for the record.

    Attributes:
        kind: ``classification``, ``regression`` or ``loader`` (the user's own DataLoaders).
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
    """

    spec: ExperimentSpec
    arrays: Arrays | None
    kind: str
    classes: int | None
    task: Source | None
    model: Source | None
    optimizer: Source | None
    has_own_loss: bool = False


def portable(payload: Payload) -> Payload:
    """A copy with memory-mapped arrays inlined, for workers on other machines."""
    if payload.arrays is None or not isinstance(payload.arrays.train.inputs, Rows):
        return payload
    base = np.asarray(payload.arrays.train.inputs.base)  # one array for all parts, so that it is sent once

    def inlined(part: Part) -> Part:
        assert isinstance(part.inputs, Rows)
        return replace(part, inputs=replace(part.inputs, base=base))

    parts = payload.arrays
    arrays = Arrays(inlined(parts.train), inlined(parts.validation), inlined(parts.test), parts.normaliser)
    return replace(payload, arrays=arrays)


def realise(payload: Payload, device: torch.device) -> Problem:
    """The problem on a device.

    Raises:
        UserError: if a factory, the model or the metric does not fit the data.
    """
    spec = payload.spec
    task = task_of(spec, payload.task) if payload.task else None
    train, validation, test = _parts(payload, task, device)
    metric = task.metric if task and task.metric else METRICS[spec.metric_name]
    loss, targets = _loss(payload, task, device), _targets(validation)
    return Problem(
        name=spec.name,
        device=device,
        make_model=_model(payload, task),
        make_optimizer=_optimizer(payload),
        loss=loss,
        metric=metric,
        train=train,
        plain_train=_plain(train),
        validation=validation,
        test=test,
        trivial_value=_trivial(metric, targets, payload.classes),
        chance_loss=_chance_loss(loss, targets, outputs_per_item(payload)),
    )


def outputs_per_item(payload: Payload) -> int | None:
    """Number of outputs per item that the loss needs; None if the user's loaders or loss decide it."""
    if payload.arrays is None or payload.has_own_loss:
        return None
    return _wanted_outputs(payload, payload.arrays)


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
        parts = [part for part in (task.train, task.validation, task.test) if isinstance(part, Loader)]
        train, validation, test = parts
        return (
            LoaderSource(train.make, train.examples, device),
            LoaderSet(validation.make, validation.examples, device),
            LoaderSet(test.make, test.examples, device),
        )
    arrays_ = payload.arrays
    augment = (payload.spec.data.augment if payload.spec.data else None) or ()
    if augment and arrays_.train.inputs.ndim != 4:
        shape = list(arrays_.train.inputs.shape[1:])
        raise UserError(f"data.augment: {', '.join(augment)} are for images, but the inputs have the shape {shape}.")
    return (
        ResidentSource(**_on(arrays_.train, device), normaliser=arrays_.normaliser, augmentations=tuple(augment)),
        ResidentSet(**_on(arrays_.validation, device), normaliser=arrays_.normaliser),
        ResidentSet(**_on(arrays_.test, device), normaliser=arrays_.normaliser),
    )


def _plain(train: BatchSource) -> BatchSource | None:
    if isinstance(train, ResidentSource) and train.augmentations:
        return replace(train, augmentations=())
    return None


def _on(part: Part, device: torch.device) -> dict[str, Tensor]:
    """The part as tensors: on the CPU the memory that all workers share; elsewhere a copy of the part's own rows."""
    inputs, targets = part.inputs, as_tensor(part.targets, device)
    if not isinstance(inputs, Rows):
        return {"inputs": as_tensor(inputs, device), "targets": targets}
    if device.type == "cpu":
        return {"inputs": as_tensor(inputs.base, device), "targets": targets, "rows": as_tensor(inputs.rows, device)}
    return {"inputs": as_tensor(inputs[:], device), "targets": targets}


def _model(payload: Payload, task: Task | None) -> Callable[[], nn.Module]:
    if task is not None and task.model is not None:
        return task.model
    wanted = payload.spec.model
    assert wanted is not None
    if payload.model is not None:
        return partial(call, payload.model, wanted.args)
    assert payload.arrays is not None
    assert wanted.name is not None
    shape = payload.arrays.train.inputs.shape[1:]
    outputs = _wanted_outputs(payload, payload.arrays)
    sized = {} if wanted.width is None else {"width": wanted.width}
    return partial(make, wanted.name, shape, outputs, **sized, **wanted.args)


def _wanted_outputs(payload: Payload, arrays_: Arrays) -> int:
    return payload.classes or int(np.prod(arrays_.train.targets.shape[1:]))


def _optimizer(payload: Payload) -> Callable[[nn.Module, Hyperparameters], torch.optim.Optimizer]:
    wanted = payload.spec.optimizer
    if payload.optimizer is not None:
        source = payload.optimizer
        return lambda model, params: call(source, {"params": param_groups(model, params.weight_decay), **wanted.args})
    if wanted.name == "sgd":
        return partial(OPTIMIZERS["sgd"], nesterov=wanted.nesterov)
    return OPTIMIZERS[wanted.name]


def _loss(payload: Payload, task: Task | None, device: torch.device) -> LossFunction:
    if task is not None and task.loss is not None:
        own = task.loss
        return lambda outputs, targets, _smoothing: own(outputs, targets)
    targets = payload.arrays.train.targets if payload.arrays else None
    return loss_of(loss_name(payload.spec, payload.kind), payload.classes, targets, device)


def _chance_loss(loss: LossFunction, targets: Tensor, outputs: int | None) -> float:
    """The loss of equal logits, or of a prediction of 0; infinity if the meaning of the outputs is not known."""
    if outputs is None:
        return math.inf
    return float(loss(torch.zeros(len(targets), outputs, device=targets.device), targets, 0.0))


def _targets(validation: EvaluationSet) -> Tensor:
    """All targets of the validation part, read once.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        return torch.cat([targets for _, targets in validation.batches()])
    except Exception as error:
        raise UserError(f"task: the validation part cannot be read: {describe_error(error)}.") from error


def _trivial(metric: Metric, targets: Tensor, classes: int | None) -> float:
    """The metric of a constant guess: the class frequencies of the validation part, or its mean.

    Raises:
        UserError: if the metric has no value for that guess.
    """
    try:
        value = float(metric.compute(_constant_guess(targets, classes), targets))
    except Exception as error:
        raise UserError(f"metric {metric.name} of a constant guess failed: {describe_error(error)}.") from error
    if not math.isfinite(value):
        raise UserError(
            f"metric: {metric.name} has no value on these validation data: for a constant guess it is {value}. Are "
            f"their targets all the same? Give others, or choose another metric."
        )
    return value


def _constant_guess(targets: Tensor, classes: int | None) -> Tensor:
    if targets.is_floating_point():
        return targets.mean(dim=0, keepdim=True).expand_as(targets).contiguous()
    counts = torch.bincount(targets.reshape(-1), minlength=classes or 2)
    return counts.float().expand(len(targets), -1)
