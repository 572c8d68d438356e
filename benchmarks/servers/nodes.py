"""A real Ray cluster on this machine: every node a process tree of its own, token authentication on."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from superconv_tune.core.processes import descendants as descendants

ROOT = Path(__file__).parents[2]
SETTINGS = ("MLFLOW_", "RAY_", "TUNE_", "SUPERCONV_TUNE_STORAGE", "SUPERCONV_TUNE_OUTPUT")
READY_S = 180.0


class Cluster:
    """A head and more nodes, on the loopback and on ports of their own.

    Args:
        folder: for the logs, the nodes' cache and what searches on the head write.
        cpus: of every node; the first is the head.
        environments: what the processes of a node see besides, by its number.

    Attributes:
        token: of the cluster.
        address: of its job server.
        gcs: of the cluster itself, for ``--address``.
        studies: journal of what was submitted, where no other storage is named.
    """

    def __init__(
        self,
        folder: Path,
        cpus: tuple[int, ...] = (1, 1),
        environments: Mapping[int, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        self.token = secrets.token_hex(32)
        # Ray's sockets are files, and a path of pytest's would be too long for them.
        self._temp = Path(tempfile.mkdtemp(prefix="sct_"))
        gcs, http, self._folder = free_port(), free_port(), folder
        self.gcs, self.address = f"127.0.0.1:{gcs}", f"http://127.0.0.1:{http}"
        self.studies = folder / "on-the-head" / "studies.db"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environments = environments
        try:
            self._start_all(gcs, http, cpus)
        except BaseException:
            self.close()
            raise

    @property
    def environment(self) -> dict[str, str]:
        """What a client of the cluster needs."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def kill_node(self, number: int) -> None:
        """SIGKILL to the raylet of a node; its ``ray start --block`` then ends the rest of the tree."""
        (raylet,) = [pid for pid in descendants(self._processes[number].pid) if "/raylet/raylet" in command_line(pid)]
        os.kill(raylet, signal.SIGKILL)

    def close(self) -> None:
        """End all trees, and remove what they wrote."""
        end_all(self._processes)
        shutil.rmtree(self._temp, ignore_errors=True)

    def _start_all(self, gcs: int, http: int, cpus: tuple[int, ...]) -> None:
        for number, count in enumerate(cpus):
            place = ("--head", f"--port={gcs}", "--dashboard-host=127.0.0.1", f"--dashboard-port={http}")
            self._start(*(place if number == 0 else (f"--address={self.gcs}",)), f"--num-cpus={count}")
            self._until_nodes(number + 1)

    def _start(self, *options: str) -> None:
        number = len(self._processes)
        scrubbed = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}
        ours = self.environment | {
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
            "SUPERCONV_TUNE_CACHE": str(self._folder / "cache"),
            "SUPERCONV_TUNE_OUTPUT": str(self._folder / "on-the-head"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            **self._environments.get(number, {}),
        }
        ports = ("--min-worker-port=0", "--max-worker-port=0", f"--dashboard-agent-listen-port={free_port()}")
        command = [
            str(Path(sys.executable).with_name("ray")),
            "start",
            "--block",
            "--node-ip-address=127.0.0.1",
            *ports,
        ]
        with (self._folder / f"ray-{number}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [*command, f"--temp-dir={self._temp / str(number)}", "--disable-usage-stats", *options],
                    env=scrubbed | ours,
                    stdout=log,
                    stderr=log,
                )
            )

    def _until_nodes(self, count: int) -> None:
        request = urllib.request.Request(
            f"{self.address}/nodes?view=summary", headers={"Authorization": f"Bearer {self.token}"}
        )
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    nodes = json.load(answer)["data"]["summary"]
                if sum(node["raylet"].get("state") == "ALIVE" for node in nodes) >= count:
                    return
            except (OSError, KeyError, urllib.error.URLError):
                pass
            time.sleep(0.5)
        logs = "".join(path.read_text(encoding="utf-8") for path in self._folder.glob("ray-*.log"))
        raise AssertionError(f"{count} nodes were not there after {READY_S:g} s: {logs}")


@contextmanager
def cluster(
    folder: Path,
    cpus: tuple[int, ...] = (1, 1),
    environments: Mapping[int, Mapping[str, str]] = MappingProxyType({}),
) -> Iterator[Cluster]:
    """A cluster that ends with the block."""
    running = Cluster(folder, cpus, environments)
    try:
        yield running
    finally:
        running.close()


def end_all(processes: Sequence[subprocess.Popen[Any]]) -> None:
    """Ask the processes to end, in reverse order of their start, and kill those that do not."""
    for process in reversed(processes):
        process.terminate()
    for process in processes:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A free port of the loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def command_line(pid: int) -> str:
    """The command line of a process, or the name it has given itself; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
