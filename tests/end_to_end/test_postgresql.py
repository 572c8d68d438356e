"""A search whose journal, Optuna study and MLflow are in PostgreSQL: killed, resumed, and no password left anywhere."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from benchmarks.servers.postgresql import OWNER, Server
from superconv_tune.journal.journal import Journal
from superconv_tune.record.events import Event, Observed, Requested
from superconv_tune.study.places import places
from tests.end_to_end.conftest import Start

pytestmark = [pytest.mark.ray, pytest.mark.timeout(420)]

WAIT_S = 150.0


def events(storage: str) -> list[Event]:
    with Journal(places(Path(), "it", storage, None).storage) as journal:
        return journal.events("it")


def wait_for_trials(storage: str, count: int) -> None:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if sum(isinstance(e, Observed) and e.outcome.validation is not None for e in events(storage)) >= count:
            return
        time.sleep(0.5)
    raise AssertionError(f"{count} trials did not finish within {WAIT_S:g} s")


def test_a_killed_search_resumes_from_the_server_and_nothing_tells_its_password(
    start: Start, spec: Path, tmp_path: Path, postgresql: Server
) -> None:
    storage, tracking = postgresql.database(), postgresql.database()
    killed = start(
        "search",
        str(spec),
        "--name",
        "it",
        "--trials",
        "3",
        "--budget",
        "260s",
        "--storage",
        storage,
        MLFLOW_TRACKING_URI=tracking,
    )
    wait_for_trials(storage, 1)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = events(storage)
    done = {e.outcome.trial_id for e in before if isinstance(e, Observed)}

    without = start("search", "--resume", "it", SUPERCONV_TUNE_STORAGE=storage)
    _, err = without.communicate(timeout=60)
    assert without.returncode == 2
    assert "MLFLOW_TRACKING_URI" in err

    resumed = start("search", "--resume", "it", SUPERCONV_TUNE_STORAGE=storage, MLFLOW_TRACKING_URI=tracking)
    out, err = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, err
    after = events(storage)
    assert after[: len(before)] == before
    again = {e.request.trial_id for e in after[len(before) :] if isinstance(e, Requested)}
    assert not done & again
    verdict = json.loads((tmp_path / "runs" / "it" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["verdict"] in ("demonstrated", "likely", "undecided")  # by how busy this machine is
    assert verdict["trials"]["finished"] >= len(done)
    assert verdict["mlflow"]["tracking_uri"].startswith(f"postgresql://{OWNER}:***@127.0.0.1")

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"report.html", "verdict.json", "recipe.yaml", "search.log"} <= {path.name for path in files}
    # Nor its random half, which stands in every form of it: encoded, escaped, cut off.
    secret = postgresql.password[:24]
    assert secret.isalnum()
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    for text in (out, err, postgresql.dump(storage), postgresql.dump(tracking)):
        assert secret not in text
