"""A panel in a notebook: shown once, then updated, and never more often than a browser likes."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace
from typing import Any

import IPython
import IPython.display
import pytest
from rich.console import Console
from rich.text import Text

from superconv_tune.reporting.console import LiveView
from superconv_tune.reporting.in_place import InPlace
from superconv_tune.verdict.verdict import Target


class Shown:
    """What a notebook displays: a fake of IPython's handle."""

    def __init__(self) -> None:
        self.states: list[str] = []

    def __call__(self, thing: object, *, display_id: bool) -> Shown:
        assert display_id
        self.update(thing)
        return self

    def update(self, thing: Any) -> None:
        console = Console(file=io.StringIO(), width=100)
        console.print(thing)
        self.states.append(console.file.getvalue())  # type: ignore[attr-defined]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    found = Shown()
    monkeypatch.setattr(IPython.display, "display", found)
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel="one"))
    return found


def test_it_is_updated_in_place_and_stays(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    now, words = 0.0, "one"
    monkeypatch.setattr(time, "monotonic", lambda: now)
    panel = InPlace(lambda: Text(words))
    panel.refresh()
    assert not shown.states
    panel.start()
    for at, said in ((1.0, "two"), (1.1, "three"), (1.2, "four"), (2.0, "five")):
        now, words = at, said
        panel.refresh()
    words = "six"
    panel.stop()
    assert [state.strip() for state in shown.states] == ["one", "two", "five", "six"]
    assert not panel.is_started


def test_a_search_in_a_notebook_has_the_panel(shown: Shown) -> None:
    for quiet in (True, False):
        console = Console(file=io.StringIO(), quiet=quiet)
        with LiveView(console, lambda: 0.0, "it: is 0.9 within reach?", Target("accuracy", "max", 0.9)):
            pass
        assert bool(shown.states) == (not quiet)
    assert "it: is 0.9 within reach?" in shown.states[0]
    assert "time left" in shown.states[-1]
