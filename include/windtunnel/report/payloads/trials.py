"""All trials of a run, column by column, and only those that changed where the reader has the others."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from windtunnel.ledger import Trial
from windtunnel.report.payloads.plain import plain, seconds
from windtunnel.report.snapshot import WAITING, Snapshot
from windtunnel.text import headline

_SLACK = 10.0  # seconds that a store's clock may be coarse or late by: what was written then is sent twice


def trials(snapshot: Snapshot, since: str = "") -> dict[str, Any]:
    """The trials, or those that may have changed since an earlier answer.

    The cursor says how many trials there were and when the last of their results was written; both only grow, and no
    trial with a result changes. So any process can answer it, and what is sent twice does no harm.

    Args:
        snapshot: of the run.
        since: the `cursor` of an earlier answer; all trials if it is empty or no cursor.

    Returns:
        `columns` by name, of equal length; `params`, `objectives` and `metrics` as lists of `[name, values]`, for a
        name may be any text; `front` and `unended`, trials without a result and their states, hold for all.
    """
    known, latest = _cursor(since)
    every = snapshot.trials
    rows = [trial for place, trial in enumerate(every) if place >= known or trial.recorded > latest - _SLACK]
    last = max((trial.recorded for trial in every), default=0.0)
    return {
        "search": snapshot.search,
        "run": snapshot.run,
        "version": snapshot.version,
        "cursor": f"{len(every)}.{math.ceil(last * 1000)}",
        "total": len(every),
        "objectives": list(snapshot.objectives.items()),
        "front": [trial.trial for trial in every if trial.trial in snapshot.front],
        "unended": {trial.trial: snapshot.state(trial) for trial in every if not trial.result},
        "columns": _columns(snapshot, rows),
        "params": _named([trial.params for trial in rows], _names(trial.params for trial in every)),
        "values": _named(list(map(snapshot.objectives_of, rows)), list(snapshot.objectives)),
        "metrics": _named(list(map(snapshot.metrics_of, rows)), _names(map(snapshot.metrics_of, every))),
    }


def _columns(snapshot: Snapshot, rows: Sequence[Trial]) -> dict[str, list[Any]]:
    """One value of each column for every row; one without a result counts as waiting, for `unended` has its state."""
    results = [trial.result for trial in rows]
    return {
        "number": [snapshot.numbers[trial.trial] for trial in rows],
        "trial": [trial.trial for trial in rows],
        "config": [trial.config for trial in rows],
        "stage": [trial.request.stage for trial in rows],
        "iteration": [trial.iteration for trial in rows],
        "epochs": [trial.request.epochs for trial in rows],
        "state": [trial.state or WAITING for trial in rows],
        "violation": [plain(trial.violation) for trial in rows],
        "kind": [result.kind if result else "" for result in results],
        "message": [headline(trial.message) for trial in rows],
        "seconds": [plain(result.seconds) if result else 0.0 for result in results],
        "started": [seconds(result.started) if result else None for result in results],
        "attempts": [result.attempts if result else 0 for result in results],
        "peak_memory": [(result.peak_memory or None) if result else None for result in results],
        "parents": [trial.parents for trial in rows],
        "origin": [_origin(trial) for trial in rows],
        "source": [snapshot.source(trial) for trial in rows],
    }


def _origin(trial: Trial) -> str | None:
    """What made the configuration, such as `mutation`, where the strategy says."""
    origin = trial.request.note.get("from")
    return origin if isinstance(origin, str) else None


def _cursor(text: str) -> tuple[int, float]:
    known, _, recorded = text.partition(".")
    if not (known.isdecimal() and recorded.isdecimal()):
        return 0, 0.0
    return int(known), int(recorded) / 1000


def _names(values: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for each in values for name in each))


def _named(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    return [[name, [plain(row.get(name)) for row in rows]] for name in names]
