"""MLflow's client: absolute addresses, bounded requests, quiet loggers."""

from __future__ import annotations

import logging
import os

from mlflow.tracking import MlflowClient

from superconv_tune.core.secrets import Address
from superconv_tune.spec import addresses

# MLflow reads these at each request. Values that the user has set take precedence.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the default of 7 with back-off keeps a trial waiting for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds; the default is 120
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # a search reports to its user and to nobody else
}
CHATTY_LOGGERS = ("mlflow", "alembic")
WHAT = "tracking_uri"  # of an address in a message


def connect(tracking_uri: Address | str) -> MlflowClient:
    """A client for this store; the first one on a new sqlite file also creates its tables (about two seconds)."""
    configure()
    return MlflowClient(tracking_uri=Address.of(tracking_uri, WHAT).reveal())


def configure() -> None:
    """Bound the requests and quiet the loggers of MLflow in this process."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    for name in CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def absolute(tracking_uri: Address) -> Address:
    """The address with a relative sqlite path made absolute, so that it holds in any working directory."""
    return Address(addresses.absolute(tracking_uri.reveal()))
