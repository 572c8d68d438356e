"""One attempt of a trial while it runs: what it trains with, and its results so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from superconv_tune.core.bits import pack
from superconv_tune.core.curve import Curve
from superconv_tune.data.batches import Batch
from superconv_tune.lr.schedule import Knobs
from superconv_tune.problems.problem import BatchSource, EvaluationSet, Problem
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.training.evaluation import evaluate
from superconv_tune.training.loop import Runtime, train
from superconv_tune.training.randomness import seed_all
from superconv_tune.trial.failures import Stopped, endless, guarded
from superconv_tune.trial.item_noise import items_se
from superconv_tune.trial.tracker import Phase, Tracker
from superconv_tune.verdict.groups import Groups

CURVE_POINTS = 200  # kept of a curve in the outcome; the tracker gets every step

Timed = Literal["train_s", "eval_s", "range_test_s"]


@dataclass(frozen=True)
class Learner:
    """A model, its optimizer, the device and precision they run in, and the loss scaler of fp16."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    runtime: Runtime
    scaler: torch.amp.GradScaler


@dataclass(frozen=True)
class Position:
    """Progress of a phase.

    Attributes:
        step: optimizer steps taken.
        batches: training batches read; more than the steps where a step takes several, or fp16 skipped one.
    """

    step: int = 0
    batches: int = 0


class Attempt:
    """The request, the problem and the outcome that grows while the attempt runs.

    Attributes:
        request: the trial to run.
        problem: its data, model, loss and metric.
        clock: returns the Unix time in seconds.
        position: progress of the current phase.
    """

    def __init__(
        self, request: TrialRequest, problem: Problem, tracker: Tracker, clock: Callable[[], float], node: str
    ) -> None:
        self.request = request
        self.problem = problem
        self.clock = clock
        self.position = Position()
        self._tracker = tracker
        self._started = clock()
        self._phase_started: dict[Phase, float] = {}
        self._blocks: dict[Phase, list[Curve]] = {"range_test": [], "cycle": []}
        self._outcome = TrialOutcome(
            request.trial_id, request.attempt, status="finished", objective=problem.trivial_value, node=node
        )

    def note(self, **facts: Any) -> None:
        """Set fields of the outcome."""
        self._outcome = replace(self._outcome, **facts)

    @contextmanager
    def timed(self, field: Timed) -> Iterator[None]:
        """Add the seconds spent inside to a field of the outcome, even if an exception ends them."""
        started = self.clock()
        try:
            yield
        finally:
            self.note(**{field: getattr(self._outcome, field) + self.clock() - started})

    def outcome(self) -> TrialOutcome:
        """The outcome so far."""
        ramp, cycle = self.curve("range_test"), self.curve("cycle")
        steps_per_epoch = self.steps_per_epoch() if len(cycle) else 1
        return replace(
            self._outcome,
            steps=len(cycle),
            epochs=len(cycle) / steps_per_epoch,
            range_curve=ramp.thin(CURVE_POINTS) if len(ramp) else None,
            cycle_curve=cycle.thin(CURVE_POINTS) if len(cycle) else None,
            wall_s=self.clock() - self._started,
        )

    def curve(self, phase: Phase) -> Curve:
        """Every step of the phase so far."""
        return Curve.join(self._blocks[phase])

    def restore(self, phase: Phase, curve: Curve) -> None:
        """Start the phase with the curve of an interrupted attempt, which has at least one step."""
        self._blocks[phase] = [curve]
        self._phase_started[phase] = self.clock() - curve.elapsed_s[-1]
        self._tracker.record(phase, curve)

    def steps_per_epoch(self) -> int:
        """Optimizer steps in one pass over the training part."""
        batches = self.problem.train.steps_per_epoch(self.request.params.batch_size)
        return max(1, batches // self.problem.micro_batches)

    def check_deadline(self) -> None:
        """Stop the trial if its deadline has passed.

        Raises:
            Stopped: if the deadline has passed.
        """
        late_s = self.clock() - self.request.deadline
        if late_s >= 0.0:
            raise Stopped("deadline", f"The deadline had passed {late_s:.1f} s before the next phase could begin.")

    def fresh_learner(self) -> Learner:
        """A new model from the seed of the trial, which fixes later dropout draws too; no earlier state is kept."""
        seed_all(self.request.seed)
        model = self.problem.make_model()
        problem = self.problem
        runtime = problem.handling.runtime(model, problem.device, self.request.precision, problem.team)
        model = runtime.place(model)
        if runtime.team is not None:
            runtime.team.agree(model)
        return Learner(model, self.problem.make_optimizer(model, self.request.params), runtime, runtime.scaler())

    def steps(
        self,
        phase: Phase,
        learner: Learner,
        knobs: Callable[[int], Knobs | None],
        block_steps: int,
        *,
        start: Position = Position(),
        round_steps: int = 0,
    ) -> Generator[Curve, None, None]:
        """Train, and record every block before the caller judges it.

        Steps and seconds continue from an earlier run of the same phase, so that a phase is one series.

        Args:
            phase: the range test or the cycle.
            learner: what is trained.
            knobs: learning rate, momentum and weight decay of a step, counted from the beginning of this run of the
                phase; None ends it.
            block_steps: maximum number of steps in a block.
            start: where this run of the phase was interrupted; see `restore`.
            round_steps: a block also ends at every multiple of this number of steps; 0 for no such ends.
        """
        began = self._phase_started.setdefault(phase, self.clock())
        past_steps, past_s = sum(map(len, self._blocks[phase])) - start.step, self.clock() - began
        params, source = self.request.params, self._source(phase)
        self.position = start
        with (
            closing(guarded(lambda: source.stream(params.batch_size, self.request.seed, start.batches))) as batches,
            closing(
                train(
                    learner.model,
                    learner.optimizer,
                    self._counted(endless(batches)),
                    lambda outputs, targets: self.problem.loss(outputs, targets, params.label_smoothing),
                    knobs,
                    runtime=learner.runtime,
                    clock=self.clock,
                    first_step=start.step,
                    block_steps=block_steps,
                    round_steps=round_steps,
                    micro_batches=self.problem.micro_batches,
                    scaler=learner.scaler,
                )
            ) as blocks,
        ):
            for block in blocks:
                self.position = replace(self.position, step=self.position.step + len(block))
                block = replace(block, step=block.step + past_steps, elapsed_s=block.elapsed_s + past_s)
                self._blocks[phase].append(block)
                self._tracker.record(phase, block)
                yield block

    def _counted(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            self.position = replace(self.position, batches=self.position.batches + 1)
            yield batch

    def _source(self, phase: Phase) -> BatchSource:
        """The training batches; in a cycle those of the requested share of the data, drawn by the seed."""
        plain = None if self.request.params.augment else self.problem.plain_train
        source = plain or self.problem.train
        share = self.request.cycle.data_share if phase == "cycle" else 1.0
        return source if share == 1.0 else source.part(share, self.request.seed)

    def judge_validation(self, outputs: Any, targets: Any) -> None:
        """Note the metric and the loss of the validation part.

        Raises:
            Stopped: if the metric is not finite.
        """
        problem = self.problem
        value = _finite(problem.metric.compute(outputs, targets), f"{problem.metric.name} of the validation part")
        # Without label smoothing, so that trials which smooth differently can be compared.
        loss = float(problem.loss(outputs, targets, 0.0))
        self.note(validation=value, objective=value, validation_loss=loss if math.isfinite(loss) else None)
        if problem.validation_groups is not None and problem.metric.correct is not None:
            correct = problem.metric.correct(outputs, targets).cpu().numpy()
            self.note(validation_worth=Groups.of(correct, problem.validation_groups).items)

    def judge_test(self, outputs: Any, targets: Any) -> None:
        """Note the metric of the test part, and which of its items are right, or else its noise from their number.

        Raises:
            Stopped: if the metric is not finite.
        """
        metric, groups = self.problem.metric, self.problem.test_groups
        self.note(test=_finite(metric.compute(outputs, targets), f"{metric.name} of the test part"))
        if metric.correct is not None:
            correct = metric.correct(outputs, targets)
            self.note(test_correct=pack(correct.cpu().numpy()), test_items=len(correct))
        else:
            request = self.request
            self.note(test_se=items_se(metric, (outputs, targets), groups, request.seed, self.clock, request.deadline))

    def evaluate(self, learner: Learner, part: EvaluationSet) -> tuple[Any, Any]:
        """Outputs and targets of the validation or test part."""
        return evaluate(learner.model, guarded(part.batches), learner.runtime)


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise Stopped("nan", f"The {what} is not finite after a whole cycle: got {value}.")
    return value
