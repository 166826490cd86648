"""Trials whose values are alike beyond chance, though their parameters differ."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from windtunnel.ledger import Trial
from windtunnel.validation import shown

_FEWEST = 3  # trials that come to the same by more than chance
_COMPARED = 200  # trials, the first ones: the warning is one of a search's beginning


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
