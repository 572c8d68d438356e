"""Claim 9: narrowing the learning rate by the range test is worth more than trials: ``narrowing.md``.

    python -m benchmarks.claims.narrowing

Random searches that differ in one thing: the learning rate is drawn from [1e-4, 1], or from the project's factors on
the pick of its range test. What counts is the accuracy of fresh models of the best trial on examples that the search
has not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.claims.cycles import NAMES, Search, resolve, seeded
from benchmarks.claims.searches import (
    CONFIRMATION,
    TRIALS,
    TRUTH,
    WIDE,
    Parts,
    draws,
    narrowed,
    pick,
    seeds,
)
from benchmarks.report import machine
from benchmarks.report import table as markdown
from superconv_tune.verdict.statistics import interval, over_seeds

RESULT = Path(__file__).with_name("narrowing.md")
EPOCHS = 10.0
SEARCHES = range(6)  # of each kind, per model
WIDE_TRIALS = 20
TRIAL_COUNTS = (5, 20)  # of the narrowed ones
FRESH = 3  # seeds that confirm, and as many others that tell the truth
EXPECTED_GAIN, LEAST_GAIN = 8.0, 5.0  # points: the claim and its bound


@dataclass(frozen=True)
class Delivered:
    """What a search of some trials came to, in percent.

    Attributes:
        observed: validation of its best trial.
        again: mean validation of fresh models of it.
        confirmed: mean of these on the test part of the search.
        truth: mean of other fresh models on what neither has seen.
        max_lr: its peak.
    """

    observed: float
    again: float
    confirmed: float
    truth: float
    max_lr: float


Kind = tuple[bool, int]  # whether the range test narrows it; trials
KINDS: tuple[Kind, ...] = ((False, WIDE_TRIALS), *((True, trials) for trials in TRIAL_COUNTS))


def search(name: str, number: int, kind: Kind) -> Search[Delivered]:
    """Random search; a search of fewer trials is the beginning of one of more."""
    is_narrowed, trials = kind
    centre = pick(name, number, EPOCHS) if is_narrowed else 1.0
    chosen = islice(draws(narrowed() if is_narrowed else WIDE, name, number), trials)
    own = seeds(TRIALS, NAMES.index(name), number)
    cycles = [each.cycle(name, EPOCHS, each.lr * centre, seed) for each, seed in zip(chosen, own, strict=False)]
    found = yield cycles
    parts = Parts.of(name, number)
    observed = [each[-1, parts.validation] for each in found]
    best = cycles[int(np.argmax(observed))]
    fresh = [seeded(best, islice(seeds(stream, NAMES.index(name), number), FRESH)) for stream in (CONFIRMATION, TRUTH)]
    rerun = yield [*fresh[0], *fresh[1]]
    confirming, telling = rerun[:FRESH], rerun[FRESH:]
    return Delivered(
        observed=float(max(observed)),
        again=float(np.mean([each[-1, parts.validation] for each in confirming])),
        confirmed=float(np.mean([each[-1, parts.test] for each in confirming])),
        truth=parts.truth(telling),
        max_lr=best.max_lr,
    )


Found = Mapping[tuple[str, Kind], Sequence[Delivered]]


def all_searches() -> Found:
    """Every search of every kind and model, trained where it is missing."""
    keys = [(name, kind) for name in NAMES for kind in KINDS]
    found = iter(resolve([search(name, number, kind) for name, kind in keys for number in SEARCHES]))
    return {key: list(islice(found, len(SEARCHES))) for key in keys}


def report(found: Found) -> str:
    """The recorded result."""
    rows = [
        (
            name,
            f"{trials} {'narrowed' if is_narrowed else 'wide'}",
            float(np.mean(truths)),
            float(np.std(truths, ddof=1)),
            float(np.min(truths)),
            f"{float(np.median([each.max_lr for each in found[name, (is_narrowed, trials)]])):.3g}",
        )
        for name in NAMES
        for is_narrowed, trials in KINDS
        for truths in [_truths(found[name, (is_narrowed, trials)])]
    ]
    gains = {trials: _gain(found, (True, trials)) for trials in TRIAL_COUNTS}
    equal, fewer = gains[WIDE_TRIALS], gains[min(TRIAL_COUNTS)]
    header = ("model", "search", "accuracy, %", "deviation over searches", "worst search", "median peak chosen")
    return f"""# Narrowing by the range test

`python -m benchmarks.claims.narrowing` on {machine()}.
MNIST-1D, 4,000 training examples; SGD, batches of 100, one-cycle of {EPOCHS:g} epochs. {len(SEARCHES)} random searches
of each kind and model. Wide: the peak is log-uniform in [{WIDE.low:g}, {WIDE.high:g}]. Narrowed: log-uniform between
{narrowed().low:g} and {narrowed().high:g} times the pick of the range test (three per model, those of
`benchmarks/range_test/findings.jsonl`). Momentum, weight decay and warm-up share come from the project's default space
in both, and are the same draws. A search sees 1,000 validation examples; the accuracy is that of {FRESH} fresh models
of its best trial on 8,000 examples that it has not seen.

{markdown(header, rows)}

* Claim 9, {WIDE_TRIALS} narrowed trials end {EXPECTED_GAIN:g} points or more above {WIDE_TRIALS} wide ones (fails
  below {LEAST_GAIN:g}): **{_fate(equal[0])}**. {_told(equal)}.
* Claim 9, {min(TRIAL_COUNTS)} narrowed trials end no lower than {WIDE_TRIALS} wide ones:
  **{"holds" if fewer[0] >= 0.0 else "fails"}**. {_told(fewer)}.
"""


def _truths(found: Sequence[Delivered]) -> list[float]:
    return [each.truth for each in found]


def _gain(found: Found, kind: Kind) -> tuple[float, float, float]:
    """Points above the wide searches, over all models and searches, with Student's 95 % interval."""
    wide = [truth for name in NAMES for truth in _truths(found[name, (False, WIDE_TRIALS)])]
    narrow = [truth for name in NAMES for truth in _truths(found[name, kind])]
    spread = over_seeds(list(np.subtract(narrow, wide)))
    return (spread.mean, *interval(spread, 0.95))


def _told(gain: tuple[float, float, float]) -> str:
    return f"{gain[0]:+.2f} points (95 % interval {gain[1]:.2f} to {gain[2]:.2f}, Student's over all searches)"


def _fate(gain: float) -> str:
    if gain < LEAST_GAIN:
        return "fails"
    return "holds" if gain >= EXPECTED_GAIN else "holds in part"


def main() -> None:
    """Train what is missing, write the result."""
    RESULT.write_text(report(all_searches()), encoding="utf-8")


if __name__ == "__main__":
    main()
