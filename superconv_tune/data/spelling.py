"""Names that are one to a reader, and not to a computer."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from superconv_tune.data.words import count_of, some

INVISIBLE = "\ufeff\u200b"  # a byte order mark and a blank without width, which `str.strip` leaves


def tidy(name: object) -> str:
    """A name on one line, with single blanks and none around it."""
    return " ".join(str(name).strip(INVISIBLE).split())


def joined(counts: Mapping[str, int]) -> tuple[dict[str, str], list[str]]:
    """One spelling for labels that differ in blanks around them or in their Unicode form only; and what was joined.

    Args:
        counts: number of examples by label.
    """
    spelling = {label: unicodedata.normalize("NFC", label.strip(INVISIBLE).strip()) for label in counts}
    groups = defaultdict[str, list[str]](list)
    for label, name in spelling.items():
        groups[name].append(label)
    several = {name: group for name, group in groups.items() if len(group) > 1}
    if not several:
        return spelling, []
    items = sum(counts[label] for name, group in several.items() for label in group if label != name)
    shown = some([" and ".join(map(ascii, sorted(group))) for group in several.values()])
    return spelling, [
        f"{count_of(items, 'label')} joined with others from which they differ only in blanks around them or in the "
        f"form of their Unicode characters: {shown}."
    ]


def alike(classes: Iterable[str]) -> list[str]:
    """A sentence on classes that may be meant to be one, because only upper and lower case tell them apart."""
    groups = defaultdict[str, list[str]](list)
    for name in classes:
        groups[name.casefold()].append(name)
    pairs = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    return [f"Classes that differ in case only are kept apart: {some(pairs)}. Are they one?"] if pairs else []
