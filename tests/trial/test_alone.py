"""A trial runs where only torch and numpy are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SCRIPT = """
import sys, time

BLOCKED = {
    "ray", "mlflow", "optuna", "sqlalchemy", "pydantic", "yaml", "typer", "rich", "plotly", "pyarrow", "matplotlib",
    "sklearn", "scipy", "torchmetrics", "pandas",
}

sys.modules.update(dict.fromkeys(BLOCKED))  # an import of any of them fails as if it were not installed

from superconv_tune.lr.schedule import Schedule
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.record.purpose import Confirm, RangeTest
from superconv_tune.record.trial import Cycle, Ramps, TrialRequest
from superconv_tune.training.compiler import skip_compiler
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker
from tests.fakes import toy_problem

request = TrialRequest(
    "alone", 1, Confirm(1), Cycle(0.1, reads_test=True), params=Hyperparameters(cycle_epochs=4.0, batch_size=32),
    seed=0, schedule=Schedule(), deadline=time.time() + 600.0,
)
skip_compiler()
outcome = run(request, toy_problem(), NullTracker(), time.time)
ramps = TrialRequest(
    "ramps", 1, RangeTest(), Ramps(1e-5, 10.0), params=Hyperparameters(batch_size=32),
    seed=0, schedule=Schedule(), deadline=time.time() + 600.0,
)
found = run(ramps, toy_problem(), NullTracker(), time.time)
assert all(sys.modules[name] is None for name in BLOCKED)
assert "torch._dynamo" not in sys.modules
print(outcome.status, outcome.steps, outcome.test > 0.8, found.status)
"""


def test_a_whole_trial_runs_with_torch_alone() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::ImportWarning"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["finished", "60", "True", "finished"]
