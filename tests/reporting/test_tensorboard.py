"""TensorBoard's files have every kept step of every trial, under the names of our series."""

from __future__ import annotations

import struct
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.tensorboard import write_events


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars of a run, by name: step and value. A record is its length, a checksum, the event, a checksum."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    [file] = folder.iterdir()
    content = file.read_bytes()
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event = Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]
        for value in event.summary.value:
            found[value.tag].append((event.step, value.simple_value))
    return found


def test_every_trial_is_a_run_with_its_curves(findings: Findings, tmp_path: Path) -> None:
    (tmp_path / "events" / "of an earlier call").mkdir(parents=True)
    write_events(findings.study, tmp_path / "events")

    assert {run.name for run in (tmp_path / "events").iterdir()} == set(findings.study.outcomes)
    outcome = findings.study.outcomes["confirm-01"]
    curve, found = outcome.cycle_curve, scalars(tmp_path / "events" / "confirm-01")
    assert curve is not None
    for name in ("loss", "lr", "momentum"):
        steps, values = zip(*found[f"cycle/{name}"], strict=True)
        assert list(steps) == curve.step.tolist()
        np.testing.assert_allclose(values, getattr(curve, name), rtol=1e-6)
    [(_, test)] = found["end/test"]
    assert test == pytest.approx(outcome.test)
