"""What longer cycles reach: the wide search, what a search leaves in the record, and how it is judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.longer.judge import asked, forecasts, nested, share, words
from benchmarks.longer.library import Judged, library
from benchmarks.longer.record import searches_of, truth_of
from benchmarks.longer.report import report
from benchmarks.longer.tasks import TASKS, Task, examples, posed
from benchmarks.longer.truth import LONGER, Setting, climb, halves, peaks
from superconv_tune.core.bits import pack

SMALL = Task("gaussians", 300, 40, seed=3)


def line(task: str, accuracy: float, shorter: float) -> dict[str, Any]:
    """A search whose recipe of nine epochs is right so often, and at a third of the length so often."""
    held = TASKS[task].held
    right = pack(np.arange(held) < accuracy * held)
    repeats = [(9.0, accuracy), (3.0, shorter)]
    evidence = {
        "correct": [right] * 4,
        "rungs": [{"epochs": 9.0, "value": accuracy, "low": 0.0, "high": 1.0, "trials": 5}],
        "repeats": [{"epochs": e, "data_share": 1.0, "value": v, "models": 4} for e, v in repeats],
        "validation_items": held,
        "epochs": 9.0,
        "searched": 9.0,
        "failed": 0,
        "is_bracketed": True,
    }
    return {"task": task, "searches": [{"error": 1.0 - accuracy, "evidence": evidence}, {"evidence": None}]}


def truth(task: str, accuracies: tuple[float, ...]) -> dict[str, Any]:
    """The best cycles of about one, 2.7 and eight times that length."""
    errors = [{"epochs": 9.0 * times, "error": 1.0 - each} for times, each in zip(LONGER, accuracies, strict=True)]
    return {"task": task, "fresh": 4000, "truths": errors}


@pytest.fixture(scope="module")
def tasks() -> list[Judged]:
    """Eight tasks of four data sets that gain a little, and one that gains much."""
    names = [name for name in TASKS if TASKS[name].data in ("phoneme", "jobs", "credit", "churn")][:8]
    searches = [line(name, 0.80 + 0.01 * place, 0.79 + 0.01 * place) for place, name in enumerate(names)]
    truths = [
        truth(name, (0.80 + 0.01 * place, 0.81 + 0.01 * place, 0.82 + 0.01 * place)) for place, name in enumerate(names)
    ]
    steep = "photos10-00"
    return library([*truths, truth(steep, (0.6, 0.7, 0.8))], [*searches, line(steep, 0.6, 0.4)])


def test_a_climb_ends_where_no_neighbour_is_better_and_trains_nothing_twice() -> None:
    axis = [Setting(rate) for rate in peaks("sgd")]
    seen: list[Setting] = []

    def value(setting: Setting) -> float:
        seen.append(setting)
        return -float(abs(np.log(setting.max_lr / axis[9].max_lr)))

    assert climb(axis[2], axis, value) == axis[9]
    assert climb(axis[13], axis, value) == axis[9]
    assert climb(axis[0], axis, lambda _: 0.5) == axis[0]  # nothing is gained by going on


def test_peaks_span_three_decades() -> None:
    for optimizer in ("sgd", "adamw"):
        rates = peaks(optimizer)
        assert rates[-1] / rates[0] > 1000.0
        assert rates == sorted(rates)


def test_items_that_choose_tell_nothing() -> None:
    right = np.arange(25) % 2 == 0
    choosing, telling = halves(right, 5)
    assert len(choosing) + len(telling) == 20
    assert not choosing.any()  # every other item, from the first fresh one on
    assert telling.all()


def test_there_are_enough_tasks_of_enough_data_sets() -> None:
    assert len(TASKS) >= 60
    assert len({task.data for task in TASKS.values()}) >= 15
    assert len({task.seed for task in TASKS.values()}) == len(TASKS)


def test_a_task_is_split_as_it_says(tmp_path: Path) -> None:
    problem, brief = posed(SMALL, tmp_path)
    assert problem.train.steps_per_epoch(1) == SMALL.items
    assert len(problem.validation) == SMALL.held
    assert len(problem.test) == 7 * SMALL.items + SMALL.held
    assert brief.target.value is None


def test_wrong_labels_are_drawn_anew_and_inputs_stay(tmp_path: Path) -> None:
    (inputs, labels), (same, wrong) = (examples(replace(SMALL, wrong=share), tmp_path) for share in (0.0, 0.5))
    assert np.array_equal(inputs, same)
    assert 0.4 < np.mean(labels != wrong) < 0.5  # a tenth of the redrawn labels stay what they were


def test_a_small_task_is_recorded_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "phoneme-01", SMALL)
    found, best = searches_of("phoneme-01", tmp_path), truth_of("phoneme-01", tmp_path)
    assert [each["epochs"] for each in best["truths"]] == pytest.approx([SMALL.epochs * times for times in LONGER])
    assert all(0.0 < each["error"] < 0.95 for each in best["truths"])
    far, short, near = library([best], [found])
    for judged in (far, short, near):
        assert 0.1 * SMALL.epochs < judged.evidence.epochs < 3.0 * SMALL.epochs
        assert judged.truth(1e9) <= judged.error < 0.9
    assert short.evidence.epochs < far.evidence.epochs
    assert len(near.evidence.values) > len(far.evidence.values)
    assert searches_of("phoneme-01", tmp_path) | {"wall_s": 0.0} == found | {"wall_s": 0.0}


def test_gains_are_those_of_the_farthest_horizon_at_eight_times_the_length(tasks: list[Judged]) -> None:
    steep = tasks[-1]
    assert steep.horizons == pytest.approx((24.0, 72.0))
    assert steep.truth(24.0) == pytest.approx(0.3)
    assert steep.known is not None
    assert steep.known.gain == pytest.approx(np.log(0.4 / 0.6) - np.log(0.2 / 0.8))
    assert steep.known.slope == pytest.approx((np.log(0.6 / 0.4) - np.log(0.4 / 0.6)) / np.log(3.0))


def test_a_recipe_that_was_cut_for_want_of_time_is_not_judged_as_flat() -> None:
    found, rung = line("phoneme-01", 0.8, 0.7), {"epochs": 27.0, "value": 0.9, "low": 0.0, "high": 1.0, "trials": 5}
    found["searches"][0]["evidence"] |= {"searched": 27.0, "rungs": [rung]}
    (judged,) = library([truth("phoneme-01", (0.8, 0.81, 0.82))], [found])
    assert judged.evidence.is_cut
    assert judged.known is not None
    assert judged.known.slope > 0.0


def test_every_question_has_a_word_and_every_forecast_an_interval(tasks: list[Judged]) -> None:
    found = asked(tasks)
    assert len(found) == 2 * 10 * len(tasks)
    assert {each.word for each in found} >= {"demonstrated", "undecided"}
    assert not any(each.word == "demonstrated" for each in found if each.offset >= 0.08)
    assert all(0.0 < each.found.low < each.found.high < 1.0 for each in forecasts(tasks))
    steep = [each for each in found if each.judged.task == "photos10-00" and each.is_within_reach]
    assert all(each.word != "infeasible" for each in steep)


def test_a_threshold_is_chosen_without_the_data_set_it_is_used_for(tasks: list[Judged]) -> None:
    found = asked(tasks)
    chosen = nested(found)
    assert set(chosen) == {task.data for task in tasks}
    forbidden = dict.fromkeys(chosen, 0.0)
    assert all(word != "infeasible" for _, word in words(found, forbidden))
    assert [word for _, word in words(found)] == [each.word for each in found]


def test_shares_are_resampled_by_data_set() -> None:
    assert share([True, True, False, False], ["a", "a", "b", "b"]) == (0.5, 0.0, 1.0)
    assert share([True, False] * 50, ["a", "a"] * 50)[1:] == (0.5, 0.5)


def test_the_report_names_what_is_wrong(tasks: list[Judged]) -> None:
    text = report(tasks)
    assert "9 tasks of 5 data sets" in text
    assert "| all |" in text
