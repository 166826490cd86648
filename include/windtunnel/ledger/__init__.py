"""All that is known of a run: plans, trials, results, jobs. Ids, records, and the ledger that keeps them in a store."""

from windtunnel.ledger.ledger import Ledger, is_run
from windtunnel.ledger.records import Attempt, Decision, Job, JobKind, Known, Plan, Request, Result, State

__all__ = ["Attempt", "Decision", "Job", "JobKind", "Known", "Ledger", "Plan", "Request", "Result", "State", "is_run"]
