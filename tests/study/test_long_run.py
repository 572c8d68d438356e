"""The long run: from a recipe, and the same bit for bit whether it was interrupted or not."""

from __future__ import annotations

import errno
import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from rich.console import Console

import superconv_tune
from superconv_tune.core.codec import encode
from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import schedule_from
from superconv_tune.lr.span import Span
from superconv_tune.record.trial import Status, TrialRequest
from superconv_tune.reporting.long_run_view import LongRunView
from superconv_tune.study.long_run import CHECKPOINT, DRAFTS, RESULT, WEIGHTS, LongRun, Result, open_run, summary, train
from superconv_tune.study.long_run_record import LongRunRecord
from superconv_tune.tracking.client import connect
from superconv_tune.training import loop
from superconv_tune.verdict.statistics import wilson

PARAMS = Hyperparameters(cycle_epochs=2.0, batch_size=64)


class Stopping(LongRunView):
    """The user presses Ctrl-C after so many epochs are saved."""

    def __init__(self, run: LongRun, epochs: int | None) -> None:
        self.text = io.StringIO()
        super().__init__(Console(file=self.text, soft_wrap=True), time.time, run.steps, run.steps_per_epoch)
        self._stop_at = None if epochs is None else epochs * run.steps_per_epoch

    def saved(self, step: int) -> None:
        super().saved(step)
        if step == self._stop_at:
            raise KeyboardInterrupt


def written(folder: Path, **changes: Any) -> Path:
    content = {
        "recipe_version": 2,
        "name": "digits-again",
        "data": {"format": "digits"},
        "model": {"name": "resnet9", "width": 0.05},
        "schedule": "one_cycle",
        "precision": "fp32",
        "seed": 3,
        "params": {k: v for k, v in encode(PARAMS).items() if k != "lr_multiplier"} | {"max_lr": 0.1},
    } | changes
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return written(tmp_path)


def go(
    recipe: Path,
    folder: Path,
    epochs: float = 4.0,
    *,
    stop: int | None = None,
    uri: str = "none",
    max_lr: float | None = None,
) -> Result:
    run = open_run(recipe, epochs, max_lr, folder)
    return train(run, LongRunRecord(recipe, uri), Stopping(run, stop))


def told(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / RESULT).read_text())
    return content


def test_an_interrupted_run_has_the_same_curve_bit_for_bit(recipe: Path, tmp_path: Path) -> None:
    whole = go(recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        go(recipe, tmp_path / "cut", stop=2)
    assert not (tmp_path / "cut" / RESULT).exists()
    go(recipe, tmp_path / "cut")
    assert told(tmp_path / "cut") == told(tmp_path / "whole") == json.loads(json.dumps(encode(whole)))
    assert len(whole.losses) == open_run(recipe, 4.0, None, tmp_path / "whole").steps
    weights = [torch.load(tmp_path / name / WEIGHTS, weights_only=True) for name in ("whole", "cut")]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    assert_same_model(tmp_path / "whole", tmp_path / "cut", whole)


def assert_same_model(whole: Path, cut: Path, result: Result) -> None:
    """Both runs end in a model that is right on as many test items as the result says."""
    arrays = open_run(whole.parent / "recipe.yaml", 4.0, None, whole).payload.arrays
    assert arrays is not None
    said = [superconv_tune.load(folder).predict(arrays.test.inputs) for folder in (whole, cut)]
    np.testing.assert_array_equal(*said)
    assert (said[0] == arrays.test.targets).mean() == result.test
    assert not (cut / DRAFTS).exists()


def test_the_result_has_the_interval_of_the_test_items(recipe: Path, tmp_path: Path) -> None:
    run = open_run(recipe, 4.0, None, tmp_path / "run")
    result = train(run, LongRunRecord(recipe, "none"), Stopping(run, None))
    content = told(tmp_path / "run")
    assert {"metric", "validation", "test", "epochs", "max_lr", "losses", "test_low", "test_high", "status"} <= set(
        content
    )
    assert (content["status"], content["metric"], content["mlflow_run_id"]) == ("finished", "accuracy", None)
    items = len(run.problem.test)
    assert result.test is not None
    assert (result.test_low, result.test_high) == wilson(result.test, items, 0.95)
    assert f"95 % interval {result.test_low:.4g} to {result.test_high:.4g} over {items} test items" in summary(
        run.folder, result
    )


def test_the_interval_counts_the_groups_of_the_test_items(recipe: Path, tmp_path: Path) -> None:
    run = open_run(recipe, 2.0, None, tmp_path / "run")
    groups = np.arange(len(run.problem.test)) // 30
    grouped = replace(run, problem=replace(run.problem, test_groups=groups))
    result = train(grouped, LongRunRecord(recipe, "none"), Stopping(grouped, None))
    assert result.test is not None
    assert result.test_low is not None
    assert result.test_low < wilson(result.test, 30, 0.95)[0]
    assert result.test_groups == len(np.unique(groups))
    assert f"test items of {result.test_groups} groups" in summary(grouped.folder, result)


def test_a_metric_without_items_has_no_interval_and_says_so(tmp_path: Path) -> None:
    recipe = written(tmp_path, metric="macro_f1")
    run = open_run(recipe, 2.0, None, tmp_path / "run")
    result = train(run, LongRunRecord(recipe, "none"), Stopping(run, None))
    assert (result.test_low, result.test_high, result.test_items) == (None, None, 0)
    assert "no interval, because macro_f1 is not a mean over test items" in summary(run.folder, result)


class Ended(LongRunRecord):
    """Remembers with which status the parent run was ended."""

    statuses: tuple[Status | None, ...] = ()

    def end(self, status: Status | None, *_: object) -> str:
        self.statuses += (status,)
        return ""


def test_the_parent_run_is_ended_though_the_disk_was_full_from_the_start(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("superconv_tune.study.long_run.write_json", full)
    run, record = open_run(recipe, 1.0, None, tmp_path / "run"), Ended(recipe, "none")
    with pytest.raises(OSError, match="No space"):
        train(run, record, Stopping(run, None))
    assert record.statuses == (None,)


def test_a_run_that_diverges_keeps_its_files_and_is_not_trained_again(tmp_path: Path) -> None:
    recipe = written(tmp_path, schedule="constant")
    run = open_run(recipe, 6.0, 1e6, tmp_path / "run")
    result = train(run, LongRunRecord(recipe, "none"), Stopping(run, None))
    assert result.status in ("diverged", "nan")
    assert (result.validation, result.test) == (None, None)
    assert len(result.losses) > 0
    assert told(tmp_path / "run")["status"] == result.status
    assert not (tmp_path / "run" / WEIGHTS).exists()
    assert str(tmp_path / "run") in summary(run.folder, result)
    again = open_run(recipe, 6.0, 1e6, tmp_path / "run")
    view = Stopping(again, None)
    assert train(again, LongRunRecord(recipe, "none"), view) == result
    assert "has ended already" in view.text.getvalue()


def test_a_failure_of_the_disk_is_mended_and_the_run_goes_on(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not the recipe's fault may be gone the next time."""
    whole = go(recipe, tmp_path / "whole")
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr("superconv_tune.training.checkpoint.torch.save", full)
        run = open_run(recipe, 4.0, None, tmp_path / "cut")
        result = train(run, LongRunRecord(recipe, "none"), Stopping(run, None))
    assert result.status == "code_error"
    assert "No space left" in summary(run.folder, result)
    assert go(recipe, tmp_path / "cut").losses == whole.losses


def test_a_longer_cycle_peaks_higher_for_sgd(recipe: Path, tmp_path: Path) -> None:
    assert open_run(recipe, 2.0, None, tmp_path / "a").max_lr == pytest.approx(0.1)
    assert 0.1 < open_run(recipe, 8.0, None, tmp_path / "b").max_lr < 0.2
    assert open_run(recipe, 8.0, 0.7, tmp_path / "c").max_lr == 0.7


def test_another_plan_in_the_same_folder_is_refused(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(recipe, tmp_path / "run", stop=1)
    before = (tmp_path / "run" / CHECKPOINT).read_bytes()
    for epochs, max_lr in ((5.0, None), (4.0, 0.2)):
        with pytest.raises(UserError, match="another plan"):
            go(recipe, tmp_path / "run", epochs, max_lr=max_lr)
    with pytest.raises(UserError, match="another plan or other data"):
        go(written(tmp_path, split={"seed": 1}, seed=4), tmp_path / "run")
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == before


def test_a_checkpoint_of_unknown_origin_is_not_overwritten(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / CHECKPOINT).write_bytes(b"of version 0.1.0")
    with pytest.raises(UserError, match="another plan"):
        go(recipe, tmp_path / "run")


def test_what_the_recipe_says_is_what_is_trained(tmp_path: Path) -> None:
    schedule = {"policy": "cosine", "warmup": "exponential", "warmup_share": 0.1}
    request: TrialRequest = open_run(written(tmp_path, schedule=schedule), 3.0, None, tmp_path / "run").request
    assert request.schedule == schedule_from(schedule)
    assert request.params == replace(PARAMS, cycle_epochs=3.0)
    assert (request.seed, request.precision, request.kind) == (3, "fp32", "long_run")
    assert request.cycle.reads_test


def test_a_precision_that_the_device_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = written(tmp_path, precision="bf16")
    monkeypatch.setattr(loop, "supports_bf16", lambda device: True)
    run = open_run(recipe, 1.0, None, tmp_path / "run")
    assert (run.request.precision, run.notices) == ("bf16", ())
    monkeypatch.setattr(loop, "supports_bf16", lambda device: False)
    run = open_run(recipe, 1.0, None, tmp_path / "run")
    assert run.request.precision == "fp32"
    (notice,) = run.notices
    assert "bf16" in notice


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
def test_every_step_is_in_mlflow_once_after_a_continuation(recipe: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with pytest.raises(KeyboardInterrupt):
        go(recipe, tmp_path / "run", stop=2, uri=uri)
    result = go(recipe, tmp_path / "run", uri=uri)
    client = connect(uri)
    experiment = client.get_experiment_by_name("digits-again")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.data.tags["attempt"]: run for run in runs if "mlflow.parentRunId" in run.data.tags}
    (parent,) = parents
    assert (parent.info.status, parent.data.tags["phase"]) == ("FINISHED", "done")
    assert parent.data.metrics["test"] == pytest.approx(result.test)
    assert set(children) == {"1", "2"}
    assert (children["1"].info.status, children["1"].data.tags["superseded"]) == ("KILLED", "true")
    last = children["2"]
    assert (last.info.run_id, last.info.status) == (result.mlflow_run_id, "FINISHED")
    assert last.data.tags["kind"] == "long_run"
    steps = np.arange(len(result.losses))
    history = client.get_metric_history(last.info.run_id, "cycle/lr")
    assert [point.step for point in sorted(history, key=lambda point: point.step)] == steps.tolist()
    knobs = schedule_from("one_cycle").knobs(Span.of(replace(PARAMS, cycle_epochs=4.0), len(steps), result.max_lr))
    by_step = {point.step: point.value for point in history}
    assert [by_step[k] for k in steps] == [knobs(k / (len(steps) - 1)).lr for k in steps]
    table = pq.read_table(client.download_artifacts(last.info.run_id, "curves.parquet")).to_pandas()
    np.testing.assert_array_equal(table.step, steps)
    np.testing.assert_array_equal(table.loss, result.losses)


@pytest.mark.parametrize("text", ["", "a: [", "recipe_version: 1\n", "recipe_version: 7\n"])
def test_what_is_no_recipe_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="recipe"):
        open_run(path, 1.0, None, tmp_path)


def test_a_result_says_how_the_weights_of_scaled_targets_lead_to_their_units(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((400, 3)).astype(np.float32)
    prices = 1e5 * (inputs @ [1.0, -2.0, 0.5]) + 3e5
    np.savez(tmp_path / "prices.npz", x=inputs, y=prices)
    recipe = written(
        tmp_path,
        data={"format": "npz", "path": str(tmp_path / "prices.npz")},
        model={"name": "mlp", "args": {"depth": 1}},
        metric="rmse",
    )
    run = open_run(recipe, 20.0, 0.01, tmp_path / "run")
    result = train(run, LongRunRecord(recipe, "none"), Stopping(run, None))
    model = run.problem.make_model()
    model.load_state_dict(torch.load(tmp_path / "run" / WEIGHTS, weights_only=True))
    (scale,), (offset,) = result.target_scale, result.target_offset
    batches = list(run.problem.test.batches())
    with torch.no_grad():
        found = torch.cat([model.eval()(inputs) for inputs, _ in batches]).flatten().double() * scale + offset
    wanted = torch.cat([targets for _, targets in batches]).double() * scale + offset
    assert result.test == pytest.approx(float((found - wanted).square().mean().sqrt()), rel=1e-4)
    assert 3e5 - 1e5 < float(wanted.mean()) < 3e5 + 1e5


def test_a_folder_that_cannot_be_written_is_refused_before_it_is_trained(recipe: Path) -> None:
    with pytest.raises(UserError, match=r"--output: .* cannot be written"):
        go(recipe, recipe / "long")
