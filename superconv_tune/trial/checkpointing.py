"""A cycle on disk: saved after every epoch, and continued as if it had never been interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from superconv_tune.core.codec import encode
from superconv_tune.record.trial import TrialRequest
from superconv_tune.training.checkpoint import load, peek, save
from superconv_tune.training.randomness import seed_all
from superconv_tune.training.team import Team
from superconv_tune.trial.attempt import Attempt, Learner, Position
from superconv_tune.trial.failures import Stopped


def identity(request: TrialRequest) -> str:
    """The request without its attempt number, as text: equal for every attempt of a trial."""
    return json.dumps(encode(replace(request, attempt=1)), sort_keys=True)


def _ignore(steps: int) -> None:
    """The default of `Checkpoint.saved`."""


@dataclass(frozen=True)
class Checkpoint:
    """The file that a cycle is saved in.

    It holds model, optimizer, the loss scale of fp16, all global random states, the position in the training batches,
    and every step of the curve. The divergence watch is not saved: in a resumed cycle it reads the saved losses again.

    Where several processes train together, the first one writes the file, and all of them read it. What the others
    draw, as for dropout, begins anew in every epoch, from the seed, the process and the step, and needs not be saved.

    Attributes:
        path: the file, in a folder that exists; a kill during a write leaves the old file or the new one.
        saved: called after every write with the number of steps in the file.
    """

    path: Path
    saved: Callable[[int], None] = _ignore

    def steps(self) -> int:
        """Number of steps in the file; 0 if there is no file."""
        return peek(self.path).step if self.path.exists() else 0

    def save(self, attempt: Attempt, learner: Learner) -> None:
        """Write the cycle as it is now."""
        step, team = attempt.position.step, attempt.problem.team
        if team is not None and not team.leads:
            _draw_apart(attempt.request.seed, team, step)
            return
        extra = {
            "trial": identity(attempt.request),
            "position": asdict(attempt.position),
            "scaler": learner.scaler.state_dict(),
        }
        save(self.path, learner.model, learner.optimizer, step, extra, attempt.curve("cycle"))
        self.saved(step)

    def resume(self, attempt: Attempt, learner: Learner) -> Position:
        """Restore a fresh learner and the attempt's curve from the file; returns the position to continue from.

        Without a file that is the beginning.

        Raises:
            Stopped: if the file belongs to another trial.
        """
        position, team = self._restored(attempt, learner), attempt.problem.team
        if team is not None and not team.leads:
            _draw_apart(attempt.request.seed, team, position.step)
        return position

    def _restored(self, attempt: Attempt, learner: Learner) -> Position:
        if not self.path.exists():
            return Position()
        if peek(self.path).extra["trial"] != identity(attempt.request):
            raise Stopped("code_error", f"The checkpoint {self.path} belongs to another trial.")
        loaded = load(self.path, learner.model, learner.optimizer)
        learner.scaler.load_state_dict(loaded.extra["scaler"])
        attempt.restore("cycle", loaded.curve)
        return Position(**loaded.extra["position"])


def _draw_apart(seed: int, team: Team, step: int) -> None:
    """Seed all generators of a process that follows, so that it does not drop the same units as the first one."""
    seed_all(int(np.random.SeedSequence([seed, team.rank, step]).generate_state(1, np.uint64)[0]) >> 1)
