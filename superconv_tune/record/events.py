"""The events of a study. The journal stores them in order, and every state is computed from them."""

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
        train_items: number of training examples.
        validation_items: number of validation examples.
        test_items: number of test examples.
        step_s: seconds of one optimizer step on one worker, by batch size (as text, because JSON keys are text).
        eval_s: seconds of one evaluation of the validation part.
        overhead_s: seconds that a trial takes besides training and evaluation.
        trivial_value: metric of the best constant guess.
        precision: the faster number format of the forward pass.
        landmarks: floors and ceilings; empty until `Surveyed`.
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
class Family:
    """One of several families of models that compete in a study.

    Attributes:
        name: as in requests and recipes.
        measured: what the preflight measured of it; without the seconds of a step if it is fitted.
        is_fitted: whether it is fitted and not trained in cycles.
        parameters: number of parameters of a network, frozen ones included.
    """

    name: str
    measured: Measured
    is_fitted: bool = False
    parameters: int = 0


@dataclass(frozen=True)
class Opened:
    """The study began; holds everything that ``--resume`` and ``report`` need.

    Attributes:
        name: name of the study.
        started_at: Unix time in seconds at which the command began.
        deadline: Unix time in seconds by which the report is written.
        workers: number of trials that can run at once.
        spec: the checked spec as plain JSON.
        environment: digests of the user's files, versions, hardware, data fingerprint, split hash.
        measured: what the preflight measured.
        mlflow: ``tracking_uri``, ``experiment_id``, ``run_id`` of the parent run.
        fresh_ledger: why earlier looks at the test part do not count; empty if they do.
        families: the families of models that compete; empty for a single network.
        test_groups: packed numbers of the group of each test item; empty if every item stands for itself.
        others: names of other studies that had looked at the test part by then, unless ``fresh_ledger``.
    """

    name: str
    started_at: float
    deadline: float
    workers: int
    spec: Mapping[str, object]
    environment: Mapping[str, object] = field(default_factory=dict)
    measured: Measured = field(default_factory=Measured)
    mlflow: Mapping[str, str] = field(default_factory=dict)
    fresh_ledger: str = ""
    families: tuple[Family, ...] = ()
    test_groups: str = ""
    others: tuple[str, ...] = ()

    @property
    def at(self) -> float:
        """Unix time of the event, under the name that all events use."""
        return self.started_at


@dataclass(frozen=True)
class Resumed:
    """A new driver took the study over, perhaps on another machine; a later deadline only where the user added time.

    Attributes:
        at: Unix time in seconds.
        deadline: Unix time in seconds by which the report is written.
        workers: number of trials that can run at once.
        changes: what had changed in code, versions and device, and the user accepted.
        environment: what the study is made of from here on, as in `Opened`; empty if nothing had changed.
        started_at: Unix time in seconds at which the command began; 0 in the journals of earlier versions.
    """

    at: float
    deadline: float
    workers: int
    changes: tuple[str, ...] = ()
    environment: Mapping[str, object] = field(default_factory=dict)
    started_at: float = 0.0


@dataclass(frozen=True)
class Resized:
    """The number of trials that can run at once changed: a node was lost, or another search began or ended."""

    at: float
    workers: int


@dataclass(frozen=True)
class Surveyed:
    """Floors and ceilings were found, beside the trials."""

    at: float
    landmarks: tuple[Landmark, ...]


@dataclass(frozen=True)
class Planned:
    """The time budget was divided, or divided again."""

    at: float
    plan: Plan


@dataclass(frozen=True)
class Dropped:
    """A family lags behind, and its cycles go no further."""

    at: float
    family: str


@dataclass(frozen=True)
class Frozen:
    """A recipe was frozen, to be confirmed with fresh seeds; it replaces the previous one.

    A recipe that was confirmed before is frozen again where a later one turned out worse, or had no time.
    """

    at: float
    recipe: Recipe


@dataclass(frozen=True)
class Looked:
    """The fresh models of a recipe were judged on the test part.

    Attributes:
        at: Unix time in seconds.
        recipe: number of the recipe.
        models: number of its fresh trainings that had ended by then.
        number: number of looks at the same test part so far, by whatever study, this one included.
        others: names of other studies that looked at it before.
    """

    at: float
    recipe: int
    models: int
    number: int
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Requested:
    """A trial was handed out; stored before it runs."""

    at: float
    request: TrialRequest


@dataclass(frozen=True)
class Observed:
    """A trial returned its outcome; stored before any decision is based on it."""

    at: float
    outcome: TrialOutcome


@dataclass(frozen=True)
class Closed:
    """The driver stopped; the reason is ``decided``, ``exhausted``, ``deadline`` or ``interrupted``."""

    at: float
    reason: str


Event = Opened | Resumed | Resized | Surveyed | Planned | Dropped | Frozen | Looked | Requested | Observed | Closed
