"""Tables for parquet files: a row per trial, per kept step of a curve, and per step of a range test's ramps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa

from superconv_tune.core.curve import COLUMNS, Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.record.purpose import Promoted, RunOff
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, Fit, TrialOutcome, TrialRequest
from superconv_tune.verdict.standing import Standing

Columns = dict[str, Any]

# Columns that are computed from a request's purpose and work.
DERIVED: Columns = {
    "kind": pa.string(),
    "purpose": pa.string(),
    "schedule": pa.string(),
    "options": pa.string(),
    "parent": pa.string(),
    "recipe": pa.int64(),
    "pick_lr": pa.float64(),
    "data_share": pa.float64(),
}
ARROW = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}
BULKY = {"test_correct"}  # one bit per test item; only the journal keeps it


def trials_table(study: Study) -> pa.Table:
    """One row per trial: request, hyperparameters, outcome and its own range test, under the names of their fields.

    A trial that has not ended has the status ``running`` and nulls.
    """
    rows = [_trial_row(request, study.outcomes.get(request.trial_id)) for request in study.requests.values()]
    return pa.Table.from_pylist(rows, schema=_trial_schema())


def curves_table(study: Study) -> pa.Table:
    """The thinned curves that the journal keeps: ``trial_id``, ``phase`` and the columns of a curve."""
    parts = [
        _curve_table(outcome.trial_id, phase, curve)
        for outcome in study.outcomes.values()
        for phase, curve in (("range_test", outcome.range_curve), ("cycle", outcome.cycle_curve))
        if curve is not None
    ]
    return pa.concat_tables([_curve_table("", "", Curve.empty()), *parts])


def leaderboard_table(standings: Sequence[Standing]) -> pa.Table:
    """One row per family of models, under the names of the fields of `Standing`."""
    rows = [{field.name: getattr(each, field.name) for field in fields(Standing)} for each in standings]
    return pa.Table.from_pylist(rows, schema=pa.schema(list(_columns(Standing).items())))


def ramps_table(ramps: Mapping[str, Sequence[Curve]]) -> pa.Table:
    """One row per step of each ramp: columns ramp (its kind, the key), replicate, lr, loss."""
    rows = [(kind, number, curve) for kind, curves in ramps.items() for number, curve in enumerate(curves)]
    joined = Curve.join([curve for _, _, curve in rows])
    return pa.table(
        {
            "ramp": np.repeat([kind for kind, _, _ in rows], [len(curve) for _, _, curve in rows]),
            "replicate": np.repeat([number for _, number, _ in rows], [len(curve) for _, _, curve in rows]),
            "lr": joined.lr,
            "loss": joined.loss,
        }
    )


def _curve_table(trial_id: str, phase: str, curve: Curve) -> pa.Table:
    steps = len(curve)
    columns: dict[str, Any] = {
        "trial_id": pa.array([trial_id] * steps, pa.string()),
        "phase": pa.array([phase] * steps, pa.string()),
    }
    return pa.table(columns | {name: pa.array(getattr(curve, name), pa.float64()) for name in COLUMNS})


def _trial_row(request: TrialRequest, outcome: TrialOutcome | None) -> dict[str, Any]:
    row = _request_row(request)
    if not isinstance(request.work, Fit):
        row |= _values(request.params, PARAMS) | {"max_momentum": request.params.max_momentum}
    if outcome is None:
        return row | {"status": "running"}
    row |= _values(outcome, OUTCOME)
    return row if outcome.range_test is None else row | _values(outcome.range_test, RANGE_TEST, "range_test_")


def _request_row(request: TrialRequest) -> dict[str, Any]:
    purpose, work = request.purpose, request.work
    return _values(request, REQUEST) | {
        "kind": request.kind,
        "purpose": purpose.name,
        "schedule": None if isinstance(work, Fit) else request.schedule.label,
        "options": json.dumps(work.options) if isinstance(work, Fit) else None,
        "parent": purpose.parent if isinstance(purpose, Promoted | RunOff) else None,
        "recipe": request.recipe,
        "pick_lr": request.pick_lr,
        "data_share": work.data_share if isinstance(work, Cycle) else 1.0,
    }


def _trial_schema() -> pa.Schema:
    ramp = {f"range_test_{name}": column for name, column in RANGE_TEST.items()}
    return pa.schema(list((REQUEST | DERIVED | PARAMS | {"max_momentum": pa.float64()} | OUTCOME | ramp).items()))


def _values(record: object, columns: Columns, prefix: str = "") -> dict[str, Any]:
    return {prefix + name: getattr(record, name) for name in columns}


def _columns(kind: Any) -> Columns:
    """The fields of a dataclass that hold a number or a text, possibly None, with their column types."""
    hints = get_type_hints(kind)
    scalars = {field.name: _scalar(hints[field.name]) for field in fields(kind) if field.name not in BULKY}
    return {name: ARROW[scalar] for name, scalar in scalars.items() if scalar in ARROW}


def _scalar(annotation: Any) -> Any:
    if get_origin(annotation) is UnionType:
        annotation = next(option for option in get_args(annotation) if option is not type(None))
    return str if get_origin(annotation) is Literal else annotation


REQUEST, PARAMS, OUTCOME, RANGE_TEST = (
    _columns(kind) for kind in (TrialRequest, Hyperparameters, TrialOutcome, RangeTestResult)
)
