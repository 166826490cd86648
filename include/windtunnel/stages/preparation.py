"""Preparing the data is one job of one unit."""

from windtunnel.ledger import Job, JobKind
from windtunnel.stages.search import Search


def prepare_job(search: Search) -> Job:
    """The job that prepares the run's data."""
    return search.ledger.create_job(Job(job="prepare", kind=JobKind.PREPARE, stage="prepare", units=["prepare"]))
