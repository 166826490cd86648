"""Preparing the data is one job of one unit."""

from windtunnel.ledger import Job, JobKind, State
from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.stages.search import Search


def prepare_job(search: Search) -> Job:
    """The job that prepares the run's data: a new one after each that failed, since its cause may have been mended."""
    ended = search.ledger.step_outcomes().values()
    failures = sum(step.trial.startswith(StageKind.PREPARE) and step.state is State.FAILED for step in ended)
    stage = Stage.preparation(failures)
    return search.ledger.create_job(Job(job=stage, kind=JobKind.PREPARE, stage=stage, units=[stage]))
