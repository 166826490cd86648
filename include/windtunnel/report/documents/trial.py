"""One trial, with all that its ledger has of it."""

import re
from typing import Any

from windtunnel.ledger import Ledger
from windtunnel.ledger.curves import read_points
from windtunnel.report.documents.overview import model
from windtunnel.report.documents.plain import plain
from windtunnel.report.view import RunView, TrialView

# What of a trial's files a page may hand out. Checkpoints stay where they are: big, and of use to the trainer only.
_ARTIFACT = re.compile(r"log\.txt|metrics\.jsonl|request\.json|[A-Za-z0-9_-]+\.(onnx|json|jsonl|txt|csv|png)")


def trial(view: RunView, ledger: Ledger, of: TrialView) -> dict[str, Any]:
    """A trial: its facts, attempts, curve, files, the end of its log, and its kin.

    Args:
        view: of the run.
        ledger: of the run.
        of: one of the view's trials or full trainings.
    """
    result = ledger.result(of.trial)
    return {
        "trial": of.trial,
        "number": of.number,
        "config": of.config,
        "stage": of.stage,
        "iteration": of.iteration,
        "state": of.state,
        "front": of.front,
        "params": list(plain(of.params).items()),
        "objectives": list(plain(of.objectives).items()),
        "metrics": list(plain(of.metrics).items()),
        "violation": plain(of.violation),
        "epochs": of.epochs,
        "epoch": result.epoch if result else None,
        "seconds": plain(of.seconds),
        "peak_memory": of.peak_memory,
        "started": of.started,
        "ended": result.ended if result else "",
        "note": plain(of.note),
        "kind": of.kind,
        "message": result.message if result and result.message else of.message,
        "log_tail": ledger.log(of.trial) or (result.log_tail if result else ""),
        "attempts": [plain(attempt) for attempt in ledger.attempts(of.trial)],
        "job": of.job,
        "lane": of.lane,
        "source": result.source if result else None,
        "continue_from": of.continue_from,
        "curve": plain(read_points(ledger, of.trial)),
        "artifacts": [
            {"name": entry.path.rpartition("/")[2], "size": entry.size}
            for entry in ledger.files(of.trial)
            if is_artifact(entry.path.rpartition("/")[2])
        ],
        "parents": [{"config": config, "trials": _of_config(view, config)} for config in of.parents],
        "children": [other.trial for other in view.trials if of.config in other.parents],
        "same": [name for name in _of_config(view, of.config) if name != of.trial],
        "model": next((model(each) for each in view.models if of.trial in (each.trial.trial, each.partial)), None),
    }


def is_artifact(name: str) -> bool:
    """Whether a file of a trial may be handed out, by its name."""
    return _ARTIFACT.fullmatch(name) is not None


def _of_config(view: RunView, config: str) -> list[str]:
    trained = [each.trial for each in view.models]
    return [each.trial for each in (*view.trials, *trained) if each.config == config]
