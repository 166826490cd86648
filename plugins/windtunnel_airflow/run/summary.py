"""What a run found, where to look, and where the time went, in a few lines."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger, Model, Verdict
from windtunnel.report.reader import RunReader
from windtunnel.report.snapshot import UNENDED, Snapshot
from windtunnel.report.text import finalists, why_failed

Span = tuple[float, float]  # begin and end, in seconds since 1970
_EXCEPTION = re.compile(r"[\w.]*(Error|Exception)\w*: ")


def results(snapshot: Snapshot, seconds: float) -> list[str]:
    """What the run found.

    Args:
        snapshot: of the run.
        seconds: that this command took.
    """
    counts = snapshot.counts
    iterations = [stage for stage in snapshot.plans if stage.is_iteration]
    done = sum(counts.values()) - sum(counts[state] for state in UNENDED)
    failed = f" ({counts['failed']} failed)" if counts["failed"] else ""
    usable = [model for model in snapshot.models if model.usable]
    models = "" if snapshot.refusal else f", {finalists(snapshot)}"
    lines = [
        f"{snapshot.search} took {_duration(seconds)}: {done} trials{failed} in {len(iterations)} iterations, "
        f"{len(snapshot.front)} on the front{models}."
    ]
    if snapshot.ended_early:
        lines.append(f"It ended early: {snapshot.ended_early}.")
    lines += [f"  {line}" for line in why_failed(snapshot)]
    if snapshot.refusal:
        lines.append(f"The finalists were {snapshot.refusal}: nothing was trained fully or published.")
    if usable:
        lines += _best(_by_test(usable), snapshot)
    broken = [model for model in snapshot.models if model.verdict is Verdict.FAILED]
    return lines + [f"Failed: {model.trial.trial}: {model.error}" for model in broken]


def failure(reader: RunReader, log: bytes) -> list[str]:
    """Why the run failed: by its ledger, or else by the exceptions that its log has.

    Args:
        reader: of the run, which need not have begun.
        log: of the Airflow that performed it.
    """
    with suppress(LedgerError):
        snapshot = reader.read()
        if snapshot.failure is not None:
            return [f"The run ended: {snapshot.failure}", *why_failed(snapshot)]
    lines = log.decode(errors="replace").splitlines()
    return list(dict.fromkeys(line for line in lines if _EXCEPTION.match(line)) or lines[-20:])


def where(ledger: Ledger, latest: Path | None) -> list[str]:
    """Where to look."""
    if latest is None:
        return [f"  report         {ledger.url}/report.html"]
    shown = latest.relative_to(Path.cwd()) if latest.is_relative_to(Path.cwd()) else latest
    return [
        f"  report         {shown}/report.html  (picture: pareto.png; data: pareto.json, models.json)",
        f"  run            {ledger.url}",
    ]


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
    stages = [f"{name} {_duration(end - begin)}" for name, (begin, end) in _stages(tasks)]
    return [
        f"  time           {', '.join(stages)}",
        f"                 Airflow's part (no job at work): {_duration(airflow)}, {airflow / max(seconds, 1e-9):.0%}",
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


def _by_test(models: Sequence[Model]) -> Model:
    """The model with the best test accuracy, or where there is none the first, which is the best in training."""
    return max(models, key=lambda model: (model.verdict is Verdict.VERIFIED, model.test.get("test_acc") or 0.0))


def _best(model: Model, snapshot: Snapshot) -> list[str]:
    test = ", ".join(f"{name} {value:.4g}" for name, value in model.test.items() if value is not None)
    values = snapshot.objectives_of(model.trial)
    objectives = ", ".join(f"{name} {values[name]:.4g}" for name in snapshot.objectives if name in values)
    measured = f"{test} ({objectives})" if test else objectives
    verdict = "" if model.verdict is Verdict.VERIFIED else f", {model.verdict}"
    params = ", ".join(
        f"{name} {value:.5g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in model.trial.params.items()
    )
    return [f"  best finalist  {model.trial.trial}: {measured}{verdict}", f"                 {params}"]


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{int(seconds) // 60} min {int(seconds) % 60} s"
