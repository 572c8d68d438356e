"""The features of a frozen network: computed once for each item, kept in the cache, and trained on in its place."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from superconv_tune.core.errors import UserError
from superconv_tune.data import cache
from superconv_tune.data.batches import ResidentSet
from superconv_tune.data.decode import progress
from superconv_tune.data.limits import usable_cpus
from superconv_tune.data.normalise import Normaliser
from superconv_tune.data.parts import Part, RawData, Rows
from superconv_tune.data.split import Split
from superconv_tune.problems.networks import Network
from superconv_tune.training.loop import Runtime, has_images
from superconv_tune.training.randomness import seed_all

VERSION = 1  # of the stored format; raise it when the computation changes
BATCH = 64  # items at once: images are large in a network, whatever their size in the data
FEATURES, INDEX = "features", "index.json"
SAME = 1e-3  # of the largest output: a larger difference is more than rounding


@dataclass(frozen=True)
class Backbone:
    """What stands between the inputs and the features.

    Attributes:
        normaliser: of the inputs; None to convert them to float32 only.
        as_given: whether the inputs keep their number format.
        input_shape: of one input.
        input_type: number format of the inputs before normalisation.
        width: numbers per item; 0 before they were computed.
        parameters: number of frozen parameters; likewise.
        sha256: of the frozen network and its weights; empty likewise.
    """

    normaliser: Normaliser | None
    as_given: bool
    input_shape: tuple[int, ...]
    input_type: str
    width: int = 0
    parameters: int = 0
    sha256: str = ""

    @property
    def note(self) -> str:
        """What is trained on, in a sentence."""
        return (
            f"Only the head is trained, on {self.width:,} features of each item: {self.parameters:,} frozen parameters "
            f"computed them once, of inputs that are not augmented, and they are kept in the cache."
        )


class Assembled(nn.Module):
    """Backbone and trained head as one network, for the inputs of the backbone.

    Args:
        backbone: gives features.
        scale: what the features are normalised by; None if they are not.
        head: reads normalised features.
    """

    def __init__(self, backbone: nn.Module, scale: Normaliser | None, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.mean: Tensor
        self.inverse_std: Tensor
        mean, inverse_std = (scale or Normaliser((0.0,), (1.0,))).on(torch.device("cpu"))
        self.register_buffer("mean", mean)
        self.register_buffer("inverse_std", inverse_std)

    def forward(self, inputs: Any) -> Tensor:
        """The outputs of the head."""
        outputs: Tensor = self.head((self.backbone(inputs) - self.mean) * self.inverse_std)
        return outputs


def on_features(
    raw: RawData, rows: Split, fingerprint: str, network: Network, backbone: Backbone, device: torch.device
) -> tuple[dict[str, Part], Backbone]:
    """The three parts with features in place of inputs, and the backbone with what was found out about it.

    Args:
        raw: the data.
        rows: their split.
        fingerprint: of the data.
        network: the network, with its anatomy.
        backbone: how it reads the inputs.
        device: where it is computed.

    Raises:
        UserError: if the features are not one row of finite numbers per item.
    """
    model = frozen(network)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    given = {"train": raw.train, "validation": raw.validation, "test": raw.test}
    parts = {name: part for name, part in given.items() if part is not None}
    sha256 = sha256_of(model)
    name = cache.key(VERSION, torch.__version__, fingerprint, _code(network), sha256, repr(backbone))
    folder = cache.entry(name, partial(_store, list(parts.values()), model, backbone, device))
    shape = tuple(json.loads((folder / INDEX).read_text(encoding="utf-8"))["shape"])
    base = cache.mapped(folder / FEATURES, shape, "f4")
    stretches = np.split(np.arange(shape[0]), np.cumsum([len(part) for part in parts.values()])[:-1])
    whole = {
        name: replace(part, inputs=Rows(base, stretch))
        for (name, part), stretch in zip(parts.items(), stretches, strict=True)
    }
    chosen = {"train": rows.train, "validation": rows.validation, "test": rows.test}
    made = {name: whole[name] if taken is None else whole["train"].take(taken) for name, taken in chosen.items()}
    return made, replace(backbone, width=shape[1], parameters=parameters, sha256=sha256)


def frozen(network: Network) -> nn.Module:
    """The network without its head, frozen; its random weights, if it has any, are the same each time.

    It seeds the global generators: see `superconv_tune.training.randomness.isolated`.
    """
    return _same(network.backbone)


def _same(make: Callable[[], nn.Module]) -> nn.Module:
    """A network whose random weights, if it has any, are the same each time."""
    seed_all(0)
    return make()


def _code(network: Network) -> list[object]:
    """What decides the features, besides the weights: the code, where it is ours to read, and its arguments."""
    return [sorted(network.source.digests.items()), network.source.function, repr(network.wanted.args), network.select]


def sha256_of(model: nn.Module) -> str:
    """SHA-256 of a network's structure and weights."""
    digest = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _store(parts: list[Part], model: nn.Module, backbone: Backbone, device: torch.device, folder: Path) -> None:
    items, done = sum(map(len, parts)), 0
    with (
        (folder / FEATURES).open("wb") as file,
        all_cores(),
        progress(f"Computing the features of {items:,} items", items) as report,
    ):
        for found in (found for part in parts for found in computed(part, model, backbone, device)):
            if not done:
                cache.require_room(items * found.nbytes // len(found))
            file.write(np.ascontiguousarray(found).data)
            done += len(found)
            report(len(found))
        file.flush()
        os.fsync(file.fileno())
    (folder / INDEX).write_text(json.dumps({"shape": [items, found.shape[1]]}), encoding="utf-8")


def computed(part: Part, model: nn.Module, backbone: Backbone, device: torch.device) -> Iterator[NDArray[np.float32]]:
    """The features of a part, [items, width], batch by batch and always in fp32.

    Args:
        part: the inputs.
        model: the frozen network, which is moved to the device.
        backbone: how it reads the inputs.
        device: where it is computed.

    Raises:
        UserError: if the features are not one row of finite numbers per item.
    """
    runtime = Runtime(device, channels_last=has_images(model))
    model = runtime.place(model)
    for start in range(0, len(part), BATCH):
        inputs = torch.from_numpy(np.array(part.inputs[start : start + BATCH]))
        batch = ResidentSet(inputs, torch.zeros(len(inputs)), backbone.normaliser, as_given=backbone.as_given)
        for read, targets in batch.batches():
            placed, _ = runtime.batch((read, targets))
            with torch.no_grad():
                yield _checked(runtime.forward(model, placed), len(read))


def _checked(features: object, items: int) -> NDArray[np.float32]:
    if not isinstance(features, Tensor) or features.dim() != 2 or len(features) != items:
        shown = list(features.shape) if isinstance(features, Tensor) else f"a {type(features).__name__}"
        raise UserError(
            f"model.freeze: the features of {items} items are {shown}, and not one row of numbers for each. Freeze "
            f"modules by their names instead: the network is then computed in every step."
        )
    if not features.isfinite().all():
        raise UserError("model.freeze: some features are NaN or infinite. Look at `normalise` and at the weights.")
    found: NDArray[np.float32] = features.float().cpu().numpy()
    return found


@contextmanager
def all_cores() -> Iterator[None]:
    """Let torch use all cores that this process may: nothing else runs yet."""
    before = torch.get_num_threads()
    torch.set_num_threads(usable_cpus())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def differs_from_its_head(network: Network, inputs: Any) -> bool:
    """Whether the network changes what its own head gives, so that the head alone would learn something else."""
    whole, features = _same(network.given).eval(), frozen(network)
    assert network.anatomy is not None
    with torch.no_grad():
        outputs = whole(inputs)
        alone = whole.get_submodule(network.anatomy.head)(features(inputs))
    return not torch.allclose(alone, outputs, rtol=0.0, atol=SAME * float(outputs.abs().max().clamp(min=1e-12)))
