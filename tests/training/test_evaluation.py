from __future__ import annotations

import pytest
import torch
from torch import nn

from superconv_tune.training.evaluation import evaluate
from superconv_tune.training.loop import Runtime
from tests.fakes import toy_model, toy_problem

CPU = Runtime(torch.device("cpu"))


def test_all_items_come_once_and_in_order_as_in_evaluation_mode() -> None:
    torch.manual_seed(0)
    model = toy_model()
    part = toy_problem().validation
    outputs, targets = evaluate(model, part.batches(), CPU)
    inputs = torch.cat([batch[0] for batch in part.batches()])
    with torch.no_grad():
        expected = model.eval()(inputs)
    torch.testing.assert_close(outputs, expected)
    assert torch.equal(targets, torch.cat([batch[1] for batch in part.batches()]))
    assert not outputs.requires_grad


def test_the_model_is_left_as_it_was() -> None:
    model = toy_model().train()
    assert isinstance(model, nn.Sequential)
    model[1].eval()  # a norm that the user froze
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, toy_problem().validation.batches(), CPU)
    assert [module.training for module in model] == [True, False, True, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_mode_comes_back_also_after_an_error() -> None:
    model = toy_model().train()
    with pytest.raises(RuntimeError):
        evaluate(model, [(torch.zeros(2, 3), torch.zeros(2))], CPU)
    assert model.training


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        evaluate(toy_model(), [], CPU)
