"""Searches in this process, without Ray and MLflow: real data, real training, real journal."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from superconv_tune.data.cache import PLACE
from superconv_tune.journal.journal import Journal
from superconv_tune.record.events import Event, Opened
from superconv_tune.spec.load import load_spec
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.begin import begin
from superconv_tune.study.call import Call, Ended

CONTENT: dict[str, Any] = {
    "name": "clouds",
    "task": {"factory": "clouds.py:task"},
    "target": 0.8,
    "budget": "60s",
    "trials": 3,
    "sampler": "random",
    "baselines": "none",
    "split": {"validation": 0.2, "test": 0.4},
    "space": {"cycle_epochs": {"low": 1, "high": 4, "log": True}, "batch_size": 32},
    "tracking_uri": "none",
}

# While the file "interrupt" is there, the third hundred of batches of a search that is under way meets a Ctrl-C. One
# counts once, because the check that a few examples can be learned by heart, between two trials, repeats it.
TASK = """
import os
import signal
from pathlib import Path

import numpy as np
from torch import nn

from superconv_tune.problems.user import Task

HERE = Path(FOLDER)  # not of __file__: a module is kept under its text, and two tests would share one


class Model(nn.Linear):
    seen = set()

    def forward(self, inputs):
        if (HERE / "interrupt").exists() and (HERE / "runs" / "studies.db").exists():
            Model.seen.add(round(float(inputs.sum()), 2))
            if len(Model.seen) == 300:
                (HERE / "interrupt").unlink()
                os.kill(os.getpid(), signal.SIGINT)
        return super().forward(inputs)


def task():
    rng = np.random.default_rng(int((HERE / "seed").read_text()))
    classes = np.arange(900) % 3
    inputs = 2.0 * np.eye(6)[classes] + rng.standard_normal((900, 6))
    return Task(train=(inputs.astype("float32"), classes), model=lambda: Model(6, 3))
"""


@dataclass(frozen=True)
class Workplace:
    """A folder with a task, and the searches in it."""

    folder: Path

    @property
    def task(self) -> Path:
        """The user's file."""
        return self.folder / "clouds.py"

    @property
    def output(self) -> str:
        return str(self.folder / "runs")

    def spec(self, **changes: Any) -> ExperimentSpec:
        path = self.folder / "clouds.json"
        path.write_text(json.dumps(CONTENT | {"output": self.output} | changes), encoding="utf-8")
        return load_spec(path, {})

    def begin(self, name: str, fresh_ledger: str | None = None, **changes: Any) -> tuple[Ended, str]:
        """A whole search; how it ended, and what it printed."""
        call, printed = debugging()
        return begin(self.spec(**changes), name, replace(call, fresh_ledger=fresh_ledger)), printed()

    def events(self, name: str) -> list[Event]:
        with Journal(f"sqlite:///{self.folder / 'runs' / 'studies.db'}") as journal:
            return journal.events(name)

    def opened(self, name: str) -> Opened:
        """The event with which a search began."""
        first = self.events(name)[0]
        assert isinstance(first, Opened)
        return first

    def verdict(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "runs" / name / "verdict.json").read_text(encoding="utf-8"))
        return content


def debugging() -> tuple[Call, Callable[[], str]]:
    """A call with ``--debug``, and how to get at what was printed."""
    shown = Console(file=io.StringIO(), width=200)
    call = Call(time.time(), debug=True, console=shown)
    return call, lambda: call.console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO


def workplace_in(folder: Path) -> Workplace:
    place = Workplace(folder)
    place.task.write_text(TASK.replace("FOLDER", repr(str(folder))), encoding="utf-8")
    (folder / "seed").write_text("0", encoding="utf-8")
    return place


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """With nothing searched in it yet."""
    return workplace_in(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """With the study ``done``, which was decided; only to be read, or written again as it is."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLACE, str(folder / "cache"))
        place = workplace_in(folder)
        place.begin("done")
        yield place
