"""Data that a program holds in memory, written into the folder of the study.

A file is the simplest way by which they reach everything that reads them again: resuming, ``verify``, the long run with
``recipe.yaml``, and whoever opens the study next year.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from superconv_tune.core.errors import UserError
from superconv_tune.problems.user import arrays, differs

ACCEPTED = (
    "a path, a pair (X, y) of arrays, a DataFrame with label=, a torch Dataset, or a spec (its YAML file, a mapping or "
    "an ExperimentSpec)"
)
LABEL = "target"  # name of a column for targets that have none
PAIR = 2


def is_held(data: object) -> bool:
    """Whether these are data themselves, and not where they are or a spec."""
    return isinstance(data, pd.DataFrame | tuple | list | Dataset)


def kind_of(data: object) -> str:
    """A name for a study of these data: ``table`` or ``arrays``."""
    return "table" if isinstance(_inputs(data), pd.DataFrame) else "arrays"


def write(data: Any, label: str | int | None, folder: Path) -> dict[str, Any]:
    """Write data into a folder, and return the section ``data`` of a spec that reads them.

    Args:
        data: a DataFrame, a pair (X, y) or a torch Dataset.
        label: name or number of the label column of a DataFrame.
        folder: where the file is written.

    Raises:
        UserError: if they are of no such type, or cannot be written.
    """
    if isinstance(data, tuple | list) and len(data) != PAIR:
        raise UserError(f"data: got a {type(data).__name__} of {len(data)}. Give {ACCEPTED}.")
    if isinstance(_inputs(data), pd.DataFrame):
        frame, name = (data, label) if isinstance(data, pd.DataFrame) else _joined(data[0], data[1], label)
        return {"format": "table", "path": _table(frame, folder)} | ({} if name is None else {"args": {"label": name}})
    if label is not None:
        raise UserError(f"label: names a column of a table, but the data are arrays, and got {label!r}. Leave it out.")
    inputs, targets = _read(data) if isinstance(data, Dataset) else map(_array, data)
    return {"format": "npz", "path": _archive(inputs, targets, folder)}


def _inputs(data: Any) -> Any:
    return data[0] if isinstance(data, tuple | list) and data else data


def _joined(inputs: pd.DataFrame, targets: Any, label: str | int | None) -> tuple[pd.DataFrame, str]:
    """A table with the targets as its last column, and the name of that column."""
    if label is not None:
        raise UserError(f"label: the pair (X, y) has its targets in y, but got {label!r} too. Leave it out.")
    inputs = inputs.set_axis(list(map(str, inputs.columns)), axis=1)
    name = str(targets.name) if isinstance(targets, pd.Series) and targets.name is not None else LABEL
    while name in inputs.columns:
        name += "_"
    values = np.asarray(targets)
    if values.shape not in ((len(inputs),), (len(inputs), 1)):
        raise UserError(f"data: X has {len(inputs)} rows, but y has the shape {values.shape}. Give one value per row.")
    return inputs.assign(**{name: values.reshape(-1)}), name


def _read(dataset: Dataset[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The items of a Dataset, which have to be the same whenever they are read."""
    if differs(dataset):
        raise UserError(
            "data: the items of the Dataset differ when they are read twice, as with random transforms, and would be "
            "frozen here. Give one without them: images in colour are augmented on the device, and "
            "`data: {augment: [flip, shift]}` says how. Or write a function that returns a Task, which reads the items "
            "anew in every epoch: `superconv_tune.search({'task': 'my_problem.py:task'})`."
        )
    return arrays(dataset, "data")


def _array(values: Any) -> NDArray[Any]:
    """The values as an array of numbers or of words.

    Raises:
        UserError: if they are neither.
    """
    try:
        array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
        are_words = array.dtype.kind == "O" and all(isinstance(each, str) for each in array.flat)
        is_words = array.dtype.kind == "U" or are_words
        found = array.astype(str) if is_words else array if array.dtype.kind in "buif" else array.astype(float)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"data: a {type(values).__name__} cannot be made into an array of numbers ({error}). Give one row per "
            f"item, all of one shape; a sparse matrix as X.toarray(), columns of words as a DataFrame."
        ) from error
    return found


def _table(frame: pd.DataFrame, folder: Path) -> str:
    frame = frame.set_axis(list(map(str, frame.columns)), axis=1)
    path = folder / "data.parquet"
    try:
        frame.to_parquet(path, index=False)
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:  # for a column of mixed or strange values
        reason = " ".join(str(error).split()).rstrip(".")
        raise UserError(f"data: the table cannot be written to {path}: {reason}.") from error
    return str(path.absolute())


def _archive(inputs: NDArray[Any], targets: NDArray[Any], folder: Path) -> str:
    path = folder / "data.npz"
    try:
        np.savez(path, x=inputs, y=targets)
    except OSError as error:
        raise UserError(f"data: the arrays cannot be written to {path} ({error.strerror or error}).") from error
    return str(path.absolute())
