"""The names that a study may have: it is a folder, a row of a database, a job, and a word in a command line."""

from __future__ import annotations

import re
import time

from superconv_tune.core.errors import UserError

MOST = 100  # characters
NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{MOST - 1}}}")
# What else lies in the folder of all studies.
TAKEN = re.compile(r"(studies|mlflow)\.db(-wal|-shm|-journal|\.lock)?|mlartifacts|bundles|side-by-side\.html")


def timed_name(of: str, at: float) -> str:
    """A name made of another one, shortened if it has to be, and the local time (Unix time ``at``)."""
    stamp = time.strftime("-%Y%m%d-%H%M%S", time.localtime(at))
    return f"{of[: MOST - len(stamp)]}{stamp}"


def refuse_name(name: str) -> None:
    """Refuse a name that is not safe as a folder and in a command line, or that a file of ours has.

    Raises:
        UserError: if it holds other characters, is too long or is taken.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"--name: takes at most {MOST} letters, digits and _ . -, the first one a letter, a digit or _, but got "
            f"{name[:MOST]!r}. Choose another name."
        )
    if TAKEN.fullmatch(name):
        raise UserError(f"--name: {name!r} is a file or a folder that lies beside the studies. Choose another name.")
