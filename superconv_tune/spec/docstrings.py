"""What docstrings say of a class and of its attributes, for the JSON schema and the reference of the documents."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Described:
    """A docstring in parts, as Markdown.

    Attributes:
        about: its first paragraph.
        attributes: what it says of each attribute; those of base classes are included.
    """

    about: str
    attributes: Mapping[str, str]


def described(kind: type) -> Described:
    """The parts of a docstring in Google's style; bases speak for the attributes that they declare."""
    attributes: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        listed = _text(base).partition("Attributes:\n")[2]
        entries = re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", listed, re.MULTILINE)
        attributes |= {name: " ".join(words.split()) for name, words in entries}
    return Described(" ".join(_text(kind).partition("\n\n")[0].split()), attributes)


def _text(kind: type) -> str:
    return inspect.cleandoc(kind.__dict__.get("__doc__") or "").replace("``", "`")
