"""All trials of a run, column by column, and only those that changed where the reader has the others."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from windtunnel.report.payloads.plain import plain, seconds
from windtunnel.report.snapshot import RUNNING, WAITING, Snapshot, Trial

_SLACK = 10.0  # seconds that a store's clock may be coarse or late by: what was written then is sent twice
_MESSAGE = 300  # characters of a failure's message; the trial itself has it whole


def trials(snapshot: Snapshot, since: str = "") -> dict[str, Any]:
    """The trials, or those that may have changed since an earlier answer.

    The cursor says how many trials there were and when the last of their results was written; both only grow, and no
    trial with a result changes. So any process can answer it, and what is sent twice does no harm.

    Args:
        snapshot: of the run.
        since: the `cursor` of an earlier answer; all trials if it is empty or no cursor.

    Returns:
        `columns` by name, of equal length; `params`, `objectives` and `metrics` as lists of `[name, values]`, for a
        name may be any text; `front` and `running` name trials and hold for all.
    """
    known, recorded = _cursor(since)
    rows = [
        trial for number, trial in enumerate(snapshot.trials, 1) if number > known or trial.recorded > recorded - _SLACK
    ]
    last = max((trial.recorded for trial in snapshot.trials), default=0.0)
    return {
        "search": snapshot.search,
        "run": snapshot.run,
        "version": snapshot.version,
        "cursor": f"{len(snapshot.trials)}.{math.ceil(last * 1000)}",
        "total": len(snapshot.trials),
        "objectives": list(snapshot.objectives.items()),
        "front": [trial.trial for trial in snapshot.trials if trial.trial in snapshot.front],
        "running": [trial.trial for trial in snapshot.trials if snapshot.state(trial) == RUNNING],
        "columns": _columns(snapshot, rows),
        "params": _named([trial.params for trial in rows], _names(trial.params for trial in snapshot.trials)),
        "values": _named([trial.objectives for trial in rows], list(snapshot.objectives)),
        "metrics": _named([trial.metrics for trial in rows], _names(trial.metrics for trial in snapshot.trials)),
    }


def _columns(snapshot: Snapshot, rows: Sequence[Trial]) -> dict[str, list[Any]]:
    """One value of each column for every row; a trial at work counts as waiting, for `running` names those."""
    return {
        "number": [snapshot.numbers[trial.trial] for trial in rows],
        "trial": [trial.trial for trial in rows],
        "config": [trial.config for trial in rows],
        "stage": [trial.request.stage for trial in rows],
        "iteration": [trial.request.iteration for trial in rows],
        "epochs": [trial.request.epochs for trial in rows],
        "state": [trial.outcome.state if trial.outcome else WAITING for trial in rows],
        "violation": [plain(trial.violation) for trial in rows],
        "kind": [trial.kind for trial in rows],
        "message": [_shortened(trial.message) for trial in rows],
        "seconds": [plain(trial.seconds) for trial in rows],
        "started": [seconds(trial.started) for trial in rows],
        "attempts": [trial.attempts for trial in rows],
        "parents": [trial.request.parents for trial in rows],
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


def _shortened(message: str) -> str:
    last = message.strip().rpartition("\n")[2]
    return last if len(last) <= _MESSAGE else f"{last[:_MESSAGE]}…"
