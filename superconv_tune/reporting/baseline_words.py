"""The comparison with other policies in words: the same ones on the console and in the report."""

from __future__ import annotations

from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.sentences import number
from superconv_tune.verdict.comparison import FASTER, STANDARD, Baseline, super_convergence


def searched_policy(findings: Findings) -> str:
    """Name of the policy that was searched, as prose has it: ``one-cycle``."""
    first = next(iter(findings.study.requests.values()), None)
    return prose(first.schedule if first is not None else "one_cycle")


def prose(schedule: str) -> str:
    """A policy's name with hyphens."""
    return schedule.replace("_", "-")


def comparison_sentence(findings: Findings) -> str:
    """Whether super-convergence happened here, and on what that rests; empty where nothing was compared."""
    if not findings.baselines:
        return ""
    policy = searched_policy(findings)
    standard = [baseline for baseline in findings.baselines if baseline.schedule in STANDARD]
    if not standard:
        return (
            f"Super-convergence is claimed against {' or '.join(STANDARD)} rates, and neither was tested. "
            + _against(policy, _hardest(list(findings.baselines)))
        )
    hardest = _hardest(standard)
    happened = super_convergence(findings.baselines)
    if happened is None:
        head = f"Whether super-convergence ({FASTER:g} times fewer steps or better) happened here cannot be said"
    else:
        head = f"Super-convergence {'happened' if happened else 'did not happen'} here"
    return f"{head}: {_lower(_against(policy, hardest))}"


def gain_words(baseline: Baseline) -> str:
    """``+0.012 (0.003 to 0.021)``, or that the interval is not known."""
    ends = (
        f"{number(baseline.gain_low, 3)} to {number(baseline.gain_high, 3)}"
        if baseline.gain_low == baseline.gain_low
        else "interval not known"
    )
    return f"{baseline.gain:+.3g} ({ends})"


def match_words(baseline: Baseline) -> str:
    """After how many steps the searched policy reaches it, with the interval."""
    if baseline.steps_to_match is None:
        low = baseline.steps_low
        return "more steps than were tried" + (f" (95 % interval from {low})" if low is not None else "")
    if baseline.at_most:
        return f"at most {baseline.steps_to_match} steps, the shortest that were tried"
    low, high = baseline.steps_low, baseline.steps_high
    if low is None and high is None:
        return f"{baseline.steps_to_match} steps (95 % interval wider than what was tried)"
    if low is None or high is None:
        return f"{baseline.steps_to_match} steps (95 % interval {f'up to {high}' if low is None else f'from {low} on'})"
    return f"{baseline.steps_to_match} steps (95 % interval {low} to {high})"


def caveat(baseline: Baseline) -> str:
    """What weakens the figure; empty if nothing does."""
    if not baseline.at_border:
        return ""
    return "best rate at the border of its grid: it may do better"


def _hardest(baselines: list[Baseline]) -> Baseline:
    """The one that is hardest to beat."""
    return min(baselines, key=lambda baseline: baseline.gain)


def _against(policy: str, baseline: Baseline) -> str:
    border = f" (its {caveat(baseline)})" if caveat(baseline) else ""
    return (
        f"What {prose(baseline.schedule)}{border} reaches in {baseline.steps} steps at its best rate, "
        f"{number(baseline.value)}, takes {policy} {match_words(baseline)}."
    )


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
