"""What trials keep for people."""

import pytest

from tests.runs import make_run
from windtunnel.errors import WorkloadError
from windtunnel.ledger.artifacts import artifacts
from windtunnel_trainer.trial import Trial

HOSTILE = (
    "",
    ".",
    "..",
    "../other/result.json",
    "/etc/passwd",
    "a//b",
    "a/../../b",
    ".hidden",
    "a/.meta/b",
    "a\\..\\b",
    "a\nb",
    "a\0b",
    "x" * 201,
    "‮gnp.exe",
)


def names(bench, trial):
    return list(artifacts(bench.ledger, trial))


@pytest.fixture
def kept(bench):
    made = bench("tests.workloads.keeps", limits={"artifacts": 100})
    return made, Trial(made.ledger, made.definition, made.request())


def test_what_is_saved_and_what_lies_in_the_folder_is_kept(bench, each_store, tmp_path):
    made = bench("tests.workloads.keeps", store=each_store)
    result = made.train(log=tmp_path / "unit.log")
    there = artifacts(made.ledger, result.trial)
    assert list(there) == ["big.bin", "notes/said.txt", "plots/loss.csv"]
    assert made.ledger.store.get(there["notes/said.txt"].path) == f"{result.trial} to 2".encode()


def test_of_a_trial_that_fails_too(bench, tmp_path):
    made = bench("tests.workloads.keeps", {"fails": True})
    result = made.train(log=tmp_path / "unit.log")
    assert (result.state, "it fails" in result.message) == ("failed", True)
    assert "plots/loss.csv" in names(made, result.trial)


@pytest.mark.slow
def test_of_a_trial_whose_process_could_not_keep_it_too(each_store, tmp_path):
    fields = {"objectives": {"val_acc": "maximize"}, "settings": {"big": 500}}
    limits = {"trial_time": 5, "trial_retries": 0, "artifacts": 300}
    run = make_run(
        each_store,
        tmp_path / "trace",
        ["kill", "exit", "wait"],
        workload="tests.workloads.keeps",
        fields=fields,
        **limits,
    )
    run.finish()
    for do, kind in {"kill": "killed", "exit": "error", "wait": "timeout"}.items():
        result = run.result(do)
        assert (result.state, result.kind) == ("failed", kind)
        assert list(artifacts(run.ledger, result.trial)) == ["notes/said.txt", "plots/loss.csv"]
        assert "big.bin is not kept: " in result.log_tail


def test_a_folder_that_is_too_big_is_told_and_fails_nothing(bench, tmp_path, capfd):
    made = bench("tests.workloads.keeps", {"big": 500}, limits={"artifacts": 300})
    result = made.train(log=tmp_path / "unit.log")
    assert result.state == "completed"
    assert names(made, result.trial) == ["notes/said.txt", "plots/loss.csv"]
    told = capfd.readouterr().out
    assert "big.bin is not kept: " in told
    assert "limits.artifacts allows 300: save less, or raise it" in told


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_the_folder(kept, name):
    made, trial = kept
    with pytest.raises(WorkloadError, match="give a relative path"):
        trial.save(name, b"x")
    assert names(made, trial.id) == []


def test_files_figures_and_bytes_are_taken_and_nothing_else(kept, tmp_path):
    from matplotlib.figure import Figure

    made, trial = kept
    (tmp_path / "file.txt").write_text("a file")
    trial.save("bytes.bin", b"bytes")
    trial.save("bytes.bin", b"later")
    trial.save("file.txt", tmp_path / "file.txt")
    there = artifacts(made.ledger, trial.id)
    assert {name: made.ledger.store.get(entry.path) for name, entry in there.items()} == {
        "bytes.bin": b"later",
        "file.txt": b"a file",
    }
    with pytest.raises(WorkloadError, match="found dict; allowed: bytes, the path of a file"):
        trial.save("values.json", {"a": 1})
    with pytest.raises(WorkloadError, match="there is no file"):
        trial.save("gone.txt", tmp_path / "gone.txt")
    with pytest.raises(WorkloadError, match=r"Format 'docx' is not supported"):
        trial.save("picture.docx", Figure())
    with pytest.raises(WorkloadError, match=r"picture.svg.*limits.artifacts allows 100"):
        trial.save("picture.svg", Figure())


def test_what_an_earlier_start_kept_counts(kept):
    made, trial = kept
    trial.save("first.bin", b"x" * 60)
    again = Trial(made.ledger, made.definition, made.request())
    with pytest.raises(WorkloadError, match=r"would have 120 bytes together; limits\.artifacts allows 100"):
        again.save("second.bin", b"x" * 60)
    again.save("first.bin", b"x" * 100)
