"""Whether a cluster answers, found out within seconds: Ray itself would go on trying for minutes."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

from superconv_tune.cluster.access import host, refuse_open
from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import masked

ADDRESS = "RAY_ADDRESS"
LATEST = Path("ray", "ray_current_cluster")  # where `ray start` writes the address of a cluster, in its TMPDIR
ANSWER_S = 5.0
# What a client of HTTP/2 says first, on which Ray's control store talks; the answer begins with the same kind of frame.
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
FRAME_CHARS, KIND_AT, SETTINGS_FRAME = 9, 3, 4
GCS_PORT = 6379


def found(address: str | None) -> str | None:
    """The cluster at an address; None for a local Ray.

    Raises:
        UserError: if it does not answer within seconds, or is reachable from other machines and no token is set.
    """
    place = resolved(address)
    if place is not None:
        refuse_open(place)
        require_answer(place)
    return place


def resolved(address: str | None) -> str | None:
    """The address of a cluster; ``auto`` is where ``RAY_ADDRESS`` leads, or the last ``ray start`` of this user.

    Returns:
        ``host:port``, or None for a local Ray.

    Raises:
        UserError: if ``auto`` leads nowhere, or a file leads there that anybody could have written.
    """
    if address is None or address == "local":
        return None
    if address != "auto":
        return address
    named = os.environ.get(ADDRESS)
    if named and named != "auto":
        return named
    file = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp") / LATEST
    try:
        facts, text = file.lstat(), file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:
        raise UserError(f"--address auto: no cluster was started on this machine, and {ADDRESS} is not set. Name one.")
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid not in (os.getuid(), 0):
        raise UserError(
            f"--address auto: {file} is not a file of your own, and may lead anywhere. Name the address itself."
        )
    return text


def require_answer(address: str) -> None:
    """Refuse an address at which no Ray cluster answers.

    Raises:
        UserError: then; or if it is an address of another kind, such as that of the job server.
    """
    if "://" in address:
        raise UserError(
            f"--address: {masked(address)} is no address of a cluster itself: write host:port, such as {host(address)}:"
            f"{GCS_PORT}, on a machine of the cluster. From other machines, and to http://, use superconv_tune.submit."
        )
    place = urlsplit(f"//{address}")
    try:
        port = place.port
    except ValueError:
        port = None
    if port is None:
        raise UserError(f"--address: {masked(address)!r} has no port. Write for example {host(address)}:{GCS_PORT}.")
    fault = _fault(host(address), port)
    if fault:
        raise UserError(
            f"--address: no Ray cluster answers at {masked(address)!r} ({fault}). Start one, or leave --address out."
        )


def _fault(name: str, port: int) -> str:
    """Why what is there is no cluster; empty if it is one."""
    try:
        with socket.create_connection((name, port), ANSWER_S) as connection:
            if os.environ.get("RAY_USE_TLS") == "1":
                return ""
            connection.sendall(HELLO)
            answer = connection.recv(FRAME_CHARS, socket.MSG_WAITALL)
    except TimeoutError:
        return f"no answer within {ANSWER_S:g} s"
    except (OSError, UnicodeError) as error:  # the latter from a name that no host can have
        return str(getattr(error, "strerror", None) or error)
    return "" if answer[KIND_AT : KIND_AT + 1] == bytes([SETTINGS_FRAME]) else "something else answers there"
