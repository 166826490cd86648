"""Whether a search goes on: every reason to end one early, or to call it hopeless."""

from collections.abc import Iterable, Sequence

from windtunnel.definition import Definition
from windtunnel.ledger import Result, Trial
from windtunnel.ledger.failures import causes, commonest, hopeless
from windtunnel.objectives.direction import reached
from windtunnel.objectives.front import hypervolume, reference_point
from windtunnel.stages.history import History
from windtunnel.stages.search import Search
from windtunnel.text import counted

_ROUNDING = 1e-9  # relative, of a hypervolume


def reason_to_stop(
    search: Search, history: History, k: int, tried: Sequence[Trial], front: Sequence[Trial]
) -> str | None:
    """Why the search has come to its end with iteration k, whatever is left to try; None where it has not.

    Args:
        search: at work.
        history: of the run.
        k: the iteration.
        tried: the trials that it knows to have ended.
        front: those of them on the front.
    """
    return (
        _target(search, front)
        or _stale(search, history, k, tried, front)
        or _time(search)
        or _gpu_hours(search, history.results.values())
    )


def ends_otherwise(before: Definition, now: Definition) -> bool:
    """Whether a limit was raised, or a rule changed, that may end a search early: an end by it is none any more."""

    def is_raised(limit: str) -> bool:
        old, new = getattr(before.limits, limit), getattr(now.limits, limit)
        return old is not None and (new is None or new > old)

    return before.stopping != now.stopping or any(map(is_raised, ("search_time", "gpu_hours", "trials")))


def reason_to_suggest_no_more(search: Search, k: int, configurations: int) -> str | None:
    """Why iteration k has no new configurations; those already begun may still be promoted or repeated.

    Args:
        search: at work.
        k: the iteration.
        configurations: how many have been tried before it.
    """
    limit = search.definition.limits.trials
    if limit is not None and configurations >= limit:
        return f"limits.trials of {limit} is reached"
    last = search.session.offset + search.session.iterations
    promoting, repeating = len(search.definition.rungs) - 1, search.definition.repeats - 1
    if last - promoting - repeating < k <= last:
        what = " and ".join(["promote"] * bool(promoting) + ["repeat"] * bool(repeating))
        last_ones = counted(promoting + repeating, "iteration")
        return f"the last {last_ones} only {what}, so that every configuration has its chance"
    return None


def reason_to_fail(search: Search, seen: Sequence[Trial], front: int, late: int = 0) -> str | None:
    """Why the search is hopeless; None where it is not.

    Args:
        search: at work.
        seen: the trials that have ended, each configuration once.
        front: how many of them are on the front.
        late: how many trials have not ended.
    """
    ended = [trial.result for trial in seen if trial.result is not None]
    own = {trial.trial for trial in seen if trial.request.stage.number > search.session.offset}
    reason = hopeless(ended, search.definition.limits.failed_trials, own)
    groups = causes(ended)
    if reason is None and groups and not (front or late) and sum(len(units) for _, units in groups) == len(ended):
        all_of_them = f"all {len(ended)} trials" if len(ended) > 1 else "the only trial"
        return f"{all_of_them} failed; {commonest(groups)}"
    return reason


def _target(search: Search, front: Sequence[Trial]) -> str | None:
    target, objectives = search.definition.stopping.target, search.definition.objectives
    for seen in front if target else ():
        values = [(seen.objectives[name], goal, objectives[name]) for name, goal in target.items()]
        if all(reached(value, goal, direction) for value, goal, direction in values):
            return f"the target {', '.join(f'{name} {goal:g}' for name, goal in target.items())} is reached"
    return None


def _stale(search: Search, history: History, k: int, tried: Sequence[Trial], front: Sequence[Trial]) -> str | None:
    stale = search.definition.stopping.stale_iterations
    before = history.selection(k - stale) if stale is not None and k > stale else None
    if stale is None or before is None or not before.front:
        return None
    then = [one for one in tried if one.trial in before.front]
    objectives = search.problem.objectives
    reference = reference_point([*then, *front], objectives)  # one that leaves out no part of either front
    volumes = [hypervolume(points, objectives, reference) for points in (then, front)]
    if volumes[1] > volumes[0] * (1 + _ROUNDING):
        return None
    return f"the hypervolume has not grown for {counted(stale, 'iteration')}"


def _time(search: Search) -> str | None:
    limit = search.definition.limits.search_time
    is_over = search.session.seconds_left(limit) < 0
    return f"limits.search_time of {limit:g} s is used up" if is_over else None


def _gpu_hours(search: Search, results: Iterable[Result]) -> str | None:
    limit = search.definition.limits.gpu_hours
    spent = sum(result.seconds * result.gpus for result in results) / 3600
    return f"limits.gpu_hours of {limit:g} is used up" if limit is not None and spent >= limit else None
