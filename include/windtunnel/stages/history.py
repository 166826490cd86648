"""What a strategy and a selection may know: fixed by the iterations' records, never by a fresh listing."""

from collections.abc import Iterable
from dataclasses import replace

from windtunnel.ledger import Job, Ledger, Request, State
from windtunnel.ledger.ids import first_id
from windtunnel.ledger.outcome import Outcome
from windtunnel.stages.search import Search
from windtunnel.strategies import Observation


def requests(ledger: Ledger, upto: int) -> dict[str, Request]:
    """All trials asked for in iterations 0 (warm start) to `upto`, in order, by id."""
    plans = (ledger.plan(str(k)) for k in range(upto + 1))
    return {request.trial: request for plan in plans if plan is not None for request in plan.requests}


def stragglers(search: Search) -> list[Job]:
    """Jobs of the iterations that had selected when the session began, and that still owe results."""
    outcomes = search.ledger.outcomes()
    plans = [search.ledger.plan(str(k)) for k in range(1, search.session.offset + 1)]
    jobs = [job for plan in plans if plan is not None for job in plan.jobs]
    return [job for job in jobs if any(unit not in outcomes for unit in job.units)]


def history(search: Search, upto: int) -> list[Observation]:
    """What was known when iteration `upto` had selected; nothing before the first, but for a warm start."""
    known = search.ledger.known(str(upto))
    if known is None:
        return []
    asked = requests(search.ledger, upto)
    return furthest(observations([asked[trial] for trial in known.results], search.ledger.outcomes()))


def observations(asked: Iterable[Request], outcomes: dict[str, Outcome]) -> list[Observation]:
    """How each trial ended, in order of request: its last retry's result, where there are several."""
    latest: dict[str, Observation] = {}
    for request in asked:
        outcome = outcomes.get(request.trial)
        if outcome is not None:
            latest[first_id(request.trial)] = _observation(request, outcome)
    return list(latest.values())


def furthest(seen: Iterable[Observation]) -> list[Observation]:
    """How far each configuration has come, in order of request: under halving, its trial at the highest rung."""
    latest: dict[str, Observation] = {}
    for one in seen:
        before = latest.get(one.config)
        earlier = {**before.earlier, before.epochs: before.objectives} if before and before.objectives else {}
        latest[one.config] = replace(one, earlier=earlier)
    return list(latest.values())


def _observation(request: Request, outcome: Outcome) -> Observation:
    comparable = outcome.state in (State.COMPLETED, State.STOPPED)
    return Observation(
        trial=request.trial,
        params=request.params,
        config=request.config,
        iteration=request.iteration,
        state=outcome.state,
        objectives=outcome.objectives if comparable else {},
        violation=outcome.violation,
        metrics={**outcome.metrics, **outcome.objectives} if comparable else {},
        known=request.known,
        parents=request.parents,
        epochs=outcome.epoch if outcome.state is State.STOPPED else request.epochs,
    )
