"""What a person should know of a run beside its trials."""

from windtunnel.ledger.stragglers import newcomers
from windtunnel.report.alike import alike
from windtunnel.report.snapshot import Snapshot


def notes(snapshot: Snapshot) -> list[str]:
    """What was taken from earlier runs, what the finalists were chosen without, and what may not be meant so."""
    warm = [f"warm start: {snapshot.warm_start}"] if snapshot.warm_start else []
    missed = ", ".join(late(snapshot))
    warnings = snapshot.record.get("warnings")
    texts = [each for each in warnings if isinstance(each, str)] if isinstance(warnings, list) else []
    same = alike(snapshot.trials) if snapshot.definition.get("script") else ""
    return [
        *warm,
        *([f"on the front, but ended after the finalists were chosen: {missed}"] if missed else []),
        *(f"warning: {each}" for each in (*texts, *([same] if same else []))),
    ]


def late(snapshot: Snapshot) -> list[str]:
    """Ids of trials that belong on the front and ended after the finalists were chosen."""
    last = snapshot.last_selection
    if last is None or last.stage.number < snapshot.last_iteration:
        return []
    return [trial.trial for trial in newcomers(snapshot.trials, last.results, snapshot.objectives)]
