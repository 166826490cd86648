"""When each lane was busy, so that idle ones are seen."""

from collections import defaultdict
from typing import Any

from windtunnel.ledger.outcome import Outcome
from windtunnel.report.payloads.plain import plain, seconds
from windtunnel.report.snapshot import RUNNING, Snapshot, Trial


def lanes(snapshot: Snapshot) -> dict[str, Any]:
    """What the run's own jobs ran on which lane, when.

    Returns:
        `columns` of equal length, one value a unit that has started, times in seconds since 1970; `end` is None while
        a unit runs. `launches` holds `[job, time]`. `stages` says how busy the lanes of each stage were between its
        first start and its last end: `busy` seconds of units against `room`, lanes times that span.
    """
    own = snapshot.own()
    units: list[Trial | Outcome] = [*own, *snapshot.steps]
    rows = [_ended(snapshot, unit) for unit in units if unit.started] + _running(snapshot, own)
    rows.sort(key=lambda row: row["start"])
    names = ("unit", "stage", "lane", "job", "state", "start", "end")
    return {
        "version": snapshot.version,
        "columns": {name: [row[name] for row in rows] for name in names},
        "launches": [[job, time] for job, times in snapshot.launches.items() for time in times],
        "slots": (snapshot.definition.get("limits") or {}).get("slots", 1),
        "stages": _stages(rows),
    }


def _ended(snapshot: Snapshot, unit: Trial | Outcome) -> dict[str, Any]:
    start = seconds(unit.started) or 0.0
    return _row(snapshot, unit.trial, start, start + (plain(unit.seconds) or 0.0))


def _running(snapshot: Snapshot, trials: list[Trial]) -> list[dict[str, Any]]:
    """Trials that run now: each began when the one before it on its job ended, or else with the job's launch."""
    free: dict[str, float] = {}  # when each job ended its last trial
    for trial in trials:
        if trial.started:
            job = snapshot.jobs[trial.trial].job
            free[job] = max(free.get(job, 0.0), (seconds(trial.started) or 0.0) + trial.seconds)
    running = [trial.trial for trial in trials if snapshot.state(trial) == RUNNING]
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
        "state": snapshot.state(trial) if trial else snapshot.outcomes[unit].state.value,
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
