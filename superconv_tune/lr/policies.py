"""Learning-rate policies: frozen dataclasses with their own options, evaluated as pure functions of progress.

Index convention: step k of N steps has progress ``k / (N - 1)``. It is PyTorch's, so that ``torch.optim.lr_scheduler``
is an exact oracle: its ``OneCycleLR`` peaks at the index ``pct_start * N - 1`` and ends at ``N - 1``.

To add a policy, write its class and add it to the union `Policy`; CONTRIBUTING.md has an example.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, get_args

from superconv_tune.lr.options import Checked, Factor, Limits, Positive
from superconv_tune.lr.span import Span

Shape = Callable[[float], float]  # progress in [0, 1] to a learning rate or to a factor


def cos_between(start: float, end: float, fraction: float) -> float:
    """Half a cosine wave from ``start`` (fraction 0) to ``end`` (fraction 1)."""
    return end + (start - end) / 2.0 * (1.0 + math.cos(math.pi * fraction))


def linear_between(start: float, end: float, fraction: float) -> float:
    """A straight line from ``start`` (fraction 0) to ``end`` (fraction 1)."""
    return (end - start) * fraction + start


BETWEEN = {"cos": cos_between, "linear": linear_between}


class _NoCycle(Checked):
    """Base of the policies without a cycle: momentum and weight decay stay constant."""

    is_cyclical: ClassVar[bool] = False

    def height(self, _span: Span) -> Shape:
        """Map progress to height in the cycle: always 0."""
        return lambda _p: 0.0


@dataclass(frozen=True, kw_only=True)
class OneCycle(Checked):
    """A rise to ``max_lr``, then a fall to far below the first learning rate (Smith 2018, arXiv:1803.09820, 4.1).

    Attributes:
        anneal: shape of the curve between corners.
        three_phase: whether it falls to the first learning rate in as many steps as it rose, and then anneals.
    """

    is_cyclical: ClassVar[bool] = True
    name: Literal["one_cycle"] = "one_cycle"
    anneal: Literal["cos", "linear"] = "cos"
    three_phase: bool = False

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate.

        Raises:
            ValueError: if three phases do not fit into the run.
        """
        rates = {0.0: span.min_lr, 1.0: span.max_lr}
        corners = [(p, rates[height]) for p, height in self._corners(span)]
        corners[-1] = (1.0, span.final_lr)
        return _piecewise(corners, BETWEEN[self.anneal])

    def height(self, span: Span) -> Shape:
        """Map progress to height in the cycle, from 0 at the bottom to 1 at the peak.

        Raises:
            ValueError: if three phases do not fit into the run.
        """
        return _piecewise(self._corners(span), BETWEEN[self.anneal])

    def _corners(self, span: Span) -> list[tuple[float, float]]:
        """Corners (progress, height); height 1 is the peak, height 0 the first learning rate.

        A rise of one step or less puts the peak on the first step, where PyTorch divides by zero.
        """
        last = max(span.steps - 1, 1)
        peak = max(0.0, span.pct_start * span.steps - 1.0) / last
        if not self.three_phase:
            return [(0.0, 0.0), (min(peak, 1.0), 1.0), (1.0, 0.0)]
        if span.pct_start > 0.5:
            raise ValueError(f"three_phase needs a pct_start of at most 0.5, but got {span.pct_start}.")
        back = min(1.0, max(peak, (2.0 * span.pct_start * span.steps - 2.0) / last))
        return [(0.0, 0.0), (peak, 1.0), (back, 0.0), (1.0, 0.0)]


def _piecewise(corners: list[tuple[float, float]], between: Callable[[float, float, float], float]) -> Shape:
    """Connect the corners; a stretch of zero length is skipped, so that its later value holds."""
    stretches = [pair for pair in pairwise(corners) if pair[1][0] > pair[0][0]]

    def at(p: float) -> float:
        for (left, low), (right, high) in stretches:
            if p <= right:
                return between(low, high, (p - left) / (right - left))
        return corners[-1][1]

    return at


@dataclass(frozen=True, kw_only=True)
class _Triangles(Checked):
    """Base of the policies of triangles between ``min_lr`` and ``max_lr`` (Smith 2017, arXiv:1506.01186, section 3).

    Attributes:
        cycles: number of triangles in the run.
    """

    is_cyclical: ClassVar[bool] = True
    cycles: Positive = 2.0

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate."""
        height = self.height(span)
        return lambda p: span.min_lr + (span.max_lr - span.min_lr) * height(p) * self._scale(p)

    def height(self, _span: Span) -> Shape:
        """Map progress to height in the triangle, from 0 to 1, before scaling."""

        def at(p: float) -> float:
            x = p * self.cycles
            return max(0.0, 1.0 - abs(2.0 * (x - math.floor(x)) - 1.0))

        return at

    def _scale(self, _p: float) -> float:
        """Factor on the triangle at progress p."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Triangular(_Triangles):
    """Triangles of equal height."""

    name: Literal["triangular"] = "triangular"


@dataclass(frozen=True, kw_only=True)
class Triangular2(_Triangles):
    """Triangles, each half as high as the previous one."""

    name: Literal["triangular2"] = "triangular2"

    def _scale(self, p: float) -> float:
        return 0.5 ** math.floor(p * self.cycles)


@dataclass(frozen=True, kw_only=True)
class ExpRange(_Triangles):
    """Triangles whose height decays exponentially.

    Attributes:
        gamma: factor on the height per half-cycle.
    """

    name: Literal["exp_range"] = "exp_range"
    gamma: Factor = 0.1

    def _scale(self, p: float) -> float:
        return math.pow(self.gamma, 2.0 * self.cycles * p)


@dataclass(frozen=True, kw_only=True)
class Constant(_NoCycle):
    """The peak learning rate throughout."""

    name: Literal["constant"] = "constant"

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate: ``max_lr``."""
        return lambda _p: span.max_lr


@dataclass(frozen=True, kw_only=True)
class Step(_NoCycle):
    """A drop at every milestone.

    Attributes:
        milestones: progress at which the learning rate drops, in rising order.
        gamma: factor on the learning rate at each drop.
    """

    name: Literal["step"] = "step"
    milestones: Annotated[tuple[float, ...], Limits(least=0, most=1)] = (0.5, 0.75)
    gamma: Factor = 0.1

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ValueError: with what is wrong and which value was given.
        """
        super().__post_init__()
        if any(later <= earlier for earlier, later in pairwise(self.milestones)):
            raise ValueError(f"milestones must rise, but got {list(self.milestones)}.")

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate: ``max_lr * gamma^(milestones passed)``."""
        return lambda p: span.max_lr * self.gamma ** sum(p >= milestone for milestone in self.milestones)


@dataclass(frozen=True, kw_only=True)
class Exponential(_NoCycle):
    """Exponential decay.

    Attributes:
        gamma: last learning rate divided by the peak.
    """

    name: Literal["exponential"] = "exponential"
    gamma: Factor = 0.1

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate: ``max_lr * gamma^p``."""
        return lambda p: span.max_lr * self.gamma**p


@dataclass(frozen=True, kw_only=True)
class Polynomial(_NoCycle):
    """A power of the remaining share of the run, from the peak to the floor of a one-cycle.

    Attributes:
        power: exponent of the remaining share.
    """

    name: Literal["polynomial"] = "polynomial"
    power: Positive = 1.0

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate: ``(1 - p)^power`` above ``final_lr``."""
        return lambda p: span.final_lr + (span.max_lr - span.final_lr) * (1.0 - p) ** self.power


@dataclass(frozen=True, kw_only=True)
class Linear(_NoCycle):
    """A straight line from the peak to the floor of a one-cycle."""

    name: Literal["linear"] = "linear"

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate."""
        return lambda p: linear_between(span.max_lr, span.final_lr, p)


@dataclass(frozen=True, kw_only=True)
class Cosine(_NoCycle):
    """Half a cosine from the peak to the floor of a one-cycle."""

    name: Literal["cosine"] = "cosine"

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate."""
        return lambda p: cos_between(span.max_lr, span.final_lr, p)


@dataclass(frozen=True, kw_only=True)
class CosineRestarts(_NoCycle):
    """Half-cosines, each restarting at the peak (Loshchilov and Hutter 2017, arXiv:1608.03983).

    Attributes:
        cycles: number of half-cosines in the run; the last one ends at the floor of a one-cycle.
    """

    name: Literal["cosine_restarts"] = "cosine_restarts"
    cycles: Positive = 2.0

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate."""
        return lambda p: cos_between(span.max_lr, span.final_lr, 1.0 if p == 1.0 else (p * self.cycles) % 1.0)


@dataclass(frozen=True, kw_only=True)
class Inverse(_NoCycle):
    """Caffe's ``inv``, with progress instead of iterations.

    Attributes:
        gamma: speed of the decay, per run.
        power: exponent of the decay.
    """

    name: Literal["inverse"] = "inverse"
    gamma: Positive = 10.0
    power: Positive = 1.0

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate: ``max_lr * (1 + gamma * p)^-power``."""
        return lambda p: span.max_lr * (1.0 + self.gamma * p) ** -self.power


@dataclass(frozen=True, kw_only=True)
class WarmupStableDecay(_NoCycle):
    """The peak, then a straight line to the floor of a one-cycle (Hu et al. 2024, MiniCPM, arXiv:2404.06395).

    The warm-up is an option of the schedule: ``warmup`` and ``warmup_share``.

    Attributes:
        decay_share: share of the run in which the learning rate falls, at its end.
    """

    name: Literal["wsd"] = "wsd"
    decay_share: Annotated[float, Limits(above=0, most=1)] = 0.2

    def rate(self, span: Span) -> Shape:
        """Map progress to learning rate."""
        begin = 1.0 - self.decay_share
        return lambda p: linear_between(span.max_lr, span.final_lr, max(0.0, p - begin) / self.decay_share)


Policy = (
    OneCycle
    | Triangular
    | Triangular2
    | ExpRange
    | Constant
    | Step
    | Exponential
    | Polynomial
    | Linear
    | Cosine
    | CosineRestarts
    | Inverse
    | WarmupStableDecay
)

SCHEDULES: Mapping[str, type[Policy]] = {policy.name: policy for policy in get_args(Policy)}
