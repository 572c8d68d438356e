"""Sizes and values that the models' authors state, or that follow from them by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from superconv_tune.core.errors import UserError
from superconv_tune.models.make import make


def parameters(model: nn.Module) -> int:
    return sum(value.numel() for value in model.parameters())


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_resnet_cifar_has_the_size_in_the_paper(depth: int, millions: float) -> None:
    """He et al. 2015, table 6."""
    assert parameters(make("resnet_cifar", (3, 32, 32), 10, depth=depth)) / 1e6 == pytest.approx(millions, rel=0.02)


def test_resnet_cifar_blocks_start_as_the_identity() -> None:
    """With silent branches only the stem, the subsampling and the mean are left."""
    model = make("resnet_cifar", (3, 8, 8), 10).eval()
    assert isinstance(model, nn.Sequential)
    inputs = torch.randn(5, 3, 8, 8)
    stem = model[:3](inputs)
    features = model[:-1](inputs)
    assert features.shape == (5, 64)
    torch.testing.assert_close(features[:, :16], stem[:, :, ::4, ::4].mean((2, 3)))
    assert not features[:, 16:].any()


def test_lenet5_has_the_size_of_caffe_s() -> None:
    """431,080 weights: 20x25+20, 50x20x25+50, 500x800+500, 10x500+10."""
    assert parameters(make("lenet5", (1, 28, 28), 10)) == 431_080


def test_resnet9_has_the_size_in_the_recipe() -> None:
    """Convolutions, two numbers per norm channel, and the head without a bias."""
    pairs = [(3, 64), (64, 128), (128, 128), (128, 128), (128, 256), (256, 512), (512, 512), (512, 512)]
    expected = sum(9 * before * units + 2 * units for before, units in pairs) + 512 * 10
    assert parameters(make("resnet9", (3, 32, 32), 10)) == expected


def test_cnn1d_ends_in_125_features_on_mnist1d() -> None:
    """40 samples shrink to 19, 10, 5, as in the data set's own net."""
    head = list(make("cnn1d", (1, 40), 10).modules())[-1]
    assert isinstance(head, nn.Linear)
    assert head.in_features == 125


def test_mlp_without_hidden_layers_is_linear() -> None:
    model = make("mlp", (2, 3), 4, depth=0)
    one, other = torch.randn(2, 5, 2, 3).unbind()
    torch.testing.assert_close(model(one) + model(other), model(one + other) + model(torch.zeros(5, 2, 3)))


@pytest.mark.parametrize("depth", [-1, 1.5, True])
def test_mlp_counts_its_layers(depth: object) -> None:
    with pytest.raises(UserError, match="0 or more"):
        make("mlp", (3,), 2, depth=depth)


def test_resnet_cifar_names_all_wrong_options() -> None:
    with pytest.raises(UserError) as raised:
        make("resnet_cifar", (3, 32, 32), 10, depth=21, shortcut="C")
    assert [message.split()[1] for message in raised.value.messages] == ["depth", "shortcut"]


@pytest.mark.parametrize(("name", "side"), [("lenet5", 4), ("resnet9", 8), ("resnet_cifar", 4)])
def test_images_may_be_just_so_small(name: str, side: int) -> None:
    assert make(name, (1, side, side), 3, 0.1).eval()(torch.zeros(2, 1, side, side)).shape == (2, 3)
    with pytest.raises(UserError, match=f"at least {side} x {side}"):
        make(name, (1, side - 1, side), 3, 0.1)


def test_text_bytes_does_not_see_how_far_a_text_was_padded() -> None:
    texts = torch.zeros(2, 20, dtype=torch.uint8)
    texts[0, :12] = torch.tensor(list(b"a short text"))
    texts[1, :3] = torch.tensor(list(b"two"))
    model = make("text_bytes", (20,), 4).eval()
    longer = torch.cat([texts, torch.zeros(2, 30, dtype=torch.uint8)], dim=1)
    assert torch.allclose(model(texts), model(longer), atol=1e-6)
    assert torch.equal(model(texts), model(texts.float()))  # batches come as floats, which hold bytes exactly
    assert model(torch.zeros(1, 20)).isfinite().all()  # an empty text


def test_text_bytes_tells_the_order_of_letters() -> None:
    texts = torch.tensor([list(b"dog bites man"), list(b"man bites dog")])
    first, second = make("text_bytes", (13,), 4).eval()(texts)
    assert not torch.allclose(first, second)
