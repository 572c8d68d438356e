"""Mask passwords in addresses: whatever is shown, logged or stored goes through `masked` first."""

from __future__ import annotations

import re

MASK = "***"
RESERVED = "@/?#"  # reserved in an address, so that a password must have them percent-encoded

_USER = r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/:]*:"  # the ``scheme://user:`` before a password; a user name may contain an @
_KEY = r"[?&](?:ssl)?(?:password|passwd|pwd)="  # a password as a parameter, which PostgreSQL allows

# scheme://user:PASSWORD@host. People write passwords unencoded, so that one may contain an @, a slash or a space:
# everything up to the last @ of the line counts as password, even where it might be a port and a path. Where a password
# parameter contains that last @, the rest of the line is masked.
_IN_FRONT = re.compile(rf"({_USER})(?:[^\n]*{_KEY}[^\n]*@[^\n]*|[^\n]+(?=@))", re.IGNORECASE | re.ASCII)
# …?password=PASSWORD: everything after it may belong to the password.
_BEHIND = re.compile(rf"({_KEY})[^\n]+", re.IGNORECASE | re.ASCII)
_PASSWORD = re.compile(rf"{_USER}([^\n]+)@", re.ASCII)


def masked(text: str) -> str:
    """The text, an address or one that contains addresses, with every password replaced by ``***``.

    Where the end of a password is ambiguous, more than the password is masked.
    """
    return _BEHIND.sub(rf"\1{MASK}", _IN_FRONT.sub(rf"\1{MASK}", text))


def has_password(address: str) -> bool:
    """Whether the address contains a password."""
    return masked(address) != address


def needs_encoding(address: str) -> bool:
    """Whether programs may mistake part of the password for the host, because it contains an unencoded ``@/?#``."""
    found = _PASSWORD.match(address)
    return found is not None and not set(RESERVED).isdisjoint(found[1])
