"""What is still to come of a run, and about how long that takes."""

from windtunnel.ledger import State
from windtunnel.report.snapshot import Snapshot

_OVERHEAD = 2.0  # seconds that a stage takes beside its trials


def coming(snapshot: Snapshot) -> list[str]:
    """Names of the stages that have not begun, in order."""
    last = snapshot.last_iteration
    full = snapshot.full_training(last)
    begun = max((int(name) for name in snapshot.plans if name.isdigit()), default=0)
    later = [*map(str, range(begun + 1, last + 1)), full, full.replace("full", "verify")]
    return ([] if snapshot.preparation else ["prepare"]) + [name for name in later if name not in snapshot.plans]


def seconds_left(snapshot: Snapshot) -> float | None:
    """About how many seconds are left, in proportion to predicted costs; None before a trial has ended."""
    ended = [
        trial
        for trial in snapshot.all_trials
        if trial.outcome and trial.outcome.state in (State.COMPLETED, State.STOPPED) and trial.seconds > 0
    ]
    if not ended:
        return None
    rate = sum(trial.seconds for trial in ended) / max(sum(trial.request.cost for trial in ended), 1e-9)
    cost = sum(trial.request.cost for trial in snapshot.all_trials if not trial.outcome)
    stages = coming(snapshot)
    lanes = snapshot.definition["limits"]["parallel"] or max(len(plan.jobs) for plan in snapshot.plans.values())
    return rate * (cost + _cost(snapshot, stages)) / lanes + _OVERHEAD * (len(stages) + 1)


def _cost(snapshot: Snapshot, stages: list[str]) -> float:
    """Predicted cost of stages without a plan, by the mean cost of the trials so far."""
    definition, epochs = snapshot.definition, snapshot.definition["epochs"]
    trials: float = sum(map(str.isdigit, stages)) * definition["trials"]["per_iteration"]
    if any(name.startswith("full-") for name in stages):
        done = epochs["partial"] if definition["finalists"]["go_on"] else 0
        trials += definition["finalists"]["max"] * (epochs["full"] - done) / epochs["partial"]
    return trials * sum(trial.request.cost for trial in snapshot.trials) / max(len(snapshot.trials), 1)
