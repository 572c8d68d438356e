from __future__ import annotations

import pytest

from superconv_tune.data.spelling import alike, joined, tidy

NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    ("written", "shown"),
    [("price\n(EUR)", "price (EUR)"), ("\ufeffid", "id"), (" a  b\t", "a b"), ("\u00a0x", "x"), (3, "3"), ("", "")],
)
def test_a_name_is_one_line(written: object, shown: str) -> None:
    assert tidy(written) == shown


def test_labels_that_look_alike_are_joined_and_counted() -> None:
    names, told = joined({"cat": 5, "cat ": 2, "dog": 3, NFC: 4, NFD: 6})
    assert names == {"cat": "cat", "cat ": "cat", "dog": "dog", NFC: NFC, NFD: NFC}
    (sentence,) = told
    assert sentence.startswith("8 labels joined")
    assert "'cat' and 'cat '" in sentence
    assert "'caf\\xe9' and 'cafe\\u0301'" in sentence or "'cafe\\u0301' and 'caf\\xe9'" in sentence


def test_blanks_alone_need_no_words() -> None:
    assert joined({" cat": 5, "dog": 2}) == ({" cat": "cat", "dog": "dog"}, [])


def test_case_tells_classes_apart_and_is_asked_about() -> None:
    (sentence,) = alike(["Cat", "cat", "dog", "DOG", "owl"])
    assert "'Cat' and 'cat', 'dog' and 'DOG'" in sentence
    assert "owl" not in sentence
    assert alike(["cat", "dog"]) == []
