"""What Ray reads from the environment, decided by the search and not by whoever started it or shares its machine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from superconv_tune.cluster.access import MODE, TOKEN
from superconv_tune.data.scratch import WITHIN, scratch

PREFIXES = ("RAY_", "TUNE_")
# Ray reads these once, when it is imported or started.
SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard files beside ours
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours: the conductor ends the search and the report is written
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Tune's own snapshots are never read: the journal is the record
    "RAY_AIR_NEW_OUTPUT": "0",  # the live view is ours
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # the working folder of a worker is that of the search
    "RAY_prestart_worker_first_driver": "0",  # Tune's actors have their own environment and would use none of these
}
SESSION = "ray"  # Ray opens its folder to everybody, so that it lies inside of one that is closed
# The longest path of a socket in it; Ray names a session by time and process.
SOCKET = f"{SESSION}/session_2026-01-01_00-00-00_000000_{2**22}/sockets/plasma_store"


@contextmanager
def surroundings(place: str | None) -> Iterator[None]:
    """The environment of a search while the block runs; enter it before Ray is imported.

    For a local Ray no variable of the user's is left that could say where it runs, whom it trusts or what it has. It
    has a token of its own, which no file holds, and a folder that no other user can enter.

    Args:
        place: address of a cluster, whose variables are kept; None for a local Ray.

    Raises:
        UserError: if no such folder can be made.
    """
    if place is not None:
        os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})
        yield
        return
    with scratch(SOCKET) as folder:
        before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIXES)}
        inside = os.environ.get(WITHIN)
        os.environ |= SETTINGS | {MODE: "token", TOKEN: secrets.token_hex(32), WITHIN: str(folder)}
        try:
            yield
        finally:
            for name in [name for name in os.environ if name.startswith(PREFIXES) or name == WITHIN]:
                del os.environ[name]
            os.environ |= before | ({WITHIN: inside} if inside else {})
