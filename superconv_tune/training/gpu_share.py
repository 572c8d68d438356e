"""How many trials share one GPU: no more than fit into its memory, and more only if they get more done together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

AT_ONCE = (1, 2, 4)  # numbers of trials that are measured; powers of two, whose shares of a device add up exactly
HEADROOM = 0.9  # usable share of the free memory; the rest is for trials that need more, and for fragmentation
GAIN = 1.15  # least gain in total steps per second that makes up for each trial taking longer


@dataclass(frozen=True)
class Memory:
    """Memory of one device, in bytes, while one trial runs there.

    Attributes:
        free: what no other process holds; what the trial itself holds counts as free.
        needed: by the trial at its peak, including what the driver of the device takes per process.
    """

    free: int
    needed: int


@dataclass(frozen=True)
class Load:
    """Speed of a device that runs a number of trials at once.

    Attributes:
        trials: number of trials at once.
        steps_per_s: optimizer steps per second of all trials together.
    """

    trials: int
    steps_per_s: float

    @property
    def step_s(self) -> float:
        """Seconds of a step as each of the trials sees it."""
        return self.trials / self.steps_per_s


def most_that_fit(memory: Memory | None) -> int:
    """The largest number in `AT_ONCE` that fits into memory, at least 1; the largest of all if memory is unknown."""
    if memory is None:
        return AT_ONCE[-1]
    return max((count for count in AT_ONCE if count * memory.needed <= HEADROOM * memory.free), default=1)


def chosen(loads: Sequence[Load]) -> Load:
    """The load to search with: more trials at once only if the next larger number is worth it.

    Args:
        loads: one or more measured loads, the fewest trials first.
    """
    best = loads[0]
    for load in loads[1:]:
        if load.steps_per_s < GAIN * best.steps_per_s:
            break
        best = load
    return best


def shortage(free: int, missing: int) -> str:
    """Why a trial does not begin on this device; empty if there is enough memory.

    Args:
        free: bytes available there now.
        missing: bytes that this process would have to add to reach the peak of its largest trial so far.
    """
    if free >= missing:
        return ""
    return (
        f"The device has {free / 2**20:,.0f} MiB free, but a trial here needed {missing / 2**20:,.0f} MiB more than "
        f"this process holds now: another program took them. End other programs there, or set a larger gpus_per_trial."
    )
