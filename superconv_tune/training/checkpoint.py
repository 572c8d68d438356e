"""A run on disk: written whole or not at all, read without running a stranger's code, continued exactly."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn


def save(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, extra: Mapping[str, Any] | None = None
) -> None:
    """Write model, optimizer, step, torch's random state and ``extra`` to ``path``.

    The file is written beside its place and renamed into it, so that a kill leaves the old checkpoint or the new one.

    Args:
        path: of the checkpoint; its folder exists.
        model: whose weights and buffers are kept.
        optimizer: of that model.
        step: number of steps taken, which is the index of the next one.
        extra: anything else that the run needs, as plain JSON.

    Raises:
        TypeError: if ``extra`` is not JSON.
        OSError: if the file cannot be written.
    """
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "rng_cpu": torch.get_rng_state(),
        "rng_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "extra": json.dumps(dict(extra or {})),
    }
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # or the rename could reach the disk before the content
    part.replace(path)


def load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, dict[str, Any]]:
    """Bring model, optimizer and torch's global random state back; returns the next step's index and ``extra``.

    The model lies on its device already, and the optimizer was made from it as in the run that saved.

    Raises:
        FileNotFoundError: if there is no checkpoint.
        pickle.UnpicklingError: if the file holds more than tensors and plain values.
        RuntimeError: if it belongs to another model, or is not a checkpoint.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng_cpu"])
    if state["rng_cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["rng_cuda"][: torch.cuda.device_count()])
    step: int = state["step"]
    extra: dict[str, Any] = json.loads(state["extra"])
    return step, extra
