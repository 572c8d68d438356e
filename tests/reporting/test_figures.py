from collections.abc import Callable
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from superconv_tune.core.curve import Curve
from superconv_tune.record.events import Observed, Requested
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Trial
from superconv_tune.reporting import figures
from superconv_tune.reporting.figure_style import LABEL_CHARACTERS, label
from superconv_tune.reporting.findings import Findings

DRAWN = {
    "ladder": figures.ladder,
    "range_tests": figures.range_tests,
    "cycles": figures.cycles,
    "importance": figures.importance,
    "time_spent": figures.time_spent,
}


def drawn(figure: go.Figure | None) -> go.Figure:
    assert figure is not None
    return figure


def named(figure: go.Figure, name: str) -> go.Scatter:
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return trace


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())
def test_nothing_is_drawn_from_nothing(draw: Callable[[Findings], go.Figure | None], empty_findings: Findings) -> None:
    without_trials = replace(empty_findings, importance={})

    assert draw(without_trials) is None


def test_the_ladder_shows_every_trial_with_a_metric(findings: Findings) -> None:
    figure = drawn(figures.ladder(findings))
    outcomes = [trial.outcome for trial in findings.study.trials("search")]
    measured = [outcome.validation for outcome in outcomes if outcome.validation is not None]

    assert list(named(figure, "search trial (validation)").y) == measured
    assert len(named(figure, "fresh seed (test)").y) == 4
    assert named(figure, "estimate with 95 % interval").y == (0.9247,)
    assert figure.layout.shapes[0].y0 == 0.92  # the target


@pytest.mark.parametrize("name", ["findings", "regression_findings"])
def test_the_scale_holds_the_best_trial_and_the_estimate(name: str, every_findings: Callable[[str], Findings]) -> None:
    asked = every_findings(name)
    low, high = drawn(figures.ladder(asked)).layout.yaxis.range
    best = asked.target.yardstick.best(trial.value for trial in figures.finished(asked))
    estimate = asked.verdict.estimate

    assert estimate is not None
    assert low < best < high
    assert low < estimate.low < estimate.high < high


def test_the_pick_stands_where_the_range_test_put_it(findings: Findings) -> None:
    layout = drawn(figures.range_tests(findings)).layout

    assert {"pick 0.21", "lowest loss 0.42", "edge 1.3"} <= {note.text for note in layout.annotations}
    assert layout.xaxis.type == "log"
    assert 10 ** next(note.x for note in layout.annotations if note.text == "pick 0.21") == pytest.approx(0.21)


def test_a_refused_range_test_marks_nothing(findings: Findings) -> None:
    assert findings.range_test is not None
    refused = replace(findings.range_test, lr_at_minimum=0.0, edge=0.0, max_lr=0.0, min_lr=0.0, refusal="flat")

    assert drawn(figures.range_tests(replace(findings, range_test=refused))).layout.annotations == ()


def test_no_line_leads_from_one_ramp_back_to_the_next(findings: Findings) -> None:
    lr = np.concatenate([np.geomspace(1e-6, 1.0, 30), np.geomspace(1e-3, 0.5, 30)])
    twice = Curve(np.arange(60, dtype=np.float64), lr, lr, np.ones(60), lr)
    request = findings.study.trials("search")[0].request
    study = Study(findings.study.opened)
    study.apply(Requested(0.0, request))
    study.apply(Observed(0.0, replace(findings.study.outcomes[request.trial_id], range_curve=twice)))
    (line,) = drawn(figures.range_tests(replace(findings, study=study))).data

    assert np.flatnonzero(np.isnan(np.asarray(line.x, dtype=float))).tolist() == [30]
    assert np.isnan(line.y[30])


def test_an_exploding_ramp_does_not_flatten_the_rest(findings: Findings) -> None:
    low, high = drawn(figures.range_tests(findings)).layout.yaxis.range

    assert low < 0.8
    assert 2.3 < high < 3.5


def test_steps_without_a_finite_loss_are_survived(findings: Findings) -> None:
    step = np.arange(60, dtype=np.float64)
    broken = Curve(step, step + 1, step, np.full(60, np.nan), step)
    request = findings.study.trials("search")[0].request
    outcome = replace(findings.study.outcomes[request.trial_id], range_curve=broken, cycle_curve=broken)
    study = Study(findings.study.opened)
    study.apply(Requested(0.0, request))
    study.apply(Observed(0.0, outcome))
    asked = replace(findings, study=study, winner=Trial(request, outcome))

    assert "NaN" not in drawn(figures.cycles(asked)).to_json(engine="json")
    assert drawn(figures.range_tests(asked)).layout.yaxis.range is None


def test_all_worker_seconds_are_accounted_for(findings: Findings) -> None:
    spent = figures.worker_seconds(findings)

    assert sum(sum(row.values()) for row in spent.values()) == pytest.approx(findings.worker_s)
    assert spent["no trial"]["idle"] > 0


def test_importance_is_ranked(findings: Findings) -> None:
    (bars,) = drawn(figures.importance(findings)).data

    assert list(bars.y)[-1] == "lr_multiplier"
    assert list(bars.x) == sorted(bars.x)
    assert (bars.x[-1], bars.text[-1]) == (pytest.approx(52.0), "52 %")
    assert drawn(figures.importance(findings)).layout.xaxis.ticksuffix == " %"


def test_users_words_are_shown_and_not_read_as_markup() -> None:
    assert label("<a href='https://evil.example'>x</a>").startswith("&lt;a href=")
    assert len(label("long " * 100)) == LABEL_CHARACTERS


def test_long_names_that_end_in_their_time_stay_apart() -> None:
    names = [f"{'fashion-mnist-with-a-long-name-' * 3}-20261128-17{minute}00" for minute in (30, 31)]
    shown = [label(name) for name in names]
    assert shown[0] != shown[1]
    assert all(text.startswith("fashion-mnist") and len(text) == LABEL_CHARACTERS for text in shown)
    assert shown[0].endswith("-20261128-173000")
