"""Copies across parts, contradicting labels and rare classes are found, and nothing else is."""

from __future__ import annotations

import tracemalloc
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from superconv_tune.data.doubts import BY_STEM, _stem, doubts
from superconv_tune.data.groups import of_paths
from superconv_tune.data.parts import Part
from superconv_tune.data.prints import difference_hash, exact, thumbnails
from superconv_tune.measures.metrics import METRICS

SIDE = 32
CLASSES = ["a", "b"]


def scene(seed: int) -> Image.Image:
    """Soft blobs in colour, as photos have."""
    noise = np.random.default_rng(seed).integers(256, size=(6, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((96, 96), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2))


def pixels(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.resize((SIDE, SIDE))).transpose(2, 0, 1)


def compressed(image: Image.Image) -> Image.Image:
    stored = BytesIO()
    image.save(stored, "jpeg", quality=60)
    return Image.open(stored)


def part(images: list[NDArray[np.uint8]]) -> Part:
    return Part(np.stack(images), np.arange(len(images)) % 2)


def scenes(first: int, count: int = 40) -> list[NDArray[np.uint8]]:
    return [pixels(scene(seed)) for seed in range(first, first + count)]


def test_different_images_raise_no_doubt() -> None:
    parts = {"training": part(scenes(0)), "validation": part(scenes(100)), "test": part(scenes(200))}
    assert doubts(parts, {}, CLASSES) == []


def test_copies_are_counted_and_named_once() -> None:
    train, validation, test = scenes(0), scenes(100), scenes(200)
    test[4], test[6], validation[8] = train[2], train[2], train[10]
    names = {name: [f"{name}-{row}.png" for row in range(40)] for name in ("training", "validation", "test")}
    found = doubts({"training": part(train), "validation": part(validation), "test": part(test)}, names, CLASSES)
    assert len(found) == 2
    assert found[0].startswith("1 of 40 examples of the validation part are equal to ones of the training part")
    assert "training-10.png and validation-8.png" in found[0]
    assert found[1].startswith("2 of 40 examples of the test part are equal")
    assert "training-2.png and test-4.png, training-2.png and test-6.png" in found[1]


@pytest.mark.parametrize(
    "change",
    [
        compressed,
        lambda image: image.resize((70, 70), Image.Resampling.BICUBIC),
        lambda image: image.resize((200, 200), Image.Resampling.LANCZOS),
        lambda image: image.point([round(20 + 0.8 * value) for value in range(256)] * 3),
    ],
    ids=["compressed", "smaller", "larger", "brighter"],
)
def test_a_picture_that_was_stored_anew_is_recognised(change: object) -> None:
    test = scenes(200)
    for row in range(10):
        test[row] = pixels(change(scene(row)))  # type: ignore[operator]
    (found,) = doubts({"training": part(scenes(0)), "test": part(test)}, {}, CLASSES)
    assert found.startswith("10 of 40 examples of the test part are nearly equal")


def test_a_picture_in_other_units_is_recognised() -> None:
    """Such as numbers from 0 to 1, whose means would all be rounded to 0 or 1."""
    test = scenes(200)
    for row in range(10):
        test[row] = pixels(compressed(scene(row)))
    for shift, scale in ((0.0, 1 / 255), (-1.0, 2 / 255), (0.0, 257.0)):
        parts = {
            name: Part((np.stack(images) * scale + shift).astype(np.float32), np.arange(len(images)) % 2)
            for name, images in (("training", scenes(0)), ("test", test))
        }
        (found,) = doubts(parts, {}, CLASSES)
        assert "of 40 examples of the test part are nearly equal" in found
        assert int(found.split()[0]) >= 9  # rounding may take one of them


def test_many_likely_pairs_are_compared_a_few_at_a_time() -> None:
    base, random = pixels(scene(0)).astype(int), np.random.default_rng(0)
    copies = [np.clip(base + random.integers(-1, 2, base.shape), 0, 255).astype(np.uint8) for _ in range(340)]
    tracemalloc.start()
    try:
        (found,) = doubts({"training": part(copies[:300]), "test": part(copies[300:])}, {}, CLASSES)
        assert tracemalloc.get_traced_memory()[1] < 128 * 2**20
    finally:
        tracemalloc.stop()
    assert found.startswith("40 of 40 examples of the test part are nearly equal")


def test_pictures_of_one_colour_are_not_alike() -> None:
    """Their hashes are all the same, and so would be those of any two blank pages."""
    flat = [np.full((3, SIDE, SIDE), value, np.uint8) for value in range(0, 240, 6)]
    other = [np.full((3, SIDE, SIDE), value, np.uint8) for value in range(1, 241, 6)]
    assert doubts({"training": part(flat), "test": part(other)}, {}, CLASSES) == []


def test_labels_that_contradict_are_counted() -> None:
    rows = np.arange(40.0, dtype=np.float32)[:, None]
    rows[5] = rows[4]  # of the other class
    rows[9] = rows[7]  # of the same class
    parts = {"training": Part(rows, np.arange(40) % 2), "test": Part(rows[:1] + 100, np.zeros(1, np.int64))}
    (found,) = doubts(parts, {}, CLASSES)
    assert found.startswith("2 examples are equal to one with another label")


@pytest.mark.parametrize(("counts", "is_reported"), [((60, 20), True), ((59, 20), False), ((20, 20), False)])
def test_uneven_classes_are_reported_with_the_metric_for_them(counts: tuple[int, int], is_reported: bool) -> None:
    targets = np.repeat([0, 1], counts)
    train = Part(np.arange(float(len(targets)), dtype=np.float32)[:, None], targets)
    found = doubts({"training": train}, {}, ["rare", "often"])
    assert bool(found) == is_reported
    if is_reported:
        assert "balanced_accuracy" in found[0]
        assert "balanced_accuracy" in METRICS


def test_numbers_to_predict_have_no_classes() -> None:
    rows = np.ones((40, 1), np.float32)
    (found,) = doubts({"training": Part(rows, rows[:, 0]), "test": Part(rows[:2], rows[:2, 0])}, {}, None)
    assert found.startswith("2 of 2 examples")


def test_thumbnails_are_means_of_areas() -> None:
    images = np.random.default_rng(0).integers(256, size=(3, 2, 16, 18), dtype=np.uint8)
    expected = images.mean(axis=1).reshape(3, 8, 2, 9, 2).mean(axis=(2, 4))
    assert np.abs(thumbnails(images) - expected).max() <= 0.5 + 1e-4
    small = np.random.default_rng(0).integers(256, size=(3, 1, 5, 4), dtype=np.uint8)
    upright = np.asarray(small, float).mean(axis=1)
    assert np.abs(thumbnails(small).mean(axis=(1, 2)) - upright.mean(axis=(1, 2))).max() < 1


def test_hashes_count_what_differs() -> None:
    small = np.zeros((3, 8, 9), np.uint8)
    small[1, 0, 4] = 9  # brighter than the place before it
    small[2, 3] = np.arange(9)
    hashes = difference_hash(small)
    assert np.bitwise_count(hashes).tolist() == [0, 1, 8]
    assert exact(small)[0] != exact(small)[1]
    assert len(set(exact(np.zeros((3, 2))))) == 1


def named(*stems: str, pattern: str = "{}_{:03d}.png") -> dict[str, list[str]]:
    """Six images of every stem: four to train on, one to validate with, one to test with."""
    rows = {"training": range(4), "validation": range(4, 5), "test": range(5, 6)}
    return {part: [pattern.format(stem, number) for stem in stems for number in found] for part, found in rows.items()}


def doubts_about(names: dict[str, list[str]]) -> list[str]:
    starts = {"training": 0, "validation": 1000, "test": 2000}
    parts = {name: part(scenes(starts[name], len(found))) for name, found in names.items()}
    return [doubt for doubt in doubts(parts, names, CLASSES) if "running number" in doubt]


PATIENTS = ("anna", "ben7", "carl", "dora", "emil")


@pytest.mark.parametrize("pattern", ["{}_{:03d}.png", "{} ({}).jpg", "{}.frame{}.png", "{}-{}.tar.png"])
def test_names_that_differ_by_a_running_number_across_parts_are_doubted(pattern: str) -> None:
    is_numbered = ".tar" not in pattern  # a number that does not end the name counts nothing
    found = doubts_about(named(*PATIENTS, pattern=pattern))
    assert len(found) == is_numbered
    if is_numbered:
        assert found[0].startswith("5 of 5 examples of the test part")
        assert pattern.format("anna", 5) in found[0]
        assert f"--group '{BY_STEM}'" in found[0]


@pytest.mark.parametrize("pattern", ["a/{}_{:03d}.png", "a/{} ({}).jpg", "{}.frame{}.png", "b/{}{}.png"])
def test_the_pattern_that_is_named_finds_the_groups(pattern: str) -> None:
    names = named("anna", "person3-x", "0012-", "dora", "emil", pattern=pattern)
    codes = of_paths(BY_STEM, names)
    assert {part: np.unique(found).tolist() for part, found in codes.items()} == {key: [0, 1, 2, 3, 4] for key in names}


def test_all_digits_at_the_end_of_a_name_are_its_number() -> None:
    found = [
        _stem(name) for name in ("a/ben7_012.png", "img0041.jpg", "0012_005.png", "17.png", "x (3).png", "a-b.png")
    ]
    assert found == ["a/ben7", "img", "0012", "", "x", ""]


def test_names_that_are_only_numbered_raise_no_doubt() -> None:
    for names in (named("cat", "dog"), named(""), named("img"), named("IMG_cat", "IMG_dog", "IMG_", "x")):
        assert doubts_about(names) == []


def test_groups_that_are_whole_in_their_part_raise_no_doubt() -> None:
    own = {
        "training": [f"{who}_{number}.png" for who in PATIENTS for number in range(4)],
        "validation": ["fred_1.png", "fred_2.png"],
        "test": ["gina_1.png", "gina_2.png"],
    }
    assert doubts_about(own) == []
    assert doubts_about({part: [f"{index}-{part}.png" for index in range(9)] for part in own}) == []
