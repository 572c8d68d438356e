"""A real MLflow server over HTTP that can be killed, stopped for a while, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.servers.nodes import free_port

READY_S = 90.0


class TrackingServer:
    """A server process, with its children in a group of their own.

    Args:
        folder: for its files and its log.
        store: database URL; by default a sqlite file in the folder.

    Attributes:
        uri: its address, the same after every start.
    """

    def __init__(self, folder: Path, store: str | None = None) -> None:
        self._folder = folder
        self._store = store or f"sqlite:///{folder / 'mlflow.db'}"
        self._port = free_port()
        self.uri = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self._port), "--workers", "1", "--artifacts-destination", str(self._folder / "files")]
        with (self._folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *options],
                env=os.environ | {"MLFLOW_BACKEND_STORE_URI": self._store},  # no password in the list of processes
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        limit = time.monotonic() + READY_S
        while not self._answers():
            assert time.monotonic() < limit, f"{self.uri} did not come up"
            time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL to all its processes."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """Pause it: connections are still accepted, but never answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it; it answers the requests that have come meanwhile."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self._process.pid, number)

    def _answers(self) -> bool:
        try:
            urlopen(f"{self.uri}/health", timeout=5).close()
        except (URLError, OSError):
            return False
        return True


@contextmanager
def tracking_server(folder: Path, store: str | None = None) -> Iterator[TrackingServer]:
    """A server that is killed at the end of the block, if it still runs."""
    server = TrackingServer(folder, store)
    try:
        yield server
    finally:
        server.kill()
