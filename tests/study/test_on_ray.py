"""What a question means for a cluster, as far as that is known before one is asked."""

from __future__ import annotations

from superconv_tune.spec.load import load_spec
from superconv_tune.study.gpu_share import shared
from superconv_tune.study.on_ray import collect_s
from superconv_tune.study.question import brief_of, ready


def test_a_question_without_a_network_asks_for_no_gpu() -> None:
    """Whatever the cluster has: its trials would wait for one another's GPU and not use it."""
    question = ready(load_spec(None, {"model": "linear"}))
    assert shared(question, None).spec.resources.gpus_per_trial == 0.0


def test_models_of_a_long_search_have_more_time_to_come_from_other_machines() -> None:
    short, long = (collect_s(brief_of(load_spec(None, {"budget": budget}))) for budget in ("1m", "10h"))
    assert short == 4.0
    assert long == 120.0
