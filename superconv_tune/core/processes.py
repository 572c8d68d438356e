"""The processes of this machine, as far as its ``/proc`` tells."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def status(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` from the state on; none if there is no such process."""
    try:
        return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def began(pid: int) -> str:
    """When a process began, as the system counts it; empty if it has ended. A later one may have the same number."""
    fields = status(pid)
    return fields[19] if fields and fields[0] != "Z" else ""


def descendants(pid: int) -> list[int]:
    """All running descendants of a process."""
    children: dict[int, list[int]] = {}
    for entry in PROC.glob("[0-9]*"):
        fields = status(int(entry.name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = list(children.get(pid, []))
    for child in found:  # grows while it is read
        found += children.get(child, [])
    return found
