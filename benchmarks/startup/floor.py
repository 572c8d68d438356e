"""What no search on Ray and MLflow can avoid: their imports, and the start of a local Ray."""

from __future__ import annotations

import os
import subprocess
import sys
import time

SCRIPT = """
import logging
import ray, torch, mlflow
ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
print("started", flush=True)
ray.shutdown()
"""


def floor_s() -> float:
    """Seconds from the start of a process to a started Ray."""
    began = time.time()
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "started\n":
            raise RuntimeError("Ray did not start.")
        return time.time() - began
