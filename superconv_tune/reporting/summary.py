"""What the console prints at the end of a study."""

from __future__ import annotations

import re
from pathlib import Path

from superconv_tune.core.errors import one_line
from superconv_tune.core.words import probability_words
from superconv_tune.reporting.baseline_words import comparison_sentence, remarks
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.sentences import (
    LABELS,
    budget_words,
    estimate_or_why,
    kept_words,
    reachable_words,
    recipe_words,
    settling_words,
    standing_words,
    verdict_sentence,
)


def summary(findings: Findings, folder: Path, curves: str) -> str:
    """The summary of a study: the answer, and a line for each row, all of them safe to print."""
    shown = [headline(findings), *(f"  {name:<12} {words}" for name, words in rows(findings, folder, curves).items())]
    return "\n".join(one_line(line) for line in shown)


def headline(findings: Findings) -> str:
    """The answer in one sentence, after its word."""
    return f"{LABELS[findings.verdict.word].upper()}: {verdict_sentence(findings)}"


def rows(findings: Findings, folder: Path, curves: str) -> dict[str, str]:
    """What the answer rests on and where the rest is, by a short name; nothing that is empty."""
    compared = comparison_sentence(findings) or next(iter(remarks(findings.shortfall)), "")
    verdict = findings.verdict
    about_target = findings.target.value is not None
    found = {
        "estimate": estimate_or_why(findings),
        "longer": reachable_words(verdict.reachable) if verdict.reachable and about_target else "",
        "probability": probability_words(verdict.probability) if about_target else "",
        "because": next(iter(verdict.reasons), ""),
        "but": next(iter(verdict.warnings), ""),
        "to settle": settling_words(verdict.settling) if verdict.settling else "",
        "recipe": recipe_words(findings.winner) if findings.winner else "none: no trial ran to its end",
        "families": "; ".join(map(standing_words, findings.leaderboard)) if len(findings.leaderboard) > 1 else "",
        "compared": compared,
        "spent": budget_words(findings),
        "model": kept_words(findings.kept) if findings.kept else "",
        "report": str(folder / "report.html"),
        "curves": curves,
    }
    return {name: words for name, words in found.items() if words}


def markdown(findings: Findings) -> str:
    """The same in Markdown, without where the report and the curves are."""
    word, _, sentence = headline(findings).partition(": ")
    known = rows(findings, Path(), "")
    del known["report"]
    return "\n".join(
        [f"**{word}.** {_plain(sentence)}", "", *(f"* {name}: {_plain(text)}" for name, text in known.items())]
    )


def _plain(text: str) -> str:
    """The text in one line, with the characters that mean something in Markdown and HTML as themselves."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", one_line(text))
