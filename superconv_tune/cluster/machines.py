"""The other machines of a connected cluster: what their clocks show, and the records that were left on them."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

logger = logging.getLogger(__name__)

START_S = 15.0  # longest wait for a first process on every machine
ANSWER_S = 5.0
QUESTIONS = 3  # the quickest answer says most about a clock

Clocks = tuple[float, float]  # Unix time and monotonic clock


@dataclass(frozen=True)
class Machine:
    """A node of the cluster on another machine than the driver.

    Attributes:
        node: Ray's id of it.
        host: its name.
        ahead_s: by how much its clock is ahead of the driver's; None if it did not answer.
        offset_s: the driver's Unix time minus the monotonic clock of the machine; None if it did not answer.
    """

    node: str
    host: str
    ahead_s: float | None = None
    offset_s: float | None = None


def other_machines() -> tuple[Machine, ...]:
    """The nodes of the connected cluster on other machines. Containers count as machines: they share no files."""
    hosts = {
        str(node["NodeID"]): str(node["NodeManagerHostname"])
        for node in ray.nodes()
        if node["Alive"] and node["NodeManagerHostname"] != platform.node()
    }
    if hosts:  # the first answer of each takes as long as a process needs to start
        ray.wait([_on(node, _clocks) for node in hosts], num_returns=len(hosts), timeout=START_S)
    return tuple(_measured(node, host) for node, host in hosts.items())


def collect(machines: Sequence[Machine], folder: Path, record: str, what: str, wait_s: float) -> None:
    """Bring what workers have left on other machines into the same folder on this machine.

    Args:
        machines: the other machines.
        folder: the folder, which has the same path everywhere.
        record: name of the file that is written last into each of its subfolders.
        what: what the subfolders hold, for messages.
        wait_s: how long the machines have to send them.
    """
    asked = {_on(machine.node, taken, folder, record): machine for machine in machines}
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=wait_s) if asked else ([], [])
    for task in late:
        logger.warning("%s did not answer in time: %s stay there in %s.", asked[task].host, what, folder)
    for task in ready:
        try:
            kept = keep(ray.get(task), folder)
            if kept:
                ray.get(_on(asked[task].node, drop, folder, kept), timeout=ANSWER_S)
        except (RayError, OSError) as error:
            logger.warning("On %s, %s stay in %s: %s", asked[task].host, what, folder, error)


def taken(folder: Path, record: str) -> dict[str, dict[str, bytes]]:
    """The files in every subfolder that has a ``record``, by the names of both."""
    return {
        found.parent.name: {file.name: file.read_bytes() for file in found.parent.iterdir() if file.is_file()}
        for found in folder.glob(f"*/{record}")
    }


def keep(found: Mapping[str, Mapping[str, bytes]], folder: Path) -> list[str]:
    """Write the subfolders that are not here yet, and return their names: others are here because the disk is shared.

    A subfolder appears with all of its files.
    """
    kept = []
    for name, files in found.items():
        part = folder.with_name(f".{folder.name}.{name}.part")  # not where the subfolders are looked for
        if (folder / name).exists():
            continue
        part.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        for file, content in files.items():
            (part / file).write_bytes(content)
        part.rename(folder / name)
        kept.append(name)
    return kept


def drop(folder: Path, names: Sequence[str]) -> None:
    """Remove these subfolders."""
    for name in names:
        for file in (folder / name).iterdir():
            file.unlink()
        (folder / name).rmdir()


def _measured(node: str, host: str) -> Machine:
    try:
        answers = [_asked(node) for _ in range(QUESTIONS)]
    except RayError as error:
        logger.warning("The clock of %s is not known: %s", host, error)
        return Machine(node, host)
    _, now, (unix, monotonic) = min(answers)
    return Machine(node, host, ahead_s=unix - now, offset_s=now - monotonic)


def _asked(node: str) -> tuple[float, float, Clocks]:
    """How long an answer took, the time here in the middle of that, and the clocks there."""
    began = time.time()
    clocks: Clocks = ray.get(_on(node, _clocks), timeout=ANSWER_S)
    took = time.time() - began
    return took, began + took / 2, clocks


def _on(node: str, work: Callable[..., Any], *arguments: object) -> Any:
    """Begin ``work`` on a node, beside whatever runs there."""
    place = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(num_cpus=0, max_retries=0)(work).options(scheduling_strategy=place).remote(*arguments)


def _clocks() -> Clocks:
    return time.time(), time.monotonic()
