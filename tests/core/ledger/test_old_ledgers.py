"""A run of version 0.1.0 is read in every door, and is not mixed with what this version trains."""

import csv
import io
import json

import pytest

from tests.definitions import definition_from
from tests.ledgers import unpack
from windtunnel.cli import main
from windtunnel.definition import recorded_definition
from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger
from windtunnel.report import collect, write_report
from windtunnel.report.payloads import Curves, compare, curves, importance, lanes, overview, trial, trials
from windtunnel.stages import begin, start
from windtunnel.stores.local import LocalStore

BEST = "9d34db5d3c9abdf1-e2"


@pytest.fixture
def old(tmp_path):
    return unpack("0.1.0", LocalStore(tmp_path))


def definition(old, **more):
    """The search as this version has it: the built-in workload's name is another one, and so is its code."""
    fields = recorded_definition(old).model_dump(mode="json", exclude={"pod_template", "store", "schedule"})
    return definition_from(fields | {"workload": "windtunnel_trainer.workloads.cnn"} | more)


def etags(old):
    return {entry.path: entry.etag for entry in old.store.list(old.path(""))}


def test_its_status_is_shown(old, capsys):
    assert main(["status", old.url]) == 0
    _, counts, *rows = capsys.readouterr().out.splitlines()
    assert "7 trials: 7 completed · iteration 2 · front 5" in counts
    assert "2 of 2 finalists verified · finished" in counts
    assert len(rows) == 1 + 7 + 2


def test_its_results_are_printed(old, capsys):
    assert main(["results", "--json", old.url]) == 0
    rows = {row["trial"]: row for row in json.loads(capsys.readouterr().out)["trials"]}
    assert rows[BEST]["objectives"] == {"val_acc": 0.5296167247386759, "flops": 313664.0}
    assert rows[BEST]["verdict"] == "verified"
    assert main(["results", "--csv", old.url]) == 0
    assert {row["trial"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))} == rows.keys()


def test_its_files_are_fetched(old, tmp_path, capsys):
    model = f"trials/{BEST}/model.onnx"
    old.store.put(old.path(model), b"model")
    assert main(["fetch", old.url, "--to", str(tmp_path / "to")]) == 0
    assert json.loads((tmp_path / "to" / "models.json").read_text())["models"][0]["trial"] == BEST
    assert (tmp_path / "to" / model).read_bytes() == b"model"


def test_its_pages_and_its_report_are_made(old):
    snapshot = collect(old)
    made = [
        overview(snapshot),
        trials(snapshot),
        curves(snapshot, Curves(old)),
        importance(snapshot),
        lanes(snapshot),
        trial(snapshot, old, snapshot.find(BEST)),
        compare(snapshot, snapshot),
    ]
    assert BEST in json.dumps(made, allow_nan=False)
    assert snapshot.definition["limits"]["quorum"] == 0.9
    write_report(old)
    assert BEST.encode() in old.store.get(old.path("report.html"))


def test_it_is_not_extended_and_says_why(old):
    message = (
        f"{old.url} was made by Windtunnel 0.1.0, whose ids are made otherwise, so none of its trials counts: "
        r"begin a new run \(`make run` with --fresh\), or retrain its trials \(from_run\)"
    )
    before = etags(old)
    with pytest.raises(LedgerError, match=f"^{message}$"):
        begin(definition(old), old, "later")
    assert etags(old) == before
    assert old.writer().session == "manual__2026-11-28T09:19:38.867494+00:00"


def test_as_a_warm_start_it_gives_nothing_and_says_why(old):
    ledger = Ledger(old.store, "digits_small", "new")
    before = etags(old)
    search = begin(definition(old, warm_start=[old.url]), ledger, "s1")
    ledger.write_json("data/manifest.json", old.manifest())
    plan = start(search)
    assert plan.requests == []
    assert plan.note == (
        f"0 of 7 trials taken from {old.url}; it was made by Windtunnel 0.1.0, whose ids are made otherwise: "
        "retrain its trials instead (from_run)"
    )
    assert etags(old) == before
