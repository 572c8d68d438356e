"""Passwords in addresses: what is written down is written without them."""

from __future__ import annotations

import re

MASK = "***"

# scheme://user:PASSWORD@host; a password may hold a colon or, not percent-encoded, an @: the last one counts. Only
# ASCII's spaces end it: what Unicode counts as one, such as U+0085, may stand in it.
_IN_FRONT = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@'\"]*:)(?P<secret>[^\s/?#'\"]+)(?=@)", re.ASCII)
# …?password=SECRET, as PostgreSQL's own addresses may have it
_BEHIND = re.compile(r"(?P<before>[?&](?:ssl)?password=)(?P<secret>[^\s&#'\"]+)", re.IGNORECASE | re.ASCII)


def masked(text: str) -> str:
    """The text, an address or one that holds addresses, with ``***`` in the place of every password."""
    return _BEHIND.sub(rf"\g<before>{MASK}", _IN_FRONT.sub(rf"\g<before>{MASK}", text))


def has_password(address: str) -> bool:
    """Whether there is a password in the address."""
    return masked(address) != address
