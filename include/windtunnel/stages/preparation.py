"""Preparing the data is one job of one unit, which is done already where the workload needs no data."""

from windtunnel.definition.program import workload_of
from windtunnel.ledger import Job, Result, State
from windtunnel.ledger.manifest import MANIFEST, manifest_of
from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.stages.search import Search


def prepare_job(search: Search) -> Job:
    """The job that prepares the run's data: a new one after each that failed, since its cause may have been mended."""
    ended = search.ledger.step_outcomes().values()
    failures = sum(step.trial.startswith(StageKind.PREPARE) and step.state is State.FAILED for step in ended)
    stage = Stage.preparation(failures)
    job = search.ledger.create_job(Job(job=stage, stage=stage, units=[stage]))
    if workload_of(search.definition).prepare is None:
        search.ledger.write_json(MANIFEST, manifest_of({}, {}))
        search.ledger.record(Result(trial=stage, state=State.COMPLETED))
    return job
