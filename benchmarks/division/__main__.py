"""Which division of the hour loses least against the best in hindsight: ``division.md``.

    python -m benchmarks.division          # three minutes

Replays searches over recorded cycles (``cycles.csv`` here, made by `record`, and that of the range test): the planner
as it is on a fake clock, for small and large budgets and few and many workers. Nothing is trained. Replays in
``replays.csv`` are not repeated: delete it after a change of the planner. ``--as-recorded`` only writes the page.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.division.replay import BATCH_SIZE, PHASES, Question, families, replay, tasks
from benchmarks.report import machine, table
from superconv_tune.planner.brief import Division

HERE = Path(__file__).parent
RESULT, REPLAYS = HERE / "division.md", HERE / "replays.csv"
COLUMNS = (
    "division", "task", "optimizer", "epochs", "workers", "seeds", "loss", "length", "length_loss", "trials", *PHASES,
)  # fmt: skip
WORKERS = 2
TODAY = "today's"
SPENT = 0.94  # of the time, by every division alike; the rest is slack
# (epochs in all, workers) with the length that a task's table must reach: a search could well use so long a cycle.
PLACES: Mapping[tuple[float, int], float] = {
    (100.0, 1): 30.0,
    (100.0, 2): 30.0,
    (1000.0, 1): 100.0,
    (1000.0, 2): 100.0,
    (1000.0, 8): 30.0,
    (10_000.0, 8): 300.0,
    (10_000.0, 64): 30.0,
}
SEEDS = {100.0: 12, 1000.0: 8, 10_000.0: 4}
NOT_REPEATED = ("fashion-lenet5",)  # one seed, so that its noise is not known


def _shared(top_share: float, **changes: float) -> Division:
    return replace(Division(), top_share=top_share, lower_share=round(SPENT - top_share, 3), **changes)  # type: ignore[arg-type]


DIVISIONS: Mapping[str, Division] = {
    TODAY: Division(),
    "top share 0.35": _shared(0.35),
    "top share 0.45": _shared(0.45),
    "top share 0.58": _shared(0.58),
    "top share 0.70": _shared(0.70),
    "top share 0.88": _shared(0.88),
    "at most 1 lower rung": replace(Division(), lower_rungs=1),
    "at most 2 lower rungs": replace(Division(), lower_rungs=2),
    "all at one length": replace(Division(), lower_rungs=0),
    "factor 2": replace(Division(), factor=2.0),
    "factor 4": replace(Division(), factor=4.0),
    "2 finalists": replace(Division(), finalists=2),
    "4 finalists": replace(Division(), finalists=4),
    "equal share per rung": _shared(SPENT / 4),
    "factor 2, top share 0.70": _shared(0.70, factor=2.0),
    "2 finalists, top share 0.58": _shared(0.58, finalists=2),
}

Job = tuple[str, Question]  # division, question
Results = Mapping[str, float]  # by name of the column
Losses = dict[Question, float]  # means over seeds


def questions() -> list[Question]:
    """Every task, budget and number of workers that the table can answer."""
    return [
        Question(pair, epochs, workers)
        for ((epochs, workers), needed), (pair, sizes) in product(PLACES.items(), tasks().items())
        if sizes[BATCH_SIZE].surface.longest >= needed and pair[0] not in NOT_REPEATED
    ]


def _replayed(job: Job) -> list[object]:
    name, question = job
    results = [replay(question, DIVISIONS[name], seed) for seed in range(SEEDS[question.epochs])]
    idle = [fmean(result.idle[phase] for result in results) for phase in PHASES]
    means = [
        fmean(values) for values in zip(*((r.loss, r.length, r.length_loss, r.trials) for r in results), strict=True)
    ]
    return [
        name,
        *question.pair,
        question.epochs,
        question.workers,
        len(results),
        *(f"{x:.4g}" for x in [*means, *idle]),
    ]


def read() -> dict[Job, Results]:
    """What was replayed so far."""
    if not REPLAYS.exists():
        return {}
    with REPLAYS.open(encoding="utf-8", newline="") as file:
        return {_job(row): {name: float(row[name]) for name in COLUMNS[5:]} for row in csv.DictReader(file)}


def _job(row: Mapping[str, str]) -> Job:
    return row["division"], Question((row["task"], row["optimizer"]), float(row["epochs"]), int(row["workers"]))


def measure() -> None:
    """Replay what is missing in the file."""
    done = read()
    if not done:
        REPLAYS.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    missing = [job for question, name in product(questions(), DIVISIONS) if (job := (name, question)) not in done]
    with ProcessPoolExecutor(WORKERS) as pool:
        for row in pool.map(_replayed, missing, chunksize=2):
            with REPLAYS.open("a", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(row)


def complete(done: Mapping[Job, Results]) -> dict[str, dict[Question, Results]]:
    """The results by division, of the questions that were replayed with every division."""
    answered = [question for question in questions() if all((name, question) in done for name in DIVISIONS)]
    return {name: {question: done[name, question] for question in answered} for name in DIVISIONS}


def by_budget(losses: Losses, epochs: float | None = None) -> list[float]:
    """Mean loss of each pair of task and optimizer: over its workers, seeds and, equally, its budgets."""
    cells: dict[tuple[str, str], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for question, loss in losses.items():
        if epochs in (None, question.epochs):
            cells[question.pair][question.epochs].append(loss)
    return [fmean(map(fmean, budgets.values())) for budgets in cells.values()]


def compared(losses: Losses, other: Losses, epochs: float | None = None) -> tuple[float, float]:
    """Mean over the pairs of what this division loses more than the other one, and its standard error."""
    more = {question: loss - other[question] for question, loss in losses.items()}
    found = by_budget(more, epochs)
    return fmean(found), stdev(found) / len(found) ** 0.5


def left_out(losses: Mapping[str, Losses]) -> list[list[object]]:
    """For each family the division that loses least on all others, what it loses here, and what today's does."""

    def mean(name: str, wanted: Callable[[str], bool]) -> float:
        return fmean(by_budget({q: v for q, v in losses[name].items() if wanted(families()[q.pair[0]])}))

    rows: list[list[object]] = []
    for family in sorted({families()[question.pair[0]] for question in losses[TODAY]}):
        chosen = min(losses, key=lambda name: mean(name, lambda other: other != family))  # noqa: B023 - used at once
        here = [mean(name, lambda other: other == family) for name in (chosen, TODAY)]  # noqa: B023 - used at once
        rows.append([family, chosen, *here])
    return rows


def _row(name: str, losses: Losses, today: Losses, results: Mapping[Question, Results]) -> list[object]:
    more, error = compared(losses, today)
    worst = max(losses, key=lambda question: losses[question])
    budgets = sorted({question.epochs for question in losses})
    return [
        name,
        fmean(by_budget(losses)),
        "-" if name == TODAY else f"{more:+.2f} ± {error:.2f}",
        *(fmean(by_budget(losses, epochs)) for epochs in budgets),
        f"{losses[worst]:.2f} ({worst.pair[0]}, {worst.pair[1]}, {worst.epochs:g} on {worst.workers})",
        fmean(by_budget({question: result["length_loss"] for question, result in results.items()})),
    ]


def _idle(results: Mapping[Question, Results]) -> list[list[object]]:
    rows: list[list[object]] = []
    for epochs, workers in PLACES:
        here = [result for q, result in results.items() if (q.epochs, q.workers) == (epochs, workers)]
        if here:
            shares = [f"{100.0 * fmean(r[phase] for r in here):.1f} %" for phase in PHASES]
            rows.append(
                [
                    f"{epochs:g}",
                    workers,
                    len(here),
                    *(fmean(r[name] for r in here) for name in ("trials", "length")),
                    *shares,
                ]
            )
    return rows


def _slower() -> str:
    """How many times as long an epoch takes with half the batch size: the range over the tasks."""
    times = [size.epoch_s / sizes[BATCH_SIZE].epoch_s for sizes in tasks().values() for size in sizes.values()]
    longer = [ratio for ratio in times if ratio != 1.0]
    return f"{min(longer):.1f} to {max(longer):.1f}"


def text(results: Mapping[str, Mapping[Question, Results]]) -> str:
    """The page."""
    losses: dict[str, Losses] = {
        name: {question: result["loss"] for question, result in of.items()} for name, of in results.items()
    }
    answered = list(losses[TODAY])
    budgets = sorted({question.epochs for question in answered})
    asked = ", ".join(
        f"{e:g} epochs ({len({q.pair for q in answered if q.epochs == e})} pairs of task and optimizer, "
        f"{SEEDS[e]} seeds)"
        for e in budgets
    )
    searches = sum(int(result["seeds"]) for of in results.values() for result in of.values())
    header = [
        "division", "mean loss", "more than today's", *(f"{e:g} epochs" for e in budgets), "worst place", "by length",
    ]  # fmt: skip
    rows = [_row(name, losses[name], losses[TODAY], results[name]) for name in losses]
    left = len(questions()) - len(answered)
    return f"""# Division of the hour

`python -m benchmarks.division` on {machine()}.
{searches} searches replayed over recorded cycles: {asked}.
{left} of {len(questions())} questions are not replayed yet; running the command again continues with them. Of the pairs
{len([sizes for sizes in tasks().values() if len(sizes) > 1])} were recorded with half the batch size too, with which an
epoch took {_slower()} times as long; the search may choose.

The loss is in points of expected accuracy of the confirmed recipe below the best recorded recipe of the longest cycle
of which three seeds fit the budget: what one would get by knowing the recipe in advance. *By length*: the part of
it that no recipe of the confirmed length, or a shorter one, could have avoided. *More than today's*: mean and standard
error over the pairs of paired differences. *Worst place*: the mean over the seeds of one question.

{table(header, rows)}

## With one family left out

{table(["family left out", "best on the others", "it loses here", "today's loses here"], left_out(losses))}

## Worker-seconds without a trial, today's division

As a share of all worker-seconds until the deadline. *Left over*: after the last outcome.

{table(["epochs in all", "workers", "pairs", "trials", "length", *PHASES], _idle(results[TODAY]))}
"""


def main(arguments: Sequence[str]) -> None:
    """Replay and write the page; with ``--as-recorded`` write it from the file only."""
    if "--as-recorded" not in arguments:
        measure()
    page = text(complete(read()))
    RESULT.write_text(page, encoding="utf-8")
    print(page)  # noqa: T201 - the result of a command


if __name__ == "__main__":
    main(sys.argv[1:])
