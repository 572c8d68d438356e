"""What a study is made of, and how two descriptions of it differ."""

from __future__ import annotations

from typing import Any

import pytest

from superconv_tune.study.environment import changes

BEFORE: dict[str, Any] = {
    "python": "3.12.1",
    "platform": "Linux",
    "device": "cpu",
    "files": {"net.py": "1", "blocks.py": "2"},
    "versions": {"torch": "2.9", "ray": None},
}


@pytest.mark.parametrize(
    ("key", "now", "words"),
    [
        ("files", {"net.py": "1", "blocks.py": "3"}, "blocks.py has changed"),
        ("files", {"net.py": "1"}, "blocks.py is gone"),
        ("files", {"net.py": "1", "blocks.py": "2", "heads.py": "4"}, "heads.py is new"),
        ("versions", {"torch": "2.10", "ray": None}, "torch was 2.9 and is 2.10"),
        ("versions", {"torch": "2.9", "ray": "2.60"}, "ray was None and is 2.60"),
        ("python", "3.12.2", "the python was 3.12.1 and is 3.12.2"),
        ("device", "NVIDIA H100", "the device was cpu and is NVIDIA H100"),
    ],
)
def test_each_change_is_one_sentence(key: str, now: object, words: str) -> None:
    assert changes(BEFORE, BEFORE | {key: now}) == (words,)


def test_what_makes_no_other_study_is_no_change() -> None:
    assert changes(BEFORE, BEFORE) == ()
    assert changes(BEFORE, BEFORE | {"platform": "another kernel"}) == ()


def test_an_older_study_that_describes_less_is_compared_by_what_it_describes() -> None:
    older = {"python": "3.12.1", "versions": {"torch": "2.9"}}
    assert changes(older, BEFORE) == ()
    assert changes({}, BEFORE) == ()
