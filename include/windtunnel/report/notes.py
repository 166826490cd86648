"""What a person should know of a run beside its trials."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from statistics import median

from windtunnel.ledger.prediction import work_of
from windtunnel.ledger.stragglers import newcomers
from windtunnel.report.alike import alike
from windtunnel.report.snapshot import Snapshot

_TIMES, _LONGER = 2.0, 60.0  # that a trial takes of the longest one's time, and seconds beyond it, before it is told
_FEWEST = 5  # trials that have ended, before one is called long


def notes(snapshot: Snapshot) -> list[str]:
    """What was taken from earlier runs, what the finalists were chosen without, what may not be meant so or hangs."""
    warm = [f"warm start: {snapshot.warm_start}"] if snapshot.warm_start else []
    missed = ", ".join(late(snapshot))
    warnings = snapshot.record.get("warnings")
    texts = [each for each in warnings if isinstance(each, str)] if isinstance(warnings, list) else []
    same = alike(snapshot.trials) if snapshot.definition.get("script") else ""
    return [
        *warm,
        *([f"on the front, but ended after the finalists were chosen: {missed}"] if missed else []),
        *(f"warning: {each}" for each in (*texts, *([same] if same else []))),
        *_long(snapshot),
    ]


def late(snapshot: Snapshot) -> list[str]:
    """Ids of trials that belong on the front and ended after the finalists were chosen."""
    last = snapshot.last_selection
    if last is None or last.stage.number < snapshot.last_iteration:
        return []
    return [trial.trial for trial in newcomers(snapshot.trials, last.results, snapshot.objectives)]


def _long(snapshot: Snapshot) -> Iterator[str]:
    """The trials that run on a lane for far longer than all that have ended, by the work that is predicted of them."""
    claims, own = snapshot.claims, snapshot.own()
    running = [trial for trial in own if trial.trial in snapshot.running and trial.trial in claims]
    if not running:
        return
    took = defaultdict[float, list[tuple[float, float]]](list)  # seconds, and seconds by cost, by epochs
    for trial in own:
        if trial.result is not None and trial.result.state.has_values:
            took[trial.epochs].append((trial.result.seconds, trial.result.seconds / work_of(trial.request)))
    now = datetime.fromisoformat(snapshot.read).timestamp()
    for trial in sorted(running, key=lambda trial: claims[trial.trial].since):
        others, claim = took[trial.epochs], claims[trial.trial]
        if len(others) < _FEWEST:
            continue
        longest = max(max(seconds for seconds, _ in others), median(rate for _, rate in others) * trial.request.cost)
        if now - claim.since > max(_TIMES * longest, longest + _LONGER):
            yield (
                f"runs long: {trial.trial} on {claim.lane} for more than twice the {longest:.0f} s "
                "that was to be expected by the others"
            )
