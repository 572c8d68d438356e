"""Make the library that verdicts are based on, and report how often they would have been right.

python -m benchmarks.calibration.record      # searches every task and finds its truth: runs.csv; resumable
python -m benchmarks.calibration             # superconv_tune/verdict/calibration.csv, calibration.md, reliability.svg
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.calibration.evaluate import (
    FAR,
    OFFSETS,
    Interval,
    Pair,
    brier,
    conformal,
    left_out,
    naive,
    pairs,
    rate,
    reliability,
)
from benchmarks.calibration.library import Judged, library
from benchmarks.calibration.record import LONGER
from benchmarks.report import machine, table
from superconv_tune.verdict.outlook import calibrate
from superconv_tune.verdict.statistics import wilson
from superconv_tune.verdict.verdict import IMPOSSIBLE, Word

FOLDER = Path(__file__).parent
CALIBRATION = Path(str(files("superconv_tune.verdict") / "calibration.csv"))
HORIZONS = (1.0, *LONGER)
THRESHOLDS = (0.05, 0.1, 0.15, 0.2)
WORDS: tuple[Word, ...] = ("demonstrated", "likely", "undecided", "infeasible")


def write_library(tasks: Sequence[Judged]) -> None:
    """One line per task for the program to read; the last columns are for people."""
    with CALIBRATION.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("family", "slope", "gain", "task", "steps", "error", "truth"))
        for judged in tasks:
            if judged.known is not None:
                known = (f"{judged.known.slope:.4f}", f"{judged.known.gain:.4f}")
                truth = (f"{judged.error:.4f}", f"{judged.truth:.4f}")
                writer.writerow((judged.family, *known, judged.task, judged.steps, *truth))


def report(tasks: Sequence[Judged]) -> str:
    """What is recorded."""
    asked = pairs(tasks)
    return "\n\n".join(
        [
            "# How often verdicts are right",
            f"`python -m benchmarks.calibration`; {machine()}.",
            f"{len(tasks)} tasks of {len({judged.family for judged in tasks})} families. Each was searched by the "
            f"program itself for a virtual budget; its truth is the best of cycles of up to eight times the longest "
            f"one, with the recipe and its neighbours, on fresh data. Everything below leaves the family of the judged "
            f"task out of the library.",
            "## The interval of what longer cycles reach",
            _intervals(tasks),
            "## Verdicts",
            f"{len(asked)} questions: every task, with its true accuracy as the target and {len(OFFSETS)} points "
            "above and below it.",
            _rates(asked),
            _by_offset(asked),
            "## Nearer horizons",
            _by_horizon(tasks),
            "## The probability up to which to say `infeasible`",
            _by_threshold(tasks),
            "## Reliability",
            f"Brier score {brier(asked):.3f} (a coin would get 0.25); `reliability.svg`.",
            table(
                ("probability told", "share within reach", "questions"),
                [(probability, true, count) for probability, true, count in reliability(asked)],
            ),
            "## More data",
            _more_data(tasks),
            "## The library",
            _lines(tasks),
        ]
    )


def _by_threshold(tasks: Sequence[Judged]) -> str:
    rows = []
    asked = {horizon: pairs(tasks, horizon) for horizon in HORIZONS}
    for impossible, horizon in product(THRESHOLDS, HORIZONS):
        words = [(pair.offset, pair.word_at(impossible)) for pair in asked[horizon]]
        said = [offset <= 0 for offset, word in words if word == "infeasible"]
        reachable = sum(offset <= 0 for offset, _ in words)
        far = [word == "undecided" for offset, word in words if abs(offset) >= FAR]
        wrong = f"{sum(said)} of {len(said)}"
        rows.append((f"{impossible:g}", f"{horizon:.2g}", wrong, f"{sum(said) / reachable:.1%}", f"{np.mean(far):.1%}"))
    text = (
        f"`infeasible` is said up to a probability of {IMPOSSIBLE:g}: the largest of these with which less than 5 % of "
        f"the targets within reach are called so, whatever the horizon. Far is {100 * FAR:g} points or more, above or "
        f"below."
    )
    header = ("up to", "horizon", "wrong, of those said", "of targets within reach", "undecided, far")
    return text + "\n\n" + table(header, rows)


def _intervals(tasks: Sequence[Judged]) -> str:
    rows = [
        ("ours, family left out", *_coverage(conformal(tasks))),
        ("power law through the last two lengths, noise alone", *_coverage(naive(tasks))),
    ]
    text = "Share of 90 % intervals that hold the truth, with its 95 % interval, and their width in points."
    return text + "\n\n" + table(("interval", "covers", "of", "95 %", "median width", "mean width"), rows)


def _coverage(found: Sequence[Interval]) -> tuple[object, ...]:
    share = float(np.mean([interval.covers for interval in found]))
    low, high = wilson(share, len(found), 0.95)
    widths = [100.0 * (interval.high - interval.low) for interval in found]
    return share, len(found), f"{low:.2f} to {high:.2f}", float(np.median(widths)), float(np.mean(widths))


def _rates(asked: Sequence[Pair]) -> str:
    questions = {
        "false demonstrated": (lambda p: p.word == "demonstrated", lambda p: p.offset > 0),
        "false infeasible": (lambda p: p.word == "infeasible", lambda p: p.offset <= 0),
        "false likely": (lambda p: p.word == "likely", lambda p: p.offset > 0),
        f"undecided, target {100 * FAR:g} or more points below the truth": (
            lambda p: p.word == "undecided",
            lambda p: p.offset <= -FAR,
        ),
        f"undecided, target {100 * FAR:g} or more points above the truth": (
            lambda p: p.word == "undecided",
            lambda p: p.offset >= FAR,
        ),
    }
    rows = []
    for what, (counts, among) in questions.items():
        share, low, high = rate(asked, counts, among)
        rows.append((what, f"{share:.1%}", f"{low:.1%} to {high:.1%}", sum(map(among, asked))))
    return table(("rate", "share", "95 %, by task", "questions"), rows)


def _by_offset(asked: Sequence[Pair]) -> str:
    rows = []
    for offset in OFFSETS:
        here = [pair.word for pair in asked if pair.offset == offset]
        rows.append((f"{100 * offset:+g}", *(here.count(word) for word in WORDS)))
    return table(("target - truth, points", *WORDS), rows)


def _by_horizon(tasks: Sequence[Judged]) -> str:
    """The same rates for shorter horizons; the truth is that of the same lengths."""
    rows = []
    for stretch in HORIZONS:
        asked, spans = pairs(tasks, stretch), conformal(tasks, stretch)
        shares = [
            _share([pair.word == "infeasible" for pair in asked if pair.offset <= 0.0]),
            _share([pair.hopeless for pair in asked if pair.offset <= 0.0]),
            _share([pair.word == "undecided" for pair in asked if pair.offset <= -FAR]),
            _share([pair.word == "undecided" for pair in asked if pair.offset >= FAR]),
            _share([pair.hopeless for pair in asked if pair.offset >= FAR]),
        ]
        rows.append((f"{stretch:.2g}", float(np.mean([span.covers for span in spans])), *shares))
    text = (
        f"The horizon, `--horizon`, is a multiple of the length of the recipe. An `undecided` names the length up "
        f"to which the target is out of reach: *called out of reach*. Far is {100 * FAR:g} points or more."
    )
    columns = ("horizon", "90 % interval covers", "false infeasible", "falsely called out of reach")
    far = ("undecided, far below", "undecided, far above", "called out of reach, far above")
    return text + "\n\n" + table((*columns, *far), rows)


def _share(found: Sequence[bool]) -> str:
    return f"{np.mean(found):.1%}"


def _more_data(tasks: Sequence[Judged]) -> str:
    slopes = [judged.data_slopes for judged in tasks if judged.data_slopes is not None]
    predicted, true = np.array(slopes).T
    error = np.abs(predicted - true)
    return (
        f"On {len(slopes)} tasks the search predicted the gain from twice the data, which was tried on fresh data: "
        f"fall of the log odds of an error per doubling, predicted {np.log(2) * predicted.mean():.2f} on average, true "
        f"{np.log(2) * true.mean():.2f}; typical (median) difference {np.log(2) * np.median(error):.2f}."
    )


def _lines(tasks: Sequence[Judged]) -> str:
    found = calibrate([judged.known for judged in tasks if judged.known is not None])
    others = left_out(tasks).values()
    low, middle, high = np.quantile(found.residuals, (0.05, 0.5, 0.95))
    return (
        f"Predicted gain in log odds at eight times the length: {found.base:.3f} + {found.rate:.2f} x slope (with a "
        f"family left out {min(c.base for c in others):.3f} to {max(c.base for c in others):.3f} and "
        f"{min(c.rate for c in others):.2f} to {max(c.rate for c in others):.2f}); residuals in units of the scale: "
        f"5 % {low:.2f}, median {middle:.2f}, 95 % {high:.2f}."
    )


def draw(asked: Sequence[Pair]) -> None:
    """The reliability plot."""
    bins = reliability(asked)
    mpl.rcParams["svg.hashsalt"] = "superconv_tune"  # the same figure is the same file
    figure = Figure(figsize=(4.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#9aa5b1", linewidth=1)
    axes.plot([probability for probability, _, _ in bins], [true for _, true, _ in bins], "o-", color="#0b63b0")
    for probability, true, count in bins:
        axes.annotate(str(count), (probability, true), textcoords="offset points", xytext=(6, -10), fontsize=8)
    axes.set(xlabel="probability told", ylabel="share of questions within reach", xlim=(0, 1), ylim=(0, 1))
    figure.savefig(FOLDER / "reliability.svg", metadata={"Date": None})


def main() -> None:
    """Write all of it."""
    tasks = library()
    write_library(tasks)
    (FOLDER / "calibration.md").write_text(report(tasks) + "\n", encoding="utf-8")
    draw(pairs(tasks))


if __name__ == "__main__":
    main()
