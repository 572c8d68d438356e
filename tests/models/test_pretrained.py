"""Networks with weights: where they end, what is frozen, and the rates of their blocks."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from superconv_tune.core.errors import UserError
from superconv_tune.models.mlp import mlp
from superconv_tune.models.pretrained import (
    Anatomy,
    anatomy,
    blocks,
    decayed_scales,
    freeze,
    fresh_head,
    named_scales,
    own_scale,
    resized,
    with_head,
    without_head,
)


class Block(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(units, units, 3, padding=1)
        self.norm = nn.BatchNorm2d(units)
        self.drop = nn.Dropout(0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = inputs + self.drop(self.norm(self.conv(inputs)))
        return outputs


class Net(nn.Module):
    """Stem, norm, position, two blocks in a list, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(1, 4, 1, 1))
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.stem_norm = nn.BatchNorm2d(4)
        self.layers = nn.Sequential(Block(4), Block(4))
        self.fc = nn.Linear(4, 5)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.layers(self.stem_norm(self.stem(images)) + self.position)
        outputs: Tensor = self.fc(hidden.mean(dim=(2, 3)))
        return outputs


def images(items: int = 6) -> Tensor:
    return torch.randn(items, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_the_head_is_the_linear_layer_that_gives_the_outputs() -> None:
    assert anatomy(Net(), images()) == Anatomy("fc", 4)


def test_a_linear_layer_whose_outputs_are_changed_is_no_head() -> None:
    scaled = nn.Sequential(OrderedDict(net=Net(), softmax=nn.Softmax(dim=1)))
    assert anatomy(scaled, images()) == Anatomy("", 5)
    assert anatomy(nn.Conv2d(3, 2, 1), images()) == Anatomy("", 0)


def test_looking_for_the_head_leaves_the_network_as_it_was() -> None:
    model = Net()
    model.layers.eval()
    before = state(model)
    anatomy(model, images())
    assert model.training
    assert not model.layers.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(model).items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_a_fresh_head_takes_the_place_of_the_old_one(kind: str) -> None:
    model = Net()
    found = anatomy(model, images())
    features = without_head(copy.deepcopy(model), found).eval()(images())
    head = fresh_head(kind, found.features, 7)  # type: ignore[arg-type]
    whole = with_head(model, found, head).eval()
    assert whole is model
    torch.testing.assert_close(whole(images()), head(features))
    assert whole(images()).shape == (6, 7)


def test_a_network_without_a_head_gets_one_on_top() -> None:
    body = nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.ReLU())
    found = anatomy(body, images())
    assert found == Anatomy("", 6)
    assert without_head(body, found) is body
    head = fresh_head("linear", 6, 2)
    torch.testing.assert_close(with_head(body, found, head)(images()), head(body(images())))


def trained_a_step(model: nn.Module) -> None:
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    nn.functional.cross_entropy(model(images()), torch.arange(6) % 5).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def test_frozen_blocks_keep_weights_statistics_and_mode() -> None:
    model = freeze(Net(), ["stem", "stem_norm", "layers.0"], "fc")
    before = state(model)
    trained_a_step(model)
    changed = {name for name, tensor in state(model).items() if not torch.equal(tensor, before[name])}
    assert {name.rpartition(".")[0] for name in changed} == {"", "layers.1.conv", "layers.1.norm", "fc"}
    model.train()
    modes = {name: module.training for name, module in model.named_modules()}
    assert not any(modes[name] for name in ("stem_norm", "layers.0", "layers.0.norm", "layers.0.drop"))
    assert all(modes[name] for name in ("", "layers", "layers.1.norm", "layers.1.drop", "fc"))


def test_all_but_the_head_is_frozen_by_one_word() -> None:
    model = freeze(Net(), ["backbone"], "fc")
    before = state(model)
    trained_a_step(model)
    changed = {name for name, tensor in state(model).items() if not torch.equal(tensor, before[name])}
    assert changed == {"fc.weight", "fc.bias"}
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == changed


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_frozen_network_is_frozen(copied: object) -> None:
    model = freeze(Net(), ["layers.0"], "fc")
    other = copied(model)  # type: ignore[operator]
    other.train()
    assert not other.layers[0].norm.training
    assert other.layers[0].train() is other.layers[0]
    assert other.layers[1].norm.training


def test_a_name_ends_at_a_dot() -> None:
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(11)))
    freeze(model, ["1"], "10")
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == {
        "1.weight",
        "1.bias",
    }


def test_what_cannot_be_frozen_is_said() -> None:
    with pytest.raises(UserError, match=r"no module or parameter 'layer'. Did you mean 'layers'"):
        freeze(Net(), ["layer"], "fc")
    with pytest.raises(UserError, match=r"leaves nothing to train. Add `head: linear`"):
        freeze(Net(), ["backbone"], "")


def test_blocks_are_the_members_of_lists_with_norms_and_loose_parameters_beside_them() -> None:
    found = blocks(Net(), "fc")
    assert list(found) == ["stem", "layers.0", "layers.1", "fc"]
    assert found["stem"] == ["position", "stem.weight", "stem.bias", "stem_norm.weight", "stem_norm.bias"]
    assert found["fc"] == ["fc.weight", "fc.bias"]
    every = [name for names in found.values() for name in names]
    assert sorted(every) == sorted(name for name, _ in Net().named_parameters())


def test_a_head_of_two_layers_is_one_block() -> None:
    model = Net()
    model.fc = mlp((4,), 5, 1.0, depth=1)  # type: ignore[assignment]
    assert list(blocks(model, "fc")) == ["stem", "layers.0", "layers.1", "fc"]
    assert list(blocks(model, ""))[-2:] == ["fc.1", "fc.3"]


def test_lists_inside_other_modules_are_found() -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(3, 2)
            self.layer = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])

    model = nn.Module()
    model.bert = Encoder()
    model.classifier = nn.Linear(2, 2)
    assert list(blocks(model, "classifier")) == ["bert.embedding", "bert.layer.0", "bert.layer.1", "classifier"]


def test_the_rate_falls_by_a_factor_per_block() -> None:
    scales = decayed_scales(Net(), 0.5, "fc")
    assert scales["fc.bias"] == ("fc", 1.0)
    assert scales["layers.1.conv.weight"] == scales["layers.1.norm.bias"] == ("layers.1", 0.5)
    assert scales["layers.0.conv.weight"] == ("layers.0", 0.25)
    assert scales["stem.weight"] == scales["position"] == ("stem", 0.125)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "head"), [("vit_tiny_patch16_224", "head"), ("resnet18", "fc")])
def test_timm_has_the_same_rates(name: str, head: str) -> None:
    timm, optim = pytest.importorskip("timm"), pytest.importorskip("timm.optim")
    model = timm.create_model(name, pretrained=False, num_classes=3)
    assert anatomy(model, torch.randn(2, 3, 224, 224)).head == head
    groups = optim.param_groups_layer_decay(model, weight_decay=0.0, no_weight_decay_list=[], layer_decay=0.5)
    theirs = {id(parameter): group["lr_scale"] for group in groups for parameter in group["params"]}
    ours = decayed_scales(model, 0.5, head)
    assert {key: scale for key, (_, scale) in ours.items()} == {
        key: theirs[id(parameter)] for key, parameter in model.named_parameters()
    }


def test_rates_by_name_and_the_longest_name_counts() -> None:
    scales = named_scales(Net(), {"layers": 0.1, "layers.1": 0.3})
    assert scales["layers.0.conv.weight"] == ("layers", 0.1)
    assert scales["layers.1.conv.weight"] == ("layers.1", 0.3)
    assert scales["fc.weight"] == ("others", 1.0)
    with pytest.raises(UserError, match=r"model.lr_scale: there is no module or parameter 'layr'"):
        named_scales(Net(), {"layr": 0.1})


def test_images_are_resized_on_their_way_in() -> None:
    model = resized(nn.Identity(), 16)
    assert model(images()).shape == (6, 3, 16, 16)
    torch.testing.assert_close(model(torch.full((1, 1, 5, 7), 0.25)), torch.full((1, 1, 16, 16), 0.25))
    with pytest.raises(UserError, match=r"model.size: 16 is a size of images"):
        model(torch.zeros(2, 3))


def test_shrinking_does_not_skip_pixels() -> None:
    stripes = torch.zeros(1, 1, 64, 64)
    stripes[..., ::2] = 1.0
    assert resized(nn.Identity(), 16)(stripes).std() < 0.1


def test_the_scale_is_what_the_network_notes() -> None:
    model = Net()
    with pytest.raises(UserError, match=r"Net does not say .*`normalise: imagenet`"):
        own_scale(model)
    model.pretrained_cfg = {"mean": (0.5, 0.5, 0.4), "std": [0.2, 0.2, 0.1]}  # type: ignore[assignment]
    assert own_scale(model) == ((0.5, 0.5, 0.4), (0.2, 0.2, 0.1))
