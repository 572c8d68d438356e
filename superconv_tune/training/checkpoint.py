"""A run on disk: written whole or not at all, read without running code from the file, continued exactly."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from superconv_tune.core.curve import COLUMNS, Curve


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds besides the states of model, optimizer and random generators.

    Attributes:
        step: number of steps taken, which is the index of the next one.
        extra: as passed to `save`.
        curve: the steps so far.
    """

    step: int
    extra: Mapping[str, Any]
    curve: Curve


def save(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    extra: Mapping[str, Any] | None = None,
    curve: Curve | None = None,
) -> None:
    """Write model, optimizer, step, all global random states, ``extra`` and the curve to ``path``.

    The file is written under another name and then renamed, so that a kill leaves the old checkpoint or the new one.

    Args:
        path: the checkpoint file, in a folder that exists.
        model: whose weights and buffers are kept.
        optimizer: of that model.
        step: number of steps taken, which is the index of the next one.
        extra: anything else that the run needs, as plain JSON.
        curve: the steps so far; None for no step.

    Raises:
        TypeError: if ``extra`` is not JSON.
        OSError: if the file cannot be written.
    """
    name, keys, *rest = np.random.get_state()  # noqa: NPY002  (a user's transforms may draw from the legacy global state)
    columns = Curve.empty() if curve is None else curve
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "rng_cpu": torch.get_rng_state(),
        "rng_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "rng_python": random.getstate(),
        "rng_numpy": [name, torch.from_numpy(np.asarray(keys)), *rest],
        "curve": {column: torch.from_numpy(np.ascontiguousarray(getattr(columns, column))) for column in COLUMNS},
        "extra": json.dumps(dict(extra or {})),
    }
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # or the rename could reach the disk before the content
    part.replace(path)


def load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Saved:
    """Restore model, optimizer and all global random states; returns what else was saved.

    The model has to be on its device already, and the optimizer made from it as in the run that saved.

    Raises:
        FileNotFoundError: if there is no checkpoint.
        pickle.UnpicklingError: if the file holds more than tensors and plain values.
        RuntimeError: if it belongs to another model, or is not a checkpoint.
    """
    state = _read(path)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng_cpu"])
    if state["rng_cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["rng_cuda"][: torch.cuda.device_count()])
    random.setstate(state["rng_python"])
    name, keys, *rest = state["rng_numpy"]
    np.random.set_state((name, keys.numpy(), *rest))  # noqa: NPY002  (as in `save`)
    return _saved(state)


def peek(path: Path) -> Saved:
    """Step, extra and curve of a checkpoint, without restoring any state.

    Raises:
        FileNotFoundError: if there is no checkpoint.
        pickle.UnpicklingError: if the file holds more than tensors and plain values.
        RuntimeError: if it is not a checkpoint.
    """
    return _saved(_read(path))


def weights(path: Path) -> dict[str, torch.Tensor]:
    """The model's state in a checkpoint, on the CPU.

    Raises:
        FileNotFoundError: if there is no checkpoint.
        pickle.UnpicklingError: if the file holds more than tensors and plain values.
        RuntimeError: if it is not a checkpoint.
    """
    state: dict[str, torch.Tensor] = _read(path)["model"]
    return state


def _read(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _saved(state: dict[str, Any]) -> Saved:
    curve = Curve(*(state["curve"][column].numpy() for column in COLUMNS))
    return Saved(state["step"], json.loads(state["extra"]), curve)
