"""A fleet's jobs: lanes that train, and one that calls the user's evaluation."""

from pathlib import Path

from windtunnel.definition import fleet_of
from windtunnel.errors import LedgerError
from windtunnel.fleet.beginning import EVALUATION
from windtunnel.fleet.partitions import Partitions, check_columns
from windtunnel.fleet.records import read_plan
from windtunnel.ledger import Job, Ledger
from windtunnel_trainer.fleet.evaluation import run_evaluation
from windtunnel_trainer.fleet.lane import Lane
from windtunnel_trainer.logs import say


def run_fleet_job(ledger: Ledger, job: Job, cancel_file: Path | None = None, launch: int = 1) -> int:
    """Run one of a fleet's jobs, whichever it is; `launch` is the number of this launch.

    Returns:
        The exit code: 0 when nothing is left to do, 143 when a lane was told to go, 1 when the job cannot do its work.

    Raises:
        WindtunnelError: the run has no plan or other keys than its definition, or the entry's source cannot be had.
    """
    say(f"job {job.job}")
    if job.job == EVALUATION:
        return run_evaluation(ledger)
    plan, partitions = read_plan(ledger), Partitions.read(ledger)
    if plan is None or partitions is None:
        raise LedgerError(f"{ledger.url} has no plan yet: its lanes were launched too early")
    fleet = fleet_of(ledger)
    check_columns(partitions, fleet.split.columns)
    plan.check(len(partitions), ledger)
    job = job.model_copy(update={"slots": fleet.limits.slots})
    return Lane(ledger, fleet, plan, partitions, job, launch, cancel_file).run()
