"""Sentences about the comparison with other policies, shared by console and report."""

from __future__ import annotations

from superconv_tune.core.words import number
from superconv_tune.reporting.findings import Findings
from superconv_tune.verdict.comparison import (
    FASTER,
    RATES,
    STANDARD,
    ComparedPolicy,
    RunCost,
    Shortfall,
    super_convergence,
)


def searched_policy(findings: Findings) -> str:
    """Name of the policy that was searched, as it is written in prose: ``one-cycle``."""
    first = next(iter(findings.study.requests.values()), None)
    return prose(first.schedule.label if first is not None else "one_cycle")


def prose(schedule: str) -> str:
    """A schedule's label, with hyphens in the name of its policy."""
    name, bracket, options = schedule.partition("(")
    return name.replace("_", "-") + bracket + options


def comparison_sentence(findings: Findings) -> str:
    """Whether super-convergence happened here, and the evidence for it; empty if nothing was compared."""
    if not findings.baselines:
        return ""
    policy = searched_policy(findings)
    standard = [baseline for baseline in findings.baselines if baseline.is_standard]
    if not standard:
        return (
            f"Super-convergence is defined against {' or '.join(STANDARD)} rates, and neither was tested. "
            + _against(policy, _hardest(list(findings.baselines)))
        )
    hardest = _hardest(standard)
    happened = super_convergence(findings.baselines)
    if happened is None:
        head = f"Whether super-convergence ({FASTER:g} times fewer steps or better) happened here cannot be said"
    else:
        head = f"Super-convergence {'happened' if happened else 'did not happen'} here"
    return f"{head}: {_lower(_against(policy, hardest))}"


def remarks(shortfall: Shortfall) -> tuple[str, ...]:
    """One sentence for each comparison that is missing or was made at another length, with the reason."""
    if not shortfall.asked:
        return ("No other policy was asked for.",)
    if shortfall.cost is None:
        why = "the recipe is fitted, without a learning rate" if shortfall.is_fitted else "no recipe was frozen"
        return (f"{', '.join(shortfall.absent)}: not tested, because {why} to compare them with.",)
    found = []
    if shortfall.failed:
        found.append(f"{', '.join(shortfall.failed)}: not tested. {_ended(shortfall)}")
    if shortfall.absent:
        found.append(f"{', '.join(shortfall.absent)}: not tested. {_why_not_begun(shortfall, shortfall.cost)}")
    compared, epochs = shortfall.compared_epochs, shortfall.cost.recipe_epochs
    if compared is not None and compared < epochs:
        found.append(
            f"Compared at {compared:g} epochs instead of the recipe's {epochs:g}: longer runs of the same policies, at "
            f"{RATES} learning rates each, would have taken more than a tenth of the worker time, or more than was "
            f"left."
        )
    return tuple(found)


def _ended(shortfall: Shortfall) -> str:
    """How runs ended that do not make a comparison."""
    ends = shortfall.ends.items()
    runs = ", ".join(f"{count} {how.replace('_', ' ')}" for how, count in ends) or "none came back"
    return f"At least {RATES} learning rates are needed, and one complete run. How the runs ended: {runs}."


def _why_not_begun(shortfall: Shortfall, cost: RunCost) -> str:
    if shortfall.interrupted:
        return "The search was interrupted."
    if cost.needed_s > cost.left_s:
        return (
            f"{RATES} runs of {cost.epochs:g} epochs need about {cost.needed_s:.0f} worker-seconds, and "
            f"{cost.left_s:.0f} were left of the {cost.allowance_s:.0f} (a tenth) that a comparison may take."
        )
    return f"The deadline left no room for {RATES} runs of {cost.epochs:g} epochs after the confirmation."


def gain_words(baseline: ComparedPolicy) -> str:
    """The gain with its interval, if that is known: ``+0.012 (0.003 to 0.021)``."""
    ends = (
        f"{number(baseline.gain_low, 3)} to {number(baseline.gain_high, 3)}"
        if baseline.gain_low == baseline.gain_low
        else "interval not known"
    )
    return f"{'+' * (baseline.gain >= 0.0)}{number(baseline.gain, 3)} ({ends})"


def match_words(baseline: ComparedPolicy) -> str:
    """The number of steps after which the searched policy reaches the same value, with its interval."""
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


def caveat(baseline: ComparedPolicy) -> str:
    """A reservation about the figure; empty if there is none."""
    if not baseline.at_border:
        return ""
    return "best at the border of its learning rates: it may do better"


def _hardest(baselines: list[ComparedPolicy]) -> ComparedPolicy:
    """The one that is hardest to beat."""
    return min(baselines, key=lambda baseline: baseline.gain)


def _against(policy: str, baseline: ComparedPolicy) -> str:
    border = f" (its {caveat(baseline)})" if caveat(baseline) else ""
    return (
        f"What {prose(baseline.schedule)}{border} reaches in {baseline.steps} steps at its best rate, "
        f"{number(baseline.value)}, takes {policy} {match_words(baseline)}."
    )


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
