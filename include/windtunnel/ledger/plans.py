"""The plans of a run's stages, read in one go.

Plans never change, and there is one a stage. So that a long search need not read each of them again and again, they
stand in one object besides, `plans.json`. It is a copy that is replaced with each new plan; it may lack some where a
process died, or where another version of Windtunnel wrote the run.
"""

from collections.abc import Iterable

from pydantic import ValidationError

from windtunnel.errors import LedgerError
from windtunnel.ledger.ledger import Ledger
from windtunnel.ledger.records import Plan, Record
from windtunnel.ledger.stage import Stage

_NAME = "plans.json"


class _Copy(Record):
    plans: list[Plan]


def read_plans(ledger: Ledger, stages: Iterable[Stage]) -> dict[Stage, Plan]:
    """The plans of these stages, in their order: one read, and one more for each that the copy lacks."""
    copied = _copied(ledger)
    lacking = [stage for stage in stages if stage not in copied]
    copied |= {stage: plan for stage in lacking if (plan := ledger.plan(stage)) is not None}
    return {stage: copied[stage] for stage in stages if stage in copied}


def write_plans(ledger: Ledger, plans: Iterable[Plan]) -> None:
    """Replace the copy."""
    content = _Copy(plans=sorted(plans, key=lambda plan: plan.stage.order)).model_dump_json()
    ledger.store.put(ledger.path(_NAME), content.encode())


def _copied(ledger: Ledger) -> dict[Stage, Plan]:
    """The plans of the copy; none where it is missing or cannot be read, for each stage has its own."""
    try:
        return {plan.stage: plan for plan in _Copy.model_validate(ledger.read_json(_NAME) or {"plans": []}).plans}
    except (LedgerError, ValidationError):
        return {}
