"""The ladder of complete cycles: what each cycle length reached, and which recipe is worth confirming."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.record.study import Study, Trial, is_whole
from superconv_tune.record.trial import WENT_WRONG
from superconv_tune.verdict.statistics import wilson

Better = Callable[..., Trial]
Key = tuple[Hyperparameters, float | None]  # a configuration: all but the seed, with the peak as it was trained


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
    """Search trials that trained a whole cycle as asked: finished, and not shortened to keep the deadline."""
    return [trial for trial in study.trials("search") if is_whole(trial)]


def best(trials: list[Trial], direction: str) -> Trial | None:
    """The trial with the best validation value; the earlier one of equals."""
    if not trials:
        return None
    return _better(direction)(trials, key=_objective)


def rungs(study: Study, direction: str, validation_items: int | None) -> tuple[Rung, ...]:
    """What every cycle length of the search reached, shortest first.

    ``validation_items`` is the size of the validation part for a metric that is a mean over items, else None.
    """
    by_rung: dict[int, list[Trial]] = {}
    for trial in complete_cycles(study):
        by_rung.setdefault(trial[0].rung, []).append(trial)
    return tuple(_summary(trials, direction, validation_items) for _, trials in sorted(by_rung.items()))


def _key(trial: Trial) -> Key:
    request, outcome = trial
    return replace(request.params, lr_multiplier=1.0), outcome.max_lr


def _better(direction: str) -> Better:
    return max if direction == "max" else min


def _objective(trial: Trial) -> float:
    return trial[1].objective


def _summary(trials: list[Trial], direction: str, validation_items: int | None) -> Rung:
    top = _better(direction)(trials, key=_objective)
    value = top[1].objective
    low, high = wilson(value, validation_items, 0.95) if validation_items else (value, value)
    return Rung(top[0].params.cycle_epochs, value, low, high, len(trials))


@dataclass(frozen=True)
class Contender:
    """One configuration of the longest cycles, and how often it was trained.

    Attributes:
        trials: whole cycles of it, the one that was searched first.
        value: mean validation value over them.
        noise: standard error of one such value through the items of the validation part; 0 where they are not counted.
    """

    trials: tuple[Trial, ...]
    value: float
    noise: float

    @property
    def key(self) -> Key:
        """What all its trainings share."""
        return _key(self.trials[0])

    @property
    def margin(self) -> float:
        """Standard error of ``value``."""
        return self.noise / math.sqrt(len(self.trials))


def contenders(study: Study, direction: str, validation_items: int | None) -> list[Contender]:
    """What may be the best configuration of the longest cycles, the safest first.

    Those are left out of which a seed diverged, and those whose upper limit is below the lower limit of another (one
    standard error each way). The lower limit ranks them, for the best of many single values is a lucky one.
    """
    cycles = complete_cycles(study)
    top_rung = max((request.rung for request, _ in cycles), default=0)
    groups: defaultdict[Key, list[Trial]] = defaultdict(list)
    unstable: set[Key] = set()
    for trial in study.trials("search"):
        if trial[0].rung == top_rung:
            if is_whole(trial):
                groups[_key(trial)].append(trial)
            elif trial[1].status in WENT_WRONG:
                unstable.add(_key(trial))
    steady = {key: trials for key, trials in groups.items() if key not in unstable} or groups
    sign = 1.0 if direction == "max" else -1.0
    found = [_contender(trials, validation_items) for trials in steady.values()]
    safest = max((sign * each.value - each.margin for each in found), default=0.0)
    likely = [each for each in found if sign * each.value + each.margin >= safest]
    return sorted(likely, key=lambda each: sign * each.value - each.margin, reverse=True)


def _contender(trials: list[Trial], validation_items: int | None) -> Contender:
    value = math.fsum(outcome.objective for _, outcome in trials) / len(trials)
    noise = math.sqrt(max(0.0, value * (1.0 - value)) / validation_items) if validation_items else 0.0
    return Contender(tuple(trials), value, noise)


def winner(study: Study, direction: str, validation_items: int | None) -> Trial | None:
    """The recipe to confirm: the safest of the longest cycles.

    A shorter cycle wins only if its validation is beyond the longest one's interval, for then the long cycle went wrong
    (its learning rate was too high, or it over-trained); without that margin the many short trials would win by luck.
    The best single values are compared for that, which are lucky on both sides.
    """
    leading = contenders(study, direction, validation_items)
    if not leading:
        return None
    longest, cycles = leading[0].trials[0], complete_cycles(study)
    challenger = best([trial for trial in cycles if trial[0].rung < longest[0].rung], direction)
    if challenger is None or validation_items is None:
        return longest
    luckiest = best([trial for trial in cycles if trial[0].rung == longest[0].rung], direction) or longest
    low, high = wilson(luckiest[1].objective, validation_items, 0.99)
    beyond = challenger[1].objective > high if direction == "max" else challenger[1].objective < low
    return challenger if beyond else longest
