"""Imports that take seconds, and what is installed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version


@contextmanager
def fast_imports() -> Iterator[None]:
    """Collect no garbage inside: torch, Ray and MLflow make none, and looking for it is a third of their imports.

    What was imported stays, so that later collections need not visit it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def ease_exit() -> None:
    """Let the process end at once: the interpreter would otherwise visit every imported object, for seconds."""
    gc.freeze()


def package_version(package: str) -> str | None:
    """The version of an installed package; None if it is not installed, as ours may not be in a checkout."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
