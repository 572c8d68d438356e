"""A cycle on disk: saved after every epoch, and continued as if it had never been interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from superconv_tune.core.codec import encode
from superconv_tune.record.trial import TrialRequest
from superconv_tune.training.checkpoint import load, peek, save
from superconv_tune.trial.attempt import Attempt, Learner, Position
from superconv_tune.trial.failures import Stopped


def identity(request: TrialRequest) -> str:
    """All that fixes what is trained, as text: equal for every attempt of a trial."""
    return json.dumps(encode(replace(request, attempt=1)), sort_keys=True)


def _nothing(steps: int) -> None:
    """Nobody waits for a checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    """The file that a cycle is saved in.

    It holds model, optimizer, the scale of fp16's loss, all global random states, the place in the training batches and
    every step of the curve. The watch for divergence has no state of its own: it sees the losses again.

    Attributes:
        path: of the file; its folder exists. A kill leaves the old file or the new one.
        saved: called after every write, with the number of steps that are now safe.
    """

    path: Path
    saved: Callable[[int], None] = _nothing

    def steps(self) -> int:
        """Number of steps in the file; 0 where there is none."""
        return peek(self.path).step if self.path.exists() else 0

    def save(self, attempt: Attempt, learner: Learner) -> None:
        """Write the cycle as it is now."""
        extra = {
            "trial": identity(attempt.request),
            "position": asdict(attempt.position),
            "scaler": learner.scaler.state_dict(),
        }
        step = attempt.position.step
        save(self.path, learner.model, learner.optimizer, step, extra, attempt.curve("cycle"))
        self.saved(step)

    def resume(self, attempt: Attempt, learner: Learner) -> Position:
        """Bring a fresh learner and the attempt's curve to where the file is; the beginning where there is none.

        Raises:
            Stopped: if the file belongs to another trial.
        """
        if not self.path.exists():
            return Position()
        if peek(self.path).extra["trial"] != identity(attempt.request):
            raise Stopped("code_error", f"The checkpoint {self.path} belongs to another trial.")
        held = load(self.path, learner.model, learner.optimizer)
        learner.scaler.load_state_dict(held.extra["scaler"])
        attempt.restore("cycle", held.curve)
        return Position(**held.extra["position"])
