"""A run of a fleet as its page shows it: every partition's state and metrics, the accounts, throughput, time left."""

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any

from windtunnel.fleet.accounts import Accounts
from windtunnel.fleet.beginning import EVALUATION, RUN
from windtunnel.fleet.gathering import standings
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.publishing import is_over
from windtunnel.fleet.records import BatchResult, FleetPlan, Outcome, batch_number, ended, read_plan, results
from windtunnel.ledger import Ledger, State
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.curves import MOST_VALUES

_MESSAGE = 1000  # characters of a message, of which there may be thousands


def overview(ledger: Ledger) -> dict[str, Any] | None:
    """What the page shows; None until the data is split and the run planned.

    Returns:
        `accounts`, `failure`, `evaluation`, `objectives`, `columns` (the keys' names), `pace` and `partitions`: each
        with `name`, `keys`, `state` (`completed`, `failed`, `taken`, `skipped`, `running` or `open`), `metrics`,
        `seconds`, `message`, `files`, `verified`, and `source`, the run that trained it.
    """
    plan, partitions = read_plan(ledger), Partitions.read(ledger)
    if plan is None or partitions is None:
        return None
    plan.check(len(partitions), ledger)
    accounts, over = Accounts.of(plan, ended(ledger)), is_over(ledger)
    outcome, evaluation = ledger.outcome(RUN), ledger.result(EVALUATION)
    return {
        "accounts": vars(accounts),
        "message": accounts.message,
        "over": over,
        "failure": outcome.message if outcome is not None and outcome.state is State.FAILED else "",
        "evaluation": evaluation.metrics if evaluation is not None else {},
        "objectives": _objectives(ledger.search_record().get("definition")),
        "columns": partitions.columns,
        "pace": _pace(results(ledger), plan, over=over),
        "partitions": _partitions(ledger, plan, partitions, over=over),
    }


def _partitions(ledger: Ledger, plan: FleetPlan, partitions: Partitions, *, over: bool) -> list[dict[str, Any]]:
    claimed: set[int] = set()
    if not over:
        for claim in Claims(ledger).listing().values():
            number = batch_number(claim.unit)
            if not claim.released and 0 <= number < len(plan.batches):
                claimed |= set(plan.batches[number])
    rows = []
    for one in sorted(standings(ledger, plan), key=lambda standing: standing.place):
        partition = partitions[one.place]
        state = "running" if one.state == "open" and one.place in claimed else one.state
        row: dict[str, Any] = {"name": partition.name, "keys": partition.keys, "rows": partition.rows, "state": state}
        if one.past is not None:
            row |= _outcome(one.past.outcome)
            row["source"] = one.past.source
        rows.append(row)
    return rows


def _outcome(outcome: Outcome) -> dict[str, Any]:
    """How a partition ended, as far as a page has room for it."""
    return {
        "metrics": dict(islice(outcome.metrics.items(), MOST_VALUES)),
        "files": outcome.files[:MOST_VALUES],
        "seconds": outcome.seconds,
        "message": outcome.message[:_MESSAGE],
        "verified": outcome.verified,
    }


def _objectives(definition: Any) -> dict[str, str]:
    """What the run's own record says of its objectives, which anyone may have written."""
    given = definition.get("objectives") if isinstance(definition, dict) else None
    return {name: str(direction) for name, direction in given.items()} if isinstance(given, dict) else {}


def _pace(every: Iterable[BatchResult], plan: FleetPlan, *, over: bool) -> dict[str, float | None]:
    """Partitions a second since the first mini-batch began, and the seconds until all are done at that pace."""
    begins, ends, done = [], [], 0
    for result in every:
        number = batch_number(result.batch)
        done += len(plan.batches[number]) if number < len(plan.batches) else 0
        with suppress(ValueError, OverflowError):  # no time of this world
            begin = datetime.fromisoformat(result.started).timestamp()
            begins.append(begin)
            ends.append(begin + result.seconds)
    left = sum(map(len, plan.batches)) - done
    if not begins:
        return {"throughput": None, "left": None}
    now = max(ends) if over or not left else time.time()
    throughput = done / max(now - min(begins), 1e-3)
    return {"throughput": throughput, "left": None if over else left / throughput if throughput else None}
