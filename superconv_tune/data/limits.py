"""What this process may use of its machine: its cores and its memory, within affinity, containers and batch jobs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
UNLIMITED = 2**60  # bytes; version 1 writes "no limit" as a number above this


def usable_cpus() -> int:
    """Number of cores that this process may keep busy; at least 1.

    Those that it may run on (``taskset``, a batch system's cpuset), within the quota of every control group it is in.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([cores, *_quotas()])))


def memory_left() -> int | None:
    """Bytes that the control groups of this process have left; None without a limit."""
    left = [limit - used for limit, used in _memory()]
    return max(0, min(left)) if left else None


def memory_limit() -> int | None:
    """Bytes that all processes of the tightest control group may use together; None without a limit."""
    return min((limit for limit, _ in _memory()), default=None)


def _quotas() -> Iterator[float]:
    for group in _groups(""):
        quota, _, period = _text(group / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():
            yield int(quota) / int(period)
    for group in _groups("cpu"):
        limit, span = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
        if limit and span:
            yield limit / span


def _memory() -> Iterator[tuple[int, int]]:
    """Limit and use of every control group that has a limit."""
    names = {"": ("memory.max", "memory.current"), "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes")}
    for controller, (most, now) in names.items():
        for group in _groups(controller):
            limit = _number(group / most)
            if limit is not None and limit < UNLIMITED:
                yield limit, max(0, (_number(group / now) or 0) - _reclaimable(group))


def _reclaimable(group: Path) -> int:
    """Bytes of files that were read, and that the kernel drops before it refuses anybody memory."""
    lines = (line.split() for line in _text(group / "memory.stat").splitlines())
    return next((int(line[1]) for line in lines if line[0] in ("total_inactive_file", "inactive_file")), 0)


def _groups(controller: str) -> Iterator[Path]:
    """The folders of the control groups that this process is in, and of those around them; "" for version 2."""
    for line in _text(OWN_GROUPS).splitlines():
        _, controllers, place = line.split(":", 2)
        if controller in controllers.split(","):
            for root in {CGROUPS / controllers, CGROUPS / controller}:
                inner = root / place.lstrip("/")
                yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(root))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _number(file: Path) -> int | None:
    """The number in a file; None if there is none, such as ``max`` or -1, which are no limit."""
    text = _text(file)
    return int(text) if text.isdigit() else None
