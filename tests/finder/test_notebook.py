"""The range test of a notebook: it works for whatever a user has, and leaves all of it as it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from superconv_tune.finder.find import FinderPlan
from superconv_tune.finder.finding import Finding
from superconv_tune.finder.notebook import MOST_BATCHES, OptimizerFactory, find_lr
from superconv_tune.lr.lr_range import Refusal
from superconv_tune.record.trial import Precision
from superconv_tune.training.loop import supports_bf16
from tests.finder import degenerate, restoration

REHEARSED = 1  # step of one batch, before the ramps
SHORT = FinderPlan(replicates=1, probe_seeds=1, probe_epochs=1.0)
BATCHES = degenerate.clouds(400, 40)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def sgd(params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(params, lr=0.1, momentum=0.9)


@pytest.mark.parametrize("case", restoration.CASES)
def test_nothing_is_changed_bit_for_bit(case: str) -> None:
    assert restoration.check(case) == (case, True)


# Optimizers


class Watched:
    """Makes optimizers, and keeps the knobs of every step that they take."""

    def __init__(self, make: OptimizerFactory) -> None:
        self._make = make
        self.steps: list[dict[str, Any]] = []

    def __call__(self, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        made = self._make(params)
        made.register_step_pre_hook(lambda optimizer, _args, _kwargs: self._keep(optimizer))
        return made

    def _keep(self, optimizer: torch.optim.Optimizer) -> None:
        self.steps += [
            {key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups
        ]

    def values(self, knob: str) -> set[Any]:
        return {step[knob] for step in self.steps}


def test_sgd_without_momentum_stays_without_and_keeps_its_weight_decay() -> None:
    watched = Watched(lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=3e-3))
    found = find_lr(degenerate.mlp(), watched, BATCHES, plan=SHORT)
    assert found.refusal is None
    assert watched.values("momentum") == {0.0}
    assert watched.values("weight_decay") == {3e-3}
    assert len(watched.steps) == REHEARSED + found.steps


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_cycles_between_its_own_and_a_tenth_less(nesterov: bool) -> None:
    watched = Watched(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=nesterov))
    found = find_lr(degenerate.mlp(), watched, BATCHES, plan=SHORT)
    assert found.refusal is None
    assert (min(watched.values("momentum")), max(watched.values("momentum"))) == (pytest.approx(0.8), 0.9)
    assert watched.values("nesterov") == {nesterov}


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_adam_keeps_its_second_beta_and_its_weight_decay(kind: type[torch.optim.Optimizer]) -> None:
    watched = Watched(lambda p: kind(p, lr=1e-3, betas=(0.9, 0.97), weight_decay=0.05))  # type: ignore[call-arg]
    found = find_lr(degenerate.mlp(), watched, BATCHES, plan=SHORT)
    assert found.refusal is None
    assert found.range_test.lr_at_minimum < 1.0
    assert watched.values("weight_decay") == {0.05}
    assert {beta for _, beta in watched.values("betas")} == {0.97}
    assert min(beta for beta, _ in watched.values("betas")) == pytest.approx(0.8)


@pytest.mark.parametrize("kind", [torch.optim.RMSprop, torch.optim.Adagrad])
def test_an_optimizer_that_is_not_known_works_too(kind: type[torch.optim.Optimizer]) -> None:
    found = find_lr(degenerate.mlp(), lambda p: kind(p, lr=1e-3), BATCHES, plan=SHORT)  # type: ignore[call-arg]
    assert found.refusal is None
    assert found.rule is not None
    assert found.rule.exponent == 0.0


def test_groups_get_one_rate_and_keep_their_own_weight_decay() -> None:
    def grouped(params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        given = list(params)
        groups = [{"params": given[:2], "weight_decay": 0.1}, {"params": given[2:], "weight_decay": 0.0}]
        return torch.optim.SGD(groups, lr=0.1, momentum=0.9)

    watched = Watched(grouped)
    find_lr(degenerate.mlp(), watched, BATCHES, plan=SHORT)
    assert {step["weight_decay"] for step in watched.steps[0::2]} == {0.1}
    assert {step["weight_decay"] for step in watched.steps[1::2]} == {0.0}
    assert [step["lr"] for step in watched.steps[0::2]] == [step["lr"] for step in watched.steps[1::2]]


def test_an_optimizer_of_the_user_s_own_model_is_refused_before_it_trains_it() -> None:
    model = degenerate.mlp()
    before = restoration.fingerprint(model.state_dict())
    own = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="not of the parameters"):
        find_lr(model, lambda _: own, BATCHES, plan=SHORT)
    assert restoration.fingerprint(model.state_dict()) == before


def test_a_frozen_layer_stays_frozen_in_the_copies() -> None:
    model = degenerate.mlp()
    frozen = list(model.parameters())[:2]
    for parameter in frozen:
        parameter.requires_grad_(False)
    kept: list[nn.Parameter] = []

    def remembered(params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        given = list(params)
        kept.extend(given[:2])
        return sgd(given)

    assert find_lr(model, remembered, BATCHES, plan=SHORT).refusal is None
    assert kept
    assert all(torch.equal(own, copied) for own, copied in zip(frozen * 99, kept, strict=False))


# What is trained, and how


class Counted:
    """Cross-entropy that counts its training calls, of at most a batch, and may blow some of them up."""

    def __init__(self, blown: Callable[[int], bool] = lambda _: False) -> None:
        self.calls = 0
        self._blown = blown

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        loss = F.cross_entropy(outputs, targets)
        if not outputs.requires_grad:
            return loss
        self.calls += 1
        return loss * 1e36 if self._blown(self.calls) else loss


def test_an_accumulated_step_is_one_point_of_so_many_batches() -> None:
    loss = Counted()
    watched = Watched(sgd)
    found = find_lr(degenerate.mlp(), watched, BATCHES, loss, accumulate=4, plan=SHORT)
    assert found.refusal is None
    assert found.steps + REHEARSED == len(watched.steps)
    assert loss.calls == REHEARSED + 4 * found.steps


def test_the_usual_length_of_a_probe_counts_optimizer_steps() -> None:
    usual = find_lr(degenerate.mlp(), sgd, BATCHES, plan=FinderPlan(replicates=1, rule="lowest"))
    slower = find_lr(degenerate.mlp(), sgd, BATCHES, accumulate=5, plan=FinderPlan(replicates=1, rule="lowest"))
    assert usual.probe_epochs == pytest.approx(10.0)  # 100 steps of 10 an epoch
    assert slower.probe_epochs == pytest.approx(50.0)


def test_steps_that_fp16_skips_leave_no_point() -> None:
    loss = Counted(lambda call: call % 50 == 7)
    found = find_lr(degenerate.mlp(), sgd, BATCHES, loss, precision="fp16", plan=SHORT)
    assert found.refusal is None
    skipped = loss.calls - REHEARSED - found.steps
    assert 0.5 * loss.calls / 50 <= skipped
    assert all((ramp.loss < 100.0).all() for ramp in found.ramps if found.range_test.refusal is None)


def test_a_loss_that_fp16_can_never_step_with_is_a_refusal() -> None:
    found = find_lr(degenerate.mlp(), sgd, BATCHES, Counted(lambda _: True), precision="fp16", plan=SHORT)
    assert found.refusal == Refusal.NOT_FINITE


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_model_runs_in_the_asked_precision(precision: Precision) -> None:
    if precision == "bf16" and not supports_bf16(torch.device("cpu")):
        pytest.skip("this CPU does not compute in bf16")
    seen = set()

    class Looking(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            outputs = super().forward(inputs)
            seen.add(outputs.dtype)
            return outputs

    model = Looking(degenerate.FEATURES, degenerate.CLASSES)
    assert find_lr(model, sgd, BATCHES, precision=precision, plan=SHORT).refusal is None
    assert seen == {torch.bfloat16 if precision == "bf16" else torch.float32}


def test_inputs_keep_their_number_format() -> None:
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(0, 20, (400, 6), generator=generator)
    targets = (words == 3).any(dim=1).long()
    model = nn.Sequential(nn.Embedding(20, 8), nn.Flatten(), nn.Linear(48, 2))
    batches = list(zip(words.split(40), targets.split(40), strict=True))  # type: ignore[no-untyped-call]
    assert find_lr(model, sgd, batches, plan=SHORT).refusal is None
    double = [(inputs.double(), wanted) for inputs, wanted in BATCHES]
    assert find_lr(degenerate.mlp().double(), sgd, double, plan=SHORT).refusal is None


def test_probes_are_judged_by_the_validation_that_is_given() -> None:
    flipped = [(inputs, (targets + 1) % degenerate.CLASSES) for inputs, targets in BATCHES]
    own = find_lr(degenerate.mlp(), sgd, BATCHES, plan=SHORT)
    other = find_lr(degenerate.mlp(), sgd, BATCHES, validation=flipped, plan=SHORT)
    worst = min(probe.loss for probe in own.probes if probe.loss is not None)
    assert all(probe.loss is None or probe.loss > worst for probe in other.probes)
    assert other.max_lr(1.0) < own.max_lr(1.0)  # the less it trains, the better it is there


def test_batches_may_be_an_iterator_of_which_no_more_is_read_than_needed() -> None:
    read = 0

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        nonlocal read
        while True:
            read += 1
            yield BATCHES[read % len(BATCHES)]

    assert find_lr(degenerate.mlp(), sgd, endless(), plan=SHORT).refusal is None
    assert read == MOST_BATCHES


def test_a_data_loader_gives_what_a_list_of_its_batches_gives() -> None:
    inputs, targets = (torch.cat([pair[column] for pair in BATCHES]) for column in (0, 1))
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=40)
    model = degenerate.mlp()
    one, other = (find_lr(model, sgd, batches, plan=SHORT) for batches in (loader, BATCHES))
    assert [probe.loss for probe in one.probes] == [probe.loss for probe in other.probes]
    assert one.max_lr(10.0) == other.max_lr(10.0)


def test_the_answer_is_a_figure_too() -> None:
    figure = find_lr(degenerate.mlp(), sgd, BATCHES, plan=SHORT).figure("mine")
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "log"]


# Degenerate inputs

NUMBERS = ("50 samples in one batch", "50 samples in two batches", "one sample of each class", "one class only")


@pytest.mark.parametrize("case", NUMBERS)
def test_little_data_have_an_answer(case: str) -> None:
    found = degenerate.look(case, FinderPlan(replicates=1, probe_seeds=1))
    assert found.refusal is None
    assert found.max_lr(10.0) > 0.0
    assert found.quality in ("good", "fair", "poor")


@pytest.mark.slow
@pytest.mark.parametrize("case", NUMBERS)
def test_little_data_are_fair_with_the_usual_plan(case: str) -> None:
    found = degenerate.look(case)
    assert (found.refusal, found.quality) == (None, "fair")


@pytest.mark.slow
def test_constant_inputs_have_probes_although_the_loss_only_rises() -> None:
    found = degenerate.look("constant inputs")
    assert found.range_test.refusal == Refusal.NO_DESCENT
    assert found.refusal is None
    assert any("The probes began" in note for note in found.notes)
    assert found.quality in ("fair", "poor")


def test_pretrained_weights_have_no_descent_and_fall_back_to_probes() -> None:
    found = degenerate.look("pretrained weights, at their optimum")
    assert found.range_test.refusal in (Refusal.NO_DESCENT, Refusal.FLAT)
    assert found.refusal is None
    assert found.probes
    assert any("The probes began" in note for note in found.notes)
    assert found.quality in ("fair", "poor")


def test_a_nan_in_the_first_batch_is_a_refusal() -> None:
    found = degenerate.look("a NaN in the first batch")
    assert found.refusal is not None
    assert (found.rule, found.quality) == (None, "none")


def test_a_loss_that_raises_is_a_refusal_that_says_what_and_is_tried_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        found = degenerate.look("a loss that raises")
    assert found.refusal is not None
    assert "loss failed: KeyError: 'no such class'" in found.refusal
    assert "degenerate.py, line" in found.refusal
    assert not caplog.records  # no traceback beside a refusal


@pytest.mark.parametrize("case", ["no batch", "batches without an item"])
def test_nothing_at_all_is_a_value_error(case: str) -> None:
    with pytest.raises(ValueError, match="batch"):
        degenerate.look(case)


@pytest.mark.parametrize(
    "batches",
    [
        [(torch.ones(3, 8), torch.zeros(4, dtype=torch.int64))],
        [(torch.ones(3, 8),)],
        [(torch.ones(3, 8), torch.zeros(3)), (torch.ones(3, 9), torch.zeros(3))],
        [{"inputs": torch.ones(3, 8)}],
        [(torch.ones(3, 8), "labels")],
    ],
)
def test_batches_that_are_no_pairs_of_one_shape_are_refused_with_what_they_should_be(batches: Any) -> None:
    with pytest.raises(ValueError, match="batches"):
        find_lr(degenerate.mlp(), sgd, batches, plan=SHORT)


def test_every_degenerate_input_is_told_in_one_line() -> None:
    found: Finding = degenerate.look("constant inputs")
    assert all("\n" not in note for note in found.notes)
    assert found.refusal is None or "\n" not in found.refusal


# What a model gives, and under which gradient mode


class Aux(nn.Module):
    """Two outputs while it trains, one in evaluation: GoogLeNet's shape."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(degenerate.FEATURES, 16)
        self.head, self.aux = (nn.Linear(16, degenerate.CLASSES) for _ in range(2))

    def forward(self, inputs: Tensor) -> Any:
        hidden = self.body(inputs).relu()
        return (self.head(hidden), self.aux(hidden)) if self.training else self.head(hidden)


class Named(nn.Module):
    """A model output with ``.logits``, as transformers give."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(degenerate.FEATURES, degenerate.CLASSES)

    def forward(self, inputs: Tensor) -> Any:
        return SimpleNamespace(logits=self.fc(inputs), loss=None)


class FromDict(nn.Module):
    """Reads a dict of inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(degenerate.FEATURES, degenerate.CLASSES)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        outputs: Tensor = self.fc(batch["x"] * batch["mask"])
        return outputs


def both(outputs: Any, targets: Tensor) -> Tensor:
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    return torch.stack([F.cross_entropy(each, targets) for each in several]).sum()


DICTS = [({"x": x, "mask": torch.ones_like(x)}, y) for x, y in BATCHES]
STRUCTURED: dict[str, tuple[Callable[[], nn.Module], Any, Any]] = {
    "two outputs in training": (Aux, both, BATCHES),
    "a model output": (Named, lambda outputs, targets: F.cross_entropy(outputs.logits, targets), BATCHES),
    "a dict of inputs": (FromDict, F.cross_entropy, DICTS),
    "two targets": (degenerate.mlp, lambda o, t: F.cross_entropy(o, t[0]), [(x, (y, y)) for x, y in BATCHES]),
}


@pytest.mark.parametrize("name", STRUCTURED)
def test_outputs_and_inputs_may_be_several_tensors(name: str) -> None:
    make, loss, batches = STRUCTURED[name]
    found = find_lr(make(), sgd, batches, loss, plan=SHORT)
    assert found.refusal is None
    assert found.max_lr(10.0) > 0.0


MODES = {
    "gradients": torch.enable_grad,
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
}


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_mode_of_the_caller_makes_no_difference_and_stays(mode: str) -> None:
    """As in a cell below `torch.set_grad_enabled(False)`, which some notebooks set for the whole session."""
    torch.manual_seed(0)
    usual = find_lr(degenerate.mlp(), sgd, BATCHES, plan=SHORT)
    torch.manual_seed(0)
    with MODES[mode]():
        model = degenerate.mlp()
        batches = [(x.clone(), y.clone()) for x, y in BATCHES]
        found = find_lr(model, sgd, batches, plan=SHORT)
        assert torch.is_grad_enabled() == (mode == "gradients")
        assert torch.is_inference_mode_enabled() == (mode == "inference mode")
    assert found.refusal is None
    assert found.max_lr(10.0) == usual.max_lr(10.0)


def test_a_view_after_a_convolution_works_as_in_a_search() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4 * 6 * 6, 2)

        def forward(self, inputs: Tensor) -> Tensor:
            hidden = self.conv(inputs).relu()
            outputs: Tensor = self.fc(hidden.view(len(hidden), -1))
            return outputs

    images, targets = torch.randn(200, 1, 8, 8), torch.arange(200) % 2
    images[targets == 1, 0, 3] += 2.0
    batches = list(zip(images.split(20), targets.split(20), strict=True))  # type: ignore[no-untyped-call]
    assert find_lr(Net(), sgd, batches, plan=SHORT).refusal is None


@pytest.mark.parametrize(
    ("model", "loss", "said"),
    [
        (nn.Linear(3, 4), F.cross_entropy, "model, given inputs of the shape [40, 8], failed"),
        (nn.Linear(8, 4).requires_grad_(False), F.cross_entropy, "no parameter to train"),
        (degenerate.mlp(), lambda o, t: F.cross_entropy(o, t, reduction="none"), "returned the shape [40]"),
        (degenerate.mlp(), lambda o, t: F.cross_entropy(o.detach(), t), "no gradient"),
        (degenerate.mlp(), lambda o, t: F.nll_loss(o, t + 9), "test_notebook.py, line"),
    ],
)
def test_what_does_not_work_is_refused_in_the_words_of_a_search_and_nothing_is_logged(
    model: nn.Module, loss: Any, said: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    found = find_lr(model, sgd, BATCHES, loss, plan=SHORT)
    assert found.refusal is not None
    assert said in found.refusal
    assert (found.rule, found.steps, found.quality) == (None, 0, "none")
    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_a_fault_after_the_rehearsal_leaves_no_traceback_either(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def tired(outputs: Tensor, targets: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) > 30:
            raise RuntimeError("no more")
        return F.cross_entropy(outputs, targets)

    found = find_lr(degenerate.mlp(), sgd, BATCHES, tired, plan=SHORT)
    assert found.refusal is not None
    assert "RuntimeError: no more (" in found.refusal
    assert "test_notebook.py, line" in found.refusal
    assert not caplog.records
    assert capfd.readouterr().err == ""
    logging.getLogger("superconv_tune").error("still heard")
    assert [record.message for record in caplog.records] == ["still heard"]
