"""The beginning of a session of a fleet's run: whose turn it is, what it runs, and the lanes that it runs on."""

import platform
import time
from collections.abc import Callable

import windtunnel
from windtunnel.definition import Fleet
from windtunnel.definition.threads import share
from windtunnel.errors import LedgerError
from windtunnel.fleet.entry import source_of_entry, upload_entry
from windtunnel.fleet.records import FleetPlan
from windtunnel.host.machine import cores, now
from windtunnel.ledger import Job, Ledger, Spec
from windtunnel.ledger.session import Session
from windtunnel.ledger.stage import FLEET
from windtunnel.ledger.turns import take_turn
from windtunnel.workload.files import code_digest

RUN = str(FLEET)
"""Name of the unit that all lanes work on: it has a result once the run is over."""
EVALUATION = "evaluate"
_FIXED = (
    *("name", "data", "split", "workload", "script", "entry_script", "mini_batch_size", "mini_batch_type"),
    *("program_arguments", "environment_variables", "settings", "objectives", "gather", "evaluation", "seed"),
)  # fields that decide what a run makes; the others may change while it goes on


def begin(
    fleet: Fleet,
    ledger: Ledger,
    session: str,
    running: Callable[[str], bool | None] = lambda session: False,
    sleep: Callable[[float], None] = time.sleep,
) -> Ledger:
    """Begin a run, or go on with it; returns the run for those who run something of it in this session.

    Args:
        fleet: its definition.
        ledger: of the run.
        session: the DAG run's id, or another name; one that has begun goes on.
        running: whether another session is still at work; None where only its heartbeat can tell.
        sleep: waits for so many seconds.

    Raises:
        LedgerError: another session works on the run, or the run began with another definition or other code.
        WorkloadError: the entry cannot be found.
    """
    number = take_turn(ledger, session, running, sleep)
    source = source_of_entry(fleet)
    spec = Spec(
        definition=_with_lanes(fleet).model_dump(mode="json"),
        code=code_digest(source),
        archive=upload_entry(ledger, fleet, source),
    )
    versions = {"windtunnel": windtunnel.__version__, "python": platform.python_version()}
    facts = {"definition": spec.definition, "code": spec.code, "archive": spec.archive}
    record = ledger.begin({"kind": RUN, **facts, "versions": versions, "started": now()})
    _check_unchanged(record, spec, ledger)
    ledger = ledger.write_spec(spec).with_session(number)
    ledger.open_session(
        Session(
            session=session,
            number=number,
            offset=0,
            iterations=0,
            definition=spec.definition,
            spec=spec.digest,
            started=now(),
        )
    )
    return ledger


def opened(ledger: Ledger, session: str) -> Ledger:
    """The run for a task of a session that has begun; its heart beats.

    Raises:
        LedgerError: the session has not begun, or a later one has.
    """
    ledger = ledger.with_session(ledger.session(session).number)
    ledger.own_turn.beat()
    return ledger


def _check_unchanged(record: dict[str, object], spec: Spec, ledger: Ledger) -> None:
    begun = record["definition"]
    assert isinstance(begun, dict)
    changed = [name for name in _FIXED if begun.get(name) != spec.definition.get(name)]
    changed += ["its code"] if (record.get("code"), record.get("archive")) != (spec.code, spec.archive) else []
    if changed:
        raise LedgerError(
            f"{ledger.url} began with another definition or other code: {', '.join(changed)} changed: begin a new run"
        )


def lanes(ledger: Ledger, fleet: Fleet, plan: FleetPlan) -> list[Job]:
    """The lanes of the session at work, as many as are of use. Each looks for its own work until none is left."""
    return [Job.of_lane(ledger.own_turn.number, lane) for lane in range(lanes_of(fleet, plan))]


def lanes_of(fleet: Fleet, plan: FleetPlan) -> int:
    """How many lanes are of use."""
    return min(fleet.limits.parallel or 1, -(-len(plan.batches) // fleet.limits.slots))


def evaluates(fleet: Fleet) -> bool:
    """Whether the user has an evaluation."""
    if fleet.evaluation is not None or fleet.script is not None:
        return fleet.evaluation is not None
    return any(b"def evaluate(" in text for text in source_of_entry(fleet).values())


def evaluation_job(ledger: Ledger) -> Job:
    """The job that calls the user's function over the gathered table."""
    return ledger.create_job(Job(job=EVALUATION, stage=FLEET, units=[EVALUATION]))


def _with_lanes(fleet: Fleet) -> Fleet:
    """The fleet with its lanes fixed: local ones share out this machine's cores."""
    lanes = fleet.limits.parallel or share(cores(), fleet.limits.slots)
    return fleet.model_copy(update={"limits": fleet.limits.model_copy(update={"parallel": lanes})})
