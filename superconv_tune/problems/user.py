"""A user's own problem: one Python file with one function.

The function is named in the spec as ``task: {factory: "my_problem.py:task", args: {...}}`` (or ``module:function``), is
called with ``args``, and returns a `Task`. It runs once on every worker, from the file's text as it was when the search
began, so it has to be deterministic: the same data in the same order. Modules that it imports from its own folder are
sent with it, if each is one file.

A part (``train``, ``validation``, ``test``) is one of

* a pair ``(inputs, targets)`` of tensors or numpy arrays: the quick way, kept on the device;
* a ``torch.utils.data.Dataset`` of pairs ``(input, target)``: read once into such a pair, so it has to fit into memory;
* a `Loader`: a function of batch size and seed that makes a ``DataLoader``, for data that do not fit.

``validation`` and ``test`` may be left out for the first two: the spec's ``split`` takes them from ``train`` then.
Targets are classes (whole numbers or booleans) or numbers (floats). ``model`` makes a fresh ``nn.Module``; its random
choices have to come from torch's global generator, so that the trial's seed decides them. Without it, and without a
``model`` in the spec, the shape of the inputs decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from superconv_tune.core.errors import UserError
from superconv_tune.problems.problem import Metric
from superconv_tune.problems.source import first_line
from superconv_tune.spec.spec import ExperimentSpec

Array = NDArray[Any]


@dataclass(frozen=True)
class Loader:
    """A part that is too large for memory.

    Attributes:
        make: takes batch size and seed, and returns the batches of one epoch, such as a DataLoader; for training it has
            to shuffle by the seed and to drop the last, incomplete batch.
        examples: number of examples in one epoch.
    """

    make: Callable[[int, int], Iterable[tuple[Tensor, Tensor]]]
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
    """

    train: Part
    model: Callable[[], nn.Module] | None = None
    validation: Part | None = None
    test: Part | None = None
    metric: Metric | None = None
    loss: Callable[[Tensor, Tensor], Tensor] | None = None


def task_faults(task: Task, spec: ExperimentSpec) -> list[str]:
    """One message for each wrong attribute of a task; the data themselves are checked when they are read."""
    faults = []
    if task.model is not None and (isinstance(task.model, nn.Module) or not callable(task.model)):
        faults.append(
            f"task: model is {_shown(task.model)}, but has to be a function that makes a fresh nn.Module each time: "
            f"model=Net and not model=Net()."
        )
    if task.model is not None and spec.model is not None:
        faults.append("model: the spec names one, and the task brings one too. Keep one of them.")
    if task.loss is not None and not callable(task.loss):
        faults.append(f"task: loss is {_shown(task.loss)}, but has to be a function of outputs and targets.")
    if task.metric is not None and not isinstance(task.metric, Metric):
        faults.append(f"task: metric is {_shown(task.metric)}. Return a superconv_tune.problems.problem.Metric.")
    for name in ("train", "validation", "test"):
        part = getattr(task, name)
        if isinstance(part, Loader) and not (isinstance(part.examples, int) and part.examples > 0):
            faults.append(
                f"task: examples of the loader of {name} is a whole number of 1 or more, but got {part.examples!r}."
            )
    return faults


def arrays(part: Part, what: str) -> tuple[Array, Array]:
    """Inputs [n, ...] and targets [n] or, for several numbers per item, [n, k] of a part that fits into memory.

    Targets are int64 classes if they were whole numbers or booleans, else float32.

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


def first_batch(loader: Loader, what: str) -> tuple[Tensor, Tensor]:
    """The first batch, of one item, to see its shape.

    Raises:
        UserError: if the user's function fails, or does not yield a pair of tensors.
    """
    try:
        inputs, targets = next(iter(loader.make(1, 0)))
    except StopIteration as error:
        raise UserError(
            f"task: the loader of {what} is empty, but {loader.examples} examples are announced."
        ) from error
    except Exception as error:
        raise UserError(f"task: the loader of {what} cannot be read: {first_line(error)}.") from error
    if not (isinstance(inputs, Tensor) and isinstance(targets, Tensor)):
        raise UserError(f"task: the loader of {what} does not yield pairs of tensors (inputs, targets).")
    return inputs, targets


def _shown(value: object) -> str:
    return f"a {type(value).__name__}"


def _read(dataset: Dataset[Any], what: str) -> tuple[Any, Any]:
    try:
        pairs = [dataset[index] for index in range(len(dataset))]  # type: ignore[arg-type]  # none has it: a TypeError
        columns = [np.stack([_array(pair[column]) for pair in pairs]) for column in (0, 1)]
    except Exception as error:
        raise UserError(
            f"task: {what} cannot be read: {first_line(error)}. A Dataset has a length above 0 and gives pairs "
            f"(input, target) of one shape."
        ) from error
    return columns[0], columns[1]


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
    flat = array.reshape(len(array)) if array.shape[1:] == (1,) else array
    if flat.dtype.kind not in "biu":
        return flat.astype(np.float32)
    if flat.ndim > 1:
        raise ValueError(f"whole-number targets are one class per item, but have the shape {flat.shape}")
    return flat.astype(np.int64)
