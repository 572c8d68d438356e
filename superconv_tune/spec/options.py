"""The options of the command line by the keys of a spec."""

from __future__ import annotations

# Options whose name differs from their key's.
OPTIONS = {"data.path": "--data", "baselines": "--baseline", "optimizer.name": "--optimizer"}


def option_of(key: str) -> str:
    """The command-line option of a dotted key."""
    return OPTIONS.get(key, f"--{key.rpartition('.')[2].replace('_', '-')}")
