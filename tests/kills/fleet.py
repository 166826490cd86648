"""A fleet of tenants, and what must be the same however often it is hit: all that is gathered, byte for byte."""

from pathlib import Path
from typing import Any

from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.records import batch_name, read_plan, recorded, results
from windtunnel.ledger import Ledger, State
from windtunnel.ledger.claims import Claims

TENANTS = 40
CHOICES: dict[str, Any] = {"force": True}  # or a run would take over what the one before has trained
ENTRY = """\
import os, sys, time
from pathlib import Path

def run(mini_batch):
    rows = []
    for path in map(Path, mini_batch):
        with (Path(os.environ["TRACE"]) / path.stem).open("a") as trace:
            trace.write(f"{time.time()}\\n")
        time.sleep(0.3)
        lines = path.read_text().splitlines()[1:]
        (Path(sys.argv[1]) / path.name).write_text("\\n".join(lines))
        rows.append({"rows": len(lines), "sales": sum(int(line.rpartition(",")[2]) for line in lines)})
    return rows

def evaluate(table):
    time.sleep(1)
    return {"sales": sum(int(row["sales"]) for row in table.rows())}
"""
_SAME = ("gathered/rows.csv", "gathered/MLTable", "gathered/leaderboard.csv", "data/partitions.json")
_STAGES = (
    ("gathered/done.json", "evaluation"),
    ("results/b0*.json", "training"),
    ("plan.json", "launch"),
    ("data/partitions.json", "plan"),
)  # what is written last in each, and what comes next


def definition(folder: Path, kills: int) -> dict[str, Any]:
    """Its fields, with data and code beside it. All kills may hit one mini-batch, which has not failed for that."""
    (folder / "trace").mkdir()
    (folder / "code").mkdir()
    (folder / "code" / "entry.py").write_text(ENTRY)
    rows = (f"{tenant},{day * tenant}\n" for day in range(3) for tenant in range(TENANTS))
    (folder / "raw.csv").write_text("tenant,sales\n" + "".join(rows))
    return {
        "kind": "fleet",
        "data": str(folder / "raw.csv"),
        "split": {"keys": ["tenant"], "name": "tenant_{tenant}.csv"},
        "entry_script": str(folder / "code" / "entry.py"),
        "program_arguments": "${{outputs.kept}}",
        "environment_variables": {"TRACE": str(folder / "trace")},
        "mini_batch_size": 2,
        "mini_batch_error_threshold": 0,
        "retry_settings": {"max_retries": kills},
        "gather": {"append_row_to": "rows.csv", "outputs": {"kept": ""}},
        "objectives": {"sales": "maximize"},
        "limits": {"parallel": 2, "slots": 2},
    }


def last_stage(paths: list[Path]) -> str:
    """The stage that the run is in, by the files of a store."""
    return next((stage for made, stage in _STAGES if any(path.match(made) for path in paths)), "split")


def outcome(ledger: Ledger) -> dict[str, Any]:
    """All that is gathered and published, but for how often something was tried."""
    kept = [entry.path.removeprefix(ledger.path("")) for entry in ledger.store.list(ledger.path("outputs/"))]
    published = ledger.read_json("published.json")
    assert published is not None
    published["accounts"]["batches_retried"] = 0
    return {"published.json": published} | {name: ledger.store.get(ledger.path(name)) for name in [*_SAME, *kept]}


def begun_again(ledger: Ledger) -> list[str]:
    """Mini-batches that were begun after they had a result, by what their partitions' own code wrote as it began."""
    plan, partitions, results = read_plan(ledger), Partitions.read(ledger), recorded(ledger)
    assert plan is not None and partitions is not None
    trace = Path(ledger.search_record()["definition"]["environment_variables"]["TRACE"])
    return [
        f"{batch_name(number)}: {partitions[place].name}"
        for number, places in enumerate(plan.batches)
        for place in places
        for moment in (trace / Path(partitions[place].name).stem).read_text().split()
        if float(moment) > results[batch_name(number)]
    ]


def check(ledger: Ledger, expected: dict[str, Any]) -> None:
    """Hold a disturbed run against the undisturbed one."""
    found = outcome(ledger)
    assert found.keys() == expected.keys(), f"{ledger.url}: other files: {found.keys() ^ expected.keys()}"
    differ = [name for name in expected if found[name] != expected[name]]
    assert not differ, f"{ledger.url}: other content: {differ}; {differ[0]}: {found[differ[0]]}"
    failed = {result.batch: result.message for result in results(ledger) if result.state is State.FAILED}
    assert not failed, f"{ledger.url}: failed: {failed}"
    again = begun_again(ledger)
    assert not again, f"{ledger.url}: begun after its result was recorded: {again}"
    forgotten = [claim for claim in Claims(ledger).listing().values() if claim.unit not in recorded(ledger)]
    assert not forgotten, f"{ledger.url}: claimed, and never done: {forgotten}"


def starts(ledger: Ledger) -> str:
    """How often its mini-batches were begun."""
    every = list(results(ledger))
    return f"{sum(result.attempts for result in every)} starts of {len(every)} mini-batches"
