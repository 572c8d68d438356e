"""Where Ray's log records go while a search is connected."""

from __future__ import annotations

import io
import logging

from superconv_tune.cluster.connection import ray_on_the_root_log


def test_what_ray_logs_goes_to_the_root_logger_and_not_to_its_own_console() -> None:
    console, log = io.StringIO(), io.StringIO()
    ray, root = logging.getLogger("ray"), logging.getLogger()
    own, ours = logging.StreamHandler(console), logging.StreamHandler(log)
    before = (ray.propagate, ray.level)
    ray.addHandler(own)
    root.addHandler(ours)
    try:
        with ray_on_the_root_log():
            logging.getLogger("ray.tune").error("an actor has left")
            logging.getLogger("ray.tune").warning("chatter")
        assert (console.getvalue(), log.getvalue()) == ("", "an actor has left\n")
        assert own in ray.handlers
        assert (ray.propagate, ray.level) == before
    finally:
        ray.removeHandler(own)
        root.removeHandler(ours)
