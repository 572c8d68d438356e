"""The long run: one cycle with the recipe of a search, saved after every epoch and resumed exactly."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from superconv_tune.core.bits import unpack
from superconv_tune.core.codec import decode, encode
from superconv_tune.core.curve import Curve
from superconv_tune.core.errors import UserError
from superconv_tune.core.files import write_atomically
from superconv_tune.core.words import number, percent
from superconv_tune.kept.predictor import FOLDER
from superconv_tune.kept.shelf import publish
from superconv_tune.lr.horizon import HorizonRule, exponent_of
from superconv_tune.problems.payload import Payload
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import Problem
from superconv_tune.problems.targets import Scaled
from superconv_tune.problems.try_out import try_out
from superconv_tune.record.purpose import LongRun as LongRunPurpose
from superconv_tune.record.trial import INFORMATIVE, Cycle, Status, TrialOutcome, TrialRequest
from superconv_tune.reporting.long_run_view import LongRunView
from superconv_tune.spec.recipe_file import RecipeFile, read_recipe
from superconv_tune.study.logs import search_log
from superconv_tune.study.long_run_record import LongRunRecord
from superconv_tune.study.machine import require_writable
from superconv_tune.study.subject import subject_of
from superconv_tune.study.trainer import ALONE, LongCycle, Trainer
from superconv_tune.tracking.handle import Subject
from superconv_tune.training import checkpoint
from superconv_tune.training.loop import supported
from superconv_tune.training.memory import device_for
from superconv_tune.trial.checkpointing import Checkpoint, identity
from superconv_tune.trial.tracker import Phase, Tracker
from superconv_tune.verdict.statistics import LEVEL, of_one_model

CHECKPOINT, WEIGHTS, RESULT, STATE = "checkpoint.pt", "weights.pt", "result.json", "run.json"
DRAFTS = "drafts"  # subfolder of what is to become the folder of the model


@dataclass(frozen=True)
class LongRun:
    """One long cycle, ready to be trained.

    Attributes:
        recipe: the recipe that is trained.
        payload: the question, as it was tried out.
        problem: data, model, loss and metric.
        request: the run as a trial.
        folder: for checkpoint, weights and result.
        state: number of attempts so far, and the parent run in MLflow.
        subject: what it is about, for MLflow.
        notices: sentences that the user should read before it begins.
    """

    recipe: RecipeFile
    payload: Payload
    problem: Problem
    request: TrialRequest
    folder: Path
    state: LongRunState
    subject: Subject
    notices: tuple[str, ...] = ()

    @property
    def max_lr(self) -> float:
        """Peak learning rate."""
        return self.request.cycle.max_lr

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch."""
        return self.problem.train.steps_per_epoch(self.request.params.batch_size)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return max(1, round(self.request.params.cycle_epochs * self.steps_per_epoch))


@dataclass(frozen=True)
class LongRunState:
    """What the folder of a run remembers besides the checkpoint.

    Attributes:
        trial: digest of everything that determines the training.
        data: fingerprint of the data.
        attempts: how often it was started or resumed.
        mlflow: its parent run in MLflow, the address without a password; None if it was not recorded.
    """

    trial: str
    data: str
    attempts: int = 0
    mlflow: dict[str, str] | None = None


@dataclass(frozen=True)
class Result:
    """How a long run ended.

    Attributes:
        status: ``finished``, or how it ended instead.
        reason: one sentence if it did not finish.
        metric: name of the metric.
        validation: metric on the validation part; None if the run did not finish, as are the test values.
        test: metric on the test part.
        test_low: lower end of the interval of ``test`` at `LEVEL`, over the test items or their groups; None for a
            metric that is not a mean over items.
        test_high: upper end of that interval.
        test_items: number of test items; 0 for a metric that is not a mean over items.
        test_groups: number of groups that they come in; 0 if every item stands for itself.
        epochs: length of the cycle.
        max_lr: peak learning rate.
        losses: training loss of every step; None where it was not finite.
        mlflow_run_id: the run that holds the curves; None if nothing is recorded.
        target_scale: what the model's outputs are to be multiplied by for the units of the targets, for every number
            of an item; empty where they are in these units.
        target_offset: what is to be added then.
    """

    status: Status
    reason: str
    metric: str
    validation: float | None
    test: float | None
    test_low: float | None
    test_high: float | None
    test_items: int
    epochs: float
    max_lr: float
    losses: tuple[float | None, ...]
    mlflow_run_id: str | None
    target_scale: tuple[float, ...] = ()
    target_offset: tuple[float, ...] = ()
    test_groups: int = 0


def open_run(recipe: Path, epochs: float, max_lr: float | None, folder: Path) -> LongRun:
    """Prepare a long run from a recipe.

    Unless ``max_lr`` is given, the peak is the recipe's, scaled to the new length by the optimizer's horizon rule.

    Raises:
        UserError: if the file is not a valid recipe, its data or model no longer work, or the folder holds another run.
    """
    found = read_recipe(recipe)
    rule = HorizonRule(found.cycle.max_lr, found.cycle.cycle_epochs, exponent_of(found.question.optimizer.name))
    payload, card = prepare(found.question)
    device = device_for(with_gpu=True)
    precision = supported(found.precision, device)
    request = TrialRequest(
        trial_id="long_run",
        attempt=1,
        purpose=LongRunPurpose(),
        work=Cycle(max_lr or rule.max_lr(epochs), reads_test=True),
        params=replace(found.cycle.hyperparameters, cycle_epochs=epochs),
        schedule=found.question.schedule,
        seed=found.seed,
        deadline=math.inf,
        precision=precision,
    )
    state = _state(folder, LongRunState(identity(request), card.fingerprint))
    notice = f"warning: this {device.type} does not train in {found.precision}, so the run trains in {precision}."
    notices = () if precision == found.precision else (notice,)
    payload, problem, _ = try_out(payload, device, request.params)
    subject = subject_of(payload, card, "superconv_tune.train")
    return LongRun(found, payload, problem, request, folder, state, subject, notices)


def train(run: LongRun, record: LongRunRecord, view: LongRunView, trainer: Trainer = ALONE) -> Result:
    """Train, from the checkpoint if there is one; then write weights, model and result into the folder.

    On the same machine, and with as many processes, the curve is bit for bit the same as without an interruption. A
    run that finished or diverged is not trained again.

    Raises:
        UserError: if MLflow cannot be used, the folder cannot be written, or the trainer cannot train it.
    """
    known = _known_result(run)
    if known is not None:
        view.say(f"This run has ended already; its result is in {run.folder}/. Another --output starts a new one.")
        return known
    require_writable(run.folder)
    cycle = _cycle(run, view)
    words = trainer.check(cycle)
    if words:
        view.say(words)
    run.folder.mkdir(parents=True, exist_ok=True)
    with search_log(run.folder):
        tracker = record.begin(run.recipe.question.name, run.subject, run.request, run.folder, run.state.mlflow)
        state = replace(run.state, attempts=cycle.request.attempt, mlflow=record.reference)
        result = None
        try:
            write_json(run.folder / STATE, state)
            result = _trained(run, cycle, trainer, tracker, view)
            write_json(run.folder / RESULT, result)
        finally:
            notice = record.end(result.status if result else None, _numbers(result), [run.folder / RESULT])
    if notice:
        view.say(notice)
    return result


def summary(folder: Path, result: Result) -> str:
    """How the run in this folder ended, in one line."""
    if result.status == "diverged":
        return (
            f"The run diverged: {result.reason} Take a --max-lr below {result.max_lr:.3g}, and another --output. "
            f"The files are in {folder}/."
        )
    if result.status != "finished":
        return (
            f"The run ended as {result.status}: {result.reason} Fix that; the same command then resumes after the last "
            f"saved epoch. The files are in {folder}/."
        )
    text = f"{result.metric}: validation {number(result.validation)}, test {number(result.test)}"
    if result.test_low is None or result.test_high is None:
        return f"{text}; no interval, because {result.metric} is not a mean over test items; see {folder}/"
    limits = f"{percent(LEVEL)} interval {number(result.test_low)} to {number(result.test_high)}"
    groups = f" of {result.test_groups:,} groups" if result.test_groups else ""
    return f"{text}; {limits} over {result.test_items:,} test items{groups}; see {folder}/"


class _Shown:
    """A tracker that also updates the view."""

    def __init__(self, tracker: Tracker, view: LongRunView, first_step: int) -> None:
        self._tracker = tracker
        self._view = view
        self._first_step = first_step
        self._blocks: list[Curve] = []

    @property
    def curve(self) -> Curve:
        """Every step of the cycle, including those of interrupted attempts."""
        return Curve.join(self._blocks)

    def start(self, request: TrialRequest) -> None:
        """Start the run and the view."""
        self._tracker.start(request)
        self._view.begin(self._first_step)

    def record(self, phase: Phase, block: Curve) -> None:
        """Keep, show and record the next steps."""
        self._blocks.append(block)
        self._view.advance(block)
        self._tracker.record(phase, block)

    def run_id(self) -> str | None:
        """Id of the run."""
        return self._tracker.run_id()

    def finish(self, outcome: TrialOutcome) -> None:
        """Finish the run."""
        self._tracker.finish(outcome)


def _cycle(run: LongRun, view: LongRunView) -> LongCycle:
    """The next attempt at the cycle."""
    return LongCycle(
        replace(run.request, attempt=run.state.attempts + 1),
        run.payload,
        run.problem,
        Checkpoint(run.folder / CHECKPOINT, view.saved),
        drafts=run.folder / DRAFTS,
        state=run.folder / STATE,
    )


def _trained(run: LongRun, cycle: LongCycle, trainer: Trainer, tracker: Tracker, view: LongRunView) -> Result:
    place = cycle.checkpoint
    first_step = place.steps()
    if first_step > 0:
        view.say(f"resumes after epoch {first_step / run.steps_per_epoch:.4g}")
    shown = _Shown(tracker, view, first_step)
    with view:
        outcome = trainer.train(cycle, shown)
    if outcome.status == "finished":
        torch.save(checkpoint.weights(place.path), run.folder / WEIGHTS)
        publish(cycle.drafts, run.folder / FOLDER, [cycle.request.trial_id], most=1)
    losses = tuple(loss if math.isfinite(loss) else None for loss in shown.curve.loss.tolist())
    result = result_of(outcome, run.problem, run.request.params.cycle_epochs, run.max_lr, losses)
    form = run.payload.form
    if not isinstance(form, Scaled):
        return result
    scale, offset = form.listed
    return replace(result, target_scale=scale, target_offset=offset)


def result_of(
    outcome: TrialOutcome, problem: Problem, epochs: float, max_lr: float, losses: tuple[float | None, ...]
) -> Result:
    """The outcome as the result of a run, with an interval for a metric that is a mean over test items."""
    low, high = _limits(outcome, problem)
    return Result(
        status=outcome.status,
        reason=outcome.reason,
        metric=problem.metric.name,
        validation=outcome.validation,
        test=outcome.test,
        test_low=low,
        test_high=high,
        test_items=outcome.test_items,
        epochs=epochs,
        max_lr=max_lr,
        losses=losses,
        mlflow_run_id=outcome.mlflow_run_id,
        test_groups=0 if problem.test_groups is None else len(np.unique(problem.test_groups)),
    )


def _limits(outcome: TrialOutcome, problem: Problem) -> tuple[float | None, float | None]:
    """The interval of the test value over items, or over the groups that they come in; None without items."""
    if outcome.test is None or outcome.test_correct is None:
        return None, None
    return of_one_model(unpack(outcome.test_correct, outcome.test_items), problem.test_groups, LEVEL)


def _state(folder: Path, fresh: LongRunState) -> LongRunState:
    """The state that the folder holds of this run, or ``fresh`` if it holds none.

    Raises:
        UserError: if it holds another run.
    """
    if not (folder / STATE).exists() and not (folder / CHECKPOINT).exists():
        return fresh
    kept: LongRunState | None = _read_json(folder / STATE, LongRunState)
    if kept is None or (kept.trial, kept.data) != (fresh.trial, fresh.data):
        raise UserError(f"--output: {folder} holds a run with another plan or other data. Choose another folder.")
    return kept


def _known_result(run: LongRun) -> Result | None:
    """The result of a run that finished or diverged; None otherwise, for then training can continue."""
    result: Result | None = _read_json(run.folder / RESULT, Result) if (run.folder / STATE).exists() else None
    return result if result is not None and result.status in INFORMATIVE else None


def _numbers(result: Result | None) -> dict[str, float]:
    """The metrics of the parent run."""
    if result is None:
        return {}
    values = {name: getattr(result, name) for name in ("validation", "test", "test_low", "test_high", "max_lr")}
    return {name: value for name, value in values.items() if value is not None}


def _read_json(path: Path, kind: Any) -> Any:
    """The value of this type in a JSON file; None if the file is missing or holds no such value."""
    try:
        return decode(kind, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, atomically."""
    write_atomically(path, json.dumps(encode(value), allow_nan=False).encode())
