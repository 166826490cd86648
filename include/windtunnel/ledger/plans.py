"""The plans of a run's stages, read in one go.

Plans never change, and there is one a stage. So that a long search need not read each of them again and again, they
stand in one object besides, `plans.json`. It is a copy that is replaced once all that follows from a new plan is
written; so it lacks plans that a process died over, and those that another version of Windtunnel wrote.
"""

from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter, ValidationError

from windtunnel.errors import LedgerError
from windtunnel.ledger.ledger import Ledger
from windtunnel.ledger.records import Plan
from windtunnel.ledger.stage import Stage

_NAME = "plans.json"
_COPY = TypeAdapter(dict[str, list[Plan]])  # of one key, `plans`


def copied_plans(ledger: Ledger) -> dict[Stage, Plan]:
    """The plans of the copy; none where it is missing or cannot be read, for each stage has its own."""
    try:
        copy = _COPY.validate_python(ledger.read_json(_NAME) or {"plans": []})
        return {plan.stage: plan for plan in copy["plans"]}
    except (LedgerError, ValidationError, KeyError):
        return {}


def read_plans(ledger: Ledger, stages: Iterable[Stage], copied: Mapping[Stage, Plan]) -> dict[Stage, Plan]:
    """The plans of these stages, in their order: those of the copy, and one read for each that it lacks."""
    plans = {stage: copied.get(stage) or ledger.plan(stage) for stage in stages}
    return {stage: plan for stage, plan in plans.items() if plan is not None}


def write_plans(ledger: Ledger, plans: Iterable[Plan]) -> None:
    """Replace the copy; all that follows from each of these plans is written."""
    content = _COPY.dump_json({"plans": sorted(plans, key=lambda plan: plan.stage.order)})
    ledger.store.put(ledger.path(_NAME), content)
