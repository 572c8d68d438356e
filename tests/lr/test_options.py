"""Options of schedules: their limits, and how their values are read and written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from superconv_tune.lr.options import Checked, Limits, as_text, options_of


@dataclass(frozen=True)
class Owner(Checked):
    share: Annotated[float, Limits(least=0, most=1)] = 0.5
    count: Annotated[int, Limits(least=1)] = 1
    marks: Annotated[tuple[float, ...], Limits(above=0)] = (1.0,)
    mode: Literal["slow", "fast"] = "slow"
    loud: bool = False
    other: object = None  # of a type that no option can have


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "message"),
    [
        (Limits(above=0), [1e-300, 1, np.float32(2)], [0, -1, math.inf], "above 0"),
        (Limits(above=0, most=1), [1e-9, 1], [0, 1.01], "above 0 and at most 1"),
        (Limits(least=0, most=1), [0, 1, 0.5], [-1e-9, 1.01], "from 0 to 1"),
        (Limits(least=1), [1, 10**300], [0.99, 10**400], "of at least 1"),
    ],
)
def test_limits(limits: Limits, inside: list[Any], outside: list[Any], message: str) -> None:
    assert all(map(limits.hold, inside))
    assert not any(map(limits.hold, [*outside, math.nan, True, "0.5", None]))
    assert str(limits) == message


def test_only_fields_of_an_option_type_are_options() -> None:
    found = options_of(Owner)
    assert list(found) == ["share", "count", "marks", "mode", "loud"]
    assert (found["share"].limits, found["share"].default) == (Limits(least=0, most=1), 0.5)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("share", "0.25", 0.25),
        ("share", 1, 1.0),
        ("share", "half", "half"),
        ("share", True, True),
        ("marks", "0.3/2", (0.3, 2.0)),
        ("marks", [1, 2.5], (1.0, 2.5)),
        ("marks", "a/1", ("a", 1.0)),
        ("marks", 3, 3),
        ("mode", "fast", "fast"),
        ("loud", "true", True),
        ("loud", "false", False),
        ("loud", "yes", "yes"),
        ("loud", None, None),
    ],
)
def test_a_value_is_converted_to_the_type_of_its_option(name: str, value: object, expected: object) -> None:
    found = options_of(Owner)[name].read(value)
    assert found == expected
    assert type(found) is type(expected)


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is looked at below
        Owner(share=2.0, count=0, marks=(1.0, -1.0), mode="fats", loud=1)  # type: ignore[arg-type]
    assert str(caught.value) == " ".join(
        [
            "share must be a number from 0 to 1, but got 2.0.",
            "count must be a number of at least 1, but got 0.",
            "marks must be a list of numbers above 0, but got (1.0, -1.0).",
            "mode is unknown: 'fats'. Did you mean 'fast'? Known: slow, fast.",
            "loud must be true or false, but got 1.",
        ]
    )


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (4.0, "4"), (0.1, "0.1"), (1 / 3, str(1 / 3)), ((0.5, 1.0), "0.5/1")]
)
def test_a_value_as_text(value: object, text: str) -> None:
    assert as_text(value) == text
