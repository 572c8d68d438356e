"""Numbers, shares and probabilities as a reader sees them."""

from __future__ import annotations

import pytest

from superconv_tune.core.words import DASH, number, percent, probability_words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, DASH),
        (0.92468, "0.9247"),
        (0.0, "0"),
        (72.0, "72"),
        (1234.5, "1,234"),
        (9999.7, "10,000"),
        (31245.6, "31,246"),
        (-31245.6, "-31,246"),
        (2_400_000.0, "2,400,000"),
        (1.5e9, "1.5e+09"),
        (0.0000012, "1.2e-06"),
    ],
)
def test_numbers_of_every_day_have_no_exponent(value: float | None, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(("value", "words"), [(240.3, "240"), (999.6, "1,000"), (1234.0, "1,234"), (0.14449, "0.144")])
def test_fewer_digits_leave_whole_numbers_whole(value: float, words: str) -> None:
    assert number(value, 3) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.95, "95 %"), (0.29, "29 %"), (0.975, "97.5 %"), (1.0, "100 %"), (0.0, "0 %"), (12.5, "1,250 %")],
)
def test_a_share_in_percent_has_a_blank(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("probability", "words"),
    [(None, "not known"), (1.0, "above 99.9 %"), (0.0, "below 0.1 %"), (0.875, "87.5 %"), (0.9985, "99.9 %")],
)
def test_probability_never_claims_certainty(probability: float | None, words: str) -> None:
    assert probability_words(probability) == words
