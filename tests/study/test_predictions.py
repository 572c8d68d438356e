"""The command that predicts, on the models of a study that ended."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import superconv_tune
from superconv_tune.commands.predict import app
from superconv_tune.core.bits import unpack
from superconv_tune.problems.payload import Payload
from superconv_tune.problems.prepare import prepare
from superconv_tune.record.events import Observed
from tests.kept.confirmed import confirmed
from tests.kept.questions import QUESTIONS, mean_and_variance, wide
from tests.samples import photos
from tests.study.conftest import Workplace


def read(file: Path) -> tuple[list[str], list[list[str]]]:
    with file.open(encoding="utf-8", newline="") as text:
        names, *rows = csv.reader(text)
    return names, rows


def asked(finished: Workplace) -> Payload:
    payload, _ = prepare(finished.spec())
    return payload


def test_every_kept_model_repeats_what_its_trial_recorded(finished: Workplace) -> None:
    folder, verdict = finished.folder / "runs" / "done", finished.verdict("done")
    outcomes = [event.outcome for event in finished.events("done") if isinstance(event, Observed)]
    arrays = asked(finished).arrays
    assert arrays is not None
    together = superconv_tune.load(folder, ensemble=True)
    assert verdict["kept"]["models"] == len(together.models) == verdict["ensemble"]["models"] == 3
    best = superconv_tune.load(folder)
    right = best.predict(np.asarray(arrays.test.inputs)) == arrays.test.targets
    recorded = [unpack(each.test_correct, each.test_items) for each in outcomes if each.test_correct]
    assert any(np.array_equal(right, bits) for bits in recorded)
    right = together.predict(np.asarray(arrays.test.inputs)) == arrays.test.targets
    assert right.mean() == pytest.approx(verdict["ensemble"]["value"])


def test_the_report_says_what_all_together_reach(finished: Workplace) -> None:
    study = finished.folder / "runs" / "done"
    page = (study / "report.html").read_text(encoding="utf-8")
    assert "3 models, of which the best on validation predicts; together they reach" in page
    assert "at 3 times the cost of one" in page
    assert f"superconv_tune.predict {study} NEW_DATA" in page


def test_a_study_that_is_to_keep_none_keeps_none(workplace: Workplace) -> None:
    _, printed = workplace.begin("none", keep_models=0, budget="20s", trials=1)
    assert not (workplace.folder / "runs" / "none" / "model").exists()
    assert workplace.verdict("none")["kept"] is None
    assert workplace.verdict("none")["ensemble"] is None
    assert "\n  model  " not in printed


def test_probabilities_are_written_a_column_per_class(
    finished: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = asked(finished).arrays
    assert arrays is not None
    np.save(tmp_path / "new.npy", np.asarray(arrays.test.inputs)[:7])
    monkeypatch.chdir(tmp_path)
    folder = str(finished.folder / "runs" / "done")
    done = CliRunner().invoke(app, [folder, "new.npy"])
    assert (done.exit_code, done.stdout) == (0, "Wrote 7 predictions to predictions.csv.\n")
    names, rows = read(tmp_path / "predictions.csv")
    assert names == ["item", "prediction", "p_0", "p_1", "p_2"]
    predictor = superconv_tune.load(folder)
    assert [row[0] for row in rows] == list("0123456")
    assert [int(row[1]) for row in rows] == predictor.predict(tmp_path / "new.npy").tolist()
    found = np.array([[float(cell) for cell in row[2:]] for row in rows])
    np.testing.assert_array_equal(found, predictor.predict_proba("new.npy"))
    done = CliRunner().invoke(app, [folder, "new.npy", "--ensemble", "--output", "all.csv"])
    assert done.exit_code == 0
    together = np.array([[float(cell) for cell in row[2:]] for row in read(tmp_path / "all.csv")[1]])
    np.testing.assert_array_equal(together, superconv_tune.load(folder, ensemble=True).predict_proba("new.npy"))


def test_numbers_are_written_in_the_units_of_the_targets(tmp_path: Path) -> None:
    folder = confirmed(tmp_path, QUESTIONS["numbers"](tmp_path), models=1).folder
    wide().iloc[:5].to_csv(tmp_path / "new.csv", index=False)
    done = CliRunner().invoke(app, [str(folder), str(tmp_path / "new.csv"), "--output", str(tmp_path / "p.csv")])
    assert done.exit_code == 0, done.output
    names, rows = read(tmp_path / "p.csv")
    assert names == ["item", "prediction"]
    assert all(4000 < float(row[1]) < 6500 for row in rows)


def test_several_tensors_are_not_written_as_a_line_per_item(tmp_path: Path) -> None:
    asked = confirmed(tmp_path, mean_and_variance(tmp_path), models=1)
    np.save(tmp_path / "x.npy", asked.test_inputs)
    done = CliRunner().invoke(app, [str(asked.folder), str(tmp_path / "x.npy"), "--output", str(tmp_path / "p.csv")])
    assert done.exit_code == 2
    assert "the model gives a tuple of 2 and not one tensor" in done.stderr
    assert not (tmp_path / "p.csv").exists()


def test_files_that_are_no_images_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERCONV_TUNE_CACHE", str(tmp_path / "cache"))
    folder = confirmed(tmp_path, QUESTIONS["pictures"](tmp_path), models=1).folder
    new = photos(tmp_path / "new", per_class=1)
    (new / "ant" / "notes.txt").write_text("hello", encoding="utf-8")
    done = CliRunner().invoke(app, [str(folder), str(new), "--output", str(tmp_path / "p.csv")])
    assert done.exit_code == 0, done.output
    assert "left out: ant/notes.txt, not an image" in done.stderr
    assert [row[0] for row in read(tmp_path / "p.csv")[1]] == ["ant/0.png", "bee/0.png", "cat/0.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{model}"], "Name the data to predict"),
        (["{tmp}", "x.npy"], "holds no model: no fresh one was trained"),
        (["{model}", "nowhere.npy"], "there is no file nowhere.npy"),
        (["{model}", "{tmp}/new.npy", "--output", "{tmp}/no/p.csv"], "cannot be written (No such file"),
    ],
)
def test_wrong_input_is_one_message(words: list[str], message: str, finished: Workplace, tmp_path: Path) -> None:
    np.save(tmp_path / "new.npy", np.zeros((1, 6), np.float32))
    places = {"model": finished.folder / "runs" / "done", "tmp": tmp_path}
    done = CliRunner().invoke(app, [word.format(**places) for word in words])
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
