"""A storage without a study, copied instead of made: Optuna's migrations take longer to read than most tests run."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from superconv_tune.proposer.proposer import Proposer


def blank_storage(path: Path) -> str:
    """Write an empty storage to ``path`` unless there is one; its URL."""
    if not path.exists():
        path.write_bytes(_blank())
    return f"sqlite:///{path}"


@cache
def _blank() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blank.db"
        Proposer(f"sqlite:///{path}", "none", {}, "max", "random", seed=0, expected_trials=1).close()
        return path.read_bytes()
