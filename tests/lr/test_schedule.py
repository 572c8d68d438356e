"""Warm-up and weight decay of a schedule, and its forms: a name, a mapping, a text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from torch.optim import lr_scheduler

from superconv_tune.lr.options import as_text, options_of
from superconv_tune.lr.policies import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    Policy,
    Polynomial,
    Step,
    Triangular2,
)
from superconv_tune.lr.schedule import Schedule, as_mapping, schedule_from
from tests.schedules import Make, assert_same_rates, ours, schedules


@pytest.mark.parametrize(
    ("warmup", "factors"),
    [
        ("constant", [0.1] * 10 + [1.0]),
        ("linear", np.linspace(0.1, 1.0, 11)),
        ("exponential", np.geomspace(0.1, 1.0, 11)),
    ],
)
@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_warm_up_joins_any_policy(name: str, warmup: Any, factors: Any) -> None:
    policy = SCHEDULES[name]()
    plain, warm = ours(policy), ours(Schedule(policy=policy, warmup=warmup, warmup_share=0.1))
    ratio = np.array([w.lr / p.lr for w, p in zip(warm, plain, strict=True)])
    np.testing.assert_allclose(ratio[:11], factors, rtol=1e-9)
    np.testing.assert_allclose(ratio[11:], 1.0)
    assert [w.momentum for w in warm] == [p.momentum for p in plain]


# Those of torch's schedulers that multiply the rate, so that torch can chain them with its warm-ups.
MULTIPLYING: list[tuple[Policy, Make]] = [
    (Constant(), lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    (Step(milestones=(0.3, 0.8), gamma=0.2), lambda o: lr_scheduler.MultiStepLR(o, [30, 80], gamma=0.2)),
    (Exponential(gamma=0.05), lambda o: lr_scheduler.ExponentialLR(o, 0.05 ** (1 / 100))),
    (Polynomial(power=2.0), lambda o: lr_scheduler.PolynomialLR(o, 100, 2.0)),
]


@pytest.mark.parametrize(("policy", "make"), MULTIPLYING, ids=lambda value: getattr(value, "name", ""))
def test_warm_up_equals_torchs_chained_with_the_policy(policy: Policy, make: Make) -> None:
    span = {"div_factor": 1e6, "final_div_factor": 1e9}  # torch's polynomial falls to 0
    linear = Schedule(policy=policy, warmup="linear", warmup_share=0.2, warmup_factor=0.25)
    constant = Schedule(policy=policy, warmup="constant", warmup_share=0.2, warmup_factor=0.25)
    assert_same_rates(
        ours(linear, **span),
        lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.LinearLR(o, 0.25, total_iters=20), make(o)]),
    )
    assert_same_rates(
        ours(constant, **span),
        lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(o, 0.25, total_iters=20), make(o)]),
    )


def test_a_warm_up_of_zero_length_changes_nothing() -> None:
    assert ours(Schedule(warmup="linear", warmup_share=0.0)) == ours(Schedule())


def test_weight_decay_may_run_against_the_learning_rate() -> None:
    cycled = Schedule(cycle_weight_decay=True, weight_decay_factor=0.1)
    found = ours(cycled, steps=100, weight_decay=1e-3)
    assert found[0].weight_decay == found[-1].weight_decay == 1e-3
    assert found[29].weight_decay == pytest.approx(1e-4)
    steady = ours(Schedule(), steps=100, weight_decay=1e-3)
    assert {knobs.weight_decay for knobs in steady} == {1e-3}


WARM_COSINE = Schedule(policy=Cosine(), warmup="exponential", warmup_share=0.1)
THREE_DROPS = Schedule(policy=Step(milestones=(0.3, 0.6, 0.9), gamma=0.2))
THREE_PHASES = Schedule(policy=OneCycle(three_phase=True, anneal="linear"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("cosine", Schedule(policy=Cosine())),
        (" cosine ", Schedule(policy=Cosine())),
        ({}, Schedule()),
        ({"warmup": "linear"}, Schedule(warmup="linear")),
        ({"policy": "cosine", "warmup": "exponential", "warmup_share": 0.1}, WARM_COSINE),
        ("cosine,warmup=exponential,warmup_share=0.1", WARM_COSINE),
        ("cosine, warmup = exponential, warmup_share = 1e-1", WARM_COSINE),
        ({"policy": "step", "milestones": [0.3, 0.6, 0.9], "gamma": 0.2}, THREE_DROPS),
        ("step,milestones=0.3/0.6/0.9,gamma=0.2", THREE_DROPS),
        ("step,milestones=0.5", Schedule(policy=Step(milestones=(0.5,)))),
        ({"policy": "one_cycle", "three_phase": True, "anneal": "linear"}, THREE_PHASES),
        ("one_cycle,three_phase=true,anneal=linear", THREE_PHASES),
        ("one_cycle,three_phase=false", Schedule()),
        ({"policy": "triangular2", "cycles": 4}, Schedule(policy=Triangular2(cycles=4.0))),
        ("cosine,cycle_weight_decay=true", Schedule(policy=Cosine(), cycle_weight_decay=True)),
    ],
)
def test_the_forms_of_a_schedule(value: object, expected: Schedule) -> None:
    assert schedule_from(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("onecycle", "policy is unknown: 'onecycle'. Did you mean 'one_cycle'? Known: one_cycle, triangular,"),
        ({"policy": ["cosine"]}, "policy is unknown: ['cosine']"),
        ("", "policy is unknown: ''"),
        (5, "takes the name of a policy, or a mapping, but got 5"),
        (None, "takes the name of a policy, or a mapping, but got None"),
        (
            "cosine,cycles=2",
            "cycles is an option of triangular, triangular2, exp_range, cosine_restarts, not of cosine",
        ),
        ("cosine,cycles=2", "Known: warmup, warmup_share"),
        ("triangular,cycels=2", "triangular has no option 'cycels'. Did you mean 'cycles'? Known: cycles, warmup,"),
        ({"policy": "cosine", 1: 2}, "cosine has no option 1"),
        ({"policy": "cosine", "name": "cosine"}, "cosine has no option 'name'"),
        ("one_cycle,pct_start=0.4", "pct_start is a hyperparameter and no option of a schedule. Set it under space."),
        ("cosine,warmup=lin", "warmup is unknown: 'lin'. Did you mean 'linear'? Known: none, constant, linear, "),
        ("cosine,warmup_share=long", "warmup_share must be a number from 0 to 1, but got 'long'"),
        ({"warmup_share": None}, "warmup_share must be a number from 0 to 1, but got None"),
        ({"warmup_share": True}, "warmup_share must be a number from 0 to 1, but got True"),
        ({"weight_decay_factor": -1}, "weight_decay_factor must be a number of at least 0, but got -1"),
        ({"weight_decay_factor": 10**400}, "weight_decay_factor must be a number of at least 0"),
        ("cosine,warmup_factor=2", "warmup_factor must be a number above 0 and at most 1, but got 2"),
        ("one_cycle,three_phase=yes", "three_phase must be true or false, but got 'yes'"),
        ("step,milestones=0.3/a", "milestones must be a list of numbers from 0 to 1, but got (0.3, 'a')"),
        ({"policy": "step", "milestones": 0.3}, "milestones must be a list of numbers from 0 to 1, but got 0.3"),
        ("cosine,linear", "takes policy,option=value,…, but got 'cosine,linear'"),
        ("cosine,warmup=linear,warmup=none", "names warmup twice"),
        ("cosine,policy=linear", "names policy twice"),
    ],
)
def test_an_invalid_schedule_is_refused_with_the_known_options(value: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is looked at below
        schedule_from(value)
    assert message in str(caught.value)


def test_all_faults_of_a_schedule_are_reported_at_once() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is looked at below
        schedule_from("step,gamma=2,milestones=7,cycles=2,powr=1,warmup=lin,warmup_share=3")
    for option in ("gamma", "milestones", "cycles", "powr", "warmup is", "warmup_share"):
        assert option in str(caught.value)


@given(schedule=schedules())
def test_a_schedule_can_be_read_from_its_mapping_and_from_its_label(schedule: Schedule) -> None:
    mapping = as_mapping(schedule)
    assert schedule_from(mapping) == schedule
    assert schedule_from(json.loads(json.dumps(mapping))) == schedule
    assert schedule_from(yaml.safe_load(yaml.safe_dump(mapping))) == schedule
    assert hash(schedule_from(mapping)) == hash(schedule)
    # The label is unique, because reading it gives the same schedule.
    assert schedule_from(schedule.label.replace("(", ",").removesuffix(")").replace(", ", ",")) == schedule


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_a_plain_schedule_is_its_name(name: str) -> None:
    schedule = schedule_from(name)
    assert (schedule.name, schedule.label, as_mapping(schedule)) == (name, name, {"policy": name})
    assert schedule.is_cyclical == schedule.policy.is_cyclical
    assert schedule == Schedule(policy=SCHEDULES[name]())


def test_a_label_names_what_differs_from_the_defaults() -> None:
    assert WARM_COSINE.label == "cosine(warmup=exponential, warmup_share=0.1)"
    assert THREE_DROPS.label == "step(milestones=0.3/0.6/0.9, gamma=0.2)"
    assert THREE_PHASES.label == "one_cycle(anneal=linear, three_phase=true)"
    assert as_mapping(THREE_DROPS) == {"policy": "step", "milestones": [0.3, 0.6, 0.9], "gamma": 0.2}


DOCUMENT = Path("docs/reference/schedules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_the_document_lists_the_options_of_every_policy_with_their_defaults(name: str) -> None:
    (row,) = [line for line in DOCUMENT.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
    for option in options_of(SCHEDULES[name]).values():
        default = list(option.default) if isinstance(option.default, tuple) else as_text(option.default)
        assert option.name == "name" or f"`{option.name}: {default}`" in row


def test_the_document_names_the_options_that_any_policy_takes() -> None:
    for name in options_of(Schedule):
        assert f"`{name}" in DOCUMENT
