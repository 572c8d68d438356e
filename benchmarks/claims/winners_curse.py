"""Claim 10: the best trial of a search looks better than it is, and fresh seeds mend it: ``winners_curse.md``.

    python -m benchmarks.claims.winners_curse

The searches of `narrowing`, read again: the validation accuracy of the best trial, and the test accuracy of fresh
models of it, each against the accuracy of other fresh models on examples that neither has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.claims.cycles import NAMES
from benchmarks.claims.narrowing import EPOCHS, FRESH, KINDS, Delivered, Found, all_searches
from benchmarks.report import machine
from benchmarks.report import table as markdown
from superconv_tune.verdict.statistics import interval, over_seeds

RESULT = Path(__file__).with_name("winners_curse.md")
LEAST_BEFORE, MOST_AFTER = 1.5, 0.5  # points: the claim and its bound

Told = Callable[[Delivered], float]
STAGES: tuple[tuple[str, Told], ...] = (
    ("best trial's validation", lambda each: each.observed),
    ("fresh models, validation", lambda each: each.again),
    ("fresh models, test", lambda each: each.confirmed),
)


def biases(found: Sequence[Delivered], told: Told) -> list[float]:
    """What is told less the truth, in points, of every search."""
    return [told(each) - each.truth for each in found]


def report(found: Found) -> str:
    """The recorded result."""
    rows = [
        (
            name,
            f"{trials} {'narrowed' if is_narrowed else 'wide'}",
            *(float(np.mean(biases(found[name, (is_narrowed, trials)], told))) for _, told in STAGES),
        )
        for name in NAMES
        for is_narrowed, trials in KINDS
    ]
    every = [each for delivered in found.values() for each in delivered]
    before, again, after = (over_seeds(biases(every, told)) for _, told in STAGES)
    limits = [interval(spread, 0.95) for spread in (before, again, after)]
    header = ("model", "search", *(stage for stage, _ in STAGES))
    return f"""# The winner's curse

`python -m benchmarks.claims.winners_curse` on {machine()}.
The random searches of `narrowing.md` (one-cycle of {EPOCHS:g} epochs). What each stage tells of the best trial, less
the truth, in points; means over the searches. The truth is the mean of {FRESH} fresh models on 8,000 examples that
neither the search nor its confirmation has seen. Validation and test part of a search have 1,000 examples each, others
in every search, so that a lucky thousand cancels over the searches.

{markdown(header, rows)}

* Claim 10, the best trial looks {LEAST_BEFORE:g} points or more better than it is:
  **{"holds" if before.mean >= LEAST_BEFORE else "fails"}**. {before.mean:+.2f} points over {len(every)} searches (95 %
  interval {limits[0][0]:.2f} to {limits[0][1]:.2f}, Student's).
* Claim 10, after confirmation with fresh seeds the bias is {MOST_AFTER:g} points or less, either way:
  **{"holds" if abs(after.mean) <= MOST_AFTER else "fails"}**. {after.mean:+.2f} points ({limits[2][0]:.2f} to
  {limits[2][1]:.2f}). Fresh models on the validation part that chose them: {again.mean:+.2f} ({limits[1][0]:.2f} to
  {limits[1][1]:.2f}).
"""


def main() -> None:
    """Train what is missing, write the result."""
    RESULT.write_text(report(all_searches()), encoding="utf-8")


if __name__ == "__main__":
    main()
