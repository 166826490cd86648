"""A run's trials as rows: for a table, a spreadsheet or a program."""

import json
from collections.abc import Mapping
from typing import Any

from windtunnel.ledger import Model, Trial
from windtunnel.report.payloads.plain import plain
from windtunnel.report.snapshot import Snapshot

_GROUPS = ("keys", "params", "objectives", "metrics", "errors", "test")


def records(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every trial of a run as JSON's own types: those that searched, in order of request, then the full trainings.

    `params`, `objectives`, `metrics` and `test` hold values by name; where a trial was repeated, `objectives` are means
    and `errors` their standard errors. Of a full training, `verdict` is `verified`, `not
    verified` or `failed` once that is known; `onnx` and `sha256` are the path of its ONNX file in the run's folder and
    the file's digest, where there is one. `seconds` are of the last attempt; `stage` is an iteration's number or
    `full-<k>`.
    """
    models = {model.trial.trial: model for model in snapshot.models}
    searched = {trial.trial: _record(snapshot, trial, models.get(trial.trial)) for trial in snapshot.trials}
    trained = [_record(snapshot, model.trial, model) for trial, model in models.items() if trial not in searched]
    return [plain(record) for record in (*searched.values(), *trained)]


def flat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records, of trials or of partitions, with a column for each value, such as `params.lr`, the same for all.

    Lists, mappings, booleans and null are JSON, as is a text that would be taken for one of them: `""`, `"null"`. What
    is not there is None.
    """
    groups = [group for group in _GROUPS if rows and group in rows[0]]
    names = {group: dict.fromkeys(name for row in rows for name in row[group]) for group in groups}
    return [_flat(row, names) for row in rows]


def _flat(row: Mapping[str, Any], names: Mapping[str, Mapping[str, None]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for key, value in row.items():
        if key in names:
            columns |= {f"{key}.{name}": _field(value[name]) if name in value else None for name in names[key]}
        else:
            columns[key] = value
    return columns


def _field(value: Any) -> Any:
    """A value as one field: numbers and texts as they are, else JSON, and so a text that would be taken for it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    plain_text = isinstance(value, str) and value.strip() and not _is_other_json(value)
    return value if plain_text else json.dumps(value, ensure_ascii=False)


def _is_other_json(text: str) -> bool:
    try:
        return not isinstance(json.loads(text), float | int) or text in ("true", "false")
    except (ValueError, RecursionError):
        return False


def _record(snapshot: Snapshot, trial: Trial, model: Model | None = None) -> dict[str, Any]:
    result = trial.result
    return {
        "trial": trial.trial,
        "config": trial.config,
        "stage": trial.request.stage,
        "iteration": trial.iteration,
        "epochs": trial.request.epochs,
        "state": snapshot.state(trial),
        "params": trial.params,
        "objectives": snapshot.objectives_of(trial),
        "metrics": snapshot.metrics_of(trial),
        "violation": trial.violation,
        "repeats": max(1, len(trial.repeats)),
        "errors": dict(trial.errors),
        "front": trial.trial in snapshot.front,
        "kind": result.kind if result else "",
        "message": (model.error if model else "") or trial.message,
        "seconds": result.seconds if result else 0.0,
        "started": result.started if result else "",
        "attempts": result.attempts if result else 0,
        "peak_memory": result.peak_memory if result else 0,
        "source": snapshot.source(trial),
        "verdict": model.verdict if model else None,
        "onnx": model.onnx if model else None,
        "sha256": model.sha256 if model else None,
        "test": model.test if model else {},
    }
