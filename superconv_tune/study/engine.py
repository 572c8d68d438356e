"""Where the trials of a search run: on Ray, or in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from superconv_tune.record.conductor import Conductor
from superconv_tune.study.call import Call
from superconv_tune.study.in_this_process import in_this_process
from superconv_tune.study.question import Question
from superconv_tune.tracking.handle import StudyHandle

T = TypeVar("T")


class Engine(Protocol):
    """Runs the trials of one question."""

    @property
    def question(self) -> Question:
        """The question, with ``gpus_per_trial`` as a number and with the time of a step at that GPU share."""
        ...

    @property
    def workers(self) -> int:
        """Trials at once."""
        ...

    def rehearsed(self) -> None:
        """Wait until a training step was tried where the trials will run.

        Raises:
            UserError: if it failed there.
        """
        ...

    @property
    def clocks(self) -> Mapping[str, float | None]:
        """By how many seconds the clock of each other machine is ahead of this one's; None if it did not answer."""
        ...

    def run(self, conductor: Conductor, handle: StudyHandle | None, spill_dir: Path, drafts: Path) -> None:
        """Run trials until the conductor is done or says stop; on return none is running.

        Args:
            conductor: hands out trials and takes their outcomes.
            handle: parent run in MLflow; None records nothing.
            spill_dir: folder for records that MLflow did not accept.
            drafts: folder for trained models.

        Raises:
            UserError: if an event cannot be stored.
        """
        ...

    def beside(self, work: Callable[[], T], otherwise: T) -> Callable[[float], T | None]:
        """Begin ``work`` without holding up the trials.

        Returns:
            A function that waits at most so many seconds for the result: None before it is there, and ``otherwise`` if
            the work was lost.
        """
        ...


def started(question: Question, call: Call) -> Engine:
    """The engine that the command line selects.

    Raises:
        UserError: if the Ray cluster does not answer, or has no room for a trial.
    """
    if call.ray is None:
        return in_this_process(question)
    # Ray takes seconds to import, and need not be installed for --debug.
    from superconv_tune.study.on_ray import on_ray  # noqa: PLC0415

    return on_ray(question, call.address, call.ray)
