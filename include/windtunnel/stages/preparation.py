"""Preparing the data is one job of one unit."""

from windtunnel.ledger import Job, JobKind, State
from windtunnel.stages.search import Search


def prepare_job(search: Search) -> Job:
    """The job that prepares the run's data: a new one after each that failed, since its cause may have been mended."""
    ended = search.ledger.step_outcomes().values()
    failures = sum(step.trial.startswith("prepare") and step.state is State.FAILED for step in ended)
    name = f"prepare-r{failures}" if failures else "prepare"
    return search.ledger.create_job(Job(job=name, kind=JobKind.PREPARE, stage=name, units=[name]))
