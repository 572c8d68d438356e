"""A table of cycles with a known truth, in the form of the recorded one.

python -m tests.benchmarks.planted_cycles FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path

import numpy as np

from benchmarks.rows import append

COLUMNS = (
    "task", "epochs", "batch_size", "max_lr", "weight_decay", "label_smoothing", "clip", "seed", "status", "steps",
    "validation", "test", "averaged_validation", "averaged_test", "train_loss",
)  # fmt: skip
SPEEDS = (
    "task", "batch_size", "busy_workers", "step_s", "eval_s", "train_items", "validation_items", "test_items",
)  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """A task whose best peak, accuracy and edge are known.

    Attributes:
        name: ends with the optimizer.
        best_lr: at one epoch with batches of 64.
        ceiling: of the accuracy.
        gap: to the ceiling after one epoch; falls with the root of the length.
        grows: exponent of the length with which the best peak grows.
        spread: standard deviation over seeds.
        step_s: of batches of 64.
        trivial: accuracy of a constant guess.
        items: sizes of the three parts.
    """

    name: str = "photos-sgd"
    best_lr: float = 0.05
    ceiling: float = 0.85
    gap: float = 0.5
    grows: float = 0.3
    spread: float = 0.01
    step_s: float = 0.03
    trivial: float = 0.1
    items: tuple[int, int, int] = (3600, 400, 1500)

    def best_rate(self, epochs: float, batch_size: int) -> float:
        """The best peak."""
        return float(self.best_lr * epochs**self.grows * (batch_size / 64) ** 0.5)

    def accuracy(
        self, epochs: float, batch_size: int, max_lr: float, decay: float = 5e-4, smoothing: float = 0.0
    ) -> float:
        """Mean accuracy of cycles that finish."""
        octaves = log2(max_lr / self.best_rate(epochs, batch_size))
        level = self.ceiling - self.gap * epochs**-0.5 - 0.015 * abs(log2(batch_size / 64))
        level -= 0.003 * abs(log2(decay / 1e-3)) - 0.02 * smoothing
        return float(max(self.trivial, level - 0.02 * octaves**2))

    def lost(self, epochs: float, batch_size: int, max_lr: float) -> float:
        """Share of cycles that diverge."""
        octaves = log2(max_lr / self.best_rate(epochs, batch_size))
        return float(np.clip((octaves - 2.0) / 2.0, 0.0, 1.0))

    def rows(self, noisy: bool = True) -> list[list[object]]:
        """A sparse table, as the recorded one is."""
        rng = np.random.default_rng(7)
        lowest, count = (0.0016, 12) if self.name.endswith("sgd") else (1e-4, 11)
        rates = [lowest * 2.0**step for step in range(count)]
        found: list[list[object]] = []
        for epochs, reach in ((1.0, 99.0), (3.0, 4.5), (9.0, 2.5), (27.0, 1.5)):
            for size in (64, 128) if epochs > 3.0 else (32, 64, 128, 256):
                near = [
                    r
                    for r in rates
                    if abs(log2(r / self.best_rate(epochs, size))) <= (reach if size in (64, 128) else 2.5)
                ]
                for rate in near:
                    seeds = 2 if abs(log2(rate / self.best_rate(epochs, size))) < 1.5 else 1
                    found += [self._row(epochs, size, rate, 5e-4, seed, rng, noisy) for seed in range(seeds)]
        for decay in (5e-5, 5e-3):
            found += [
                self._row(9.0, 64, rate, decay, 0, rng, noisy)
                for rate in (0.5 * self.best_lr, self.best_lr, 2 * self.best_lr)
            ]
        return found

    def _row(
        self, epochs: float, size: int, rate: float, decay: float, seed: int, rng: np.random.Generator, noisy: bool
    ) -> list[object]:
        lost = rng.random() < self.lost(epochs, size, rate) if noisy else self.lost(epochs, size, rate) > 0.5
        skill = self.accuracy(epochs, size, rate, decay) + (rng.normal(0.0, self.spread) if noisy else 0.0)
        values = [rng.binomial(items, skill) / items if noisy else skill for items in self.items[1:]]
        cell = [self.name, f"{epochs:g}", size, f"{rate:.6g}", f"{decay:g}", "0", "", seed]
        steps = round(epochs * (self.items[0] // size))
        if lost:
            return [*cell, "diverged", steps // 3, self.trivial, "", "", "", ""]
        return [*cell, "finished", steps, *(f"{value:.6f}" for value in values), "", "", ""]


PLANTED = (
    Planted(),
    Planted("photos-adamw", best_lr=0.004, grows=0.0),
    Planted("table-sgd", best_lr=0.2, ceiling=0.92, gap=0.15, grows=0.1, step_s=0.0006, items=(3404, 379, 1621)),
    Planted("climbing-sgd", best_lr=0.03, ceiling=0.82, gap=0.45, grows=0.6),
    Planted("few-sgd", best_lr=0.2, ceiling=0.62, gap=0.47, grows=0.2, spread=0.02, items=(1000, 111, 1500)),
    Planted("many_classes-sgd", best_lr=0.1, ceiling=0.55, gap=0.43, grows=0.4, step_s=0.02, trivial=0.05),
)


def write(folder: Path, planted: Sequence[Planted] = PLANTED, noisy: bool = True) -> None:
    """The table and the speeds of these tasks."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in planted:
        append(folder / "cycles.csv", COLUMNS, task.rows(noisy))
        speeds = [
            [
                task.name,
                size,
                busy,
                task.step_s * (0.3 + 0.7 * size / 64) * (1.2 if busy == 2 else 1.0),
                0.2,
                *task.items,
            ]
            for size in (32, 64, 128, 256)
            for busy in (1, 2)
        ]
        append(folder / "speeds.csv", SPEEDS, speeds)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
