"""Numbers in text: the spellings of many countries, and no number where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from superconv_tune.data.numbers import MISSING, decimal_mark, is_missing, numbers


def read(*texts: str, decimal: str = ".") -> list[float] | None:
    found = numbers(pd.Series(texts, dtype="string"), decimal)
    return None if found is None else found.tolist()


@pytest.mark.parametrize(
    ("texts", "decimal", "expected"),
    [
        (["1", "-2.5", "+3e2", " 4 "], ".", [1, -2.5, 300, 4]),
        (["1,5", "2", "-0,25"], ".", [1.5, 2, -0.25]),  # only the comma makes it numbers
        (["1.5", "2", "-0.25"], ",", [1.5, 2, -0.25]),  # and the other way round
        (["1.299,99", "12"], ".", [1299.99, 12]),  # pola-rs/polars#18797: a point groups thousands
        (["1,299.99", "54,908"], ".", [1299.99, 54908]),  # pandas-dev/pandas#22584
        (["1'234.5", "1\u2019234"], ".", [1234.5, 1234]),  # Switzerland
        (["1\u202f234,5", "12\u00a0000"], ".", [1234.5, 12000]),  # France, SI
        (["\u22123", "4"], ".", [-3, 4]),  # the minus sign of typographers
        (["1.234", "999"], ",", [1234, 999]),
        (["1.234", "999"], ".", [1.234, 999]),
        (["0.455", "0.350"], ",", [0.455, 0.35]),  # a group of digits begins with no zero
        (["1,5e-3", "2,0E4"], ",", [0.0015, 20000]),
    ],
)
def test_a_column_is_read_in_its_spelling(texts: list[str], decimal: str, expected: list[float]) -> None:
    assert read(*texts, decimal=decimal) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["1,,0", "1,5,2", "12,34,567.8", "1.2.3", "2024-01-02", "12:30", "1_000", "0x1F", "five"]
)
def test_what_is_no_number_is_not_made_one(text: str) -> None:
    """Of pandas' option ``thousands`` the first becomes 10 and the second 152 (pandas-dev/pandas#62658)."""
    assert read(text, text) is None


def test_words_for_missing_values_do_not_count_and_a_few_others_are_strays() -> None:
    assert read("NA", "NA", "NA", "1") == pytest.approx([np.nan, np.nan, np.nan, 1], nan_ok=True)
    values = ["1.5"] * 19 + ["n.n."]
    found = read(*values)
    assert found is not None
    assert np.isnan(found[-1])
    assert read(*values[:8], "n.n.") is None
    assert numbers(pd.Series(values, dtype="string"), ".", share=1.0) is None


@pytest.mark.parametrize("word", sorted(MISSING))
def test_words_that_mean_missing_are_known_in_any_case(word: str) -> None:
    texts = pd.Series([word, word.upper(), f" {word} ", "", None, "Norway"], dtype="string")
    assert is_missing(texts).tolist() == [True, True, True, True, True, False]


@pytest.mark.parametrize(
    ("columns", "mark"),
    [
        ([["1.234", "5"], ["1,5", "2"]], ","),
        ([["1.234", "5"], ["1,5", "2"], ["0.5", "7"]], "."),  # both are used: no evidence
        ([["1.234", "5"], ["1,234", "5"]], "."),  # neither is clear
        ([["", "NA"], ["red", "blue"]], "."),
        ([], "."),
    ],
)
def test_the_decimal_mark_of_a_file_follows_from_all_its_columns(columns: list[list[str]], mark: str) -> None:
    assert decimal_mark(pd.Series(each, dtype="string") for each in columns) == mark
