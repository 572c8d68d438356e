"""Options of a data format, checked against what the format knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from superconv_tune.core.errors import UserError

Args = Mapping[str, Any]


def options(format_name: str, args: Args, known: Mapping[str, Any]) -> dict[str, Any]:
    """``args`` over the defaults in ``known``.

    A tuple there lists the words that may be said, the default first; a list is one of names, and text is any text.

    Raises:
        UserError: for every name that is not known and every value that is not of the default's kind.
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
    defaults = {name: value[0] if isinstance(value, tuple) else value for name, value in known.items()}
    return defaults | dict(args)


def _wanted(value: object, default: object) -> str | None:
    """What the option would have to be; None if it is."""
    if isinstance(default, tuple):
        return None if value in default else f"one of {', '.join(default)}"
    if isinstance(default, str):
        return None if isinstance(value, str) else "a name"
    if isinstance(default, list):
        is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
        return None if is_list else "a list of names"
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    kinds, words = ((int,), "a whole number") if isinstance(default, int) else ((int, float), "a number")
    is_fine = isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value < math.inf
    return None if is_fine else f"{words} from 0"
