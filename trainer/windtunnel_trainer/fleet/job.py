"""A fleet's jobs: lanes that train, and one that calls the user's evaluation."""

from pathlib import Path

from windtunnel.fleet.beginning import EVALUATION
from windtunnel.ledger import Job, Ledger
from windtunnel_trainer.fleet.evaluation import run_evaluation
from windtunnel_trainer.fleet.lane import run_lane
from windtunnel_trainer.logs import say


def run_fleet_job(ledger: Ledger, job: Job, cancel_file: Path | None = None) -> int:
    """Run one of a fleet's jobs, whichever it is; returns its exit code.

    Raises:
        WindtunnelError: the run has no plan, or the entry's source cannot be had.
    """
    say(f"job {job.job}")
    if job.job == EVALUATION:
        return run_evaluation(ledger)
    return run_lane(ledger, job, cancel_file)
