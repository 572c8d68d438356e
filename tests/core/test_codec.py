"""Values to plain JSON and back, by the type that is expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from superconv_tune.core.codec import decode, encode


@dataclass(frozen=True)
class Circle:
    radius: float
    name: Literal["circle"] = "circle"


@dataclass(frozen=True)
class Square:
    side: float
    name: Literal["square"] = "square"


@dataclass(frozen=True)
class Drawing:
    shape: Circle | Square
    frame: Circle | Square | None = None
    shapes: tuple[Circle | Square, ...] = ()


@pytest.mark.parametrize(
    "drawing",
    [Drawing(Circle(1.0)), Drawing(Square(2.0), frame=Circle(3.0)), Drawing(Circle(1.0), None, (Square(1.0),) * 2)],
)
def test_the_members_of_a_union_are_told_apart_by_their_name(drawing: Drawing) -> None:
    assert decode(Drawing, encode(drawing)) == drawing


@pytest.mark.parametrize("shape", [{"name": "triangle", "side": 1.0}, {"side": 1.0}, {"name": None}, "square", 3, None])
def test_what_has_no_name_of_a_member_is_refused_with_the_names(shape: object) -> None:
    with pytest.raises(ValueError, match="Expected one of circle, square under 'name'"):
        decode(Drawing, {"shape": shape})


def test_a_name_that_may_be_none_takes_none() -> None:
    assert decode(Drawing, {"shape": {"name": "square", "side": 1.0}, "frame": None}) == Drawing(Square(1.0))
