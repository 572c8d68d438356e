"""The evidence that a search had on every recorded task, and the truth."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.questions import validation_items
from benchmarks.calibration.record import read
from benchmarks.calibration.tasks import TASKS
from superconv_tune.core.bits import unpack
from superconv_tune.verdict.ladder import Rung
from superconv_tune.verdict.outlook import REACH, Known, inside, log_odds
from superconv_tune.verdict.verdict import Evidence, Repeat, data_slope, last_slope

Run = Mapping[str, str]


@dataclass(frozen=True)
class Judged:
    """One task of the library.

    Attributes:
        task: its name.
        family: see `LibraryTask`.
        evidence: as a search had it, with a small test part.
        steps: number of steps in the recipe's cycle.
        error: error of the recipe on all fresh examples.
        errors: least error at the lengths that were tried for the truth, by their multiple of the recipe's, 1 included.
        more_data: error of the recipe on twice the data; None if there were not enough examples.
    """

    task: str
    family: str
    evidence: Evidence
    steps: int
    error: float
    errors: Mapping[float, float]
    more_data: float | None

    def truth_within(self, stretch: float) -> float:
        """Least error of cycles up to this many times as long as the recipe's."""
        return min(error for longer, error in self.errors.items() if longer <= 1.01 * stretch)

    @property
    def truth(self) -> float:
        """Least error of cycles up to eight times as long, the recipe's own included."""
        return self.truth_within(REACH)

    @property
    def known(self) -> Known | None:
        """For the calibration; None where the recipe was not repeated at a shorter length."""
        slope = last_slope(self.evidence)
        return None if slope is None else Known(self.family, slope, log_odds(self.error) - log_odds(self.truth))

    @property
    def data_slopes(self) -> tuple[float, float] | None:
        """Fall of the log odds per log(examples) that the search would report, and the true one for twice the data."""
        predicted = data_slope(self.evidence)
        if predicted is None or self.more_data is None:
            return None
        return predicted.value, (log_odds(self.error) - log_odds(self.more_data)) / math.log(2.0)


def library() -> list[Judged]:
    """All tasks that are recorded and had a recipe confirmed, in the order of `TASKS`."""
    by_task: defaultdict[str, list[Run]] = defaultdict(list)
    for row in read():
        by_task[row["task"]].append(row)
    return [found for name in TASKS if (found := _judged(name, by_task[name])) is not None]


def _judged(name: str, runs: Sequence[Run]) -> Judged | None:
    by_role: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run["status"] == "finished":
            by_role[run["role"]].append(run)
    confirmed = by_role["confirm"]
    if not confirmed:
        return None
    correct = np.stack([unpack(run["correct"], int(run["items"])) for run in confirmed])
    error = _error(confirmed)
    evidence = Evidence(
        values=tuple(float(row.mean()) for row in correct),
        correct=correct,
        looks=1,
        rungs=_rungs(by_role["rung"]),
        validation_items=validation_items(TASKS[name].items),
        epochs=float(confirmed[0]["epochs"]),
        repeats=_repeats([*confirmed, *by_role["scaling"]]),
        is_bracketed=True,  # the first edition did not record it; a task that was not makes the bounds harder to meet
    )
    return Judged(
        task=name,
        family=TASKS[name].family,
        evidence=evidence,
        steps=int(confirmed[0]["steps"]),
        error=error,
        errors={1.0: error, **_errors(by_role["truth"], float(confirmed[0]["epochs"]))},
        more_data=_error(by_role["data"]) if by_role["data"] else None,
    )


def _rungs(runs: Sequence[Run]) -> tuple[Rung, ...]:
    """The best trial of every length, shortest first."""
    best = [(float(run["epochs"]), float(run["validation"])) for run in runs]
    return tuple(Rung(epochs, value, value, value, 1) for epochs, value in sorted(best))


def _error(runs: Sequence[Run]) -> float:
    mean = math.fsum(float(run["test"]) for run in runs) / len(runs)
    return inside(1.0 - mean, 20_000.0)


def _errors(runs: Sequence[Run], epochs: float) -> dict[float, float]:
    """Of every length, by how many times ``epochs`` it is."""
    lengths: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        lengths[run["epochs"]].append(run)
    return {float(length) / epochs: _error(found) for length, found in lengths.items()}


def _repeats(runs: Sequence[Run]) -> tuple[Repeat, ...]:
    values: defaultdict[tuple[float, float], list[float]] = defaultdict(list)
    for run in runs:
        values[float(run["epochs"]), float(run["data_share"])].append(float(run["validation"]))
    return tuple(Repeat(*key, math.fsum(found) / len(found), len(found)) for key, found in values.items())
