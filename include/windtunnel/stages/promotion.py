"""Promotion at an iteration's edge: who goes on to the next rung or is repeated, and what rules have stopped."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from windtunnel.ledger import Decision, Request, State, Trial
from windtunnel.ledger.ids import first_id, repeated
from windtunnel.ledger.stage import Stage
from windtunnel.stages.history import History
from windtunnel.stages.search import Search
from windtunnel.stopping.halving import rung_decisions


def promote(
    search: Search, history: History, k: int, tried: Sequence[Trial]
) -> tuple[dict[str, float], list[Decision]]:
    """Decide, from what is known after iteration k, which trials go on.

    Args:
        search: at work.
        history: of the run.
        k: the iteration; 0 is the warm start.
        tried: the trials that are known to have ended.

    Returns:
        The trials that go on with the epochs that they go on to; and the decisions on trials: all promotions, and what
        was decided of those that became known in this iteration.
    """
    before = history.selection(k - 1)
    news = {trial.trial for trial in tried} - set(before.results if before is not None else ())
    decisions = [
        Decision(what="stop", trial=trial.trial, reason=search.ledger.message(trial))
        for trial in tried
        if trial.trial in news and trial.state is State.STOPPED
    ]
    halving, rungs = search.definition.early_stopping.halving, search.definition.rungs
    if halving is None:
        return {}, decisions
    at: dict[float, list[Trial]] = {rung: [] for rung in rungs}
    for trial in tried:
        if trial.state is not State.INFEASIBLE and trial.request.epochs in at:
            at[trial.request.epochs].append(_contestant(trial))
    begun = {(request.config, request.epochs) for request in history.requests(k).values()}
    places = rung_decisions(rungs, at, begun, halving.factor, search.problem.objectives)
    promotions = {trial: epochs for trial, epochs, _ in places if epochs is not None}
    decisions += [
        Decision(what="promote" if trial in promotions else "hold", trial=trial, reason=reason)
        for trial, _, reason in places
        if trial in promotions or trial in news
    ]
    return promotions, decisions


def promoted(search: Search, history: History, k: int) -> list[Request]:
    """The trials that go on in iteration k, as the selection before has decided, each from its checkpoint."""
    selection = history.selection(k - 1)
    if selection is None or not selection.promotions:
        return []
    requests = history.requests(k - 1)
    return [
        search.request(
            before.params,
            epochs,
            Stage.iteration(k),
            done=before.epochs,
            iteration=before.iteration,
            parents=before.parents,
            note={"from": "promotion"},
            continue_from=before.trial,
        )
        for before, epochs in ((requests[trial], epochs) for trial, epochs in selection.promotions.items())
    ]


def to_repeat(search: Search, requests: Mapping[str, Request], front: Iterable[str]) -> dict[str, int]:
    """The trials of the front that are measured once more with another seed, and which repeat of each that is.

    Args:
        search: at work.
        requests: all trials asked for so far, by id.
        front: ids of its trials; those that may still go on to more epochs are left out.
    """
    last, most = search.definition.rungs[-1], search.definition.repeats
    if most == 1:
        return {}
    measured = Counter(repeated(trial) for trial in requests if trial == first_id(trial))
    due = {trial: measured[repeated(trial)] for trial in front if requests[trial].epochs == last}
    return {trial: repeat for trial, repeat in due.items() if repeat < most}


def repeats(search: Search, history: History, k: int) -> list[Request]:
    """The repeats that iteration k adds: one of each trial that was on the front, as long as it has too few."""
    selection, requests = history.selection(k - 1), history.requests(k - 1)
    due = to_repeat(search, requests, selection.front) if selection is not None else {}
    return [
        search.request(
            requests[trial].params,
            requests[trial].epochs,
            Stage.iteration(k),
            repeat=repeat,
            iteration=requests[trial].iteration,
            parents=requests[trial].parents,
            note={"from": "repeat"},
        )
        for trial, repeat in due.items()
    ]


def _contestant(trial: Trial) -> Trial:
    """The trial as it takes part: one that a rule has stopped counts, but goes no further."""
    return trial if trial.state is State.COMPLETED else Trial(trial.request)
