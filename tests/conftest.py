"""Settings and fixtures of all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

# Set before torch is imported by a test or by a command that a test starts: for small models one thread is faster.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from benchmarks.servers.postgresql import Server, programs, server
from superconv_tune.core import secrets
from superconv_tune.data.cache import PLACE

# Derandomised, so that a test that is green stays green; a slow machine is no failure.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def scrubbed_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's MLflow, Ray and Tune settings out of the tests, and the tests out of the user's cache."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "RAY_", "TUNE_", "SUPERCONV_TUNE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv(PLACE, str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def no_known_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the secrets of one test from being masked in the messages of the next."""
    monkeypatch.setattr(secrets, "_known", set())


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server for all tests that need one; each creates its own database."""
    if programs() is None:
        pytest.skip("PostgreSQL's initdb is not installed: apt-get install postgresql")
    with server() as running:
        yield running
