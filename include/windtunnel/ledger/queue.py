"""The queue of a run: which stages' units may be claimed now, and which one comes next.

A stage is planned by one task and its queue is opened by the next, `launch`; so nothing of it is begun while a person
is asked in between. `writer.json` says which stage that is. While an iteration is open, so are those before it, for
they may have stragglers. While a full training is open, no iteration is, but lanes end what was begun of them.
"""

from collections.abc import Collection, Container, Iterable, Sequence

from windtunnel.ledger.claims import Claims
from windtunnel.ledger.ledger import Ledger
from windtunnel.ledger.prediction import Features, predicted
from windtunnel.ledger.records import Job, Plan, Request
from windtunnel.ledger.stage import FLEET, Stage
from windtunnel.ledger.trial import outstanding
from windtunnel.ledger.writer import Writer


def in_order(requests: Iterable[Request], timed: Sequence[tuple[Features, float]] = ()) -> list[Request]:
    """Units in the order in which they are claimed: the highest rung first, of one rung the longest predicted.

    Long ones first keeps the lanes' ends together: Graham's LPT rule ("Bounds on Multiprocessing Timing Anomalies",
    1969). The highest rung first is ASHA's: what was promoted is worth most (Li et al., "A System for Massively
    Parallel Hyperparameter Tuning", 2020).

    Args:
        requests: to be ordered.
        timed: trials that have ended, as `timed_by` tells of them; they correct the predictions.
    """
    units = list(requests)
    seconds = dict(zip((request.trial for request in units), predicted(units, timed), strict=True))
    return sorted(units, key=lambda request: (-request.epochs, -seconds[request.trial], request.trial))


def open_queue(ledger: Ledger, stage: Stage) -> None:
    """Let lanes claim a stage's units. One that comes before the stage that is open stays closed.

    Raises:
        LedgerError: a later session has begun, or the run was opened without a session.
    """
    turn = ledger.own_turn
    now = turn.check().queue
    if now is None or now.order < stage.order:
        turn.write(lambda writer: writer.model_copy(update={"queue": stage}))


def open_stages(writer: Writer | None) -> list[Stage]:
    """The stages whose units may be claimed, the earliest first."""
    if writer is None or writer.queue is None:
        return []
    queue = writer.queue
    if not queue.is_iteration:
        return [queue]
    return [stage for stage in writer.planned or [queue] if stage.is_iteration and 0 < stage.number <= queue.number]


def owed(ledger: Ledger, job: Job) -> list[str]:
    """What a job has still to do: its units without a result, or of a lane, all that are open.

    All mini-batches of a fleet count as one unit, which has a result once the run is over.
    """
    if job.session is None:
        return ledger.owed(job)
    stages = open_stages(ledger.writer())
    if FLEET in stages:
        return [FLEET] if ledger.outcome(FLEET) is None else []
    return [request.trial for request in unfinished(ledger, stages, ledger.ended() if stages else set())]


def requested(ledger: Ledger, stages: Iterable[Stage]) -> list[Request]:
    """What these stages ask for, infeasible trials aside, whether it has a result or not."""
    return _feasible(_plans(ledger, stages))


def unfinished(ledger: Ledger, stages: Collection[Stage], ended: Container[str]) -> list[Request]:
    """What lanes may claim while these stages are open: what they ask for, and stragglers that finalists train beside.

    Args:
        ledger: of the run.
        stages: that are open.
        ended: ids of the trials that have a result.
    """
    plans = _plans(ledger, stages)
    late = [
        request
        for plan in plans
        if not plan.stage.is_iteration
        for earlier in iterations_before(ledger, plan)
        for request in outstanding(earlier.requests, ended)
    ]
    claims = Claims(ledger).listing() if late else {}
    begun = [request for request in late if request.trial in claims]
    return outstanding(_feasible(plans), ended) + begun


def iterations_before(ledger: Ledger, plan: Plan) -> list[Plan]:
    """The iterations whose stragglers are ended beside a stage; none beside a full training that does without them."""
    if not (plan.stage.is_iteration or plan.ends_stragglers):
        return []
    before = [stage for stage in ledger.stages() if stage.is_iteration and stage.order < plan.stage.order]
    return _plans(ledger, before)


def _plans(ledger: Ledger, stages: Iterable[Stage]) -> list[Plan]:
    return [plan for stage in stages if (plan := ledger.plan(stage)) is not None]


def _feasible(plans: Iterable[Plan]) -> list[Request]:
    return [request for plan in plans for request in plan.requests if not request.infeasible]
