"""The run at a glance."""

from collections.abc import Sequence
from typing import Any

from windtunnel.ledger import Model, State, Trial
from windtunnel.ledger.failures import cause, causes
from windtunnel.objectives.direction import better
from windtunnel.report.notes import notes
from windtunnel.report.payloads.plain import plain, seconds
from windtunnel.report.snapshot import Snapshot
from windtunnel.report.stages import StageProgress, caps, iterations
from windtunnel.text import counted


def overview(snapshot: Snapshot) -> dict[str, Any]:
    """How far the run is, what it found, what it cost, what it decided, and what it waits for.

    `volume` and `best` hold a pair of a trial's number and the value from there on, where the value changes.
    """
    begun = iterations(snapshot)
    own = [trial.result for trial in snapshot.own() if trial.result]
    spent = sum(result.seconds for result in own) + sum(step.seconds for step in snapshot.steps)
    held = sum(result.seconds * result.gpus for result in own)
    moments = [moment for result in own if (moment := seconds(result.started)) is not None]
    ends = [result.recorded for result in own]
    ends += [moment + step.seconds for step in snapshot.steps if (moment := seconds(step.started)) is not None]
    return {
        "search": snapshot.search,
        "run": snapshot.run,
        "url": snapshot.url,
        "version": snapshot.version,
        "read": snapshot.read,
        "definition": plain(snapshot.definition),
        "facts": plain({key: value for key, value in snapshot.record.items() if key != "definition"}),
        "objectives": snapshot.objectives,
        "reference": plain(snapshot.reference),
        "counts": snapshot.counts,
        "caps": caps(snapshot),
        "sessions": [{"session": each.session, "started": each.started} for each in snapshot.sessions],
        "closed": snapshot.closed,
        "begun": sum(each.name.number > 0 for each in begun),
        "planned": snapshot.planned,
        "iterations": [_iteration(snapshot, each) for each in begun],
        "front": [trial.trial for trial in snapshot.trials if trial.trial in snapshot.front],
        "volume": _steps(snapshot.volumes),
        "best": {name: _best(snapshot, name) for name in snapshot.objectives},
        "models": [model(snapshot, each) for each in snapshot.models],
        "trial_seconds": plain(spent),
        "gpu_seconds": plain(held),
        "began": seconds(snapshot.record.get("started") or "") or min(moments, default=None),
        "ended": max(ends, default=None),
        "waits_for": waits_for(snapshot),
        "works": snapshot.works,
        "failure": snapshot.failure,
        "ended_early": snapshot.ended_early,
        "refused": str(snapshot.refusal) if snapshot.refusal else "",
        "causes": [{"cause": cause, "units": len(units), "unit": units[0]} for cause, units in _causes(snapshot)],
        "notes": plain(notes(snapshot)),
        "preparation": _preparation(snapshot),
    }


def model(snapshot: Snapshot, of: Model) -> dict[str, Any]:
    """A finalist with its verification."""
    return {
        "trial": of.trial.trial,
        "partial": of.partial,
        "state": snapshot.state(of.trial),
        "epochs": of.trial.request.epochs,
        "seconds": plain(of.trial.result.seconds) if of.trial.result else 0.0,
        "params": plain(of.trial.params),
        "objectives": plain(snapshot.objectives_of(of.trial)),
        "violation": plain(of.trial.violation),
        "verdict": of.verdict,
        "test": plain(of.test),
        "error": of.error,
        "onnx": of.onnx,
        "sha256": of.sha256,
    }


def _causes(snapshot: Snapshot) -> list[tuple[str, list[str]]]:
    """Why trials failed, the three commonest causes."""
    return causes(trial.result for trial in snapshot.trials if trial.result)[:3]


def _preparation(snapshot: Snapshot) -> str:
    """Why the data could not be prepared; empty where it could, or is being."""
    job = snapshot.preparation
    ended = [snapshot.results[unit] for unit in job.units if unit in snapshot.results] if job else []
    return next((cause(result) for result in ended if result.state is State.FAILED), "")


def waits_for(snapshot: Snapshot) -> list[str]:
    """What has to happen next, in sentences; nothing of a run that is done."""
    if not snapshot.works:
        return []
    return [*([snapshot.blocked] if snapshot.blocked else []), *_next_steps(snapshot)]


def _next_steps(snapshot: Snapshot) -> list[str]:
    last = next(reversed(iterations(snapshot)), None)
    if last is None and not snapshot.models:
        return ["the data, which is being prepared, and the first suggestions"]
    if last is not None and last.selection is None:
        if last.finished < last.total:
            left = f"{last.running} running and {last.total - last.finished - last.running} waiting"
            return [f"iteration {last.name}: {left} of {counted(last.total, 'trial')}"]
        return [f"the selection of iteration {last.name}"]
    unfinished = [trial for trial in snapshot.trials if not trial.result]
    stragglers = [f"stragglers: {_counted(snapshot, unfinished)}"] if unfinished else []
    done = last.name.number if last else 0
    if done < snapshot.last_iteration:
        return [*stragglers, f"the suggestions of iteration {done + 1}"]
    return [*stragglers, _after_search(snapshot)]


def _after_search(snapshot: Snapshot) -> str:
    finalists = snapshot.finalists
    if not finalists:
        return "the choice of the finalists"
    if snapshot.asking:
        return f"a person's approval of {counted(len(finalists), 'finalist')}"
    training = [each.trial for each in finalists if not each.trial.result]
    if training:
        return f"full training: {_counted(snapshot, training)} of {counted(len(finalists), 'finalist')}"
    unverified = sum(each.verdict is None for each in finalists)
    return f"the verification of {counted(unverified, 'model')}" if unverified else "publishing"


def _counted(snapshot: Snapshot, trials: Sequence[Trial]) -> str:
    running = sum(trial.trial in snapshot.running for trial in trials)
    return f"{running} running and {len(trials) - running} waiting"


def _iteration(snapshot: Snapshot, each: StageProgress) -> dict[str, Any]:
    selection = each.selection
    return {
        "stage": each.name,
        "planned": each.total,
        "finished": each.finished,
        "note": snapshot.plans[each.name].note,
        "front": len(selection.front) if selection else 0,
        "hypervolume": plain(selection.hypervolume) if selection else None,
        "decisions": plain(selection.decisions) if selection else [],
        "stop": selection.stop if selection else None,
        "failure": selection.failure if selection else None,
        "selected": selection is not None,
    }


def _best(snapshot: Snapshot, name: str) -> dict[str, Any]:
    """The best value so far, its trial, and how it came to it."""
    best: float | None = None
    holder, series = None, []
    for trial in snapshot.trials:
        value = trial.objectives.get(name) if trial.feasible else None
        if value is not None and (best is None or better(value, best, snapshot.objectives[name])):
            best, holder = value, trial.trial
        series.append(best)
    return {"value": plain(best), "trial": holder, "series": plain(_steps(series))}


def _steps(values: Sequence[float | None]) -> list[list[float]]:
    """A series with one value a trial as pairs of a trial's number and the value from there on."""
    pairs: list[list[float]] = []
    for number, value in enumerate(values, 1):
        if value is not None and (not pairs or pairs[-1][1] != value):
            pairs.append([number, value])
    return pairs
