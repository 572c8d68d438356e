"""From nothing to a verdict with what docker/ ships: its services, its job, its batch script, as plain processes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
import yaml

from benchmarks.servers.postgresql import Server
from superconv_tune.journal.journal import Journal
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.record.events import Observed
from superconv_tune.tracking.client import connect
from tests.docker.stage import DOCKER, Stage, new_token
from tests.end_to_end.conftest import SPEC

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,  # about four minutes: a whole cluster, and three searches on it
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),  # MLflow 3.17 on SQLAlchemy 2.1
]

WORDS = ("demonstrated", "likely", "undecided")  # which one depends on how busy this machine is


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, postgresql: Server) -> Iterator[Stage]:
    """The services that keep things: MLflow as compose starts it, on Debian's PostgreSQL in place of its image."""
    made = Stage(tmp_path_factory.mktemp("stage"), postgresql)
    try:
        made.until_healthy("postgres", "--host=127.0.0.1", f"--port={postgresql.port}")
        made.up("mlflow")
        for _ in range(2):  # a second time, as at the next `up`, there is nothing to do
            made.run("mlflow-user")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def cluster(stage: Stage) -> Stage:
    """The services that search: Ray's head and two workers, one of them with a GPU as far as Ray counts."""
    stage.up("head", *stage.node(0))
    stage.up("worker", *stage.node(1), "--num-cpus=1")
    stage.up("worker-gpu", *stage.node(2), "--num-cpus=1", "--num-gpus=1")
    stage.until_nodes(3)
    return stage


def status(url: str, user: str | None = None, host: str | None = None) -> int:
    """What a server answers to a request, with a login or without, under its own name or another's."""
    headers = {"Host": host} if host else {}
    if user:
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_mlflow_answers_its_administrator_under_its_own_name_and_nobody_else(stage: Stage) -> None:
    url = f"{stage.url('5000')}/api/2.0/mlflow/experiments/get?experiment_id=0"
    admin, port = f"admin:{stage.secrets['MLFLOW_ADMIN_PASSWORD']}", stage.url("5000").rpartition(":")[2]
    assert status(url, admin) == status(url, admin, f"mlflow:{port}") == 200
    assert status(url) == status(url, "admin:password1234") == status(url, f"admin:{new_token()}") == 401
    assert status(url, admin, "evil.example") == 403


def test_the_account_of_searches_is_no_administrator(stage: Stage) -> None:
    searcher = f"searcher:{stage.secrets['MLFLOW_SEARCHER_PASSWORD']}"
    users = f"{stage.url('5000')}/api/2.0/mlflow/users/get?username=admin"
    assert status(users, f"admin:{stage.secrets['MLFLOW_ADMIN_PASSWORD']}") == 200
    assert status(users, searcher) == 403
    assert status(f"{stage.url('5000')}/api/2.0/mlflow/experiments/get?experiment_id=0", searcher) == 403
    assert not list(stage.folder.rglob("basic_auth.db"))


def test_the_database_asks_for_the_password_and_lets_each_role_into_its_own_part(
    stage: Stage, postgresql: Server
) -> None:
    place = f"127.0.0.1:{postgresql.port}"
    roles = {role: stage.secrets[f"{role.upper()}_PGPASSWORD"] for role in ("searcher", "mlflow", "dashboard")}
    allowed = {("searcher", "studies"), ("dashboard", "studies"), ("mlflow", "mlflow"), ("mlflow", "mlflow_auth")}
    for role, password in roles.items():
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://{role}:{new_token()}@{place}/studies")
        for database in ("studies", "mlflow", "mlflow_auth"):
            url = f"postgresql://{role}:{password}@{place}/{database}"
            if (role, database) in allowed:
                psycopg.connect(url).close()
                continue
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(url)


SRUN = """#!/usr/bin/env python3
# Stands in for Slurm's: runs the command here, once per task, and takes the tasks with it when it is ended.
import os, signal, subprocess, sys
words = sys.argv[1:]
options = {}
while words and words[0].startswith("--"):
    name, _, value = words.pop(0).partition("=")
    options[name] = value
tasks = int(options.get("--ntasks", "1"))
first = 0 if "--nodelist" in options else 1
nodes = [os.environ[f"NODE_{first + task}"].split() if words[:2] == ["ray", "start"] else [] for task in range(tasks)]
running = [subprocess.Popen(words + more) for more in nodes]
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: [process.terminate() for process in running])
sys.exit(max(process.wait() for process in running))
"""
SCONTROL = """#!/usr/bin/env bash
# Stands in for Slurm's `scontrol show hostnames LIST`.
[ "$1 $2" = "show hostnames" ] && tr , '\\n' <<<"$3"
"""


def test_the_batch_script_searches_over_the_nodes_of_its_job(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name, text in {"srun": SRUN, "scontrol": SCONTROL}.items():
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "small.yaml").write_text(SPEC, encoding="utf-8")
    head = stage.environment("head")
    slurm = {
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NODELIST": "127.0.0.1,127.0.0.1",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "1",
        "NODE_0": " ".join([*stage.node(3), "--include-dashboard=false"]),
        "NODE_1": " ".join(stage.node(4)),
        "PATH": f"{tmp_path / 'bin'}:{head['PATH']}",
    }
    environment = {key: value for key, value in head.items() if not key.startswith("RAY_AUTH")} | slurm
    script = ["bash", str(DOCKER / "search.sbatch"), "small.yaml", "--budget", "100s", "--name", "batch"]
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "runs" / "batch" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["verdict"] in WORDS
    assert steps_in_mlflow(stage, verdict["mlflow"]) == steps_in_journal(stage, "batch")
    assert not list(tmp_path.glob(".ray-token-*"))


def test_a_submitted_search_has_every_step_in_mlflow_over_http(cluster: Stage, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC, encoding="utf-8")
    environment = {
        **{key: value for key, value in cluster.environment("worker").items() if not key.startswith(("MLFLOW", "PG"))},
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": cluster.secrets["RAY_AUTH_TOKEN"],
        "HOME": str(tmp_path),
    }
    command = ["python", "-m", "superconv_tune.submit", "small.yaml", "--address", cluster.url("8265"), "--name", "it"]
    done = subprocess.run(
        [*command, "--follow"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "runs" / "it" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["verdict"] in WORDS
    assert verdict["mlflow"]["tracking_uri"] == cluster.url("5000")
    assert steps_in_mlflow(cluster, verdict["mlflow"]) == steps_in_journal(cluster, "it")
    assert list((cluster.folder / "artifacts").rglob("verdict.json"))
    said = json.dumps(verdict) + done.stdout + done.stderr + cluster.said("mlflow")
    assert not [name for name, secret in cluster.secrets.items() if secret in said]


def test_the_dashboard_shows_the_studies_and_cannot_change_them(stage: Stage) -> None:
    proposer = Proposer(searchers_storage(stage), "shown", {}, "max", "random", seed=0, expected_trials=1)
    proposer.ask("rung0")  # as a search does, which also makes the tables
    proposer.close()
    stage.up("dashboard")
    with urllib.request.urlopen(f"{stage.url('8080')}/api/studies", timeout=30) as answer:
        names = [study["study_name"] for study in json.load(answer)["study_summaries"]]
    assert "shown/rung0" in names
    request = urllib.request.Request(f"{stage.url('8080')}/api/studies/1", method="DELETE")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=30)
    with urllib.request.urlopen(f"{stage.url('8080')}/api/studies", timeout=30) as answer:
        assert [study["study_name"] for study in json.load(answer)["study_summaries"]] == names


def test_the_rayjob_searches_on_its_cluster_with_a_share_of_a_gpu(cluster: Stage, tmp_path: Path) -> None:
    """The job's command as KubeRay runs it on the head, with the spec of the ConfigMap; the GPU is only Ray's count."""
    question, job = yaml.safe_load_all((DOCKER / "rayjob.yaml").read_text(encoding="utf-8"))
    (tmp_path / "spec.yaml").write_text(question["data"]["spec.yaml"], encoding="utf-8")
    assert yaml.safe_load(question["data"]["spec.yaml"])["resources"]["gpus_per_trial"] == 0.5
    words = job["spec"]["entrypoint"].replace("/questions/", f"{tmp_path}/").replace("/studies", str(tmp_path)).split()
    (container,) = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    given = {entry["name"] for entry in container["env"]}
    assert given == cluster.services["head"]["environment"].keys()
    environment = cluster.environment("head") | {"RAY_ADDRESS": cluster.here("head:6379")}  # as a job of Ray has it
    done = subprocess.run([*words, "--budget", "90s"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "digits" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["verdict"] in WORDS
    assert steps_in_mlflow(cluster, verdict["mlflow"]) == steps_in_journal(cluster, "digits")


def searchers_storage(stage: Stage) -> str:
    """The head's database, with the password that libpq finds in its environment."""
    storage: str = stage.services["head"]["environment"]["SUPERCONV_TUNE_STORAGE"]
    login = f"searcher:{stage.secrets['SEARCHER_PGPASSWORD']}@"
    return storage.replace("postgresql://searcher@", f"postgresql+psycopg://{login}")


def steps_in_journal(stage: Stage, name: str) -> dict[str, int]:
    """Optimizer steps of the cycle of every trial that finished, by trial."""
    with Journal(searchers_storage(stage)) as journal:
        outcomes = [event.outcome for event in journal.events(name) if isinstance(event, Observed)]
    return {outcome.trial_id: outcome.steps for outcome in outcomes if outcome.status == "finished" and outcome.steps}


def steps_in_mlflow(stage: Stage, recorded: dict[str, Any]) -> dict[str, int]:
    """The same as the server has it: no step twice among the metrics, and all of them in the file of the curves."""
    os.environ["MLFLOW_TRACKING_USERNAME"] = "admin"
    os.environ["MLFLOW_TRACKING_PASSWORD"] = stage.secrets["MLFLOW_ADMIN_PASSWORD"]
    os.environ |= {"MLFLOW_HTTP_REQUEST_TIMEOUT": "120", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5"}  # a busy machine
    client = connect(stage.url("5000"))
    query = f"tags.`mlflow.parentRunId` = '{recorded['run_id']}' and tags.status = 'finished' and tags.phase = 'cycle'"
    counts = {}
    for run in client.search_runs([recorded["experiment_id"]], query):
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "cycle/loss")]
        assert len(steps) == len(set(steps)) > 0
        curves = pq.read_table(client.download_artifacts(run.info.run_id, "curves.parquet")).to_pylist()
        taken = [row["step"] for row in curves if row["phase"] == "cycle"]
        assert taken == list(range(len(taken)))
        counts[run.data.tags["trial_id"]] = len(taken)
    return counts
