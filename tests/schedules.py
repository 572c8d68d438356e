"""Helpers to compare schedules with torch's schedulers, and a strategy that draws schedules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

import numpy as np
import torch
from hypothesis import strategies as st
from torch.optim import SGD, lr_scheduler

from superconv_tune.lr.options import Option, options_of
from superconv_tune.lr.policies import SCHEDULES, Policy
from superconv_tune.lr.schedule import Knobs, Schedule
from superconv_tune.lr.span import Span

Make = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]


def ours(schedule: Schedule | Policy, **span: Any) -> list[Knobs]:
    """The knobs of each step of a run, by default of 101 steps with a peak of 1."""
    whole = schedule if isinstance(schedule, Schedule) else Schedule(policy=schedule)
    over = Span(**{"steps": 101, "max_lr": 1.0, **span})
    knobs = whole.knobs(over)
    return [knobs(step / max(1, over.steps - 1)) for step in range(over.steps)]


def torchs(make: Make, steps: int = 101, lr: float = 1.0) -> list[tuple[float, float]]:
    """Learning rate and momentum that each step uses under one of torch's schedulers."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    scheduler = make(optimizer)
    seen = []
    for step in range(steps):
        group = optimizer.param_groups[0]
        seen.append((float(group["lr"]), float(group["momentum"])))
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    return seen


def assert_same_rates(found: list[Knobs], make: Make) -> None:
    """Compare every step's learning rate with torch's, from a peak of 1."""
    expected = [lr for lr, _ in torchs(make, len(found))]
    np.testing.assert_allclose([knobs.lr for knobs in found], expected, rtol=1e-12, atol=1e-15)


def schedules() -> st.SearchStrategy[Schedule]:
    """Any schedule of any policy, with any options."""
    policies = st.one_of(*(st.builds(policy, **_drawn(policy)) for policy in SCHEDULES.values()))
    whole = st.builds(Schedule, **_drawn(Schedule))
    return st.builds(lambda schedule, policy: replace(schedule, policy=policy), whole, policies)


def _drawn(owner: type) -> dict[str, st.SearchStrategy[object]]:
    options = options_of(owner)
    return {name: _values(option) | st.just(option.default) for name, option in options.items()}


def _values(option: Option) -> st.SearchStrategy[object]:
    if get_origin(option.kind) is Literal:
        return st.sampled_from(get_args(option.kind))
    if option.kind is bool:
        return st.booleans()
    limits = option.limits
    low = limits.least if limits.above is None else limits.above
    numbers = st.floats(low, 1e6 if limits.most is None else limits.most, exclude_min=limits.above is not None)
    if get_origin(option.kind) is tuple:
        return st.lists(numbers, min_size=1, max_size=4, unique=True).map(lambda drawn: tuple(sorted(drawn)))
    return numbers
