"""Whole trials on the CPU, and on a GPU where there is one: images, every precision, data that lie on the device."""

from __future__ import annotations

import itertools
import logging
import math
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.augment import AUGMENTATIONS
from superconv_tune.data.batches import Batch, LoaderSource, ResidentSet, ResidentSource
from superconv_tune.data.normalise import Normaliser
from superconv_tune.lr.schedule import Schedule
from superconv_tune.measures.loss_functions import loss_of
from superconv_tune.models.make import make
from superconv_tune.problems.handling import Handling
from superconv_tune.problems.optimizers import OPTIMIZERS
from superconv_tune.problems.problem import BatchSource, Problem
from superconv_tune.record.purpose import LongRun, RangeTest
from superconv_tune.record.trial import Cycle, Precision, Ramps, TrialRequest
from superconv_tune.training.memory import release
from superconv_tune.trial.checkpointing import Checkpoint
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker
from tests.devices import DEVICES, NEEDS_GPU, ON_GPU
from tests.fakes import ACCURACY, FakeClock, MemoryTracker, toy_problem

CPU = torch.device("cpu")
# Convolutions in half precision are emulated on most CPUs, which takes half a minute a trial.
DEVICES_AND_PRECISIONS = [
    pytest.param(CPU, "fp32", id="cpu-fp32"),
    *(
        pytest.param(torch.device("cuda"), name, id=f"cuda-{name}", marks=NEEDS_GPU)
        for name in ("fp32", "bf16", "fp16")
    ),
]
CLASSES = 4
ITEMS = 512
BATCH = 32
EPOCH = ITEMS // BATCH
PARAMS = Hyperparameters(cycle_epochs=6.0, batch_size=BATCH)
REQUEST = TrialRequest(
    "trial", 1, LongRun(), Cycle(0.05, reads_test=True), params=PARAMS, schedule=Schedule(), seed=7, deadline=math.inf
)


def pictures(device: torch.device, augmentations: tuple[str, ...] = (), optimizer: str = "sgd") -> Problem:
    """Noisy copies of four pictures, and a tiny ResNet-9."""
    random = np.random.default_rng(0)
    patterns = random.integers(256, size=(CLASSES, 3, 8, 8))
    targets = np.arange(ITEMS + 256) % CLASSES
    noisy = 0.6 * patterns[targets] + 0.4 * random.integers(256, size=(len(targets), 3, 8, 8))
    scale = Normaliser.of(noisy.astype(np.uint8), np.arange(ITEMS))
    images, labels = torch.from_numpy(noisy.astype(np.uint8)).to(device), torch.from_numpy(targets).to(device)
    held = ResidentSet(images[ITEMS:], labels[ITEMS:], scale)
    return Problem(
        device=device,
        make_model=partial(make, "resnet9", (3, 8, 8), CLASSES, width=0.0625),
        make_optimizer=OPTIMIZERS[optimizer],
        loss=loss_of("balanced_cross_entropy", CLASSES, targets[:ITEMS], device),
        metric=ACCURACY,
        train=ResidentSource(images[:ITEMS], labels[:ITEMS], scale, augmentations),
        validation=held,
        test=held,
        trivial_value=1.0 / CLASSES,
        handling=Handling(channels_last=True),
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("device", "precision"), DEVICES_AND_PRECISIONS)
def test_a_trial_learns_pictures_in_every_precision(device: torch.device, precision: Precision, optimizer: str) -> None:
    seen: list[nn.Module] = []

    def watched() -> nn.Module:
        seen.append(problem.make_model())
        return seen[-1]

    problem = pictures(device, optimizer=optimizer)
    request = replace(REQUEST, precision=precision, work=Cycle(0.05 if optimizer == "sgd" else 0.01, reads_test=True))
    outcome = run(request, replace(problem, make_model=watched), NullTracker(), FakeClock())
    assert (outcome.status, outcome.reason) == ("finished", "")
    assert outcome.steps == 6 * EPOCH
    assert outcome.validation is not None
    assert outcome.validation > 0.9
    assert outcome.test == outcome.validation
    (model,) = seen
    for parameter in model.parameters():
        assert (parameter.device.type, parameter.dtype) == (device.type, torch.float32)
        if parameter.dim() == 4:
            assert parameter.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("device", DEVICES)
def test_every_augmentation_is_made_on_the_device(device: torch.device) -> None:
    source = pictures(device, tuple(AUGMENTATIONS)).train
    one, other = (list(itertools.islice(source.stream(BATCH, 1), EPOCH + 2)) for _ in range(2))
    for (images, labels), (again, _) in zip(one, other, strict=True):
        assert (images.device.type, labels.device.type) == (device.type, device.type)
        assert torch.equal(images, again)


@pytest.mark.parametrize(("device", "precision"), DEVICES_AND_PRECISIONS)
def test_a_range_test_finds_rates_on_the_device(device: torch.device, precision: Precision) -> None:
    request = replace(REQUEST, work=Ramps(1e-5, 10.0), purpose=RangeTest(), precision=precision)
    outcome = run(request, pictures(device), NullTracker(), FakeClock())
    assert (outcome.status, outcome.reason) == ("finished", "")
    assert outcome.range_test is not None
    assert 1e-4 < outcome.range_test.edge < 100.0


class Greedy(nn.Module):
    """Holds 64 MiB for its backward pass, and then asks for more than any machine has."""

    def __init__(self, held: list[weakref.ref[Tensor]]) -> None:
        super().__init__()
        self.held = held
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, inputs: Tensor) -> Tensor:
        held = torch.ones(2**24, device=inputs.device) * self.scale
        self.held.append(weakref.ref(held))
        return held[:CLASSES].square() * torch.empty(2**46, device=inputs.device)[:CLASSES]


@pytest.mark.parametrize("device", DEVICES)
def test_too_little_memory_is_an_outcome_and_the_next_trial_finds_all_of_it(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # pytest keeps what was logged, frames too
    held: list[weakref.ref[Tensor]] = []
    problem = pictures(device)
    release(device)
    before = torch.cuda.memory_reserved() if device.type == "cuda" else 0
    outcome = run(REQUEST, replace(problem, make_model=partial(Greedy, held)), NullTracker(), FakeClock())
    assert (outcome.status, outcome.objective) == ("oom", problem.trivial_value)
    assert [reference() for reference in held] == [None]
    after = torch.cuda.memory_reserved() if device.type == "cuda" else 0
    assert after <= before
    assert run(REQUEST, problem, NullTracker(), FakeClock()).status == "finished"


class Power(MemoryTracker):
    """Fails after so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def record(self, phase: Any, block: Any) -> None:
        super().record(phase, block)
        if len(self.curve("cycle")) >= self._steps:
            raise KeyboardInterrupt


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("device", DEVICES)
def test_an_interrupted_cycle_goes_on_from_its_checkpoint(
    device: torch.device, precision: Precision, tmp_path: Path
) -> None:
    """With dropout, drawn on the device: its generator goes on too."""
    request, problem = replace(REQUEST, precision=precision), toy_problem(device=device)
    whole, continued = MemoryTracker(), MemoryTracker()
    expected = run(request, problem, whole, FakeClock())
    with pytest.raises(KeyboardInterrupt):
        run(request, problem, Power(40), FakeClock(), checkpoint=Checkpoint(tmp_path / "c.pt"))
    outcome = run(
        replace(request, attempt=2), problem, continued, FakeClock(), checkpoint=Checkpoint(tmp_path / "c.pt")
    )
    np.testing.assert_array_equal(continued.curve("cycle").loss, whole.curve("cycle").loss)
    assert (outcome.validation, outcome.test_correct) == (expected.validation, expected.test_correct)


@pytest.mark.parametrize("device", DEVICES)
def test_batches_of_a_loader_come_to_the_device(device: torch.device) -> None:
    """From pinned memory where the loader pins it: the copy that is not waited for has arrived when it is read."""
    data = TensorDataset(torch.arange(4096 * 64).reshape(64, 4096).float(), torch.arange(64))

    def made(batch_size: int, _seed: int) -> Iterable[Batch]:
        return DataLoader(data, batch_size, pin_memory=device.type == "cuda")

    batches = list(itertools.islice(LoaderSource(made, 64, device).stream(16, 0), 8))
    for number, (inputs, targets) in enumerate(batches):
        first = 16 * (number % 4)
        assert (inputs.device.type, targets.device.type) == (device.type, device.type)
        assert torch.equal(targets.cpu(), torch.arange(first, first + 16))
        assert torch.equal(inputs[:, 0].cpu(), 4096.0 * torch.arange(first, first + 16))


@pytest.mark.parametrize("device", DEVICES)
def test_a_trial_leaves_the_generators_of_the_device_alone(device: torch.device) -> None:
    def draw() -> Tensor:
        return torch.rand(3, device=device)

    torch.manual_seed(5)
    expected = [draw(), draw()]
    torch.manual_seed(5)
    first = draw()
    run(REQUEST, toy_problem(device=device), NullTracker(), FakeClock())
    assert torch.equal(first, expected[0])
    assert torch.equal(draw(), expected[1])


@pytest.mark.parametrize("device", [ON_GPU])
def test_a_gpu_trains_what_the_cpu_trains(device: torch.device) -> None:
    """The same weights, batches and order; only the rounding is another."""
    losses = []
    for where in (CPU, device):
        tracker = MemoryTracker()
        run(replace(REQUEST, work=Cycle(0.005)), pictures(where), tracker, FakeClock())
        losses.append(tracker.curve("cycle").loss)
    np.testing.assert_allclose(losses[1][:5], losses[0][:5], rtol=0.02)
    np.testing.assert_allclose(losses[1][-16:].mean(), losses[0][-16:].mean(), atol=0.1)


@contextmanager
def no_waiting() -> Iterator[None]:
    """Whatever makes the host wait for the GPU is an error inside."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


class Watched:
    """A source that forbids waiting in all steps but those that begin or end a block, after which a cycle is read.

    The last step of all ends a block too, a shorter one.
    """

    def __init__(self, source: BatchSource, steps: int, block_steps: int, per_step: int) -> None:
        self._source, self._last, self._block, self._per_step = source, steps - 1, block_steps, per_step
        self.steps = 0

    def steps_per_epoch(self, batch_size: int) -> int:
        return self._source.steps_per_epoch(batch_size)

    def stream(self, batch_size: int, seed: int, first_step: int = 0) -> Iterator[Batch]:
        batches = self._source.stream(batch_size, seed, first_step)
        for number in itertools.count():
            step = number // self._per_step
            if 0 < step % self._block < self._block - 1 and step < self._last:
                with no_waiting():
                    yield next(batches)  # the mode holds until the next batch is asked for: for the whole step
                self.steps += 1
            else:
                yield next(batches)

    def part(self, share: float, seed: int) -> BatchSource:
        raise NotImplementedError


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")  # torch says that it is a prototype
@pytest.mark.parametrize("device", [ON_GPU])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("micro_batches", [1, 2])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_step_waits_for_the_gpu(
    device: torch.device, optimizer: str, micro_batches: int, precision: Precision
) -> None:
    """Drawing and augmenting the batch, a new epoch, a loss with weights, the optimizer: all are only queued."""
    problem = pictures(device, tuple(AUGMENTATIONS), optimizer)
    steps = 6 * EPOCH // micro_batches
    source = Watched(problem.train, steps, steps // 10 + 1, micro_batches)
    watched = replace(problem, train=source, micro_batches=micro_batches)
    outcome = run(replace(REQUEST, precision=precision, work=Cycle(0.01)), watched, NullTracker(), FakeClock())
    assert (outcome.status, outcome.reason) == ("finished", "")
    assert source.steps > 0.5 * steps
