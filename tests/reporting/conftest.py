"""Findings of a study of ordinary size, its numbers drawn from simple laws of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.events import Closed, Event, Frozen, Measured, Observed, Opened, Requested
from superconv_tune.record.landmarks import Landmark
from superconv_tune.record.purpose import Confirm, Probe, Purpose
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Status, TrialOutcome, TrialRequest
from superconv_tune.reporting.findings import Findings
from superconv_tune.verdict.comparison import ComparedPolicy, RunCost, Shortfall
from superconv_tune.verdict.ladder import Rung
from superconv_tune.verdict.verdict import Estimate, Target, Verdict

# The fixtures below, by name: what every output is made from.
EVERY = [
    "findings",
    "compared_findings",
    "empty_findings",
    "failed_findings",
    "regression_findings",
    "hostile_findings",
]

STARTED = 1_760_000_000.0
BUDGET_S = 600.0
STEPS_PER_EPOCH = 60
RANGE = RangeTestResult(0.42, 1.3, 0.21, 0.042, "good", 0.12, 240)
FAILURES: dict[str, tuple[Status, str]] = {
    "search-05": ("diverged", "The loss was not finite at step 71 of 180."),
    "search-09": ("oom", "CUDA out of memory at batch size 512; the trial needs a smaller one."),
}

OPENED = Opened(
    name="fashion-mnist-92",
    started_at=STARTED,
    deadline=STARTED + BUDGET_S,
    workers=2,
    spec={
        "name": "fashion-mnist",
        "data": {"format": "idx", "path": "/usr/share/datasets/fashion-mnist", "args": {"limit": None}},
        "model": {"name": "resnet9", "width": 32},
        "optimizer": {"name": "sgd", "nesterov": True},
        "split": {"validation": 0.1, "test": 0.1, "seed": 0},
        "metric": "accuracy",
        "schedule": "one_cycle",
        "budget": "10m",
        "storage": "postgresql://tuner:hunter2@db.internal/studies",
    },
    environment={
        "versions": {"python": "3.12.4", "torch": "2.13.0", "ray": "2.60.0", "optuna": "5.0.0", "mlflow": "3.17.0"},
        "hardware": {"cpu": "2 x Xeon 2.8 GHz", "memory_gib": 16, "gpus": []},
        "data_fingerprint": "sha256:9f2c41d07a55",
        "split_hash": "sha256:71be0a",
    },
    measured=Measured(landmarks=(Landmark("a linear model", "floor", 0.83, "a linear model reaches accuracy 0.83."),)),
    mlflow={"tracking_uri": "sqlite:///runs/mlflow.db", "experiment_id": "1", "run_id": "7d1f3a"},
)


def ramp(rng: np.random.Generator) -> Curve:
    """A loss that falls towards RANGE.lr_at_minimum and explodes behind RANGE.edge."""
    lr = np.geomspace(1e-4, 6.0, 240)
    fall = 2.3 - 1.5 / (1 + (0.06 / lr) ** 1.3)
    loss = fall + 0.9 * np.maximum(0.0, np.log(lr / RANGE.edge)) ** 2 * 4 + rng.normal(0, 0.05, lr.size)
    step = np.arange(lr.size, dtype=np.float64)
    return Curve(step, lr, np.full_like(lr, 0.85), loss, 0.02 * step)


def cycle(params: Hyperparameters, max_lr: float, rng: np.random.Generator) -> Curve:
    """A one-cycle of this length, thinned to 500 points."""
    steps = int(params.cycle_epochs * STEPS_PER_EPOCH)
    progress = np.linspace(0, 1, steps)
    rise = np.minimum(progress / params.pct_start, (1 - progress) / (1 - params.pct_start))
    lr = max_lr * (0.04 + 0.96 * rise)
    loss = 0.12 + 2.0 * np.exp(-progress * 5) + 0.25 * rise + rng.gamma(2.0, 0.03, steps)
    momentum = params.max_momentum - params.momentum_width * rise
    step = np.arange(steps, dtype=np.float64)
    return Curve(step, lr, momentum, loss, 0.05 * step).thin(500)


def parameters(index: int, rng: np.random.Generator) -> Hyperparameters:
    return Hyperparameters(
        cycle_epochs=(1.0, 3.0, 9.0)[0 if index < 8 else 1 if index < 12 else 2],
        lr_multiplier=float(2 ** rng.normal(0, 0.8)),
        base_momentum=float(rng.uniform(0.8, 0.9)),
        momentum_width=float(rng.uniform(0.05, 0.12)),
        weight_decay=float(10 ** rng.uniform(-4, -2.5)),
        pct_start=float(rng.uniform(0.2, 0.45)),
        batch_size=int(rng.choice([128, 256, 512])),
    )


def search_events(rng: np.random.Generator) -> list[Event]:
    events: list[Event] = []
    for index in range(15):
        params, trial_id = parameters(index, rng), f"search-{index:02d}"
        max_lr = RANGE.max_lr * params.lr_multiplier
        request = asked(trial_id, Probe(RANGE.max_lr), params, 100 + index)
        error = 0.055 + 0.07 * params.cycle_epochs**-0.8 + 0.02 * abs(np.log2(params.lr_multiplier))
        status, reason = FAILURES.get(trial_id, ("finished", ""))
        outcome = ran(request, max_lr, 1 - float(error + rng.normal(0, 0.003)), rng)
        if status != "finished":
            outcome = replace(outcome, status=status, reason=reason, objective=0.1, validation=None, cycle_curve=None)
        events += [Requested(STARTED, request), Observed(STARTED, outcome)]
    return events


def asked(trial_id: str, purpose: Purpose, params: Hyperparameters, seed: int) -> TrialRequest:
    work = Cycle(RANGE.max_lr * params.lr_multiplier, reads_test=isinstance(purpose, Confirm))
    return TrialRequest(
        trial_id, 1, purpose, work, params=params, schedule=Schedule(), seed=seed, deadline=STARTED + BUDGET_S, rung=0
    )


def ran(request: TrialRequest, max_lr: float, value: float, rng: np.random.Generator) -> TrialOutcome:
    train_s = 0.055 * STEPS_PER_EPOCH * request.params.cycle_epochs
    return TrialOutcome(
        request.trial_id,
        1,
        "finished",
        value,
        max_lr=max_lr,
        validation=value,
        validation_loss=3 * (1 - value),
        steps=int(STEPS_PER_EPOCH * request.params.cycle_epochs),
        epochs=request.params.cycle_epochs,
        train_s=train_s,
        eval_s=0.6,
        range_test_s=0.8,
        wall_s=train_s + 2.1,
        range_test=RANGE if request.kind != "confirm" else None,
        range_curve=ramp(rng) if request.kind != "confirm" else None,
        cycle_curve=cycle(request.params, max_lr, rng),
        mlflow_run_id="5ac1",
        node="node-1",
    )


def confirmation_events(recipe: Recipe, rng: np.random.Generator) -> list[Event]:
    events: list[Event] = [Frozen(STARTED, recipe)]
    for seed in range(4):
        request = asked(f"confirm-{seed:02d}", Confirm(recipe.number), recipe.params, 900 + seed)
        outcome = ran(request, recipe.max_lr, 0.9256 + float(rng.normal(0, 0.0015)), rng)
        events += [Requested(STARTED, request), Observed(STARTED, replace(outcome, test=outcome.objective - 0.0012))]
    return events


def ladder_of(study: Study, direction: str) -> tuple[Rung, ...]:
    pick = max if direction == "max" else min
    values: dict[float, list[float]] = {}
    for trial in study.trials("search"):
        if trial.outcome.validation is not None:
            values.setdefault(trial.request.params.cycle_epochs, []).append(trial.outcome.validation)
    return tuple(
        Rung(epochs, pick(found), pick(found) - 0.006, pick(found) + 0.006, len(found))
        for epochs, found in values.items()
    )


@pytest.fixture(scope="session")
def findings() -> Findings:
    """Fifteen search trials, two of them failed, four confirmations, one trial still out."""
    rng = np.random.default_rng(7)
    study = Study.replay([OPENED, *search_events(rng)])
    winner = max((trial for trial in study.trials("search")), key=lambda trial: trial.value)
    for event in confirmation_events(Recipe.of(winner, number=1), rng):
        study.apply(event)
    study.apply(Requested(STARTED, asked("search-99", Probe(RANGE.max_lr), Hyperparameters(), 5)))
    study.apply(Closed(STARTED + 240, "decided"))
    verdict = Verdict(
        "demonstrated",
        0.9931,
        Estimate(0.9247, 0.9218, 0.9275, 0.95),
        (
            "Four fresh models of one frozen recipe were tested; all of them reached 0.92.",
            "The lower end of the interval, 0.9218, lies above the target.",
            "The verdict was decided after 4 minutes; the rest of the budget was not needed.",
        ),
        ("Only four seeds: the spread between seeds is itself known to about a factor of two.",),
    )
    importance = {
        "lr_multiplier": 0.52,
        "cycle_epochs": 0.31,
        "weight_decay": 0.09,
        "batch_size": 0.05,
        "pct_start": 0.03,
    }
    target = Target("accuracy", "max", 0.92)
    return Findings(study, target, verdict, ladder_of(study, "max"), winner, RANGE, importance, STARTED + 243)


STEP = ComparedPolicy(
    "step", 0.901, 0.897, 0.905, 9.0, 540, 0.072, 3, False,
    rival=0.925, rival_low=0.921, rival_high=0.929, gain=0.024, gain_low=0.0183, gain_high=0.0297,
    steps_to_match=180, at_most=False, steps_low=60, steps_high=260, is_standard=True,
)  # fmt: skip


@pytest.fixture(scope="session")
def compared_findings(findings: Findings) -> Findings:
    """The same study with two other policies at equal length, and one that was left out."""
    linear = replace(
        STEP, is_standard=False, schedule="linear", value=0.931, low=0.928, high=0.934, at_border=True,
        gain=-0.006, gain_low=-0.011, gain_high=-0.001, steps_to_match=None, steps_low=400, steps_high=None,
    )  # fmt: skip
    cost = RunCost(recipe_epochs=9.0, epochs=9.0, needed_s=30.0, left_s=60.0, allowance_s=60.0)
    shortfall = Shortfall(("step", "linear", "constant"), absent=("constant",), compared_epochs=9.0, cost=cost)
    return replace(findings, baselines=(STEP, linear), shortfall=shortfall)


@pytest.fixture(scope="session")
def empty_findings() -> Findings:
    """A study that was opened, and nothing more."""
    verdict = Verdict("undecided", None, None, ("No trial finished.",), ())
    target = Target("accuracy", "max", 0.92)
    return Findings(Study(OPENED), target, verdict, (), None, None, {}, STARTED + 5)


@pytest.fixture(scope="session")
def failed_findings(findings: Findings) -> Findings:
    """Trials came back, and none of them finished."""
    study = Study(OPENED)
    rng = np.random.default_rng(3)
    statuses: tuple[Status, ...] = ("diverged", "nan", "no_lr", "code_error")
    for index, status in enumerate(statuses):
        request = asked(f"search-{index:02d}", Probe(RANGE.max_lr), parameters(index, rng), index)
        study.apply(Requested(STARTED, request))
        outcome = TrialOutcome(request.trial_id, 1, status, 0.1, reason=f"It ended as {status}.", wall_s=2.0)
        study.apply(Observed(STARTED, outcome))
    return replace(
        findings, study=study, verdict=Verdict("undecided", None, None), ladder=(), winner=None, importance={}
    )


def as_error(outcome: TrialOutcome) -> TrialOutcome:
    """The same outcome, had the metric been an error."""
    return replace(
        outcome,
        objective=10 * (1 - outcome.objective),
        validation=None if outcome.validation is None else 10 * (1 - outcome.validation),
        test=None if outcome.test is None else 10 * (1 - outcome.test),
    )


@pytest.fixture(scope="session")
def regression_findings(findings: Findings) -> Findings:
    """The same study with an error to be made small, and without a target."""
    study = Study(OPENED)
    for recipe in findings.study.recipes:
        study.apply(Frozen(STARTED, recipe))
    for trial in findings.study.trials():
        study.apply(Requested(STARTED, trial.request))
        study.apply(Observed(STARTED, as_error(trial.outcome)))
    assert findings.winner is not None
    winner = study.trial(findings.winner.request.trial_id)
    return replace(
        findings,
        study=study,
        target=Target("mean_absolute_error", "min", None),
        verdict=Verdict(None, None, Estimate(0.723, 0.695, 0.752, 0.95)),
        ladder=ladder_of(study, "min"),
        winner=winner,
    )


HOSTILE = "</script><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>\x1b[2J\n\"'&{{7*7}}"


@pytest.fixture(scope="session")
def hostile_findings(findings: Findings) -> Findings:
    """Every word that a user or a machine may choose is an attack."""
    opened = replace(
        OPENED,
        name=HOSTILE,
        spec={
            "name": "hostile",
            "data": {"format": "npz", "path": HOSTILE},
            "model": {"factory": "own.py:model", "args": {HOSTILE: HOSTILE}},
        },
        measured=Measured(landmarks=(Landmark(HOSTILE, "floor", 0.5, HOSTILE),)),
        environment={HOSTILE: {"share": float("nan"), "store": "http://user:hunter2@host/x"}},
    )
    study = Study(opened)
    for recipe in findings.study.recipes:
        study.apply(Frozen(STARTED, replace(recipe, origin=recipe.origin + HOSTILE)))
    for trial in findings.study.trials():
        renamed = replace(trial.request, trial_id=trial.request.trial_id + HOSTILE)
        study.apply(Requested(STARTED, renamed))
        spoilt = replace(
            trial.outcome, trial_id=renamed.trial_id, reason=HOSTILE, node=HOSTILE, validation_loss=float("inf")
        )
        study.apply(Observed(STARTED, spoilt))
    verdict = replace(findings.verdict, reasons=(HOSTILE,), warnings=(HOSTILE,))
    target = replace(findings.target, metric=HOSTILE)
    winner = study.trials("search")[0]
    return replace(
        findings,
        study=study,
        target=target,
        verdict=verdict,
        winner=winner,
        importance={HOSTILE: 0.6, "x": 0.4},
        baselines=(replace(STEP, schedule=HOSTILE, low=float("nan"), high=float("nan")),),
        shortfall=Shortfall((HOSTILE,), absent=(HOSTILE,)),
    )


EveryFindings = Callable[[str], Findings]


@pytest.fixture
def every_findings(request: pytest.FixtureRequest) -> EveryFindings:
    """Findings by the name of their fixture, for tests over all of them."""

    def get(name: str) -> Findings:
        found: Findings = request.getfixturevalue(name)
        return found

    return get
