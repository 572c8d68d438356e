from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Knobs
from superconv_tune.training.checkpoint import Saved, load, peek, save, weights
from superconv_tune.training.loop import Runtime, train
from tests.fakes import FakeClock, toy_model, toy_optimizer, toy_problem

STEPS = 40
MakeOptimizer = Callable[[nn.Module, Hyperparameters], torch.optim.Optimizer]


def adamw(model: nn.Module, params: Hyperparameters) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), weight_decay=params.weight_decay)


def knobs(step: int) -> Knobs | None:
    return Knobs(0.05 * (1 - step / STEPS), 0.85 + 0.002 * step, 1e-3) if step < STEPS else None


def run(model: nn.Module, optimizer: torch.optim.Optimizer, first_step: int, stop: int) -> Curve:
    batches = toy_problem().train.stream(32, seed=3, first_step=first_step)
    blocks = train(
        model,
        optimizer,
        batches,
        F.cross_entropy,
        lambda step: knobs(step) if step < stop else None,
        runtime=Runtime(torch.device("cpu")),
        clock=FakeClock(),
        first_step=first_step,
        block_steps=7,
    )
    return Curve.join(list(blocks))


@pytest.mark.parametrize("make_optimizer", [toy_optimizer, adamw])
def test_an_interrupted_run_continues_bit_for_bit(tmp_path: Path, make_optimizer: MakeOptimizer) -> None:
    torch.manual_seed(1)
    model = toy_model()  # with dropout and batch norm: random state and buffers matter
    whole = run(model, make_optimizer(model, Hyperparameters()), 0, STEPS)

    torch.manual_seed(1)
    first = toy_model()
    optimizer = make_optimizer(first, Hyperparameters())
    before = run(first, optimizer, 0, 17)
    save(tmp_path / "last.pt", first, optimizer, step=17, extra={"best": 0.5, "note": "ä"}, curve=before)

    torch.manual_seed(99)  # another process
    second = toy_model()
    optimizer = make_optimizer(second, Hyperparameters())
    saved = load(tmp_path / "last.pt", second, optimizer)
    after = run(second, optimizer, saved.step, STEPS)

    assert Curve.join([saved.curve, after]) == whole
    assert saved.extra == {"best": 0.5, "note": "ä"}
    for mine, theirs in zip(second.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


def draws() -> tuple[float, ...]:
    return float(torch.rand(1)), random.random(), float(np.random.random())  # noqa: NPY002


def test_every_global_generator_goes_on_where_it_was(tmp_path: Path) -> None:
    """A user's transforms may draw from Python's generator, or from NumPy's old one."""
    model = toy_model()
    optimizer = toy_optimizer(model, Hyperparameters())
    save(tmp_path / "last.pt", model, optimizer, step=1)
    expected = draws()
    assert draws() != expected
    load(tmp_path / "last.pt", model, optimizer)
    assert draws() == expected


def test_a_look_into_a_checkpoint_changes_nothing(tmp_path: Path) -> None:
    model = toy_model()
    save(tmp_path / "last.pt", model, toy_optimizer(model, Hyperparameters()), step=4, extra={"a": 1})
    random.seed(1)
    state = random.getstate()
    assert peek(tmp_path / "last.pt") == Saved(4, {"a": 1}, Curve.empty())
    kept = weights(tmp_path / "last.pt")
    assert random.getstate() == state
    assert all(torch.equal(kept[name], value) for name, value in model.state_dict().items())


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    model = toy_model()
    optimizer = toy_optimizer(model, Hyperparameters())
    save(path, model, optimizer, step=3)
    with pytest.raises(TypeError):
        save(path, model, optimizer, step=4, extra={"not JSON": object()})
    (tmp_path / "last.pt.part").write_bytes(b"half a file of a killed process")
    assert load(path, model, optimizer) == Saved(3, {}, Curve.empty())
    save(path, model, optimizer, step=5)
    assert load(path, model, optimizer) == Saved(5, {}, Curve.empty())
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("run-by-a-stranger"),))


def test_a_file_with_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Evil()}, "evil.pt")
    model = toy_model()
    with pytest.raises(pickle.UnpicklingError):
        load(Path("evil.pt"), model, toy_optimizer(model, Hyperparameters()))
    assert not Path("run-by-a-stranger").exists()


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    model = toy_model()
    optimizer = toy_optimizer(model, Hyperparameters())
    path = tmp_path / "last.pt"
    save(path, model, optimizer, step=3)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(RuntimeError):
        load(path, model, optimizer)
