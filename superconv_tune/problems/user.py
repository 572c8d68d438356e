"""A user's own question: one Python file with one function.

The function is named in the spec as ``task: {factory: "my_problem.py:task", args: {...}}`` (or ``module:function``), is
called with ``args``, and returns a `Task`. It runs once on every worker, from the file's text as it was when the search
began, so it has to be deterministic: the same data in the same order.

A part (``train``, ``validation``, ``test``) is one of

* a pair ``(inputs, targets)`` of tensors or numpy arrays: the quick way, kept on the device;
* a ``torch.utils.data.Dataset`` of pairs ``(input, target)``: read once into such a pair, so it has to fit into memory;
* a `Loader`: a function of batch size and seed that makes a ``DataLoader``, for data that do not fit.

``validation`` and ``test`` may be left out for the first two: the spec's ``split`` takes them from ``train`` then.
Targets are classes (whole numbers or booleans) or numbers (floats). ``model`` makes a fresh ``nn.Module``; its random
choices have to come from torch's global generator, so that the trial's seed decides them.
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
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from superconv_tune.core.errors import UserError
from superconv_tune.problems.problem import Metric

Array = NDArray[Any]


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
        metric: of your own, which the spec names too: ``metric: {name: mine, direction: min}``; None for the spec's.
        loss: outputs and targets to the mean loss of the batch; None for the spec's.
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
        UserError: if the file cannot be read.
    """
    place, _, function = factory.rpartition(":")
    if not place.endswith(".py"):
        return Source(function, module=place)
    path = Path(place) if Path(place).is_absolute() else folder / place
    try:
        return Source(function, text=path.read_text(encoding="utf-8"), file=str(path))
    except OSError as error:
        raise UserError(f"factory: {factory!r}: the file {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UserError(f"factory: {factory!r}: the file {path} is no text in UTF-8 ({error.reason}).") from error


def call(source: Source, args: Mapping[str, Any]) -> Any:
    """Import the source and call its function.

    Raises:
        UserError: if either fails, with the error's first line and its place in the user's file.
    """
    try:
        module = _from_text(source) if source.file else importlib.import_module(source.module)
    except (Exception, SystemExit) as error:  # a script that ends itself must not end the search without a word
        raise UserError(f"factory {_shown(source)} cannot be imported: {_told(error, source)}.") from error
    function = getattr(module, source.function, None)
    if not callable(function):
        raise UserError(f"factory {_shown(source)}: it has no function {source.function!r}. {_functions(module)}")
    try:
        return function(**args)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"factory {_shown(source)} failed: {_told(error, source)}.") from error


def arrays(part: Part, what: str) -> tuple[Array, Array]:
    """Inputs [n, ...] and targets [n] or, for several numbers per item, [n, k] of a part that fits into memory.

    Targets are int64 classes where they came as whole numbers or booleans, else float32.

    Raises:
        UserError: if the part is of no known kind, is no numbers, or inputs and targets differ in number.
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
            f"task: {what} cannot be made into arrays of numbers: {_first_line(error)}. "
            f"Return one row per item, all of one shape."
        ) from error
    if len(inputs) != len(targets):
        raise UserError(f"task: {what} has {len(inputs)} inputs, but {len(targets)} targets.")
    return inputs, targets


def first_batch(loader: Loader, what: str) -> tuple[Tensor, Tensor]:
    """The first batch of one item, to see its shape.

    Raises:
        UserError: if the user's function fails, or gives no pair of tensors.
    """
    try:
        inputs, targets = next(iter(loader.make(1, 0)))
    except StopIteration as error:
        raise UserError(
            f"task: the loader of {what} is empty, but {loader.examples} examples are announced."
        ) from error
    except Exception as error:
        raise UserError(f"task: the loader of {what} cannot be read: {_first_line(error)}.") from error
    if not (isinstance(inputs, Tensor) and isinstance(targets, Tensor)):
        raise UserError(f"task: the loader of {what} gives no pairs of tensors (inputs, targets).")
    return inputs, targets


def _read(dataset: Dataset[Any], what: str) -> tuple[Any, Any]:
    try:
        pairs = [dataset[index] for index in range(len(dataset))]  # type: ignore[arg-type]  # none has it: a TypeError
        columns = [np.stack([_array(pair[column]) for pair in pairs]) for column in (0, 1)]
    except Exception as error:
        raise UserError(
            f"task: {what} cannot be read: {_first_line(error)}. A Dataset has a length above 0 and gives pairs "
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


def _functions(module: types.ModuleType) -> str:
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return f"It defines: {', '.join(own) or 'nothing'}."


def _shown(source: Source) -> str:
    return f"{source.file or source.module}:{source.function}"


def _told(error: BaseException, source: Source) -> str:
    """Type and first line of the error, and where in the user's own file it came up, deep in a library or not."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    file = source.file or getattr(sys.modules.get(source.module), "__file__", None)
    frame = next(iter(reversed([frame for frame in frames if frame.filename == file] or frames)), None)
    return _first_line(error) + (f" ({frame.filename}, line {frame.lineno})" if frame else "")


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
