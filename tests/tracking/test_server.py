"""The tracker against a real MLflow server that dies and comes back."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.servers.tracking_server import tracking_server
from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import Probe
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest
from superconv_tune.tracking.client import connect
from superconv_tune.tracking.handle import ParentRun
from superconv_tune.tracking.study_run import check, close_study, open_study
from superconv_tune.tracking.worker import MlflowTracker

pytestmark = [
    pytest.mark.slow,  # a server takes ten seconds to start
    # MLflow 3.17 on SQLAlchemy 2.1.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]


def test_a_server_that_dies_in_a_trial_has_every_step_once_it_is_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    step = np.arange(400, dtype=np.float64)
    curve = Curve(step, step + 0.1, step, step, step)
    requests = [
        TrialRequest(
            f"s-{n}", 1, Probe(0.1), Cycle(0.1), params=Hyperparameters(), schedule=Schedule(), seed=n, deadline=2e9
        )
        for n in range(2)
    ]
    with tracking_server(tmp_path) as server:
        check(server.uri)
        handle = open_study(server.uri, None, ParentRun("digits", "quiet-otter"))
        tracker = MlflowTracker(handle, tmp_path / "spill")
        tracker.start(requests[0])
        first = tracker.run_id()
        tracker.record("cycle", curve.take(slice(0, 200)))
        server.kill()
        tracker.record("cycle", curve.take(slice(200, 400)))
        began = time.monotonic()
        tracker.finish(TrialOutcome("s-0", 1, "finished", 0.9, steps=400))
        tracker.start(requests[1])
        tracker.record("cycle", curve)
        assert tracker.run_id() is None
        assert time.monotonic() - began < 40
        server.start()
        tracker.finish(TrialOutcome("s-1", 1, "finished", 0.9, steps=400))
        client = connect(server.uri)
        runs = client.search_runs([handle.experiment_id], "tags.kind = 'search'")
        assert {run.data.tags["trial_id"]: run.info.status for run in runs} == {"s-0": "FINISHED", "s-1": "FINISHED"}
        assert first in {run.info.run_id for run in runs}
        for run in runs:
            assert sorted(m.step for m in client.get_metric_history(run.info.run_id, "cycle/loss")) == list(range(400))
            names = [file.path for file in client.list_artifacts(run.info.run_id)]
            assert names == ["curves.parquet", "cycle.png"]
        close_study(handle, status="FINISHED", tags={}, metrics={}, artifacts=[tmp_path / "server.log"])
    assert capfd.readouterr().out == ""
