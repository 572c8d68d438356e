"""A user's own question: one Python file with one function.

The function is named in the spec as ``task: {factory: "my_problem.py:task", args: {...}}`` (or ``module:function``), is
called with ``args``, and returns a `Task`. It runs once on every worker, from the file's text as it was when the search
began, so it has to be deterministic: the same data in the same order.

A part (``train``, ``validation``, ``test``) is one of

* a pair ``(inputs, targets)`` of tensors or numpy arrays: the quick way, kept on the device;
* a ``torch.utils.data.Dataset`` of pairs ``(input, target)``: read once into such a pair, so it has to fit into memory;
* a `Loader`: a function of batch size and seed that makes a ``DataLoader``, for data that do not fit.

``validation`` and ``test`` may be left out for the first two: the spec's ``split`` takes them from ``train`` then.
Targets are class numbers (whole) or numbers (float). ``model`` makes a fresh ``nn.Module``; its random choices have to
come from torch's global generator, so that the trial's seed decides them.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import traceback
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from superconv_tune.core.errors import UserError
from superconv_tune.problems.problem import Metric


@dataclass(frozen=True)
class Loader:
    """A part that is too large for memory.

    Attributes:
        make: batch size and seed to the batches of one epoch, such as a DataLoader; training shuffles by the seed and
            drops the last, incomplete batch.
        examples: in one epoch.
    """

    make: Callable[[int, int], Iterable[tuple[Tensor, Tensor]]]
    examples: int


Part = tuple[Any, Any] | Dataset[Any] | Loader


@dataclass(frozen=True)
class Task:
    """What a user's factory returns; see the module's text.

    Attributes:
        train: what is trained on.
        model: makes a fresh model; None where the spec's ``model`` says it.
        validation: what the search looks at; None to split it off ``train``.
        test: what is read once; None to split it off ``train``.
        metric: of your own; None for the spec's.
        loss: outputs and targets to the mean loss; None for the spec's.
    """

    train: Part
    model: Callable[[], nn.Module] | None = None
    validation: Part | None = None
    test: Part | None = None
    metric: Metric | None = None
    loss: Callable[[Tensor, Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Source:
    """Where a factory is: the text of a file, which travels, or an installed module.

    Attributes:
        function: name of the function.
        module: of an installed module; empty for a file.
        text: of the file; empty for a module.
        file: its path, for messages.
    """

    function: str
    module: str = ""
    text: str = ""
    file: str = ""


def locate(factory: str, folder: Path) -> Source:
    """The source behind ``file.py:function`` (relative to ``folder``) or ``module:function``.

    Raises:
        UserError: if the file is not there.
    """
    place, _, function = factory.rpartition(":")
    if not place.endswith(".py"):
        return Source(function, module=place)
    path = Path(place) if Path(place).is_absolute() else folder / place
    try:
        return Source(function, text=path.read_text(encoding="utf-8"), file=str(path))
    except OSError as error:
        raise UserError(f"factory: {factory!r}: the file {path} cannot be read ({error.strerror}).") from error


def call(source: Source, args: Mapping[str, Any]) -> Any:
    """Import the source and call its function.

    Raises:
        UserError: if either fails, with the error's last line and place.
    """
    try:
        module = _from_text(source) if source.text else importlib.import_module(source.module)
        function = getattr(module, source.function)
    except Exception as error:
        raise UserError(f"factory {_shown(source)} cannot be imported: {_last_line(error)}.") from error
    try:
        return function(**args)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"factory {_shown(source)} failed: {_last_line(error)}.") from error


def arrays(part: Part, what: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Inputs and targets of a part that fits into memory.

    Raises:
        UserError: if the part is of no known kind, or inputs and targets differ in number.
    """
    if isinstance(part, Dataset):
        part = _read(part, what)
    if not isinstance(part, tuple) or len(part) != 2:
        raise UserError(
            f"task: {what} is a {type(part).__name__}. Return a pair (inputs, targets), a torch Dataset or a Loader."
        )
    inputs, targets = (_array(values) for values in part)
    if len(inputs) != len(targets):
        raise UserError(f"task: {what} has {len(inputs)} inputs, but {len(targets)} targets.")
    return inputs, targets


def _read(dataset: Dataset[Any], what: str) -> tuple[Any, Any]:
    count = len(dataset)  # type: ignore[arg-type]  # a Dataset without a length ends in the user's TypeError
    if count == 0:
        raise UserError(f"task: {what} is empty.")
    pairs = [dataset[index] for index in range(count)]
    inputs = np.stack([_array(pair[0]) for pair in pairs])
    return inputs, np.stack([_array(pair[1]) for pair in pairs])


def _array(values: Any) -> np.ndarray[Any, Any]:
    array = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
    if array.dtype == np.uint8 and array.ndim > 1:
        return array
    if np.issubdtype(array.dtype, np.integer):
        return array.astype(np.int64)
    return array.astype(np.float32)


def _from_text(source: Source) -> types.ModuleType:
    """A module of its own for the file's text; kept in ``sys.modules`` so that what it defines can be pickled."""
    name = f"superconv_tune_user_{hashlib.sha256(source.text.encode()).hexdigest()[:16]}"
    if name not in sys.modules:
        module = types.ModuleType(name)
        module.__file__ = source.file
        sys.modules[name] = module
        try:
            exec(compile(source.text, source.file, "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _shown(source: Source) -> str:
    return f"{source.file or source.module}:{source.function}"


def _last_line(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({frame.filename}, line {frame.lineno})"
