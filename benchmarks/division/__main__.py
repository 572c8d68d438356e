"""Which division of the hour loses least against the best in hindsight: ``division.md``.

    python -m benchmarks.division

Replays searches over recorded cycles (``cycles.csv`` here, made by `record`, and that of the range test): the planner
as it is on a fake clock, for small and large budgets and few and many workers. Nothing is trained.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.division.replay import PHASES, Question, families, replay, surfaces
from benchmarks.report import machine, table
from superconv_tune.planner.policy import Division

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
SEEDS = {100.0: 4, 1000.0: 3, 10_000.0: 1}
NOT_REPEATED = ("fashion-lenet5",)  # one seed, so that its noise is not known


def _shared(top_share: float, **changes: float) -> Division:
    return replace(Division(), top_share=top_share, lower_share=round(SPENT - top_share, 3), **changes)  # type: ignore[arg-type]


DIVISIONS: Mapping[str, Division] = {
    TODAY: Division(),
    "top share 0.35": _shared(0.35),
    "top share 0.45": _shared(0.45),
    "top share 0.70": _shared(0.70),
    "top share 0.80": _shared(0.80),
    "at most 1 lower rung": replace(Division(), lower_rungs=1),
    "at most 2 lower rungs": replace(Division(), lower_rungs=2),
    "all at one length": replace(Division(), lower_rungs=0),
    "factor 2": replace(Division(), factor=2.0),
    "factor 4": replace(Division(), factor=4.0),
    "1 finalist": replace(Division(), finalists=1),
    "4 finalists": replace(Division(), finalists=4),
    "equal share per rung": _shared(SPENT / 4),
    "1 finalist, top share 0.70": _shared(0.70, finalists=1),
}

Job = tuple[str, Question]  # division, question
Losses = dict[Question, float]  # means over seeds


def questions() -> list[Question]:
    """Every task, budget and number of workers that the table can answer."""
    return [
        Question(pair, epochs, workers)
        for ((epochs, workers), needed), (pair, surface) in product(PLACES.items(), surfaces().items())
        if surface.longest >= needed and pair[0] not in NOT_REPEATED
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


def read() -> dict[Job, dict[str, float]]:
    """What was replayed so far."""
    if not REPLAYS.exists():
        return {}
    with REPLAYS.open(encoding="utf-8", newline="") as file:
        return {_job(row): {name: float(row[name]) for name in COLUMNS[5:]} for row in csv.DictReader(file)}


def _job(row: Mapping[str, str]) -> Job:
    return row["division"], Question((row["task"], row["optimizer"]), float(row["epochs"]), int(row["workers"]))


def measure(names: Iterable[str]) -> dict[str, dict[Question, dict[str, float]]]:
    """All searches, by division and question; those that the file has are not replayed again."""
    jobs = [(name, question) for question, name in product(questions(), names)]
    done = read()
    if not done:
        REPLAYS.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    with ProcessPoolExecutor(WORKERS) as pool:
        for row in pool.map(_replayed, [job for job in jobs if job not in done], chunksize=2):
            with REPLAYS.open("a", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(row)
    done = read()
    return {name: {question: done[name, question] for question in questions()} for name in names}


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


def _row(name: str, losses: Losses, today: Losses, results: Mapping[Question, Mapping[str, float]]) -> list[object]:
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


def _idle(results: Mapping[Question, Mapping[str, float]]) -> list[list[object]]:
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


def main(names: Sequence[str]) -> None:
    """Replay, compare, write."""
    results = measure(names or list(DIVISIONS))
    losses: dict[str, Losses] = {
        name: {question: result["loss"] for question, result in of.items()} for name, of in results.items()
    }
    budgets = sorted({question.epochs for question in losses[TODAY]})
    pairs = {epochs: len({q.pair for q in losses[TODAY] if q.epochs == epochs}) for epochs in budgets}
    rows = [_row(name, losses[name], losses[TODAY], results[name]) for name in losses]
    header = [
        "division",
        "mean loss",
        "more than today's",
        *(f"{e:g} epochs" for e in budgets),
        "worst place",
        "of it length",
    ]
    text = f"""# Division of the hour

`python -m benchmarks.division` on {machine()}.
{sum(int(result["seeds"]) for of in results.values() for result in of.values())} searches replayed; {", ".join(f"{e:g} epochs in all over {pairs[e]} pairs of task and optimizer and {SEEDS[e]} seeds" for e in budgets)}.

{table(header, rows)}

{table(["family left out", "best on the others", "it loses here", "today's loses here"], left_out(losses))}

{table(["epochs in all", "workers", "pairs", "trials", "length", *PHASES], _idle(results[TODAY]))}
"""
    RESULT.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201 - the result of a command


if __name__ == "__main__":
    main(sys.argv[1:])
