"""Why a worker process ended, as far as it and Ray say."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ray.exceptions import OutOfMemoryError, RayTaskError

from superconv_tune.cluster.surroundings import SESSION
from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import masked
from superconv_tune.data.scratch import WITHIN
from superconv_tune.problems.source import first_line

MOST_CHARS = 600
LINES = 3  # of what a process wrote last
TRACEBACK = "\n  File "  # in an error that was raised, before an actor was ready or later
PID = re.compile(r"\bpid: (\d+)")
DETAIL = re.compile(r"Worker exit detail: (.*)")
SILENT = ("connection error code 2", "RPC error")  # what Ray says if it knows no more than that the process is gone
KILLED = "it was killed, as the system does when memory runs out, or left without a word"
FATAL = "Fatal Python error: "
FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
OF_OTHERS = ("site-packages", "dist-packages", "/lib/python")


def last_words(error: BaseException | str, task: str = "") -> str:
    """The error that a worker raised, or how its process died, and what it wrote last to its standard error.

    Args:
        error: from Ray, or its text.
        task: name of the task that it ran; empty for an actor, whose process the error names.
    """
    text = str(error)
    if isinstance(error, RayTaskError):
        return _sentence(_raised(error))
    if isinstance(error, OutOfMemoryError):
        return _sentence(text)
    if TRACEBACK in text:
        return _sentence(_named(text.splitlines()))
    found = PID.search(text)
    lines = _written(f"-{found[1]}.err" if found else ".err", "" if found else f":task_name:{task}")
    return _sentence(f"its process died: {_fatal(lines) or _detail(text)}{_said(lines)}")


def _sentence(text: str) -> str:
    short = masked(" ".join(text.split()))[:MOST_CHARS]
    return short if short.endswith((".", "!", "?")) else f"{short}."


def _raised(error: RayTaskError) -> str:
    cause = error.cause
    if isinstance(cause, UserError):
        return " ".join(cause.messages)
    return first_line(cause) if isinstance(cause, BaseException) else _named(str(error).splitlines())


def _named(lines: Sequence[str]) -> str:
    """Type and message of the error in a traceback: what follows its last indented line."""
    last = max((at for at, line in enumerate(lines) if line.startswith(" ")), default=-1)
    named = next((line for line in lines[last + 1 :] if line.strip()), "no reason is known")
    return re.sub(r"^(?:[\w]+\.)*(\w+: )", r"\1", named).removeprefix("UserError: ")


def _detail(text: str) -> str:
    """What Ray knows of the end of a process."""
    found = DETAIL.search(text)
    return KILLED if not found or any(words in found[1] for words in SILENT) else found[1].rstrip(".")


def _fatal(lines: Sequence[str]) -> str:
    """The signal that Python reported, with the innermost place in code that is not a library's; else empty."""
    begin = next((at for at, line in enumerate(lines) if line.startswith(FATAL)), None)
    if begin is None:
        return ""
    frames = [found for line in lines[begin:] if (found := FRAME.search(line))]
    own = [frame for frame in frames if not any(part in frame["file"] for part in OF_OTHERS)]
    place = next(iter(own or frames), None)
    return lines[begin].removeprefix(FATAL) + (f" ({place['file']}, line {place['line']})" if place else "")


def _said(lines: Sequence[str]) -> str:
    """What the process itself wrote last."""
    end = next((at for at, line in enumerate(lines) if line.startswith(("*** SIG", FATAL))), len(lines))
    own = [line for line in lines[:end] if not line.startswith(":")][-LINES:]
    return f"; it wrote last: {' / '.join(own)}" if own else ""


def _written(ending: str, mark: str) -> list[str]:
    """The lines of a worker's standard error that are not empty; none for a worker on another machine.

    Args:
        ending: of the name of its file, which has its process in it.
        mark: a line that the file has to contain; empty for any.
    """
    logs = Path(os.environ.get(WITHIN, ""), SESSION, "session_latest", "logs")
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in logs.glob(f"worker-*{ending}")]
    found = [text for text in texts if mark in text.splitlines() or not mark]
    told = next((text for text in found if FATAL in text), next(iter(found), ""))
    return [line.strip() for line in told.splitlines() if line.strip()]
