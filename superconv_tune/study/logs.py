"""search.log: the log records of Ray, Optuna and MLflow, which stay off the console."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from superconv_tune.core.secrets import masked

QUIET = {"alembic": logging.WARNING, "matplotlib": logging.WARNING}
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _MaskingFormatter(logging.Formatter):
    """Masks the passwords of addresses in whatever a library logs."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


@contextmanager
def no_log() -> Iterator[None]:
    """Drop log records while there is no folder for them yet; whatever matters is raised as an error."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


@contextmanager
def search_log(folder: Path) -> Iterator[None]:
    """Send every log record and warning to ``folder/search.log`` while the block runs, and none to the console."""
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / "search.log", encoding="utf-8", delay=True)
    handler.setFormatter(_MaskingFormatter(FORMAT))
    root = logging.getLogger()
    before, root.handlers = root.handlers, [handler]
    levels = {name: logging.getLogger(name).level for name in ("", *QUIET)}
    root.setLevel(logging.INFO)
    raises = logging.raiseExceptions
    logging.raiseExceptions = False  # on a full disk each record would cost a traceback
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    try:
        with warnings.catch_warnings():
            logging.captureWarnings(capture=True)
            warnings.simplefilter("default")
            yield
    finally:
        logging.captureWarnings(capture=False)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        logging.raiseExceptions = raises
        root.handlers = before
        handler.close()
