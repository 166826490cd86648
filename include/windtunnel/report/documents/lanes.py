"""When each lane was busy, so that idle ones are seen."""

from collections import defaultdict
from typing import Any

from windtunnel.report.documents.plain import plain, seconds
from windtunnel.report.view import RunView, StepView, TrialView


def lanes(view: RunView) -> dict[str, Any]:
    """What the run's own jobs ran on which lane, when.

    Returns:
        `columns` of equal length, one value a unit that has started, times in seconds since 1970; `end` is None while
        a unit runs. `launches` holds `[job, time]`. `stages` says how busy the lanes of each stage were between its
        first start and its last end: `busy` seconds of units against `room`, lanes times that span.
    """
    own = view.own()
    units = [*map(_of_trial, own), *map(_of_step, view.steps), *_at_work(view, own)]
    rows = sorted((unit for unit in units if unit["start"] is not None), key=lambda unit: unit["start"])
    names = ("unit", "stage", "lane", "job", "state", "start", "end")
    return {
        "version": view.version,
        "columns": {name: [row[name] for row in rows] for name in names},
        "launches": [[job, time] for job, times in view.launches.items() for time in times],
        "slots": (view.definition.get("limits") or {}).get("slots", 1),
        "stages": _stages(rows),
    }


def _of_trial(trial: TrialView) -> dict[str, Any]:
    start = seconds(trial.started)
    end = start + (plain(trial.seconds) or 0.0) if start is not None else None
    row = {"unit": trial.trial, "stage": trial.stage, "lane": trial.lane, "job": trial.job, "state": trial.state}
    return row | {"start": start, "end": end}


def _of_step(step: StepView) -> dict[str, Any]:
    start = seconds(step.started)
    end = start + step.seconds if start is not None else None
    row = {"unit": step.unit, "stage": step.stage, "lane": step.lane, "job": "", "state": step.state}
    return row | {"start": start, "end": end}


def _at_work(view: RunView, trials: list[TrialView]) -> list[dict[str, Any]]:
    """Trials that run now: each began when the one before it on its job ended, or else with the job's launch."""
    began: dict[str, float] = {}
    for trial in trials:
        if trial.started:
            end = (seconds(trial.started) or 0.0) + trial.seconds
            began[trial.job] = max(began.get(trial.job, 0.0), end)
    return [
        _of_trial(trial) | {"start": began.get(trial.job) or max(view.launches.get(trial.job, [0.0])), "end": None}
        for trial in trials
        if trial.state == "running"
    ]


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
