"""What every data format keeps to; a new one needs a line in `PLACES` only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.data.formats import FORMATS, FROM_FILES, format_of, load
from superconv_tune.data.split import fingerprint, split
from tests.samples import csv_file, hf_folder, idx_folder, jsonl_file, npy_folder, npz_file, photos

PLACES: dict[str, Callable[[Path], Path]] = {
    "idx": idx_folder,
    "npz": npz_file,
    "npy": npy_folder,
    "image_folder": lambda folder: photos(folder / "photos"),
    "table": csv_file,
    "hf": hf_folder,
    "jsonl": jsonl_file,
}
ARGS: dict[str, dict[str, object]] = {"mnist1d": {"samples": 100}}


def place(name: str, folder: Path) -> Path | None:
    return PLACES[name](folder) if name in PLACES else None


def test_every_format_that_reads_files_has_a_sample() -> None:
    assert set(FROM_FILES) == set(PLACES)


@pytest.mark.parametrize("name", FORMATS)
def test_the_document_has_a_row_for_it(name: str) -> None:
    text = Path("docs/reference/data.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sum(f"`{name}`" in row for row in rows) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_it_gives_what_models_and_losses_take(name: str, tmp_path: Path) -> None:
    data = load(name, place(name, tmp_path), ARGS.get(name, {}))
    for part in (data.train, data.test):
        if part is not None:
            assert len(part) == len(part.inputs) == len(part.targets) > 0
            assert part.inputs.dtype in (np.uint8, np.float32)
            assert part.inputs.ndim >= 2
            assert np.asarray(part.inputs).flags.c_contiguous
            assert part.targets.dtype == (np.int64 if data.kind == "classification" else np.float32)
    assert data.classes is not None
    assert data.class_names is not None
    assert len(data.class_names) == data.classes
    assert np.unique(data.train.targets).tolist() == list(range(data.classes))


@pytest.mark.parametrize("name", FORMATS)
def test_it_gives_the_same_twice_and_can_be_split(name: str, tmp_path: Path) -> None:
    where = place(name, tmp_path)
    first, again = (load(name, where, ARGS.get(name, {})) for _ in range(2))
    assert fingerprint(first) == fingerprint(again)
    assert split(first, 0.2, 0.2, 1).digest == split(again, 0.2, 0.2, 1).digest


@pytest.mark.parametrize("name", FORMATS)
def test_it_says_how_it_was_read(name: str, tmp_path: Path) -> None:
    data = load(name, where := place(name, tmp_path), ARGS.get(name, {}))
    (note,) = data.notes
    assert note.startswith(name)
    assert "classes" in note
    assert str(where or "") in note


@pytest.mark.parametrize("name", PLACES)
def test_its_path_alone_says_what_it_is(name: str, tmp_path: Path) -> None:
    assert format_of(PLACES[name](tmp_path)) == name


@pytest.mark.parametrize("name", FORMATS)
def test_an_unknown_option_is_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{name} has no option 'smaples'"):
        load(name, place(name, tmp_path), {"smaples": 3})


@pytest.mark.parametrize("name", FORMATS)
def test_it_says_whether_it_tells_classes_from_numbers(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(name, place(name, tmp_path), {"kind": "words"})
    assert ("one of auto, classification, regression" in str(caught.value)) == FORMATS[name].has_kind


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("where", ["nothing", ""])
def test_a_path_that_is_not_there_is_named(name: str, where: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.path: no (file|folder)"):
        load(name, tmp_path / where / "absent" if where else None, {})
