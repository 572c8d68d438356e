"""Options of schedules: their types and limits, read from the dataclass that declares them.

The field declares everything about an option: ``gamma: Annotated[float, Limits(above=0, most=1)] = 0.1``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from numbers import Real
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from superconv_tune.core.errors import did_you_mean

BOOLEANS = {"true": True, "false": False}
LIST_SEPARATOR = "/"  # between the numbers of a list in text; the comma separates options


@dataclass(frozen=True)
class Limits:
    """The limits of a finite number: ``above`` itself is excluded, ``least`` and ``most`` are included."""

    above: float | None = None
    least: float | None = None
    most: float | None = None

    def hold(self, value: object) -> bool:
        """Whether ``value`` is a finite number within the limits."""
        number = _number(value) if isinstance(value, Real) else value
        return (
            isinstance(number, float)
            and math.isfinite(number)
            and (self.above is None or number > self.above)
            and (self.least is None or number >= self.least)
            and (self.most is None or number <= self.most)
        )

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"from {self.least:g} to {self.most:g}"
        ends = (("above", self.above), ("of at least", self.least), ("at most", self.most))
        return " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)


Positive = Annotated[float, Limits(above=0)]
Share = Annotated[float, Limits(least=0, most=1)]
Factor = Annotated[float, Limits(above=0, most=1)]  # on the learning rate, which never exceeds its peak


@dataclass(frozen=True)
class Option:
    """One option of a schedule.

    Attributes:
        name: name of the field.
        kind: float, int, bool, a Literal of words, or a tuple of floats.
        limits: limits of each number.
        default: the value where none is given.
    """

    name: str
    kind: Any
    limits: Limits
    default: object

    def read(self, value: object) -> object:
        """Convert a value from YAML, JSON or text to the type of the option; unchanged if that is not possible."""
        if get_origin(self.kind) is tuple:
            items = value.split(LIST_SEPARATOR) if isinstance(value, str) else value
            return tuple(_number(item) for item in items) if isinstance(items, list | tuple) else value
        if self.kind is bool:
            return BOOLEANS.get(value, value) if isinstance(value, str) else value
        return _number(value) if self.kind is float else value

    def fault(self, value: object) -> str | None:
        """A sentence that says what is wrong with a value of this option; None if nothing is."""
        if get_origin(self.kind) is Literal:
            words = get_args(self.kind)
            return None if value in words else f"{self.name} is unknown: {value!r}. {did_you_mean(value, words)}"
        if self.kind is bool:
            is_right, wanted = isinstance(value, bool), "true or false"
        elif get_origin(self.kind) is tuple:
            is_right = isinstance(value, tuple) and len(value) > 0 and all(map(self.limits.hold, value))
            wanted = f"a list of numbers {self.limits}"
        else:
            is_right, wanted = self.limits.hold(value), f"a number {self.limits}"
        return None if is_right else f"{self.name} must be {wanted}, but got {value!r}."


class Checked:
    """Base of a frozen dataclass whose options are checked when it is made."""

    def __post_init__(self) -> None:
        """Check every option.

        Raises:
            ValueError: with a sentence for each wrong option.
        """
        faults = [option.fault(getattr(self, option.name)) for option in options_of(type(self)).values()]
        if any(faults):
            raise ValueError(" ".join(fault for fault in faults if fault))


def options_of(owner: type) -> Mapping[str, Option]:
    """The options that a dataclass declares, by name: all fields whose type an option can have."""
    return _declared(owner)


@cache
def _declared(owner: type) -> Mapping[str, Option]:
    hints = get_type_hints(owner, include_extras=True)
    found = {}
    for field in fields(owner):
        kind, limits = hints[field.name], Limits()
        if get_origin(kind) is Annotated:
            kind, limits = get_args(kind)
        if kind in (bool, float, int) or get_origin(kind) in (Literal, tuple):
            found[field.name] = Option(field.name, kind, limits, field.default)
    return found


def as_text(value: object) -> str:
    """The value of an option as text that `Option.read` accepts: ``true``, ``0.1``, ``0.3/0.6/0.9``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return LIST_SEPARATOR.join(map(as_text, value))
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _number(value: object) -> object:
    try:
        return float(value) if isinstance(value, Real | str) and not isinstance(value, bool) else value
    except (ValueError, OverflowError):
        return value
