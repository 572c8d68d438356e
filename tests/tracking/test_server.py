"""The tracker against a real MLflow server that dies and comes back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest

from superconv_tune.core.curve import Curve
from superconv_tune.core.trial import Hyperparameters, TrialOutcome, TrialRequest
from superconv_tune.tracking.client import connect
from superconv_tune.tracking.study_run import check, close_study, open_study
from superconv_tune.tracking.worker import MlflowTracker

pytestmark = [
    pytest.mark.slow,  # a server takes ten seconds to start
    # MLflow 3.17 on SQLAlchemy 2.1.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]


@contextmanager
def server(folder: Path, port: int) -> Iterator[str]:
    options = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--port", str(port), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", *options, "--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(url: str) -> None:
    limit = time.monotonic() + 90
    while True:
        try:
            urlopen(url, timeout=5).close()
        except (URLError, OSError):
            assert time.monotonic() < limit, f"{url} did not come up"
            time.sleep(0.2)
        else:
            return


def test_a_server_that_dies_in_a_trial_has_every_step_once_it_is_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    step = np.arange(400, dtype=np.float64)
    curve = Curve(step, step + 0.1, step, step, step)
    requests = [TrialRequest(f"s-{n}", 1, "search", Hyperparameters(), n, "one_cycle", 0, 2e9) for n in range(2)]
    with server(tmp_path, port) as uri:
        check(uri)
        handle = open_study(uri, None, "digits", "quiet-otter", {}, {})
        tracker = MlflowTracker(handle, tmp_path / "spill")
        first = tracker.start(requests[0])
        tracker.record("cycle", curve.take(slice(0, 200)))
    tracker.record("cycle", curve.take(slice(200, 400)))
    began = time.monotonic()
    tracker.finish(TrialOutcome("s-0", 1, "finished", 0.9, steps=400))
    assert tracker.start(requests[1]) is None
    tracker.record("cycle", curve)
    assert time.monotonic() - began < 40
    with server(tmp_path, port):
        tracker.finish(TrialOutcome("s-1", 1, "finished", 0.9, steps=400))
        client = connect(uri)
        runs = client.search_runs([handle.experiment_id], "tags.kind = 'search'")
        assert {run.data.tags["trial_id"]: run.info.status for run in runs} == {"s-0": "FINISHED", "s-1": "FINISHED"}
        assert first in {run.info.run_id for run in runs}
        for run in runs:
            assert sorted(m.step for m in client.get_metric_history(run.info.run_id, "cycle/loss")) == list(range(400))
            names = [file.path for file in client.list_artifacts(run.info.run_id)]
            assert names == ["curves.parquet", "cycle.png"]
        close_study(handle, status="FINISHED", tags={}, metrics={}, artifacts=[tmp_path / "server.log"])
    assert capfd.readouterr().out == ""
