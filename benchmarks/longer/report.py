"""``longer.md``: how often the verdicts on the recorded tasks would have been right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

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
    share,
    words,
)
from benchmarks.longer.library import Judged
from benchmarks.report import machine, table
from superconv_tune.verdict.verdict import IMPOSSIBLE, Word

WORDS: tuple[Word, ...] = ("demonstrated", "likely", "undecided", "infeasible")
TEXT = """# What longer cycles reach, and what the verdict says of it

`python -m benchmarks.longer report`; recorded on {machine}.

{tasks} tasks of {sets} data sets: photographs and Fashion-MNIST with a convolutional net and batch norm, tables,
signals and generated data; SGD and AdamW. Each was searched by the program, on a virtual clock. The truth is the best
of a wide search of its own, which knows nothing of the program's (`truth.py`): rates over more than three decades,
weight decay, label smoothing and augmentation until no neighbour is better, at about one, 2.7 and eight times a
search's longest cycle; chosen by one half of the fresh items, told by fresh seeds on the other. A horizon is the length
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

## Probabilities

Brier score {ours:.3f}; the fresh models' mean and a constant gain with a normal error, fitted to the other data sets:
{theirs:.3f}.

## Where it is wrong

{faults}
"""


def report(tasks: Sequence[Judged]) -> str:
    """What is recorded."""
    found = asked(tasks)
    return TEXT.format(
        machine=machine(),
        tasks=len(tasks),
        sets=len({judged.data for judged in tasks}),
        intervals=_intervals(forecasts(tasks)),
        questions=len(found),
        offsets=", ".join(f"{100 * offset:g}" for offset in OFFSETS if offset > 0),
        impossible=IMPOSSIBLE,
        thresholds=", ".join(map("{:g}".format, THRESHOLDS)),
        wrong=MOST_WRONG,
        rates=_rates(found),
        by_offset=_by_offset(found),
        ours=brier(found, lambda each: each.probability),
        theirs=brier(found, lambda each: each.reference),
        faults=_faults(found),
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
