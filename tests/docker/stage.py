"""compose.yaml, rayjob.yaml and search.sbatch on this machine: every command in them as a plain process.

What a container has for itself (a name, a port, a path) becomes one of this machine's; nothing else is changed.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from benchmarks.servers.nodes import end_all, free_port
from benchmarks.servers.postgresql import Server, programs

DOCKER = Path(__file__).parents[2] / "docker"
ROOT = DOCKER.parent
SCRUBBED = ("MLFLOW_", "RAY_", "TUNE_", "SUPERCONV_TUNE_", "PG")
READY_S = 240.0  # on a machine that others use too


class Stage:
    """A folder, ports and a database for the services of compose, and their processes.

    Attributes:
        folder: of everything that they write.
        secrets: what docker/secrets.sh drew, by name.
        services: of compose.yaml, with this machine's names in place of the containers'.
    """

    def __init__(self, folder: Path, database: Server) -> None:
        self.folder = folder
        subprocess.run([str(DOCKER / "secrets.sh"), str(folder / ".env")], check=True, capture_output=True)
        lines = (folder / ".env").read_text(encoding="utf-8").splitlines()
        self.secrets = dict(line.split("=", 1) for line in lines)
        self._ports = {port: str(free_port()) for port in ("6379", "8265", "5000", "8080")}
        self._database = database
        # Ray's sockets are files, and a path of pytest's would be too long for them.
        self._temp = Path(tempfile.mkdtemp(prefix="sct_"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._services: dict[str, Callable[[], subprocess.Popen[bytes]]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("artifacts", "studies"):
            (folder / name).mkdir()
        self._make_databases()
        compose = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
        self.services: dict[str, dict[str, Any]] = self.here(compose["services"])
        settings = self.here((DOCKER / "mlflow_auth.ini").read_text(encoding="utf-8"))
        (folder / "mlflow_auth.ini").write_text(settings, encoding="utf-8")

    def here(self, value: Any) -> Any:
        """The same words with this machine's names."""
        if isinstance(value, dict):
            return {key: self.here(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.here(inner) for inner in value]
        return self._translated(value) if isinstance(value, str) else value

    def url(self, port: str) -> str:
        """Of the service that listens on this port of its container."""
        return f"http://127.0.0.1:{self._ports[port]}"

    def environment(self, service: str) -> dict[str, str]:
        """What the processes of a service see: what compose gives them, and nothing of this machine's settings."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(SCRUBBED)}
        image = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "SUPERCONV_TUNE_OUTPUT": str(self.folder / "studies"),
            "SUPERCONV_TUNE_CACHE": str(self.folder / "cache"),
            "PATH": f"{Path(sys.executable).parent}:{programs()}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",  # or macOS would have one node only
        }
        given: dict[str, str] = self.services[service].get("environment", {})
        return clean | image | given

    def start(self, name: str, words: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """A process that `close` ends; what it says goes into a log of its name."""
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(list(words), env=dict(environment), cwd=self.folder, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def up(self, service: str, *more: str) -> None:
        """Start a service as compose does, and wait until its own health check says yes."""
        words, environment = [*self.services[service]["command"], *more], self.environment(service)
        self._services[service] = lambda: self.start(service, words, environment)
        self._running[service] = self._services[service]()
        self.until_healthy(service)

    def run(self, service: str) -> None:
        """Run a service that ends, as compose does."""
        words = self.services[service]["command"]
        done = subprocess.run(words, env=self.environment(service), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def node(self, number: int) -> list[str]:
        """What keeps several nodes of Ray on one machine out of each other's way; containers need none of it."""
        ports = ("--min-worker-port=0", "--max-worker-port=0", f"--dashboard-agent-listen-port={free_port()}")
        return ["--node-ip-address=127.0.0.1", f"--temp-dir={self._temp / str(number)}", *ports]

    def check(self, service: str) -> list[str]:
        """The health check of a service; the image's own where compose names none."""
        test = self.services[service].get("healthcheck", {}).get("test")
        if test is None:
            dockerfile = (DOCKER / "Dockerfile").read_text(encoding="utf-8").partition("HEALTHCHECK")[2]
            (found,) = re.findall(r"CMD (\[.*\])", dockerfile.partition("\nCMD")[0])
            test = ["CMD", *self.here(yaml.safe_load(found))]
        assert test[0] == "CMD"
        return [str(word) for word in test[1:]]

    def until_healthy(self, service: str, *more: str) -> None:
        """Ask as docker does, until the answer is yes; what ended is started again, as compose does."""
        environment, check = self.environment(service), [*self.check(service), *more]
        end = time.monotonic() + READY_S
        while subprocess.run(check, env=environment, capture_output=True, check=False).returncode != 0:
            assert time.monotonic() < end, f"{service} did not come up: {self.said(service)}"
            self._restart()
            time.sleep(0.5)

    def until_nodes(self, count: int) -> None:
        """Wait until so many nodes are in the cluster; the health check of a worker tells of the head only."""
        token = {"Authorization": f"Bearer {self.secrets['RAY_AUTH_TOKEN']}"}
        request = urllib.request.Request(f"{self.url('8265')}/nodes?view=summary", headers=token)
        end, alive = time.monotonic() + READY_S, 0
        while alive < count:
            assert time.monotonic() < end, f"{alive} of {count} nodes came up: {self.said('worker')}"
            self._restart()
            time.sleep(0.5)
            with suppress(OSError, KeyError), urllib.request.urlopen(request, timeout=10) as answer:
                nodes = json.load(answer)["data"]["summary"]
                alive = sum(node["raylet"].get("state") == "ALIVE" for node in nodes)

    def log(self, name: str) -> Path:
        """Where a process says what it says."""
        return self.folder / f"{name}.log"

    def said(self, name: str) -> str:
        """What it said."""
        return self.log(name).read_text(encoding="utf-8") if self.log(name).exists() else ""

    def close(self) -> None:
        """End everything that was started, the last first, and remove what Ray wrote."""
        end_all(self._processes)
        shutil.rmtree(self._temp, ignore_errors=True)

    def _restart(self) -> None:
        for service, process in self._running.items():
            if process.poll() is not None:
                self._running[service] = self._services[service]()

    def _make_databases(self) -> None:
        """What the image of PostgreSQL does at its first start: our file, with psql, as the superuser."""
        psql = str((programs() or Path()) / "psql")
        command = [psql, "--set=ON_ERROR_STOP=1", "--no-password", "--file", str(DOCKER / "databases.sql")]
        environment = os.environ | self.secrets
        subprocess.run([*command, self._database.database()], env=environment, check=True, capture_output=True)

    def _translated(self, text: str) -> str:
        text = re.sub(r"\$\{(\w+):[?-]([^}]*)\}", lambda found: self.secrets.get(found[1], found[2]), text)
        for word, ours in {
            "@postgres/": f"@127.0.0.1:{self._database.port}/",
            "//mlflow:5000": "//127.0.0.1:5000",
            "head:6379": "127.0.0.1:6379",
            "0.0.0.0": "127.0.0.1",
            "/etc/mlflow_auth.ini": str(self.folder / "mlflow_auth.ini"),
            "/etc/mlflow_user.py": str(DOCKER / "mlflow_user.py"),
            "/artifacts": str(self.folder / "artifacts"),
        }.items():
            text = text.replace(word, ours)
        return re.sub(r"\b(6379|8265|5000|8080)\b", lambda found: self._ports[found[1]], text)


def new_token() -> str:
    """A token that no cluster knows."""
    return secrets.token_hex(32)
