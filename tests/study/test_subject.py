from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from superconv_tune.problems.payload import DataCard, Payload
from superconv_tune.problems.source import locate
from superconv_tune.spec.load import load_spec
from superconv_tune.study.subject import commit_at, subject_of
from superconv_tune.tracking.handle import StudyHandle, Subject

CARD = DataCard("classification", 3, (), (), (6,), 100, 20, 30, fingerprint="f1" * 32, split_digest="")


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def payload_of(path: Path) -> Payload:
    """The question of a spec, with the user's files and without data."""
    spec = load_spec(path, {})
    task = None if spec.task is None else locate(spec.task.factory, path.parent)
    return Payload(spec, None, CARD.kind, CARD.classes, task, None, None)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "table.csv").write_text("a,label\n1,x\n", encoding="utf-8")
    (tmp_path / "mine.py").write_text("def task(): ...\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "First")
    return tmp_path


def test_data_of_a_file_are_named_by_it(repository: Path) -> None:
    path = repository / "table.csv"
    (repository / "spec.yaml").write_text(f"name: x\ndata: {{format: table, path: {path}}}\nmetric: macro_f1\n")
    subject = subject_of(payload_of(repository / "spec.yaml"), CARD, "superconv_tune.search")
    assert (subject.metric, subject.higher_is_better) == ("macro_f1", True)
    assert subject.source == "superconv_tune.search"
    data = subject.data_set
    assert data is not None
    assert (data.name, data.source, data.is_path) == ("table.csv", str(path), True)
    assert (data.fingerprint, data.shape) == (CARD.fingerprint, (6,))
    assert data.items == {"train": 100, "validation": 20, "test": 30}


def test_a_task_of_the_user_is_source_and_data(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "spec.yaml").write_text("name: x\ntask: {factory: 'mine.py:task'}\nmetric: rmse\n")
    monkeypatch.chdir("/")
    subject = subject_of(payload_of(repository / "spec.yaml"), CARD, "superconv_tune.search")
    assert subject.source == str(repository / "mine.py")
    assert subject.commit == git(repository, "rev-parse", "HEAD")
    assert not subject.higher_is_better
    assert subject.data_set is not None
    assert (subject.data_set.name, subject.data_set.is_path) == ("mine.py:task", False)


def test_without_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    assert commit_at(tmp_path) == ""
    assert commit_at(tmp_path / "missing") == ""


def test_a_journal_keeps_the_subject_and_one_of_an_earlier_version_has_none(repository: Path) -> None:
    (repository / "spec.yaml").write_text("name: x\ndata: digits\n")
    subject = subject_of(payload_of(repository / "spec.yaml"), CARD, "superconv_tune.search")
    recorded = {"tracking_uri": "sqlite:////x.db", "experiment_id": "1", "run_id": "r"}
    before = StudyHandle.of(recorded)
    assert before.subject == Subject(metric="metric")
    now = replace(before, subject=subject)
    assert StudyHandle.of(json.loads(json.dumps(now.recorded))) == now
