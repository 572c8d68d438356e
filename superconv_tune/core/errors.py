"""Errors that the user can fix, and the helpers that word them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class UserError(Exception):
    """Something in the user's input is wrong; the command prints the messages and exits with 2, without a traceback.

    Each message says what is wrong, where, what was given and how to fix it. All errors of a file are reported at once.
    """

    def __init__(self, messages: str | Sequence[str]) -> None:
        self.messages: tuple[str, ...] = (messages,) if isinstance(messages, str) else tuple(messages)
        super().__init__("\n".join(self.messages))


class StorageError(UserError):
    """The database is unreachable or full; a later attempt may succeed."""


class TakenOverError(UserError):
    """Another driver has taken the study over; this one may write no more of it."""


def raise_any(messages: Sequence[str]) -> None:
    """Raise UserError if there are messages.

    Raises:
        UserError: with all messages.
    """
    if messages:
        raise UserError(messages)


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A suggestion of the closest known word, if one is close, followed by the list of all known words."""
    words = list(known)
    near = difflib.get_close_matches(str(word), words, n=1)
    return (f"Did you mean {near[0]!r}? " if near else "") + f"Known: {', '.join(words)}."


def one_line(text: str) -> str:
    """The text with spaces instead of line breaks and control characters, so that no name can move the cursor."""
    return "".join(char if char.isprintable() else " " for char in text)
