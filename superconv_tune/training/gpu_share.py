"""How many trials share one GPU: as many as its memory holds, and as get more done than fewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

AT_ONCE = (1, 2, 4)  # what is tried; powers of two, whose shares of a device add up exactly
HEADROOM = 0.9  # of the free memory: what trials with other parameters take more, and what fragments
GAIN = 1.15  # in steps per second, for which twice as many trials must be worth that each takes longer


@dataclass(frozen=True)
class Memory:
    """Of one device, in bytes, while one trial runs there.

    Attributes:
        free: what nobody else holds; what the trial itself holds counted as free.
        needed: by the trial at its peak, what the driver of the device takes per process included.
    """

    free: int
    needed: int


@dataclass(frozen=True)
class Load:
    """What a device gets done with so many trials at once.

    Attributes:
        trials: at once.
        steps_per_s: of all together.
    """

    trials: int
    steps_per_s: float

    @property
    def step_s(self) -> float:
        """Seconds of a step as each of the trials sees it."""
        return self.trials / self.steps_per_s


def most_that_fit(memory: Memory | None) -> int:
    """The largest of `AT_ONCE` that the memory holds, and 1 where it holds none; all where it is not known."""
    if memory is None:
        return AT_ONCE[-1]
    return max((count for count in AT_ONCE if count * memory.needed <= HEADROOM * memory.free), default=1)


def chosen(loads: Sequence[Load]) -> Load:
    """The load to search with: more trials at once only where the next larger number pays.

    Args:
        loads: measured, the fewest trials first; at least one.
    """
    best = loads[0]
    for load in loads[1:]:
        if load.steps_per_s < GAIN * best.steps_per_s:
            break
        best = load
    return best


def shortage(free: int, missing: int) -> str:
    """Why a trial does not begin on this device; empty where its memory is enough.

    Args:
        free: bytes that can be had there now.
        missing: bytes that this process lacks of what its largest trial so far held at its peak.
    """
    if free >= missing:
        return ""
    return (
        f"The device has {free / 2**20:,.0f} MiB free, but a trial here needed {missing / 2**20:,.0f} more than the "
        f"process holds: somebody else took them. End other programs there, or give a larger gpus_per_trial."
    )
