"""What a search does when everything is written: tell a command or a web address, and show the report.

Neither can harm the study: what fails or hangs is one warning.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from superconv_tune.core.background import within

WAIT_S = 30.0  # for a command or an address
WEB = ("http://", "https://")
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")  # variables of which a Linux desktop sets one


def tell(destination: str, verdict: str, wait_s: float = WAIT_S) -> str:
    """Give the verdict to a shell command on its standard input, or post it to an ``http(s)`` address.

    Args:
        destination: the command or the address. It may hold a secret, and is not repeated.
        verdict: content of verdict.json.
        wait_s: seconds after which a command is ended, and an address no longer waited for.

    Returns:
        A warning; empty if it was accepted.
    """
    try:
        if destination.startswith(WEB):
            found = within(wait_s, lambda: _posted(destination, verdict, wait_s), otherwise=_silent(wait_s))
        else:
            found = _ran(destination, verdict, wait_s)
    except KeyboardInterrupt:
        found = "was interrupted"
    return f"--on-end: {found}. The study is complete." if found else ""


def show(report: Path, say: Callable[[str], None]) -> None:
    """Open a report in the browser; where there is none, say so."""
    try:
        is_shown = _has_screen() and webbrowser.open(report.absolute().as_uri())
    except (OSError, webbrowser.Error):
        is_shown = False
    if not is_shown:
        say(f"--open: there is no browser on this machine. The report is {report}.")


def _has_screen() -> bool:
    """Whether a browser would get a window; a browser in the terminal would keep the command from ending."""
    return sys.platform != "linux" or any(map(os.environ.get, SCREENS))


def _ran(command: str, verdict: str, wait_s: float) -> str:
    try:
        # In a session of its own, so that it can be ended with all that it has started.
        process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, text=True, start_new_session=True)
    except (OSError, ValueError) as error:
        return f"the command cannot be run ({error})"
    try:
        process.communicate(verdict, timeout=wait_s)
    except subprocess.TimeoutExpired:
        return f"the command had not ended after {wait_s:g} s, and was ended"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return f"the command ended with exit code {process.returncode}" if process.returncode else ""


class _Refusing(HTTPRedirectHandler):
    """Follows no redirection: the verdict would not be sent on."""

    def redirect_request(self, *_: Any) -> None:
        """None, so that the answer is an error."""


def _posted(address: str, verdict: str, wait_s: float) -> str:
    try:
        where = urlsplit(address).hostname or "nowhere"
        headers = {"Content-Type": "application/json", "User-Agent": "superconv_tune"}
        build_opener(_Refusing).open(Request(address, verdict.encode(), headers), timeout=wait_s).close()
    except HTTPError as error:
        error.close()
        return f"{where} answered {error.code}"
    except TimeoutError:
        return _silent(wait_s)
    except (OSError, ValueError, HTTPException) as error:
        return f"the address cannot be reached ({type(error).__name__})"
    return ""


def _silent(wait_s: float) -> str:
    return f"the address did not answer within {wait_s:g} s"
