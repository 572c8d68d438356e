"""Learning-rate policies as pure functions of progress.

Index convention: step k of N steps has progress ``k / (N - 1)``. It is PyTorch's, so that ``torch.optim.lr_scheduler``
is an exact oracle: its ``OneCycleLR`` peaks at the index ``pct_start * N - 1`` and ends at ``N - 1``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from superconv_tune.core.hyperparameters import Hyperparameters

TINY = 5e-324  # the least positive number: what has to be above 0
Shape = Callable[[float], float]  # progress in [0, 1] to a learning rate or to a factor


@dataclass(frozen=True, slots=True)
class Knobs:
    """What one optimizer step uses."""

    lr: float
    momentum: float
    weight_decay: float


Schedule = Callable[[float], Knobs]


@dataclass(frozen=True)
class SchedulePlan:
    """All that a policy may need; a policy reads its own options and leaves the others alone.

    Attributes:
        steps: length of the run.
        max_lr: the peak.
        policy: a name in `SCHEDULES`.
        base_momentum: momentum where the learning rate is highest.
        max_momentum: momentum where it is lowest, and of every policy that only falls: those have no high-rate phase
            that a lower momentum would have to calm.
        weight_decay: of the run; where it is cycled, its value at the ends.
        pct_start: share of the run in which a one-cycle rises.
        div_factor: peak over first learning rate; the floor of the cyclical policies is ``max_lr / div_factor``.
        final_div_factor: first over last learning rate.
        anneal: how a one-cycle moves between its corners.
        three_phase: a one-cycle that falls as long as it rose, then anneals (Smith 2018).
        cycles: triangles, or cosine restarts, in the run.
        gamma: factor of each drop of ``step``, of the whole of ``exponential``, of each half-cycle of ``exp_range``.
        milestones: progress at which ``step`` drops.
        power: of ``polynomial`` and ``inverse``.
        inverse_gamma: of ``inverse`` (Caffe's ``inv``), per run.
        warmup: how the beginning is eased.
        warmup_share: share of the run that the warm-up takes.
        warmup_factor: learning rate of the warm-up's beginning over that of its end.
        cycle_weight_decay: lower it where the learning rate is high (Smith 2022, General Cyclical Training).
        weight_decay_factor: weight decay at the peak over that at the ends, where it is cycled.
    """

    steps: int
    max_lr: float
    policy: str = "one_cycle"
    base_momentum: float = 0.85
    max_momentum: float = 0.95
    weight_decay: float = 5e-4
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    anneal: Literal["cos", "linear"] = "cos"
    three_phase: bool = False
    cycles: float = 2.0
    gamma: float = 0.1
    milestones: tuple[float, ...] = (0.5, 0.75)
    power: float = 1.0
    inverse_gamma: float = 10.0
    warmup: Literal["none", "constant", "linear", "exponential"] = "none"
    warmup_share: float = 0.05
    warmup_factor: float = 0.1
    cycle_weight_decay: bool = False
    weight_decay_factor: float = 0.1

    @staticmethod
    def of(params: Hyperparameters, steps: int, max_lr: float, policy: str = "one_cycle") -> SchedulePlan:
        """The plan of a run with these hyperparameters; ``lr_multiplier`` is in ``max_lr`` already."""
        return SchedulePlan(
            steps=steps,
            max_lr=max_lr,
            policy=policy,
            base_momentum=params.base_momentum,
            max_momentum=params.max_momentum,
            weight_decay=params.weight_decay,
            pct_start=params.pct_start,
            div_factor=params.div_factor,
            final_div_factor=params.final_div_factor,
        )

    @property
    def min_lr(self) -> float:
        """The first learning rate of a cycle: ``max_lr / div_factor``."""
        return self.max_lr / self.div_factor


def build(plan: SchedulePlan) -> Schedule:
    """The policy with its warm-up, its momentum and its weight decay; progress outside [0, 1] is clamped.

    Raises:
        ValueError: if the plan cannot be followed, saying what came.
    """
    _check(plan)
    rate = _with_warmup(plan, SCHEDULES[plan.policy](plan))
    height = _height(plan)

    def at(progress: float) -> Knobs:
        p = min(max(progress, 0.0), 1.0)
        h = height(p)
        momentum = plan.max_momentum + (plan.base_momentum - plan.max_momentum) * h
        low = plan.weight_decay_factor if plan.cycle_weight_decay else 1.0
        return Knobs(rate(p), momentum, plan.weight_decay * (1.0 + (low - 1.0) * h))

    return at


def cos_between(start: float, end: float, fraction: float) -> float:
    """Half a cosine wave from ``start`` (fraction 0) to ``end`` (fraction 1)."""
    return end + (start - end) / 2.0 * (1.0 + math.cos(math.pi * fraction))


def linear_between(start: float, end: float, fraction: float) -> float:
    """A straight line from ``start`` (fraction 0) to ``end`` (fraction 1)."""
    return (end - start) * fraction + start


BETWEEN = {"cos": cos_between, "linear": linear_between}


def _corners(plan: SchedulePlan) -> list[tuple[float, float]]:
    """Corners (progress, height) of a one-cycle; height 1 is the peak, 0 the first learning rate.

    A rise of one step or less puts the peak on the first step, where PyTorch divides by zero.
    """
    last = max(plan.steps - 1, 1)
    peak = max(0.0, plan.pct_start * plan.steps - 1.0) / last
    if plan.three_phase:
        back = min(1.0, max(peak, (2.0 * plan.pct_start * plan.steps - 2.0) / last))
        return [(0.0, 0.0), (peak, 1.0), (back, 0.0), (1.0, 0.0)]
    return [(0.0, 0.0), (min(peak, 1.0), 1.0), (1.0, 0.0)]


def _piecewise(corners: list[tuple[float, float]], between: Callable[[float, float, float], float]) -> Shape:
    """From corner to corner; a stretch of no length is skipped, so that the later value holds."""
    stretches = [pair for pair in pairwise(corners) if pair[1][0] > pair[0][0]]

    def at(p: float) -> float:
        for (left, low), (right, high) in stretches:
            if p <= right:
                return between(low, high, (p - left) / (right - left))
        return corners[-1][1]

    return at


def one_cycle(plan: SchedulePlan) -> Shape:
    """Up to ``max_lr``, down again, and far below where it began (Smith 2018, arXiv:1803.09820, section 4.1).

    Two phases fall straight to the end; three fall back to the first learning rate, then anneal.
    """
    floor = plan.min_lr / plan.final_div_factor
    rates = {0.0: plan.min_lr, 1.0: plan.max_lr}
    corners = [(p, rates[height]) for p, height in _corners(plan)]
    corners[-1] = (1.0, floor)
    return _piecewise(corners, BETWEEN[plan.anneal])


def _triangle(plan: SchedulePlan, p: float) -> tuple[float, float]:
    """Index of the cycle, from 1, and height of its triangle (Smith 2017, arXiv:1506.01186, section 3)."""
    x = p * plan.cycles
    cycle = math.floor(x) + 1.0
    return cycle, 1.0 - abs(2.0 * (x - cycle + 1.0) - 1.0)


def _cyclical(plan: SchedulePlan, scale: Callable[[float, float], float]) -> Shape:
    def at(p: float) -> float:
        cycle, height = _triangle(plan, p)
        return plan.min_lr + (plan.max_lr - plan.min_lr) * max(0.0, height) * scale(cycle, p)

    return at


def triangular(plan: SchedulePlan) -> Shape:
    """Triangles of equal height between ``min_lr`` and ``max_lr``."""
    return _cyclical(plan, lambda _cycle, _p: 1.0)


def triangular2(plan: SchedulePlan) -> Shape:
    """Triangles of half the height of the one before."""
    return _cyclical(plan, lambda cycle, _p: 1.0 / 2.0 ** (cycle - 1.0))


def exp_range(plan: SchedulePlan) -> Shape:
    """Triangles under an exponential: ``gamma`` per half-cycle."""
    return _cyclical(plan, lambda _cycle, p: plan.gamma ** (2.0 * plan.cycles * p))


def constant(plan: SchedulePlan) -> Shape:
    """The peak all the way."""
    return lambda _p: plan.max_lr


def step(plan: SchedulePlan) -> Shape:
    """A factor ``gamma`` at every milestone."""
    return lambda p: plan.max_lr * plan.gamma ** sum(p >= milestone for milestone in plan.milestones)


def exponential(plan: SchedulePlan) -> Shape:
    """A straight line in the logarithm, from ``max_lr`` to ``gamma * max_lr``."""
    return lambda p: plan.max_lr * plan.gamma**p


def polynomial(plan: SchedulePlan) -> Shape:
    """``(1 - p)^power`` above the floor of a one-cycle, so that the last step still moves."""
    floor = plan.min_lr / plan.final_div_factor
    return lambda p: floor + (plan.max_lr - floor) * (1.0 - p) ** plan.power


def linear(plan: SchedulePlan) -> Shape:
    """A straight line from the peak to the floor of a one-cycle."""
    floor = plan.min_lr / plan.final_div_factor
    return lambda p: linear_between(plan.max_lr, floor, p)


def cosine(plan: SchedulePlan) -> Shape:
    """Half a cosine from the peak to the floor of a one-cycle."""
    floor = plan.min_lr / plan.final_div_factor
    return lambda p: cos_between(plan.max_lr, floor, p)


def cosine_restarts(plan: SchedulePlan) -> Shape:
    """``cycles`` half-cosines, each from the peak again (Loshchilov and Hutter 2017); the last ends at the floor."""
    floor = plan.min_lr / plan.final_div_factor
    return lambda p: cos_between(plan.max_lr, floor, 1.0 if p == 1.0 else (p * plan.cycles) % 1.0)


def inverse(plan: SchedulePlan) -> Shape:
    """``(1 + inverse_gamma * p)^-power``, Caffe's ``inv`` with progress in the place of iterations."""
    return lambda p: plan.max_lr * (1.0 + plan.inverse_gamma * p) ** -plan.power


SCHEDULES: Mapping[str, Callable[[SchedulePlan], Shape]] = {
    "one_cycle": one_cycle,
    "triangular": triangular,
    "triangular2": triangular2,
    "exp_range": exp_range,
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "polynomial": polynomial,
    "linear": linear,
    "cosine": cosine,
    "cosine_restarts": cosine_restarts,
    "inverse": inverse,
}

CYCLICAL = {"triangular", "triangular2", "exp_range"}


def _height(plan: SchedulePlan) -> Shape:
    """How far up the cycle is, in [0, 1]; momentum and weight decay run against it. 0 for policies without a cycle."""
    if plan.policy == "one_cycle":
        return _piecewise(_corners(plan), BETWEEN[plan.anneal])
    if plan.policy in CYCLICAL:
        return lambda p: max(0.0, _triangle(plan, p)[1])
    return lambda _p: 0.0


def _with_warmup(plan: SchedulePlan, rate: Shape) -> Shape:
    """The policy under a factor that rises to 1 over the warm-up (Goyal et al. 2017, arXiv:1706.02677, section 2.2)."""
    if plan.warmup == "none" or plan.warmup_share == 0.0:
        return rate
    factors: dict[str, Shape] = {
        "constant": lambda _q: plan.warmup_factor,
        "linear": lambda q: linear_between(plan.warmup_factor, 1.0, q),
        "exponential": lambda q: plan.warmup_factor ** (1.0 - q),
    }
    factor = factors[plan.warmup]
    return lambda p: rate(p) * (factor(p / plan.warmup_share) if p < plan.warmup_share else 1.0)


# Field, least and greatest value; None for no end. An end that is excluded is as good as the next number to it.
LIMITS: tuple[tuple[str, float, float | None], ...] = (
    ("steps", 1, None),
    ("max_lr", TINY, None),
    ("gamma", TINY, None),
    ("cycles", TINY, None),
    ("warmup_factor", TINY, None),
    ("power", TINY, None),
    ("div_factor", 1.0, None),
    ("final_div_factor", 1.0, None),
    ("pct_start", 0.0, 1.0),
    ("warmup_share", 0.0, 1.0),
    ("base_momentum", 0.0, 1.0),
    ("max_momentum", 0.0, 1.0),
)


def _check(plan: SchedulePlan) -> None:
    if plan.policy not in SCHEDULES:
        raise ValueError(f"`policy` is one of {', '.join(SCHEDULES)}, but got {plan.policy!r}.")
    for name, low, high in LIMITS:
        value = getattr(plan, name)
        if not (low <= value <= (math.inf if high is None else high)):
            raise ValueError(
                f"`{name}` lies between {low:g} and {'infinity' if high is None else high}, but got {value}."
            )
    if plan.base_momentum > plan.max_momentum:
        raise ValueError(
            f"`base_momentum <= max_momentum` must hold, but got {plan.base_momentum} and {plan.max_momentum}."
        )
    if plan.three_phase and plan.pct_start > 0.5:
        raise ValueError(f"`pct_start <= 0.5` must hold for three phases, but got {plan.pct_start}.")
