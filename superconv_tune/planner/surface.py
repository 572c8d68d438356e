"""What the cycles so far say about a configuration: a Gaussian process over length, peak and the other parameters.

One validation value of a few hundred items is off by points, and the best of several is a lucky one. The surface weighs
each value with its neighbours: the same configuration with twice and half the peak, in shorter and longer cycles, with
another batch size, from another seed (Rasmussen & Williams 2006, algorithm 2.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Dimension, SearchSpace

Floats = NDArray[np.float64]

# How far apart two configurations may be before one says little about the other.
REACH_LENGTH = 2.0  # triplings of the cycle
REACH_RATE = 3.0  # octaves of the peak
REACH_SIZE = 3.0  # octaves of the batch size
REACH_ELSE = 1.0  # ranges of another searched parameter
AMPLITUDES = (2.0, 4.0, 8.0, 16.0)  # in standard errors of a value; the likeliest one is used
SAME_RATE = 0.1  # difference in the logarithm, up to which two learning rates count as the same
LEVEL = 30.0  # standard deviation, in the same, of the level of a rung, about which nothing is assumed
DEEPEST = 20.0  # standard errors below the best of its rung, at which a value counts: how bad a failure is says nothing
SEED_NOISE = 0.5  # standard deviation over seeds, in standard errors from the number of items


@dataclass(frozen=True)
class Point:
    """A configuration: what a cycle trains with.

    Attributes:
        params: the hyperparameters with the length of the cycle, and an ``lr_multiplier`` of 1.
        max_lr: the peak learning rate.
    """

    params: Hyperparameters
    max_lr: float

    def at_rate(self, max_lr: float) -> Point:
        """The same with another peak."""
        return replace(self, max_lr=max_lr)

    def at_length(self, epochs: float) -> Point:
        """The same in a cycle of another length."""
        return self.with_params(cycle_epochs=epochs)

    def with_params(self, **changes: float) -> Point:
        """The same with other parameters."""
        return replace(self, params=replace(self.params, **changes))  # type: ignore[arg-type]  # names of parameters

    def is_like(self, other: Point) -> bool:
        """Whether two configurations differ in nothing but the length of the cycle."""
        return self.setting == other.setting and is_same_rate(self.max_lr, other.max_lr)

    @property
    def setting(self) -> Hyperparameters:
        """Everything but the peak and the length."""
        return _without_length(self.params)


@lru_cache(maxsize=4096)  # asked for thousands of times in one decision
def _without_length(params: Hyperparameters) -> Hyperparameters:
    return replace(params, cycle_epochs=1.0, lr_multiplier=1.0)


@dataclass(frozen=True)
class Seen:
    """One cycle and what it reached.

    Attributes:
        point: the configuration.
        rung: index of its rung.
        worth: the validation value, higher is better.
        noise: standard error of it.
    """

    point: Point
    rung: int
    worth: float
    noise: float


@dataclass(frozen=True)
class Surface:
    """The process given all cycles seen.

    Attributes:
        seen: the cycles, at least one.
        space: the searched parameters, whose ranges are the scale of distances.
    """

    seen: tuple[Seen, ...]
    space: SearchSpace

    @staticmethod
    def of(seen: Iterable[Seen], space: SearchSpace) -> Surface:
        """The process given these cycles; the same one again, with its factors, as long as nothing new was seen."""
        return _surface(tuple(seen), tuple(space.items()))

    def mean(self, points: Sequence[Point], rung: int) -> Floats:
        """Expected worth of the points as cycles of a rung that has been trained, shape [points]."""
        across = self._covariance(_places(points, [rung] * len(points), self.space), self._at)
        found: Floats = self._centre + across @ self._weights
        return found

    def expected(self, rung: int, point: Point) -> float:
        """Expected worth of one point as a cycle of a rung that has been trained."""
        return float(self.mean([point], rung)[0])

    @cached_property
    def noise(self) -> float:
        """The usual standard error of one value."""
        return max(float(np.median([each.noise for each in self.seen])), 1e-12)

    @cached_property
    def _at(self) -> Floats:
        return _places([each.point for each in self.seen], [each.rung for each in self.seen], self.space)

    @cached_property
    def _worth(self) -> Floats:
        """The values, none deeper below the best of its rung than `DEEPEST`."""
        worth = np.array([each.worth for each in self.seen])
        rungs = np.array([each.rung for each in self.seen])
        best = np.array([worth[rungs == rung].max() for rung in rungs])
        found: Floats = np.maximum(worth, best - DEEPEST * self.noise)
        return found

    @cached_property
    def _centre(self) -> float:
        return float(np.median(self._worth))

    @cached_property
    def _fit(self) -> tuple[float, Floats]:
        """Amplitude and weights under the likeliest of `AMPLITUDES`."""
        return max((self._given(size * self.noise) for size in AMPLITUDES), key=lambda fit: fit[0])[1:]

    @cached_property
    def _near(self) -> tuple[Floats, Floats]:
        """The two parts of the covariance of the cycles seen, without their amplitudes."""
        return _parts(self._at, self._at)

    def _given(self, amplitude: float) -> tuple[float, float, Floats]:
        """Log likelihood of the values, the amplitude and the weights."""
        own = np.array([each.noise for each in self.seen])
        noise = (1.0 + SEED_NOISE**2) * own**2 + 1e-6 * self.noise**2
        values = self._worth - self._centre
        factor: Any = np.linalg.cholesky(self._sum(self._near, amplitude) + np.diag(noise))
        half = np.linalg.solve(factor, values)
        likelihood = -0.5 * float(half @ half) - float(np.log(np.diag(factor)).sum())
        return likelihood, amplitude, np.linalg.solve(factor.T, half)

    def _sum(self, parts: tuple[Floats, Floats], amplitude: float) -> Floats:
        found: Floats = amplitude**2 * parts[0] + (LEVEL * self.noise) ** 2 * parts[1]
        return found

    @property
    def _weights(self) -> Floats:
        return self._fit[1]

    def _covariance(self, one: Floats, other: Floats) -> Floats:
        return self._sum(_parts(one, other), self._fit[0])


def _parts(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """How near the places are to each other, from 1 to 0, and whether they are of the same rung; both [one, other]."""
    apart = np.abs(one[:, None, :] - other[None, :, :])
    rung, length, rate, size = (apart[..., index] for index in range(4))
    rest = np.sum(apart[..., 4:] ** 2, axis=-1) / REACH_ELSE**2
    near = np.exp(-length / REACH_LENGTH - 0.5 * rest) * _matern(rate / REACH_RATE) * _matern(size / REACH_SIZE)
    return near, (rung == 0.0).astype(np.float64)


@lru_cache(maxsize=8)
def _surface(seen: tuple[Seen, ...], space: tuple[tuple[str, Dimension], ...]) -> Surface:
    return Surface(seen, dict(space))


def is_same_rate(one: float, other: float) -> bool:
    """Whether two learning rates differ by less than any two of the grid."""
    return abs(math.log(one / other)) < SAME_RATE


def _matern(distance: Floats) -> Floats:
    """Matern's kernel of smoothness 3/2: curves that bend, and do not ring beside a cliff."""
    scaled = math.sqrt(3.0) * distance
    return (1.0 + scaled) * np.exp(-scaled)


def _places(points: Sequence[Point], rungs: Sequence[int], space: SearchSpace) -> Floats:
    """Coordinates, shape [points, 4 + others]: rung, triplings of the length, octaves of peak and size, the others."""
    others = [name for name in space if name not in ("cycle_epochs", "lr_multiplier", "batch_size")]
    rows: list[list[float]] = []
    for point, rung in zip(points, rungs, strict=True):
        params = point.params
        first = [float(rung), math.log(params.cycle_epochs, 3), math.log2(point.max_lr), math.log2(params.batch_size)]
        rows.append([*first, *(_share(space[name], getattr(params, name)) for name in others)])
    return np.array(rows)


def _share(dimension: Dimension, value: float) -> float:
    """Where a value lies in the range of its dimension, as a share of it."""
    if isinstance(dimension, Choice):
        low, high, log = min(dimension.values), max(dimension.values), False
    else:
        low, high, log = dimension.low, dimension.high, dimension.log
    if high <= low:
        return 0.0
    if log:
        return math.log(max(value, 1e-12) / low) / math.log(high / low)
    return (value - low) / (high - low)
