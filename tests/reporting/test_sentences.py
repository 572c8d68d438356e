from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from superconv_tune.core.words import DASH
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.sentences import (
    duration,
    ending_words,
    estimate_words,
    goal,
    in_words,
    model_words,
    outlook_sentence,
    settling_words,
    verdict_sentence,
)
from superconv_tune.reporting.summary import markdown, summary
from superconv_tune.spec.spec import ModelSpec
from superconv_tune.verdict.verdict import Estimate, Settling, Target, Verdict, Word


def dumped(model: object) -> object:
    """The part ``model`` of a spec as a study records it, every key written out."""
    return ModelSpec.model_validate(model).model_dump(mode="json")


def test_the_summary_names_verdict_interval_recipe_and_where_to_look(findings: Findings) -> None:
    text = summary(findings, Path("runs/x"), "make ui")

    assert text.startswith("DEMONSTRATED: Yes. Fresh models reached accuracy of at least 0.92")
    assert "0.9247 (95 % interval 0.9218 to 0.9275)" in text
    assert "99.3 %" in text
    assert "one_cycle of 9 epochs, max_lr 0.144" in text
    assert "runs/x/report.html" in text
    assert "make ui" in text


@pytest.mark.parametrize(
    "name",
    ["findings", "compared_findings", "empty_findings", "failed_findings", "regression_findings", "hostile_findings"],
)
def test_the_summary_has_at_most_ten_safe_lines(name: str, every_findings: Callable[[str], Findings]) -> None:
    lines = summary(every_findings(name), Path("runs/x"), "make ui").split("\n")

    assert len(lines) <= 10
    assert all(line.isprintable() for line in lines)


def test_without_a_target_the_answer_is_the_figure(regression_findings: Findings) -> None:
    sentence = verdict_sentence(regression_findings)

    assert sentence == "Fresh models of the best recipe reach mean_absolute_error 0.723 (95 % interval 0.695 to 0.752)."
    assert "probability" not in summary(regression_findings, Path("x"), "")


def test_without_target_and_estimate_nothing_is_claimed(empty_findings: Findings) -> None:
    asked = replace(empty_findings, target=Target("accuracy", "max", None), verdict=Verdict(None, None, None))

    assert "no reliable figure" in verdict_sentence(asked)


def test_an_error_is_to_be_at_most_its_target() -> None:
    assert goal(Target("mae", "min", 0.25)) == "mae of at most 0.25"


def test_another_probability_than_one_half_is_part_of_the_goal() -> None:
    often = Target("accuracy", "max", 0.94, reliability=0.9)
    assert goal(often) == "accuracy of at least 0.94 with probability at least 90 %"


def test_prices_are_written_out() -> None:
    assert estimate_words(Estimate(31245.6, 29980.2, 33210.9, 0.95)) == "31,246 (95 % interval 29,980 to 33,211)"
    assert goal(Target("rmse", "min", 31000.0)) == "rmse of at most 31,000"


@pytest.mark.parametrize("word", ["likely", "undecided"])
def test_more_time_is_not_offered_where_longer_cycles_do_not_help(word: Word) -> None:
    assert outlook_sentence(Verdict(word, 0.5, None)).startswith("More time may settle it")
    assert outlook_sentence(Verdict(word, 0.5, None, longer_may_help=False)).startswith("A stronger model or more data")


def test_fresh_models_without_an_interval_are_not_said_to_be_none(
    findings: Findings, regression_findings: Findings, empty_findings: Findings
) -> None:
    tested = replace(findings, verdict=Verdict("undecided", None, None))
    assert "not known yet (see the reasons)" in summary(tested, Path("x"), "")
    assert "nothing was confirmed" not in summary(tested, Path("x"), "")
    assert "nothing was confirmed" in summary(empty_findings, Path("x"), "")
    open_question = replace(regression_findings, verdict=Verdict(None, None, None))
    assert "is not known yet (see the reasons)" in verdict_sentence(open_question)
    target = Target("rmse", "min", 2.0)
    assert ending_words(tested.verdict, target, 1) == "undecided: rmse of fresh models is not known yet"
    assert ending_words(tested.verdict, target, 0) == "undecided: no fresh model is confirmed yet"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.6, "1 min"), (580, "9 min 40 s"), (3600, "1 h"), (3720, "1 h 2 min"), (3719.7, "1 h 2 min")],
)
def test_durations_read_like_a_clock(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (None, DASH),
        ("digits", "digits"),
        ({"name": "resnet9", "width": 64, "args": {}}, "resnet9 (width 64)"),
        ({"path": "photos"}, "path photos"),
        ([], "none"),
        (["A100", "A100"], "A100, A100"),
    ],
)
def test_parts_of_a_spec_in_words(part: object, words: str) -> None:
    assert in_words(part) == words


RESNET = {"name": "resnet9", "width": 0.25}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (None, "the model of the task"),
        (dumped(RESNET), "resnet9 (width 0.25)"),
        (RESNET, "resnet9 (width 0.25)"),
        ("lenet5", "lenet5"),
        ([dumped({"name": "trees"})], "trees"),
        (
            [dumped({"name": "trees"}), dumped({"name": "linear"}), dumped(RESNET)],
            "trees, linear or resnet9 (width 0.25)",
        ),
        (
            dumped({"factory": "timm:create_model", "head": "linear", "normalise": "model"}),
            "timm:create_model (head linear, normalise of model)",
        ),
    ],
)
def test_families_in_words_have_no_defaults(model: object, words: str) -> None:
    assert model_words(model) == words


def test_what_would_settle_a_question_is_told_as_an_interval() -> None:
    assert (
        settling_words(Settling(27.0, 40.0, 9.0, 14.0)) == "fresh models in cycles of 27 to 40 epochs, 9 to 14 minutes"
    )
    assert settling_words(Settling(27.0, None, 0.0, None)) == "fresh models in cycles of 27 or more epochs"


def test_markdown_says_the_same_and_names_cannot_format_it(every_findings: Callable[[str], Findings]) -> None:
    findings = every_findings("findings")
    text = markdown(findings)
    assert text.startswith("**DEMONSTRATED.** Yes. Fresh models reached accuracy")
    for line in summary(findings, Path("x"), "").split("\n")[1:-1]:
        assert " ".join(line.split()[1:3]) in text.replace("\\", "")
    named = markdown(replace(findings, target=replace(findings.target, metric="<b>[x](y)*")))
    assert "\\<b\\>\\[x\\](y)\\*" in named
