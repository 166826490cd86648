"""How far a run is: its stages, those that are still to come, and about how long they take."""

import math
from dataclasses import dataclass

from windtunnel.ledger import Selection, State
from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.ledger.trial import configurations, ended
from windtunnel.report.snapshot import Snapshot

_OVERHEAD = 2.0  # seconds that a stage takes beside its trials


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far a stage has come.

    Attributes:
        name: the stage.
        total: number of its units.
        finished: how many of them have a result.
        failed: how many of the finished have failed.
        running: how many are at work.
        selection: what the iteration's selection knew and decided; None before, and of other stages.
    """

    name: Stage
    total: int
    finished: int
    failed: int
    running: int
    selection: Selection | None = None

    @property
    def done(self) -> bool:
        """Whether it has units and all of them have a result."""
        return 0 < self.total == self.finished


def stages(snapshot: Snapshot) -> list[StageProgress]:
    """The stages that have begun, in the order in which they happen."""
    job = snapshot.preparation
    preparation = [_progress(snapshot, job.stage, job.units)] if job and job.stage else []
    return preparation + [_progress(snapshot, stage, plan.units) for stage, plan in snapshot.plans.items()]


def iterations(snapshot: Snapshot) -> list[StageProgress]:
    """Those of the stages that are iterations, a warm start as iteration 0 among them."""
    return [stage for stage in stages(snapshot) if stage.name.is_iteration]


def coming(snapshot: Snapshot) -> list[Stage]:
    """The stages that have not begun, in order; none of a run that works no more."""
    if not snapshot.works:
        return []
    last = snapshot.last_iteration
    full = snapshot.full_training(last)
    begun = max((stage.number for stage in snapshot.plans if stage.is_iteration), default=0)
    later = [*map(Stage.iteration, range(begun + 1, last + 1)), full, full.verification]
    preparation = [] if snapshot.preparation else [Stage.preparation(0)]
    return preparation + [stage for stage in later if stage not in snapshot.plans]


def caps(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    """What the search's caps count, `trials`, `at once` and `failed`: how many there are, and the most allowed."""
    limits = snapshot.definition.get("limits") or {}
    requests = [trial.request for trial in snapshot.trials]
    counts = {
        "trials": (configurations(requests), limits.get("trials")),
        "at once": (len(snapshot.running), (limits.get("parallel") or 0) * limits.get("slots", 1)),
        "failed": (
            sum(trial.state is State.FAILED for trial in ended(requests, snapshot.results)),
            limits.get("failed_trials"),
        ),
    }
    return {name: (count, most) for name, (count, most) in counts.items() if most}


def seconds_left(snapshot: Snapshot) -> float | None:
    """About how many seconds are left, in proportion to predicted costs; None before a trial has ended."""
    trained = [
        (trial.result.seconds, trial.request.cost)
        for trial in snapshot.all_trials.values()
        if trial.result and trial.has_values and trial.result.seconds > 0
    ]
    if not trained:
        return None
    seconds, done = map(sum, zip(*trained, strict=True))
    cost = sum(trial.request.cost for trial in snapshot.all_trials.values() if not trial.result)
    later = coming(snapshot)
    lanes = snapshot.definition["limits"]["parallel"] or len({claim.lane for claim in snapshot.claims.values()}) or 1
    return seconds / max(done, 1e-9) * (cost + _cost(snapshot, later)) / lanes + _OVERHEAD * (len(later) + 1)


def _cost(snapshot: Snapshot, later: list[Stage]) -> float:
    """Predicted cost of stages without a plan, by the mean cost of the trials so far."""
    definition, epochs = snapshot.definition, snapshot.definition["epochs"]
    tried, most = caps(snapshot).get("trials", (0, math.inf))
    planned = sum(stage.is_iteration for stage in later) * definition["trials"]["per_iteration"]
    trials: float = min(planned, max(0, most - tried))
    if any(stage.kind is StageKind.FULL for stage in later):
        done = epochs["partial"] if definition["finalists"]["go_on"] else 0
        trials += definition["finalists"]["max"] * (epochs["full"] - done) / epochs["partial"]
    return trials * sum(trial.request.cost for trial in snapshot.trials) / max(len(snapshot.trials), 1)


def _progress(snapshot: Snapshot, stage: Stage, units: list[str]) -> StageProgress:
    ended = [snapshot.results[unit] for unit in units if unit in snapshot.results]
    return StageProgress(
        name=stage,
        total=len(units),
        finished=len(ended),
        failed=sum(result.state is State.FAILED for result in ended),
        running=sum(unit in snapshot.running for unit in units),
        selection=snapshot.selections.get(stage),
    )
