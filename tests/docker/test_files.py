"""What docker/ ships: all of it parses, every command in it exists with its options, no secret has a default."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

DOCKER = Path(__file__).parents[2] / "docker"
ROOT = DOCKER.parent
BIN = Path(sys.executable).parent

# Programs of other images; everything else has to be there.
ELSEWHERE = {"pg_isready"}
# Options that their program takes without listing them: KubeRay and docker hand them to `ray start` as they are.
WORDS = re.compile(r"--[a-z][a-z-]*")


def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    return content


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DOCKER / "rayjob.yaml").read_text(encoding="utf-8")))


def rayjob() -> dict[str, Any]:
    (job,) = [part for part in manifests() if part["kind"] == "RayJob"]
    spec: dict[str, Any] = job["spec"]
    return spec


def commands() -> Iterator[list[str]]:
    """Every command that docker/ runs, as words."""
    for service in compose()["services"].values():
        if "command" in service:
            yield [str(word) for word in service["command"]]
        test = service.get("healthcheck", {}).get("test", [])
        if test:
            yield [str(word) for word in test[1:]]
    dockerfile = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    for words in re.findall(r"CMD \[(.*)\]", dockerfile):
        yield [word.strip().strip('"') for word in words.split(",")]
    yield shlex.split(rayjob()["entrypoint"])
    text = (DOCKER / "search.sbatch").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        match = re.search(r"\b(python -m superconv_tune\.\S+|ray (?:start|health-check|get-auth-token))\b.*", line)
        if match and not line.lstrip().startswith("#"):
            yield [word for word in match[0].split("&")[0].split(";")[0].replace("`", " ").split() if word]


ALL = sorted({" ".join(words): words for words in commands()}.items())


def help_of(words: list[str]) -> str:
    """What the program says of its options."""
    if words[:2] == ["python", "-m"]:
        command = [sys.executable, "-m", words[2], "--help"]
    else:
        command = [str(BIN / words[0]), *([] if words[0] == "optuna-dashboard" else words[1:2]), "--help"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env={"COLUMNS": "300"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("words", [words for _, words in ALL], ids=[name[:60] for name, _ in ALL])
def test_every_command_exists_with_every_option_it_is_given(words: list[str]) -> None:
    if words[0] in ELSEWHERE:
        return
    if words[0] == "python" and words[1] != "-m":
        code = words[2] if words[1] == "-c" else (DOCKER / Path(words[1]).name).read_text(encoding="utf-8")
        compile(code, "healthcheck", "exec")
        return
    known = WORDS.findall(help_of(words))
    given = [word.partition("=")[0] for word in words[2:] if word.startswith("--")]
    assert not [option for option in given if option not in known]


def test_there_are_commands_to_check() -> None:
    programs = {words[0] if words[:2] != ["python", "-m"] else words[2] for _, words in ALL}
    assert {
        "ray",
        "mlflow",
        "optuna-dashboard",
        "superconv_tune.search",
    } <= programs  # and those of the documents there


@pytest.mark.parametrize("script", ["secrets.sh", "search.sbatch", "check-image.sh"])
def test_scripts_are_shell(script: str) -> None:
    done = subprocess.run(["bash", "-n", str(DOCKER / script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_batch_job_ends_when_ray_does_not_start(tmp_path: Path) -> None:
    for name, script in {"scontrol": "echo node", "srun": "exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    slurm = {
        "SUBMIT_DIR": str(tmp_path),
        "JOB_ID": "7",
        "JOB_NODELIST": "node",
        "CPUS_PER_TASK": "1",
        "JOB_NUM_NODES": "1",
    }
    environment = {f"SLURM_{name}": value for name, value in slurm.items()}
    environment |= {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": "x",
        "SUPERCONV_TUNE_STORAGE": "x",
    }
    command = ["bash", str(DOCKER / "search.sbatch"), "spec.yaml"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (1, "Ray did not start on node; see above.\n")
    assert not list(tmp_path.glob(".ray-token-*"))


def test_secrets_are_drawn_anew_are_private_and_are_never_drawn_twice(tmp_path: Path) -> None:
    def draw(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(DOCKER / "secrets.sh"), str(tmp_path / name)], capture_output=True, text=True, check=False
        )

    assert draw("a").returncode == draw("b").returncode == 0
    values = {}
    for name in "ab":
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        lines = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        values[name] = dict(line.split("=", 1) for line in lines)
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in values["a"].values())
    assert not set(values["a"].values()) & set(values["b"].values())
    assert draw("a").returncode == 2
    wanted = set(re.findall(r"\$\{(\w+):\?", (DOCKER / "compose.yaml").read_text(encoding="utf-8")))
    assert wanted == values["a"].keys()


def test_no_secret_has_a_default_and_nothing_is_published_beyond_the_loopback() -> None:
    secret = re.compile(r"(TOKEN|PASSWORD|SECRET)")
    for name, service in compose()["services"].items():
        for key, value in service.get("environment", {}).items():
            if secret.search(key):
                assert re.fullmatch(r"\$\{\w+:\?.+\}", str(value)), (name, key)
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
        assert not [word for word in service.get("command", []) if re.search(r"://[^/@]*:[^/@]*@", str(word))]
    text = (DOCKER / "rayjob.yaml").read_text(encoding="utf-8")
    pairs = re.findall(r"name: (\w*(?:TOKEN|PASSWORD)), (\w+):", text)
    assert pairs
    assert {kind for _, kind in pairs} == {"valueFrom"}


def test_every_node_of_a_cluster_has_the_token_on() -> None:
    services = compose()["services"]
    for name in ("head", "worker", "worker-gpu"):
        assert services[name]["environment"]["RAY_AUTH_MODE"] == "token"
    job = rayjob()
    groups = [job["rayClusterSpec"]["headGroupSpec"], *job["rayClusterSpec"]["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups] + [job["submitterPodTemplate"]["spec"]]
    for pod in pods:
        environment = {entry["name"]: entry for entry in pod["containers"][0]["env"]}
        assert environment["RAY_AUTH_MODE"]["value"] == "token"
        assert "secretKeyRef" in environment["RAY_AUTH_TOKEN"]["valueFrom"]


def test_each_service_knows_the_secrets_that_it_needs_and_no_others() -> None:
    known = {
        name: set(re.findall(r"\$\{(\w+):\?", str(service.get("environment", {}))))
        for name, service in compose()["services"].items()
    }
    assert known == {
        "head": {"RAY_AUTH_TOKEN", "SEARCHER_PGPASSWORD", "MLFLOW_SEARCHER_PASSWORD"},
        "worker": {"RAY_AUTH_TOKEN", "MLFLOW_SEARCHER_PASSWORD"},
        "worker-gpu": {"RAY_AUTH_TOKEN", "MLFLOW_SEARCHER_PASSWORD"},
        "mlflow": {"MLFLOW_PGPASSWORD", "MLFLOW_ADMIN_PASSWORD", "MLFLOW_SECRET_KEY"},
        "mlflow-user": {"MLFLOW_ADMIN_PASSWORD", "MLFLOW_SEARCHER_PASSWORD"},
        "dashboard": {"DASHBOARD_PGPASSWORD"},
        "postgres": {"POSTGRES_PASSWORD", "SEARCHER_PGPASSWORD", "MLFLOW_PGPASSWORD", "DASHBOARD_PGPASSWORD"},
    }
    job = rayjob()
    pods = [job["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"], job["submitterPodTemplate"]["spec"]]
    for pod in pods:
        names = {entry["name"] for entry in pod["containers"][0]["env"]}
        assert not {"PGPASSWORD", "SUPERCONV_TUNE_STORAGE"} & names
    for text in ((DOCKER / "rayjob.yaml").read_text(encoding="utf-8"), str(compose())):
        assert not re.search(r"MLFLOW_TRACKING_USERNAME\W+(value: )?admin", text)


def test_the_accounts_of_mlflow_are_not_among_its_files() -> None:
    text = (DOCKER / "mlflow_auth.ini").read_text(encoding="utf-8")
    (command,) = [service["command"] for name, service in compose()["services"].items() if name == "mlflow"]
    (root,) = [word.partition("=")[2] for word in command if word.startswith("--artifacts-destination=")]
    (database,) = re.findall(r"database_uri = (.*)", text)
    assert root not in database
    assert database.startswith("postgresql+psycopg://mlflow@")


def test_pods_have_no_account_of_kubernetes_no_rights_and_no_neighbours() -> None:
    job = rayjob()
    groups = [job["rayClusterSpec"]["headGroupSpec"], *job["rayClusterSpec"]["workerGroupSpecs"]]
    templates = [group["template"] for group in groups] + [job["submitterPodTemplate"]]
    (policy,) = [part["spec"] for part in manifests() if part["kind"] == "NetworkPolicy"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    for template in templates:
        assert policy["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        assert template["spec"]["automountServiceAccountToken"] is False
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        (container,) = template["spec"]["containers"]
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert all(rule.get("from") for rule in policy["ingress"])
    assert all(rule.get("to") for rule in policy["egress"])


def test_a_rayjob_ends_gives_back_its_gpus_and_can_wait_in_a_queue() -> None:
    job = rayjob()
    assert job["shutdownAfterJobFinishes"] is True
    assert job["activeDeadlineSeconds"] > 0
    assert isinstance(job["suspend"], bool)
    (group,) = job["rayClusterSpec"]["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == container["resources"]["requests"]["nvidia.com/gpu"]


def test_versions_are_those_that_were_tested() -> None:
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and line[0] != "#"
    )
    assert rayjob()["rayClusterSpec"]["rayVersion"] == pins["ray"]
    assert Version(pins["ray"]) in Requirement("ray>=2.60").specifier  # what SECURITY.md was tested with


def test_the_image_is_not_root_and_pinned() -> None:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    assert text.rindex("\nUSER searcher") > text.rindex("\nRUN ")
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert all("--constraint constraints.txt" in line or "--no-deps" in line for line in installs)
    assert "HEALTHCHECK" in text
