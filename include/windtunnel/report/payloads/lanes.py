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
        a unit runs. `idle` says likewise when which lane of a session had nothing to do between the session's first
        start and its last end, or now. `launches` holds `[job, time]`. `stages` says how busy the lanes of each stage
        were between its first start and its last end: `busy` seconds of units against `room`, lanes times that span;
        `whole` says so of the run until now, the time between its stages included, without that between its sessions;
        None before a unit has started.
    """
    own = [trial.result for trial in snapshot.own() if trial.result]
    rows = [_ended(snapshot, result) for result in (*own, *snapshot.steps) if result.started]
    rows += _running(snapshot, own)
    rows.sort(key=lambda row: row["start"])
    sessions = _sessions(snapshot, rows)
    names = ("unit", "stage", "lane", "job", "state", "start", "end")
    return {
        "version": snapshot.version,
        "columns": {name: [row[name] for row in rows] for name in names},
        "idle": _idle(snapshot, sessions),
        "launches": [[job, time] for job, times in snapshot.launches.items() for time in times],
        "slots": (snapshot.definition.get("limits") or {}).get("slots", 1),
        "stages": _stages(rows),
        "whole": _whole(snapshot, sessions),
    }


def _ended(snapshot: Snapshot, result: Result) -> dict[str, Any]:
    start = seconds(result.started) or 0.0
    return _row(snapshot, result.trial, start, start + (plain(result.seconds) or 0.0))


def _running(snapshot: Snapshot, ended: list[Result]) -> list[dict[str, Any]]:
    """Trials that run now: since their claim; of given jobs since the one before ended, or else since the launch."""
    free: dict[str, float] = {}  # when each job ended its last trial
    for result in ended:
        if result.started:
            job = snapshot.jobs[result.trial].job
            free[job] = max(free.get(job, 0.0), (seconds(result.started) or 0.0) + result.seconds)
    running = [trial.trial for trial in snapshot.own() if trial.trial in snapshot.running]

    def start(unit: str) -> float:
        if unit in snapshot.claims:
            return snapshot.claims[unit].since
        job = snapshot.jobs[unit].job
        return free.get(job) or max(snapshot.launches.get(job, [0.0]))

    return [_row(snapshot, unit, start(unit), None) for unit in running]


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


def _sessions(snapshot: Snapshot, rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The units by the session in which they started; one that runs ends now."""
    now = seconds(snapshot.read) or 0.0
    begun = sorted(filter(None, (seconds(session.started) for session in snapshot.sessions)))
    sessions: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        end = max(row["start"], now) if row["end"] is None else row["end"]
        sessions[bisect_right(begun, row["start"])].append(row | {"end": end})
    return list(sessions.values())


def _whole(snapshot: Snapshot, sessions: list[list[dict[str, Any]]]) -> dict[str, Any] | None:
    """The run's units against all its lanes, from the first start to the last end of each session."""
    if not sessions:
        return None
    parts = [_stage("", session) for session in sessions]
    lanes = max(_parallel(snapshot), *(part["lanes"] for part in parts))
    span = sum(part["end"] - part["start"] for part in parts)
    return {"lanes": lanes, "seconds": span, "busy": sum(part["busy"] for part in parts), "room": lanes * span}


def _idle(snapshot: Snapshot, sessions: list[list[dict[str, Any]]]) -> dict[str, list[Any]]:
    """When which lane had nothing to do."""
    gaps = []
    for rows in sessions:
        begin, end = min(row["start"] for row in rows), max(row["end"] for row in rows)
        free = dict.fromkeys([*range(_parallel(snapshot)), *(row["lane"] for row in rows)], begin)
        for row in [*rows, *({"lane": lane, "start": end, "end": end} for lane in free)]:
            if row["start"] > free[row["lane"]]:
                gaps.append((row["lane"], free[row["lane"]], row["start"]))
            free[row["lane"]] = max(free[row["lane"]], row["end"])
    return {name: [gap[place] for gap in gaps] for place, name in enumerate(("lane", "start", "end"))}


def _parallel(snapshot: Snapshot) -> int:
    return (snapshot.definition.get("limits") or {}).get("parallel") or 0


def _stage(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    start, end = min(row["start"] for row in rows), max(row["end"] for row in rows)
    used = len({row["lane"] for row in rows})
    busy = sum(row["end"] - row["start"] for row in rows)
    return {"stage": name, "start": start, "end": end, "lanes": used, "busy": busy, "room": used * (end - start)}
