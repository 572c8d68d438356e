"""The ladder of complete cycles: what each cycle length reached, and the best of them so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from superconv_tune.core.yardstick import Yardstick
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Trial
from superconv_tune.verdict.statistics import LEVEL, wilson


@dataclass(frozen=True)
class Rung:
    """The result of all cycles of one length.

    Attributes:
        epochs: length of the cycles.
        value: best validation value.
        low: lower end of its 95 % interval (the value itself where the number of items is unknown).
        high: upper end of it.
        trials: number of complete cycles of this length.
    """

    epochs: float
    value: float
    low: float
    high: float
    trials: int


def independent_items(trial: Trial, yardstick: Yardstick) -> float | None:
    """Number of independent items behind the validation value of a trial, fewer where they come in groups."""
    return trial.outcome.validation_worth or yardstick.items


def complete_cycles(study: Study) -> list[Trial]:
    """Search trials that trained their whole cycle."""
    return [trial for trial in study.trials("search") if trial.is_whole]


def best(trials: Iterable[Trial], yardstick: Yardstick) -> Trial | None:
    """The trial with the best validation value, the first one of equals; None if there are no trials."""
    return max(trials, key=lambda trial: yardstick.worth(trial.value), default=None)


def rungs(study: Study, yardstick: Yardstick) -> tuple[Rung, ...]:
    """The result of every cycle length of the search, shortest first."""
    by_rung: dict[int, list[Trial]] = {}
    for trial in complete_cycles(study):
        by_rung.setdefault(trial.request.rung, []).append(trial)
    return tuple(_summary(trials, yardstick) for _, trials in sorted(by_rung.items()))


def _summary(trials: list[Trial], yardstick: Yardstick) -> Rung:
    top = max(trials, key=lambda trial: yardstick.worth(trial.value))
    items = independent_items(top, yardstick)
    low, high = wilson(top.value, items, LEVEL) if items else (top.value, top.value)
    return Rung(top.request.params.cycle_epochs, top.value, low, high, len(trials))


def best_so_far(study: Study, yardstick: Yardstick) -> Trial | None:
    """The best of the longest complete cycles, before there is a recipe; None without one.

    A shorter cycle is better only past the whole interval of the longest ones: then those went wrong (their learning
    rates were too high, or they over-trained). Without that margin the many short trials would be better by luck.
    """
    cycles = complete_cycles(study)
    rung = max((trial.request.rung for trial in cycles), default=0)
    longest = best((trial for trial in cycles if trial.request.rung == rung), yardstick)
    shorter = best((trial for trial in cycles if trial.request.rung < rung), yardstick)
    items = None if longest is None else independent_items(longest, yardstick)
    if longest is None or shorter is None or items is None:
        return longest
    limits = wilson(longest.value, items, 0.99)
    return shorter if yardstick.is_better(shorter.value, yardstick.best(limits)) else longest
