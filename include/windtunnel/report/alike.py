"""Trials whose values are alike beyond chance, though their parameters differ."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from windtunnel.ledger import Trial
from windtunnel.validation import shown

_FEWEST = 3  # trials that come to the same by more than chance, where most do
_SHARE = 10  # one in so many trials repeats what another one gave, where a parameter has no effect
_COMPARED = 200  # trials, the first ones: the warning is one of a search's beginning


def alike(trials: Iterable[Trial]) -> str:
    """What to tell a person of trials that are alike beyond chance; empty where none are.

    They are where most trials come to the same values, or where some parameters have no effect: trials that differ in
    nothing else always come to the same. A few that do so by chance, as coarse or poor values make them, are not.

    Args:
        trials: of a search, in order.
    """
    ended = [trial for trial in trials if trial.objectives and trial.result is not None][:_COMPARED]
    without_effect = cache(lambda names: _without_effect(names, ended))
    for group in _groups(ended, _outcome):
        differing = _differing(group)
        most = 2 * len(group) > len(ended) and (len(group) >= _FEWEST or len(group) == len(ended))
        if differing and (most or without_effect(tuple(differing))):
            values = ", ".join(f"{name} {value:g}" for name, value in group[0].objectives.items())
            return (
                f"{len(group)} trials that differ in {', '.join(differing)} came to the same {values}: "
                "does the script use what it is given?"
            )
    return ""


def _without_effect(names: Sequence[str], ended: Sequence[Trial]) -> bool:
    """Whether trials that differ in these parameters alone always came to the same, and often enough to tell."""

    def others(trial: Trial) -> str:
        return repr((trial.epochs, sorted((name, shown(it)) for name, it in trial.params.items() if name not in names)))

    groups = _groups(ended, others)
    repeated = len(ended) - len(groups)
    return repeated * _SHARE >= len(ended) and all(len(_groups(group, _outcome)) == 1 for group in groups)


def _outcome(trial: Trial) -> str:
    assert trial.result is not None
    return repr((trial.epochs, sorted(trial.result.metrics.items())))


def _groups(trials: Iterable[Trial], key: Callable[[Trial], str]) -> list[list[Trial]]:
    groups: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[key(trial)].append(trial)
    return list(groups.values())


def _differing(group: Sequence[Trial]) -> list[str]:
    """The parameters that have different values in a group."""
    names = dict.fromkeys(name for trial in group for name in trial.params)
    return [name for name in names if len({shown(trial.params.get(name)) for trial in group}) > 1]
