"""The recorded tasks: what a search knew of each, and what the best cycles reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.longer.tasks import SMALL_NET, TASKS
from superconv_tune.core.bits import unpack
from superconv_tune.verdict.ladder import Rung
from superconv_tune.verdict.outlook import REACH, Known, inside, log_odds
from superconv_tune.verdict.verdict import Evidence, Repeat, last_step

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Judged:
    """One search of a task.

    Attributes:
        task: name of the task.
        evidence: as the search had it, with the test part of a user.
        error: of the recipe, on items that neither the search nor its user has seen.
        errors: least error of the cycles of every length that was tried for the truth, by epochs.
    """

    task: str
    evidence: Evidence
    error: float
    errors: Mapping[float, float]

    @property
    def data(self) -> str:
        """The data set."""
        return TASKS[self.task].data

    @property
    def kind(self) -> str:
        """The kind of the task: ``images`` for a convolutional net with batch norm, or ``vectors``."""
        return "images" if TASKS[self.task].model == SMALL_NET else "vectors"

    def truth(self, horizon: float) -> float:
        """Least error of cycles of up to ``horizon`` epochs, that of the recipe included."""
        return min([self.error, *(error for epochs, error in self.errors.items() if epochs <= horizon)])

    def up_to(self, horizon: float) -> Evidence:
        """The evidence, for a question about cycles of up to ``horizon`` epochs."""
        return replace(self.evidence, horizon=horizon)

    @property
    def horizons(self) -> tuple[float, ...]:
        """The lengths of which the truth is known and that are longer than the recipe, within `REACH` times its own."""
        within = 1.01 * self.evidence.epochs, 1.01 * REACH * self.evidence.epochs
        return tuple(sorted(epochs for epochs in self.errors if within[0] < epochs <= within[1]))

    @property
    def known(self) -> Known | None:
        """For the calibration: the gain up to the farthest horizon, in proportion to log(length), at `REACH`.

        None where no shorter cycles are known, or no longer cycle was tried for the truth.
        """
        step = last_step(self.evidence)
        if step is None or not self.horizons:
            return None
        farthest = self.horizons[-1]
        share = math.log(farthest / self.evidence.epochs) / math.log(REACH)
        return Known(self.data, step.value, (log_odds(self.error) - log_odds(self.truth(farthest))) / share)


def library(truths: Sequence[Line], searches: Sequence[Line]) -> list[Judged]:
    """All searches of tasks with a truth that confirmed a recipe."""
    known = {line["task"]: line for line in truths}
    return [
        _judged(known[line["task"]], search)
        for line in searches
        if line["task"] in known
        for search in line["searches"]
        if search["evidence"] is not None
    ]


def _judged(truth: Line, search: Line) -> Judged:
    found, fresh = search["evidence"], truth["fresh"] / 2.0
    correct = np.stack([unpack(text, TASKS[truth["task"]].held) for text in found["correct"]])
    evidence = Evidence(
        values=tuple(float(row.mean()) for row in correct),
        correct=correct,
        looks=1,
        rungs=tuple(Rung(**rung) for rung in found["rungs"]),
        validation_items=found["validation_items"],
        epochs=found["epochs"],
        searched=found["searched"],
        repeats=tuple(Repeat(**repeat) for repeat in found["repeats"]),
        failed=found["failed"],
        is_bracketed=found["is_bracketed"],
    )
    errors = {each["epochs"]: inside(each["error"], fresh) for each in truth["truths"]}
    return Judged(truth["task"], evidence, inside(search["error"], fresh), errors)
