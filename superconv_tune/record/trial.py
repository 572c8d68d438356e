"""What travels to a worker and back: the request for one trial, and its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import Literal

from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.lr_range import Ramp, RangeTestResult
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import FromProposer, Kind, OfRecipe, Probe, Promoted, Proposal, Purpose, Sampled

Status = Literal[
    "finished",
    "diverged",
    "no_lr",
    "deadline",
    "nan",
    "oom",
    "preempted",
    "data_error",
    "code_error",
    "interrupted",
]
Precision = Literal["fp32", "bf16", "fp16"]

# Statuses that say something about the parameters; the others concern the machine or the code.
INFORMATIVE: frozenset[Status] = frozenset({"finished", "diverged", "nan", "no_lr"})
WENT_WRONG: frozenset[Status] = INFORMATIVE - {"finished"}  # evidence against the parameters
LOST: frozenset[Status] = frozenset({"preempted", "interrupted"})  # through no fault of the trial


@dataclass(frozen=True)
class Ramps:
    """Learning-rate ramps on fresh models, without a cycle.

    Attributes:
        low: first learning rate.
        high: last learning rate.
        steps: number of optimizer steps of the fine ramp; 0 to derive it from the decades that the ramp crosses.
        rise: spacing of the learning rates of the fine ramp.
        is_centred: whether a coarse ramp crosses the interval first, so that the fine ramp crosses only three decades
            around its result.
        is_checked: whether the fine ramp is repeated in half the steps.
        finds_edge: whether the largest stable constant learning rate is then found by bisection.
    """

    low: float
    high: float
    steps: int = 0
    rise: Ramp = "exponential"
    is_centred: bool = True
    is_checked: bool = False
    finds_edge: bool = False
    name: Literal["ramps"] = "ramps"


@dataclass(frozen=True)
class Cycle:
    """One complete cycle on a fresh model, and its evaluation.

    Attributes:
        max_lr: the requested peak, with ``lr_multiplier`` included.
        data_share: share of the training examples that the cycle uses; the number of steps does not depend on it.
        reads_test: whether the model is evaluated on the test part at the end.
    """

    max_lr: float
    data_share: float = 1.0
    reads_test: bool = False
    name: Literal["cycle"] = "cycle"


@dataclass(frozen=True)
class Fit:
    """One fit of a family that is not trained in cycles, such as boosted trees, and its evaluation.

    Attributes:
        options: the family's options that differ from their defaults, by name.
        reads_test: whether the model is evaluated on the test part at the end.
    """

    options: Mapping[str, object] = field(default_factory=dict)
    reads_test: bool = False
    name: Literal["fit"] = "fit"


Work = Ramps | Cycle | Fit


@dataclass(frozen=True)
class TrialRequest:
    """Everything a worker needs to run one trial, and what the trial is for.

    Attributes:
        trial_id: unique within the study, the same for every attempt.
        attempt: 1 for the first try; a trial that was lost is asked for again with the next number.
        purpose: what the trial is for; workers do not read it.
        work: what the worker does.
        params: the hyperparameters.
        schedule: how learning rate, momentum and weight decay run through a cycle.
        seed: everything random in the trial derives from it.
        deadline: Unix time, in seconds, by which the trial must have returned.
        rung: index of the rung of the ladder, 0 for the shortest; -1 for a trial outside the ladder.
        precision: number format of the forward pass.
        family: name of the family of models, where a study has several; empty for the only network.
    """

    trial_id: str
    attempt: int
    purpose: Purpose
    work: Work
    _: KW_ONLY
    params: Hyperparameters
    schedule: Schedule
    seed: int
    deadline: float
    rung: int = -1
    precision: Precision = "fp32"
    family: str = ""

    @property
    def kind(self) -> Kind:
        """The phase of the study that the trial belongs to."""
        return self.purpose.kind

    @cached_property  # asked for thousands of times in one decision
    def own_params(self) -> Hyperparameters:
        """The hyperparameters as if the peak had been picked, with an ``lr_multiplier`` of 1."""
        return replace(self.params, lr_multiplier=1.0)

    @property
    def cycle(self) -> Cycle:
        """The work, which must be a cycle.

        Raises:
            ValueError: if it is not a cycle.
        """
        if not isinstance(self.work, Cycle):
            raise ValueError(f"Trial {self.trial_id!r} trains no cycle: its work is {self.work}.")
        return self.work

    @property
    def pick_lr(self) -> float | None:
        """The learning rate that ``lr_multiplier`` multiplies; None for ramps."""
        match self.purpose:
            case Sampled(pick_lr=pick_lr) | Promoted(pick_lr=pick_lr):
                return pick_lr
            case Probe(rate=rate):
                return rate
        return self.work.max_lr / self.params.lr_multiplier if isinstance(self.work, Cycle) else None

    @property
    def proposal(self) -> Proposal | None:
        """Where the proposer stores the trial; None if it did not propose it."""
        return self.purpose.proposal if isinstance(self.purpose, FromProposer) else None

    @property
    def recipe(self) -> int | None:
        """Number of the recipe that the trial trains; None if it trains no recipe."""
        return self.purpose.recipe if isinstance(self.purpose, OfRecipe) else None


@dataclass(frozen=True)
class TrialOutcome:
    """The result of one attempt of a trial; all fields convert to JSON, so that the journal can store it.

    Attributes:
        trial_id: as in the request.
        attempt: as in the request.
        status: how the attempt ended.
        objective: always finite; the validation metric, or the metric of a constant guess where nothing was learned.
        reason: one sentence for the report; empty where nothing needs an explanation.
        max_lr: the peak learning rate used; None if no cycle ran. In journals of earlier versions it may lie below the
            requested one, capped by a ramp before the cycle.
        validation: metric on the validation part at the end of the cycle.
        validation_loss: mean loss on the validation part.
        validation_worth: number of independent items that say as much about ``validation`` as its groups do; None where
            every item stands for itself, or the metric is no mean over items.
        test: metric on the test part, for a cycle that reads it.
        test_correct: base64 of the packed bits "item i was right", for such a cycle and a metric of items.
        test_items: number of items behind ``test_correct``.
        steps: optimizer steps of the cycle.
        epochs: length of the cycle in passes over the training part.
        shortened: whether the anneal was cut short to meet the deadline.
        train_s: seconds in training steps.
        eval_s: seconds in evaluation.
        range_test_s: seconds in the ramps.
        wall_s: seconds from the start of the trial to its end.
        range_test: analysis of the trial's ramps; its edge is the bisected one where ``finds_edge`` was set.
        range_curve: the curve of those ramps, thinned.
        cycle_curve: the curve of the cycle, thinned.
        mlflow_run_id: id of the MLflow run that holds the full curves.
        node: host name of the worker.
        test_se: standard error of ``test`` from the number of test items, for a metric that is no mean over them; None
            where it is not known.
        model_bytes: size of a fitted model; 0 for a network.
    """

    trial_id: str
    attempt: int
    status: Status
    objective: float
    reason: str = ""
    max_lr: float | None = None
    validation: float | None = None
    validation_loss: float | None = None
    validation_worth: float | None = None
    test: float | None = None
    test_correct: str | None = None
    test_items: int = 0
    steps: int = 0
    epochs: float = 0.0
    shortened: bool = False
    train_s: float = 0.0
    eval_s: float = 0.0
    range_test_s: float = 0.0
    wall_s: float = 0.0
    range_test: RangeTestResult | None = None
    range_curve: Curve | None = None
    cycle_curve: Curve | None = None
    mlflow_run_id: str | None = None
    node: str = ""
    test_se: float | None = None
    model_bytes: int = 0

    @property
    def train_loss(self) -> float | None:
        """Mean training loss at the end of the cycle, over a twentieth of its curve; None without a curve."""
        curve = self.cycle_curve
        return float(curve.loss[-max(1, len(curve) // 20) :].mean()) if curve is not None and len(curve) else None


@dataclass(frozen=True)
class Trial:
    """A request with its outcome."""

    request: TrialRequest
    outcome: TrialOutcome

    @property
    def is_whole(self) -> bool:
        """Whether the cycle ran to its planned end, not shortened by the deadline, and was evaluated."""
        outcome = self.outcome
        return outcome.status == "finished" and not outcome.shortened and outcome.validation is not None

    @property
    def went_wrong(self) -> bool:
        """Whether it ended in a way that is evidence against its parameters."""
        return self.outcome.status in WENT_WRONG

    @property
    def value(self) -> float:
        """The validation metric, or that of a constant guess where nothing was learned."""
        return self.outcome.objective

    @property
    def max_lr(self) -> float:
        """The peak learning rate that was used.

        Raises:
            ValueError: if no cycle was begun.
        """
        if self.outcome.max_lr is None:
            raise ValueError(f"Trial {self.request.trial_id!r} began no cycle.")
        return self.outcome.max_lr
