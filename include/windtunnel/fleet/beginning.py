"""The beginning of a fleet's run: what it runs, under one digest, and the lanes that it runs on."""

import platform

import windtunnel
from windtunnel.definition import Fleet
from windtunnel.definition.threads import share
from windtunnel.errors import LedgerError
from windtunnel.fleet.entry import source_of_entry, upload_entry
from windtunnel.fleet.planning import remember
from windtunnel.fleet.records import FleetPlan
from windtunnel.host.machine import cores, now
from windtunnel.ledger import Job, JobKind, Ledger, Spec
from windtunnel.ledger.stage import Stage
from windtunnel.workload.files import code_digest

RUN = "fleet"
"""Name of the unit that all lanes work on: it has a result once the run is over."""
EVALUATION = "evaluate"
_STAGE = Stage(RUN)


def begin(fleet: Fleet, ledger: Ledger) -> Ledger:
    """Begin a run, or go on with it; returns the run for those who run something of it.

    Raises:
        LedgerError: the run began with another definition or other code.
        WorkloadError: the entry cannot be found.
    """
    source = source_of_entry(fleet)
    spec = Spec(
        definition=_with_lanes(fleet).model_dump(mode="json"),
        code=code_digest(source),
        archive=upload_entry(ledger, fleet, source),
    )
    versions = {"windtunnel": windtunnel.__version__, "python": platform.python_version()}
    facts = {"definition": spec.definition, "code": spec.code, "archive": spec.archive}
    record = ledger.begin({"kind": RUN, **facts, "versions": versions, "started": now()})
    if any(record.get(name) != value for name, value in facts.items()):
        raise LedgerError(f"{ledger.url} began with another definition or other code: begin a new run")
    return ledger.write_spec(spec)


def lanes(ledger: Ledger, fleet: Fleet, plan: FleetPlan) -> list[Job]:
    """The jobs that train: as many as are of use. Each looks for its own work until none is left."""
    remember(ledger)
    return [
        ledger.create_job(
            Job(job=f"lane-{lane}", kind=JobKind.FLEET, stage=_STAGE, units=[RUN], lane=lane, slots=fleet.limits.slots)
        )
        for lane in range(lanes_of(fleet, plan))
    ]


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
    return ledger.create_job(Job(job=EVALUATION, kind=JobKind.FLEET, stage=_STAGE, units=[EVALUATION]))


def _with_lanes(fleet: Fleet) -> Fleet:
    """The fleet with its lanes fixed: local ones share out this machine's cores."""
    lanes = fleet.limits.parallel or share(cores(), fleet.limits.slots)
    return fleet.model_copy(update={"limits": fleet.limits.model_copy(update={"parallel": lanes})})
