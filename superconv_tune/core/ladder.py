"""The ladder of complete cycles: what each cycle length reached, and which recipe is worth confirming."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from superconv_tune.core.statistics import wilson
from superconv_tune.core.study import Study, Trial

Better = Callable[..., Trial]


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


def is_whole(trial: Trial) -> bool:
    """Whether the cycle ended as asked and was judged."""
    outcome = trial[1]
    return outcome.status == "finished" and not outcome.shortened and outcome.validation is not None


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


def _better(direction: str) -> Better:
    return max if direction == "max" else min


def _objective(trial: Trial) -> float:
    return trial[1].objective


def _summary(trials: list[Trial], direction: str, validation_items: int | None) -> Rung:
    top = _better(direction)(trials, key=_objective)
    value = top[1].objective
    low, high = wilson(value, validation_items, 0.95) if validation_items else (value, value)
    return Rung(top[0].params.cycle_epochs, value, low, high, len(trials))


def winner(study: Study, direction: str, validation_items: int | None) -> Trial | None:
    """The recipe to confirm: the best of the longest cycles.

    A shorter cycle wins only if its validation is beyond the longest one's interval, for then the long cycle went wrong
    (its learning rate was too high, or it over-trained); without that margin the many short trials would win by luck.
    """
    cycles = complete_cycles(study)
    if not cycles:
        return None
    top_rung = max(request.rung for request, _ in cycles)
    top = best([trial for trial in cycles if trial[0].rung == top_rung], direction)
    challenger = best(cycles, direction)
    if top is None or challenger is None or validation_items is None:
        return top
    low, high = wilson(top[1].objective, validation_items, 0.99)
    beyond = challenger[1].objective > high if direction == "max" else challenger[1].objective < low
    return challenger if beyond else top
