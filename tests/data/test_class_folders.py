"""Which files of class folders are read: linked ones are, hidden ones are not, and what is left out is said."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.data.class_folders import images_in
from tests.samples import photos


def names(folder: Path) -> list[str]:
    return [image.name for image in images_in(folder)[0]]


def told(folder: Path) -> str:
    return " ".join(images_in(folder)[1])


def store(folder: Path, count: int = 5) -> Path:
    """Images outside of the data, to be linked."""
    photos(folder / "elsewhere", per_class=count, first=100)
    return folder / "elsewhere" / "ant"


def test_a_linked_folder_in_a_class_is_read(tmp_path: Path) -> None:
    """torchvision follows links (pytorch/vision#1580), and so do fastai (fastai/fastai#2270) and timm (#334)."""
    data = photos(tmp_path / "p")
    (data / "ant" / "more").symlink_to(store(tmp_path))
    assert names(data)[20:25] == [f"ant/more/{index}.png" for index in range(100, 105)]
    assert not told(data)


def test_a_class_or_a_part_may_be_a_link(tmp_path: Path) -> None:
    data = tmp_path / "p"
    photos(data / "train")
    photos(tmp_path / "shared", per_class=5, first=50)
    (data / "valid").symlink_to(tmp_path / "shared")  # one validation part for several data sets: fastai/fastai#2270
    shutil.move(data / "train" / "bee", tmp_path / "bees")
    (data / "train" / "bee").symlink_to(tmp_path / "bees")
    images, warnings = images_in(data)
    assert [image.label for image in images if image.part == "train"].count("bee") == 20
    assert len([image for image in images if image.part == "validation"]) == 15
    assert not warnings


def test_a_linked_image_has_the_class_of_the_link(tmp_path: Path) -> None:
    """Not that of the folder in which the file is: huggingface/datasets#5098."""
    data, file = photos(tmp_path / "p"), store(tmp_path) / "100.png"
    (data / "bee" / "linked.png").symlink_to(file)
    (image,) = [image for image in images_in(data)[0] if image.name.endswith("linked.png")]
    assert (image.label, image.name) == ("bee", "bee/linked.png")


@pytest.mark.parametrize("target", [".", "..", "../..", "ant", "../ant"])
def test_a_loop_ends_and_is_said(target: str, tmp_path: Path) -> None:
    data = photos(tmp_path / "p")
    (data / "ant" / "again").symlink_to(Path(target) if target != "ant" else data / "ant", target_is_directory=True)
    assert len(names(data)) == 60
    assert "1 link left out" in told(data)
    assert "ant/again" in told(data)


def test_a_loop_through_a_linked_class_ends(tmp_path: Path) -> None:
    data = photos(tmp_path / "p")
    (data / "dog").symlink_to(store(tmp_path))
    (store_back := tmp_path / "elsewhere" / "ant" / "back").symlink_to(data)
    assert len(names(data)) == 65
    assert f"dog/{store_back.name}" in told(data)


def test_a_folder_that_is_linked_twice_is_read_once(tmp_path: Path) -> None:
    data, linked = photos(tmp_path / "p"), store(tmp_path)
    for name in ("one", "two"):
        (data / "ant" / name).symlink_to(linked)
    assert len(names(data)) == 65
    assert "1 link left out, because it leads to a folder that is read by another name: ant/two." in told(data)


def test_the_same_folder_in_two_classes_is_read_in_both(tmp_path: Path) -> None:
    """Its labels contradict one another, which is reported where examples are compared."""
    data, linked = photos(tmp_path / "p"), store(tmp_path)
    for name in ("ant", "bee"):
        (data / name / "more").symlink_to(linked)
    assert len(names(data)) == 70


@pytest.mark.parametrize(
    "name",
    [".DS_Store", "._0.png", "Thumbs.db", "THUMBS.DB", "desktop.ini", ".ipynb_checkpoints/0.png", "@eaDir/0.png"],
)
def test_what_systems_leave_behind_is_no_image(name: str, tmp_path: Path) -> None:
    """pytorch/vision#109 (.DS_Store) and #2831 (.ipynb_checkpoints)."""
    data = photos(tmp_path / "p")
    for folder in (data, data / "ant"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert len(names(data)) == 60
    assert not told(data)


def test_a_hidden_image_is_left_out_and_said(tmp_path: Path) -> None:
    data = photos(tmp_path / "p")
    (data / "ant" / "0.png").rename(data / "ant" / ".0.png")
    assert len(names(data)) == 59
    assert "1 hidden image left out: ant/.0.png." in told(data)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_classes_whose_names_are_no_text_are_printable_and_stay_apart(tmp_path: Path) -> None:
    data = photos(tmp_path / "p")
    for old, new in (("ant", b"caf\xe9"), ("bee", b"caf\xe8")):
        (data / old).rename(data / os.fsdecode(new))
    assert {image.label for image in images_in(data)[0]} == {"caf\\xe9", "caf\\xe8", "cat"}


def test_what_is_beside_the_classes_is_said(tmp_path: Path) -> None:
    data = photos(tmp_path / "p")
    (data / "labels.csv").write_text("a,b")
    (data / "dogs").symlink_to(tmp_path / "nothing")
    os.mkfifo(data / "pipe")
    assert "3 files in" in told(data)
    for name in ("labels.csv", "dogs", "pipe"):
        assert name in told(data)


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path) -> None:
    data = photos(tmp_path / "p")
    (data / "ant" / "locked").mkdir(mode=0)
    if os.access(data / "ant" / "locked", os.R_OK):
        pytest.skip("permissions do not hold for this user")
    with pytest.raises(UserError, match=r"ant/locked cannot be listed"):
        images_in(data)
