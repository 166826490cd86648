"""What a strategy and a selection may know: fixed by the iterations' records, never by a fresh listing."""

from windtunnel.ledger import Job, Ledger, Request, Trial
from windtunnel.ledger.trial import ended, furthest
from windtunnel.stages.search import Search


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


def history(search: Search, upto: int) -> list[Trial]:
    """What was known when iteration `upto` had selected; nothing before the first, but for a warm start."""
    known = search.ledger.known(str(upto))
    if known is None:
        return []
    asked = requests(search.ledger, upto)
    return furthest(ended([asked[trial] for trial in known.results], search.ledger.outcomes()))
