"""What would settle an undecided question: what stands against a no, and how long the cycles have to be."""

from __future__ import annotations

import math
from collections.abc import Iterator

from superconv_tune.core.words import number
from superconv_tune.verdict.outlook import inside, log_odds
from superconv_tune.verdict.verdict import (
    HOPELESS,
    LEAST_TELLING,
    LIKELY,
    Case,
    Settling,
    by_length,
    is_worse,
    last_step,
)

TRIPLING = 3.0  # times the length: the shortest step that shows whether longer cycles still help
FARTHEST = 100.0  # times the length of the recipe, beyond which no figure is given
ERRORS = 2.0  # standard errors of a slope, each way


def longer_may_help(case: Case) -> bool:
    """Whether longer cycles may change the answer, as far as is known.

    Not where there are none because the models are fitted, where a simple method is as good, or where they were worse,
    which is known of shares of items alone.
    """
    evidence, step = case.evidence, last_step(case.evidence)
    is_known = case.target.yardstick.higher_is_better and evidence.validation_items is not None
    were_worse = case.is_overtrained or (is_known and step is not None and is_worse(step))
    return not (evidence.is_fitted or case.is_below_floor or were_worse)


def settling(case: Case) -> Settling | None:
    """What would settle the question; None where longer cycles would not, or too little is known to say."""
    if not _may_be_said(case) or not longer_may_help(case):
        return None
    low, high = lengths(case)
    minutes = case.evidence.epoch_s / 60.0
    most, most_minutes = (None, None) if high is None else (_rounded(high), _rounded(minutes * high))
    return Settling(_rounded(low), most, _rounded(minutes * low), most_minutes)


def _rounded(value: float) -> float:
    """Two significant digits: more would pretend."""
    return float(f"{value:.2g}")


def obstacles(case: Case) -> list[str]:
    """A sentence on why a no would be too early, and one if more time would not change that."""
    faults = "; ".join(_faults(case)) if _may_be_said(case) else ""
    told = [f"A no would be too early: {faults}."] if faults else []
    if faults and case.is_below_floor:
        told.append("Another family of models, or other inputs, would settle it; longer cycles would not.")
    return told


def _may_be_said(case: Case) -> bool:
    """Whether the question is open, and enough models say something about a metric of the library."""
    evidence = case.evidence
    return (
        evidence.correct is not None
        and case.target.yardstick.higher_is_better
        and not evidence.is_fitted
        and case.word == "undecided"
        and len(evidence.values) >= LEAST_TELLING
    )


def lengths(case: Case) -> tuple[float, float | None]:
    """Least and greatest length of the cycles that would settle the question; None where no greatest one is known.

    The least reaches the target if the last step in length goes on as steeply as it may have been, or is the tripling
    that would show it flat. The greatest reaches it if that step goes on as it least may have been. Where nothing
    speaks against a no but the forecast, they are what the forecast finds too short, and long enough.
    """
    epochs = case.evidence.epochs
    if case.is_sound:
        shortest = case.longest_below(HOPELESS) or epochs
        longest = case.longest_below(LIKELY)
        return shortest, longest if longest is not None and longest < case.epochs * 0.999 else None
    step = last_step(case.evidence)
    if step is None:
        return TRIPLING * epochs, None
    assert case.outlook is not None  # it is there where a last step is known
    missing = case.outlook.log_odds - log_odds(inside(1.0 - case.needed, case.spread.items))
    soon, late = (_times(missing, step.value + sign * ERRORS * step.se) for sign in (1.0, -1.0))
    least = 1.0 if case.is_flat else min(soon, TRIPLING)
    return epochs * least, epochs * max(late, least) if late <= FARTHEST else None


def _times(missing: float, slope: float) -> float:
    """Times the length that removes so much of the log odds at this slope; infinity where it never does."""
    if missing <= 0.0:
        return 1.0
    return math.exp(min(missing / slope, math.log(2.0 * FARTHEST))) if slope > 0.0 else math.inf


def _faults(case: Case) -> Iterator[str]:
    """Why a target that was missed may be the fault of the search."""
    if case.is_below_floor:
        of, value = case.evidence.floor_of, case.evidence.floor
        yield f"{of} is as good as these models (validation {case.target.metric} {number(value)})"
    if not case.evidence.is_bracketed:
        yield "at the longest length of the search, learning rates on both sides of the best were not tried"
    if not case.is_flat:
        yield _steepness(case)


def _steepness(case: Case) -> str:
    step, whole = last_step(case.evidence), by_length(case.evidence)
    if case.evidence.is_cut:
        return (
            f"there was time for cycles of {number(case.evidence.epochs, 3)} epochs only, and not for those of "
            f"{number(case.evidence.searched, 3)} that the search chose it for"
        )
    if step is None:
        return "there are no shorter cycles to compare with, so that it is not known what longer ones would gain"
    shorter, longer = (number(repeat.epochs, 3) for repeat in whole[-2:])
    if is_worse(step):
        return f"cycles of {longer} epochs were worse than those of {shorter}"
    shares = sorted(100.0 * (1.0 - 3.0 ** -(step.value + sign * step.se)) for sign in (1.0, -1.0))
    return (
        f"the last step in length, from {shorter} to {longer} epochs, still helped, or may have "
        f"(three times the length removed {max(0.0, shares[0]):.0f} to {max(0.0, shares[1]):.0f} % of the odds of an "
        f"error)"
    )
