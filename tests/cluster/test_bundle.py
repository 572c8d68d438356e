"""What travels to a cluster and back: the files that were named, under their bare names, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from superconv_tune.cluster import bundle
from superconv_tune.cluster.job_entry import FILES, MARK, send, unpack
from superconv_tune.core.errors import UserError
from superconv_tune.spec.load import load_spec
from superconv_tune.spec.spec import ExperimentSpec

TASK = "task: {factory: 'code/mine.py:task'}\nname: q\nbudget: 60s\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A laptop with a spec, its code, a helper and some data."""
    home = tmp_path / "laptop"
    (home / "code").mkdir(parents=True)
    (home / "code" / "mine.py").write_text("def task(): ...", encoding="utf-8")
    (home / "code" / "other.py").write_text("secret = 1", encoding="utf-8")
    (home / "helper.py").write_text("x = 1", encoding="utf-8")
    np.savez(home / "d.npz", x=np.zeros((4, 2), np.float32), y=np.zeros(4, np.int64))
    return home


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "box").mkdir()
    return tmp_path / "box"


def spec(home: Path, text: str) -> ExperimentSpec:
    (home / "q.yaml").write_text(text, encoding="utf-8")
    return load_spec(home / "q.yaml", {})


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_spec_and_what_it_names_travel_and_the_question_stays_the_same(home: Path, box: Path) -> None:
    asked = spec(home, TASK + "storage: postgresql://u@h/d\n")
    bundle.pack(asked, [home / "helper.py"], box, data_travel=True)
    assert files(box) == {"spec.yaml", "mine.py", "helper.py"}
    there = load_spec(box / "spec.yaml", {})
    assert there.task is not None
    assert there.task.factory == f"{box}/mine.py:task"
    kept = {"task", "storage", "output"}
    assert there.model_dump(exclude=kept) == asked.model_dump(exclude=kept)
    assert there.storage is None  # the cluster's own
    assert str(home) not in (box / "spec.yaml").read_text(encoding="utf-8")


def test_small_data_travel_and_are_read_there(home: Path, box: Path) -> None:
    asked = spec(home, "name: q\nbudget: 60s\ndata: {format: npz, path: d.npz}\n")
    bundle.pack(asked, [], box, data_travel=True)
    assert files(box) == {"spec.yaml", "data/d.npz"}
    there = load_spec(box / "spec.yaml", {})
    assert there.data is not None
    assert there.data.path == str(box / "data" / "d.npz")


def test_a_folder_of_data_keeps_its_shape(home: Path, box: Path) -> None:
    for name in ("train/a.npz", "b.npz"):
        (home / "many" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "many" / name).write_bytes(b"1")
    asked = spec(home, "name: q\nbudget: 60s\ndata: {format: idx, path: many}\n")
    bundle.pack(asked, [], box, data_travel=True)
    assert files(box) == {"spec.yaml", "data/many/train/a.npz", "data/many/b.npz"}


def test_large_data_stay_and_are_told_where_to_go(home: Path, box: Path) -> None:
    with (home / "d.npz").open("ab") as data:
        data.truncate((bundle.MAX_MIB + 1) * 2**20)
    asked = spec(home, "name: q\nbudget: 60s\ndata: {format: npz, path: d.npz}\n")
    with pytest.raises(UserError, match="--data-on-nodes") as refused:
        bundle.pack(asked, [], box, data_travel=True)
    assert str(bundle.MAX_MIB) in str(refused.value)
    assert not files(box)


def test_data_of_the_nodes_are_not_looked_for_here(home: Path, box: Path) -> None:
    (home / "q.yaml").write_text("name: q\nbudget: 60s\ndata: {format: npz, path: d.npz}\n", encoding="utf-8")
    asked = load_spec(home / "q.yaml", {"data.path": "/on/the/nodes.npz"}, data_elsewhere=True)
    bundle.pack(asked, [], box, data_travel=False)
    assert files(box) == {"spec.yaml"}
    assert "/on/the/nodes.npz" in (box / "spec.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("linked", ["code/mine.py", "helper.py", "many/passwd"])
def test_links_are_refused(linked: str, home: Path, box: Path) -> None:
    (home / "many").mkdir()
    (home / "many" / "a").write_bytes(b"1")
    (home / linked).unlink(missing_ok=True)
    (home / linked).symlink_to("/etc/hostname")
    is_data = linked.startswith("many")
    question = "name: q\nbudget: 60s\ndata: {format: idx, path: many}\n" if is_data else TASK
    with pytest.raises(UserError, match="link"):
        bundle.pack(spec(home, question), [] if is_data else [home / "helper.py"], box, data_travel=True)
    assert not files(box)


def test_a_linked_folder_inside_the_data_is_refused(home: Path, box: Path) -> None:
    (home / "many").mkdir()
    (home / "many" / "etc").symlink_to("/etc")
    with pytest.raises(UserError, match="link"):
        bundle.pack(spec(home, "name: q\nbudget: 60s\ndata: {format: idx, path: many}\n"), [], box, data_travel=True)


def test_code_outside_the_folder_of_the_spec_is_refused(home: Path, box: Path) -> None:
    (home.parent / "outside.py").write_text("x = 1", encoding="utf-8")
    asked = spec(home, TASK.replace("code/mine.py", "../outside.py"))
    with pytest.raises(UserError, match="outside"):
        bundle.pack(asked, [], box, data_travel=True, inside=home)


def test_two_files_of_one_name_are_refused(home: Path, box: Path) -> None:
    (home / "mine.py").write_text("y = 2", encoding="utf-8")
    with pytest.raises(UserError, match=r"another file named 'mine\.py'"):
        bundle.pack(spec(home, TASK), [home / "mine.py"], box, data_travel=True)


def test_a_password_does_not_travel(home: Path, box: Path) -> None:
    asked = spec(home, TASK + "storage: postgresql://u:open%40sesame@h/d\ntracking_uri: http://u:open%40sesame@h\n")
    with pytest.raises(UserError, match="SUPERCONV_TUNE_STORAGE") as refused:
        bundle.pack(asked, [], box, data_travel=True)
    assert len(refused.value.messages) == 2
    assert "sesame" not in str(refused.value)


def test_what_a_study_has_comes_home_as_it_was(
    home: Path, box: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUPERCONV_TUNE_OUTPUT", str(home))
    (home / "it").mkdir()
    written = {"verdict.json": b"{}", "report.html": bytes(range(256)) * 4000}
    for name, content in {**written, "private.txt": b"no"}.items():
        (home / "it" / name).write_bytes(content)
    send("it")
    lines = ["Runtime env is setting up.", *capsys.readouterr().out.splitlines()]
    assert {path.name: path.read_bytes() for path in unpack(lines, box)} == written
    assert files(box) == set(written)


@pytest.mark.parametrize("name", ["../verdict.json", "/etc/passwd", "x.txt", "runs/verdict.json"])
def test_a_cluster_cannot_write_elsewhere(name: str, box: Path) -> None:
    assert name not in FILES
    with pytest.raises(ValueError, match="not one that a study has"):
        unpack([MARK + json.dumps({"file": name, "content": ""})], box)
    assert not files(box.parent)
