"""What the verdict would have said of more data, with the data set left out, and how often it was right."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.more_data.record import Cell
from benchmarks.more_data.tasks import TASKS
from superconv_tune.core.bits import unpack
from superconv_tune.verdict.more_data import FARTHEST, Growth, Known, Slope, fitted, times_needed, with_more_data
from superconv_tune.verdict.outlook import inside, log_odds
from superconv_tune.verdict.statistics import proportion
from superconv_tune.verdict.verdict import Repeat, slope_of_data

LEVEL = 0.9
LEAST_ITEMS = 100  # to train on; with fewer no user asks
HELD_OUT = 0.15 / 0.7  # validation items, and test items, for one to train on, as a user's split has them
FACTORS = (1, 2, 3)  # doublings of the data: two, four and eight times
SHORT = 1.0 / 3.0  # of the recipe's length, at which less data is tried

Bits = NDArray[np.bool_]
Table = Mapping[Cell, tuple[int, Bits]]


def table_of(rows: Sequence[Mapping[str, str]]) -> dict[Cell, tuple[int, Bits]]:
    """Number of examples, and which test items were right, of every model that finished."""
    return {
        Cell.of(row): (int(row["items"]), unpack(row["correct"], int(row["judged"])))
        for row in rows
        if row["status"] == "finished"
    }


@dataclass(frozen=True)
class Question:
    """A recipe on some examples, asked for more of them.

    Attributes:
        task: name of the task.
        items: number of examples.
        times: how many times as many are asked for.
        known: the case as the library knows it, from all test items.
        slope: what less data showed on as many validation items as a user would have.
        correct: of fresh models on as many test items as a user would have, shape [models, items].
        truth: accuracy on the larger number of examples, on the other test items.
    """

    task: str
    items: int
    times: float
    known: Known
    slope: Slope
    correct: Bits
    truth: float


@dataclass(frozen=True)
class Answer:
    """An interval for the accuracy on more data, and for how many times the data the truth would take."""

    question: Question
    low: float
    high: float
    least_times: float | None
    most_times: float | None

    @property
    def is_right(self) -> bool:
        """Whether the truth lies in the interval."""
        return self.low <= self.question.truth <= self.high

    @property
    def knows_times(self) -> bool:
        """Whether the true number of times lies in the interval that is named for reaching the truth."""
        least, most = self.least_times or math.inf, self.most_times or math.inf
        return least <= self.question.times <= most or (least > FARTHEST <= self.question.times)


def questions(table: Table) -> Iterator[Question]:
    """All questions that the table answers."""
    models: defaultdict[tuple[str, int, bool], list[Bits]] = defaultdict(list)
    items: dict[tuple[str, int], int] = {}
    for cell, (number, correct) in sorted(table.items(), key=lambda each: each[0].seed):
        models[cell.task, cell.halvings, cell.is_short].append(correct)
        items[cell.task, cell.halvings] = number
    for (task, halvings), number in items.items():
        shorter = [models[task, halvings + less, True] for less in range(3)]
        recipe = models[task, halvings, False]
        if number < LEAST_ITEMS or not recipe or not all(shorter):
            continue
        for doublings in FACTORS:
            more = models.get((task, halvings - doublings, False))
            if more:
                yield _question(task, number, doublings, recipe, shorter, more)


def _question(
    task: str, items: int, doublings: int, recipe: list[Bits], shorter: list[list[Bits]], more: list[Bits]
) -> Question:
    held = max(10, round(HELD_OUT * items))
    validation, test, rest = slice(held), slice(held, 2 * held), slice(2 * held, None)
    # As in a search: two seeds on all of the data, one on a half and on a quarter.
    counts = (2, 1, 1)
    repeats = [
        Repeat(SHORT, 0.5**less, float(np.mean([bits[validation] for bits in found[:count]])), min(count, len(found)))
        for less, (found, count) in enumerate(zip(shorter, counts, strict=True))
    ]
    exact = [Repeat(SHORT, 0.5**less, float(np.mean(found)), len(found)) for less, found in enumerate(shorter)]
    slope, true_slope = slope_of_data(repeats, held), slope_of_data(exact, len(recipe[0]))
    assert slope is not None
    assert true_slope is not None
    judged = len(recipe[0])
    ends = [log_odds(inside(1.0 - float(np.mean(found)), judged)) for found in (recipe, more)]
    rate = (ends[0] - ends[1]) / (doublings * math.log(2.0))
    truth = float(np.mean([bits[rest] for bits in more]))
    case = Known(TASKS[task].data, true_slope.value, rate)
    correct = np.stack([bits[test] for bits in recipe])
    return Question(task, items, 2.0**doublings, case, slope, correct, truth)


def growth_without(asked: Sequence[Question]) -> dict[str, Growth]:
    """For each data set, the library without it."""
    return {
        name: fitted([each.known for each in asked if each.known.data != name])
        for name in {each.known.data for each in asked}
    }


def answers(asked: Sequence[Question]) -> list[Answer]:
    """Each question answered by a library without its data set."""
    growth = growth_without(asked)
    return [_answer(each, growth[each.known.data]) for each in asked]


def _answer(question: Question, growth: Growth) -> Answer:
    tail = (1.0 - LEVEL) / 2.0
    spread, slope = proportion(question.correct), question.slope
    found = with_more_data(spread, slope, question.times, growth)
    least, most = (
        times_needed(spread, slope, 1.0 - question.truth, probability, growth) for probability in (tail, 1.0 - tail)
    )
    return Answer(question, 1.0 - found.error_at(1.0 - tail), 1.0 - found.error_at(tail), least, most)
