"""One trial, with all that its ledger has of it."""

import re
from itertools import islice
from typing import Any

from windtunnel.ledger import Ledger, Trial
from windtunnel.ledger.artifacts import FOLDER, artifacts, is_artifact_name
from windtunnel.ledger.artifacts import MOST as MOST_KEPT
from windtunnel.ledger.curves import read_points
from windtunnel.report.payloads.overview import model
from windtunnel.report.payloads.plain import plain
from windtunnel.report.snapshot import Snapshot

# What of the trainer's files a page may hand out. Checkpoints stay where they are: big, and of use to the trainer only.
_OFFERED = re.compile(r"log\.txt|metrics\.jsonl|request\.json|[A-Za-z0-9_-]+\.(onnx|json|jsonl|txt|csv|png)")

MOST = 100  # files, artifacts, and attempts, that a page lists
_FIRST = ("log.txt", "metrics.jsonl", "model.onnx")


def trial(snapshot: Snapshot, ledger: Ledger, of: Trial) -> dict[str, Any]:
    """A trial: its facts, attempts, curve, files, the end of its log, and its kin.

    Of attempts the last are given, and of files those that the trainer writes before others, `MOST` each at most, and
    of artifacts likewise; `left_out` counts the rest of each.

    Args:
        snapshot: of the run.
        ledger: of the run.
        of: one of the snapshot's trials or full trainings.
    """
    request, result = of.request, ledger.result(of.trial)
    job = snapshot.jobs.get(of.trial)
    attempts, files = ledger.attempts(of.trial, MOST), _files(ledger, of.trial)
    saved = saved_files(ledger, of.trial)
    return {
        "trial": of.trial,
        "number": snapshot.numbers[of.trial],
        "config": of.config,
        "stage": request.stage,
        "iteration": of.iteration,
        "state": snapshot.state(of),
        "front": of.trial in snapshot.front,
        "params": list(plain(of.params).items()),
        "objectives": list(plain(snapshot.objectives_of(of)).items()),
        "repeats": max(1, len(of.repeats)),
        "errors": list(plain(of.errors).items()),
        "metrics": list(plain(snapshot.metrics_of(of)).items()),
        "violation": plain(of.violation),
        "epochs": request.epochs,
        "epoch": result.epoch if result else None,
        "seconds": plain(result.seconds) if result else 0.0,
        "peak_memory": result.peak_memory if result else 0,
        "started": result.started if result else "",
        "ended": result.ended if result else "",
        "note": plain(request.note),
        "kind": result.kind if result else "",
        "message": result.message if result and result.message else of.message,
        "log_tail": ledger.log(of.trial) or (result.log_tail if result else ""),
        "attempts": [plain(attempt) for attempt in attempts],
        "job": job.job if job else "",
        "lane": job.lane if job else 0,
        "source": result.source if result else None,
        "continue_from": request.continue_from,
        "curve": plain(read_points(ledger, of.trial)),
        "files": files[:MOST],
        "artifacts": saved[:MOST],
        "left_out": {
            "attempts": attempts[0].number - 1 if attempts else 0,
            "files": max(0, len(files) - MOST),
            "artifacts": max(0, len(saved) - MOST),
        },
        "parents": [{"config": config, "trials": _of_config(snapshot, config)} for config in of.parents],
        "children": [other.trial for other in snapshot.trials if of.config in other.parents],
        "same": [name for name in _of_config(snapshot, of.config) if name != of.trial],
        "model": next(
            (model(snapshot, each) for each in snapshot.models if of.trial in (each.trial.trial, each.partial)), None
        ),
    }


def _files(ledger: Ledger, trial: str) -> list[dict[str, Any]]:
    """The trial's files that may be handed out, those of the trainer first."""
    sizes = {entry.path.rpartition("/")[2]: entry.size for entry in ledger.files(trial)}
    names = sorted(filter(is_offered, sizes), key=lambda name: (not name.startswith(_FIRST), name))
    return [{"name": name, "size": sizes[name]} for name in names]


def saved_files(ledger: Ledger, trial: str) -> list[dict[str, Any]]:
    """The trial's artifacts, as many as a trial may keep, by the names that `is_offered` takes."""
    return [
        {"name": f"{FOLDER}/{name}", "size": entry.size, "version": entry.etag}
        for name, entry in islice(artifacts(ledger, trial).items(), MOST_KEPT)
    ]


def is_offered(name: str) -> bool:
    """Whether a file of a trial may be handed out, by its name: the trainer's own, and artifacts."""
    folder, _, artifact = name.partition("/")
    return _OFFERED.fullmatch(name) is not None or (folder == FOLDER and is_artifact_name(artifact))


def _of_config(snapshot: Snapshot, config: str) -> list[str]:
    trained = [each.trial for each in snapshot.models]
    return [each.trial for each in (*snapshot.trials, *trained) if each.config == config]
