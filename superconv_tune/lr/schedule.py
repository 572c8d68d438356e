"""A schedule: a learning-rate policy with a warm-up, and the momentum and weight decay that follow it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Literal, TypeVar

from superconv_tune.core.errors import did_you_mean
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.options import Checked, Factor, Limits, Option, Share, as_text, options_of
from superconv_tune.lr.policies import SCHEDULES, OneCycle, Policy, Shape, linear_between
from superconv_tune.lr.span import Span

T = TypeVar("T")
ONE_CYCLE = OneCycle()
HYPERPARAMETERS = {field.name for field in fields(Hyperparameters)}


@dataclass(frozen=True, slots=True)
class Knobs:
    """The learning rate, momentum and weight decay of one optimizer step."""

    lr: float
    momentum: float
    weight_decay: float


@dataclass(frozen=True, kw_only=True)
class Schedule(Checked):
    """How learning rate, momentum and weight decay run through a trial.

    Attributes:
        policy: the learning-rate policy.
        warmup: shape of the warm-up, which any policy can have.
        warmup_share: share of the run that the warm-up takes.
        warmup_factor: factor on the learning rate at the beginning of the warm-up.
        cycle_weight_decay: whether weight decay falls where the learning rate rises (Smith 2022, General Cyclical
            Training, arXiv:2202.08835).
        weight_decay_factor: weight decay at the peak divided by that at the ends, where it is cycled.
    """

    policy: Policy = ONE_CYCLE
    warmup: Literal["none", "constant", "linear", "exponential"] = "none"
    warmup_share: Share = 0.05
    warmup_factor: Factor = 0.1
    cycle_weight_decay: bool = False
    weight_decay_factor: Annotated[float, Limits(least=0)] = 0.1

    @property
    def name(self) -> str:
        """The name of the policy."""
        return self.policy.name

    @property
    def label(self) -> str:
        """A unique short text: the policy's name and, in brackets, every option that differs from its default."""
        options = [f"{key}={as_text(value)}" for key, value in as_mapping(self).items() if key != "policy"]
        return self.name + (f"({', '.join(options)})" if options else "")

    @property
    def is_cyclical(self) -> bool:
        """Whether momentum falls while the learning rate rises; otherwise it stays at ``max_momentum``."""
        return self.policy.is_cyclical

    def knobs(self, span: Span) -> Callable[[float], Knobs]:
        """Map progress to the knobs of a step; progress outside [0, 1] is clamped.

        Raises:
            ValueError: if the policy cannot run over this span.
        """
        rate, height = self._with_warmup(self.policy.rate(span)), self.policy.height(span)
        low = self.weight_decay_factor if self.cycle_weight_decay else 1.0

        def at(progress: float) -> Knobs:
            p = min(max(progress, 0.0), 1.0)
            h = height(p)
            momentum = span.max_momentum + (span.base_momentum - span.max_momentum) * h
            return Knobs(rate(p), momentum, span.weight_decay * (1.0 + (low - 1.0) * h))

        return at

    def _with_warmup(self, rate: Shape) -> Shape:
        """The rate times a factor that rises to 1 over the warm-up (Goyal et al. 2017, arXiv:1706.02677, 2.2)."""
        if self.warmup == "none" or self.warmup_share == 0.0:
            return rate
        factors: dict[str, Shape] = {
            "constant": lambda _q: self.warmup_factor,
            "linear": lambda q: linear_between(self.warmup_factor, 1.0, q),
            "exponential": lambda q: self.warmup_factor ** (1.0 - q),
        }
        factor = factors[self.warmup]
        return lambda p: rate(p) * (factor(p / self.warmup_share) if p < self.warmup_share else 1.0)


def schedule_from(value: object) -> Schedule:
    """Read a schedule from the name of a policy, a flat mapping or a text.

    Args:
        value: ``cosine``, ``{policy: cosine, warmup: linear}`` or ``cosine,warmup=linear``; a list of numbers is
            written ``0.3/0.6/0.9`` in text.

    Raises:
        ValueError: with a sentence for each thing that is wrong.
    """
    if not isinstance(value, str | Mapping):
        raise ValueError(f"takes the name of a policy, or a mapping, but got {value!r}. Known: {', '.join(SCHEDULES)}.")
    given = _parsed(value) if isinstance(value, str) else dict(value)
    name = given.pop("policy", OneCycle.name)
    if not isinstance(name, str) or name not in SCHEDULES:
        raise ValueError(f"policy is unknown: {name!r}. {did_you_mean(name, SCHEDULES)}")
    own, shared = _own_options(name), options_of(Schedule)
    faults = [_unknown(name, option, [*own, *shared]) for option in given if option not in {**own, **shared}]
    policy = _made(SCHEDULES[name], {key: own[key].read(given[key]) for key in own if key in given}, faults)
    common = {key: shared[key].read(given[key]) for key in shared if key in given}
    schedule = _made(Schedule, common | ({} if policy is None else {"policy": policy}), faults)
    if faults or schedule is None:
        raise ValueError(" ".join(faults))
    return schedule


def as_mapping(schedule: Schedule) -> dict[str, object]:
    """The flat mapping that `schedule_from` reads: the policy, and every option that differs from its default."""
    mapping: dict[str, object] = {"policy": schedule.name}
    for part, options in ((schedule.policy, _own_options(schedule.name)), (schedule, options_of(Schedule))):
        values = {name: getattr(part, name) for name, option in options.items()}
        changed = {name: value for name, value in values.items() if value != options[name].default}
        mapping |= {name: list(value) if isinstance(value, tuple) else value for name, value in changed.items()}
    return mapping


def _own_options(name: str) -> dict[str, Option]:
    return {key: option for key, option in options_of(SCHEDULES[name]).items() if key != "name"}


def _parsed(text: str) -> dict[str, object]:
    """The flat mapping of ``policy,option=value,option=value``."""
    name, *options = (part.strip() for part in text.split(","))
    pairs = [("policy", "=", name), *(option.partition("=") for option in options)]
    keys = [key.strip() for key, _, _ in pairs]
    if not all(sign for _, sign, _ in pairs):
        raise ValueError(f"takes policy,option=value,…, but got {text!r}. Write for example cosine,warmup=linear.")
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"names {twice[0]} twice: {text!r}. Keep one.")
    return {key: value.strip() for key, (_, _, value) in zip(keys, pairs, strict=True)}


def _unknown(name: str, option: object, known: list[str]) -> str:
    """Why a schedule with this policy does not take an option, and what it takes."""
    if option in HYPERPARAMETERS:
        return f"{option} is a hyperparameter and no option of a schedule. Set it under space."
    owners = [other for other in SCHEDULES if option in _own_options(other)]
    if owners:
        return f"{option} is an option of {', '.join(owners)}, not of {name}. Known: {', '.join(known)}."
    return f"{name} has no option {option!r}. {did_you_mean(option, known)}"


def _made(kind: Callable[..., T], options: dict[str, object], faults: list[str]) -> T | None:
    """An instance of a checked dataclass; None if an option is wrong, and then ``faults`` gets the message."""
    try:
        return kind(**options)
    except ValueError as error:
        faults.append(str(error))
        return None
