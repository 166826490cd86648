"""Fleets for tests: made of fields, with a script or a workload, over data in a folder."""

import csv
from pathlib import Path

from windtunnel.definition import Fleet
from windtunnel.definition.fleet import read_fleet
from windtunnel.errors import DefinitionError
from windtunnel.fleet.accounts import SHORT
from windtunnel.fleet.beginning import begin
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.planning import RunChoice, plan
from windtunnel.fleet.records import BatchResult, FleetPlan, Outcome, batch_name, record
from windtunnel.fleet.split import split
from windtunnel.ledger import Ledger, State
from windtunnel.stores import open_store

RAW = "tenant,region,sales\n1,north,10\n2,south,20\n1,north,11\n3,north,30\n2,south,21\n"
ECHO = "def run(mini_batch):\n    return [{'file': path.rpartition('/')[2]} for path in mini_batch]\n"


def fleet_from(folder: Path, *, code: str = ECHO, raw: str = RAW, **fields) -> Fleet:
    """A fleet over a table in a folder, split by tenant unless the fields say otherwise."""
    folder.mkdir(exist_ok=True)
    (folder / "raw.csv").write_text(raw)
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "entry.py").write_text(code)
    entry = {} if {"workload", "script"} & fields.keys() else {"entry_script": str(folder / "code" / "entry.py")}
    own = {"split": {"keys": ["tenant"], "name": "tenant_{tenant}.csv"}, "gather": {"append_row_to": "rows.csv"}}
    given = {"kind": "fleet", "name": "toy", "data": str(folder / "raw.csv"), **own, **entry, **fields}
    fleet, faults = read_fleet(given)
    if fleet is None or faults:
        raise DefinitionError.of(faults)
    return fleet


def prepared(
    folder: Path, fleet: Fleet, run: str = "run", choice: RunChoice | None = None
) -> tuple[Ledger, Partitions, FleetPlan]:
    """A run that has its partitions and its plan, nothing launched."""
    ledger = begin(fleet, Ledger(open_store(str(folder / "runs")), fleet.name, run), "session")
    partitions = split(ledger, fleet)
    return ledger, partitions, plan(ledger, fleet, partitions, choice)


def succeed(ledger: Ledger, plan: FleetPlan, number: int, **metrics: float) -> None:
    """Record that a mini-batch succeeded, a row for each partition."""
    places = plan.batches[number]
    result = BatchResult(
        batch=batch_name(number),
        state=State.COMPLETED,
        items=len(places),
        succeeded=len(places),
        outcomes=tuple(Outcome(state=State.COMPLETED, metrics=metrics) for _ in places),
        rows=tuple((place, {"batch": number, "place": place}) for place in places),
    )
    assert record(ledger, result)


def fall_short(ledger: Ledger, plan: FleetPlan, number: int, succeeded: int = 0, attempts: int = 3) -> None:
    """Record that a mini-batch returned too little."""
    places = plan.batches[number]
    failed = Outcome(state=State.FAILED, message="short")
    result = BatchResult(
        batch=batch_name(number),
        state=State.FAILED,
        items=len(places),
        succeeded=succeeded,
        outcomes=tuple(failed for _ in places),
        attempts=attempts,
        kind=SHORT,
        message="short",
    )
    assert record(ledger, result)


def table(ledger: Ledger, name: str = "gathered/rows.csv") -> list[dict[str, str]]:
    """A gathered CSV file's rows."""
    return list(csv.DictReader(ledger.store.get(ledger.path(name)).decode().splitlines()))
