"""Where a run's time went, by what the ledger knows of its jobs."""

from collections.abc import Iterable
from datetime import datetime

from windtunnel.ledger import Ledger
from windtunnel.ledger.ledger import Outcome

Span = tuple[float, float]


def busy_spans(ledger: Ledger) -> dict[str, Span]:
    """When each stage had jobs, in seconds since 1970: from its first launch to its last result."""
    outcomes = ledger.outcomes() | ledger.step_outcomes()
    spans: dict[str, Span] = {}
    plans = {stage: plan for stage in ledger.stages() if (plan := ledger.plan(stage))}
    jobs = {stage: plan.jobs for stage, plan in plans.items()} | {"prepare": [ledger.job("prepare")]}
    for stage, of in jobs.items():
        begins = [_seconds(launch.launched) for job in of for launch in ledger.launches(job.job)]
        ends = [_end(outcomes[unit]) for job in of for unit in job.units if unit in outcomes]
        if begins and ends:
            spans[stage] = (min(begins), max(ends))
    return spans


def covered(spans: Iterable[Span], within: Span) -> float:
    """How many seconds of an interval the spans cover together."""
    total, reached = 0.0, within[0]
    for begin, end in sorted(spans):
        begin, end = max(begin, reached), min(end, within[1])
        if end > begin:
            total += end - begin
            reached = end
    return total


def _end(outcome: Outcome) -> float:
    return _seconds(outcome.started) + outcome.seconds if outcome.started else 0.0


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
