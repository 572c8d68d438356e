from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from superconv_tune.data.augment import AUGMENTATIONS
from superconv_tune.spec.spec import Augmentation

IMAGES = torch.rand(64, 3, 16, 24, generator=Generator().manual_seed(0)) + 1  # no value is 0


def augmented(name: str, images: Tensor = IMAGES, seed: int = 5) -> Tensor:
    return AUGMENTATIONS[name](images, Generator().manual_seed(seed))


def test_the_spec_knows_the_same_names() -> None:
    assert set(get_args(Augmentation)) == set(AUGMENTATIONS)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (1, 3, 2, 2), (64, 3, 16, 24)])
def test_it_depends_on_its_generator_alone(name: str, shape: tuple[int, ...]) -> None:
    images = torch.rand(shape)
    before = images.clone()
    state = torch.get_rng_state()
    first, again = (augmented(name, images) for _ in range(2))
    assert first.shape == images.shape
    assert torch.equal(first, again)
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_of_a_batch_differ_in_what_they_get(name: str) -> None:
    same = IMAGES[:1].expand(64, -1, -1, -1)
    assert len({image.numpy().tobytes() for image in augmented(name, same)}) > 1


def test_flip_mirrors_about_half_of_the_images() -> None:
    found = augmented("flip")
    mirrored = (found == IMAGES.flip(-1)).flatten(1).all(1)
    kept = (found == IMAGES).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 16 < mirrored.sum() < 48


def test_shift_takes_a_window_of_the_mirrored_image() -> None:
    rows, columns = 2, 3
    padded = pad(IMAGES, (columns, columns, rows, rows), mode="reflect")
    places = list(product(range(2 * rows + 1), range(2 * columns + 1)))
    windows = torch.stack([padded[:, :, row : row + 16, column : column + 24] for row, column in places])
    hits = (windows == augmented("shift")).flatten(2).all(2)
    assert (hits.sum(0) == 1).all()
    assert len(set(hits.int().argmax(0).tolist())) > 15  # of 35 windows, 64 images see more than a few


def test_cutout_blanks_one_square_in_all_channels() -> None:
    holes = augmented("cutout") == 0
    assert (holes == holes[:, :1]).all()
    rows, columns = holes[:, 0].any(2).sum(1), holes[:, 0].any(1).sum(1)
    assert torch.equal(holes[:, 0].flatten(1).sum(1), rows * columns)
    assert (rows.max().item(), columns.max().item()) == (4, 6)
    assert rows.min() >= 1
    assert torch.equal(augmented("cutout")[~holes], IMAGES[~holes])


def test_colour_changes_contrast_and_the_light_of_each_channel() -> None:
    before, after = IMAGES.flatten(2), augmented("colour").flatten(2)
    contrast = (after[..., 1:] - after[..., :1]) / (before[..., 1:] - before[..., :1])
    of_image = contrast.median(dim=2).values
    assert torch.allclose(of_image, of_image[:, :1].expand(-1, 3), atol=1e-3)  # one contrast for all channels
    light = (after - of_image.unsqueeze(2) * before).mean(dim=2)
    assert ((of_image > 0.79) & (of_image < 1.21)).all()
    assert light.abs().max() < 0.41
    assert (light[:, 0] - light[:, 1]).abs().max() > 0.1
