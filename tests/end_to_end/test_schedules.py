"""Schedules with options from the spec to MLflow, against torch's schedulers, through the real commands."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from mlflow.tracking import MlflowClient
from numpy.typing import NDArray
from torch.optim import Optimizer, lr_scheduler

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.journal.journal import Journal
from superconv_tune.lr.span import Span
from superconv_tune.record.events import Observed, Opened, Requested
from superconv_tune.record.trial import Cycle
from superconv_tune.spec.recipe_file import read_recipe
from superconv_tune.tracking.client import connect
from superconv_tune.tracking.series import MAX_POINTS
from tests.end_to_end.conftest import Start
from tests.schedules import torchs

# The budget is far from used up; it leaves time for a machine that has other work too.
SPEC: dict[str, object] = {
    "name": "small",
    "data": "digits",
    "model": {"name": "mlp", "width": 0.25},
    "target": 0.8,
    "budget": "150s",
    "trials": 6,
    "sampler": "random",
    "baselines": "none",
    "split": {"validation": 0.2, "test": 0.4},
    "space": {"cycle_epochs": {"low": 2, "high": 5}, "batch_size": 32},
}
LONG_EPOCHS = 30  # of 22 steps: more steps than MLflow's metric history keeps

Rates = NDArray[np.float64]
Expected = tuple[Rates, Rates]  # learning rate and momentum of every step


def _rates(make: Callable[[Optimizer], lr_scheduler.LRScheduler], span: Span, lr: float | None = None) -> Rates:
    return np.array(torchs(make, span.steps, span.max_lr if lr is None else lr))[:, 0]


def _high(span: Span) -> Rates:
    """The momentum of a policy without a cycle."""
    return np.full(span.steps, span.max_momentum)


def triangular2(span: Span) -> Expected:
    """Torch scales its momentum cycle too; ours keeps its depth, as torch's mode without scaling does."""
    half_cycle: Any = (span.steps - 1) / 8  # torch takes fractions of a step, though its stubs do not say so

    def make(mode: Any) -> Callable[[Optimizer], lr_scheduler.LRScheduler]:
        return lambda o: lr_scheduler.CyclicLR(
            o, span.min_lr, span.max_lr, half_cycle, mode=mode,
            base_momentum=span.base_momentum, max_momentum=span.max_momentum,
        )  # fmt: skip

    return _rates(make("triangular2"), span), np.array(torchs(make("triangular"), span.steps))[:, 1]


def one_cycle(span: Span) -> Expected:
    """Torch's own, in three phases of straight lines."""
    found = torchs(
        lambda o: lr_scheduler.OneCycleLR(
            o, span.max_lr, total_steps=span.steps, pct_start=span.pct_start, anneal_strategy="linear",
            base_momentum=span.base_momentum, max_momentum=span.max_momentum, div_factor=span.div_factor,
            final_div_factor=span.final_div_factor, three_phase=True,
        ),
        span.steps,
    )  # fmt: skip
    return np.array(found)[:, 0], np.array(found)[:, 1]


def warm_cosine(span: Span) -> Expected:
    """Torch's cosine times a factor that torch's exponential raises from 0.1 to 1 over a tenth of the run."""
    cosine = _rates(lambda o: lr_scheduler.CosineAnnealingLR(o, span.steps - 1, eta_min=span.final_lr), span)
    rise = 10.0 ** (1.0 / (0.1 * (span.steps - 1)))
    factor = np.minimum(1.0, _rates(lambda o: lr_scheduler.ExponentialLR(o, rise), span, lr=0.1))
    return cosine * factor, _high(span)


def step(span: Span) -> Expected:
    """Torch's milestones are the first steps at or after ours."""
    drops = [math.ceil(Fraction(share, 10) * (span.steps - 1)) for share in (3, 6, 9)]
    return _rates(lambda o: lr_scheduler.MultiStepLR(o, drops, gamma=0.2), span), _high(span)


def wsd(span: Span) -> Expected:
    """Torch has none: the peak for 0.7 of the run, then a straight line."""
    progress = np.linspace(0.0, 1.0, span.steps)
    return np.interp(progress, [0.0, 0.7, 1.0], [span.max_lr, span.max_lr, span.final_lr]), _high(span)


@dataclass(frozen=True)
class Case:
    """A schedule as it stands in a spec, its label, and what torch makes of it."""

    given: Mapping[str, object]
    label: str
    expected: Callable[[Span], Expected]


CASES = [
    Case(
        {"policy": "cosine", "warmup": "exponential", "warmup_share": 0.1},
        "cosine(warmup=exponential, warmup_share=0.1)",
        warm_cosine,
    ),
    Case({"policy": "triangular2", "cycles": 4}, "triangular2(cycles=4)", triangular2),
    Case(
        {"policy": "one_cycle", "three_phase": True, "anneal": "linear"},
        "one_cycle(anneal=linear, three_phase=true)",
        one_cycle,
    ),
    Case(
        {"policy": "step", "milestones": [0.3, 0.6, 0.9], "gamma": 0.2},
        "step(milestones=0.3/0.6/0.9, gamma=0.2)",
        step,
    ),
    Case({"policy": "wsd", "decay_share": 0.3}, "wsd(decay_share=0.3)", wsd),
]


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[pytest.mark.slow] if number else [], id=case.label)
        for number, case in enumerate(CASES)
    ],
)
def test_a_schedule_of_the_spec_is_what_every_trial_and_the_long_run_follow(
    case: Case, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SPEC | {"schedule": dict(case.given)}), encoding="utf-8")
    out, err = (search := start("search", "small.yaml", "--debug", "--name", "it")).communicate(timeout=200)
    assert search.returncode == 0, err
    assert "one trial after the other in this process" in out
    assert "mlflow ui --backend-store-uri sqlite:///" in out
    client = connect(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    check_trials(client, case, tmp_path)
    check_outputs(case, tmp_path / "runs" / "it")
    # The peak of the recipe is one of short cycles; without a warm-up it may diverge in a run of this length.
    command = ("train", "runs/it/recipe.yaml", "--epochs", str(LONG_EPOCHS), "--max-lr", "0.02")
    _, err = (long_run := start(*command)).communicate(timeout=150)
    assert long_run.returncode == 0, err
    check_long_run(client, case, tmp_path)


def check_trials(client: MlflowClient, case: Case, folder: Path) -> None:
    """The journal holds the schedule of every trial, and each finished cycle followed it."""
    with Journal(f"sqlite:///{folder / 'runs' / 'studies.db'}") as entries:
        events = entries.events("it")
    (opened,) = [event for event in events if isinstance(event, Opened)]
    assert opened.spec["schedule"] == case.given
    parent = client.get_run(opened.mlflow["run_id"])
    assert (parent.info.status, parent.data.tags["verdict"]) == ("FINISHED", "demonstrated")
    requests = {event.request.trial_id: event.request for event in events if isinstance(event, Requested)}
    assert {request.schedule.label for request in requests.values()} == {case.label}
    cycles = [
        event.outcome
        for event in events
        if isinstance(event, Observed)
        and isinstance(requests[event.outcome.trial_id].work, Cycle)
        and (event.outcome.status, event.outcome.shortened) == ("finished", False)
    ]
    assert len(cycles) >= 6
    for outcome in cycles:
        assert outcome.max_lr is not None
        assert outcome.mlflow_run_id is not None
        assert client.get_run(outcome.mlflow_run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id
        params = requests[outcome.trial_id].params
        check_run(client, case, outcome.mlflow_run_id, params, outcome.steps, outcome.max_lr)


def check_outputs(case: Case, folder: Path) -> None:
    """The tables and the recipe of the study hold the schedule with its options."""
    trials = pq.read_table(folder / "trials.parquet")
    assert set(trials.column("schedule").to_pylist()) == {case.label}
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["schedule"] == case.given


def check_long_run(client: MlflowClient, case: Case, folder: Path) -> None:
    """The long run followed the schedule of the recipe, over a length of its own."""
    result = json.loads((folder / "long_run" / "result.json").read_text(encoding="utf-8"))
    params = read_recipe(folder / "runs" / "it" / "recipe.yaml").cycle.hyperparameters
    steps = len(result["losses"])
    assert steps > MAX_POINTS
    check_run(client, case, result["mlflow_run_id"], params, steps, result["max_lr"])


def check_run(
    client: MlflowClient, case: Case, run_id: str, params: Hyperparameters, steps: int, max_lr: float
) -> None:
    """Params, every iteration of the cycle, and the thinned history of one run in MLflow."""
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["schedule"] == case.given["policy"]
    options = {name: value for name, value in case.given.items() if name != "policy"}
    assert {name: yaml.safe_load(run.data.params[name]) for name in options} == options
    table = pq.read_table(client.download_artifacts(run_id, "curves.parquet"), filters=[("phase", "=", "cycle")])
    assert table.column("step").to_pylist() == list(range(steps))
    lr, momentum = case.expected(Span.of(params, steps, max_lr))
    recorded = table.column("lr").to_numpy()
    assert_close(recorded, lr, max_lr)
    assert_close(table.column("momentum").to_numpy(), momentum, 1.0)
    history = {metric.step: metric.value for metric in client.get_metric_history(run_id, "cycle/lr")}
    assert {0, steps - 1} <= set(history)
    assert len(history) == steps if steps <= MAX_POINTS else MAX_POINTS / 2 < len(history) <= MAX_POINTS
    assert list(history.values()) == [recorded[step] for step in history]


def assert_close(found: Rates, expected: Rates, scale: float) -> None:
    """Corners lie between steps; torch interpolates from a corner that it rounds to 1e-16 of a step."""
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * scale)
