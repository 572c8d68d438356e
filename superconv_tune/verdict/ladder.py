"""The ladder of complete cycles: what each cycle length reached, and which configuration is worth confirming."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from superconv_tune.core.yardstick import Yardstick
from superconv_tune.record.purpose import RunOff
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Trial
from superconv_tune.verdict.statistics import wilson


@dataclass(frozen=True)
class Rung:
    """What cycles of one length reached.

    Attributes:
        epochs: length of the cycle.
        value: best validation value of the metric.
        low: lower end of its 95 % interval (the value itself where items are not counted).
        high: upper end of it.
        trials: complete cycles of this length.
    """

    epochs: float
    value: float
    low: float
    high: float
    trials: int


def complete_cycles(study: Study) -> list[Trial]:
    """Search trials that trained a whole cycle as asked."""
    return [trial for trial in study.trials("search") if trial.is_whole]


def best(trials: Iterable[Trial], yardstick: Yardstick) -> Trial | None:
    """The trial with the best validation value, the earlier one of equals; None where there is no trial."""
    return max(trials, key=lambda trial: yardstick.worth(trial.value), default=None)


def rungs(study: Study, yardstick: Yardstick) -> tuple[Rung, ...]:
    """What every cycle length of the search reached, shortest first."""
    by_rung: dict[int, list[Trial]] = {}
    for trial in complete_cycles(study):
        by_rung.setdefault(trial.request.rung, []).append(trial)
    return tuple(_summary(trials, yardstick) for _, trials in sorted(by_rung.items()))


def _summary(trials: list[Trial], yardstick: Yardstick) -> Rung:
    top = max(trials, key=lambda trial: yardstick.worth(trial.value))
    low, high = wilson(top.value, yardstick.items, 0.95) if yardstick.items else (top.value, top.value)
    return Rung(top.request.params.cycle_epochs, top.value, low, high, len(trials))


@dataclass(frozen=True)
class Contender:
    """One configuration of the longest cycles, and how often it was trained.

    Attributes:
        trials: whole cycles of it, the one that was searched first.
        value: mean validation value over them.
        margin: standard error of ``value`` through the items of the validation part; 0 where they are not counted.
    """

    trials: tuple[Trial, ...]
    value: float
    margin: float

    @property
    def origin(self) -> str:
        """Id of the search trial that tried it first."""
        return origin_of(self.trials[0])


def origin_of(trial: Trial) -> str:
    """Id of the search trial whose configuration a trial trains: its own, or that which a run-off repeats."""
    purpose = trial.request.purpose
    return purpose.parent if isinstance(purpose, RunOff) else trial.request.trial_id


def contenders(study: Study, yardstick: Yardstick) -> list[Contender]:
    """What may be the best configuration of the longest cycles, the safest first.

    Those are left out of which a seed diverged, and those whose upper limit is below the lower limit of another (one
    standard error each way). The lower limit ranks them, for the best of many single values is a lucky one.
    """
    top_rung = max((trial.request.rung for trial in complete_cycles(study)), default=0)
    groups: defaultdict[str, list[Trial]] = defaultdict(list)
    unsteady: set[str] = set()
    for trial in study.trials("search"):
        if trial.request.rung == top_rung:
            if trial.is_whole:
                groups[origin_of(trial)].append(trial)
            elif trial.went_wrong:
                unsteady.add(origin_of(trial))
    steady = {origin: trials for origin, trials in groups.items() if origin not in unsteady} or groups
    found = [_contender(trials, yardstick) for trials in steady.values()]
    safest = max((yardstick.worth(each.value) - each.margin for each in found), default=0.0)
    likely = [each for each in found if yardstick.worth(each.value) + each.margin >= safest]
    return sorted(likely, key=lambda each: yardstick.worth(each.value) - each.margin, reverse=True)


def _contender(trials: list[Trial], yardstick: Yardstick) -> Contender:
    value = math.fsum(trial.value for trial in trials) / len(trials)
    return Contender(tuple(trials), value, yardstick.standard_error(value) / math.sqrt(len(trials)))


def winner(study: Study, yardstick: Yardstick) -> Trial | None:
    """The trial whose configuration is confirmed: the safest of the longest cycles.

    A shorter cycle wins only if its validation is beyond the longest one's interval, for then the long cycle went wrong
    (its learning rate was too high, or it over-trained); without that margin the many short trials would win by luck.
    The best single values are compared for that, which are lucky on both sides.
    """
    leading = contenders(study, yardstick)
    if not leading:
        return None
    longest, cycles = leading[0].trials[0], complete_cycles(study)
    rung = longest.request.rung
    challenger = best((trial for trial in cycles if trial.request.rung < rung), yardstick)
    if challenger is None or yardstick.items is None:
        return longest
    luckiest = best((trial for trial in cycles if trial.request.rung == rung), yardstick) or longest
    limits = wilson(luckiest.value, yardstick.items, 0.99)
    return challenger if yardstick.is_better(challenger.value, yardstick.best(limits)) else longest
