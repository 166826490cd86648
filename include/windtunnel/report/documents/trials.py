"""All trials of a run, column by column, and only those that changed where the reader has the others."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from windtunnel.report.documents.plain import plain, seconds
from windtunnel.report.view import RUNNING, RunView, TrialView

_SLACK = 10.0  # seconds that a store's clock may be coarse or late by: what was written then is sent twice
_MESSAGE = 300  # characters of a failure's message; the trial itself has it whole

_COLUMNS: dict[str, Callable[[TrialView], Any]] = {
    "number": lambda trial: trial.number,
    "trial": lambda trial: trial.trial,
    "config": lambda trial: trial.config,
    "stage": lambda trial: trial.stage,
    "iteration": lambda trial: trial.iteration,
    "epochs": lambda trial: trial.epochs,
    "state": lambda trial: "waiting" if trial.state == RUNNING else trial.state,
    "violation": lambda trial: plain(trial.violation),
    "kind": lambda trial: trial.kind,
    "message": lambda trial: _shortened(trial.message),
    "seconds": lambda trial: plain(trial.seconds),
    "started": lambda trial: seconds(trial.started),
    "attempts": lambda trial: trial.attempts,
    "peak_memory": lambda trial: trial.peak_memory or None,
    "parents": lambda trial: trial.parents,
    "origin": lambda trial: trial.note.get("from") if isinstance(trial.note.get("from"), str) else None,
    "source": lambda trial: trial.source,
}


def trials(view: RunView, since: str = "") -> dict[str, Any]:
    """The trials, or those that may have changed since an earlier answer.

    The cursor says how many trials there were and when the last of their results was written; both only grow, and no
    trial with a result changes. So any process can answer it, and what is sent twice does no harm.

    Args:
        view: of the run.
        since: the `cursor` of an earlier answer; all trials if it is empty or no cursor.

    Returns:
        `columns` by name, of equal length; `params`, `objectives` and `metrics` as lists of `[name, values]`, for a
        name may be any text; `front` and `running` name trials and hold for all.
    """
    known, recorded = _cursor(since)
    rows = [trial for trial in view.trials if trial.number > known or trial.recorded > recorded - _SLACK]
    last = max((trial.recorded for trial in view.trials), default=0.0)
    return {
        "search": view.search,
        "run": view.run,
        "version": view.version,
        "cursor": f"{len(view.trials)}.{math.ceil(last * 1000)}",
        "total": len(view.trials),
        "objectives": list(view.objectives.items()),
        "front": [trial.trial for trial in view.trials if trial.front],
        "running": [trial.trial for trial in view.trials if trial.state == RUNNING],
        "columns": {name: [value(trial) for trial in rows] for name, value in _COLUMNS.items()},
        "params": _named([trial.params for trial in rows], _names(trial.params for trial in view.trials)),
        "values": _named([trial.objectives for trial in rows], list(view.objectives)),
        "metrics": _named([trial.metrics for trial in rows], _names(trial.metrics for trial in view.trials)),
    }


def _cursor(text: str) -> tuple[int, float]:
    known, _, recorded = text.partition(".")
    if not (known.isdecimal() and recorded.isdecimal()):
        return 0, 0.0
    return int(known), int(recorded) / 1000


def _names(of: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for each in of for name in each))


def _named(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    return [[name, [plain(row.get(name)) for row in rows]] for name in names]


def _shortened(message: str) -> str:
    last = message.strip().rpartition("\n")[2]
    return last if len(last) <= _MESSAGE else f"{last[:_MESSAGE]}…"
