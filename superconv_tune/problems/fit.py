"""Checks that data, metric and loss fit together, before a search trains without an error but to no purpose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from superconv_tune.data.formats import FORMATS
from superconv_tune.data.parts import MIN_EXAMPLES, Part, RawData
from superconv_tune.measures.losses import BALANCED, LOSSES
from superconv_tune.measures.metrics import METRICS, TOP
from superconv_tune.problems.user import Task
from superconv_tune.spec.spec import ExperimentSpec


def faults(spec: ExperimentSpec, task: Task | None, raw: RawData | None) -> list[str]:
    """One message for everything that does not fit.

    Args:
        spec: what the user asks for.
        task: the result of the user's factory; None for built-in data.
        raw: the data; None if the user's loaders read them.
    """
    found = [*_metric_faults(spec, task), *_loss_faults(spec, task, raw)]
    found += _augment_faults(spec)
    if raw is not None:
        found += [*_structure_faults(spec, task, raw), *_kind_faults(spec, raw), *_byte_faults(spec, raw)]
    if raw is not None and task is not None:  # built-in formats look at their values when they read them
        parts = {"train": raw.train, "validation": raw.validation, "test": raw.test}
        found += [
            fault for name, part in parts.items() if part is not None for fault in _part_faults(name, part, raw.train)
        ]
        found += _train_faults(raw.train)
    return found


def loss_name(spec: ExperimentSpec, kind: str) -> str:
    """The loss that the spec names; ``auto`` follows from the kind of the targets."""
    if spec.loss != "auto":
        return spec.loss
    return "mse" if kind == "regression" else "cross_entropy"


def _metric_faults(spec: ExperimentSpec, task: Task | None) -> list[str]:
    """Faults of the metric. The planner uses the spec's and the worker the task's, so both have to be the same."""
    asked, own = spec.metric, task.metric if task else None
    if own is None:
        missing = (
            f"metric: {asked.name!r} is not built in, and the task brings none. Return it: Task(…, metric=Metric(…))."
        )
        return [] if asked.name in METRICS else [missing]
    if (own.name, own.direction, own.item_level) == (asked.name, asked.direction, asked.item_level):
        return []
    shown = f"{{name: {own.name}, direction: {own.direction}, item_level: {str(own.item_level).lower()}}}"
    fix = "Give it a name of its own" if own.name in METRICS else f"Write in the spec: metric: {shown}"
    return [
        f"metric: the spec asks for {asked.name} ({asked.direction}), but the task brings {shown}. {fix}, or leave it "
        f"out of the Task for the spec's."
    ]


def several_labels(metric: str, shape: Sequence[int]) -> str:
    """Why a built-in metric does not fit targets of several whole numbers per item."""
    return (
        f"metric: {metric} counts one class per item, but a target has the shape {list(shape)}. Bring your own: "
        f"Task(…, metric=Metric('mine', 'max', 0.0, 1.0, function)), and in the spec `metric: {{name: mine, direction: "
        f"max}}`."
    )


def _structure_faults(spec: ExperimentSpec, task: Task | None, raw: RawData) -> list[str]:
    """Faults of targets that are not one class per item; loss, metric and model have to be the user's then."""
    if raw.kind != "structured":
        return []
    shape = raw.train.targets.shape[1:]
    found = [several_labels(spec.metric_name, shape)] if spec.metric_name in METRICS else []
    if spec.loss == "auto" and (task is None or task.loss is None):
        found.append(
            f"loss: a target has the shape {list(shape)}, so that no loss follows from it. Bring your own, Task(…, "
            f"loss=function), or name one in the spec: `loss: cross_entropy` for a class at every place, `loss: bce` "
            f"for several labels."
        )
    if spec.model is not None and spec.model.name is not None:
        found.append(
            f"model: {spec.model.name} gives one row of outputs per item, but a target has the shape {list(shape)}. "
            f"Bring your own: Task(…, model=Net)."
        )
    return found


def _kind_faults(spec: ExperimentSpec, raw: RawData) -> list[str]:
    known = METRICS.get(spec.metric_name)
    if known is None or raw.kind == "structured":
        return []
    if known.regression != (raw.kind == "regression"):
        targets = "numbers" if raw.kind == "regression" else f"{raw.classes} classes"
        fitting = ", ".join(name for name, each in METRICS.items() if each.regression != known.regression)
        fault = f"metric: {spec.metric_name} does not fit targets that are {targets}. Choose {fitting}"
        return [f"{fault}{_or_else(spec, wants_numbers=known.regression)}."]
    if spec.metric_name == "top5_accuracy" and raw.classes is not None and raw.classes <= TOP:
        return [f"metric: top5_accuracy of {raw.classes} classes is 1 whatever the model says. Choose accuracy."]
    return []


def _or_else(spec: ExperimentSpec, *, wants_numbers: bool) -> str:
    """How the user says that the targets are of the other kind; empty if the format of the data leaves no choice."""
    if spec.data is None:
        return f"; or give the targets as {'floats' if wants_numbers else 'whole numbers'}, if that is what they are"
    if not FORMATS[spec.data.format].has_kind:
        return ""
    kind, meaning = ("regression", "numbers to predict") if wants_numbers else ("classification", "classes")
    return f"; or say in `data` that they are {meaning}, if they are: `args: {{kind: {kind}}}`"


def _loss_faults(spec: ExperimentSpec, task: Task | None, raw: RawData | None) -> list[str]:
    name = loss_name(spec, raw.kind if raw else "loader")
    smooths = spec.space.label_smoothing != 0.0
    if task is not None and task.loss is not None:
        found = [
            "space.label_smoothing: the task brings its own loss, which takes no smoothing. Leave it out."
        ] * smooths
        return found + ["loss: the spec names one, and the task brings one too. Keep one."] * (spec.loss != "auto")
    if smooths and LOSSES[name].regression:
        return [f"space.label_smoothing: {name} has no labels to smooth. Leave it out."]
    if name == BALANCED and (raw is None or raw.classes is None):
        return ["loss: balanced_cross_entropy needs to know how frequent every class is. Choose cross_entropy."]
    return []


def _augment_faults(spec: ExperimentSpec) -> list[str]:
    if spec.space.augment == 1 or (spec.data and spec.data.augment):
        return []
    return ["space.augment: no augmentations are named. Add data.augment, such as [flip, shift], or leave it out."]


def _byte_faults(spec: ExperimentSpec, raw: RawData) -> list[str]:
    """Faults of inputs that are not bytes; the model of bytes would accept -0.3 as a character without an error."""
    inputs = np.asarray(raw.train.inputs) if raw.train.inputs.ndim == 2 else np.empty(0)  # a row of bytes each
    is_text = spec.model is not None and spec.model.name == "text_bytes"
    if (
        not is_text
        or not inputs.size
        or (inputs.min() >= 0 and inputs.max() <= 255 and (inputs == inputs.round()).all())
    ):
        return []
    return [
        "model text_bytes reads bytes, whole numbers from 0 to 255, but the inputs are others. Take mlp for numbers."
    ]


def _train_faults(train: Part) -> list[str]:
    if 0 < len(train) < MIN_EXAMPLES:
        return [f"task: train has {len(train)} items, but at least {MIN_EXAMPLES} are needed to split and evaluate."]
    if len(train) and (train.targets == train.targets[:1]).all():
        return ["task: all targets of train are the same, so nothing can be learned. Check them."]
    return []


def _part_faults(name: str, part: Part, train: Part) -> list[str]:
    found = [
        f"task: the {what} of {name} have {int((~np.isfinite(values)).sum())} values that are NaN or infinite. "
        f"Remove or replace them."
        for what, values in (("inputs", part.inputs), ("targets", part.targets))
        if not np.isfinite(values).all()
    ]
    found += [
        f"task: one of the {what} of {name} has the shape {values.shape[1:]}, but of train {wanted.shape[1:]}. Give "
        f"both the same."
        for what, values, wanted in (
            ("inputs", part.inputs, train.inputs),
            ("targets", part.targets, train.targets),
        )
        if values.shape[1:] != wanted.shape[1:]
    ]
    if part.targets.dtype.kind != train.targets.dtype.kind:
        kinds = ["numbers" if each.targets.dtype.kind == "f" else "classes" for each in (part, train)]
        found.append(f"task: the targets of {name} are {kinds[0]}, but those of train {kinds[1]}. Give both the same.")
    return found if len(part) else [f"task: {name} is empty. Leave it out, or give it items."]
