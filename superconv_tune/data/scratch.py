"""Folders for what need not outlast this process: closed to other users, with a short path, swept if it is killed."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from superconv_tune.core.errors import UserError

WITHIN = "SUPERCONV_TUNE_SCRATCH"  # the folder of the search that started this process, and swept with it
PREFIX = f"sct-{os.getuid()}-"
LOCK = "lock"  # held as long as the process lives, whatever becomes of its number
UNLOCKED_S = 60.0  # a folder without a lock is so old at least before it counts as left behind
SHORT = (Path("/tmp"), Path("/var/tmp"))
PLAIN = re.compile(r"[\w./+-]+", re.ASCII)  # paths that survive the command lines of other programs
SOCKET_CHARS = 107 if os.uname().sysname == "Linux" else 103  # longest path of a socket


@contextmanager
def scratch(longest: str = "") -> Iterator[Path]:
    """An empty folder that no other user can enter; removed with the block, or swept later if this process is killed.

    It lies where ``TMPDIR`` says, or in /tmp if sockets cannot be made there, or their paths would be too long.

    Args:
        longest: longest path inside the folder that a socket is to have; empty if there are no sockets.

    Raises:
        UserError: if no place takes such a folder.
    """
    within = Path(os.environ.get(WITHIN, ""))
    is_within = within != Path() and not longest and within.is_dir()
    places = [within] if is_within else [Path(tempfile.gettempdir()), *SHORT]
    for place in dict.fromkeys(places):
        sweep(place)
    folder = next(filter(None, (_made(place, longest) for place in dict.fromkeys(places))), None)
    if folder is None:
        raise UserError(
            f"TMPDIR: no folder for temporary files can be made in any of {', '.join(map(str, places))}: it has to be "
            f"writable, and its path short and without blanks or other odd characters. Set TMPDIR to such a folder."
        )
    with (folder / LOCK).open("wb") as lock:
        _lock(lock.fileno())
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path) -> None:
    """Remove this user's folders whose process is gone."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # it is being removed right now
            if _is_ours(folder) and _is_left_behind(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Whether this is a folder of this user, and no link to another one."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _is_left_behind(folder: Path) -> bool:
    if not (folder / LOCK).exists():
        return time.time() - folder.stat().st_mtime > UNLOCKED_S
    with (folder / LOCK).open("rb") as lock:
        return _lock(lock.fileno())


def _lock(number: int) -> bool:
    """Lock a file until it is closed; False if another process has it, or if files cannot be locked here."""
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _made(place: Path, longest: str) -> Path | None:
    """A new folder; None if it cannot be made in this place, or takes no sockets."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    except OSError:
        return None
    if not longest or (PLAIN.fullmatch(str(folder)) and _takes_sockets(folder, len(longest))):
        return folder
    folder.rmdir()
    return None


def _takes_sockets(folder: Path, length: int) -> bool:
    """Whether sockets can be made here, under paths as long as those that are wanted."""
    if len(os.fsencode(folder)) + 1 + length > SOCKET_CHARS:
        return False
    with socket.socket(socket.AF_UNIX) as tried, suppress(OSError):
        tried.bind(str(folder / "s"))
        (folder / "s").unlink()
        return True
    return False
