"""What the console prints at the end of a study."""

from __future__ import annotations

from pathlib import Path

from superconv_tune.core.errors import one_line
from superconv_tune.reporting.baseline_words import comparison_sentence, remarks
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.sentences import (
    LABELS,
    budget_words,
    estimate_words,
    probability_words,
    reachable_words,
    recipe_words,
    settling_words,
    verdict_sentence,
)


def summary(findings: Findings, folder: Path, curves: str) -> str:
    """The summary of a study: at most twelve lines that are safe to print."""
    compared = comparison_sentence(findings) or next(iter(remarks(findings.shortfall)), "")
    verdict = findings.verdict
    lines = [
        f"{LABELS[verdict.word].upper()}: {verdict_sentence(findings)}",
        f"  estimate     {estimate_words(verdict.estimate) if verdict.estimate else 'none: nothing was confirmed'}",
        f"  longer       {reachable_words(verdict.reachable)}" if verdict.reachable and findings.target.value else "",
        f"  probability  {probability_words(verdict.probability)}" if findings.target.value is not None else "",
        f"  because      {verdict.reasons[0]}" if verdict.reasons else "",
        f"  but          {verdict.warnings[0]}" if verdict.warnings else "",
        f"  to settle    {settling_words(verdict.settling)}" if verdict.settling else "",
        f"  recipe       {recipe_words(findings.winner)}"
        if findings.winner
        else "  recipe       none: no trial finished",
        f"  compared     {compared}" if compared else "",
        f"  spent        {budget_words(findings)}",
        f"  report       {folder / 'report.html'}",
        f"  curves       {curves}" if curves else "",
    ]
    return "\n".join(one_line(line) for line in lines if line)
