"""Addresses that never show their password, and the masking of secrets in text that is shown, logged or stored."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

from superconv_tune.core.errors import UserError

MASK = "***"
ENDS = "/?#"  # end the host of an address
WHOLE_WORD_BELOW = 12  # characters: a short password, such as ``postgres``, is also a part of ordinary words

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*"
_USER = rf"{_SCHEME}://[^\s/:]*:"  # the ``scheme://user:`` before a password; a user name may contain an @
_KEY = r"[?&][^=&\s]*(?:password|passwd|pwd|token|secret)="  # a password as a parameter, which PostgreSQL allows
_HOST = re.compile(r"(?:\[[^\[\]]*\]|[^\[\]:]*)(?::[0-9]+)?")

# Addresses in texts of others, which nobody took apart: people write passwords unencoded, so that one may contain an @,
# a slash or a space. Everything up to the last @ of the line counts as password, even where it might be a port and a
# path. Where a password parameter contains that last @, the rest of the line is masked.
_IN_FRONT = re.compile(rf"({_USER})(?:[^\n]*{_KEY}[^\n]*@[^\n]*|[^\n]+(?=@))", re.IGNORECASE | re.ASCII)
# …?password=PASSWORD: everything after it may belong to the password.
_BEHIND = re.compile(rf"({_KEY})[^\n]+", re.IGNORECASE | re.ASCII)

_known: set[str] = set()  # every secret of this process, in each form in which a text may contain it


class Address:
    """An address of a database or a server; only `reveal` returns its password.

    It cannot be stored by accident: its text is `shown`, and JSON refuses it.

    Args:
        text: the address as the user wrote it.

    Attributes:
        shown: the address with ``***`` in place of its secrets.

    Raises:
        ValueError: if it is not clear where its password ends; the message repeats nothing of the address.
    """

    __slots__ = ("_text", "shown")

    def __init__(self, text: str) -> None:
        self._text = text
        self.shown, secrets = _parsed(text)
        remember(secrets)

    @staticmethod
    def of(value: Address | str, what: str) -> Address:
        """The address in a text, or the address itself; ``what`` names it in the message.

        Raises:
            UserError: if it is not clear where its password ends.
        """
        try:
            return value if isinstance(value, Address) else Address(value)
        except ValueError as error:
            raise UserError(f"{what}: {error}.") from None

    @property
    def scheme(self) -> str:
        """What stands before ``://``, or before the first colon: ``postgresql+psycopg``, ``http``, ``sqlite``."""
        return self._text.partition(":")[0] if ":" in self._text else ""

    @property
    def file(self) -> Path | None:
        """The file behind a ``sqlite:///...`` address; None for any other store, or one in memory."""
        scheme, found, rest = self._text.partition(":///")
        path = unquote(rest.partition("?")[0])
        is_file = (
            found and scheme.startswith("sqlite") and path not in ("", ":memory:") and not path.startswith("file:")
        )
        return Path(path) if is_file else None

    @property
    def has_secret(self) -> bool:
        """Whether the address contains a password or a token."""
        return self.shown != self._text

    def reveal(self) -> str:
        """The whole address, for the library that connects with it and for nobody else."""
        return self._text

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[type[Address], tuple[str]]:
        return Address, (self._text,)  # so that a worker's process knows the secret too, and masks it


def remember(secrets: Iterable[str]) -> None:
    """Mask these secrets from now on, wherever they stand in a text: as they are, encoded or escaped."""
    for secret in secrets:
        if set(secret) - set(MASK):  # not empty, and not what a mask looks like
            decoded = unquote(secret)
            forms = {secret, decoded, *(code(decoded, "") for code in (quote, quote_plus)), quote(decoded)}
            escaped = (each for form in forms for each in (repr(form), json.dumps(form)))
            _known.update(forms, (each[1:-1] for each in escaped), map(html.escape, forms))


def masked(text: str) -> str:
    """The text with every secret of this process, and every password of an address in it, replaced by ``***``.

    Where the end of a password is ambiguous, more than the password is masked.
    """
    if _known:
        text = _literal(frozenset(_known)).sub(MASK, text)
    return _BEHIND.sub(rf"\1{MASK}", _IN_FRONT.sub(rf"\1{MASK}", text))


@lru_cache(maxsize=1)
def _literal(secrets: frozenset[str]) -> re.Pattern[str]:
    """Matches any of the secrets, the longest first; short ones only as whole words."""
    return re.compile("|".join(map(_word, sorted(secrets, key=len, reverse=True))))


def _word(secret: str) -> str:
    if len(secret) >= WHOLE_WORD_BELOW:
        return re.escape(secret)
    before, after = (r"(?<!\w)" if secret[0].isalnum() else ""), (r"(?!\w)" if secret[-1].isalnum() else "")
    return f"{before}{re.escape(secret)}{after}"


def _parsed(text: str) -> tuple[str, list[str]]:
    """The address as it may be shown, and its secrets."""
    scheme, found, rest = text.partition("://")
    if not found or not re.fullmatch(_SCHEME, scheme, re.ASCII):
        if "@" in text:
            raise ValueError("does not begin with a scheme such as postgresql:// or https://")
        return text, []
    front, user, password, rest = _user_info(scheme, rest)
    _refuse_unclear(scheme, rest)
    key = re.search(rf"({_KEY})(.+)", rest, re.IGNORECASE | re.DOTALL)
    behind = _behind(key[2]) if key else []
    shown = f"{rest[: key.start()]}{key[1]}{MASK}" if key else rest
    basic = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode(errors="replace")).decode()
    return f"{scheme}://{front}{shown}", [password, basic, *behind] if password else behind


def _behind(value: str) -> list[str]:
    """The secrets in what follows ``password=``: up to the next parameter, and to the end."""
    first, *others = value.split("&")
    if not all("=" in other for other in others):
        raise ValueError("holds an & in a parameter that has a meaning of its own there. Write it %26")
    return [first, value]


def _user_info(scheme: str, rest: str) -> tuple[str, str, str, str]:
    """What may be shown of ``user:password@``, the user, the password, and what follows the ``@``.

    Everything before the last ``@`` may be theirs. A user without a password is a token where the address is that of a
    web server.
    """
    before, at, after = rest.rpartition("@")
    user, colon, password = before.partition(":")
    is_path = rest.startswith("/") and scheme.partition("+")[0] in ("sqlite", "file")
    if not at or is_path:
        return "", "", "", rest
    if not set(before).isdisjoint(ENDS) or "@" in password:
        raise ValueError(
            "holds a character, before its last @, that has a meaning of its own in an address. Write it "
            "percent-encoded: %40 for @, %2F for /, %3F for ?, %23 for #"
        )
    if colon:
        return f"{user}:{MASK if password else ''}@", user, password, after
    return (f"{MASK}@", "", user, after) if scheme in ("http", "https") else (f"{user}@", user, "", after)


def _refuse_unclear(scheme: str, rest: str) -> None:
    """Refuse ``user:pass/word`` without an ``@host``, which would be shown as a host and a port."""
    hosts = re.split(f"[{ENDS}]", rest, maxsplit=1)[0]
    if not scheme.startswith("sqlite") and not all(_HOST.fullmatch(host) for host in hosts.split(",")):
        raise ValueError(
            "has no number as its port. An address is scheme://user:password@host:port/name; in a password write %40 "
            "for @, %2F for /, %3F for ? and %23 for #"
        )
