"""What a long run shows: a bar on a terminal, a line per saved epoch elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from superconv_tune.core.curve import Curve
from superconv_tune.reporting.long_run_view import LongRunView
from tests.fakes import FakeClock

EPOCH = 10  # steps


def block(first: int, steps: int, loss: float) -> Curve:
    step = np.arange(first, first + steps, dtype=np.float64)
    return Curve(step, 0.001 * (step + 1), np.full(steps, 0.9), np.full(steps, loss), 0.1 * step)


def view_on(text: io.StringIO, clock: Callable[[], float], *, steps: int = 30, terminal: bool = False) -> LongRunView:
    console = Console(file=text, soft_wrap=True, width=120, force_terminal=terminal, color_system=None)
    return LongRunView(console, clock, steps, EPOCH)


def test_a_pipe_gets_a_line_per_saved_epoch_with_the_time_left() -> None:
    text, clock = io.StringIO(), FakeClock()
    with view_on(text, clock) as view:
        view.begin(0)
        for half, loss in enumerate((2.0, 1.0)):
            clock.advance(5.0)
            view.advance(block(5 * half, 5, loss))
        assert text.getvalue() == ""  # nothing is safe yet
        view.saved(10)
        clock.advance(20.0)
        view.advance(block(10, 10, 0.25))
        view.saved(20)
        clock.advance(20.0)
        view.advance(block(20, 10, 0.125))
        view.saved(30)
    assert text.getvalue().splitlines() == [
        "epoch 1 of 3: loss 1.5000, learning rate 0.01, 0:20 left",
        "epoch 2 of 3: loss 0.2500, learning rate 0.02, 0:15 left",
        "epoch 3 of 3: loss 0.1250, learning rate 0.03, 0:00 left",
    ]


def test_what_was_trained_before_an_interruption_is_not_told_again() -> None:
    text, clock = io.StringIO(), FakeClock()
    with view_on(text, clock) as view:
        view.begin(20)
        view.advance(block(0, 20, 9.0))
        clock.advance(3.0)
        view.advance(block(20, 5, 0.5))
        clock.advance(3.0)
        view.advance(block(25, 5, 0.5))
        view.saved(30)
    assert text.getvalue().splitlines() == ["epoch 3 of 3: loss 0.5000, learning rate 0.03, 0:00 left"]


def test_a_run_may_end_within_an_epoch() -> None:
    text, clock = io.StringIO(), FakeClock()
    with view_on(text, clock, steps=25) as view:
        view.begin(0)
        clock.advance(1.0)
        view.advance(block(0, 25, 1.0))
        view.saved(25)
    assert text.getvalue().startswith("epoch 2.5 of 2.5: loss 1.0000")


def test_a_terminal_gets_one_bar_that_runs_on_within_an_epoch() -> None:
    text, clock = io.StringIO(), FakeClock()
    with view_on(text, clock, terminal=True) as view:
        view.begin(0)
        clock.advance(6.0)
        view.advance(block(0, 15, 0.75))
        view.saved(15)
    shown = text.getvalue()
    assert "epoch 1.5 of 3" in shown
    assert "loss 0.7500, learning rate 0.015, 0:06 left" in shown
    assert "epoch 1.5 of 3:" not in shown  # no line beside the bar


@pytest.mark.parametrize("colour", [True, False])
def test_no_color_is_kept(colour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    text, clock = io.StringIO(), FakeClock()
    with LongRunView(Console(file=text, force_terminal=True, width=120), clock, 30, EPOCH) as view:
        view.begin(0)
        clock.advance(1.0)
        view.advance(block(0, 15, 0.75))
    assert ("\x1b[38;" in text.getvalue()) == colour
