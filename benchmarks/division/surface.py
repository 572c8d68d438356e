"""What a cycle of any length, peak and weight decay reaches: recorded cycles, and straight lines between them.

The lines are straight in the logarithm of each of the three. At a length where few peaks were recorded the curve goes
on beyond them as that of the next shorter length does; a weight decay moves the curve of the default one by as much as
the nearest recorded peaks say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from superconv_tune.core.hyperparameters import Hyperparameters

DEFAULT_DECAY = Hyperparameters().weight_decay

Floats = NDArray[np.float64]
Cell = tuple[float, float, float]  # epochs, peak, weight decay


@dataclass(frozen=True)
class Cycle:
    """One recorded cycle: where it was, what it reached (a constant guess if it diverged), and its optimizer steps."""

    epochs: float
    max_lr: float
    weight_decay: float
    finished: bool
    accuracy: float
    steps: int


@dataclass(frozen=True)
class Curve:
    """One length and weight decay: accuracy of finished cycles, and the share that diverged, over rising peaks."""

    log_lr: Floats
    accuracy: Floats
    lost: Floats

    @staticmethod
    def of(cells: Mapping[float, list[Cycle]]) -> Curve:
        """From the cycles of each peak."""
        rates = sorted(cells)
        finished = {rate: [c.accuracy for c in cells[rate] if c.finished] for rate in rates}
        accuracy = [fmean(finished[rate] or [c.accuracy for c in cells[rate]]) for rate in rates]
        lost = [1.0 - len(finished[rate]) / len(cells[rate]) for rate in rates]
        return Curve(np.log(rates), np.array(accuracy), np.array(lost))

    def beyond(self, shape: Curve) -> Curve:
        """The same curve, continued beyond its ends with the shape of another one."""
        low, high = shape.log_lr < self.log_lr[0], shape.log_lr > self.log_lr[-1]
        below = self.accuracy[0] + shape.accuracy[low] - shape.at(self.log_lr[0])
        above = self.accuracy[-1] + shape.accuracy[high] - shape.at(self.log_lr[-1])
        return Curve(
            np.concatenate([shape.log_lr[low], self.log_lr, shape.log_lr[high]]),
            np.concatenate([below, self.accuracy, above]),
            np.concatenate([shape.lost[low], self.lost, shape.lost[high]]),
        )

    def at(self, log_lr: Any) -> Any:
        """Accuracy of a finished cycle; beyond the ends that of the end."""
        return np.interp(log_lr, self.log_lr, self.accuracy)

    def lost_at(self, log_lr: Any) -> Any:
        """Share of cycles that diverge."""
        return np.interp(log_lr, self.log_lr, self.lost)


@dataclass(frozen=True)
class Surface:
    """A task with its optimizer.

    Attributes:
        curves: of the default weight decay, by length.
        shifts: by length and weight decay, how far the curve lies from that of the default one.
        noise: standard deviation over seeds, by length.
        trivial: accuracy of a constant guess.
        steps_per_epoch: optimizer steps.
    """

    curves: Mapping[float, Curve]
    shifts: Mapping[float, Mapping[float, Curve]]
    noise: Mapping[float, float]
    trivial: float
    steps_per_epoch: int

    @staticmethod
    def of(cycles: Iterable[Cycle]) -> Surface:
        """From all recorded cycles of one task and optimizer."""
        cells: dict[tuple[float, float], dict[float, list[Cycle]]] = defaultdict(lambda: defaultdict(list))
        for cycle in cycles:
            cells[cycle.epochs, cycle.weight_decay][cycle.max_lr].append(cycle)
        curves: dict[float, Curve] = {}
        for epochs in sorted(epochs for epochs, decay in cells if decay == DEFAULT_DECAY):
            curve = Curve.of(cells[epochs, DEFAULT_DECAY])
            curves[epochs] = curve.beyond(list(curves.values())[-1]) if curves else curve
        shifts: dict[float, dict[float, Curve]] = defaultdict(dict)
        for (epochs, decay), cell in sorted(cells.items()):
            if decay != DEFAULT_DECAY and epochs in curves:
                shifts[epochs][decay] = _moved(Curve.of(cell), curves[epochs])
        every = [cycle for cell in cells.values() for found in cell.values() for cycle in found]
        finished = [cycle for cycle in every if cycle.finished]
        diverged = [cycle.accuracy for cycle in every if not cycle.finished]
        return Surface(
            curves,
            shifts,
            _noises({epochs: cells[epochs, DEFAULT_DECAY] for epochs in curves}),
            trivial=min(diverged, default=min(cycle.accuracy for cycle in every)),
            steps_per_epoch=round(median(cycle.steps / cycle.epochs for cycle in finished)),
        )

    @property
    def longest(self) -> float:
        """Longest recorded length, in epochs."""
        return max(self.curves)

    def accuracy(self, epochs: float, max_lr: Any, weight_decay: float) -> Any:
        """Accuracy of a cycle that finishes; ``max_lr`` may be an array."""
        log_lr = np.log(max_lr)
        plain = _between(epochs, {length: curve.at(log_lr) for length, curve in self.curves.items()})
        return plain + self._shift(epochs, log_lr, weight_decay)

    def lost(self, epochs: float, max_lr: Any) -> Any:
        """Share of cycles that diverge."""
        log_lr = np.log(max_lr)
        return _between(epochs, {length: curve.lost_at(log_lr) for length, curve in self.curves.items()})

    def expected(self, epochs: float, max_lr: Any, weight_decay: float) -> Any:
        """Mean accuracy over seeds, of which some may diverge."""
        lost = self.lost(epochs, max_lr)
        return (1.0 - lost) * self.accuracy(epochs, max_lr, weight_decay) + lost * self.trivial

    def spread(self, epochs: float) -> float:
        """Standard deviation over seeds."""
        return float(_between(epochs, {length: np.float64(value) for length, value in self.noise.items()}))

    def best(self, longest: float) -> float:
        """The highest expected accuracy of any cycle that is no longer than that."""
        rates = np.exp(np.linspace(*self._rates(), 80))
        lengths = np.geomspace(min(self.curves), max(min(self.curves), min(longest, self.longest)), 16)
        decays = {DEFAULT_DECAY}.union(*(shift for shift in self.shifts.values()))
        return max(float(self.expected(e, rates, decay).max()) for e in lengths for decay in decays)

    def _rates(self) -> tuple[float, float]:
        ends = [curve.log_lr for curve in self.curves.values()]
        return min(float(end[0]) for end in ends), max(float(end[-1]) for end in ends)

    def _shift(self, epochs: float, log_lr: Any, weight_decay: float) -> Any:
        moved = {}
        for length, by_decay in self.shifts.items():
            at = {decay: curve.at(log_lr) for decay, curve in by_decay.items()}
            moved[length] = _between(weight_decay, {**at, DEFAULT_DECAY: np.zeros_like(log_lr)})
        return _between(epochs, moved) if moved else 0.0


def _between(at: float, values: Mapping[float, Any]) -> Any:
    """Straight lines over the logarithm of the keys; beyond the ends the value of the end."""
    keys = sorted(values)
    place = float(np.interp(np.log(at), np.log(keys), np.arange(len(keys))))
    below = min(int(place), len(keys) - 1)
    above = min(below + 1, len(keys) - 1)
    weight = place - below
    return (1.0 - weight) * values[keys[below]] + weight * values[keys[above]]


def _moved(curve: Curve, plain: Curve) -> Curve:
    return Curve(curve.log_lr, curve.accuracy - plain.at(curve.log_lr), curve.lost)


def _noises(lengths: Mapping[float, Mapping[float, list[Cycle]]]) -> dict[float, float]:
    """Standard deviation over seeds; at a length where nothing was repeated, that of the next shorter one."""
    noises: dict[float, float] = {}
    for epochs, cells in lengths.items():
        found = _noise(cells)
        noises[epochs] = found if found is not None else list(noises.values())[-1] if noises else 0.0
    return noises


def _noise(cells: Mapping[float, list[Cycle]]) -> float | None:
    """Median over the better half of the repeated peaks; None where none was repeated."""
    values = [[c.accuracy for c in found] for found in cells.values() if all(c.finished for c in found)]
    repeated = sorted((found for found in values if len(found) > 1), key=fmean, reverse=True)
    return median(map(stdev, repeated[: max(1, len(repeated) // 2)])) if repeated else None
