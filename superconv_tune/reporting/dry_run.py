"""The plan of a search as text, for ``--dry-run``."""

from __future__ import annotations

import math

from superconv_tune.core.space import Choice, Dimension, SearchSpace
from superconv_tune.record.plan import Plan
from superconv_tune.reporting.sentences import duration


def plan_words(plan: Plan, space: SearchSpace, workers: int, budget_s: float) -> str:
    """The search space, the rungs, and the seconds and worker-seconds of every phase, as lines."""
    head = f"Budget {duration(budget_s)} on {workers} worker{'s' * (workers != 1)}."
    if not plan.rungs:
        return (
            f"{head} The models are fitted and not trained in cycles: defaults first, then other options; seconds each."
        )
    lines = [f"{head} Searched:"]
    lines += [f"  {name:<17} {_dimension(dimension)}" for name, dimension in space.items()]
    lines.append(f"{'phase':<14}{'epochs':>8}{'trials':>8}{'each':>10}{'wall':>10}{'worker-s':>10}")
    for index, (rung, trial_s) in enumerate(zip(plan.rungs, plan.trial_s, strict=True)):
        length = f"<= {rung.epochs:g}" if rung.free else f"{rung.epochs:g}"
        if rung.width:
            lines.append(_row(f"rung {index}", length, rung.width, trial_s, workers))
    lines.append(_row("confirmation", f"{plan.rungs[-1].epochs:g}", plan.confirm_seeds, plan.trial_s[-1], workers))
    if plan.is_too_small:
        lines.append(
            f"The budget has room for too few cycles of even {plan.rungs[-1].epochs:g} epochs "
            f"({plan.trial_s[-1]:.1f} s each); one rung is searched and confirmed as far as it fits."
        )
    return "\n".join(lines)


def _row(phase: str, epochs: str, trials: int, trial_s: float, workers: int) -> str:
    wall_s = math.ceil(trials / workers) * trial_s
    return f"{phase:<14}{epochs:>8}{trials:>8}{trial_s:>9.1f}s{wall_s:>9.0f}s{trials * trial_s:>10.0f}"


def _dimension(dimension: Dimension) -> str:
    if isinstance(dimension, Choice):
        return ", ".join(f"{value:g}" for value in dimension.values)
    return f"{dimension.low:g} … {dimension.high:g}{' (log)' if dimension.log else ''}"
