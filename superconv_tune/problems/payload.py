"""A question on its way to the workers: prepared once by the driver, made into a `Problem` on every worker."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from superconv_tune.core.errors import UserError
from superconv_tune.core.trial import Hyperparameters
from superconv_tune.data.batches import LoaderSet, LoaderSource, ResidentSet, ResidentSource, as_tensor
from superconv_tune.data.doubts import doubts
from superconv_tune.data.formats import load
from superconv_tune.data.normalise import Normaliser
from superconv_tune.data.parts import Indices, Part, RawData, Rows, classified
from superconv_tune.data.split import Split, fingerprint, split
from superconv_tune.models.default import default_model
from superconv_tune.models.registry import make
from superconv_tune.problems.fit import faults, loss_name
from superconv_tune.problems.losses import Loss, loss_of
from superconv_tune.problems.metrics import METRICS
from superconv_tune.problems.optimizers import OPTIMIZERS, param_groups
from superconv_tune.problems.problem import BatchSource, EvaluationSet, Metric, Problem
from superconv_tune.problems.source import Source, call, locate, told
from superconv_tune.problems.user import Loader, Task, arrays, first_batch, task_faults
from superconv_tune.spec.spec import ExperimentSpec, ModelSpec

READS_BYTES = "text_bytes"  # the model whose inputs are no pixels, and are not to be scaled


DERIVES_SIZE = ("image_folder", "hf")  # formats whose images are scaled to one size


@dataclass(frozen=True)
class DataCard:
    """What the data are, for the record.

    Attributes:
        kind: ``classification``, ``regression`` or ``loader`` (the user's own DataLoaders).
        classes: how many; None where there are none, or where it is not known.
        class_names: in their order; empty where they have no names.
        class_counts: examples of every class in the training part.
        input_shape: of one example.
        train_items: examples that are trained on.
        validation_items: examples that the search looks at.
        test_items: examples that are read once.
        fingerprint: SHA-256 of all values; of the factory's text for the user's own loaders.
        split_digest: SHA-256 of the rows of the split; empty where the user's own loaders read the data.
        notes: how the data were read, in sentences.
        warnings: what in them makes an answer weaker, in sentences.
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
    """The three parts as arrays, which workers of a node share."""

    train: Part
    validation: Part
    test: Part
    normaliser: Normaliser | None


@dataclass(frozen=True)
class Payload:
    """All that a worker needs to make the problem.

    Attributes:
        spec: the question as the user wrote it, with the model that was chosen for it.
        arrays: the data; None where the user's loaders read them.
        kind: as in `DataCard`.
        classes: as in `DataCard`.
        task: the user's factory, its text included; None for built-in data.
        model: the user's factory of the model; None for a built-in one.
        optimizer: the user's factory of the optimizer; None for a built-in one.
        has_own_loss: the task brings the loss.
    """

    spec: ExperimentSpec
    arrays: Arrays | None
    kind: str
    classes: int | None
    task: Source | None
    model: Source | None
    optimizer: Source | None
    has_own_loss: bool = False


def prepare(spec: ExperimentSpec) -> tuple[Payload, DataCard]:
    """Read and split the data, once per search; the payload's spec names what the user's left to the data.

    Raises:
        UserError: if data or a factory do not work.
    """
    task_source = _source(spec.task.factory) if spec.task else None
    sources = {
        "task": task_source,
        "model": _source(spec.model.factory) if spec.model and spec.model.factory else None,
        "optimizer": _source(spec.optimizer.factory) if spec.optimizer.factory else None,
    }
    if task_source is None:
        assert spec.data is not None
        raw = load(spec.data.format, Path(spec.data.path) if spec.data.path else None, spec.data.args)
        spec = _with_model(_with_size(spec, raw), raw)
        _refuse(faults(spec, None, raw))
        return _prepared(spec, raw, sources)
    task = _task(spec, task_source)
    if any(isinstance(part, Loader) for part in (task.train, task.validation, task.test)):
        return _prepared_loaders(spec, task, task_source, sources)
    raw = _raw(task)
    spec = spec if task.model is not None else _with_model(spec, raw)
    _refuse(faults(spec, task, raw))
    payload, card = _prepared(spec, raw, sources)
    return replace(payload, has_own_loss=task.loss is not None), card


def portable(payload: Payload) -> Payload:
    """The same for a machine that has not this one's files: what lies in them travels as values."""
    if payload.arrays is None or not isinstance(payload.arrays.train.inputs, Rows):
        return payload
    base = np.asarray(payload.arrays.train.inputs.base)  # one for all parts, so that it travels once

    def moved(part: Part) -> Part:
        assert isinstance(part.inputs, Rows)
        return replace(part, inputs=replace(part.inputs, base=base))

    here = payload.arrays
    there = Arrays(moved(here.train), moved(here.validation), moved(here.test), here.normaliser)
    return replace(payload, arrays=there)


def realise(payload: Payload, device: torch.device) -> Problem:
    """The problem on a device.

    Raises:
        UserError: if a factory, the model or the metric does not fit the data.
    """
    spec = payload.spec
    task = _task(spec, payload.task) if payload.task else None
    train, validation, test = _parts(payload, task, device)
    metric = task.metric if task and task.metric else METRICS[spec.metric_name]
    loss, targets = _loss(payload, task), _targets(validation)
    return Problem(
        name=spec.name,
        device=device,
        make_model=_model(payload, task),
        make_optimizer=_optimizer(payload),
        loss=loss,
        metric=metric,
        train=train,
        validation=validation,
        test=test,
        trivial_value=_trivial(metric, targets, payload.classes),
        chance_loss=_chance_loss(loss, targets, outputs_per_item(payload)),
    )


def outputs_per_item(payload: Payload) -> int | None:
    """How many the loss asks of the model; None where the user's loaders or loss decide it."""
    if payload.arrays is None or payload.has_own_loss:
        return None
    return _wanted_outputs(payload, payload.arrays)


def _refuse(found: list[str]) -> None:
    if found:
        raise UserError(found)


def _source(factory: str) -> Source:
    return locate(factory, Path())


def _task(spec: ExperimentSpec, source: Source) -> Task:
    assert spec.task is not None
    task = call(source, spec.task.args)
    if not isinstance(task, Task):
        raise UserError(f"task.factory: {spec.task.factory} returned {_shown(task)}. Return a Task.")
    _refuse(task_faults(task, spec))
    return task


def _with_size(spec: ExperimentSpec, raw: RawData) -> ExperimentSpec:
    """The spec with the side of images that was derived, for another machine would derive another."""
    data = spec.data
    if data is None or data.format not in DERIVES_SIZE or data.args.get("size") or len(raw.train.inputs.shape) != 4:
        return spec
    args = {**data.args, "size": int(raw.train.inputs.shape[-1])}
    return spec.model_copy(update={"data": data.model_copy(update={"args": args})})


def _with_model(spec: ExperimentSpec, raw: RawData) -> ExperimentSpec:
    """The spec with the model that suits the shape of the data, where it names none."""
    if spec.model is not None:
        return spec
    is_text = any(column.kind == "text" for column in raw.columns)
    name, width = default_model(raw.train.inputs.shape[1:], "text" if is_text else raw.kind)
    return spec.model_copy(update={"model": ModelSpec(name=name, width=width)})


def _shown(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _raw(task: Task) -> RawData:
    """The user's arrays as data that were read."""
    train = Part(*arrays(task.train, "train"))
    test = Part(*arrays(task.test, "test")) if task.test is not None else None
    validation = Part(*arrays(task.validation, "validation")) if task.validation is not None else None
    if not np.issubdtype(train.targets.dtype, np.integer):
        return RawData(train, test, "regression", None, validation=validation)
    raw = classified(train, test)
    return replace(raw, validation=classified(train, validation).test) if validation is not None else raw


def _prepared(spec: ExperimentSpec, raw: RawData, sources: dict[str, Any]) -> tuple[Payload, DataCard]:
    rows = split(raw, spec.split.validation, spec.split.test, spec.split.seed)
    parts = {
        "training": raw.train.take(rows.train),
        "validation": _given(raw.validation, raw.train, rows.validation),
        "test": _given(raw.test, raw.train, rows.test),
    }
    train, validation, test = parts.values()
    counts = np.bincount(train.targets).tolist() if raw.classes else []
    card = DataCard(
        kind=raw.kind,
        classes=raw.classes,
        class_names=raw.class_names or (),
        class_counts=tuple(counts),
        input_shape=train.inputs.shape[1:],
        train_items=len(train),
        validation_items=len(validation),
        test_items=len(test),
        fingerprint=fingerprint(raw),
        split_digest=rows.digest,
        notes=raw.notes,
        warnings=(*raw.warnings, *doubts(parts, _names(raw, rows), _class_names(raw))),
    )
    normaliser = Normaliser.of(train.inputs, np.arange(len(train))) if _is_scaled(spec, raw) else None
    return Payload(spec, Arrays(train, validation, test, normaliser), raw.kind, raw.classes, **sources), card


def _given(part: Part | None, train: Part, rows: Indices | None) -> Part:
    """The part that the data came with, or the rows that were held out for it."""
    if part is not None:
        return part
    assert rows is not None
    return train.take(rows)


def _is_scaled(spec: ExperimentSpec, raw: RawData) -> bool:
    """Pixels and tables are; the bytes of a text, and the numbers of a user's own file, are taken as they are."""
    if spec.model is not None and spec.model.name == READS_BYTES:
        return False
    if spec.data is None:
        return raw.train.inputs.dtype == np.uint8
    return all(column.kind != "text" for column in raw.columns)


def _names(raw: RawData, rows: Split) -> dict[str, list[str]]:
    """What the examples of every part are called, after the split."""
    if not raw.names:
        return {}
    given = {"training": rows.train, "validation": rows.validation, "test": rows.test}
    return {
        part: [raw.names["train"][row] for row in chosen] if chosen is not None else list(raw.names[part])
        for part, chosen in given.items()
    }


def _class_names(raw: RawData) -> list[str] | None:
    if raw.classes is None:
        return None
    return list(raw.class_names or map(str, range(raw.classes)))


def _prepared_loaders(
    spec: ExperimentSpec, task: Task, source: Source, sources: dict[str, Any]
) -> tuple[Payload, DataCard]:
    parts = {"train": task.train, "validation": task.validation, "test": task.test}
    loaders = {name: part for name, part in parts.items() if isinstance(part, Loader)}
    if len(loaders) < 3:
        missing = ", ".join(sorted(set(parts) - set(loaders)))
        raise UserError(f"task: one part is a Loader, but {missing} is none. Loaders cannot be split; give all three.")
    if task.model is None and sources["model"] is None:
        raise UserError(
            "task: the shape of what loaders give is not known beforehand. Return the model in the Task too."
        )
    _refuse(faults(spec, task, None))
    inputs, _ = [first_batch(loader, name) for name, loader in loaders.items()][1]
    card = DataCard(
        kind="loader",
        classes=None,
        class_names=(),
        class_counts=(),
        input_shape=tuple(inputs.shape[1:]),
        train_items=loaders["train"].examples,
        validation_items=loaders["validation"].examples,
        test_items=loaders["test"].examples,
        fingerprint=source.digest,
        split_digest="",
    )
    return Payload(spec, None, "loader", None, **sources), card


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
    augment = payload.spec.data.augment if payload.spec.data else ()
    if augment and arrays_.train.inputs.ndim != 4:
        shape = list(arrays_.train.inputs.shape[1:])
        raise UserError(f"data.augment: {', '.join(augment)} are for images, but the inputs have the shape {shape}.")
    return (
        ResidentSource(**_on(arrays_.train, device), normaliser=arrays_.normaliser, augmentations=tuple(augment)),
        ResidentSet(**_on(arrays_.validation, device), normaliser=arrays_.normaliser),
        ResidentSet(**_on(arrays_.test, device), normaliser=arrays_.normaliser),
    )


def _on(part: Part, device: torch.device) -> dict[str, Tensor]:
    """On the CPU the very memory that all workers share; another device gets the rows of the part alone."""
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


def _loss(payload: Payload, task: Task | None) -> Loss:
    if task is not None and task.loss is not None:
        own = task.loss
        return lambda outputs, targets, _smoothing: own(outputs, targets)
    targets = payload.arrays.train.targets if payload.arrays else None
    return loss_of(loss_name(payload.spec, payload.kind), payload.classes, targets)


def _chance_loss(loss: Loss, targets: Tensor, outputs: int | None) -> float:
    """The loss of equal logits, or of a prediction of 0; infinity for a loss whose outputs may mean anything."""
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
        raise UserError(f"task: the validation part cannot be read: {told(error)}.") from error


def _trivial(metric: Metric, targets: Tensor, classes: int | None) -> float:
    """The metric of a constant guess that knows the validation part: its class frequencies, or its mean.

    Raises:
        UserError: if the metric has no value for it.
    """
    try:
        value = float(metric.compute(_constant_guess(targets, classes), targets))
    except Exception as error:
        raise UserError(f"metric {metric.name} of a constant guess failed: {told(error)}.") from error
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
