"""How often the verdicts on the recorded tasks would have been right, and the library that they rest on."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.longer.judge import (
    FAR,
    MOST_WRONG,
    OFFSETS,
    THRESHOLDS,
    Asked,
    Forecast,
    asked,
    brier,
    forecasts,
    nested,
    reliability,
    share,
    without,
    words,
)
from benchmarks.longer.library import Judged
from benchmarks.report import machine, table
from superconv_tune.verdict.outlook import calibrate
from superconv_tune.verdict.verdict import IMPOSSIBLE, Word

WORDS: tuple[Word, ...] = ("demonstrated", "likely", "undecided", "infeasible")
TEXT = """# What longer cycles reach, and what the verdict says of it

`python -m benchmarks.longer report`; recorded on {machine}.

{searches} searches of {tasks} tasks of {sets} data sets: photographs and Fashion-MNIST with a convolutional net and
batch norm, tables, signals and generated data; SGD and AdamW. Each task was searched by the program, on a virtual
clock: for a far target in all of its budget and in 0.4 of it, and for a target that is near. The truth is the best of a
wide search of its own, which knows nothing of the program's (`truth.py`): rates over more than three decades, weight
decay, label smoothing and augmentation until no neighbour is better, at about one, 2.7 and eight times a search's
longest cycle; chosen by one half of the fresh items, told by fresh seeds on the other. A horizon is the length
up to which a question asks, in lengths of the recipe. Everything below leaves the *data set* of the judged task out of
the library. Simple methods, which forbid `infeasible` where they are better, took no part.

## The interval of what longer cycles reach

{intervals}

## Verdicts

{questions} questions: every task and horizon, with targets {offsets} points above and below its true accuracy. *As it
is*: `infeasible` up to a probability of {impossible:g}. *Nested*: up to the largest of {thresholds} with which less
than {wrong:.0%} of the targets within reach of all the other data sets are called so.

{rates}

{by_offset}

By kind of task and by data set, as it is; far is four points or more:

{by_data}

## Probabilities

{reliability}

Brier score {ours:.3f}; the fresh models' mean and a constant gain with a normal error, fitted to the other data sets:
{theirs:.3f}.

## The library

{library}

## Where it is wrong

{faults}
"""


def report(tasks: Sequence[Judged]) -> str:
    """What is recorded."""
    found = asked(tasks)
    return TEXT.format(
        machine=machine(),
        searches=len(tasks),
        tasks=len({judged.task for judged in tasks}),
        sets=len({judged.data for judged in tasks}),
        intervals=_intervals(forecasts(tasks)),
        questions=len(found),
        offsets=", ".join(f"{100 * offset:g}" for offset in OFFSETS if offset > 0),
        impossible=IMPOSSIBLE,
        thresholds=", ".join(map("{:g}".format, THRESHOLDS)),
        wrong=MOST_WRONG,
        rates=_rates(found),
        by_offset=_by_offset(found),
        by_data=_by_data(found),
        reliability=table(("probability told", "share within reach", "questions"), reliability(found)),
        library=_lines(tasks),
        ours=brier(found, lambda each: each.probability),
        theirs=brier(found, lambda each: each.reference),
        faults=_faults(found),
    )


def write_library(tasks: Sequence[Judged], path: Path) -> None:
    """One line per search for the program to read; the last columns are for people."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("data", "slope", "gain", "task", "epochs", "error", "least_error"))
        for judged in tasks:
            if judged.known is not None:
                facts = (judged.known.slope, judged.known.gain)
                errors = (judged.error, judged.truth(judged.horizons[-1]))
                numbers = [f"{value:.4f}" for value in (*facts, *errors)]
                epochs = f"{judged.evidence.epochs:g}"
                writer.writerow((judged.data, *numbers[:2], judged.task, epochs, *numbers[2:]))


def draw(tasks: Sequence[Judged], path: Path) -> None:
    """The plot of the probabilities told, against how often the target was within reach."""
    bins = reliability(asked(tasks))
    mpl.rcParams["svg.hashsalt"] = "superconv_tune"  # the same figure is the same file
    figure = Figure(figsize=(4.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#9aa5b1", linewidth=1)
    axes.plot([probability for probability, _, _ in bins], [true for _, true, _ in bins], "o-", color="#0b63b0")
    for probability, true, count in bins:
        axes.annotate(str(count), (probability, true), textcoords="offset points", xytext=(6, -10), fontsize=8)
    axes.set(xlabel="probability told", ylabel="share of questions within reach", xlim=(0, 1), ylim=(0, 1))
    figure.savefig(path, metadata={"Date": None})


def _lines(tasks: Sequence[Judged]) -> str:
    found, others = calibrate([judged.known for judged in tasks if judged.known is not None]), without(tasks).values()
    low, middle, high = np.quantile(found.residuals, (0.05, 0.5, 0.95))
    return (
        f"Predicted gain in log odds at eight times the length: {found.base:.3f} + {found.rate:.2f} x slope (with a "
        f"data set left out {min(c.base for c in others):.3f} to {max(c.base for c in others):.3f} and "
        f"{min(c.rate for c in others):.2f} to {max(c.rate for c in others):.2f}); residuals: "
        f"5 % {low:.2f}, median {middle:.2f}, 95 % {high:.2f}."
    )


def _intervals(found: Sequence[Forecast]) -> str:
    groups: list[tuple[str, Callable[[Forecast], bool]]] = [
        ("all", lambda _: True),
        ("images", lambda each: each.judged.kind == "images"),
        ("vectors", lambda each: each.judged.kind == "vectors"),
        ("up to 4 times", lambda each: _times(each) <= 4.0),
        ("beyond 4 times", lambda each: _times(each) > 4.0),
    ]
    rows = []
    for name, is_meant in groups:
        meant = [each for each in found if is_meant(each)]
        if meant:
            covered, low, high = share([each.covers for each in meant], [each.judged.data for each in meant])
            width = 100.0 * float(np.median([each.width for each in meant]))
            rows.append((name, f"{covered:.0%}", f"{low:.0%} to {high:.0%}", len(meant), f"{width:.1f}"))
    return table(("horizons", "90 % intervals that cover", "95 %, by data set", "of", "median width, points"), rows)


def _times(each: Asked | Forecast) -> float:
    return each.horizon / each.judged.evidence.epochs


def _rates(found: Sequence[Asked]) -> str:
    rows = []
    for name, told in (("as it is", words(found)), ("nested", words(found, nested(found)))):
        rows += [
            (f"false demonstrated, {name}", *_wrong(told, "demonstrated", lambda each: not each.is_within_reach)),
            (f"false infeasible, {name}", *_wrong(told, "infeasible", lambda each: each.is_within_reach)),
            (f"undecided, 4 or more points below the truth, {name}", *_wrong(told, "undecided", _far_below)),
            (f"undecided, 4 or more points above the truth, {name}", *_wrong(told, "undecided", _far_above)),
            (f"wrong, of those called infeasible, {name}", *_of_those_said(told)),
        ]
    return table(("rate", "share", "95 %, by data set", "of"), rows)


def _far_below(each: Asked) -> bool:
    return each.offset <= -FAR


def _far_above(each: Asked) -> bool:
    return each.offset >= FAR


def _wrong(told: Sequence[tuple[Asked, Word]], word: Word, among: Callable[[Asked], bool]) -> tuple[object, ...]:
    meant = [(each, said) for each, said in told if among(each)]
    return _share([said == word for _, said in meant], [each for each, _ in meant])


def _of_those_said(told: Sequence[tuple[Asked, Word]]) -> tuple[object, ...]:
    said = [each for each, word in told if word == "infeasible"]
    return _share([each.is_within_reach for each in said], said)


def _share(hits: Sequence[bool], among: Sequence[Asked]) -> tuple[object, ...]:
    value, low, high = share(hits, [each.judged.data for each in among])
    return f"{value:.1%}", f"{low:.1%} to {high:.1%}", len(hits)


def _by_offset(found: Sequence[Asked]) -> str:
    rows = []
    for offset in OFFSETS:
        here = [each.word for each in found if each.offset == offset]
        rows.append((f"{100 * offset:+g}", *(here.count(word) for word in WORDS)))
    return table(("target - truth, points", *WORDS), rows)


def _by_data(found: Sequence[Asked]) -> str:
    names = {each.judged.data for each in found}
    kinds = {each.judged.kind for each in found}
    groups = [(name, [each for each in found if each.judged.kind == name]) for name in sorted(kinds)]
    groups += [(name, [each for each in found if each.judged.data == name]) for name in sorted(names)]
    rows = [
        (
            name,
            len(each),
            _told("demonstrated", each, lambda one: not one.is_within_reach),
            _told("infeasible", each, lambda one: one.is_within_reach),
            _told("undecided", each, _far_below),
            _told("undecided", each, _far_above),
        )
        for name, each in groups
    ]
    header = ("", "questions", "false demonstrated", "false infeasible", "undecided, far below", "undecided, far above")
    return table(header, rows)


def _told(word: Word, found: Sequence[Asked], among: Callable[[Asked], bool]) -> str:
    meant = [each.word == word for each in found if among(each)]
    return f"{sum(meant)} of {len(meant)}"


def _faults(found: Sequence[Asked]) -> str:
    wrong = [
        each
        for each in found
        if (each.word == "infeasible" and each.is_within_reach)
        or (each.word == "demonstrated" and not each.is_within_reach)
    ]
    rows = [
        (
            each.judged.task,
            f"{_times(each):.1f}",
            f"{1.0 - each.judged.error:.3f}",
            f"{1.0 - each.judged.truth(each.horizon):.3f}",
            f"{100 * each.offset:+g}",
            each.word,
            f"{each.probability:.2f}",
        )
        for each in wrong
    ]
    header = ("task", "horizon", "recipe", "truth", "target - truth, points", "word", "probability")
    return table(header, rows) if rows else "Nowhere."
