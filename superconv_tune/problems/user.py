"""A user's own problem: one Python file with one function.

The function is named in the spec as ``task: {factory: "my_problem.py:task", args: {...}}`` (or ``module:function``), is
called with ``args``, and returns a `Task`. It runs once on every worker, from the file's text as it was when the search
began, so it has to be deterministic: the same data in the same order. Modules that it imports from its own folder are
sent with it, if each is one file.

A part (``train``, ``validation``, ``test``) is one of

* a pair ``(inputs, targets)`` of tensors or numpy arrays: the quick way, kept on the device;
* a ``torch.utils.data.Dataset`` of pairs ``(input, target)``, which has to fit into memory. It is read once into such a
  pair; if its items differ when they are read twice, as with random transforms, training reads them anew every epoch;
* a `Loader`: a function of batch size and seed that makes a ``DataLoader``, for data that do not fit, and for inputs,
  targets or outputs that are several tensors (dicts, tuples).

``validation`` and ``test`` may be left out for the first two: the spec's ``split`` takes them from ``train`` then.
Targets are classes (whole numbers or booleans), numbers (floats), or several whole numbers per item, such as a class
per pixel, with a loss and a metric of your own. ``model`` makes a fresh ``nn.Module``; its random choices have to come
from torch's global generator, so that the trial's seed decides them. Without it, and without a ``model`` in the spec,
the shape of the inputs decides.

What your own model, loss and metric get is what you gave, in its shape: whole numbers are int64 and other numbers
float32 (float64 for a model in double precision), labels keep their values. With a built-in loss, numbers to predict
are standardised for it if their scale is far from 1, and metrics get them in your units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from superconv_tune.core.errors import UserError, raise_any
from superconv_tune.data.groups import Codes, coded
from superconv_tune.data.nested import count, pair
from superconv_tune.data.parts import exact
from superconv_tune.problems.problem import Metric
from superconv_tune.problems.source import describe_error, first_line
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.training.randomness import isolated, seed_all

CPU = torch.device("cpu")
READ_TWICE = 64  # items: of a transform that changes one in ten, hardly a search in a thousand sees nothing

Array = NDArray[Any]


@dataclass(frozen=True)
class Loader:
    """A part that is too large for memory.

    Attributes:
        make: takes batch size and seed, and returns the batches of one epoch, such as a DataLoader; for training it has
            to shuffle by the seed and to drop the last, incomplete batch.
        examples: number of examples in one epoch.
    """

    make: Callable[[int, int], Iterable[tuple[Any, Any]]]
    examples: int


Part = tuple[Any, Any] | Dataset[Any] | Loader


@dataclass(frozen=True)
class Task:
    """What a user's factory returns; see the docstring of this module.

    Attributes:
        train: the part to train on.
        model: makes a fresh model; None for the spec's ``model``, or for one that suits the shape of the inputs.
        validation: the part that the search is judged by; None to split it off ``train``.
        test: the part that is read once; None to split it off ``train``.
        metric: your own, which the spec has to name too: ``metric: {name: mine, direction: min}``; None for the spec's.
        loss: takes outputs and targets, and returns the mean loss of the batch; None for the spec's.
        select: which of several outputs of the model is the one, by key, attribute or index, such as ``logits``; None
            to take what the model gives.
        groups: for each item of ``train``, what it belongs to, such as the number of a patient: items of one group stay
            on one side of the split, and errors count groups. For parts that are not split off, a mapping of such
            arrays by part (``{"train": …, "test": …}``). None if every item stands for itself.
    """

    train: Part
    model: Callable[[], nn.Module] | None = None
    validation: Part | None = None
    test: Part | None = None
    metric: Metric | None = None
    loss: Callable[[Any, Any], Tensor] | None = None
    select: str | int | None = None
    groups: Any = None


def task_faults(task: Task, spec: ExperimentSpec) -> list[str]:
    """One message for each wrong attribute of a task; the data themselves are checked when they are read."""
    faults = []
    if task.model is not None and (isinstance(task.model, nn.Module) or not callable(task.model)):
        faults.append(
            f"task: model is {_shown(task.model)}, but has to be a function that makes a fresh nn.Module each time: "
            f"model=Net and not model=Net()."
        )
    if task.model is not None and (spec.model is not None or spec.families):
        faults.append("model: the spec names one, and the task brings one too. Keep one of them.")
    if task.loss is not None and not callable(task.loss):
        faults.append(f"task: loss is {_shown(task.loss)}, but has to be a function of outputs and targets.")
    if task.metric is not None and not isinstance(task.metric, Metric):
        faults.append(f"task: metric is {_shown(task.metric)}. Return a superconv_tune.problems.problem.Metric.")
    parts = {name: getattr(task, name) for name in ("train", "validation", "test")}
    if task.groups is not None and any(isinstance(part, Loader) for part in parts.values()):
        faults.append("task: groups are of parts that are split here, and not of a Loader. Leave them out.")
    for name, part in parts.items():
        if isinstance(part, Loader) and not (isinstance(part.examples, int) and part.examples > 0):
            faults.append(
                f"task: examples of the loader of {name} is a whole number of 1 or more, but got {part.examples!r}."
            )
    return faults


def plain(metric: Metric) -> Metric:
    """The user's metric with a plain number for its value, as every record needs it; a tensor of one will do.

    Its value raises a UserError if it is no number.
    """

    def compute(outputs: Any, targets: Any) -> float:
        value: Any = metric.compute(outputs, targets)
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UserError(
                f"metric {metric.name}: did not return a number ({first_line(error)}). Return a float, or a tensor of "
                f"one value."
            ) from error

    return replace(metric, compute=compute)


def arrays(part: Part, what: str) -> tuple[Array, Array]:
    """Inputs [n, ...] and targets [n, ...] of a part that fits into memory, in the shape that the user gave them.

    Targets are int64 if they were whole numbers, bool if they were booleans, else float32, or float64 where float32
    would blur them.

    Raises:
        UserError: if the part is not of a known type, is not numeric, or inputs and targets differ in number.
    """
    if isinstance(part, Dataset):
        part = _read(part, what)
    if not isinstance(part, tuple) or len(part) != 2:
        raise UserError(
            f"task: {what} is a {type(part).__name__}. Return a pair (inputs, targets), a torch Dataset or a Loader."
        )
    try:
        inputs, targets = _inputs(part[0]), _targets(part[1])
    except (TypeError, ValueError) as error:
        raise UserError(
            f"task: {what} cannot be made into arrays of numbers: {first_line(error)}. "
            f"Return one row per item, all of one shape."
        ) from error
    if len(inputs) != len(targets):
        raise UserError(f"task: {what} has {len(inputs)} inputs, but {len(targets)} targets.")
    return inputs, targets


def groups_of(task: Task, lengths: Mapping[str, int]) -> dict[str, Codes]:
    """The number of the group of each item, by part; empty if the task names no groups.

    Args:
        task: the user's task.
        lengths: number of items of each part.

    Raises:
        UserError: if the groups are not one for each item, or are none.
    """
    if task.groups is None:
        return {}
    given = task.groups if isinstance(task.groups, Mapping) else {"train": task.groups}
    faults = [
        f"task: groups has {part!r}, which is no part with items. Parts: {', '.join(lengths)}."
        for part in given
        if part not in lengths
    ]
    names = {part: _array(values) for part, values in given.items()}
    faults += [
        f"task: groups of {part} have the shape {values.shape}, but it has {lengths[part]} items. Give one for each."
        for part, values in names.items()
        if part in lengths and values.shape != (lengths[part],)
    ]
    faults += [
        f"task: some groups of {part} are missing ({values[_is_missing(values)][0]}). Give one for each item."
        for part, values in names.items()
        if _is_missing(values).any()
    ]
    raise_any([*faults, *(["task: groups are missing for train."] if "train" not in given else [])])
    return coded({part: values.tolist() for part, values in names.items()}, "the task")


def _is_missing(values: Array) -> NDArray[np.bool_]:
    """For each value, whether it is None or not a number, which is not equal to itself."""
    return np.array([value is None or value != value for value in values.ravel().tolist()], np.bool_)


def differs(part: Part) -> bool:
    """Whether a Dataset gives other items when it is read a second time, as random transforms make it.

    Some items are read twice, with generators in other states. A fault in them is left to `arrays` to report.
    """
    if not isinstance(part, Dataset):
        return False
    try:
        rows = np.unique(np.linspace(0, len(part) - 1, READ_TWICE).astype(int))  # type: ignore[arg-type]
        once, twice = (_stacked(part, rows, seed) for seed in (1, 2))
        pairs = zip(once, twice, strict=True)
        return not all(np.array_equal(one, other, equal_nan=one.dtype.kind == "f") for one, other in pairs)
    except Exception:  # noqa: BLE001 - a user's Dataset may do anything
        return False


def read_items(dataset: Dataset[Any], rows: Iterable[int], seed: int) -> tuple[Array, Array]:
    """Inputs and targets of some items, with all generators seeded; the caller's are left as they were."""
    inputs, targets = _stacked(dataset, rows, seed)
    return _inputs(inputs), _targets(targets)


def first_batch(loader: Loader, what: str) -> tuple[Any, Any]:
    """The first batch, of one item, to see its shape.

    Raises:
        UserError: if the user's function fails, or does not yield a pair of tensors, or of structures of them.
    """
    try:
        inputs, targets = pair(next(iter(loader.make(1, 0))))
    except StopIteration as error:
        raise UserError(
            f"task: the loader of {what} is empty, but {loader.examples} examples are announced."
        ) from error
    except Exception as error:
        raise UserError(f"task: the loader of {what} cannot be read: {describe_error(error)}.") from error
    try:
        count(inputs), count(targets)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"task: the loader of {what} does not yield pairs of tensors (inputs, targets), or of dicts or tuples of "
            f"tensors: {error}."
        ) from error
    return inputs, targets


def _shown(value: object) -> str:
    return f"a {type(value).__name__}"


def _read(dataset: Dataset[Any], what: str) -> tuple[Any, Any]:
    try:
        return _stacked(dataset, range(len(dataset)), seed=0)  # type: ignore[arg-type]  # none has it: a TypeError
    except Exception as error:
        raise UserError(
            f"task: {what} cannot be read: {describe_error(error)}. A Dataset has a length above 0 and gives pairs "
            f"(input, target) of one shape."
        ) from error


def _stacked(dataset: Dataset[Any], rows: Iterable[int], seed: int) -> tuple[Array, Array]:
    with isolated(CPU):
        seed_all(seed)
        pairs = [pair(dataset[int(row)]) for row in rows]
    inputs, targets = (np.stack([_array(each[column]) for each in pairs]) for column in (0, 1))
    return inputs, targets


def _array(values: Any) -> Array:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _inputs(values: Any) -> Array:
    array = _array(values)
    if array.ndim == 0:
        raise ValueError("the inputs are a single value")
    if array.dtype == np.uint8 and array.ndim > 1:  # images are normalised on the device, at a quarter of the memory
        return array
    return array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)


def _targets(values: Any) -> Array:
    array = _array(values)
    if array.ndim == 0:
        raise ValueError("the targets are a single value")
    if array.dtype.kind == "b":
        return array
    return array.astype(np.int64) if array.dtype.kind in "iu" else exact(array)
