"""All that is known of a run: plans, trials, results, jobs. Ids, records, and the ledger that keeps them in a store."""

from windtunnel.ledger.approval import Approval
from windtunnel.ledger.ledger import Ledger
from windtunnel.ledger.model import Model, Verdict
from windtunnel.ledger.records import Attempt, Job, Plan, Request, Result, State
from windtunnel.ledger.selection import Decision, Selection
from windtunnel.ledger.spec import Spec
from windtunnel.ledger.trial import Trial
from windtunnel.ledger.url import is_run

__all__ = [
    "Approval",
    "Attempt",
    "Decision",
    "Job",
    "Ledger",
    "Model",
    "Plan",
    "Request",
    "Result",
    "Selection",
    "Spec",
    "State",
    "Trial",
    "Verdict",
    "is_run",
]
