"""Where the time of a run went, and what of it was Airflow's."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from windtunnel.report.snapshot import Snapshot
from windtunnel.report.summary import duration

Span = tuple[float, float]  # begin and end, in seconds since 1970


def times(snapshot: Snapshot, whole: Span, tasks: Sequence[dict[str, Any]], answering: float) -> list[str]:
    """Where the time went: by stage, and what of it is Airflow's, that is the time in which no job lived.

    Args:
        snapshot: of the run.
        whole: from the command to the end of the DAG run.
        tasks: of the DAG run.
        answering: seconds that a person took to answer.
    """
    seconds = whole[1] - whole[0] - answering
    airflow = max(0.0, seconds - covered(busy_spans(snapshot, since=whole[0]), whole))
    stages = [f"{name} {duration(end - begin)}" for name, (begin, end) in _stages(tasks)]
    return [
        f"  time           {', '.join(stages)}",
        f"                 Airflow's part (no job at work): {duration(airflow)}, {airflow / max(seconds, 1e-9):.0%}",
    ]


def busy_spans(snapshot: Snapshot, since: float) -> list[Span]:
    """When there were jobs: of each stage from its first launch or claim to its last result.

    Args:
        snapshot: of the run.
        since: seconds since 1970; what was launched before counts from then on, as far as it had results later.
    """
    given = [[snapshot.preparation]] if snapshot.preparation else []
    given += [plan.jobs for plan in snapshot.plans.values() if plan.jobs]
    spans = [
        _span(snapshot, [time for job in jobs for time in snapshot.launches.get(job.job, [])], units, since)
        for jobs in given
        for units in [[unit for job in jobs for unit in job.units]]
    ]
    for plan in snapshot.plans.values():
        units = [request.trial for request in plan.requests if request.trial in snapshot.claims]
        spans.append(_span(snapshot, [snapshot.claims[unit].since for unit in units], units, since))
    return [(begin, end) for begin, end in spans if begin < end]


def covered(spans: Iterable[Span], within: Span) -> float:
    """How many seconds of an interval the spans cover together."""
    total, reached = 0.0, within[0]
    for begin, end in sorted(spans):
        begin, end = max(begin, reached), min(end, within[1])
        if end > begin:
            total += end - begin
            reached = end
    return total


def _span(snapshot: Snapshot, begun: Iterable[float], units: Iterable[str], since: float) -> Span:
    launches = [time for time in begun if time >= since]
    results = [snapshot.results[unit] for unit in units if unit in snapshot.results]
    ends = [datetime.fromisoformat(each.started).timestamp() + each.seconds for each in results if each.started]
    return min(launches, default=since), max(ends, default=0.0)


def _stages(tasks: Sequence[dict[str, Any]]) -> list[tuple[str, Span]]:
    """From the first task's begin to the last task's end of each group, in order; tasks outside groups go unnamed."""
    spans: dict[str, Span] = {}
    for task in tasks:
        group, _, inner = task["task"].partition(".")
        if not inner or task["start"] is None or task["end"] is None or task["state"] == "skipped":
            continue
        begin, end = spans.get(group, (task["start"], task["end"]))
        spans[group] = (min(begin, task["start"]), max(end, task["end"]))
    ordered = sorted(spans.items(), key=lambda item: item[1])
    return [(name.replace("_", " "), span) for name, span in ordered]
