"""When each lane was busy, so that idle ones are seen."""

from bisect import bisect_right
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
        first start and its last end: `busy` seconds of units against `room`, lanes times that span; `whole` says so of
        the run, the time between its stages included, without that between its sessions; None before a unit has ended.
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
        "whole": _whole(snapshot, rows),
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


def _whole(snapshot: Snapshot, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The run's units against all its lanes, from the first start to the last end of each session."""
    done = [row for row in rows if row["end"] is not None]
    if not done:
        return None
    begun = sorted(filter(None, (seconds(session.started) for session in snapshot.sessions)))
    sessions: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in done:
        sessions[bisect_right(begun, row["start"])].append(row)
    parts = [_stage("", group) for group in sessions.values()]
    parallel = (snapshot.definition.get("limits") or {}).get("parallel") or 0
    lanes = max(parallel, *(part["lanes"] for part in parts))
    span = sum(part["end"] - part["start"] for part in parts)
    return {"lanes": lanes, "seconds": span, "busy": sum(part["busy"] for part in parts), "room": lanes * span}


def _stage(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    start, end = min(row["start"] for row in rows), max(row["end"] for row in rows)
    used = len({row["lane"] for row in rows})
    busy = sum(row["end"] - row["start"] for row in rows)
    return {"stage": name, "start": start, "end": end, "lanes": used, "busy": busy, "room": used * (end - start)}
