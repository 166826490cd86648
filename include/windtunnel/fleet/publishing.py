"""The end of a fleet's run: what it has brought, for those who use it, and in words."""

from typing import Any

from windtunnel.definition import Fleet
from windtunnel.fleet.accounts import Accounts
from windtunnel.fleet.beginning import EVALUATION, RUN
from windtunnel.fleet.gathering import LEADERBOARD, standings
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.records import FleetPlan, ended
from windtunnel.ledger import Ledger, State

_PUBLISHED = "published.json"
_SHOWN = 10  # partitions that are named in the report


def publish(ledger: Ledger, fleet: Fleet, plan: FleetPlan) -> dict[str, Any]:
    """Write `published.json`, by which a run has succeeded: the accounts, the evaluation, where table and board are."""
    accounts = Accounts.of(plan, ended(ledger))
    evaluation = ledger.result(EVALUATION)
    content = {
        "accounts": vars(accounts),
        "evaluation": evaluation.metrics if evaluation is not None else {},
        "leaderboard": LEADERBOARD,
        "table": f"gathered/{fleet.gather.append_row_to}" if fleet.gather.append_row_to else None,
    }
    ledger.write_json(_PUBLISHED, content)
    return content


def published(ledger: Ledger) -> dict[str, Any] | None:
    """What the run has published, once it has succeeded."""
    return ledger.read_json(_PUBLISHED)


def is_over(ledger: Ledger) -> bool:
    """Whether nothing is left to go on with: the run is published, or it or its evaluation has failed."""
    ends = (ledger.outcome(unit) for unit in (RUN, EVALUATION))
    return published(ledger) is not None or any(end is not None and end.state is State.FAILED for end in ends)


def summary(ledger: Ledger, plan: FleetPlan) -> list[str]:
    """What came of the run, line by line: the accounts, what failed and why, the evaluation."""
    lines = [Accounts.of(plan, ended(ledger)).message, *why_failed(ledger, plan)]
    over = ledger.outcome(RUN)
    if over is not None and over.state is State.FAILED:
        lines.append(f"the fleet has failed: {over.message}")
    evaluation = ledger.result(EVALUATION)
    if evaluation is not None:
        values = ", ".join(f"{name} {value:.6g}" for name, value in evaluation.metrics.items() if value is not None)
        lines.append(f"evaluation: {values or evaluation.message or evaluation.state}")
    return lines


def why_failed(ledger: Ledger, plan: FleetPlan) -> list[str]:
    """The partitions that failed, and why, line by line; of many the first ones."""
    lines: list[str] = []
    partitions = Partitions.read(ledger) or ()
    failed = 0
    for one in standings(ledger, plan):
        if one.state == "failed" and one.past is not None:
            failed += 1
            if failed <= _SHOWN:
                lines.append(f"failed: {partitions[one.place].name}: {one.past.outcome.message}")
    if failed > _SHOWN:
        lines.append(f"… and {failed - _SHOWN} more: {LEADERBOARD}")
    return lines
