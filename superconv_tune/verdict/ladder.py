"""The ladder of complete cycles: what each cycle length reached, and which configuration to confirm."""

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
    low, high = wilson(top.value, items, 0.95) if items else (top.value, top.value)
    return Rung(top.request.params.cycle_epochs, top.value, low, high, len(trials))


@dataclass(frozen=True)
class Contender:
    """One configuration of the longest cycles, with all trials that trained it.

    Attributes:
        trials: its complete cycles, that of the search before those of the run-off.
        value: mean validation value over the trials.
        margin: standard error of ``value`` from the number of validation items; 0 where that is unknown.
    """

    trials: tuple[Trial, ...]
    value: float
    margin: float

    @property
    def origin(self) -> str:
        """Id of the search trial that trained it first."""
        return origin_of(self.trials[0])


def origin_of(trial: Trial) -> str:
    """Id of the search trial whose configuration a trial trains: for a run-off, the trial that it repeats."""
    purpose = trial.request.purpose
    return purpose.parent if isinstance(purpose, RunOff) else trial.request.trial_id


def contenders(study: Study, yardstick: Yardstick) -> list[Contender]:
    """Configurations of the longest cycles that may be the best one, the safest first.

    Configurations of which a seed diverged are excluded, and so are those whose upper limit is below the lower limit of
    another (one standard error each way). The lower limit ranks them, because the best of many single values is lucky.
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

    A shorter cycle wins only if its validation value is better than the whole interval of the longest one: then the
    long cycle went wrong (its learning rate was too high, or it over-trained). Without that margin the many short
    trials would win by luck. This compares the best single values, which are equally lucky on both sides.
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
