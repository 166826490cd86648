"""Where a run's time went, by what the ledger knows of its jobs."""

from collections.abc import Iterable
from datetime import datetime

from windtunnel.ledger import Ledger, Result

Span = tuple[float, float]


def busy_spans(ledger: Ledger, since: float) -> list[Span]:
    """When there were jobs: from each stage's first launch to its last result, in seconds since 1970.

    Args:
        ledger: of the run.
        since: what was launched before counts from then on only, as far as it had results later.
    """
    outcomes = ledger.outcomes() | ledger.step_outcomes()
    jobs = [plan.jobs for stage in ledger.stages() if (plan := ledger.plan(stage))]
    jobs += [[job] for job in [ledger.preparation()] if job is not None]
    spans = []
    for of in jobs:
        begins = [_seconds(launch.launched) for job in of for launch in ledger.launches(job.job)]
        begins = [begin for begin in begins if begin >= since] or [since]
        ends = [_end(outcomes[unit]) for job in of for unit in job.units if unit in outcomes]
        if max(ends, default=0.0) > min(begins):
            spans.append((min(begins), max(ends)))
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


def _end(outcome: Result) -> float:
    return _seconds(outcome.started) + outcome.seconds if outcome.started else 0.0


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
