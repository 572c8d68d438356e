"""Several processes that train a long run together: on the GPUs of this machine or of a Ray cluster, or on cores."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from superconv_tune.cluster.together import Joint, has_gpus, train_together
from superconv_tune.core.background import Background
from superconv_tune.core.errors import UserError
from superconv_tune.data.nested import count
from superconv_tune.problems.payload import portable
from superconv_tune.record.trial import TrialOutcome
from superconv_tune.study.question import threads
from superconv_tune.study.trainer import LongCycle
from superconv_tune.training.team import has_batch_norms
from superconv_tune.trial.failures import guarded
from superconv_tune.trial.tracker import Tracker


@dataclass(frozen=True)
class Together:
    """See `superconv_tune.study.trainer.Trainer`.

    Attributes:
        workers: number of processes.
        ray: the connection to Ray, or its beginning.
        is_local: whether all processes are on this machine.
    """

    workers: int
    ray: Background[None]
    is_local: bool

    def check(self, cycle: LongCycle) -> str:
        """How a batch is divided, and what that does to batch norm.

        Raises:
            UserError: if a batch cannot be divided equally, or there is no room for so many processes.
        """
        items = _batch_items(cycle)
        if items % self.workers:
            fitting = [str(n) for n in range(2, items + 1) if items % n == 0 and n <= 4 * self.workers]
            raise UserError(
                f"--workers: a batch of {items} examples cannot be divided equally among {self.workers} processes. "
                f"Take {', '.join(fitting) or 'one'}, or another params.batch_size in the recipe."
            )
        self.ray.wait()
        on_gpus = has_gpus(self.workers, threads(cycle.payload.spec))
        text = f"{self.workers} processes, each with {items // self.workers} of the {items} examples of every batch"
        if on_gpus or not has_batch_norms(cycle.problem.make_model()):
            return text
        return f"{text}; on CPUs, batch norm normalises by the examples of each process"

    def train(self, cycle: LongCycle, tracker: Tracker) -> TrialOutcome:
        """Train on several processes.

        Raises:
            UserError: if there is no room for them any more.
        """
        joint = Joint(
            cycle.request,
            cycle.payload if self.is_local else portable(cycle.payload),
            cycle.checkpoint.path.absolute(),
            (cycle.state.absolute(), cycle.state.read_bytes()),
            cycle.keeper,
            threads(cycle.payload.spec),
        )
        worst = cycle.problem.trivial_value
        return train_together(joint, self.workers, tracker, cycle.checkpoint.saved, worst)


def _batch_items(cycle: LongCycle) -> int:
    """Examples in a batch, which may be fewer than were asked for if there are no more."""
    size, seed = cycle.request.params.batch_size, cycle.request.seed
    with closing(guarded(lambda: cycle.problem.train.stream(size, seed))) as batches:
        return count(next(batches)[1])
