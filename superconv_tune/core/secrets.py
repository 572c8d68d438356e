"""Passwords in addresses: whatever is shown, logged or stored goes through `masked` first."""

from __future__ import annotations

import re

MASK = "***"
RESERVED = "@/?#"  # have a meaning of their own in an address, and are to be percent-encoded in a password

_USER = r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/:]*:"  # scheme://user: as it stands before a password; a user may hold an @
_KEY = r"[?&](?:ssl)?(?:password|passwd|pwd)="  # as PostgreSQL's own addresses may have it

# scheme://user:PASSWORD@host. People write passwords as they are, so that one may hold an @, a slash or a space: all up
# to the last @ of the line counts as password, even where it might be a port and a path. Where a password comes behind
# a key, too, and holds that @, the rest of the line is masked.
_IN_FRONT = re.compile(rf"({_USER})(?:[^\n]*{_KEY}[^\n]*@[^\n]*|[^\n]+(?=@))", re.IGNORECASE | re.ASCII)
# …?password=PASSWORD: all that follows may belong to it.
_BEHIND = re.compile(rf"({_KEY})[^\n]+", re.IGNORECASE | re.ASCII)
_PASSWORD = re.compile(rf"{_USER}([^\n]+)@", re.ASCII)


def masked(text: str) -> str:
    """The text, an address or one that holds addresses, with ``***`` in the place of every password.

    Where it is not clear where a password ends, more than the password is masked.
    """
    return _BEHIND.sub(rf"\1{MASK}", _IN_FRONT.sub(rf"\1{MASK}", text))


def has_password(address: str) -> bool:
    """Whether there is a password in the address."""
    return masked(address) != address


def needs_encoding(address: str) -> bool:
    """Whether programs may take a part of the password for the host, because it holds one of ``@/?#`` as it is."""
    found = _PASSWORD.match(address)
    return found is not None and not set(RESERVED).isdisjoint(found[1])
