"""When each lane was busy, so that idle ones are seen."""

from collections import defaultdict
from typing import Any

from windtunnel.ledger import Result
from windtunnel.report.payloads.plain import plain, seconds
from windtunnel.report.snapshot import Snapshot


def lanes(snapshot: Snapshot) -> dict[str, Any]:
    """What the run's own jobs ran on which lane, when.

    Returns:
        `columns` of equal length, one value a unit that has started, times in seconds since 1970; `end` is None while
        a unit runs. `launches` holds `[job, time]`. `stages` says how busy the lanes of each stage were between its
        first start and its last end: `busy` seconds of units against `room`, lanes times that span.
    """
    own = [trial.result for trial in snapshot.own() if trial.result]
    rows = [_ended(snapshot, result) for result in (*own, *snapshot.steps) if result.started]
    rows += _running(snapshot, own)
    rows.sort(key=lambda row: row["start"])
    names = ("unit", "stage", "lane", "job", "state", "start", "end")
    return {
        "version": snapshot.version,
        "columns": {name: [row[name] for row in rows] for name in names},
        "launches": [[job, time] for job, times in snapshot.launches.items() for time in times],
        "slots": (snapshot.definition.get("limits") or {}).get("slots", 1),
        "stages": _stages(rows),
    }


def _ended(snapshot: Snapshot, result: Result) -> dict[str, Any]:
    start = seconds(result.started) or 0.0
    return _row(snapshot, result.trial, start, start + (plain(result.seconds) or 0.0))


def _running(snapshot: Snapshot, ended: list[Result]) -> list[dict[str, Any]]:
    """Trials that run now: each began when the one before it on its job ended, or else with the job's launch."""
    free: dict[str, float] = {}  # when each job ended its last trial
    for result in ended:
        if result.started:
            job = snapshot.jobs[result.trial].job
            free[job] = max(free.get(job, 0.0), (seconds(result.started) or 0.0) + result.seconds)
    running = [trial.trial for trial in snapshot.own() if trial.trial in snapshot.running]
    jobs = [snapshot.jobs[unit].job for unit in running]
    starts = [free.get(job) or max(snapshot.launches.get(job, [0.0])) for job in jobs]
    return [_row(snapshot, unit, start, None) for unit, start in zip(running, starts, strict=True)]


def _row(snapshot: Snapshot, unit: str, start: float, end: float | None) -> dict[str, Any]:
    job, trial = snapshot.jobs[unit], snapshot.find(unit)
    return {
        "unit": unit,
        "stage": trial.request.stage if trial else job.stage,
        "lane": job.lane,
        "job": job.job if trial else "",
        "state": snapshot.state(trial) if trial else snapshot.results[unit].state.value,
        "start": start,
        "end": end,
    }


def _stages(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["end"] is not None:
            groups[row["stage"]].append(row)
    return sorted((_stage(name, group) for name, group in groups.items()), key=lambda stage: stage["end"])


def _stage(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    start, end = min(row["start"] for row in rows), max(row["end"] for row in rows)
    used = len({row["lane"] for row in rows})
    busy = sum(row["end"] - row["start"] for row in rows)
    return {"stage": name, "start": start, "end": end, "lanes": used, "busy": busy, "room": used * (end - start)}
