"""What happens to a study, in the order it happened. The journal keeps these; every state is a fold over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from superconv_tune.record.landmarks import Landmark
from superconv_tune.record.plan import Plan
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.trial import Precision, TrialOutcome, TrialRequest


@dataclass(frozen=True)
class Measured:
    """What the preflight measured on this machine.

    Attributes:
        train_items: examples of the training part.
        validation_items: of the validation part.
        test_items: of the test part.
        step_s: seconds of one optimizer step on one worker, by batch size (JSON wants the keys as text).
        eval_s: seconds of one evaluation of the validation part.
        overhead_s: seconds that a trial takes around its training.
        trivial_value: metric of the best constant guess.
        precision: number format that was faster.
        landmarks: floors and ceilings; none in a journal of an earlier version.
    """

    train_items: int = 0
    validation_items: int = 0
    test_items: int = 0
    step_s: Mapping[str, float] = field(default_factory=dict)
    eval_s: float = 0.0
    overhead_s: float = 0.0
    trivial_value: float = 0.0
    precision: Precision = "fp32"
    landmarks: tuple[Landmark, ...] = ()


@dataclass(frozen=True)
class Opened:
    """The study began; everything that ``--resume`` and ``report`` need.

    Attributes:
        name: of the study.
        started_at: Unix time of the command.
        deadline: Unix time by which the report is written.
        workers: trials that run at once.
        spec: the checked spec as plain JSON.
        environment: versions, hardware, data fingerprint, split hash.
        measured: what the preflight measured.
        mlflow: ``tracking_uri``, ``experiment_id``, ``run_id`` of the parent run.
    """

    name: str
    started_at: float
    deadline: float
    workers: int
    spec: Mapping[str, object]
    environment: Mapping[str, object] = field(default_factory=dict)
    measured: Measured = field(default_factory=Measured)
    mlflow: Mapping[str, str] = field(default_factory=dict)

    @property
    def at(self) -> float:
        """Unix time of the event, as every event has it."""
        return self.started_at


@dataclass(frozen=True)
class Resumed:
    """A new driver took the study over, perhaps on another machine; a later deadline only where the user added time."""

    at: float
    deadline: float
    workers: int


@dataclass(frozen=True)
class Resized:
    """So many trials run at once from now on: a node was lost, or another search came or went."""

    at: float
    workers: int


@dataclass(frozen=True)
class Planned:
    """The hour was divided, or divided anew after a resume."""

    at: float
    plan: Plan


@dataclass(frozen=True)
class Frozen:
    """A recipe was frozen, to be confirmed with fresh seeds; it takes the place of the one before it."""

    at: float
    recipe: Recipe


@dataclass(frozen=True)
class Requested:
    """A trial was handed out; stored before it ran."""

    at: float
    request: TrialRequest


@dataclass(frozen=True)
class Observed:
    """A trial came back; stored before anything was decided on it."""

    at: float
    outcome: TrialOutcome


@dataclass(frozen=True)
class Closed:
    """The driver stopped asking: ``decided``, ``exhausted``, ``deadline`` or ``interrupted``."""

    at: float
    reason: str


Event = Opened | Resumed | Resized | Planned | Frozen | Requested | Observed | Closed
