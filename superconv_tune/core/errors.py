"""The one error that means: the user can mend this."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class UserError(Exception):
    """Something in the user's input is wrong; the command prints the messages and exits with 2, without a traceback.

    Each message says what is wrong, where, what came and how to mend it. All errors of one file come together.
    """

    def __init__(self, messages: str | Sequence[str]) -> None:
        self.messages: tuple[str, ...] = (messages,) if isinstance(messages, str) else tuple(messages)
        super().__init__("\n".join(self.messages))


class StorageError(UserError):
    """The database is away or full; it may take more later."""


def raise_any(messages: Sequence[str]) -> None:
    """Nothing, where nothing is wrong.

    Raises:
        UserError: with all messages, if there are any.
    """
    if messages:
        raise UserError(messages)


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A hint at the nearest known word, then all of them."""
    words = list(known)
    near = difflib.get_close_matches(str(word), words, n=1)
    return (f"Did you mean {near[0]!r}? " if near else "") + f"Known: {', '.join(words)}."
