"""The peers' loop and diary, what a run delivered, which runs come next, and the tables that are made of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.peers import crew
from benchmarks.peers.arms import ARMS, Result, delivered_of, result_of_ours, result_of_peer
from benchmarks.peers.random_in_band import band_of, drawn, epoch_s, length
from benchmarks.peers.report import BEST_GUESS, Difference, report, section
from benchmarks.peers.rounds import Line, Round, append, chosen, read, rounds, unfinished
from benchmarks.peers.short_ladder import bracket
from benchmarks.peers.tasks import BATCH_SIZES, TASKS
from benchmarks.peers.training import Diary, Entry, Job, Recipe, Training, accuracy, read_diaries, runtime
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import ResidentSet, ResidentSource
from superconv_tune.measures.metrics import METRICS
from superconv_tune.problems.optimizers import sgd
from superconv_tune.problems.problem import Problem
from superconv_tune.spec.spec import ExperimentSpec

RECIPE = Recipe(replace(Hyperparameters(), cycle_epochs=5.0, batch_size=32), max_lr=0.1, seed=0)


def separated_by_a_line(items: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.randn(items, 2, generator=torch.Generator().manual_seed(seed))
    return inputs, (inputs.sum(dim=1) > 0).long()


PROBLEM = Problem(
    device=torch.device("cpu"),
    make_model=lambda: nn.Linear(2, 2),
    make_optimizer=sgd,
    loss=lambda outputs, targets, _smoothing: nn.functional.cross_entropy(outputs, targets),
    metric=METRICS["accuracy"],
    train=ResidentSource(*separated_by_a_line(512, 0)),
    validation=ResidentSet(*separated_by_a_line(200, 1)),
    test=ResidentSet(*separated_by_a_line(300, 2)),
    trivial_value=0.5,
)


def job(folder: Path, seconds: float = 60.0) -> Job:
    now = time.time()
    return Job({}, 1, "fp32", seed=1, started=now, deadline=now + seconds, folder=str(folder))


def test_a_training_reports_after_every_epoch_and_learns() -> None:
    training = Training(PROBLEM, "fp32", RECIPE)
    found = list(training.reports(1.0))
    assert [each.epochs for each in found] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert found[-1].validation > 0.95
    assert found[-1].validation == accuracy(PROBLEM, training.model, PROBLEM.validation, runtime(PROBLEM, "fp32"))


def test_a_whole_cycle_of_any_length_has_one_report() -> None:
    recipe = replace(RECIPE, params=replace(RECIPE.params, cycle_epochs=1.53))
    (found,) = Training(PROBLEM, "fp32", recipe).reports(recipe.params.cycle_epochs)
    assert found.epochs == round(1.53 * 16) / 16


def test_the_same_recipe_trains_the_same_model() -> None:
    one, two = (Training(PROBLEM, "fp32", RECIPE) for _ in range(2))
    assert [r.validation for r in one.reports(1.0)] == [r.validation for r in two.reports(1.0)]
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True))


def test_a_training_ends_at_the_deadline_and_where_the_loss_is_no_number() -> None:
    assert list(Training(PROBLEM, "fp32", RECIPE).reports(1.0, deadline=time.time() - 1.0)) == []
    lost = replace(PROBLEM, loss=lambda outputs, _targets, _smoothing: outputs.sum() * math.nan)
    assert list(Training(lost, "fp32", RECIPE).reports(1.0)) == []


def test_a_diary_keeps_the_best_weights_and_all_fresh_ones(tmp_path: Path) -> None:
    diary, training = Diary(str(tmp_path)), Training(PROBLEM, "fp32", RECIPE)
    (last,) = training.reports(5.0)
    diary.note_ramp(2.0)
    diary.note(training, last)
    diary.note(training, replace(last, validation=0.0))
    diary.note(training, replace(last, validation=0.1), is_fresh=True)
    ramp, best, worse, fresh = read_diaries(tmp_path)
    assert (ramp.train_s, ramp.recipe) == (2.0, None)
    assert (best.weights is None, worse.weights is None, fresh.weights is None) == (False, True, False)
    assert best.recipe is not None
    assert (best.recipe["max_lr"], best.recipe["batch_size"], best.epochs) == (0.1, 32, 5.0)
    kept = torch.load(tmp_path / str(best.weights), weights_only=True)
    assert torch.equal(kept["weight"], training.model.state_dict()["weight"])


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    Diary(str(tmp_path)).note_ramp(1.0)
    file = next(tmp_path.glob("diary-*.jsonl"))
    file.write_text(file.read_text() + '{"at": 1.0, "tra')
    assert len(read_diaries(tmp_path)) == 1


def test_a_worker_trains_whole_cycles_and_gives_up_what_is_late(tmp_path: Path) -> None:
    crew._start(job(tmp_path), PROBLEM)
    trained = crew.cycle(RECIPE)
    assert trained.validation > 0.95
    crew._start(job(tmp_path, seconds=0.5), PROBLEM)
    assert crew.cycle(RECIPE).validation == 0.0
    assert [entry.epochs for entry in read_diaries(tmp_path)] == [5.0]


def entry(validation: float, seed: int, *, fresh: bool = False, epochs: float = 4.0, kept: bool = True) -> Entry:
    recipe = {"cycle_epochs": 4.0, "max_lr": 0.1, "seed": seed}
    return Entry(0.0, 6.0, 1.5, epochs, validation, recipe, "w.pt" if kept else None, fresh)


def test_a_peer_delivers_its_best_on_validation() -> None:
    entries = [Entry(0.0, 3.0, 0.0), entry(0.6, 1), entry(0.8, 2, epochs=1.0), entry(0.8, 3), entry(0.9, 4, kept=False)]
    assert delivered_of(entries) == [entries[2]]
    found = result_of_peer(entries, delivered_of(entries), [0.7], worker_s=66.0)
    assert (found.test, found.validation, found.models, found.trials, found.longest_epochs) == (0.7, 0.8, 1, 4, 4.0)
    assert found.training_share == pytest.approx((3.0 + 4 * 7.5) / 66.0)
    assert found.chose["seed"] == 2


def test_a_peer_with_fresh_models_delivers_their_mean() -> None:
    entries = [entry(0.9, 1), entry(0.7, 2, fresh=True), entry(0.8, 3, fresh=True)]
    found = result_of_peer(entries, delivered_of(entries), [0.6, 0.7], worker_s=60.0)
    assert [found.test, found.validation, found.models] == pytest.approx([0.65, 0.75, 2])


def test_a_peer_without_a_model_delivers_nothing() -> None:
    found = result_of_peer([], [], [], worker_s=60.0)
    assert (found.test, found.validation, found.models, found.trials) == (None, None, 0, 0)


VERDICT: Mapping[str, Any] = {
    "confirmation": [{"validation": v, "test": t} for v, t in ((0.8, 0.7), (0.9, 0.8), (0.9, None))],
    "best": {"params": {"cycle_epochs": 9.0, "max_lr": 0.1}},
    "ladder": [{"epochs": 3.0}, {"epochs": 12.0}],
    "trials": {"finished": 7, "diverged": 1},
    "budget": {"training_share": 0.9},
}  # fmt: skip


def test_ours_delivers_the_mean_of_its_fresh_models() -> None:
    found = result_of_ours(VERDICT, {"precision": "bf16"}, 50.0, "")
    assert [found.test, found.validation, found.models] == pytest.approx([0.75, 0.85, 2])
    assert (found.longest_epochs, found.trials, found.training_share, found.precision) == (12.0, 8, 0.9, "bf16")


def test_ours_may_have_confirmed_nothing_or_left_no_verdict() -> None:
    found = result_of_ours({**VERDICT, "confirmation": [], "best": None, "ladder": []}, {}, 50.0, "")
    assert (found.test, found.models, found.longest_epochs, found.failure) == (None, 0, 0.0, "")
    assert result_of_ours({}, {}, 50.0, "").failure == "no verdict.json"


def planted(best: float, asked: list[float]) -> Callable[[Sequence[float]], Mapping[float, float]]:
    def compare(rates: Sequence[float]) -> Mapping[float, float]:
        asked.extend(rates)
        return {rate: -abs(math.log2(rate / best)) for rate in rates}

    return compare


@pytest.mark.parametrize(
    ("best", "expected", "asked"),
    [
        (0.2, 0.2, [0.1, 0.2, 0.4]),  # beaten from above
        (0.8, 0.8, [0.1, 0.2, 0.4, 0.8, 1.6]),
        (3.2, 1.6, [0.1, 0.2, 0.4, 0.8, 1.6]),  # no more than five
        (0.05, 0.05, [0.1, 0.2, 0.05, 0.025]),  # down where the lowest wins
    ],
)
def test_a_bracket_goes_on_until_its_best_is_beaten(best: float, expected: float, asked: list[float]) -> None:
    tried: list[float] = []
    assert bracket(planted(best, tried), (0.1, 0.2), most=5) == pytest.approx(expected)
    assert tried == pytest.approx(asked)


def test_random_recipes_stay_inside_the_band() -> None:
    found = [drawn(np.random.default_rng(seed), (0.01, 0.1), epochs=2.5) for seed in range(50)]
    assert all(0.01 <= each.max_lr <= 0.1 and each.params.cycle_epochs == 2.5 for each in found)
    assert {each.params.batch_size for each in found} == set(BATCH_SIZES)
    assert length(left_s=160.0, one_epoch_s=2.0) == pytest.approx(9.0)


def test_without_a_range_test_the_band_is_the_usual_one() -> None:
    assert band_of([]) == (0.01, 0.1)
    assert epoch_s([]) == 0.0


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_a_spec_that_our_search_takes(name: str, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "phoneme.csv").write_text("1.5,0.5,0\n-1.0,2.0,1\n")
    spec = ExperimentSpec.model_validate(TASKS[name].spec(name, tmp_path, tmp_path, seed=1000))
    assert spec.target is None
    assert (spec.split.seed, spec.space.batch_size) == (1000, tuple(BATCH_SIZES))
    if name == "phoneme":
        arrays = np.load(tmp_path / "phoneme.npz")
        assert arrays["x"].tolist() == [[1.5, 0.5], [-1.0, 2.0]]
        assert arrays["y"].tolist() == [0, 1]


def test_the_order_of_the_arms_is_rotated() -> None:
    found = rounds(["a", "b"], ["x", "y", "z"], repeats=2)
    assert [(each.task, each.repeat, "".join(each.arms)) for each in found] == [
        ("a", 0, "xyz"),
        ("b", 0, "yzx"),
        ("a", 1, "yzx"),
        ("b", 1, "zxy"),
    ]
    assert len({each.seed for each in found}) == 2


def test_tasks_and_arms_can_be_chosen() -> None:
    found = rounds(["a", "b"], ["x", "y"], repeats=1)
    assert chosen(found, []) == found
    assert chosen(found, ["a"]) == found[:1]
    assert chosen(found, ["a/y", "/x"]) == [found[0], Round("b", 0, ("x",))]
    assert chosen(found, ["c"]) == chosen(found, ["a/z"]) == []


def test_a_command_given_again_goes_on_where_it_stopped(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    wanted = rounds(["a"], ["x", "y", "z"], repeats=2)
    assert unfinished(wanted, read(record), 300.0) == wanted
    for arm in "xz":
        append(record, {"task": "a", "arm": arm, "repeat": 0, "seconds": 300.0})
    append(record, {"task": "a", "arm": "y", "repeat": 0, "seconds": 40.0})
    assert unfinished(wanted, read(record), 300.0) == [Round("a", 0, ("y",)), wanted[1]]


def line(task: str, arm: str, repeat: int, test: float | None, **facts: Any) -> Line:
    result = Result(test, test, 1, {"cycle_epochs": 16.0, "max_lr": 0.1}, 16.0, 9, 300.0 * ARMS[arm].share, 0.9, "bf16")
    return {"task": task, "arm": arm, "repeat": repeat, "seconds": 300.0, "seed": 0, **vars(result), **facts}


def lines(task: str, accuracies: Mapping[str, Sequence[float | None]]) -> list[Line]:
    return [line(task, arm, repeat, test) for arm, tests in accuracies.items() for repeat, test in enumerate(tests)]


def test_the_best_guess_is_the_one_that_validation_prefers() -> None:
    left, right = line("a", "asha16", 0, 0.7, validation=0.6), line("a", "asha32", 0, 0.5, validation=0.8)
    found = section([left, right, line("a", "asha16", 1, 0.7)])
    assert dict(found[BEST_GUESS]) == {0: right}


def test_differences_are_paired() -> None:
    found = section(lines("a", {"ours": [0.70, 0.74, None], "short_ladder": [0.69, 0.71, 0.02]}))
    gain = Difference.of(found["ours"], found["short_ladder"])
    assert gain.points == pytest.approx((1.0, 3.0, -2.0))
    assert [gain.mean, gain.error] == pytest.approx([2 / 3, np.std([1, 3, -2], ddof=1) / math.sqrt(3)])
    assert gain.wins == "2 of 3"


def rows(text: str, words: str) -> list[str]:
    return [each for each in text.splitlines() if words in each]


def test_the_report_says_what_is_won() -> None:
    photos = lines(
        "photos10",
        {
            "ours": [0.74, 0.76],
            "ours_half": [0.71, 0.71],
            "asha16": [0.70, 0.73],
            "asha32": [0.72, 0.72],
            "short_ladder": [0.745, 0.75],
        },
    )
    table = lines("phoneme", {"ours": [0.88, 0.89], "asha16": [0.89, 0.90], "asha32": [0.80, 0.80]})
    text = report([*photos, *table])
    average, _ = rows(text, "at least 1 point above ASHA")
    assert average == "| at least 1 point above ASHA on average | photos10 | +2.50 ± 0.50 | yes |"
    assert rows(text, "never more than 1 point below ASHA")[0].endswith("| yes |")
    assert rows(text, "above the page of PyTorch")[0].endswith("| photos10 | +0.25 ± 0.75 | **no** |")
    assert rows(text, "half the time: no more")[0].endswith("| photos10 | -1.50 ± 0.50 | **no** |")
    fashion, phoneme = rows(text, "not below ASHA by more than")
    assert fashion.endswith("| not run |")
    assert phoneme.endswith("| -1.00 ± 0.00 | **no** |")
    assert "| ASHA, the better of both guesses | +2.50 ± 0.50 | +2.00, +3.00 | 2 of 2 |" in text


def test_overruns_and_failures_are_marked() -> None:
    late = line("photos10", "ours", 0, 0.7, wall_s=309.5)
    in_time = line("photos10", "ours", 1, 0.7, wall_s=308.5)
    broken = line("photos10", "ours_half", 0, None, wall_s=200.0, chose={}, failure="ended with 1:\nValueError: no")
    text = report([late, in_time, broken])
    assert "| 310\\*, 308 |" in text
    assert "| 200\\* |" in text
    assert "ours, half the time, repeat 0: ValueError: no" in text


def test_there_is_a_report_of_nothing() -> None:
    assert report([]).startswith("# Against")
