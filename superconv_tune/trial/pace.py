"""How far along its schedule a cycle is, so that a late one still anneals to the floor before the deadline."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

USEFUL_SHARE = 0.1  # a cycle cut to less than this share of its steps says nothing about its parameters
WHOLE_SHARE = 0.95  # of its steps, annealed to the end: less than that is another length
RECENT_BLOCKS = 2  # whose steps are timed; earlier ones may have had the machine to themselves
SLACK = 0.05  # steps are planned to take this much longer than measured
TICK_S = 1e-9  # shortest step assumed, even where the clock stands still
MARGIN_S = 0.5  # between the end of the evaluation and the deadline
EVALUATION_SHARE = 0.5  # time of an evaluation batch, relative to that of a training step


@dataclass(frozen=True)
class Pace:
    """Progress in [0, 1] as a piecewise linear function of the step, continuous and rising, 1 at the last step.

    Attributes:
        steps: length of the whole cycle; step k of an even pace has progress ``k / (steps - 1)``.
        last_step: index of the step that ends the cycle.
        knot_step: first step of the current linear stretch.
        knot_progress: progress there.
    """

    steps: int
    last_step: int
    knot_step: int = 0
    knot_progress: float = 0.0

    @staticmethod
    def even(steps: int) -> Pace:
        """The pace of a cycle that is on time."""
        return Pace(steps, steps - 1)

    @property
    def is_shortened(self) -> bool:
        """Whether the cycle has so many steps fewer than requested that its result is that of a shorter one."""
        return self.last_step + 1 < WHOLE_SHARE * self.steps

    @property
    def is_too_short(self) -> bool:
        """Whether the cycle has so few steps that it says nothing about its parameters."""
        return self.last_step + 1 < USEFUL_SHARE * self.steps

    def completes(self, taken: int) -> bool:
        """Whether ``taken`` steps reached the end of the schedule, and not only the deadline."""
        is_cut = self.last_step < self.steps - 1 and self.knot_step == self.last_step and self.knot_progress < 1.0
        return taken == self.last_step + 1 and not is_cut

    def progress(self, step: int) -> float:
        """Progress of a step from the knot on; a cycle of one step stays at the beginning of its schedule."""
        stretch = self.last_step - self.knot_step
        if stretch == 0:
            return self.knot_progress
        return self.knot_progress + (1.0 - self.knot_progress) * ((step - self.knot_step) / stretch)

    def fit(self, step: int, room: int) -> Pace:
        """The pace after ``step`` was taken and ``room`` more steps fit: the rest of the schedule over those steps.

        With enough room the rest is taken at the even pace, even if an earlier estimate had shortened it. Without room
        the cycle ends here.
        """
        here = self.progress(step)
        even = round((1.0 - here) * (self.steps - 1))
        last_step = step + min(even, max(0, room))
        if last_step == self.last_step:
            return self
        return replace(self, last_step=last_step, knot_step=step, knot_progress=here)


class Pacer:
    """Adapts a cycle's `Pace` to the clock."""

    def __init__(self, steps: int, evaluation_steps: float, deadline: float, clock: Callable[[], float]) -> None:
        """Start the clock now.

        Args:
            steps: number of steps in the whole cycle.
            evaluation_steps: number of batches, of the training batch size, that are evaluated afterwards.
            deadline: Unix time in seconds by which the evaluation has to end.
            clock: returns the Unix time in seconds.
        """
        self.pace = Pace.even(steps)
        self._reserve_steps = evaluation_steps * EVALUATION_SHARE
        self._reserve_s = 0.0  # until a step has been timed
        self._deadline = deadline
        self._clock = clock
        self._marks = deque([(0, clock())], maxlen=RECENT_BLOCKS + 1)

    def progress(self, step: int) -> float | None:
        """Progress of the next step; None if the cycle is over, by the schedule or by the clock."""
        if step > self.pace.last_step or self._clock() + self._reserve_s >= self._deadline:
            return None
        return self.pace.progress(step)

    def taken(self, steps: int) -> None:
        """Note that ``steps`` steps are done, measure their speed, and plan the rest again."""
        now = self._clock()
        self._marks.append((steps, now))
        (since, start) = self._marks[0]
        step_s = (now - start) / (steps - since)
        self._reserve_s = step_s * self._reserve_steps
        room_s = self._deadline - now - self._reserve_s - MARGIN_S
        room = room_s / max(step_s * (1.0 + SLACK), TICK_S)
        self.pace = self.pace.fit(steps - 1, int(min(room, self.pace.steps)))
