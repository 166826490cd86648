"""What is still to come of a run, and about how long that takes."""

from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.report.snapshot import Snapshot

_OVERHEAD = 2.0  # seconds that a stage takes beside its trials


def coming(snapshot: Snapshot) -> list[Stage]:
    """The stages that have not begun, in order."""
    last = snapshot.last_iteration
    full = snapshot.full_training(last)
    begun = max((stage.number for stage in snapshot.plans if stage.is_iteration), default=0)
    later = [*map(Stage.iteration, range(begun + 1, last + 1)), full, full.verification]
    preparation = [] if snapshot.preparation else [Stage.preparation(0)]
    return preparation + [stage for stage in later if stage not in snapshot.plans]


def seconds_left(snapshot: Snapshot) -> float | None:
    """About how many seconds are left, in proportion to predicted costs; None before a trial has ended."""
    trained = [
        (trial.result.seconds, trial.request.cost)
        for trial in snapshot.all_trials
        if trial.result and trial.has_values and trial.result.seconds > 0
    ]
    if not trained:
        return None
    seconds, done = map(sum, zip(*trained, strict=True))
    cost = sum(trial.request.cost for trial in snapshot.all_trials if not trial.result)
    stages = coming(snapshot)
    lanes = snapshot.definition["limits"]["parallel"] or max(len(plan.jobs) for plan in snapshot.plans.values())
    return seconds / max(done, 1e-9) * (cost + _cost(snapshot, stages)) / lanes + _OVERHEAD * (len(stages) + 1)


def _cost(snapshot: Snapshot, stages: list[Stage]) -> float:
    """Predicted cost of stages without a plan, by the mean cost of the trials so far."""
    definition, epochs = snapshot.definition, snapshot.definition["epochs"]
    trials: float = sum(stage.is_iteration for stage in stages) * definition["trials"]["per_iteration"]
    if any(stage.kind is StageKind.FULL for stage in stages):
        done = epochs["partial"] if definition["finalists"]["go_on"] else 0
        trials += definition["finalists"]["max"] * (epochs["full"] - done) / epochs["partial"]
    return trials * sum(trial.request.cost for trial in snapshot.trials) / max(len(snapshot.trials), 1)
