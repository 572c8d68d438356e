"""Simulated searches whose requests were recorded before the types of trials and recipes were redesigned.

``python -m tests.decisions`` records them again into ``tests/golden/decisions.json.xz``. Do that only for an intended
change of behaviour, and say in its note which searches changed and why.
"""

from __future__ import annotations

import json
import lzma
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from superconv_tune.planner.evidence import verdict_of
from superconv_tune.record.events import Planned, Requested
from superconv_tune.record.trial import Cycle, Ramps, TrialRequest
from tests.planner.test_properties import faulty, search
from tests.simulated import WatchedConductor, brief

RECORDING = Path(__file__).parent / "golden" / "decisions.json.xz"
SEARCHES = 24
DIGITS = 9  # significant digits; more would depend on the order of floating-point operations


def replayed(number: int) -> dict[str, Any]:
    """Run a search: its question, its requests and its verdict."""
    question = _question(number)
    return {"question": question, **asked(_searched(question))}


def asked(conductor: WatchedConductor) -> dict[str, Any]:
    """All plans and requests of a search, and its verdict, as plain values."""
    verdict = verdict_of(conductor.study, conductor.brief)
    return {
        "plans": [_plan(event) for event in conductor.events if isinstance(event, Planned)],
        "requests": [_request(event.request) for event in conductor.events if isinstance(event, Requested)],
        "word": verdict.word,
        "probability": verdict.probability,
    }


def _question(number: int) -> dict[str, Any]:
    """The settings of a search, drawn from its number."""
    rng = np.random.default_rng(number)
    return {
        "seed": number,
        "budget_s": round(float(np.exp(rng.uniform(np.log(60.0), np.log(3600.0)))), 1),
        "workers": int(rng.integers(1, 9)),
        "step_s": round(float(np.exp(rng.uniform(np.log(0.005), np.log(0.2)))), 4),
        "slow": round(float(rng.uniform(0.5, 3.0)), 2),
        "share": float(rng.choice([0.0, 0.0, 0.1, 0.4])),
        "hanging": float(rng.choice([0.0, 0.0, 0.02])),
        "strategy": str(rng.choice(["ladder", "ladder", "free"])),
        "target": [None, 0.7, 0.9, 0.95, 0.99][int(rng.integers(5))],
        "comes_and_goes": bool(rng.random() < 0.3),
    }


def _searched(q: dict[str, Any]) -> WatchedConductor:
    world = faulty(q["seed"], q["share"], q["slow"], q["step_s"], q["hanging"])
    how = brief(q["target"], seed=q["seed"], strategy=q["strategy"])
    commuter = q["seed"] if q["comes_and_goes"] else None
    return search(world, how, q["budget_s"], q["workers"], commuter)[0]


def _plan(event: Planned) -> list[Any]:
    plan = event.plan
    rungs = [[rung.epochs, rung.width, rung.free] for rung in plan.rungs]
    return [rungs, plan.confirm_seeds]


def _request(request: TrialRequest) -> list[Any]:
    """Id, attempt, kind, schedule, rung, seed, deadline, peak, share of the data, ramp, hyperparameters."""
    params = [getattr(request.params, field.name) for field in fields(request.params)]
    ramp: list[float] | None = None
    match request.work:
        case Ramps(low=low, high=high, steps=steps):
            peak, share, ramp = None, 1.0, [_short(low), _short(high), steps]
        case Cycle(max_lr=max_lr, data_share=share):
            peak = _short(max_lr)
    return [
        request.trial_id,
        request.attempt,
        request.kind,
        request.schedule.label,
        request.rung,
        request.seed,
        _short(request.deadline),
        peak,
        share,
        ramp,
        [_short(value) for value in params],
    ]


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def read() -> list[dict[str, Any]]:
    """The recording."""
    content: list[dict[str, Any]] = json.loads(lzma.decompress(RECORDING.read_bytes()))
    return content


if __name__ == "__main__":
    searches = [replayed(number) for number in range(SEARCHES)]
    RECORDING.write_bytes(lzma.compress(json.dumps(searches, separators=(",", ":")).encode(), preset=9))
