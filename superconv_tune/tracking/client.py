"""MLflow's client: absolute addresses, bounded requests, quiet loggers."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from mlflow.tracking import MlflowClient

# MLflow reads these at each request. Values that the user has set take precedence.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the default of 7 with back-off keeps a trial waiting for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds; the default is 120
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # a search reports to its user and to nobody else
}
CHATTY_LOGGERS = ("mlflow", "alembic")


def connect(tracking_uri: str) -> MlflowClient:
    """A client for this store; the first one on a new sqlite file also creates its tables (about two seconds)."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    for name in CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=tracking_uri)


def absolute(tracking_uri: str) -> str:
    """The address with a relative sqlite path made absolute, so that it holds in any working directory."""
    path = sqlite_path(tracking_uri)
    if path is None:
        return tracking_uri
    scheme = tracking_uri.partition(":")[0]
    return f"{scheme}:///{path.resolve()}"


def sqlite_path(tracking_uri: str) -> Path | None:
    """The file behind a ``sqlite:///...`` address; None for any other store."""
    scheme, found, path = tracking_uri.partition(":///")
    return Path(path) if found and scheme.startswith("sqlite") and path else None
