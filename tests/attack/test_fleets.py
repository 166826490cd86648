"""Fleets whose ledger, data or entry an attacker writes: partitions, plan, results, claims, outputs, gathered files."""

import csv
import io
import json

import pytest

from tests.airflow.conftest import home  # noqa: F401  (a fixture)
from tests.attack.conftest import RUN, SECRET, signed_in
from tests.attack.test_outputs import ESCAPES, FORMULAS, HARMFUL
from tests.fleets import fleet_from, prepared, succeed
from windtunnel.cli import main
from windtunnel.engine.runs import choose
from windtunnel.errors import LedgerError, StoreError, UnreadableError, WorkloadError
from windtunnel.fleet.beginning import RUN as FLEET_RUN
from windtunnel.fleet.beginning import begin, lanes
from windtunnel.fleet.gathering import _lines_of, gather
from windtunnel.fleet.outputs import Outputs
from windtunnel.fleet.planning import last_run
from windtunnel.fleet.planning import plan as plan_of
from windtunnel.fleet.publishing import summary
from windtunnel.fleet.queue import Queue
from windtunnel.fleet.records import ended
from windtunnel.fleet.split import split
from windtunnel.host.machine import now
from windtunnel.ledger import Ledger, Result, State
from windtunnel.text import is_formula
from windtunnel.workload.files import SCRIPT
from windtunnel_trainer.fleet.evaluation import Table
from windtunnel_trainer.fleet.job import run_fleet_job

FLEET = "tenants_attacked"


@pytest.fixture
def fleet(tmp_path):
    return fleet_from(tmp_path, objectives={"accuracy": "maximize"})


@pytest.fixture
def run(tmp_path, fleet):
    return prepared(tmp_path, fleet)


@pytest.fixture(scope="module")
def client(home, tmp_path_factory):  # noqa: F811
    """Airflow with a fleet that a user may read."""
    from tests.airflow import pages
    from tests.airflow.support import dump

    own = fleet_from(tmp_path_factory.mktemp("fleet"), objectives={"accuracy": "maximize"}, name=FLEET)
    fields = own.model_dump(mode="json", include={"kind", "data", "entry_script", "objectives", "gather"})
    fields["split"] = {"keys": ["tenant"], "name": "tenant_{tenant}.csv"}
    (home / "searches" / f"{FLEET}.yaml").write_text(dump(fields))
    pages.add_searches(home)
    with signed_in(FLEET) as client:
        yield client
    (home / "searches" / f"{FLEET}.yaml").unlink()


@pytest.fixture
def live(home, client, tmp_path):  # noqa: F811
    """The ledger that the page shows, made anew, with one mini-batch done."""
    import shutil

    from windtunnel.ledger import Ledger
    from windtunnel.stores import open_store
    from windtunnel_airflow.page.readers import fleet_cache

    store = open_store(str(home / "runs"))
    fleet_cache.cache_clear()
    shutil.rmtree(store.folder / FLEET, ignore_errors=True)
    own = fleet_from(tmp_path, objectives={"accuracy": "maximize"}, name=FLEET)
    ledger, _, plan = prepared_in(Ledger(store, FLEET, RUN), own)
    succeed(ledger, plan, 0, accuracy=0.5)
    return ledger


def prepared_in(ledger, fleet):
    ledger = begin(fleet, ledger, RUN)
    partitions = split(ledger, fleet)
    return ledger, partitions, plan_of(ledger, fleet, partitions)


def shown(client):
    return client.get("/windtunnel/data/fleet/overview", params={"dag_id": FLEET, "run_id": RUN})


def block(client):
    return client.get("/windtunnel/data/fleet/block", params={"dag_id": FLEET, "run_id": RUN, "number": 0})


def partition(client, name):
    return client.get("/windtunnel/data/fleet/partition", params={"dag_id": FLEET, "run_id": RUN, "name": name})


def forge(ledger, name, content):
    """Let an object of the run say something else."""
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    ledger.store.delete(ledger.path(name))
    ledger.store.put(ledger.path(name), content)


RESULT = {"batch": "b000001", "state": "completed", "items": 1, "succeeded": 1, "outcomes": [{"state": "completed"}]}
OTHER = {"partition": 0, "source": "x", "outcome": {"state": "completed"}}
FORGED = {
    "no plan": ("plan.json", b"[]"),
    "plan of places that are not there": (
        "plan.json",
        {"basis": "x", "batches": [[0], [99]], "skipped": [5], "taken": [7]},
    ),
    "plan of places below zero": ("plan.json", {"basis": "x", "batches": [[-1], [-99]]}),
    "partitions are no table": ("data/partitions.json", {"columns": ["tenant"], "partitions": [[1, 2, 3]]}),
    "partitions are no list": ("data/partitions.json", {"columns": 1, "partitions": 2}),
    "partitions are nested": ("data/partitions.json", b"[" * 100_000),
    "keys are no text": ("data/partitions.json", {"columns": ["tenant"], "partitions": [["a", [{"x": 1}], "0", 1]]}),
    "more keys than columns": (
        "data/partitions.json",
        {"columns": ["tenant"], "partitions": [["a", ["1", "2"], "0", 1]]},
    ),
    "name of a partition leads out": (
        "data/partitions.json",
        {"columns": ["tenant"], "partitions": [["../../../x", ["1"], "0", 1]]},
    ),
    "result of a partition that is not there": ("results/b999999.json", RESULT | {"batch": "b999999"}),
    "result under another name": ("results/b000001.json", RESULT | {"batch": "b000777"}),
    "result with a number of many digits": (f"results/b{'9' * 200}.json", RESULT),
    "result that began at no time": ("results/b000001.json", RESULT | {"started": "yesterday", "seconds": 1e308}),
    "result that began in no time zone": ("results/b000001.json", RESULT | {"started": "0001-01-01T00:00:00"}),
    "result with more outcomes than partitions": (
        "results/b000001.json",
        RESULT | {"outcomes": [{"state": "failed"}] * 50},
    ),
    "result without end": (
        "results/b000001.json",
        b'{"batch": "b000001", "state": "completed", "items": 1, "seconds": Infinity}',
    ),
    "result of a value without end": (
        "results/b000001.json",
        b'{"batch": "b000001", "state": "completed", "items": 1, "outcomes": '
        b'[{"state": "completed", "metrics": {"accuracy": NaN, "loss": Infinity}}]}',
    ),
    "what was taken over is nothing": ("taken/1.jsonl", b"{}\n"),
    "what was taken over is not there": ("taken/1.jsonl", json.dumps(OTHER | {"partition": 12345}).encode()),
    "what was taken over is below zero": ("taken/1.jsonl", json.dumps(OTHER | {"partition": -1}).encode()),
    "definition is a list": ("search.json", b"[]"),
    "definition is text": ("search.json", {"kind": "fleet", "definition": "x"}),
    "objectives are a list": ("search.json", {"kind": "fleet", "definition": {"objectives": [1]}}),
    "the run's result is no result": ("results/fleet.json", b"[]"),
    "claim of what is not there": ("claims/b000099.1.json", {"unit": "b000099", "lane": "lane-0", "launch": 1}),
    "claim of a lane that is a path": ("claims/b000001.1.json", {"unit": "b000001", "lane": "../../x", "launch": 1}),
}


@pytest.mark.parametrize("what", FORGED)
def test_the_page_tells_a_forged_object_from_a_run(client, live, what):
    name, content = FORGED[what]
    forge(live, name, content)
    for reply in (shown(client), block(client), *(partition(client, f"tenant_{number}.csv") for number in "123")):
        assert reply.status_code in (200, 503), reply.text
        if reply.status_code == 200:
            json.loads(reply.text, parse_constant=pytest.fail)  # NaN is no JSON, and a browser stops at it
        else:
            assert name in reply.json()["detail"]


def test_of_a_partition_with_endless_metrics_the_page_shows_some(client, live):
    metrics = {f"m{number}": 1.0 for number in range(50_000)}
    outcome = {"state": "failed", "metrics": metrics, "files": [f"f{number}" for number in range(50_000)]}
    forged = {"outcomes": [outcome | {"message": "x" * 1_000_000}], "log_tail": "y" * 10_000_000}
    forge(live, "results/b000001.json", RESULT | forged)
    assert len(block(client).json()["metrics"]) == 100
    assert len(shown(client).content) < 20_000
    row = partition(client, "tenant_2.csv").json()
    assert (len(row["metrics"]), len(row["files"]), len(row["message"])) == (99, 1000, 1000)
    assert len(row["batch"]["log_tail"]) < 100_000


@pytest.mark.parametrize(
    "name",
    ["outputs/../../../told_nobody", "../../search.json", "/etc/passwd", "outputs//etc/passwd", ".meta/lock", "linked"],
)
def test_the_page_hands_out_no_other_file_that_a_result_names(client, live, secret, name):
    live.store.put(live.trial_path("p000001", "model.txt"), b"own")
    (live.store.folder / live.trial_path("p000001", "linked")).symlink_to(secret)
    (live.store.folder / "told_nobody").write_text(SECRET)
    outcome = {"state": "completed", "files": [name, "model.txt"]}
    forge(live, "results/b000001.json", RESULT | {"outcomes": [outcome]})
    forge(live, "gathered/done.json", {"rows": 0, "files": [name]})
    file, address = "/windtunnel/data/fleet/file", {"dag_id": FLEET, "run_id": RUN}
    of_partition = client.get(file, params=address | {"name": name, "partition": "tenant_2.csv"})
    of_run = client.get(file, params=address | {"name": name})
    for reply in (of_partition, of_run):
        assert reply.status_code == 404
        assert SECRET not in reply.text
    own = client.get(file, params=address | {"name": "model.txt", "partition": "tenant_2.csv"})
    assert own.content == b"own" and own.headers["content-type"] == "application/octet-stream"


def test_counts_that_are_none_are_counted_anew(run):
    ledger, _, plan = run
    succeed(ledger, plan, 0)
    body = {"batch": "b000001", "state": "failed", "items": 1, "outcomes": [{"state": "failed"}]}
    for counts in ('["failed", "1", "1", "1", "1", "x"]', "7", "null", '{"a": 1}', "[[], [], [], [], [], []]"):
        ledger.store.put(ledger.path("results/b000001.json"), json.dumps(body).encode(), {"counts": counts})
        assert [(one.number, one.state, one.failed) for one in ended(ledger)] == [(0, "completed", 0), (1, "failed", 1)]


@pytest.mark.parametrize("column", ["LD_PRELOAD", "PYTHONPATH", "PATH", "--config"])
def test_no_ledger_names_the_flags_and_variables_of_a_script(tmp_path, column):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("print('accuracy=1')\n")
    script = {"file": "train.py", "folder": str(tmp_path / "code"), "style": "environment", "arguments": "{data}"}
    fleet = fleet_from(tmp_path, script=script, workload=SCRIPT, split={"keys": ["tenant"]})
    ledger, _, plan = prepared(tmp_path, fleet)
    (job, *_) = lanes(ledger, fleet, plan)
    table = ledger.read_json("data/partitions.json")
    forge(ledger, "data/partitions.json", table | {"columns": [column]})
    with pytest.raises(LedgerError, match=f"found the keys {column}; allowed: those of the definition, tenant"):
        run_fleet_job(ledger, job)
    assert not list(ended(ledger))


def test_a_lane_begins_nothing_that_a_plan_of_other_partitions_names(run, fleet):
    ledger, _, plan = run
    (job, *_) = lanes(ledger, fleet, plan)
    forge(ledger, "plan.json", {"basis": "x", "batches": [[0], [-3], [99]]})
    with pytest.raises(UnreadableError, match="has other partitions than the 3 of the run"):
        run_fleet_job(ledger, job)


def test_claims_of_what_is_no_mini_batch_are_passed_over(run, fleet):
    ledger, _, plan = run
    (job, *_) = lanes(ledger, fleet, plan)
    for unit in ("b000099", "b-1", "b000001.7", "c"):
        forged = {"unit": unit, "number": 1, "lane": job.job, "launch": 1}
        ledger.store.put(ledger.path(f"claims/{unit}.1.json"), json.dumps(forged).encode())
    claimed = Queue(ledger, plan, job, 1, 1)
    assert [claimed.next().number for _ in plan.batches] == [0, 1, 2]
    assert claimed.next() is None


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", "..", "a/b", "\x1b[2J", "x" * 10_000])
def test_a_runs_pointers_lead_to_no_other_folder(run, name):
    ledger, _, _ = run
    folder = f"{ledger.root.rpartition('/')[0]}"
    ledger.store.put(f"{folder}/current.json", json.dumps({"run": name}).encode())
    ledger.store.put(f"{folder}/last.json", json.dumps({"run": name}).encode())
    chosen, how = choose(ledger.store, ledger.search)
    assert chosen.root.startswith(f"{folder}/") and chosen.root.count("/") == 1 and chosen.root.isprintable()
    assert how == "resumed" and chosen.begun() is None
    last = Ledger(ledger.store, ledger.search, last_run(ledger))
    assert last.root.startswith(f"{folder}/") and last.root.count("/") == 1 and last.root.isprintable()


def test_what_an_earlier_run_says_it_has_brought_comes_from_no_other_place(tmp_path, fleet, secret):
    fleet = fleet.model_copy(update={"gather": fleet.gather.model_copy(update={"outputs": {"models": ""}})})
    ledger, partitions, plan = prepared(tmp_path, fleet)
    (tmp_path / "runs" / "toy" / "other").mkdir()
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "runs" / "other" / "secret").write_text(SECRET)
    for source, path in (
        ("../other", "outputs/../secret"),
        ("other", "outputs/../../../other/secret"),
        ("..", "outputs/../other/secret"),
        ("other", f"outputs/../../../../{secret.name}"),
    ):
        outcome = {"state": "completed", "files": [path]}
        forge(ledger, f"taken/{plan.session}.jsonl", {"partition": 0, "source": source, "outcome": outcome})
        told = plan.model_copy(update={"taken": (0,), "batches": plan.batches[1:]})
        with pytest.raises(StoreError, match="is no path of an object"):
            gather(ledger, fleet, told, partitions)
        for entry in ledger.store.list(ledger.path("")):
            assert SECRET.encode() not in ledger.store.get(entry.path)


def test_a_link_among_outputs_is_not_brought(tmp_path, secret):
    fleet = fleet_from(tmp_path, gather={"outputs": {"models": ""}})
    ledger, _, _ = prepared(tmp_path, fleet)
    outputs = Outputs(ledger, fleet, tmp_path / "outputs")
    outputs.clear()
    folder = outputs.folders["models"]
    (folder / "own.txt").write_text("own")
    (folder / "linked.txt").symlink_to(secret)
    (folder / "folder").symlink_to(secret.parent)
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    assert outputs.bring() == ["outputs/models/own.txt"]


@pytest.mark.parametrize("data", ["raw", "raw/*.csv", "raw/**"])
def test_a_link_among_the_data_leads_nowhere_else(tmp_path, data, secret):
    (tmp_path / "raw" / "inner").mkdir(parents=True)
    (tmp_path / "raw" / "a.csv").write_text("x\n1\n")
    (tmp_path / "raw" / "b.csv").symlink_to(tmp_path / "raw" / "a.csv")
    fleet = fleet_from(tmp_path, data=str(tmp_path / data), split={"by": "files"}, gather={})
    _, partitions, _ = prepared(tmp_path, fleet, "fine")
    assert [partition.name for partition in partitions] == ["a.csv", "b.csv"]
    (tmp_path / "raw" / "c.csv").symlink_to(secret)
    with pytest.raises(WorkloadError, match=r"c\.csv is a link that leads out of .*raw: put the file itself there"):
        prepared(tmp_path, fleet, "attacked")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_file_that_is_gathered_holds_a_formula(tmp_path, fleet, text):
    raw = io.StringIO()
    csv.writer(raw).writerows([["tenant", "sales"], [text, "1"], ["fine", "-2"]])
    fleet = fleet_from(tmp_path, raw=raw.getvalue(), split={"keys": ["tenant"]}, objectives={"accuracy": "maximize"})
    ledger, partitions, plan = prepared(tmp_path, fleet)
    outcome = {"state": "failed", "message": text, "metrics": {text: 1.0}}
    result = RESULT | {"batch": "b000000", "state": "failed", "outcomes": [outcome], "kind": text, "message": text}
    forge(ledger, "results/b000000.json", result | {"rows": [[0, {text: text, "number": -1.5}]], "host": text})
    gather(ledger, fleet, plan, partitions)
    for name in ("rows", "leaderboard", "batches"):
        content = ledger.store.get(ledger.path(f"gathered/{name}.csv")).decode()
        for row in csv.reader(io.StringIO(content, newline="")):
            for cell in row:
                assert not is_formula(cell), (name, cell)
    table = tmp_path / "table.csv"
    ledger.store.download(ledger.path("gathered/rows.csv"), table)
    (row,) = Table(table, table).rows()
    assert row == {"tenant": text, text: text, "number": "-1.5"}  # the evaluation has what was returned


def test_no_escape_reaches_the_terminal(run, fleet, capsys):
    ledger, _, plan = run
    hostile = " ".join(ESCAPES.values())
    outcome = {"state": "failed", "message": hostile}
    forge(ledger, "results/b000001.json", RESULT | {"state": "failed", "outcomes": [outcome], "message": hostile})
    ledger.record(Result(trial=FLEET_RUN, state=State.FAILED, message=hostile, ended=now()))
    for line in summary(ledger, plan):
        assert not HARMFUL.search(line), line
    for command in (["status"], ["results", "--csv"], ["results", "--json"]):
        main([*command, ledger.url])
        said = capsys.readouterr()
        assert not HARMFUL.search(said.out + said.err)


def test_a_line_of_a_log_that_never_ends_is_read_in_pieces():
    log = io.BytesIO(b"a" * 300_000 + b"\nend\n")
    pieces = list(_lines_of(log))
    assert max(map(len, pieces)) == 64 * 1024 and len(b"".join(pieces)) == 300_005
