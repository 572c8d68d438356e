"""A cluster that is joined from a machine that is not one of its nodes."""

from __future__ import annotations

import pytest
import ray
from ray._private import ray_constants

from superconv_tune.cluster import connection
from superconv_tune.core.errors import UserError


def test_a_machine_without_a_node_is_refused_before_ray_looks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        raise AssertionError("Ray would wait for a minute")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", ray_constants.ENABLE_RAY_CLUSTER)  # put back afterwards
    monkeypatch.setattr(connection, "find_node_ids", set)
    refused = pytest.raises(UserError, match=r"no node of a cluster runs here.*superconv_tune\.submit")
    with refused, connection.cluster("10.0.0.1:6379"):
        pass
