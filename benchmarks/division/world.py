"""The world of a replay: tasks whose cycles were recorded, how long they take, and what a trial in them brings.

Everything that competes lives in the same world: a cycle costs what its steps cost while all workers are busy, its
value is that of the surface with the noise of a seed and of the real number of validation items, and it may diverge.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.division.surface import Cycle, Surface
from benchmarks.rows import read as rows_of
from superconv_tune.core.bits import pack
from superconv_tune.lr.lr_range import RangeTestResult, Refusal
from superconv_tune.record.trial import Ramps, TrialOutcome, TrialRequest

TABLE = Path(__file__).parent.parent / "cycles"
SIZES = (32, 64, 128, 256)
START_S, END_S = 10.0, 8.0  # from the command to the first trial, and from the last one to the report
AROUND_S = 0.3  # of a trial, besides training and evaluation
DIVERGED_SHARE = 0.3  # of its cycle, after which a diverging trial ends
LONGEST = 243.0  # epochs of the longest cycle that is asked for, in a world as slow as that requires
RAMP_ERROR = 1.2  # octaves, standard deviation of the range test's pick about the best peak of one epoch
REFUSED = 0.1  # share of range tests that give no peak
COARSE_PER_DECADE, FINE_PER_DECADE = 15, 60  # steps of a ramp
EDGE = 8.0  # times the range test's pick
HALF_THE_DATA = 0.03  # accuracy that is lost with every halving of the data, at the same number of steps
BASELINE_HANDICAP = 0.01  # accuracy that other policies lose
IMAGE_STEP_S, IMAGE_EXAMPLE_S, TABLE_STEP_S = 0.01, 0.03 / 64, 1e-3  # where no speed was measured
TRAIN_PER_VALIDATION, USUAL_TEST = 9, 1500
# Accuracy of a constant guess, by data; the lowest recorded one where it is not known.
TRIVIAL: Mapping[str, float] = {
    "photos10": 0.1,
    "photos1000": 0.1,
    "photos5": 0.2,
    "animals20": 0.05,
    "fashion": 0.1,
    "digits": 0.1,
    "phoneme": 0.707,
    "german": 0.7,
}
TABLES = ("phoneme", "german", "abalone", "digits")


@dataclass(frozen=True)
class Items:
    """Sizes of the three parts."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Task:
    """A task with its optimizer.

    Attributes:
        name: as in the table.
        surface: what its cycles reach.
        items: sizes of its parts.
        step_s: seconds of a step by batch size while the other workers are busy.
        alone_s: the same on an idle machine, which is what a preflight measures.
        eval_s: of one evaluation of the validation part.
        slow: how many times as long everything takes, as if the data were so many times as many.
    """

    name: str
    surface: Surface
    items: Items
    step_s: Mapping[int, float]
    alone_s: Mapping[int, float]
    eval_s: float
    slow: float = 1.0

    @property
    def optimizer(self) -> str:
        """``sgd`` or ``adamw``."""
        return self.name.rsplit("-", 1)[1]

    @property
    def rates(self) -> tuple[float, float]:
        """Lowest and highest recorded peak."""
        rates = [max_lr for _, max_lr, _, _ in self.surface.recorded]
        return min(rates), max(rates)

    def steps(self, epochs: float, batch_size: int) -> int:
        """Optimizer steps of a cycle."""
        return max(1, round(epochs * (self.items.train // batch_size)))

    def train_s(self, epochs: float, batch_size: int) -> float:
        """Seconds of a cycle's steps."""
        return self.steps(epochs, batch_size) * self.slow * self.step_s[batch_size]

    def trial_s(self, epochs: float, batch_size: int) -> float:
        """Seconds of a trial of one cycle and its evaluation."""
        return self.train_s(epochs, batch_size) + self.slow * self.eval_s + AROUND_S

    def epochs_in(self, seconds: float, batch_size: int) -> float:
        """Length of the cycle that such a trial trains."""
        left_s = seconds - self.slow * self.eval_s - AROUND_S
        return max(0.0, left_s) / self.train_s(100.0, batch_size) * 100.0

    def slowed(self, budget_s: float) -> Task:
        """The task in a world so slow that the longest cycle which a search could want is within `LONGEST`.

        The factor is a power of two, and 1 where the longest cycle is short enough as it is.
        """
        longest = max(self.epochs_in(_worker_s(budget_s), size) for size in self.step_s)
        slow = 2.0 ** max(0, math.ceil(math.log2(longest / LONGEST)))
        return Task(self.name, self.surface, self.items, self.step_s, self.alone_s, self.eval_s, slow)

    def best(self, budget_s: float) -> float:
        """The best in hindsight: expected accuracy of the best recorded setting, trained for half of one worker's time.

        So long is the longest cycle of which one worker can train two seeds. Shorter ones are not excluded.
        """
        values = []
        for size in SIZES:
            longest = self.epochs_in(_worker_s(budget_s), size)
            lengths = np.geomspace(min(1.0, longest), longest, 12)
            values += [self.surface.best(float(epochs), size) for epochs in lengths if epochs > 0.0]
        return max(values, default=self.surface.trivial)

    def drawn(self, skill: float, items: int, rng: np.random.Generator) -> float:
        """Share of that many items that a model of this skill gets right."""
        return float(rng.binomial(items, min(max(skill, 0.0), 1.0))) / items

    def trained(
        self, setting: Setting, rng: np.random.Generator, more: float = 0.0, share: float = 1.0
    ) -> tuple[float, bool]:
        """Accuracy of one model without the noise of items, and whether it diverged.

        Args:
            setting: of the cycle.
            rng: of the seed.
            more: accuracy that something else adds.
            share: how much of what was learned is kept.
        """
        of = self.surface
        lost = bool(rng.random() < float(of.lost(setting.epochs, setting.batch_size, setting.max_lr)))
        skill = self.accuracy(setting) + more + rng.normal(0.0, of.noise.spread)
        return (of.trivial, True) if lost else (of.trivial + (skill - of.trivial) * share, False)

    def expected(self, setting: Setting) -> float:
        """Expected accuracy of a complete cycle, which may diverge."""
        return float(self.surface.expected(setting.epochs, setting.batch_size, setting.max_lr, *setting.rest))

    def accuracy(self, setting: Setting) -> float:
        """Expected accuracy of a cycle that finished."""
        return float(self.surface.accuracy(setting.epochs, setting.batch_size, setting.max_lr, *setting.rest))


@dataclass(frozen=True)
class Setting:
    """What is trained."""

    epochs: float
    batch_size: int
    max_lr: float
    weight_decay: float | None = None
    label_smoothing: float = 0.0

    @property
    def rest(self) -> tuple[float | None, float]:
        """Weight decay (None for that of most recorded cycles) and label smoothing."""
        return self.weight_decay, self.label_smoothing


def _worker_s(budget_s: float) -> float:
    """Half of one worker's time."""
    return (budget_s - START_S - END_S) / 2.0


@lru_cache(maxsize=4)
def tasks(folder: Path = TABLE, busy: int = 2) -> dict[str, Task]:
    """Every task of the table in ``folder``, in the speed of that many busy workers of one machine."""
    cycles: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(folder / "cycles.csv"):
        cycles[row["task"]].append(row)
    speeds: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(folder / "speeds.csv"):
        speeds[row["task"]].append(row)
    return {name: _task(name, rows, speeds[name], busy) for name, rows in sorted(cycles.items())}


def _task(name: str, rows: list[dict[str, str]], speeds: list[dict[str, str]], busy: int) -> Task:
    items = _items(rows, speeds)
    counted = [row for row in rows if row["status"] in ("finished", "diverged", "nan") and _is_usual(row, rows)]
    trivial = TRIVIAL.get(name.split("-", maxsplit=1)[0])
    if trivial is None:
        trivial = min(float(row["validation"]) for row in counted if row["validation"])
    cycles = [_cycle(row, items, trivial) for row in counted]
    surface = Surface.of(cycles, trivial, items.validation + items.test, SIZES)
    eval_s = [float(row["eval_s"]) for row in speeds]
    step_s, alone_s = (_step_s(name, speeds, workers) for workers in (busy, 1))
    return Task(name, surface, items, step_s, alone_s, eval_s=max(eval_s, default=10 * step_s[64]))


def _is_usual(row: Mapping[str, str], rows: Iterable[Mapping[str, str]]) -> bool:
    """Whether the gradients were clipped as in most cycles of the task."""
    clips = [other["clip"] for other in rows]
    return row["clip"] == max(sorted(set(clips)), key=clips.count)


def _cycle(row: Mapping[str, str], items: Items, trivial: float) -> Cycle:
    """A recorded cycle, judged on the items of both parts together."""
    finished = row["status"] == "finished"
    pairs = ((row["validation"], items.validation), (row["test"], items.test))
    known = [(float(value), count) for value, count in pairs if value]
    accuracy = sum(value * count for value, count in known) / sum(count for _, count in known) if finished else trivial
    return Cycle(
        epochs=float(row["epochs"]),
        batch_size=int(row["batch_size"]),
        max_lr=float(row["max_lr"]),
        weight_decay=float(row["weight_decay"]),
        label_smoothing=float(row["label_smoothing"] or 0.0),
        finished=finished,
        accuracy=accuracy,
    )


def _items(rows: Iterable[Mapping[str, str]], speeds: list[dict[str, str]]) -> Items:
    """Sizes of the parts; where no speed was measured, from the steps of an epoch, and as the table was recorded."""
    if speeds:
        train, validation, test = (int(speeds[0][f"{part}_items"]) for part in ("train", "validation", "test"))
        return Items(train, validation, test)
    finished = [row for row in rows if row["status"] == "finished"]
    train = max(round(float(row["steps"]) / float(row["epochs"])) * int(row["batch_size"]) for row in finished)
    return Items(train, max(1, train // TRAIN_PER_VALIDATION), USUAL_TEST)


def _step_s(name: str, speeds: list[dict[str, str]], workers: int) -> dict[int, float]:
    """Seconds of a step by batch size with so many busy workers, or with the nearest number that was measured.

    Between measured sizes they are straight, beyond them in proportion to the size.
    """
    if not speeds:
        images = {size: IMAGE_STEP_S + IMAGE_EXAMPLE_S * size for size in SIZES}
        return dict.fromkeys(SIZES, TABLE_STEP_S) if name.startswith(TABLES) else images
    nearest = min({int(row["busy_workers"]) for row in speeds}, key=lambda busy: abs(busy - workers))
    seen = {int(row["batch_size"]): float(row["step_s"]) for row in speeds if int(row["busy_workers"]) == nearest}
    known = sorted(seen)
    inside = {size: min(max(size, known[0]), known[-1]) for size in SIZES}
    return {
        size: float(np.interp(near, known, [seen[other] for other in known])) * max(1.0, size / near)
        for size, near in inside.items()
    }


@dataclass(frozen=True)
class TabledWorld:
    """Trials of the real planner, answered by a task."""

    task: Task

    def run(self, request: TrialRequest, now: float, slot: int) -> tuple[TrialOutcome, float]:
        """The outcome of a trial that begins now, and its duration in seconds; all workers are equally fast."""
        del slot
        rng = np.random.default_rng(request.seed)
        if isinstance(request.work, Ramps):
            return self._ramps(request, request.work, now, rng)
        return self._cycle(request, now, rng)

    def _ramps(
        self, request: TrialRequest, work: Ramps, now: float, rng: np.random.Generator
    ) -> tuple[TrialOutcome, float]:
        decades = math.log10(work.high / work.low)
        fine = work.steps or round(FINE_PER_DECADE * decades)
        steps = fine * (1.5 if work.is_checked else 1.0) + work.is_centred * round(COARSE_PER_DECADE * decades)
        ramp_s = steps * self.task.slow * self.task.step_s[request.params.batch_size] + AROUND_S
        took = min(ramp_s, max(0.0, request.deadline - now))
        seen = _range_test(self.task, request.params.batch_size, round(steps), rng)
        facts = {"objective": self.task.surface.trivial, "range_test_s": took, "wall_s": took, "range_test": seen}
        if took < ramp_s:
            status, reason, facts["range_test"] = "deadline", "the deadline came within a ramp", None
        else:
            status, reason = ("finished", "") if seen.refusal is None else ("no_lr", seen.refusal)
        return TrialOutcome(request.trial_id, request.attempt, status, reason=reason, **facts), took  # type: ignore[arg-type]

    def _cycle(self, request: TrialRequest, now: float, rng: np.random.Generator) -> tuple[TrialOutcome, float]:
        task, params, cycle = self.task, request.params, request.cycle
        setting = Setting(
            params.cycle_epochs, params.batch_size, cycle.max_lr, params.weight_decay, params.label_smoothing
        )
        parts = 1.0 + (task.items.test / task.items.validation if cycle.reads_test else 0.0)
        eval_s = task.slow * task.eval_s * parts
        room_s = max(0.0, request.deadline - now - eval_s - AROUND_S)
        planned_s = task.train_s(setting.epochs, setting.batch_size)
        kept = min(1.0, room_s / planned_s)
        less = HALF_THE_DATA * math.log2(cycle.data_share) - BASELINE_HANDICAP * (request.kind == "baseline")
        skill, lost = task.trained(setting, rng, less, share=kept)
        train_s = planned_s * min(kept, DIVERGED_SHARE if lost else 1.0)
        validation = task.drawn(skill, task.items.validation, rng)
        right = rng.random(task.items.test) < skill
        reads_test = cycle.reads_test and not lost
        wall_s = train_s + (0.0 if lost else eval_s) + AROUND_S
        return TrialOutcome(
            request.trial_id,
            request.attempt,
            "diverged" if lost else "finished",
            objective=task.surface.trivial if lost else validation,
            max_lr=cycle.max_lr,
            validation=None if lost else validation,
            test=float(right.mean()) if reads_test else None,
            test_correct=pack(right) if reads_test else None,
            test_items=task.items.test if reads_test else 0,
            steps=round(task.steps(setting.epochs, setting.batch_size) * train_s / planned_s),
            epochs=setting.epochs,
            shortened=kept < 1.0 and not lost,
            train_s=train_s,
            eval_s=0.0 if lost else eval_s,
            wall_s=wall_s,
        ), wall_s


def _range_test(task: Task, batch_size: int, steps: int, rng: np.random.Generator) -> RangeTestResult:
    """What a ramp says: the best peak of one epoch with an error of `RAMP_ERROR`, or nothing."""
    pick = task.surface.best_rate(1.0, batch_size) * 2.0 ** rng.normal(0.0, RAMP_ERROR)
    if rng.random() < REFUSED:
        return RangeTestResult(0.0, 0.0, 0.0, 0.0, "none", 0.0, steps, Refusal.FLAT)
    return RangeTestResult(2.0 * pick, EDGE * pick, pick, pick / 5.0, "good", 0.0, steps)
