from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import Batch
from superconv_tune.lr.schedule import Knobs
from superconv_tune.problems.optimizers import OPTIMIZERS
from superconv_tune.training.loop import MOST_SKIPS, Runtime, apply, supports_bf16, train
from tests.devices import DEVICES
from tests.fakes import FakeClock, TensorSource, toy_model, toy_optimizer, toy_problem

CPU = Runtime(torch.device("cpu"))


def steady(steps: int, lr: float = 0.05) -> Callable[[int], Knobs | None]:
    return lambda step: Knobs(lr, 0.9, 0.0) if step < steps else None


def start(
    steps: int,
    block_steps: int,
    runtime: Runtime = CPU,
    clock: Callable[[], float] | None = None,
    round_steps: int = 0,
) -> Iterator[Curve]:
    torch.manual_seed(0)
    problem = toy_problem()
    model = toy_model()
    return train(
        model,
        toy_optimizer(model, Hyperparameters()),
        problem.train.stream(32, seed=0),
        F.cross_entropy,
        steady(steps),
        runtime=runtime,
        clock=clock or FakeClock(),
        block_steps=block_steps,
        round_steps=round_steps,
    )


class HostReads(TorchFunctionMode):
    """Counts every way in which the value of a tensor gets to the host."""

    WAYS: ClassVar = {
        Tensor.cpu, Tensor.item, Tensor.tolist, Tensor.numpy, Tensor.__float__, Tensor.__bool__, Tensor.__int__,
        Tensor.__index__, Tensor.__array__,
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.moves = 0
        self.others = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.cpu:
            self.moves += 1
        elif func in self.WAYS and func is not Tensor.numpy:  # of a tensor that is on the host already
            self.others += 1
        return func(*args, **(kwargs or {}))


def test_the_host_reads_the_device_once_per_block() -> None:
    with HostReads() as reads:
        blocks = list(start(steps=23, block_steps=5))
    assert [len(block) for block in blocks] == [5, 5, 5, 5, 3]
    assert reads.moves == len(blocks)
    assert reads.others == 0


def test_a_block_ends_at_every_round_number_of_steps_too() -> None:
    blocks = list(start(steps=23, block_steps=6, round_steps=10))
    assert [len(block) for block in blocks] == [6, 4, 6, 4, 3]
    assert Curve.join(blocks) == Curve.join(list(start(steps=23, block_steps=6)))


def test_every_step_is_recorded_as_a_bare_loop_trains_it() -> None:
    problem = toy_problem()
    torch.manual_seed(0)
    model = toy_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    expected = []
    for inputs, targets in itertools.islice(problem.train.stream(32, seed=0), 12):
        loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        expected.append(loss.item())
    curve = Curve.join(list(start(steps=12, block_steps=5)))
    np.testing.assert_array_equal(curve.loss, expected)
    np.testing.assert_array_equal(curve.step, np.arange(12))
    np.testing.assert_array_equal(curve.lr, np.full(12, 0.05))
    np.testing.assert_array_equal(curve.momentum, np.full(12, 0.9))


def test_seconds_count_from_the_start_of_the_training() -> None:
    curve = Curve.join(list(start(steps=4, block_steps=3, clock=FakeClock(now=500.0, tick_s=2.0))))
    np.testing.assert_array_equal(curve.elapsed_s, [2.0, 4.0, 6.0, 8.0])


def test_block_length_changes_nothing_that_is_learned() -> None:
    whole, parts = (Curve.join(list(start(steps=20, block_steps=n))) for n in (20, 3))
    assert whole == parts


def test_no_batch_is_read_beyond_the_last_step() -> None:
    read = []

    def batches() -> Iterator[Batch]:
        for step, batch in enumerate(toy_problem().train.stream(32, seed=0)):
            read.append(step)
            yield batch

    model = toy_model()
    optimizer = toy_optimizer(model, Hyperparameters())
    list(train(model, optimizer, batches(), F.cross_entropy, steady(7), runtime=CPU, clock=FakeClock()))
    assert read == list(range(7))


def test_a_loss_that_is_not_a_number_is_recorded_and_training_goes_on() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    source = TensorSource(torch.tensor([[1.0, float("nan")]]), torch.zeros(1, 1))
    blocks = train(
        model, optimizer, source.stream(1, 0), F.mse_loss, steady(6), runtime=CPU, clock=FakeClock(), block_steps=4
    )
    curve = Curve.join(list(blocks))
    assert len(curve) == 6
    assert np.isnan(curve.loss).all()


def test_knobs_reach_every_group_and_weight_decay_only_those_that_want_it() -> None:
    model = toy_model()
    optimizer = toy_optimizer(model, Hyperparameters(weight_decay=1e-2))
    apply(optimizer, Knobs(lr=0.3, momentum=0.7, weight_decay=1e-3))
    assert [group["lr"] for group in optimizer.param_groups] == [0.3, 0.3]
    assert [group["momentum"] for group in optimizer.param_groups] == [0.7, 0.7]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [1e-3, 0.0]


def test_momentum_is_the_first_beta_where_there_are_betas() -> None:
    optimizer = torch.optim.AdamW(nn.Linear(2, 2).parameters(), betas=(0.9, 0.98))
    apply(optimizer, Knobs(lr=0.3, momentum=0.7, weight_decay=1e-3))
    assert optimizer.param_groups[0]["betas"] == (0.7, 0.98)
    assert "momentum" not in optimizer.param_groups[0]


def test_an_optimizer_without_momentum_gets_none() -> None:
    optimizer = torch.optim.Adagrad(nn.Linear(2, 2).parameters())
    apply(optimizer, Knobs(lr=0.3, momentum=0.7, weight_decay=1e-3))
    assert "momentum" not in optimizer.param_groups[0]


@pytest.mark.skipif(not supports_bf16(torch.device("cpu")), reason="this CPU does not compute in bf16")
def test_bf16_learns_what_fp32_learns_and_hands_fp32_to_the_loss() -> None:
    outputs = Runtime(torch.device("cpu"), "bf16").forward(nn.Linear(8, 4), torch.randn(3, 8))
    assert outputs.dtype is torch.float32
    half, full = (Curve.join(list(start(60, 20, Runtime(torch.device("cpu"), p)))) for p in ("bf16", "fp32"))
    assert not np.array_equal(half.loss, full.loss)  # it really computed in bf16
    np.testing.assert_allclose(half.loss[-20:].mean(), full.loss[-20:].mean(), atol=0.1)


def test_channels_last_holds_for_the_model_and_every_image_but_for_nothing_else() -> None:
    runtime = Runtime(torch.device("cpu"), channels_last=True)
    model = runtime.place(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 4)))
    images, targets = runtime.batch((torch.randn(5, 3, 8, 8), torch.arange(5)))
    assert images.is_contiguous(memory_format=torch.channels_last)
    weight = model[0].weight  # type: ignore[index]
    assert weight.is_contiguous(memory_format=torch.channels_last)
    rows, _ = runtime.batch((torch.randn(5, 7), targets))
    assert rows.is_contiguous()


def test_double_precision_of_the_user_is_kept() -> None:
    outputs = CPU.forward(nn.Linear(2, 2).double(), torch.ones(1, 2, dtype=torch.float64))
    assert outputs.dtype is torch.float64


def test_a_block_without_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="block_steps >= 1"):
        next(start(steps=1, block_steps=0))


def test_batches_that_run_out_are_an_error_and_no_quiet_end() -> None:
    model = toy_model()
    batches = itertools.islice(toy_problem().train.stream(32, seed=0), 3)
    blocks = train(
        model,
        toy_optimizer(model, Hyperparameters()),
        batches,
        F.cross_entropy,
        steady(9),
        runtime=CPU,
        clock=FakeClock(),
    )
    with pytest.raises(RuntimeError):
        list(blocks)


# Micro-batches and skipped steps


def plain_model() -> nn.Module:
    """Without batch norm and dropout: the loss of a batch is a mean over its items."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))


def trained(
    batches: Iterator[Batch],
    steps: int,
    micro_batches: int = 1,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    runtime: Runtime = CPU,
    knobs: Callable[[int], Knobs | None] | None = None,
) -> tuple[nn.Module, Curve]:
    model = plain_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    blocks = train(
        model,
        optimizer,
        batches,
        loss,
        knobs or steady(steps),
        runtime=runtime,
        clock=FakeClock(),
        block_steps=5,
        micro_batches=micro_batches,
    )
    return model, Curve.join(list(blocks))


@pytest.mark.parametrize("micro_batches", [2, 4])
def test_micro_batches_train_as_one_batch_of_their_items_does(micro_batches: int) -> None:
    small = list(itertools.islice(toy_problem().train.stream(24, seed=0), 12 * micro_batches))
    parts = [small[k : k + micro_batches] for k in range(0, len(small), micro_batches)]
    joined = [(torch.cat([x for x, _ in part]), torch.cat([y for _, y in part])) for part in parts]
    model, curve = trained(iter(small), 12, micro_batches)
    expected, whole = trained(iter(joined), 12)
    np.testing.assert_array_equal(curve.step, np.arange(12))
    np.testing.assert_allclose(curve.loss, whole.loss, rtol=1e-5)
    for own, other in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)


def test_one_step_reads_its_micro_batches_and_no_more() -> None:
    read = []

    def batches() -> Iterator[Batch]:
        for number, batch in enumerate(toy_problem().train.stream(24, seed=0)):
            read.append(number)
            yield batch

    trained(batches(), 7, micro_batches=3)
    assert read == list(range(21))


def test_micro_batches_are_read_by_the_host_once_per_block_too() -> None:
    batches = toy_problem().train.stream(24, seed=0)
    with HostReads() as reads:
        trained(batches, 13, micro_batches=3)
    assert (reads.moves, reads.others) == (3, 0)


def test_a_step_without_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="micro_batches >= 1"):
        trained(iter(()), 1, micro_batches=0)


class Overflowing:
    """Cross-entropy whose gradients overflow under any usual loss scale, in the calls that are named."""

    def __init__(self, calls: set[int]) -> None:
        self.calls = calls
        self.count = 0

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        loss = F.cross_entropy(outputs, targets)
        factor = 1e36 if self.count in self.calls else 1.0
        self.count += 1
        return loss * factor


FP16 = Runtime(torch.device("cpu"), "fp16")


def numbered(step: int) -> Knobs | None:
    return Knobs(0.01 * (step + 1), 0.9, 0.0) if step < 12 else None


def test_a_skipped_step_is_taken_again_and_leaves_no_point() -> None:
    overflow = Overflowing({0, 3, 4, 9})
    _, curve = trained(toy_problem().train.stream(32, seed=0), 12, loss=overflow, runtime=FP16, knobs=numbered)
    assert overflow.count == 12 + 4
    np.testing.assert_array_equal(curve.step, np.arange(12))
    np.testing.assert_allclose(curve.lr, 0.01 * np.arange(1, 13))
    assert (curve.loss < 10.0).all()  # none of those that were skipped


def test_skipped_batches_change_nothing_of_the_model() -> None:
    stream = list(itertools.islice(toy_problem().train.stream(32, seed=0), 16))
    kept = [batch for number, batch in enumerate(stream) if number not in {0, 3, 4, 9}]
    model, curve = trained(iter(stream), 12, loss=Overflowing({0, 3, 4, 9}), runtime=FP16, knobs=numbered)
    expected, without = trained(iter(kept), 12, runtime=FP16, knobs=numbered)
    np.testing.assert_allclose(curve.loss, without.loss, rtol=1e-3)
    for own, other in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-2, atol=1e-4)


def test_micro_batches_of_a_skipped_step_are_skipped_together() -> None:
    overflow = Overflowing({4})  # the second of step 1
    _, curve = trained(toy_problem().train.stream(24, seed=0), 5, 3, loss=overflow, runtime=FP16)
    assert overflow.count == 5 * 3 + 3
    assert (curve.loss < 10.0).all()


def test_fp16_learns_what_fp32_learns() -> None:
    half, full = (trained(toy_problem().train.stream(32, seed=0), 60, runtime=r)[1] for r in (FP16, CPU))
    assert not np.array_equal(half.loss, full.loss)  # it really computed in fp16
    np.testing.assert_allclose(half.loss[-20:].mean(), full.loss[-20:].mean(), atol=0.05)


def test_a_loss_that_always_overflows_ends_as_points_that_are_no_numbers() -> None:
    overflow = Overflowing(set(range(10_000)))
    model, curve = trained(toy_problem().train.stream(32, seed=0), 3, loss=overflow, runtime=FP16)
    assert len(curve) == 3
    assert np.isnan(curve.loss).all()
    assert overflow.count == 3 * MOST_SKIPS
    for own, other in zip(model.parameters(), plain_model().parameters(), strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("device", DEVICES)
def test_a_first_step_that_is_skipped_leaves_nothing_behind(device: torch.device, name: str) -> None:
    """torch's fused SGD allocates its momentum in a step that it then skips, and later adds what lay in that memory."""
    torch.manual_seed(0)
    model = Runtime(device, "fp16").place(plain_model())
    optimizer = OPTIMIZERS[name](model, Hyperparameters())
    dirt = [torch.full_like(parameter, 1e9) for parameter in model.parameters() for _ in range(20)]
    del dirt
    stream = toy_problem().train.stream(32, seed=0)
    loss = Overflowing({0})
    list(train(model, optimizer, stream, loss, steady(1), runtime=Runtime(device, "fp16"), clock=FakeClock()))
    assert loss.count == 2
    for own, other in zip(model.parameters(), plain_model().parameters(), strict=True):
        torch.testing.assert_close(own.cpu(), other, rtol=0.0, atol=0.2)
