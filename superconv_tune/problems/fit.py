"""Whether data, metric and loss go together: what would train without a word and mean nothing is found before."""

from __future__ import annotations

import numpy as np

from superconv_tune.data.parts import Part, RawData
from superconv_tune.problems.metrics import METRICS, TOP
from superconv_tune.problems.user import Task
from superconv_tune.spec.names import METRIC_FACTS
from superconv_tune.spec.spec import ExperimentSpec


def faults(spec: ExperimentSpec, task: Task | None, raw: RawData | None) -> list[str]:
    """One message for everything that does not fit.

    Args:
        spec: the question.
        task: what the user's factory returned; None for built-in data.
        raw: the data; None where the user's loaders read them.
    """
    found = [*_metric_faults(spec, task), *_smoothing_faults(spec, task, raw)]
    if raw is not None:
        found += _kind_faults(spec, raw)
    if raw is not None and task is not None:  # built-in formats look at their values when they read them
        found += [fault for part in (raw.train, raw.test) if part is not None for fault in _value_faults(part)]
        if (raw.train.targets == raw.train.targets[:1]).all():
            found.append("task: all targets of train are the same, so that nothing can be learned. Check them.")
    return found


def loss_name(spec: ExperimentSpec, kind: str) -> str:
    """The loss that the spec names; ``auto`` follows from the kind of the targets."""
    if spec.loss != "auto":
        return spec.loss
    return "mse" if kind == "regression" else "cross_entropy"


def _metric_faults(spec: ExperimentSpec, task: Task | None) -> list[str]:
    """The planner steers by the spec and the worker measures by the task, so both have to mean the same."""
    asked, own = spec.metric, task.metric if task else None
    if own is None:
        missing = (
            f"metric: {asked.name!r} is not built in, and the task brings none. Return it: Task(…, metric=Metric(…))."
        )
        return [] if asked.name in METRICS else [missing]
    if (own.name, own.direction, own.correct is not None) == (asked.name, asked.direction, asked.item_level):
        return []
    shown = f"{{name: {own.name}, direction: {own.direction}, item_level: {str(own.correct is not None).lower()}}}"
    mend = "Give it a name of its own" if own.name in METRIC_FACTS else f"Write in the spec: metric: {shown}"
    return [
        f"metric: the spec asks for {asked.name} ({asked.direction}), but the task brings {shown}. {mend}, or leave it "
        f"out of the Task for the spec's."
    ]


def _kind_faults(spec: ExperimentSpec, raw: RawData) -> list[str]:
    facts = METRIC_FACTS.get(spec.metric_name)
    if facts is None:
        return []
    if facts.regression != (raw.kind == "regression"):
        came = "numbers" if raw.kind == "regression" else f"{raw.classes} classes"
        fitting = ", ".join(name for name, each in METRIC_FACTS.items() if each.regression != facts.regression)
        return [
            f"metric: {spec.metric_name} does not go with targets that are {came}. Choose {fitting}; or give the "
            f"targets as {'floats' if facts.regression else 'whole numbers'}, if that is what they are."
        ]
    if spec.metric_name == "top5_accuracy" and raw.classes is not None and raw.classes <= TOP:
        return [f"metric: top5_accuracy of {raw.classes} classes is 1 whatever the model says. Choose accuracy."]
    return []


def _smoothing_faults(spec: ExperimentSpec, task: Task | None, raw: RawData | None) -> list[str]:
    if spec.space.label_smoothing == 0.0:
        return []
    if task is not None and task.loss is not None:
        return ["space.label_smoothing: the task brings its own loss, which takes no smoothing. Leave it out."]
    if loss_name(spec, raw.kind if raw else "loader") == "mse":
        return ["space.label_smoothing: mse has no labels to smooth. Leave it out."]
    return []


def _value_faults(part: Part) -> list[str]:
    return [
        f"task: the {name} have {int((~np.isfinite(values)).sum())} values that are NaN or infinite. Clean them before."
        for name, values in (("inputs", part.inputs), ("targets", part.targets))
        if not np.isfinite(values).all()
    ]
