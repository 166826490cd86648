"""What a person should know of a run: what it took from earlier ones, and what may not be meant as it is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from windtunnel.ledger import Trial
from windtunnel.report.snapshot import Snapshot
from windtunnel.validation import shown

_FEWEST = 3  # trials that come to the same by more than chance
_COMPARED = 200  # trials, the first ones: the warning is one of a search's beginning


def notes(snapshot: Snapshot) -> list[str]:
    """A line each: of a warm start, of the definition's warnings, of a script's trials that are alike."""
    warm = [f"warm start: {snapshot.warm_start}"] if snapshot.warm_start else []
    recorded = snapshot.record.get("warnings")
    warnings = [each for each in recorded if isinstance(each, str)] if isinstance(recorded, list) else []
    same = alike(snapshot.trials) if snapshot.definition.get("script") else ""
    return [*warm, *(f"warning: {each}" for each in (*warnings, same) if each)]


def alike(trials: Iterable[Trial]) -> str:
    """What to tell a person of trials that are alike beyond chance; empty where none are.

    They are where all trials so far are, where many share their values, or where two that differ in one parameter do.

    Args:
        trials: of a search, in order.
    """
    ended = [trial for trial in trials if trial.objectives and trial.result is not None][:_COMPARED]
    groups: dict[str, list[Trial]] = defaultdict(list)
    for trial in ended:
        assert trial.result is not None
        groups[repr((trial.epochs, sorted(trial.result.metrics.items())))].append(trial)
    for group in groups.values():
        differing = _differing(group)
        beyond_chance = len(group) >= _FEWEST or len(group) == len(ended)
        if differing and (beyond_chance or len(differing) == 1):
            values = ", ".join(f"{name} {value:g}" for name, value in group[0].objectives.items())
            return (
                f"{len(group)} trials that differ in {', '.join(differing)} came to the same {values}: "
                "does the script use what it is given?"
            )
    return ""


def _differing(group: Sequence[Trial]) -> list[str]:
    """The parameters that have different values in a group."""
    names = dict.fromkeys(name for trial in group for name in trial.params)
    return [name for name in names if len({shown(trial.params.get(name)) for trial in group}) > 1]
