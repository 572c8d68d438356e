"""What a cycle of any length, batch size, peak, weight decay and label smoothing reaches: recorded cycles, and lines.

The table is sparse, so the surface is a sum of simple parts.

* Per length and batch size a curve over log2 of the peak, lightly smoothed by as much as the noise of a cell asks for.
  Beyond its recorded peaks it goes on as that of the next shorter length does.
* A batch size that was not recorded at a length is taken from the nearest one that was: moved along the peaks, and
  raised by what the two differ in at the nearest length that both have.
* Between lengths lines are straight in the logarithm of the length. Beyond the longest all peaks gain as the best one
  did last, half as much with every tripling, and nothing after two; below the shortest the way to a constant guess is
  straight.
* Weight decay and label smoothing add their mean effect at the recorded cells, shrunk by its noise.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import fmean, variance
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cell = tuple[float, int]  # epochs, batch size
Plain = tuple[float, float]  # weight decay, label smoothing

OCTAVES_PER_DOUBLING = 0.5  # by which the best peak rises with the batch size, where nothing was recorded
BEND = 0.06  # standard deviation of a curve's second differences per octave: how far a curve may bend without noise
EFFECT = 0.02  # standard deviation of what weight decay or label smoothing may change
SEED_SPREAD = 0.01  # standard deviation over seeds, where nothing was repeated
TRIPLINGS = 2  # beyond the longest length, after which nothing is gained
DECAY_FLOOR = 1e-7  # weight decays below are as good as none


@dataclass(frozen=True)
class Cycle:
    """One recorded cycle: its setting, and its accuracy; a diverged one counts as a constant guess."""

    epochs: float
    batch_size: int
    max_lr: float
    weight_decay: float
    label_smoothing: float
    finished: bool
    accuracy: float


@dataclass(frozen=True)
class Curve:
    """Accuracy of finished cycles, and the share that diverges, over log2 of the peak.

    The two have places of their own, because at a peak where every cycle diverged no accuracy is known.
    """

    places: Floats
    accuracy: Floats
    lost_places: Floats
    lost: Floats

    def at(self, log_lr: Any) -> Any:
        """Accuracy of a finished cycle; beyond the ends that of the end."""
        return np.interp(log_lr, self.places, self.accuracy)

    def lost_at(self, log_lr: Any) -> Any:
        """Share of cycles that diverge."""
        return np.interp(log_lr, self.lost_places, self.lost)

    def moved(self, octaves: float, level: float) -> Curve:
        """The same curve at higher peaks and another level."""
        return Curve(self.places + octaves, self.accuracy + level, self.lost_places + octaves, self.lost)

    def beyond(self, shape: Curve) -> Curve:
        """The same curve, continued beyond its ends with the shape of another one."""
        low, high = shape.places < self.places[0], shape.places > self.places[-1]
        below = self.accuracy[0] + shape.accuracy[low] - shape.at(self.places[0])
        above = self.accuracy[-1] + shape.accuracy[high] - shape.at(self.places[-1])
        first, last = self.lost_places[0], self.lost_places[-1]
        fewer, more = shape.lost_places < first, shape.lost_places > last
        return Curve(
            np.concatenate([shape.places[low], self.places, shape.places[high]]),
            np.concatenate([below, self.accuracy, above]),
            np.concatenate([shape.lost_places[fewer], self.lost_places, shape.lost_places[more]]),
            np.concatenate([shape.lost[fewer], self.lost, np.maximum(shape.lost[more], self.lost[-1])]),
        )

    @property
    def peak(self) -> tuple[float, float]:
        """Place and height of the best finished cycle; a parabola through its neighbours finds the place."""
        best = int(np.argmax(self.accuracy))
        height = float(self.accuracy[best])
        if not 0 < best < len(self.places) - 1:
            return float(self.places[best]), height
        around = slice(best - 1, best + 2)
        bend, slope, _ = np.polyfit(self.places[around] - self.places[best], self.accuracy[around], 2)
        return float(self.places[best] - slope / (2.0 * bend) if bend < 0.0 else self.places[best]), height


@dataclass(frozen=True)
class Noise:
    """Standard deviation of one recorded accuracy: over seeds, and because there were so many items."""

    spread: float
    items: int

    def variance(self, accuracy: float) -> float:
        """Of one recorded cycle."""
        return self.spread**2 + accuracy * (1.0 - accuracy) / self.items

    @staticmethod
    def of(cells: Iterable[Sequence[Cycle]], items: int) -> Noise:
        """Pooled over cells of which every seed finished; what the number of items explains is taken off."""
        repeated = [[c.accuracy for c in cell] for cell in cells if len(cell) > 1 and all(c.finished for c in cell)]
        if not repeated:
            return Noise(SEED_SPREAD, items)
        weights = [len(found) - 1 for found in repeated]
        pooled = float(np.average([variance(found) for found in repeated], weights=weights))
        sampled = (
            float(np.average([fmean(found) * (1.0 - fmean(found)) for found in repeated], weights=weights)) / items
        )
        return Noise(math.sqrt(max(0.0, pooled - sampled)), items)


@dataclass(frozen=True)
class Effect:
    """What one parameter changes, by its value and by the length of the cycle; nothing at its plain value."""

    changes: Mapping[float, Mapping[float, float]]

    def at(self, value: float, epochs: float) -> float:
        """The change: straight between recorded values and lengths, beyond them that of the end."""
        if not self.changes:
            return 0.0
        values = sorted(self.changes)
        by_length = [self.changes[known] for known in values]
        return float(np.interp(value, values, [_flat(epochs, change, change.__getitem__) for change in by_length]))


@dataclass(frozen=True)
class Surface:
    """A task with its optimizer.

    Attributes:
        curves: by length, then by batch size: complete, also where little was recorded.
        plain: weight decay and label smoothing of the curves.
        decay: effect of log2 of the weight decay.
        smoothing: effect of the label smoothing.
        noise: of one recorded accuracy.
        trivial: accuracy of a constant guess.
        recorded: the settings that were recorded, without their lengths: batch size, peak, weight decay, smoothing.
    """

    curves: Mapping[float, Mapping[int, Curve]]
    plain: Plain
    decay: Effect
    smoothing: Effect
    noise: Noise
    trivial: float
    recorded: frozenset[tuple[int, float, float, float]]

    @staticmethod
    def of(cycles: Iterable[Cycle], trivial: float, items: int, sizes: Iterable[int] = ()) -> Surface:
        """From all recorded cycles of one task and optimizer.

        Args:
            cycles: what was recorded.
            trivial: accuracy of a constant guess.
            items: number of items behind every recorded accuracy.
            sizes: batch sizes that are wanted although nothing may have been recorded with them.
        """
        cells: dict[tuple[float, int, float, Plain], list[Cycle]] = defaultdict(list)
        for cycle in cycles:
            plain = (cycle.weight_decay, cycle.label_smoothing)
            cells[cycle.epochs, cycle.batch_size, cycle.max_lr, plain].append(cycle)
        counts = [plain for _, _, _, plain in cells]
        usual = max(sorted(set(counts)), key=counts.count)
        noise = Noise.of(cells.values(), items)
        by_rate: dict[Cell, dict[float, list[Cycle]]] = defaultdict(dict)
        for (epochs, size, max_lr, plain), found in cells.items():
            if plain == usual:
                by_rate[epochs, size][max_lr] = found
        recorded = {cell: _curve(rates, noise, trivial) for cell, rates in by_rate.items()}
        curves = _completed(recorded, {*sizes, *(size for _, size in recorded)})
        others = {cell: found for cell, found in cells.items() if cell[3] != usual}
        return Surface(
            curves,
            usual,
            decay=_effect(others, curves, usual, noise, part=0),
            smoothing=_effect(others, curves, usual, noise, part=1),
            noise=noise,
            trivial=trivial,
            recorded=frozenset((size, max_lr, *plain) for _, size, max_lr, plain in cells),
        )

    @property
    def longest(self) -> float:
        """Longest recorded length, in epochs."""
        return max(self.curves)

    def accuracy(
        self, epochs: float, batch_size: int, max_lr: Any, weight_decay: float | None = None, smoothing: float = 0.0
    ) -> Any:
        """Mean accuracy of cycles that finish; ``max_lr`` may be an array, and no weight decay is the plain one."""
        log_lr = np.log2(max_lr)
        plain = _flat(epochs, self.curves, lambda length: self._of_size(length, batch_size).at(log_lr))
        plain = plain + self._gained(epochs, batch_size)
        decay = self.decay.at(log_decay(self.plain[0] if weight_decay is None else weight_decay), epochs)
        whole = np.clip(plain + decay + self.smoothing.at(smoothing, epochs), self.trivial, 1.0)
        return self.trivial + (whole - self.trivial) * min(1.0, epochs / min(self.curves))

    def lost(self, epochs: float, batch_size: int, max_lr: Any) -> Any:
        """Share of cycles that diverge."""
        log_lr = np.log2(max_lr)
        return _flat(epochs, self.curves, lambda length: self._of_size(length, batch_size).lost_at(log_lr))

    def expected(
        self, epochs: float, batch_size: int, max_lr: Any, weight_decay: float | None = None, smoothing: float = 0.0
    ) -> Any:
        """Mean accuracy over seeds, of which some may diverge."""
        lost = self.lost(epochs, batch_size, max_lr)
        finished = self.accuracy(epochs, batch_size, max_lr, weight_decay, smoothing)
        return (1.0 - lost) * finished + lost * self.trivial

    def best(self, epochs: float, batch_size: int) -> float:
        """The highest expected accuracy of a recorded setting with that batch size, trained for so long."""
        settings = {setting[1:] for setting in self.recorded}
        rates = np.array(sorted({max_lr for max_lr, _, _ in settings}))
        return max(
            float(self.expected(epochs, batch_size, rates, *plain).max()) for plain in {(w, s) for _, w, s in settings}
        )

    def best_rate(self, epochs: float, batch_size: int) -> float:
        """The peak with the highest expected accuracy, on a fine grid over the recorded ones."""
        ends = np.log2([max_lr for _, max_lr, _, _ in self.recorded])
        rates = 2.0 ** np.linspace(float(ends.min()), float(ends.max()), 200)
        return float(rates[int(np.argmax(self.expected(epochs, batch_size, rates)))])

    def _of_size(self, length: float, batch_size: int) -> Curve:
        sizes = self.curves[length]
        if batch_size in sizes:
            return sizes[batch_size]
        return sizes[min(sizes, key=lambda size: abs(math.log2(size / batch_size)))]

    def _gained(self, epochs: float, batch_size: int) -> float:
        """What a cycle gains beyond the longest length: the last slope of the best peaks, which fades."""
        *_, before, last = [self.longest, *self.curves]
        triplings = min(float(TRIPLINGS), math.log(max(1.0, epochs / last), 3.0))
        if triplings <= 0.0 or before == last:
            return 0.0
        heights = [self._of_size(length, batch_size).peak[1] for length in (before, last)]
        slope = (heights[1] - heights[0]) / math.log(last / before, 3.0)
        return slope * sum(0.5 ** (number + 1) * min(1.0, max(0.0, triplings - number)) for number in range(TRIPLINGS))


def log_decay(weight_decay: float) -> float:
    """Log2 of a weight decay, of which there may be none."""
    return math.log2(max(DECAY_FLOOR, weight_decay))


def _curve(rates: Mapping[float, Sequence[Cycle]], noise: Noise, trivial: float) -> Curve:
    """From the cycles at each peak."""
    every = sorted(rates)
    lost = np.array([fmean(not c.finished for c in rates[rate]) for rate in every])
    finished = {rate: [c.accuracy for c in rates[rate] if c.finished] for rate in every}
    known = [rate for rate in every if finished[rate]]
    places = np.log2(every)
    if not known:
        return Curve(places[:1], np.array([trivial]), places, lost)
    means = np.array([fmean(finished[rate]) for rate in known])
    variances = np.array([noise.variance(fmean(finished[rate])) / len(finished[rate]) for rate in known])
    return Curve(np.log2(known), _smoothed(np.log2(known), means, variances), places, lost)


def _smoothed(places: Floats, values: Floats, variances: Floats) -> Floats:
    """The likeliest curve: `values` are as noisy as `variances` say, and slopes change by `BEND` per octave."""
    if len(places) < 3 or not variances.any():
        return values
    bends = np.zeros((len(places) - 2, len(places)))
    for row, (left, right) in enumerate(pairwise(np.diff(places))):
        bends[row, row : row + 3] = np.array([1.0 / left, -1.0 / left - 1.0 / right, 1.0 / right])
    spans = np.array([(left + right) / 2.0 for left, right in pairwise(np.diff(places))])
    penalty = bends.T @ np.diag(1.0 / (BEND**2 * spans)) @ bends
    weights = np.diag(1.0 / np.maximum(variances, 1e-12))
    return np.asarray(np.linalg.solve(weights + penalty, weights @ values))


def _completed(recorded: Mapping[Cell, Curve], sizes: Iterable[int]) -> dict[float, dict[int, Curve]]:
    """Curves of every recorded length and wanted batch size, the shorter lengths first."""
    done: dict[float, dict[int, Curve]] = {}
    for epochs in sorted({epochs for epochs, _ in recorded}):
        here = {size: curve for (length, size), curve in sorted(recorded.items()) if length == epochs}
        shorter = next(reversed(done.values()), {})
        widest = max(here, key=lambda size: len(here[size].places))
        relations = _Relations(recorded, shorter, epochs)
        complete = {
            size: curve.beyond(shorter[size] if shorter else relations.moved(here[widest], widest, size))
            for size, curve in here.items()
        }
        missing = {size: _nearest(size, here) for size in sorted({*sizes} - {*here})}
        done[epochs] = complete | {size: relations.moved(complete[of], of, size) for size, of in missing.items()}
    return done


def _nearest(size: int, curves: Mapping[int, Curve]) -> int:
    """The nearest batch size; of two as near that with more peaks."""
    return min(curves, key=lambda other: (abs(math.log2(other / size)), -len(curves[other].places)))


@dataclass(frozen=True)
class _Relations:
    """How curves of different batch sizes differ at one length.

    Attributes:
        recorded: all recorded curves.
        shorter: the complete curves of the next shorter length; none at the shortest.
        epochs: the length.
    """

    recorded: Mapping[Cell, Curve]
    shorter: Mapping[int, Curve]
    epochs: float

    def moved(self, curve: Curve, size: int, to: int) -> Curve:
        """The curve of one batch size as an estimate of that of another."""
        return curve.moved(self._octaves(size, to), self._level(size, to)) if size != to else curve

    def _octaves(self, size: int, to: int) -> float:
        """By how much the best peak is higher: the mean over lengths, with the usual shift as one of them."""
        seen = [two.peak[0] - one.peak[0] for one, two in self._pairs(size, to).values()]
        return fmean([*seen, OCTAVES_PER_DOUBLING * math.log2(to / size)])

    def _level(self, size: int, to: int) -> float:
        """By how much the best cycle is better, at the nearest length that both have.

        If there is none, as at the next shorter length by way of other sizes; 0 at the shortest.
        """
        pairs = self._pairs(size, to)
        if pairs:
            one, two = pairs[min(pairs, key=lambda length: abs(math.log(length / self.epochs)))]
        elif self.shorter:
            one, two = self.shorter[size], self.shorter[to]
        else:
            return 0.0
        return two.peak[1] - one.peak[1]

    def _pairs(self, size: int, to: int) -> dict[float, tuple[Curve, Curve]]:
        """Curves of both, by length, where each has three peaks or more."""
        lengths = sorted(epochs for epochs, of in self.recorded if of == size and (epochs, to) in self.recorded)
        pairs = {epochs: (self.recorded[epochs, size], self.recorded[epochs, to]) for epochs in lengths}
        return {epochs: both for epochs, both in pairs.items() if min(len(curve.places) for curve in both) >= 3}


def _effect(
    cells: Mapping[tuple[float, int, float, Plain], Sequence[Cycle]],
    curves: Mapping[float, Mapping[int, Curve]],
    usual: Plain,
    noise: Noise,
    part: int,
) -> Effect:
    """The effect of the weight decay (part 0) or of the label smoothing (1), where the other one is the plain one."""
    seen: list[tuple[float, float, float, float]] = []
    for (epochs, size, max_lr, plain), found in cells.items():
        accuracies = [c.accuracy for c in found if c.finished]
        if plain[1 - part] == usual[1 - part] and epochs in curves and accuracies:
            change = fmean(accuracies) - float(curves[epochs][size].at(math.log2(max_lr)))
            value = log_decay(plain[0]) if part == 0 else plain[1]
            seen.append((value, epochs, change, noise.variance(fmean(accuracies)) / len(accuracies)))
    changes: dict[float, dict[float, float]] = defaultdict(dict)
    for (value, epochs), group in groupby(sorted(seen), key=lambda row: row[:2]):
        rows = list(group)
        uncertain = 2.0 * fmean(row[3] for row in rows) / len(rows)  # of the cells, and of the curve they lie beside
        changes[value][epochs] = fmean(row[2] for row in rows) * EFFECT**2 / (EFFECT**2 + uncertain)
    if changes:
        changes[log_decay(usual[0]) if part == 0 else usual[1]] = {1.0: 0.0}
    return Effect(changes)


def _flat(epochs: float, lengths: Iterable[float], at: Callable[[float], Any]) -> Any:
    """Straight over the logarithm of the length between the values at two of them; beyond the ends that of the end."""
    known = sorted(lengths)
    above = min(bisect_left(known, epochs), len(known) - 1)
    below = above - 1
    if above == 0 or epochs >= known[above]:
        return at(known[above])
    weight = math.log(epochs / known[below]) / math.log(known[above] / known[below])
    return (1.0 - weight) * at(known[below]) + weight * at(known[above])
