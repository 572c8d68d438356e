"""Numbers, shares and probabilities as a reader sees them, in one way everywhere."""

from __future__ import annotations

DASH = "\N{EN DASH}"  # shown for a missing value
LARGE = 1e7  # from here on a power of ten is easier to read


def number(value: float | None, digits: int = 4) -> str:
    """The value with this number of significant digits, or a whole number: ``0.9247``, ``31,246``; a dash for None."""
    if value is None:
        return DASH
    is_whole = 10**digits - 0.5 <= abs(value) < LARGE
    return f"{value:,.0f}" if is_whole else f"{value:,.{digits}g}"


def percent(share: float) -> str:
    """The share in percent, with three significant digits: ``95 %``."""
    return f"{number(100.0 * share, 3)} %"


def probability_words(probability: float | None) -> str:
    """The probability in percent, never as 0 or 100 %."""
    if probability is None:
        return "not known"
    if probability > 0.999:
        return "above 99.9 %"
    return "below 0.1 %" if probability < 0.001 else percent(probability)
