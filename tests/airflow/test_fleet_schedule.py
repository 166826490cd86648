"""A fleet that its schedule begins again and again, under the real scheduler: each run trains what has changed."""

import pytest

from tests.airflow.conftest import DAG_FILE
from tests.airflow.standalone import Standalone
from tests.airflow.support import dump
from tests.fleets import table
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

pytestmark = pytest.mark.slow

LIMIT = 900  # seconds; a quiet machine of two cores needs about 20 for a run
ENTRY = "def run(mini_batch):\n    return [{'size': len(open(path).read()), 'version': 1} for path in mini_batch]\n"
TENANTS = ("a", "b", "c")
FLEET = {
    "kind": "fleet",
    "data": "../data",
    "entry_script": "../code/entry.py",
    "gather": {"append_row_to": "rows.csv"},
    "limits": {"parallel": 1},
    "schedule": "@continuous",  # the next run begins as soon as the last has ended
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("scheduled")
    for name in ("dags", "searches", "data", "code"):
        (found / name).mkdir()
    (found / "dags" / "searches.py").write_text(DAG_FILE)
    (found / "code" / "entry.py").write_text(ENTRY)
    (found / "searches" / "shops.yaml").write_text(dump(FLEET))
    for tenant in TENANTS:
        (found / "data" / f"{tenant}.csv").write_text("sales\n1\n")
    return found


def replace(file, text):
    """Change a file at one stroke: a run may be reading it."""
    new = file.parent.parent / "new"
    new.write_text(text)
    new.replace(file)


def test_each_scheduled_run_trains_what_has_changed_and_takes_over_the_rest(folder):
    store = open_store(str(folder / "runs"))
    seen = set()
    with Standalone(folder / "airflow", folder / "dags", folder / "runs") as airflow:

        def until_trained(*expected):
            """Wait for a new run that has trained just these; its report and its table."""

            def look():
                query = {"limit": 100, "order_by": "run_after", "state": "success"}
                runs = airflow.client.get("/api/v2/dags/shops/dagRuns", params=query).json().get("dag_runs", [])
                for run in [run for run in runs if run["dag_run_id"] not in seen]:
                    seen.add(run["dag_run_id"])
                    assert run["run_type"] == "scheduled"
                    ledger = Ledger(store, "shops", run["dag_run_id"])
                    if trained(ledger) == list(expected):
                        return ledger
                return None

            ledger = airflow.until(look, LIMIT, f"no scheduled run trains {expected or 'nothing'} alone", pause=1)
            accounts = ledger.read_json("published.json")["accounts"]
            assert (accounts["partitions_done"], accounts["taken"]) == (len(expected), len(TENANTS) - len(expected))
            return (ledger.store.get(ledger.path(name)).decode() for name in ("report.txt", "gathered/rows.csv"))

        until_trained(*TENANTS)
        report, rows = until_trained()
        assert "0 of 0 partitions trained, 3 taken over" in report
        assert rows == "file,size,version\na.csv,8,1\nb.csv,8,1\nc.csv,8,1\n"
        replace(folder / "data" / "b.csv", "sales\n1\n22\n")
        report, rows = until_trained("b")
        assert "1 of 1 partition trained, 2 taken over" in report
        assert rows == "file,size,version\na.csv,8,1\nb.csv,11,1\nc.csv,8,1\n"
        replace(folder / "code" / "entry.py", ENTRY.replace("1}", "2}"))
        _, rows = until_trained(*TENANTS)
        assert rows == "file,size,version\na.csv,8,2\nb.csv,11,2\nc.csv,8,2\n"
        until_trained()
        replace(folder / "searches" / "shops.yaml", dump(FLEET | {"environment_variables": {"REGION": "north"}}))
        until_trained(*TENANTS)


def trained(ledger):
    """The first letters of the partitions that the run has trained itself."""
    return [row["file"][0] for row in table(ledger, "gathered/leaderboard.csv") if row["state"] == "completed"]
