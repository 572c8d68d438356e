"""The tasks that every arm is given, as the spec that our own search reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FASHION = "/usr/share/datasets/fashion-mnist"
NET = {"name": "resnet9", "width": 0.25}  # a small residual net with batch norm
AUGMENT = ["flip", "shift"]
BATCH_SIZES = [32, 64, 128, 256]
VALIDATION = 0.1  # of the training part: what every arm chooses by
TABLE_TEST = 0.25  # of the table, which comes without a test part


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        data: takes the data root and a folder for a file of its own, and returns ``data`` of the spec.
        model: as in the spec.
        split: shares of the parts that are split off.
        most_epochs: longest cycle in the search space of our search; more than the minutes have room for.
        unit_epochs: epochs between two reports to ASHA, and in the unit in which arms are told lengths; more than one
            where an epoch is so short that reporting would throttle the arm.
    """

    data: Callable[[Path, Path], Mapping[str, Any]]
    model: Mapping[str, Any]
    split: Mapping[str, float]
    most_epochs: int
    unit_epochs: int = 1

    def spec(self, name: str, root: Path, folder: Path, seed: int) -> dict[str, Any]:
        """The spec of one repeat; its seed also draws the validation part, which is the same for all arms.

        Args:
            name: of the task.
            root: the folder with all data that are not installed on the machine.
            folder: an existing folder that outlives the repeat.
            seed: of the repeat.
        """
        return {
            "name": name,
            "data": dict(self.data(root, folder)),
            "model": dict(self.model),
            "split": {**self.split, "seed": seed},
            "space": {
                "cycle_epochs": {"low": self.unit_epochs, "high": self.most_epochs, "log": True},
                "batch_size": BATCH_SIZES,
            },
        }


def _photos(name: str) -> Task:
    def data(root: Path, _folder: Path) -> dict[str, Any]:
        path = str((root / name).resolve())
        return {"format": "image_folder", "path": path, "args": {"size": 32}, "augment": AUGMENT}

    return Task(data, NET, {"validation": VALIDATION}, most_epochs=200)


def _fashion(_root: Path, _folder: Path) -> dict[str, Any]:
    return {"format": "idx", "path": FASHION, "args": {"limit": 10_000}, "augment": AUGMENT}


def _phoneme(root: Path, folder: Path) -> dict[str, Any]:
    """The table as arrays, because it has no line of names; its last column is the label."""
    values = np.loadtxt(root / "tables" / "phoneme.csv", delimiter=",")
    arrays = folder / "phoneme.npz"
    np.savez(arrays, x=values[:, :-1].astype(np.float32), y=values[:, -1].astype(np.int64))
    return {"format": "npz", "path": str(arrays.resolve())}


TASKS: Mapping[str, Task] = {
    "photos10": _photos("photos10"),
    "animals20": _photos("animals20"),
    "fashion": Task(_fashion, NET, {"validation": VALIDATION}, most_epochs=100),
    "phoneme": Task(
        _phoneme,
        {"name": "mlp"},
        # A tenth of what is not test, as in the other tasks: shares are of the whole here.
        {"validation": round(VALIDATION * (1.0 - TABLE_TEST), 4), "test": TABLE_TEST},
        most_epochs=2000,
        unit_epochs=5,
    ),
}
