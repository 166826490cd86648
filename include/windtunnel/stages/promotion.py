"""Promotion at an iteration's edge: who goes on to the next rung, and what became of those that rules stopped."""

from collections.abc import Iterator, Mapping, Sequence

from windtunnel.ledger import Decision, Request, State, Trial
from windtunnel.stages.history import requests
from windtunnel.stages.search import Search
from windtunnel.stopping.halving import standings


def promote(
    search: Search, k: int, asked: Mapping[str, Request], tried: Sequence[Trial]
) -> tuple[dict[str, float], list[Decision]]:
    """Decide, from what is known after iteration k, which trials go on.

    Args:
        search: at work.
        k: the iteration; 0 is the warm start.
        asked: all requests so far, by trial.
        tried: how those trials ended that are known.

    Returns:
        The trials that go on with the epochs that they go on to; and the decisions on trials: all promotions, and what
        was decided of those that became known in this iteration.
    """
    before = search.ledger.known(str(k - 1))
    news = {one.trial for one in tried} - set(before.results if before is not None else ())
    decisions = list(_stopped(search, [one for one in tried if one.trial in news]))
    halving, rungs = search.definition.early_stopping.halving, search.definition.rungs
    if halving is None:
        return {}, decisions
    at: dict[float, list[Trial]] = {rung: [] for rung in rungs}
    for one in tried:
        if one.state is not State.INFEASIBLE and one.request.epochs in at:
            at[one.request.epochs].append(_contestant(one))
    begun = {(request.config, request.epochs) for request in asked.values()}
    found = standings(rungs, at, begun, halving.factor, search.problem.objectives)
    promotions = {one.trial: one.epochs for one in found if one.epochs is not None}
    decisions += [
        Decision(what="promote" if one.trial in promotions else "hold", trial=one.trial, reason=one.reason)
        for one in found
        if one.trial in promotions or one.trial in news
    ]
    return promotions, decisions


def promoted(search: Search, k: int) -> list[Request]:
    """The trials that go on in iteration k, as the selection before has decided, each from its checkpoint."""
    known = search.ledger.known(str(k - 1))
    if known is None or not known.promotions:
        return []
    asked = requests(search.ledger, k - 1)
    return [
        search.request(
            asked[trial].params,
            epochs,
            str(k),
            done=asked[trial].epochs,
            iteration=asked[trial].iteration,
            parents=asked[trial].parents,
            note={"from": "promotion"},
            continue_from=trial,
        )
        for trial, epochs in known.promotions.items()
    ]


def _contestant(one: Trial) -> Trial:
    """The observation as it takes part: a trial that a rule has stopped counts, but goes no further."""
    return one if one.state is State.COMPLETED else Trial(one.request)


def _stopped(search: Search, news: Sequence[Trial]) -> Iterator[Decision]:
    for one in news:
        if one.state is State.STOPPED:
            yield Decision(what="stop", trial=one.trial, reason=search.ledger.message(one))
