"""Reads and splits the data, once per search, in the driver; the readers of data are imported only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.doubts import doubts, torn_groups
from superconv_tune.data.formats import FORMATS, load
from superconv_tune.data.normalise import Normaliser
from superconv_tune.data.parts import Indices, Part, RawData
from superconv_tune.data.split import Split, fingerprint, items_digest, split
from superconv_tune.measures.metrics import METRICS
from superconv_tune.models.default import default_model
from superconv_tune.problems.examine import Looked, loader_faults, with_network
from superconv_tune.problems.fit import faults
from superconv_tune.problems.own_data import OwnData, own_data
from superconv_tune.problems.payload import Array, Arrays, DataCard, Payload, is_standardised, task_of
from superconv_tune.problems.source import Source, locate
from superconv_tune.problems.targets import AsGiven, Scaled, are_ordinary
from superconv_tune.problems.user import Loader, Task, first_batch
from superconv_tune.spec.spec import Augmentation, ExperimentSpec, MetricSpec, ModelSpec, named_families, of_family

OF_COLUMNS = "mlp"  # the model of rows of numbers, as a table has them
READS_BYTES = "text_bytes"  # the model whose inputs are bytes, and must not be normalised
OF_TEXTS = (
    "The forecast for longer cycles, and the word infeasible with it, rest on tasks of images, signals and tables; for "
    "texts that was not tested."
)
COLOURS = 3  # channels
AUGMENTED = (
    "Training images are flipped and shifted at random, and compared with trials without that; `augment: []` in the "
    "spec's data leaves it out."
)
OF_TABLES = tuple(map(ModelSpec.model_validate, ("trees", "linear")))  # beside a network, if no model is named
PHOTOGRAPHS: tuple[Augmentation, ...] = ("flip", "shift")  # what nearly always helps, and costs next to nothing
METRIC_OF_NUMBERS = "r2"  # the same for targets in any unit
DERIVES_SIZE = ("image_folder", "hf")  # formats whose images are scaled to one size


def prepare(spec: ExperimentSpec) -> tuple[Payload, DataCard]:
    """Read and split the data; the payload's spec names what the user's spec left open, such as the model.

    Raises:
        UserError: if the data or a factory do not work.
    """
    task_source = _source(spec.task.factory) if spec.task else None
    sources = {
        "task": task_source,
        "model": _source(spec.model.factory) if spec.model and spec.model.factory else None,
        "optimizer": _source(spec.optimizer.factory) if spec.optimizer.factory else None,
    }
    if task_source is None:
        assert spec.data is not None
        raw = _read(spec)
        spec, raw = _with_metric(_with_model(_with_size(spec, raw), raw), raw)
        spec, raw = _with_augmentation(spec, raw)
        raise_any(_faults(spec, None, raw))
        return _prepared(spec, raw, sources)
    task = task_of(spec, task_source)
    if any(isinstance(part, Loader) for part in (task.train, task.validation, task.test)):
        return _prepared_loaders(spec, task, task_source, sources)
    own = own_data(task)
    spec = spec if task.model is not None else _with_model(spec, own.raw)
    raise_any(_faults(spec, task, own.raw))
    return _prepared(spec, own.raw, sources, own)


def _faults(spec: ExperimentSpec, task: Task | None, raw: RawData) -> list[str]:
    """What does not fit, with each of the families."""
    specs = [of_family(spec, name) for name in named_families(spec)] or [spec]
    return list(dict.fromkeys(fault for each in specs for fault in faults(each, task, raw)))


def _with_families(payload: Payload, card: DataCard, looked: Looked | None) -> tuple[Payload, DataCard]:
    """The question, also with each of the families that compete, and what was found out about their networks."""
    families = {}
    for name, each in named_families(payload.spec).items():
        families[name], card = with_network(_of_family(payload, name, each), card, looked)
    payload, card = with_network(payload, card, looked)
    found = replace(payload, families=families)
    return replace(found, form=found.first.form), card


def _of_family(payload: Payload, name: str, family: ModelSpec) -> Payload:
    source = _source(family.factory) if family.factory else None
    found = replace(payload, spec=of_family(payload.spec, name), model=source)
    if family.name == READS_BYTES and found.arrays is not None:
        found = replace(found, arrays=replace(found.arrays, normaliser=None))
    if is_standardised(found) and not found.has_own_model and found.arrays is not None:
        found = replace(found, form=Scaled.of(found.arrays.train.targets))
    return found


def _source(factory: str) -> Source:
    return locate(factory, Path())


def _read(spec: ExperimentSpec) -> RawData:
    """The data; whole numbers are classes or numbers as a metric that is named needs, unless the spec says it."""
    assert spec.data is not None
    name, path, args = spec.data.format, Path(spec.data.path) if spec.data.path else None, _args(spec)
    raw = load(name, path, args)
    metric = METRICS.get(spec.metric_name) if "metric" in spec.model_fields_set else None
    is_said = args.get("kind", "auto") != "auto" or not FORMATS[name].has_kind
    if metric is None or is_said or not raw.may_be_either:
        return raw
    kind = "regression" if metric.regression else "classification"
    # Read twice, since only what was read shows that there is a choice: there is none for words, or for 0.5.
    return raw if kind == raw.kind else load(name, path, {**args, "kind": kind})


def _args(spec: ExperimentSpec) -> dict[str, Any]:
    """The options of the reader, and the groups; images whose size is derived may be as large as the network's."""
    assert spec.data is not None
    args = spec.data.args if spec.split.group is None else {**spec.data.args, "group": spec.split.group}
    derives = spec.data.format in DERIVES_SIZE and not spec.data.args.get("size")
    sizes = [model.size for model in spec.families or (spec.model,) if model is not None and model.size is not None]
    return {"largest": max(sizes), **args} if derives and sizes else args


def _with_size(spec: ExperimentSpec, raw: RawData) -> ExperimentSpec:
    """The spec with the derived size of images, because another machine might derive another size."""
    data = spec.data
    if data is None or data.format not in DERIVES_SIZE or data.args.get("size") or len(raw.train.inputs.shape) != 4:
        return spec
    args = {**data.args, "size": int(raw.train.inputs.shape[-1])}
    return spec.model_copy(update={"data": data.model_copy(update={"args": args})})


def _with_model(spec: ExperimentSpec, raw: RawData) -> ExperimentSpec:
    """The spec, with a model that suits the shape of the data if it names none."""
    if spec.model is not None or spec.families:
        return spec
    is_text = any(column.kind == "text" for column in raw.columns)
    name, width = default_model(raw.train.inputs.shape[1:], "text" if is_text else raw.kind)
    network = ModelSpec(name=name, width=width)
    if name != OF_COLUMNS or raw.kind == "structured" or spec.task is not None:
        return spec.model_copy(update={"model": network})
    return spec.model_copy(update={"families": (*OF_TABLES, network)})


def _with_metric(spec: ExperimentSpec, raw: RawData) -> tuple[ExperimentSpec, RawData]:
    """The spec, with a metric that fits numbers if it names neither metric nor target; and a note on that."""
    if raw.kind != "regression" or "metric" in spec.model_fields_set or spec.target is not None:
        return spec, raw
    note = f"The targets are numbers and no metric is named: {METRIC_OF_NUMBERS}."
    metric = MetricSpec.model_validate(METRIC_OF_NUMBERS)
    return spec.model_copy(update={"metric": metric}), replace(raw, notes=(*raw.notes, note))


def _with_augmentation(spec: ExperimentSpec, raw: RawData) -> tuple[ExperimentSpec, RawData]:
    """The spec, with augmentations that suit photographs if it says nothing, and a note on that.

    A folder of coloured images holds photographs, nearly always; whether their mirror images mean the same, the
    comparison with trials without augmentation shows.
    """
    data, shape = spec.data, raw.train.inputs.shape
    models = spec.families or (spec.model,)
    if data is not None and all(model is not None and model.has_features for model in models):
        space = spec.space.model_copy(update={"augment": 1})
        return spec.model_copy(update={"data": data.model_copy(update={"augment": ()}), "space": space}), raw
    if data is None or data.augment is not None:
        return spec, raw
    are_photographs = data.format in DERIVES_SIZE and len(shape) == 4 and shape[1] == COLOURS
    spec = spec.model_copy(update={"data": data.model_copy(update={"augment": PHOTOGRAPHS if are_photographs else ()})})
    if not are_photographs or "augment" in spec.space.model_fields_set:
        return spec, raw
    space = spec.space.model_copy(update={"augment": (1, 0)})
    return spec.model_copy(update={"space": space}), replace(raw, notes=(*raw.notes, AUGMENTED))


def _prepared(
    spec: ExperimentSpec, raw: RawData, sources: dict[str, Any], own: OwnData | None = None
) -> tuple[Payload, DataCard]:
    rows = split(raw, spec.split.validation, spec.split.test, spec.split.seed)
    parts = {
        "training": raw.train.take(rows.train),
        "validation": _given(raw.validation, raw.train, rows.validation),
        "test": _given(raw.test, raw.train, rows.test),
    }
    train, validation, test = parts.values()
    names = _names(raw, rows)
    alike = names if raw.train.groups is None else {}  # who gave groups has said what belongs together
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
        notes=(*raw.notes, *_groups_note(parts)),
        warnings=(*raw.warnings, *torn_groups(parts), *doubts(parts, alike, _class_names(raw)), *_unlike(spec)),
        test_digest=items_digest(raw, rows, test, names.get("test", ()), are_read=own is not None and own.tests_items),
        train_groups=train.number_of_groups,
        validation_groups=validation.number_of_groups,
        test_groups=test.number_of_groups,
    )
    normaliser = Normaliser.of(train.inputs, np.arange(len(train))) if _is_scaled(spec, raw) else None
    payload = Payload(spec, Arrays(train, validation, test, normaliser), raw.kind, raw.classes, **sources)
    payload = replace(payload, reading=raw.reading, class_names=card.class_names)
    if own is not None:
        live = rows.train if own.is_live else None
        payload = replace(payload, has_own_loss=own.has_loss, form=own.form, live_rows=live)
    if is_standardised(payload) and not payload.has_own_model:
        payload = replace(payload, form=Scaled.of(train.targets))
    return _with_families(payload, _with_scale(card, payload, train.targets), Looked(raw, rows))


def _unlike(spec: ExperimentSpec) -> list[str]:
    """What sets the built-in models apart from those that the verdict's forecast rests on; empty for nothing."""
    models = (spec.model, *named_families(spec).values())
    return [OF_TEXTS] if any(model is not None and model.name == READS_BYTES for model in models) else []


def _groups_note(parts: Mapping[str, Part]) -> list[str]:
    """How many groups are behind every part; empty if every example stands for itself."""
    numbers = {name: part.number_of_groups for name, part in parts.items() if part.groups is not None}
    words = ", ".join(f"{number:,} in the {name} part" for name, number in numbers.items())
    return [f"Groups that stay together: {words}."] if words else []


def _with_scale(card: DataCard, payload: Payload, targets: Array) -> DataCard:
    """The card, with what is to be said of the scale of numbers if networks do not reach it by themselves."""
    if payload.kind != "regression" or are_ordinary(targets):
        return card
    mean, spread = targets.mean(dtype=float), targets.std(dtype=float)
    found = f"the mean of the targets is {mean:.3g} and their standard deviation {spread:.3g}"
    if isinstance(payload.form, Scaled):
        note = f"{found}; the loss is of standardised ones, metrics are in their units."
        return replace(card, notes=(*card.notes, note))
    if not payload.has_own_loss:
        return card
    warning = (
        f"{found}, a scale that networks with the usual initial weights hardly reach, and the task's own loss gets "
        f"them as they are. Scale them in the task, or leave mse, l1 or huber to the spec, which scales inside."
    )
    return replace(card, warnings=(*card.warnings, warning))


def _given(part: Part | None, train: Part, rows: Indices | None) -> Part:
    """The part that the data came with, or the training rows held out for it."""
    if part is not None:
        return part
    assert rows is not None
    return train.take(rows)


def _is_scaled(spec: ExperimentSpec, raw: RawData) -> bool:
    """Whether inputs are normalised: pixels and tables are, text bytes and numbers of a user's own file are not."""
    if spec.model is not None and spec.model.name == READS_BYTES:
        return False
    if spec.data is None:
        return raw.train.inputs.dtype == np.uint8
    return all(column.kind != "text" for column in raw.columns)


def _names(raw: RawData, rows: Split) -> dict[str, list[str]]:
    """Names of the examples of every part, after the split."""
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
        raise UserError(f"task: one part is a Loader, but {missing} is not. Loaders cannot be split; give all three.")
    models = spec.families or (spec.model,)
    if task.model is None and any(each is None or each.factory is None for each in models):
        raise UserError(
            "task: the shape of what loaders yield is not known in advance. Return the model in the Task too."
        )
    raise_any([*faults(spec, task, None), *loader_faults(models)])
    inputs, _ = [first_batch(loader, name) for name, loader in loaders.items()][1]
    card = DataCard(
        kind="loader",
        classes=None,
        class_names=(),
        class_counts=(),
        input_shape=tuple(inputs.shape[1:]) if isinstance(inputs, Tensor) else (),
        train_items=loaders["train"].examples,
        validation_items=loaders["validation"].examples,
        test_items=loaders["test"].examples,
        fingerprint=source.digest,
        split_digest="",
        warnings=tuple(_unlike(spec)),
        test_digest=source.digest,
    )
    has_own_loss, form = task.loss is not None, AsGiven(may_be_columns=True)
    payload = Payload(spec, None, "loader", None, **sources, has_own_loss=has_own_loss, form=form)
    return _with_families(payload, card, None)
