"""The run at a glance."""

from collections.abc import Sequence
from typing import Any

from windtunnel.direction import better
from windtunnel.report.documents.plain import plain, seconds
from windtunnel.report.view import RUNNING, WAITING, IterationView, ModelView, RunView, TrialView

_OPEN = (WAITING, RUNNING)


def overview(view: RunView) -> dict[str, Any]:
    """How far the run is, what it found, what it cost, what it decided, and what it waits for.

    `volume` and `best` hold a pair of a trial's number and the value from there on, where the value changes.
    """
    own = view.own()
    spent = sum(trial.seconds for trial in own) + sum(step.seconds for step in view.steps)
    held = sum(trial.seconds * trial.gpus for trial in own)
    moments = [moment for trial in own if (moment := seconds(trial.started)) is not None]
    ends = [trial.recorded for trial in own if trial.recorded]
    ends += [moment + step.seconds for step in view.steps if (moment := seconds(step.started)) is not None]
    return {
        "search": view.search,
        "run": view.run,
        "url": view.url,
        "version": view.version,
        "read": view.read,
        "definition": plain(view.definition),
        "facts": plain(view.facts),
        "objectives": view.objectives,
        "reference": plain(view.reference),
        "counts": view.counts,
        "sessions": view.sessions,
        "closed": view.closed,
        "begun": sum(each.stage != "0" for each in view.iterations),
        "planned": view.planned,
        "iterations": [_iteration(each) for each in view.iterations],
        "front": [trial.trial for trial in view.trials if trial.front],
        "volume": _steps(list(view.volumes)),
        "best": {name: _best(view, name) for name in view.objectives},
        "models": [model(each) for each in view.models],
        "trial_seconds": plain(spent),
        "gpu_seconds": plain(held),
        "began": min(moments, default=None) if not view.facts.get("started") else seconds(view.facts["started"]),
        "ended": max(ends, default=None),
        "waits_for": waits_for(view),
    }


def model(of: ModelView) -> dict[str, Any]:
    """A finalist with its verification."""
    return {
        "trial": of.trial.trial,
        "partial": of.partial,
        "state": of.trial.state,
        "epochs": of.trial.epochs,
        "seconds": plain(of.trial.seconds),
        "params": plain(of.trial.params),
        "objectives": plain(of.trial.objectives),
        "violation": plain(of.trial.violation),
        "verified": of.verified,
        "test": plain(of.test),
        "error": of.error,
        "onnx": of.onnx,
    }


def waits_for(view: RunView) -> list[str]:
    """What has to happen next, in sentences; nothing of a run that is done."""
    if view.closed:
        return []
    if not view.iterations and not view.models:
        return ["the data, which is being prepared, and the first suggestions"]
    last = view.iterations[-1] if view.iterations else None
    if last is not None and not last.selected:
        left = [trial for trial in view.trials if trial.stage == last.stage and trial.state in _OPEN]
        if left:
            return [f"iteration {last.stage}: {_counted(left)} of {last.planned} trials"]
        return [f"the selection of iteration {last.stage}"]
    stragglers = [trial for trial in view.trials if trial.state in _OPEN]
    late = [f"stragglers: {_counted(stragglers)}"] if stragglers else []
    done = int(last.stage) if last is not None else 0
    ended = last if done > view.offset else None  # what an earlier session's selection ended goes on now
    if ended and ended.failure:
        return late
    if done < view.planned and not (ended and ended.stop):
        return [*late, f"the suggestions of iteration {done + 1}"]
    return [*late, _after_search(view)]


def _after_search(view: RunView) -> str:
    finalists = [each for each in view.models if each.trial.trial in view.finalists]
    if not finalists:
        return "the choice of the finalists"
    if view.asking:
        return f"a person's approval of {len(finalists)} finalists"
    training = [each.trial for each in finalists if each.trial.state in _OPEN]
    if training:
        return f"full training: {_counted(training)} of {len(finalists)} finalists"
    unverified = sum(each.verified is None for each in finalists)
    return f"the verification of {unverified} models" if unverified else "publishing"


def _counted(trials: Sequence[TrialView]) -> str:
    running = sum(trial.state == RUNNING for trial in trials)
    return f"{running} running and {len(trials) - running} waiting"


def _iteration(each: IterationView) -> dict[str, Any]:
    return {
        "stage": each.stage,
        "planned": each.planned,
        "finished": each.finished,
        "note": each.note,
        "front": len(each.front),
        "hypervolume": plain(each.hypervolume),
        "decisions": plain(each.decisions),
        "stop": each.stop,
        "failure": each.failure,
        "selected": each.selected,
    }


def _steps(values: Sequence[float | None]) -> list[list[float]]:
    """A series with one value a trial as pairs of a trial's number and the value from there on."""
    pairs: list[list[float]] = []
    for number, value in enumerate(values, 1):
        if value is not None and (not pairs or pairs[-1][1] != value):
            pairs.append([number, value])
    return pairs


def _best(view: RunView, name: str) -> dict[str, Any]:
    """The best value so far, its trial, and how it came to it."""
    best: float | None = None
    holder, series = None, []
    for trial in view.trials:
        value = trial.objectives.get(name) if trial.comparable else None
        if value is not None and (best is None or better(value, best, view.objectives[name])):
            best, holder = value, trial.trial
        series.append(best)
    return {"value": plain(best), "trial": holder, "series": plain(_steps(series))}
