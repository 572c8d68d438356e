"""The label column: which one it is, and what becomes of its values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.data.labels import Targets, column_of, label_column, targets

NAMES = ["size", "price (EUR)", "7", "last one"]


def read(labels: Sequence[object], kind: str = "auto", decimal: str = ".", dtype: str | None = "str") -> Targets:
    column = pd.Series(labels, name="label", dtype=dtype)
    return targets(column, np.ones(len(column), bool), {"kind": kind, "decimal": decimal}, "table t.csv")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("size", "size"),
        ("price\n(EUR)", "price (EUR)"),
        ("7", "7"),  # a name goes before a number
        ("0", "size"),
        ("-1", "last one"),
        ("last", "last one"),
        ("4", None),
        ("-5", None),
        ("Size", None),
        ("1.0", None),
    ],
)
def test_a_column_is_named_by_its_name_its_number_or_its_place(asked: str, found: str | None) -> None:
    assert column_of(NAMES, asked) == found
    assert column_of(["last", "a"], "last") == "last"


def test_a_question_about_the_label_says_how_to_answer_it() -> None:
    table = pd.DataFrame({f"c{place}": [place, 9, 8, 7] for place in range(12)})
    with pytest.raises(UserError) as caught:
        label_column(table, "", "table t.csv", is_named=False)
    (message,) = caught.value.messages
    for words in (
        "no line of names",
        "There are 12: c0 (0, 9, 8, …)",
        "--label last (here c11: 11, 9, 8, …)",
        "label: …",
    ):
        assert words in message


# A name of a class that pandas takes for a missing value: pandas-dev/pandas#10647 (NA is a country, a state and
# sodium), #24681 (n/a), #32084 (null), #61788 (None).
@pytest.mark.parametrize("word", ["None", "NA", "nan", "null", "N/A", "?", "-", "true", "False"])
def test_any_word_is_a_class_among_words(word: str) -> None:
    found = read([word, "mild", "severe"] * 20)
    assert found.classes == tuple(sorted([word, "mild", "severe"]))
    assert found.is_labelled.all()
    assert any(repr(word) in told for told in found.warnings) == (word not in ("true", "False"))


@pytest.mark.parametrize("word", ["None", "NA", "nan", "null", "?"])
def test_among_numbers_they_are_lines_without_a_label(word: str) -> None:
    found = read([word, "0", "1", "1.0"] * 20)
    assert found.classes == ("0", "1")
    assert found.is_labelled.sum() == 60
    assert found.warnings == (f"20 lines without a label left out (20 with {word!r}).",)


def test_an_empty_label_is_a_missing_one() -> None:
    found = read(["", "a", "b", "  "] * 20)
    assert found.classes == ("a", "b")
    assert found.warnings[-1] == "40 lines without a label left out."
    assert found.values.tolist() == [0, 1] * 20


def test_blanks_and_unicode_forms_are_joined_and_case_is_not() -> None:
    found = read(["caf\u00e9", "cafe\u0301", "Cat", "cat ", "cat"] * 10)  # blanks: apple/turicreate#1531
    assert found.classes == ("Cat", "caf\u00e9", "cat")
    assert found.values.tolist() == [1, 1, 0, 2, 2] * 10
    joined, case = found.warnings
    assert joined.startswith("20 labels joined")
    assert "'Cat' and 'cat'" in case


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["01", "1", "02"], ("01", "02", "1")),  # codes
        (["1", "2", "10"], ("1", "2", "10")),
        (["1.0", "2.0", "10.0"], ("1", "2", "10")),
        (["1000001", "1000002", "3"], ("3", "1000001", "1000002")),  # all digits
        (["-1", "1", "1"], ("-1", "1")),
        (["a", "A1", "1"], ("1", "A1", "a")),
    ],
)
def test_classes_keep_their_names(labels: list[str], classes: tuple[str, ...]) -> None:
    assert read(labels * 20).classes == classes


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64"])
def test_typed_labels_are_as_text(dtype: str) -> None:
    values = [3, 1000001, 1000002] * 20
    assert read(values, dtype=dtype).classes == ("3", "1000001", "1000002")


def test_truth_values_and_categories_are_classes() -> None:
    assert read([True, False] * 20, dtype="bool").classes == ("False", "True")
    assert read(["b ", "a", None] * 20, dtype="category").classes == ("a", "b")


def test_numbers_to_predict_are_read_in_their_spelling() -> None:
    texts = [f"{1000 + row // 2},{row % 10}" for row in range(60)]
    found = read(texts)
    assert found.kind == "regression"
    np.testing.assert_allclose(found.values, [1000 + row // 2 + row % 10 / 10 for row in range(60)], rtol=1e-6)


def test_many_whole_numbers_of_which_some_are_rare_are_no_classes() -> None:
    ages = [str(age) for age in range(1, 20) for _ in range(5)]
    assert read(ages).kind == "classification"
    assert read([*ages, "29"]).kind == "regression"
    assert read([*ages, "29"], kind="classification").classes[-1] == "29"
    assert read(["1", "2", "3"] * 20 + ["4"]).kind == "classification"


def test_words_are_no_numbers_to_predict() -> None:
    with pytest.raises(UserError, match=r"not numbers: five, six\. Is it a classification\?"):
        read(["1.5", "six", "five", "NA"] * 10, kind="regression")


@pytest.mark.parametrize("labels", [["", " "], [None, None]])
def test_no_label_at_all_is_said(labels: list[object]) -> None:
    with pytest.raises(UserError, match=r"'label' of table t\.csv is empty"):
        read(labels)
