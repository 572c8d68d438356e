"""Free disk and memory of this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
GIB = 2**30


def nearest_folder(path: Path) -> Path:
    """The path itself if it is a folder, else the nearest existing folder above it."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())


def is_writable(folder: Path) -> bool:
    """Whether files can be created in the folder, or in the nearest existing folder above it."""
    return os.access(nearest_folder(folder), os.W_OK | os.X_OK)


def free_disk(folder: Path) -> int:
    """Free bytes on the disk of this folder."""
    return shutil.disk_usage(nearest_folder(folder)).free


def free_memory() -> int | None:
    """Bytes available without swapping, within a container's limit; None if the system does not report them."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    kilobytes = next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
    return None if kilobytes is None else min(kilobytes * 1024, _left_in_container())


def _left_in_container() -> int:
    limit, used = (_number(CGROUP / name) for name in ("memory.max", "memory.current"))
    return 2**62 if limit is None or used is None else max(0, limit - used)


def _number(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # "max" is no limit
