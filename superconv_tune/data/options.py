"""Options of a data format, checked against what the format knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from superconv_tune.core.errors import UserError

Args = Mapping[str, Any]


def options(format_name: str, args: Args, known: Mapping[str, Any]) -> dict[str, Any]:
    """All options of the format: ``args``, and for the others the defaults in ``known``.

    A default that is a tuple lists the allowed words, the first one being the default; a list stands for a list of
    names, and a string for any string. A number that stands for a name, as YAML reads `label: 3`, becomes its text.

    Raises:
        UserError: for every unknown name and every value that is not of the default's type.
    """
    faults = [
        f"data.args: {format_name} has no option {name!r}. Known: {', '.join(known) or 'none'}."
        for name in args
        if name not in known
    ]
    for name in args.keys() & known.keys():
        wanted = _wanted(args[name], known[name])
        if wanted:
            faults.append(f"data.args: {name} of {format_name} is {wanted}, but got {args[name]!r}.")
    if faults:
        raise UserError(sorted(faults))
    args = {name: _named(value) if isinstance(known[name], str | list) else value for name, value in args.items()}
    defaults = {name: value[0] if isinstance(value, tuple) else value for name, value in known.items()}
    return defaults | dict(args)


def _wanted(value: object, default: object) -> str | None:
    """What the value would have to be; None if it is valid."""
    if isinstance(default, tuple):
        return None if value in default else f"one of {', '.join(map(_word, default))}"
    if isinstance(default, str):
        return None if _is_name(value) else f"a name{_quotes([value])}"
    if isinstance(default, list):
        is_list = isinstance(value, list) and all(map(_is_name, value))
        return None if is_list else f"a list of names{_quotes(value)}"
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    kinds, words = ((int,), "a whole number") if isinstance(default, int) else ((int, float), "a number")
    is_fine = isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value < math.inf
    return None if is_fine else f"{words} of 0 or more"


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _named(value: object) -> object:
    """Names as text."""
    return list(map(str, value)) if isinstance(value, list) else str(value)


def _quotes(value: object) -> str:
    """A hint for words that YAML reads as true or false."""
    is_word = isinstance(value, list) and any(isinstance(each, bool) for each in value)
    return " (write yes, no, on and off in quotes, if they are names)" if is_word else ""


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
