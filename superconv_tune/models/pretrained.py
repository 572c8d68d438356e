"""Networks with weights: their head, what of them is frozen, and a learning rate for every block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from superconv_tune.core.errors import UserError, did_you_mean, raise_any
from superconv_tune.models.mlp import mlp
from superconv_tune.models.registry import BACKBONE

Head = Literal["linear", "mlp"]
Scales = Mapping[str, tuple[str, float]]  # name of a parameter to the name of its group and the factor on its rate

HIDDEN_LAYERS: Mapping[Head, int] = {"linear": 0, "mlp": 1}
OTHERS = "others"  # the group of what no name covers
LISTS = (nn.Sequential, nn.ModuleList)
IMAGE_AXES = 4  # axes of a batch of images


class OnTop(nn.Module):
    """A head on the outputs of a network that has none."""

    def __init__(self, network: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.head = head

    def forward(self, inputs: Any) -> Tensor:
        """The outputs of the head."""
        outputs: Tensor = self.head(self.network(inputs))
        return outputs


@dataclass(frozen=True)
class Anatomy:
    """Where a network ends.

    Attributes:
        head: name of the linear layer whose outputs are those of the network; empty if there is none.
        features: numbers per item that a head reads: the inputs of that layer, or the outputs of the network; 0 if
            these are not one row of numbers per item.
    """

    head: str
    features: int


def anatomy(model: nn.Module, inputs: Any) -> Anatomy:
    """Find the head by a forward pass of a few items in evaluation mode."""
    seen: dict[str, tuple[Tensor, int]] = {}

    def see(name: str, layer: nn.Linear, _inputs: object, outputs: Tensor) -> None:
        seen[name] = (outputs.flatten(), layer.in_features)

    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    hooks = [layer.register_forward_hook(partial(see, name)) for name, layer in linear.items()]
    outputs = _evaluated(model, inputs)
    for hook in hooks:
        hook.remove()
    if not isinstance(outputs, Tensor):
        return Anatomy("", 0)
    for name, (given, features) in reversed(seen.items()):
        if given.shape == outputs.flatten().shape and torch.equal(given, outputs.flatten()):
            return Anatomy(name, features)
    return Anatomy("", outputs.shape[1] if outputs.dim() == 2 else 0)


def _evaluated(model: nn.Module, inputs: Any) -> Any:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        outputs = model(inputs)
    for module, mode in modes.items():
        module.training = mode
    return outputs


def fresh_head(kind: Head, features: int, outputs: int) -> nn.Module:
    """A head with random weights: one linear layer, or one hidden layer of 256 units before it."""
    return mlp((features,), outputs, 1.0, depth=HIDDEN_LAYERS[kind])


def with_head(model: nn.Module, found: Anatomy, head: nn.Module) -> nn.Module:
    """The network with another head: in the place of its own, or on top of it if it has none."""
    if not found.head:
        return OnTop(model, head)
    owner, _, name = found.head.rpartition(".")
    setattr(model.get_submodule(owner), name, head)
    return model


def without_head(model: nn.Module, found: Anatomy) -> nn.Module:
    """The network, which gives its features: what its head would read."""
    return with_head(model, found, nn.Identity()) if found.head else model


def freeze(model: nn.Module, names: Sequence[str], head: str) -> nn.Module:
    """Freeze modules and parameters: no gradients, and evaluation mode for good, in which norms keep their statistics.

    Args:
        model: changed in place.
        names: of modules or parameters, such as ``layer1`` for all below it; ``backbone`` alone for all but the head.
        head: name of the head's module.

    Raises:
        UserError: if there is nothing of a name, or nothing is left to train.
    """
    raise_any([f"model.freeze: {fault}" for fault in _unknown(model, names) if list(names) != [BACKBONE]])
    for name, parameter in model.named_parameters():
        if _is_frozen(name, names, head):
            parameter.requires_grad = False
    for name, module in model.named_modules():
        if name and _is_frozen(name, names, head):
            _stay_in_evaluation(module)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError(
            f"model.freeze: {', '.join(names)} leaves nothing to train. Add `head: linear` for a fresh layer at the "
            f"end, or freeze less."
        )
    return model


def _is_frozen(name: str, names: Sequence[str], head: str) -> bool:
    if list(names) != [BACKBONE]:
        return any(_is_in(name, frozen) for frozen in names)
    return not head or not (_is_in(name, head) or _is_in(head, name))


def _is_in(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _unknown(model: nn.Module, names: Sequence[str]) -> list[str]:
    known = {name for name, _ in [*model.named_modules(), *model.named_parameters()] if name}
    shown = [name for name, _ in model.named_children()]
    return [
        f"there is no module or parameter {name!r}. {did_you_mean(name, shown)}" for name in names if name not in known
    ]


def _stay_in_evaluation(module: nn.Module) -> None:
    module.eval()
    module.train = partial(_unchanged, module)  # type: ignore[method-assign]


def _unchanged(module: nn.Module, mode: bool = True) -> nn.Module:  # noqa: ARG001, FBT001, FBT002 - torch's signature
    """In place of ``train``: a frozen module keeps its mode."""
    return module


def decayed_scales(model: nn.Module, factor: float, head: str) -> Scales:
    """Scales of the learning rate that fall with the distance from the head: 1 for the head, a factor less per block.

    Howard and Ruder 2018, ULMFiT (arXiv:1801.06146), section 3.2; Clark et al. 2020, ELECTRA (arXiv:2003.10555),
    appendix A.
    """
    found = blocks(model, head)
    depths = reversed(range(len(found)))
    return {
        parameter: (name, factor**depth)
        for (name, parameters), depth in zip(found.items(), depths, strict=True)
        for parameter in parameters
    }


def named_scales(model: nn.Module, factors: Mapping[str, float]) -> Scales:
    """Scales of the learning rate by names of modules or parameters; the longest name counts, all others get 1.

    Raises:
        UserError: if there is nothing of a name.
    """
    raise_any([f"model.lr_scale: {fault}" for fault in _unknown(model, list(factors))])
    scales = {}
    for parameter, _ in model.named_parameters():
        name = max((name for name in factors if _is_in(parameter, name)), key=len, default=OTHERS)
        scales[parameter] = (name, factors.get(name, 1.0))
    return scales


def blocks(model: nn.Module, head: str) -> dict[str, list[str]]:
    """Names of the parameters of every block by the block's name, the one next to the inputs first.

    A block is a member of a list of the network (``nn.Sequential`` or ``nn.ModuleList``), else a module that holds no
    list; the head is one, whatever it holds. What has vectors only, such as a norm, belongs to the block before it, and
    single parameters of a module that is no block, such as an embedding of positions, to the block after them.
    """
    dims = {name: parameter.dim() for name, parameter in model.named_parameters()}
    found: dict[str, list[str]] = {}
    loose: list[str] = []
    for unit, parameters in _units(model, "", head):
        if not unit:
            loose += parameters
        elif found and unit != head and all(dims.get(name, 0) < 2 for name in parameters):
            found[next(reversed(found))] += parameters
        elif parameters:
            found[unit] = [*loose, *parameters]
            loose = []
    if loose:
        found[OTHERS] = loose
    return found


def _units(module: nn.Module, prefix: str, head: str) -> Iterator[tuple[str, list[str]]]:
    """Modules that stay whole, with the names of their parameters; "" for parameters of the module itself."""
    yield "", [f"{prefix}{name}" for name, _ in module.named_parameters(recurse=False)]
    for name, child in module.named_children():
        place = f"{prefix}{name}"
        if isinstance(child, LISTS) and place != head:
            yield from (
                (f"{place}.{member}", _below(inner, f"{place}.{member}")) for member, inner in child.named_children()
            )
        elif place == head or not any(isinstance(each, LISTS) for each in child.modules()):
            yield place, _below(child, place)
        else:
            yield from _units(child, f"{place}.", head)


def _below(module: nn.Module, place: str) -> list[str]:
    return [f"{place}.{name}" for name, _ in module.named_parameters()]


def resized(model: nn.Module, side: int) -> nn.Module:
    """The network, which gets its images in this size, in pixels a side; the weights keep their names."""
    model.register_forward_pre_hook(partial(_resized, side))
    return model


def _resized(side: int, _model: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    images = inputs[0]
    if not isinstance(images, Tensor) or images.dim() != IMAGE_AXES:
        raise UserError(f"model.size: {side} is a size of images, but the network gets other inputs. Leave it out.")
    shrinks = max(images.shape[2:]) > side
    return (interpolate(images, (side, side), mode="bilinear", antialias=shrinks), *inputs[1:])


def own_scale(model: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the pixels, from 0 to 1, that the network was trained with, as timm notes them.

    Raises:
        UserError: if the network does not say.
    """
    for place in ("pretrained_cfg", "default_cfg"):
        noted = getattr(model, place, None)
        if isinstance(noted, Mapping) and {"mean", "std"} <= noted.keys():
            return tuple(map(float, noted["mean"])), tuple(map(float, noted["std"]))
    raise UserError(
        f"model.normalise: {type(model).__name__} does not say which mean and std it was trained with (timm's networks "
        f"do, in `pretrained_cfg`). Write `normalise: imagenet`, or `normalise: {{mean: […], std: […]}}`, of pixels "
        f"from 0 to 1."
    )
