"""What a process does with a mini-batch: Azure's contract and ours, in this process."""

import socket
import sys
import textwrap

import pytest

from tests.fleets import fleet_from, prepared
from windtunnel.errors import WorkloadError
from windtunnel.fleet.queue import Claimed
from windtunnel.fleet.records import batch_name, result_of
from windtunnel.workload.files import SCRIPT
from windtunnel_trainer.fleet.process import Process, Task
from windtunnel_trainer.fleet.returned import elements, metrics_of, placed
from windtunnel_trainer.fleet.worker import Worker, tell_wait


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """Makes a run and a worker for it, and does its mini-batches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["here"])
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(code, **fields):
        code = textwrap.dedent(code)
        if "workload" in fields and "script" not in fields:
            (tmp_path / f"{fields['workload']}.py").write_text(code)
        fleet = fleet_from(tmp_path, code=code, **fields)
        ledger, partitions, plan = prepared(tmp_path, fleet)
        made = Worker(ledger, fleet, partitions, tmp_path / "work", {"lane": "lane-1-0", "slot": 1})
        made.load(None if "workload" in fields else tmp_path / "code" / "entry.py")

        def do(number=0, *, attempt=1, last=True):
            said = made.do(number, list(plan.batches[number]), attempt, last)
            return said, result_of(ledger, batch_name(number))

        return ledger, do

    return make


def test_run_gets_paths_and_each_returned_element_is_a_success(worker):
    _, do = worker(
        "def run(mini_batch):\n    return [open(path).read().count('\\n') for path in mini_batch]", mini_batch_size=2
    )
    said, result = do()
    assert said["state"] == result.state == "completed"
    assert (result.items, result.succeeded, result.lane, result.slot) == (2, 2, "lane-1-0", 1)
    assert result.rows == ((0, {"value": 3}), (1, {"value": 3}))


def test_a_short_return_is_a_failure_of_what_lacks(worker):
    _, do = worker("def run(mini_batch):\n    return mini_batch[:1]", mini_batch_size=3)
    said, result = do(last=False)
    assert (said["kind"], result) == ("short", None)  # there is another try
    _, result = do(attempt=3)
    assert (result.kind, result.items, result.succeeded, result.failed, result.attempts) == ("short", 3, 1, 2, 3)
    assert result.message == "run() returned 1 of 3 elements; each missing one is a failed item"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no good')", "ValueError: no good (entry.py, line 2, in run)"),
        ("return None", "run() returned NoneType; allowed: a list with an element for each success, or a frame"),
        ("return 'text'", "run() returned str; allowed: a list with an element for each success, or a frame"),
        ("import sys; sys.exit(3)", "the workload called sys.exit(3) (entry.py, line 2, in run)"),
        ("raise __import__('asyncio').CancelledError", "asyncio.exceptions.CancelledError (entry.py, line 2, in run)"),
        (
            "return ['x' * 5_000_000]",
            "what was returned has 5000000 characters; allowed: 4194304 in all: write the rest to an output",
        ),
    ],
)
def test_an_error_fails_all_items_and_says_where(worker, body, message):
    _, do = worker(f"def run(mini_batch):\n    {body}")
    _, result = do()
    assert (result.kind, result.failed, result.message) == ("error", 1, message)
    assert result.outcomes[0].state == "failed"


def test_arguments_variables_and_outputs_reach_a_script(worker, tmp_path):
    ledger, do = worker(
        """
        import argparse, shutil
        parser = argparse.ArgumentParser()
        parser.add_argument("--param_1")
        parser.add_argument("--out")
        args, _ = parser.parse_known_args()
        def run(mini_batch):
            for path in mini_batch:
                shutil.copy(path, args.out)
            return [args.param_1 for _ in mini_batch]
        """,
        program_arguments="--param_1 'a b' --out ${{outputs.kept}}",
        gather={"outputs": {"kept": "", "named": str(tmp_path / "made" / "if missing")}},
    )
    _, result = do()
    assert result.rows == ((0, {"value": "a b"}),)
    assert ledger.store.get(ledger.path("outputs/kept/tenant_1.csv")).startswith(b"tenant,region")
    assert result.outcomes[0].files == ("outputs/kept/tenant_1.csv",)


def test_a_script_has_azures_logger_at_the_level_of_its_definition(worker, monkeypatch, capsys):
    for name in ("azureml_user", "azureml_user.parallel_run"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    _, do = worker(
        """
        from azureml_user.parallel_run import EntryScript
        def run(mini_batch):
            logger = EntryScript().logger
            logger.info("too much")
            logger.warning("%d files", len(mini_batch))
            return mini_batch
        """,
        logging_level="WARNING",
    )
    _, result = do()
    assert result.state == "completed"
    assert capsys.readouterr().out == "WARNING 1 files\n"


def test_a_named_output_location_is_made_if_missing(worker, tmp_path):
    place = tmp_path / "made" / "here"
    code = (
        "import sys, shutil\ndef run(mini_batch):\n    return [shutil.copy(path, sys.argv[1]) for path in mini_batch]"
    )
    _, do = worker(code, program_arguments="${{outputs.named}}", gather={"outputs": {"named": str(place)}})
    do()
    assert [file.name for file in place.glob("*.csv")] == ["tenant_1.csv"]


def test_an_entry_without_functions_is_an_error(worker):
    with pytest.raises(WorkloadError, match=r"neither train\(partition\) nor Azure's run\(mini_batch\)"):
        worker("x = 1")


def test_train_reports_saves_and_returns_rows(worker):
    ledger, do = worker(
        """
        def train(partition):
            text = partition.files[0].read_text()
            partition.save("note.txt", partition.keys["tenant"])
            partition.report(size=len(text), depth=partition.settings["depth"])
            return {"length": len(text)}
        """,
        workload="toy_train",
        settings={"depth": 3},
    )
    _, result = do()
    (outcome,) = result.outcomes
    assert outcome.metrics == {"size": 42, "depth": 3}
    assert outcome.files == ("note.txt",)
    assert result.rows == ((0, {"length": 42}),)
    assert ledger.store.get(ledger.path("trials/p000000/note.txt")) == b"1"


def test_each_partition_of_ours_has_an_outcome_of_its_own(worker):
    _, do = worker(
        """
        def train(partition):
            if partition.keys["tenant"] == "2":
                partition.report(loss=float("nan"))
            partition.report(loss=1)
            return [1, 2]
        """,
        workload="toy_half",
        mini_batch_size=3,
    )
    _, result = do()
    assert [outcome.state for outcome in result.outcomes] == ["completed", "failed", "completed"]
    assert (result.items, result.succeeded, result.kind) == (3, 2, "error")
    assert result.message == "tenant_2.csv: nan: loss is nan"
    assert [place for place, _ in result.rows] == [0, 0, 2, 2]


def test_a_partitions_model_is_exported_and_verified(worker):
    ledger, do = worker(
        """
        import numpy as np, torch
        def train(partition):
            partition.export_onnx(torch.nn.Linear(2, 1), torch.zeros(1, 2))
        def verify(verification):
            model = torch.nn.Linear(2, 1)
            verification.restore(model=model)
            x = np.ones((4, 2), np.float32)
            with torch.inference_mode():
                verification.compare(model(torch.from_numpy(x)).numpy(), verification.run_onnx(x))
        """,
        workload="toy_onnx",
    )
    _, result = do()
    (outcome,) = result.outcomes
    assert (outcome.verified, outcome.files) == (True, ("model.onnx",)), outcome.message
    assert outcome.metrics["max_logit_diff"] < 1e-3
    assert ledger.store.stat(ledger.path("trials/p000000/model.onnx")).size


def test_a_script_is_run_for_each_partition_with_its_keys_and_its_file(worker, tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "fit.py").write_text(
        """import sys
from pathlib import Path
rows = Path(sys.argv[1]).read_text().splitlines()
print(sys.argv[2:])
print(f"accuracy: {len(rows) / 10}")
Path("output/model.txt").write_text(sys.argv[2])
"""
    )
    script = {
        "folder": str(tmp_path / "scripts"),
        "file": "fit.py",
        "arguments": "{data} {flags}",
        "keep": ["output/*"],
    }
    ledger, do = worker("", workload=SCRIPT, script=script, objectives={"accuracy": "maximize"}, settings={"depth": 2})
    _, result = do()
    (outcome,) = result.outcomes
    assert (outcome.metrics, outcome.message) == ({"accuracy": 0.3}, "")
    assert ledger.store.get(ledger.path("trials/p000000/output_model.txt")) == b"--depth=2"


def test_a_script_that_fails_says_how(worker, tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "fit.py").write_text("raise SystemExit(3)")
    _, do = worker("", workload=SCRIPT, script={"folder": str(tmp_path / "scripts"), "file": "fit.py"})
    _, result = do()
    assert "fit.py ended with exit code 3" in result.message


def test_a_frame_needs_pandas_and_says_so(worker):
    _, do = worker("def run(mini_batch):\n    return mini_batch", mini_batch_type="frame")
    try:
        import pandas
    except ImportError:
        _, result = do()
        assert "a frame needs pandas: install it" in result.message
    else:
        assert pandas
        _, result = do()
        assert (result.items, result.rows[0]) == (2, (0, {"tenant": 1, "region": "north", "sales": 10}))


class Frame:
    """As pandas has it."""

    columns = ("a",)

    def to_dict(self, how):
        return [{"a": 1}, {"a": float("nan")}]


@pytest.mark.parametrize(
    ("returned", "row"),
    [
        ("{'score': 10**400}", {"score": 10**400}),
        ("{'text': 'a\\udc80b', 'k\\udc80': 1}", {"text": "a\\udc80b", "k\\udc80": 1}),
        ("{'when': __import__('datetime').date(2026, 1, 2), 'z': 1j}", {"when": "2026-01-02", "z": "1j"}),
        ("{'f': print, 'n': {}}", {"f": "<built-in function print>", "n": "{}"}),
    ],
)
def test_whatever_is_returned_is_recorded(worker, returned, row):
    _, do = worker(f"def run(mini_batch):\n    return [{returned}]")
    _, result = do()
    assert (result.state, result.rows[0][1]) == ("completed", row)


def test_what_is_returned_becomes_rows_of_plain_values():
    import numpy as np

    assert elements(Frame()) == [{"a": 1}, {"a": None}]
    assert elements([np.float32(1.5), {"b": np.int64(2), "c": [1]}, None]) == [
        {"value": 1.5},
        {"b": 2, "c": "[1]"},
        {"value": None},
    ]
    assert placed([{"a": 1}], [4, 4]) == [(4, {"a": 1})]
    assert placed([{"a": 1}, {"a": 2}], [4, 5]) == [(4, {"a": 1}), (5, {"a": 2})]
    assert placed([{"a": 1}], [4, 5]) == [(-1, {"a": 1})]
    assert metrics_of([{"score": 2, "name": "x"}]) == {"score": 2.0}
    assert metrics_of([{"score": 2}, {"score": 3}]) == {}


def test_no_time_out_counts_while_a_process_waits_for_a_store_that_takes_no_writes(monkeypatch):
    here, there = socket.socketpair()
    process = Process(1, 0, here, task=Task(Claimed(0, 0), began=-1000.0))
    tell_wait(there, "waiting: the disk is full")
    assert list(process.heard()) == [] and process.waits
    tell_wait(there, "it takes writes again")
    assert list(process.heard()) == [] and not process.waits
    assert process.task.began > -1000.0
