import io
import re
import time
from dataclasses import replace

import pytest
from rich.console import Console

from superconv_tune.record.events import Closed, Observed, Requested
from superconv_tune.record.study import Study
from superconv_tune.reporting.console import LiveView
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.sentences import estimate_words
from superconv_tune.verdict.statistics import wilson
from superconv_tune.verdict.verdict import Target, Verdict

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, height=30, legacy_windows=False)


def printed(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def plain(shown: Console) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed(shown))


def replayed(findings: Findings, view: LiveView) -> Study:
    """The study again, event by event, the view told of each."""
    study = Study(findings.study.opened)
    view.update(study, "range test")
    for trial in findings.study.trials():
        phase = "search" if trial.request.kind == "search" else "confirmation"
        study.apply(Requested(0.0, trial.request))
        view.update(study, phase)
        study.apply(Observed(0.0, trial.outcome))
        view.update(study, phase)
    return study


def test_off_a_terminal_there_is_a_line_per_noteworthy_event(findings: Findings) -> None:
    shown = console(terminal=False)
    with LiveView(shown, lambda: findings.study.opened.started_at + 60, "Can it?", findings.target) as view:
        study = replayed(findings, view)
        study.apply(Closed(0.0, "decided"))
        view.update(study, "confirmation")
        view.update(study, "confirmation")
    lines = printed(shown).splitlines()

    assert lines[0] == "Can it?"
    assert lines[1] == "9:00 left  phase: range test (which learning rates the first cycles try)"
    assert lines[-1] == "9:00 left  no further trials: the question is decided"
    assert "9:00 left  best so far: accuracy 0.9283 after 9 epochs" in lines
    assert sum("on the test part" in line for line in lines) == 4
    assert sum("CUDA out of memory" in line for line in lines) == 1
    assert len(lines) < len(findings.study.requests)
    assert "\x1b" not in printed(shown)


def test_a_verbose_view_draws_no_panel_over_a_debugger(findings: Findings) -> None:
    shown = console(terminal=True)
    now = findings.study.opened.started_at + 60
    with LiveView(shown, lambda: now, "Can it?", findings.target, verbose=True) as view:
        replayed(findings, view)
    assert HIDE_CURSOR not in printed(shown)
    assert printed(shown).startswith("Can it?")
    assert printed(shown).count("search-") >= 1


def test_it_says_what_the_verdict_would_be_now(findings: Findings) -> None:
    asked: list[int] = []

    def judge(study: Study) -> Verdict:
        asked.append(len(study.trials("confirm")))
        return findings.verdict if asked[-1] >= 3 else Verdict("undecided", 0.5, findings.verdict.estimate)

    shown = console(terminal=False)
    with LiveView(shown, lambda: 0.0, "Can it?", findings.target, judge=judge) as view:
        replayed(findings, view)
    said = [line.partition("if it ended now: ")[2] for line in printed(shown).splitlines() if "ended now" in line]

    estimate = estimate_words(findings.verdict.estimate) if findings.verdict.estimate else ""
    assert said == [
        f"undecided: accuracy {estimate} on test data, probability 50 %",
        f"demonstrated: accuracy {estimate} on test data",
    ]
    assert len(asked) == len(set(asked)) < len(findings.study.requests)  # not again for every trial


def test_before_a_fresh_model_the_verdict_would_be_open(findings: Findings) -> None:
    shown = console(terminal=True)
    with LiveView(shown, time.time, "Can it?", findings.target, judge=lambda _: findings.verdict) as view:
        view.update(Study(findings.study.opened), "range test")
        time.sleep(0.3)
    assert "undecided: no fresh model is confirmed yet" in plain(shown)


def test_the_best_so_far_has_the_interval_of_its_items(findings: Findings) -> None:
    shown = console(terminal=True)
    with LiveView(shown, time.time, "Can it?", findings.target, items=600) as view:
        view.update(findings.study, "search")
        time.sleep(0.3)
    low, high = wilson(0.9283, 600, 0.95)
    assert f"accuracy 0.9283 (95 % interval {low:.4g} to {high:.4g}) on validation, target 0.92" in plain(shown)


def test_the_interval_of_the_best_so_far_counts_groups(findings: Findings) -> None:
    study, shown = Study(findings.study.opened), console(terminal=True)
    with LiveView(shown, time.time, "Can it?", findings.target, items=600) as view:
        for trial in findings.study.trials("search"):
            study.apply(Requested(0.0, trial.request))
            study.apply(Observed(0.0, replace(trial.outcome, validation_worth=20.0)))
        view.update(study, "search")
        time.sleep(0.3)
    best = max(trial.outcome.validation or 0.0 for trial in study.trials("search"))
    low, high = wilson(best, 20, 0.95)
    assert f"accuracy {best:.4g} (95 % interval {low:.4g} to {high:.4g}) on validation" in plain(shown)
    assert low < 0.8


def test_a_fresh_model_without_an_interval_is_not_said_to_be_none(findings: Findings) -> None:
    shown = console(terminal=False)
    unknown = Verdict("undecided", None, None)
    with LiveView(shown, lambda: 0.0, "Can it?", findings.target, judge=lambda _: unknown) as view:
        view.update(findings.study, "confirmation")
    assert "if it ended now: undecided: accuracy of fresh models is not known yet" in printed(shown)


def test_running_trials_are_shown_with_their_reasons_and_not_all_of_many(findings: Findings) -> None:
    study = Study(findings.study.opened)
    shown = console(terminal=True)
    with LiveView(shown, time.time, "Can it?", findings.target) as view:
        for trial in findings.study.trials("search")[:7]:
            study.apply(Requested(0.0, trial.request))
        view.update(study, "search")
        time.sleep(0.3)
    said = [line for line in plain(shown).splitlines() if "epochs, max_lr" in line or "and 3 more" in line]
    assert len(said) >= 5


def test_no_colour_where_the_user_wants_none(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = console(terminal=True)
    with LiveView(shown, time.time, "Can it?", findings.target) as view:
        view.update(findings.study, "confirmation")
        time.sleep(0.3)
    assert "1 failed" in plain(shown)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", printed(shown))


def test_a_cycle_that_the_deadline_shortened_has_the_length_that_it_had(findings: Findings) -> None:
    (trial, *_) = findings.study.trials("search")
    study, shown = Study(findings.study.opened), console(terminal=False)
    with LiveView(shown, lambda: 0.0, "Can it?", findings.target) as view:
        view.update(study, "search")
        study.apply(Requested(0.0, trial.request))
        study.apply(Observed(0.0, replace(trial.outcome, epochs=0.5, shortened=True)))
        view.update(study, "search")
    assert "after 0.5 epochs, shortened to end in time" in printed(shown)


def test_an_improvement_of_an_error_is_downward(regression_findings: Findings) -> None:
    shown = console(terminal=False)
    with LiveView(shown, lambda: 0.0, "How far?", regression_findings.target) as view:
        replayed(regression_findings, view)
    best = [float(line.split()[6]) for line in printed(shown).splitlines() if "best so far" in line]

    assert len(best) > 1
    assert best == sorted(best, reverse=True)


def test_a_resumed_study_does_not_tell_its_old_news_again(findings: Findings) -> None:
    shown = console(terminal=False)
    with LiveView(shown, lambda: 0.0, "Can it?", findings.target) as view:
        view.update(findings.study, "search")
    lines = printed(shown).splitlines()

    assert any("19 trials are already done" in line for line in lines)
    assert not any("fresh seed" in line for line in lines)


def test_a_retried_trial_is_told_of_once_per_attempt(findings: Findings) -> None:
    confirm = findings.study.trials("confirm")[0]
    study = Study(findings.study.opened)
    shown = console(terminal=False)
    with LiveView(shown, lambda: 0.0, "Can it?", findings.target) as view:
        view.update(study, "search")
        for trial in [*findings.study.trials("search")[:1], confirm]:
            study.apply(Requested(0.0, trial.request))
            study.apply(Observed(0.0, trial.outcome))
            view.update(study, "search")
        study.apply(Requested(0.0, replace(confirm.request, attempt=2)))
        view.update(study, "search")
        study.apply(Observed(0.0, replace(confirm.outcome, attempt=2)))
        view.update(study, "search")
    lines = printed(shown).splitlines()

    assert sum("on the test part" in line for line in lines) == 2
    assert sum("best so far" in line for line in lines) == 1


def test_equal_failures_are_one_piece_of_news(findings: Findings) -> None:
    study = Study(findings.study.opened)
    shown = console(terminal=False)
    with LiveView(shown, lambda: 0.0, "Can it?", findings.target) as view:
        view.update(study, "search")
        for trial in findings.study.trials("search"):
            study.apply(Requested(0.0, trial.request))
            study.apply(Observed(0.0, replace(trial.outcome, status="data_error", reason="no file")))
            view.update(study, "search")

    assert printed(shown).count("data_error: no file") == 1


def test_the_panel_shows_the_state_and_its_clock_runs_by_itself(findings: Findings) -> None:
    shown = console(terminal=True)
    seconds = iter(range(10_000))
    clock = lambda: findings.study.opened.started_at + next(seconds)  # noqa: E731  # one line says it all
    with LiveView(shown, clock, "Can it?", findings.target) as view:
        view.update(findings.study, "confirmation")
        time.sleep(0.8)
    frames = printed(shown)

    assert "19 done, 1 running, 1 failed" in plain(shown)
    assert "accuracy 0.9283 on validation, target 0.92" in frames
    assert sum(f"9:{second:02d}" in frames for second in range(60)) >= 3


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_the_terminal_is_given_back(findings: Findings, error: type[BaseException] | None) -> None:
    shown = console(terminal=True)

    def run() -> None:
        with LiveView(shown, time.time, "Can it?", findings.target) as view:
            view.update(findings.study, "search")
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(error):
            run()
    assert printed(shown).count(HIDE_CURSOR) == printed(shown).count(SHOW_CURSOR) == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_hostile_words_cannot_move_the_cursor(hostile_findings: Findings, terminal: bool) -> None:
    shown = console(terminal=terminal)
    target = Target("[red]\x1b[2J", "max", 0.9)
    with LiveView(shown, time.time, hostile_findings.study.opened.name, target, verbose=True) as view:
        replayed(hostile_findings, view)

    assert "\x1b[2J" not in printed(shown)
    assert "[red]" in printed(shown)
