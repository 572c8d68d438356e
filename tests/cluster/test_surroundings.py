"""What a user's environment says about Ray, and what a search makes of it.

From the trackers: ray-project/ray issue 35010 (RAY_ADDRESS with http://), ray-project/ray pull requests 7977 and 26678
(RAY_ADDRESS, and a file in /tmp, decide where ``ray.init()`` runs), prefect-archive/prefect-ray issue 64.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from superconv_tune.cluster.surroundings import SETTINGS, surroundings
from superconv_tune.data.scratch import WITHIN
from tests.cluster.hostile import HOSTILE


def of_ray() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("RAY_", "TUNE_"))}


def test_nothing_of_it_reaches_a_local_ray_and_all_of_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with surroundings(None):
        inside = of_ray()
        token = inside.pop("RAY_AUTH_TOKEN")
        assert inside == SETTINGS | {"RAY_AUTH_MODE": "token"}
        assert len(token) >= 32
        assert token not in HOSTILE.values()
        folder = Path(os.environ[WITHIN])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert dict(os.environ) == before
    assert not folder.exists()
    with surroundings(None):
        assert os.environ["RAY_AUTH_TOKEN"] != token  # each search has its own


def test_it_comes_back_after_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError), surroundings(None):
        _ = 1 / 0
    assert dict(os.environ) == before


def test_a_cluster_that_the_user_names_is_joined_with_what_the_user_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "RAY_USE_TLS", *SETTINGS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x" * 40)
    with surroundings("127.0.0.1:6379"):
        assert of_ray() == SETTINGS | {"RAY_AUTH_TOKEN": "x" * 40}
