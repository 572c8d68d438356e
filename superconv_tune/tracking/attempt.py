"""One attempt of a trial as a folder on the worker's disk.

The folder is written when the trial ends, and removed by `superconv_tune.tracking.delivery` once MLflow has everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.curve import COLUMNS, Curve
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.record.versions import upgraded_request
from superconv_tune.tracking.series import SERIES, Phase, Point

RECORD = "attempt.json"
CURVES = "curves.parquet"


@dataclass(frozen=True)
class Attempt:
    """An attempt that has ended, with what MLflow has not received yet.

    Attributes:
        request: the trial.
        outcome: its outcome.
        run_id: id of its run; None if MLflow was unreachable when the trial began.
        points: metric values that MLflow has not confirmed.
    """

    request: TrialRequest
    outcome: TrialOutcome
    run_id: str | None
    points: Sequence[Point]

    def write(self, folder: Path) -> None:
        """Replace the record in this folder atomically."""
        value = {
            "request": encode(self.request),
            "outcome": encode(self.outcome),
            "run_id": self.run_id,
            "points": self.points,
        }
        part = folder / f"{RECORD}.part"
        part.write_text(json.dumps(value), encoding="utf-8")
        part.replace(folder / RECORD)

    @staticmethod
    def read(folder: Path) -> Attempt:
        """The record in this folder."""
        value = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return Attempt(
            request=decode(TrialRequest, upgraded_request(value["request"])),
            outcome=decode(TrialOutcome, value["outcome"]),
            run_id=value["run_id"],
            points=[Point(*point) for point in value["points"]],
        )


def save(folder: Path, attempt: Attempt, curves: Mapping[Phase, Curve]) -> None:
    """Write the curves and last the record of the attempt; a folder with a record is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(curve_table(curves), folder / CURVES, compression="zstd")
    attempt.write(folder)


def saved_curves(folder: Path) -> Mapping[Phase, Curve]:
    """The curves in this folder; a phase without steps is left out."""
    table = pq.read_table(folder / CURVES)
    phases = table.column("phase").to_numpy()
    every = Curve(**{name: table.column(name).to_numpy().astype(np.float64) for name in COLUMNS})
    found = {phase: every.take(np.flatnonzero(phases == phase)) for phase in SERIES}
    return {phase: curve for phase, curve in found.items() if len(curve)}


def curve_table(curves: Mapping[Phase, Curve]) -> pa.Table:
    """All iterations: columns phase, step, lr, momentum, loss, elapsed_s."""
    joined = Curve.join(list(curves.values()))
    phases = np.repeat(list(curves), [len(curve) for curve in curves.values()])
    columns = {name: pa.array(getattr(joined, name)) for name in COLUMNS}
    return pa.table(
        {"phase": pa.array(phases.tolist(), pa.string())} | columns | {"step": pa.array(joined.step.astype(np.int64))}
    )
