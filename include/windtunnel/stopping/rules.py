"""The rules that stop a trial while it trains: bandit, median and truncation, as Azure ML's HyperDrive has them.

All look at one metric, interval by interval. At interval N a trial is compared with those that have reached N too, and
with nothing that they did later. Every trial's value is its best up to N; the trial itself is among those compared.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from windtunnel.definition.early_stopping import Bandit, EarlyStopping, Median, Truncation
from windtunnel.objectives.direction import sign
from windtunnel.text import counted

Curve = Sequence[float]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a rule says of a trial at one interval.

    Attributes:
        rule: its name.
        interval: counted from 1.
        stop: whether the trial is to end.
        reason: a sentence for people.
    """

    rule: str
    interval: int
    stop: bool
    reason: str


def judgements(early: EarlyStopping, own: Curve, peers: Iterable[Curve], direction: str) -> list[Judgement]:
    """What the rules that are due say of a trial.

    Args:
        early: the definition's section.
        own: the trial's metric at each interval so far.
        peers: the same of all others, whatever became of them.
        direction: `maximize` or `minimize`.
    """
    n = len(own)
    due = {name: rule for name, rule in early.rules.items() if n and rule.due(n)}
    if not due:
        return []
    up = -sign(direction)
    mine = [up * value for value in own]
    others = [[up * value for value in peer[:n]] for peer in peers if len(peer) >= n]
    return [Judgement(name, n, *_judge(rule, mine, others, up)) for name, rule in due.items()]


def bandit_bound(rule: Bandit, best: float) -> float:
    """The value below which a trial stops, where more is better.

    A factor makes the distance from the best grow with its size: best / (1 + slack_factor), or for a best below 0, as
    it is where a positive value is minimised, best x (1 + slack_factor).
    """
    if rule.slack_amount is not None:
        return best - rule.slack_amount
    factor = 1 + (rule.slack_factor or 0.0)
    return best / factor if best > 0 else best * factor


def _judge(
    rule: Bandit | Median | Truncation, mine: list[float], others: list[list[float]], up: float
) -> tuple[bool, str]:
    """Whether to stop, and why; curves are turned so that more is better, and have one length."""
    value, curves = max(mine), [*others, mine]
    among = f"the best so far of {counted(len(curves), 'trial')} at interval {len(mine)}"
    if isinstance(rule, Bandit):
        best = max(max(curve) for curve in curves)
        bound = bandit_bound(rule, best)
        stop = value < bound
        return stop, f"{_side(up * value, stop, up)} {up * bound:g}, the slack from {up * best:g}, {among}"
    if isinstance(rule, Median):
        median = statistics.median(math.fsum(curve) / len(curve) for curve in curves)
        stop = value < median
        middle = f"the median of the means of {counted(len(curves), 'trial')} up to interval {len(mine)}"
        return stop, f"{_side(up * value, stop, up)} {up * median:g}, {middle}"
    better = sum(max(curve) > value for curve in curves)
    most = math.floor(len(curves) * rule.truncation_percentage / 100)
    stop = len(curves) - better <= most
    place = f"{up * value:g} is in place {better + 1} of {counted(len(curves), 'trial')} at interval {len(mine)}"
    return stop, f"{place}, of which the last {most} stop"


def _side(value: float, stop: bool, up: float) -> str:
    if not stop:
        return f"{value:g} is no worse than"
    return f"{value:g} is {'below' if up > 0 else 'above'}"
