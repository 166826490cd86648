"""Two runs side by side."""

import math
from collections.abc import Sequence
from typing import Any

from windtunnel.ledger import Trial
from windtunnel.ledger.trial import best_trial, feasible_trials
from windtunnel.objectives.front import hypervolumes, pareto_front, reference_point
from windtunnel.report.payloads.plain import plain
from windtunnel.report.snapshot import Snapshot


def compare(first: Snapshot, second: Snapshot) -> dict[str, Any]:
    """Fronts, hypervolume over trials and time, and costs of two runs, by the objectives that both have.

    Hypervolumes count only over one reference: the worst corner of all trials of both.

    Returns:
        `runs`: of each its `front`, `volume` as `[number, seconds since the run began, hypervolume]` where that
        changes, and what its own trials took, full trainings among them; `objectives`; `reference`; `same`, how many
        configurations both have tried; and `missing`, why they cannot be compared, where they cannot.
    """
    objectives = {name: way for name, way in first.objectives.items() if second.objectives.get(name) == way}
    tried = [{trial.config for trial in snapshot.trials} for snapshot in (first, second)]
    answer = {
        "objectives": objectives,
        "same": len(tried[0] & tried[1]),
        "missing": "" if objectives else "The two runs have no objective in common.",
        "reference": [],
        "runs": [],
    }
    if not objectives:
        return answer
    fit = [trial for snapshot in (first, second) for trial in feasible_trials(snapshot.trials)]
    reference = reference_point(fit, objectives)
    return answer | {
        "reference": plain(reference),
        "runs": [_run(snapshot, objectives, reference) for snapshot in (first, second)],
    }


def _run(snapshot: Snapshot, objectives: dict[str, str], reference: Sequence[float]) -> dict[str, Any]:
    ended = sorted(feasible_trials(snapshot.trials), key=lambda trial: trial.recorded)
    volumes = hypervolumes(ended, objectives, reference)
    own = [trial.result for trial in snapshot.own() if trial.result]
    began = min((result.recorded - result.seconds for result in own), default=math.inf)
    volume: list[list[Any]] = []
    for number, (trial, value) in enumerate(zip(ended, volumes, strict=True), 1):
        if value is not None and (not volume or volume[-1][2] != value or number == len(ended)):
            volume.append([number, max(0.0, trial.recorded - began), value])
    holders = {name: best_trial(ended, name, direction) for name, direction in objectives.items()}
    return {
        "search": snapshot.search,
        "run": snapshot.run,
        "counts": snapshot.counts,
        "trial_seconds": plain(sum(result.seconds for result in own)),
        "seconds": max((result.recorded - began for result in own), default=0.0),
        "hypervolume": plain(volumes[-1]) if volumes else None,
        "best": {name: trial and trial.objectives[name] for name, trial in holders.items()},
        "volume": plain(volume),
        "front": [_point(snapshot, trial) for trial in pareto_front(ended, objectives)],
    }


def _point(snapshot: Snapshot, trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.trial,
        "objectives": plain(trial.objectives),
        "params": list(plain(trial.params).items()),
        "front": trial.trial in snapshot.front,
    }
