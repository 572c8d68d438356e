"""What the terminal shows while a long run trains."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from superconv_tune.core.curve import Curve
from superconv_tune.reporting.console import clock_words

RECENT_BLOCKS = 20  # the time left is computed from the speed of these


class LongRunView:
    """A progress bar on a terminal; a line per epoch elsewhere.

    Use as a context manager. Call `begin` once, `advance` with every block of the curve, and `saved` whenever an
    epoch was saved.

    Args:
        console: where it is shown.
        clock: time in seconds.
        steps: optimizer steps of the whole run.
        steps_per_epoch: optimizer steps in one epoch.
    """

    def __init__(self, console: Console, clock: Callable[[], float], steps: int, steps_per_epoch: int) -> None:
        self._console = console
        self._clock = clock
        self._steps = steps
        self._steps_per_epoch = steps_per_epoch
        self._done = 0
        self._marks: deque[tuple[int, float]] = deque(maxlen=RECENT_BLOCKS + 1)
        self._losses: list[float] = []  # since the last epoch that was shown
        self._lr = 0.0
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[facts]}"), console=console
        )
        self._task = self._bar.add_task(self._epochs(0), total=steps, facts="")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def begin(self, first_step: int) -> None:
        """Begin at this step; the speed is measured from here on."""
        self._done = first_step
        self._marks.append((first_step, self._clock()))

    def advance(self, block: Curve) -> None:
        """Take in the next steps; those before the first step of `begin` were shown by an earlier attempt."""
        fresh = block.take(np.flatnonzero(block.step >= self._done))
        if len(fresh) == 0:
            return
        self._done += len(fresh)
        self._losses += fresh.loss.tolist()
        self._lr = float(fresh.lr[-1])
        self._marks.append((self._done, self._clock()))
        if self._console.is_terminal:
            self._bar.update(
                self._task, completed=self._done, description=self._epochs(self._done), facts=self._facts()
            )

    def saved(self, step: int) -> None:
        """Note that the run is saved up to this step; without a terminal this prints a line."""
        if not self._console.is_terminal:
            self.say(f"{self._epochs(step)}: {self._facts()}")
        self._losses.clear()

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True, emoji=False)

    def _epochs(self, step: int) -> str:
        return f"epoch {step / self._steps_per_epoch:.4g} of {self._steps / self._steps_per_epoch:.4g}"

    def _facts(self) -> str:
        loss = f"loss {np.mean(self._losses):.4f}, " if self._losses else ""
        return f"{loss}learning rate {self._lr:.3g}, {clock_words(self._left_s())} left"

    def _left_s(self) -> float:
        """Seconds for the remaining steps at the speed of the latest ones."""
        (first, since), (last, now) = self._marks[0], self._marks[-1]
        return (self._steps - self._done) * (now - since) / (last - first) if last > first else 0.0
