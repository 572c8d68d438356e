"""What travels to a worker and back: hyperparameters, the request for one trial, its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.lr_range import Ramp, RangeTestResult

Kind = Literal["range_test", "edge", "search", "confirm", "scaling", "baseline"]
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

# Outcomes that tell something about the parameters; the others tell about the machine or the code.
INFORMATIVE: frozenset[Status] = frozenset({"finished", "diverged", "nan", "no_lr"})
WENT_WRONG: frozenset[Status] = INFORMATIVE - {"finished"}  # which speaks against the parameters
LOST: frozenset[Status] = frozenset({"preempted", "interrupted"})  # through no fault of the trial


@dataclass(frozen=True)
class TrialRequest:
    """All that a worker needs to run one trial.

    Attributes:
        trial_id: unique within the study, the same for every attempt.
        attempt: 1 for the first try; a trial that was lost is asked for again with the next number.
        kind: ``range_test`` (ramps only), ``edge`` (a ramp, then constant rates), ``search``, ``confirm`` (fresh seed,
            test part read), ``scaling`` (the recipe at another length, or on less data), ``baseline``.
        params: the hyperparameters.
        seed: everything random in the trial derives from it.
        schedule: name of the learning-rate policy.
        rung: index of the rung of the ladder, 0 the shortest; -1 where none applies.
        deadline: Unix time, in seconds, by which the trial must have returned.
        pick_lr: the learning rate that ``lr_multiplier`` multiplies; None for a ``range_test``.
        ramp: LR interval (low, high) of the trial's own ramp; None runs no ramp.
        ramp_steps: optimizer steps of that ramp; 0 for as many as its decades need.
        ramp_kind: how the rates of that ramp rise.
        ramp_centred: a ``range_test`` crosses the interval coarsely first, and then three decades around what it found.
        ramp_checked: a ``range_test`` repeats its last ramp at twice the speed.
        precision: number format of the forward pass.
        proposal: where the proposer keeps this trial (study name and number); None if it did not propose it.
        data_share: share of the training part that the cycle sees; its number of steps does not depend on it.
    """

    trial_id: str
    attempt: int
    kind: Kind
    params: Hyperparameters
    seed: int
    schedule: str
    rung: int
    deadline: float
    pick_lr: float | None = None
    ramp: tuple[float, float] | None = None
    ramp_steps: int = 0
    ramp_kind: Ramp = "exponential"
    ramp_centred: bool = True
    ramp_checked: bool = False
    precision: Precision = "fp32"
    proposal: tuple[str, int] | None = None
    data_share: float = 1.0


@dataclass(frozen=True)
class TrialOutcome:
    """What one attempt of a trial taught; JSON all through, so that the journal can keep it.

    Attributes:
        trial_id: as in the request.
        attempt: as in the request.
        status: how it ended.
        objective: always finite; the validation metric, or the metric of a constant guess where nothing was learned.
        reason: one sentence for the report; empty for a plain finish.
        max_lr: the peak that was trained with, after the trial's own ramp capped it; None if no cycle ran.
        validation: metric on the validation part at the end of the cycle.
        validation_loss: mean loss there.
        test: metric on the test part (``confirm`` only).
        test_correct: base64 of the packed bits "item i was right" (``confirm`` with an item-level metric only).
        test_items: number of items behind ``test_correct``.
        steps: optimizer steps of the cycle.
        epochs: the same in passes over the training part.
        shortened: the anneal was cut short to keep the deadline.
        train_s: seconds in training steps.
        eval_s: seconds in evaluation.
        range_test_s: seconds in the ramps.
        wall_s: seconds from the start of the trial to its end.
        range_test: analysis of the trial's own ramp; the edge in it is the bisected one in an ``edge`` trial.
        range_curve: that ramp, thinned.
        cycle_curve: the cycle, thinned.
        mlflow_run_id: the run that holds the full curves.
        node: host name of the worker.
    """

    trial_id: str
    attempt: int
    status: Status
    objective: float
    reason: str = ""
    max_lr: float | None = None
    validation: float | None = None
    validation_loss: float | None = None
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
