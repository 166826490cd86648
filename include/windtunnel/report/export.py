"""A run's trials as rows: for a table, a spreadsheet or a program."""

from collections.abc import Mapping
from typing import Any

from windtunnel.ledger import Model, Trial
from windtunnel.ledger.trial import message
from windtunnel.report.payloads.plain import plain
from windtunnel.report.snapshot import Snapshot

_GROUPS = ("params", "objectives", "metrics", "test")


def records(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every trial of a run as JSON's own types: those that searched, in order of request, then the full trainings.

    `params`, `objectives`, `metrics` and `test` hold values by name. Of a full training, `verdict` is `verified`, `not
    verified` or `failed` once that is known; `onnx` and `sha256` are the path of its ONNX file in the run's folder and
    the file's digest, where there is one. `seconds` are of the last attempt; `stage` is an iteration's number or
    `full-<k>`.
    """
    searched = [_record(snapshot, trial) for trial in snapshot.trials]
    trained = [_record(snapshot, model.trial, model) for model in snapshot.models]
    return [plain(record) for record in (*searched, *trained)]


def flat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records with a column for each value, such as `params.lr` and `objectives.val_acc`, the same for all."""
    names = {group: dict.fromkeys(name for row in rows for name in row[group]) for group in _GROUPS}
    return [_flat(row, names) for row in rows]


def _flat(row: Mapping[str, Any], names: Mapping[str, Mapping[str, None]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for key, value in row.items():
        if key in _GROUPS:
            columns |= {f"{key}.{name}": value.get(name) for name in names[key]}
        else:
            columns[key] = value
    return columns


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
        "front": trial.trial in snapshot.front,
        "kind": result.kind if result else "",
        "message": (model.error if model else "") or message(trial),
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
