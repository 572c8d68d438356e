"""Tokens: whoever can submit to a cluster can run code on it, so one beyond this machine is used only with a token."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from urllib.parse import urlsplit

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import masked

MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
ON_THIS_MACHINE = ("auto", "local")  # Ray's own words; the real address is checked once connected


def use_token() -> None:
    """Turn on Ray's token authentication if there is a token; Ray itself does so only for some kinds of connection.

    Call it before Ray is imported: Ray reads the mode once.
    """
    if has_token():
        os.environ.setdefault(MODE, "token")


def has_token() -> bool:
    """Whether Ray will find a token: in the environment, in the file named there, or in ``~/.ray/auth_token``."""
    if os.environ.get(TOKEN):
        return True
    file = Path(os.environ.get(TOKEN_PATH) or Path.home() / ".ray" / "auth_token")
    return file.is_file() and file.stat().st_size > 0


def refuse_open(address: str | None) -> None:
    """Refuse a cluster beyond this machine unless a token is set.

    Args:
        address: ``host:port``, with or without ``http://``, ``https://`` or ``ray://``; ``auto`` is accepted, and so
            is None, which means a local cluster.

    Raises:
        UserError: if the host is not this machine and no token is set.
    """
    uses_token = os.environ.get(MODE, "").lower() == "token" and has_token()
    if uses_token or address is None or address in ON_THIS_MACHINE or _is_loopback(host(address)):
        return
    raise UserError(
        f"--address: {masked(address)} is reachable from other machines, and no token is set: whoever reaches a Ray "
        f"cluster without one runs code on it. Make a token (`ray get-auth-token --generate` prints one), start every "
        f"node of the cluster with {MODE}=token and {TOKEN}=<the token>, and set the same two here; or put the token "
        f"into a file and name it in {TOKEN_PATH}."
    )


def host(address: str) -> str:
    """The host of an address.

    Raises:
        UserError: if there is none in it.
    """
    try:
        found = urlsplit(address if "://" in address else f"//{address}").hostname
    except ValueError:
        found = None
    if not found:
        raise UserError(f"--address: {masked(address)!r} has no host. Write for example http://head:8265.")
    return found


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:  # a name
        return name == "localhost"
