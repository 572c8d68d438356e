"""What is replayed, the table of what was, and the page about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from itertools import product
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.division.replay import PHASES, Question, replay
from benchmarks.division.rivals import RIVALS
from benchmarks.division.variants import VARIANTS
from benchmarks.division.world import LONGEST, TABLE, tasks
from benchmarks.report import machine, table
from benchmarks.rows import append
from benchmarks.rows import read as rows_of

OURS, PREVIOUS = "ours", "previous"
PLACES = ((2.0, 2), (8.0, 2), (30.0, 2), (60.0, 2), (60.0, 8), (60.0, 64), (60.0, 1000))  # minutes, workers
QUICK = PLACES[:2]
VARIED = PLACES[:6]
NEAR, FAR = -1.0, 10.0  # points of accuracy by which a target lies above the best in hindsight
SETTINGS: Mapping[str, tuple[float | None, bool]] = {  # target, baselines
    "plain": (None, False),
    "near target": (NEAR, False),
    "far target": (FAR, False),
    "3 baselines": (None, True),
}
SET = (PLACES[1], PLACES[3], PLACES[4])  # where our search is replayed in the other settings too
SEEDS = {2: 8, 8: 6, 64: 3, 1000: 1}  # by workers
QUICK_SEEDS = 8
COLUMNS = (
    "competitor", "task", "minutes", "workers", "setting", "seeds", "loss", "error", "length", "trials", *PHASES,
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A competitor in one place, over all its seeds."""

    competitor: str
    task: str
    minutes: float
    workers: int
    setting: str = "plain"

    @staticmethod
    def of(row: Mapping[str, str]) -> Job:
        """The job of a row of the table."""
        return Job(row["competitor"], row["task"], float(row["minutes"]), int(row["workers"]), row["setting"])

    @property
    def place(self) -> tuple[float, int]:
        """Minutes and workers."""
        return self.minutes, self.workers

    def by(self, competitor: str) -> Job:
        """The same of another competitor."""
        return Job(competitor, self.task, self.minutes, self.workers, self.setting)


@dataclass(frozen=True)
class Found:
    """Means over the seeds of one job: points below the best in hindsight, longest cycle, trials, idle shares."""

    seeds: int
    loss: float
    error: float
    length: float
    trials: float
    idle: Mapping[str, float]

    @staticmethod
    def of(row: Mapping[str, str]) -> Found:
        """The results in a row of the table."""
        loss, error, length, trials = (float(row[name]) for name in ("loss", "error", "length", "trials"))
        idle = {phase: float(row[phase]) for phase in PHASES}
        return Found(int(row["seeds"]), loss, error, length, trials, idle)

    def row(self, job: Job) -> list[object]:
        """The row of the table."""
        numbers = [self.loss, self.error, self.length, self.trials, *(self.idle.get(phase, 0.0) for phase in PHASES)]
        return [*astuple(job), self.seeds, *(f"{number:.4g}" for number in numbers)]


Results = Mapping[Job, Found]


def run(job: Job, folder: Path, seeds: int) -> Found:
    """Replay a competitor with that many seeds."""
    target, baselines = SETTINGS[job.setting]
    question = Question(job.task, job.minutes, job.workers, target, baselines, folder)
    results = [_one(job.competitor, question, seed) for seed in range(seeds)]
    losses, lengths, trials, idles = zip(*results, strict=True)
    error = stdev(losses) / seeds**0.5 if seeds > 1 else 0.0
    idle = {phase: fmean(one.get(phase, 0.0) for one in idles) for phase in PHASES}
    return Found(seeds, fmean(losses), error, fmean(lengths), fmean(trials), idle)


def _one(competitor: str, question: Question, seed: int) -> tuple[float, float, float, Mapping[str, float]]:
    if competitor in RIVALS:
        world = question.world
        chosen = RIVALS[competitor](world, question.budget_s, question.workers, seed)
        return 100.0 * (question.best - chosen.truth), chosen.length, float(chosen.trials), {}
    found = replay(question, seed, VARIANTS.get(competitor))
    return found.loss, found.longest, float(len(found.search.study.requests)), found.idle


def all_of(jobs: Sequence[Job], folder: Path, workers: int, seeds: int | None = None) -> Iterator[tuple[Job, Found]]:
    """Replay all jobs on that many processes; no number of seeds is that of the full run."""
    counts = [SEEDS[job.workers] if seeds is None else seeds for job in jobs]
    with ProcessPoolExecutor(workers) as pool:
        yield from zip(jobs, pool.map(run, jobs, [folder] * len(jobs), counts), strict=True)


def read(replays: Path) -> dict[Job, Found]:
    """What was replayed so far."""
    return {Job.of(row): Found.of(row) for row in rows_of(replays)}


def measure(jobs: Iterable[Job], folder: Path, replays: Path, workers: int) -> None:
    """Replay what the file lacks."""
    done = read(replays)
    for job, found in all_of([job for job in jobs if job not in done], folder, workers):
        append(replays, COLUMNS, [found.row(job)])


def forget(replays: Path, competitors: Sequence[str]) -> None:
    """Take all rows of these competitors out of the file."""
    kept = [row for row in rows_of(replays) if row["competitor"] not in competitors]
    replays.unlink(missing_ok=True)
    append(replays, COLUMNS, [[row[name] for name in COLUMNS] for row in kept])


def jobs_of(folder: Path, competitors: Sequence[str], places: Sequence[tuple[float, int]]) -> list[Job]:
    """All of them in all places, the quickest places first."""
    return [Job(name, task, *place) for place, task, name in product(places, tasks(folder), competitors)]


def full(folder: Path = TABLE) -> list[Job]:
    """Every competitor in every place, and our search in the other settings."""
    others = [name for name in SETTINGS if name != "plain"]
    more = [Job(OURS, task, *place, setting) for place, task, setting in product(SET, tasks(folder), others)]
    return [*jobs_of(folder, [OURS, *RIVALS], PLACES), *more]


def varied(folder: Path = TABLE) -> list[Job]:
    """Every variant of the planner."""
    return jobs_of(folder, [*VARIANTS], VARIED)


def compact(results: Results, place: tuple[float, int]) -> str:
    """Rows of competitors, columns of tasks, mean losses; for a terminal."""
    here = {job: found for job, found in results.items() if job.place == place and job.setting == "plain"}
    names = sorted({job.task for job in here})
    heads = [[*name.split("-", maxsplit=1), ""][:2] for name in names]
    width = max((len(part) for head in heads for part in head), default=8) + 1
    lines = [f"{place[0]:g} minutes, {place[1]} workers: points below the best in hindsight"]
    for line, mean in enumerate(("", "mean")):
        lines.append(f"{'':<16}{mean:>7}" + "".join(f"{head[line]:>{width}}" for head in heads))
    for competitor in dict.fromkeys(job.competitor for job in here):
        losses = {job.task: found.loss for job, found in here.items() if job.competitor == competitor}
        cells = "".join(f"{losses[name]:{width}.2f}" if name in losses else f"{'-':>{width}}" for name in names)
        lines.append(f"{competitor:<16}{fmean(losses.values()):7.2f}{cells}")
    return "\n".join(lines)


def text(results: Results, folder: Path = TABLE) -> str:
    """The page."""
    plain = {job: found for job, found in results.items() if job.setting == "plain"}
    names = [name for name in (OURS, *RIVALS, PREVIOUS) if any(job.competitor == name for job in plain)]
    searches = sum(found.seeds for found in results.values())
    asked = [*full(folder), *varied(folder)]
    missing = sum(job not in results for job in asked)
    return f"""# Division of the hour

`python -m benchmarks.division` on {machine()}.
{searches} searches replayed over recorded cycles of {len(tasks(folder))} tasks; {missing} of {len(asked)} rows are
still missing, and running the command again continues with them.

The loss is in points of expected accuracy below the best in hindsight: the best recorded setting in the longest cycle
of which one worker can train two seeds in the budget, or a shorter one. Where a longer cycle than {LONGEST:g} epochs
would fit, the world is slower than the recorded one by a power of two, as if there were more data of the same kind.
`ours` and `short_ladder` are judged by their recipe, of which fresh seeds may diverge; the others by the model that
they chose on the validation part. `{PREVIOUS}` is the planner before this one, whose replays are kept.

## By budget

{_by_place(plain, names)}

## By task

Over all budgets on two workers.

{_by_task(plain, names)}

## Our search in other settings

A target one point below the best in hindsight, one ten points above it, and three baselines to compare with.

{_by_setting(results)}

## Longest cycle, and worker-seconds without a trial, of our search

As a share of all worker-seconds between start-up and report. *Left over*: after the last outcome.

{_idle(plain)}

## Variants of the planner

{_variants(_answered_by_all(plain))}

### With one task left out

The variant that loses least on all other tasks, and what it loses on the one left out.

{_left_out(_answered_by_all(plain))}
"""


def _mean(results: Results, wanted: Callable[[Job], bool]) -> float | str:
    losses = [found.loss for job, found in results.items() if wanted(job)]
    return fmean(losses) if losses else "-"


def _by_place(plain: Results, names: Sequence[str]) -> str:
    rows = []
    for place in PLACES:
        means = [_mean(plain, lambda job, n=name, p=place: job.competitor == n and job.place == p) for name in names]  # type: ignore[misc]
        rows.append([f"{place[0]:g} minutes", place[1], *means])
    return table(["budget", "workers", *names], rows)


def _by_task(plain: Results, names: Sequence[str]) -> str:
    rows = []
    for task in sorted({job.task for job in plain}):
        means = [
            _mean(plain, lambda job, n=name, t=task: job.competitor == n and job.task == t and job.workers == 2)  # type: ignore[misc]
            for name in names
        ]
        rows.append([task, *means])
    return table(["task", *names], rows)


def _by_setting(results: Results) -> str:
    rows = []
    for place in SET:
        means = [
            _mean(results, lambda job, p=place, s=name: (job.competitor, job.place, job.setting) == (OURS, p, s))  # type: ignore[misc]
            for name in SETTINGS
        ]
        rows.append([f"{place[0]:g} minutes", place[1], *means])
    return table(["budget", "workers", *SETTINGS], rows)


def _idle(plain: Results) -> str:
    rows: list[list[object]] = []
    for place in PLACES:
        here = [found for job, found in plain.items() if job.competitor == OURS and job.place == place]
        if here:
            shares = [f"{100.0 * fmean(found.idle[phase] for found in here):.1f} %" for phase in PHASES]
            length, trials = (fmean(getattr(found, name) for found in here) for name in ("length", "trials"))
            rows.append([f"{place[0]:g} minutes", place[1], length, trials, *shares])
    return table(["budget", "workers", "longest cycle", "trials", *PHASES], rows)


def _answered_by_all(plain: Results) -> Results:
    """What our search and every variant of it have replayed, so that their means are of the same places."""
    names = (OURS, *VARIANTS)
    return {job: found for job, found in plain.items() if all(job.by(name) in plain for name in names)}


def _variants(plain: Results) -> str:
    """Paired with our search, over the same tasks and places."""
    rows: list[list[object]] = []
    for name in (OURS, *VARIANTS):
        losses = {job: found.loss for job, found in plain.items() if job.competitor == name and job.place in VARIED}
        pairs = {job: loss - plain[job.by(OURS)].loss for job, loss in losses.items() if job.by(OURS) in plain}
        if not pairs:
            continue
        more = by_task(pairs)
        error = stdev(more.values()) / len(more) ** 0.5 if len(more) > 1 else 0.0
        by_place = [_mean(plain, lambda job, n=name, p=p: (job.competitor, job.place) == (n, p)) for p in VARIED]  # type: ignore[misc]
        worst = max(more, key=lambda task: more[task])
        rows.append(
            [
                name,
                fmean(losses.values()),
                "-" if name == OURS else f"{fmean(more.values()):+.2f} ± {error:.2f}",
                "-" if name == OURS else f"{more[worst]:+.2f} ({worst})",
                *by_place,
            ]
        )
    places = [f"{minutes:g} min on {workers}" for minutes, workers in VARIED]
    return table(["variant", "mean loss", "more than ours", "worst task", *places], rows)


def by_task(losses: Mapping[Job, float]) -> dict[str, float]:
    """Mean of every task."""
    cells: dict[str, list[float]] = defaultdict(list)
    for job, loss in losses.items():
        cells[job.task].append(loss)
    return {task: fmean(values) for task, values in cells.items()}


def left_out(losses: Mapping[str, Mapping[str, float]]) -> list[tuple[str, str, float, float]]:
    """For each task the variant with the least mean loss on all others, what it loses here, and what ours loses here.

    Args:
        losses: by variant, then by task.
    """
    rows = []
    for task in losses[OURS]:

        def elsewhere(name: str, without: str = task) -> float:
            return fmean(loss for other, loss in losses[name].items() if other != without)

        chosen = min(losses, key=elsewhere)
        rows.append((task, chosen, losses[chosen][task], losses[OURS][task]))
    return rows


def _left_out(plain: Results) -> str:
    losses: dict[str, dict[str, float]] = {OURS: {}}
    for name in (OURS, *VARIANTS):
        here = {job: found.loss for job, found in plain.items() if job.competitor == name and job.place in VARIED}
        losses[name] = by_task(here)
    complete = {name: by for name, by in losses.items() if by and by.keys() == losses[OURS].keys()}
    rows = left_out(complete) if len(losses[OURS]) > 1 else []
    return table(["task left out", "best on the others", "it loses here", "ours loses here"], rows)
