"""What happens to a study, in the order it happened. The journal keeps these; every state is a fold over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from superconv_tune.core.trial import TrialOutcome, TrialRequest


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
        measured: what the preflight measured: ``steps_per_epoch``, ``step_s`` and so on.
        mlflow: ``tracking_uri``, ``experiment_id``, ``run_id`` of the parent run.
    """

    name: str
    started_at: float
    deadline: float
    workers: int
    spec: Mapping[str, object]
    environment: Mapping[str, object] = field(default_factory=dict)
    measured: Mapping[str, object] = field(default_factory=dict)
    mlflow: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Resumed:
    """A new driver took the study over; a later deadline only where the user added time."""

    at: float
    deadline: float


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


Event = Opened | Resumed | Requested | Observed | Closed
