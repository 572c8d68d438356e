"""Conversion of values to plain JSON and back, by the expected type."""

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
def test_the_name_selects_the_member_of_a_union(drawing: Drawing) -> None:
    assert decode(Drawing, encode(drawing)) == drawing


@pytest.mark.parametrize("shape", [{"name": "triangle", "side": 1.0}, {"side": 1.0}, {"name": None}, "square", 3, None])
def test_a_value_without_a_known_name_is_refused_with_the_known_names(shape: object) -> None:
    with pytest.raises(ValueError, match="Expected one of circle, square under 'name'"):
        decode(Drawing, {"shape": shape})


def test_an_optional_union_accepts_none() -> None:
    assert decode(Drawing, {"shape": {"name": "square", "side": 1.0}, "frame": None}) == Drawing(Square(1.0))
