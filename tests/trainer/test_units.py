import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

import numpy as np
import pytest
import torch

from tests.conformance.workloads import WorkloadConformance
from tests.trainer.conftest import CONFIG
from windtunnel.errors import WorkloadError
from windtunnel.host.machine import now
from windtunnel.ledger import State
from windtunnel.ledger.ids import trial_id
from windtunnel.ledger.stage import StageKind
from windtunnel.stopping.rules import Judgement
from windtunnel_trainer import units
from windtunnel_trainer.failure import why_failed
from windtunnel_trainer.reports import NotFiniteError
from windtunnel_trainer.trial import Trial


class TestWorkloadThatDrawsNumbers(WorkloadConformance):
    """Training draws from every generator, and so does evaluation."""

    workload = "tests.workloads.scripted"
    params: ClassVar = {"a": 1}
    space: ClassVar = {"a": [1, 2]}


def test_a_completed_trial_says_everything(bench):
    made = bench(objectives={"val_acc": "maximize", "flops": "minimize"})
    result = made.train(2, known={"flops": 7.0}, parents=["beef"])
    assert (result.state, result.kind, result.message) == (State.COMPLETED, "", "")
    assert result.objectives == {"val_acc": 0.5, "flops": 7.0}
    assert result.metrics.keys() == {"val_acc", "loss", "flops"}
    model = made.ledger.store.stat(made.ledger.trial_path(result.trial, "model.onnx"))
    content = made.ledger.store.get(model.path)
    assert json.loads(model.metadata["sha256"]) == hashlib.sha256(content).hexdigest()
    assert made.ledger.onnx_digest(result.trial) == hashlib.sha256(content).hexdigest()
    assert (result.epoch, result.attempts) == (2, 1)
    assert result.started and result.ended >= result.started and result.seconds > 0
    assert made.files() == {"checkpoint.pt", "metrics.jsonl", "model.onnx", "request.json", "weights.pt"}


def test_a_workload_may_change_what_it_is_given(bench):
    made = bench("tests.workloads.careless", {"given": []}, data={"given": []}, objectives={"score": "maximize"})
    request = made.ledger.begin_trial(made.request(1.0).model_copy(update={"params": {"widths": [8]}}))
    for _ in range(2):
        trained = units.train(made.ledger, made.definition, request)
        assert (trained.objectives, trained.metrics) == ({"score": 2.0}, {"score": 2.0, "given": 1.0})
        units.verify(made.ledger, made.definition, request)
    assert (made.definition.settings, made.definition.data) == ({"given": []}, {"given": []})
    assert request.params == {"widths": [8]}


@pytest.mark.parametrize("name", ["epoch", "seconds"])
def test_what_the_trainer_reports_itself_is_no_metric(bench, name):
    made = bench()
    trial = Trial(made.ledger, made.definition, made.request())
    epoch = next(trial.epochs(1))
    list(epoch.batches(1, 1))
    with pytest.raises(WorkloadError, match=rf"report\({name}=…\): {name} is the trainer's own"):
        trial.report(val_acc=1.0, **{name: 3})


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, 1.0), (Decimal("0.5"), 0.5), (np.float32(0.5), 0.5), (np.int64(3), 3.0), (torch.tensor(2.0), 2.0)],
)
def test_numbers_of_any_kind_are_reported(bench, value, shown):
    made = bench()
    trial = Trial(made.ledger, made.definition, made.request())
    trial.report(val_acc=value)
    assert trial.reports[-1].metrics == {"val_acc": shown}


@pytest.mark.parametrize("value", [(0.5,), {0.5}, [0.5, 0.6], None, 1j, "high"])
def test_what_is_no_number_is_told(bench, value):
    made = bench()
    with pytest.raises(WorkloadError, match=r"report\(val_acc=…\): .* is no number"):
        Trial(made.ledger, made.definition, made.request()).report(val_acc=value)


def test_an_integer_beyond_all_floats_is_not_finite(bench):
    made = bench()
    with pytest.raises(NotFiniteError):
        Trial(made.ledger, made.definition, made.request()).report(val_acc=10**400)


def test_a_trial_that_fails_keeps_what_it_had_reported(bench):
    made = bench(settings={"do": "raise_late"})
    result = made.train(3)
    assert (result.state, result.objectives, result.epoch) == (State.FAILED, {}, 2.0)
    assert result.metrics["val_acc"] == 0.5 and result.metrics["loss"] > 0
    assert result.metrics.keys() == {"val_acc", "loss"}


@pytest.mark.parametrize(("at", "value", "epoch"), [("last", 0.7, 3.0), ("best", 0.9, 1.0)])
def test_a_metric_that_comes_with_some_epochs_only_counts(bench, at, value, epoch):
    made = bench(settings={"do": "sometimes", "val_acc": [0.9, 0.7, 0.6], "export": False}, objective_at=at)
    result = made.train(3)
    assert (result.state, result.objectives, result.epoch) == (State.COMPLETED, {"val_acc": value}, epoch)


def test_a_unit_with_a_result_is_left_alone(bench):
    made = bench()
    first = made.train(1)
    assert made.train(1) == first
    assert len(made.ledger.attempts(first.trial)) == 2


@pytest.mark.parametrize(
    ("do", "kind", "message"),
    [
        ("raise", "error", "ValueError: deliberately wrong (scripted.py, line "),
        ("exit", "error", "sys.exit(3)"),
        ("memory", "out_of_memory", "allocate"),
        ("without_accuracy", "no_metrics", "the objective is 'val_acc': train() must give it to trial.report()"),
        ("text", "error", 'report(val_acc=…): "high" is no number'),
        ("read_test_data", "error", "train() must not see the test data"),
    ],
)
def test_failures_are_results(bench, tmp_path, capfd, do, kind, message):
    result = bench(settings={"do": do}).train(1)
    assert (result.state, result.kind) == (State.FAILED, kind)
    assert message in result.message
    assert result.objectives == {}
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that …"), True),
        (RuntimeError("unable to write to file </torch_1_2_3>: No space left on device (28)"), True),
        (OSError(28, "No space left on device", "/dev/shm/abc"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (KeyError("/dev/shm"), False),
    ],
)
def test_an_error_for_want_of_shared_memory_names_it_and_what_to_do(error, meant):
    _, message = why_failed(error)
    assert ("give it more" in message) == meant


def test_no_metrics_lists_what_came(bench):
    result = bench(settings={"do": "without_accuracy"}).train(1)
    assert "trials report loss" in result.message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_an_objective_that_is_not_finite_is_a_failure(bench, value):
    made = bench()
    definition = made.definition.model_copy(update={"settings": {"val_acc": [0.5, value, 0.6]}})
    request = made.ledger.begin_trial(made.request(3))
    with pytest.raises(NotFiniteError, match="val_acc is not finite at epoch 2"):
        units.train(made.ledger, definition, request)
    lines = made.ledger.store.get(made.ledger.trial_path(request.trial, "metrics.jsonl")).decode().splitlines()
    assert [json.loads(line)["val_acc"] for line in lines] == [0.5, None]


def test_nan_is_a_result_of_its_own_kind(bench):
    result = bench(workload="tests.workloads.without_torch", settings={"value": "nan"}).train(1)
    assert (result.state, result.kind) == (State.FAILED, "nan")


def test_another_value_may_be_no_number(bench):
    made = bench(workload="tests.workloads.without_torch", settings={"value": "1", "aside": "nan"})
    result = made.train(1)
    assert result.state is State.COMPLETED
    assert result.metrics == {"val_acc": 1.0, "aside": None}


def test_a_workload_may_do_without_torch_and_without_epochs(bench):
    result = bench(workload="tests.workloads.without_torch", settings={"value": "0.25"}).train(3)
    assert (result.objectives, result.epoch) == ({"val_acc": 0.25}, 1)


def test_the_end_of_the_log_goes_into_a_failure(bench, tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("x" * 5000 + "the end\n")
    result = bench(settings={"do": "raise"}).train(1, log=log)
    assert len(result.log_tail) == units.LOG_TAIL
    assert result.log_tail.endswith("the end\n")


def test_best_is_the_first_objectives_best_whole_epoch_or_the_end(bench):
    def outcome(values, epochs, direction):
        made = bench(settings={"val_acc": values}, objectives={"val_acc": direction}, objective_at="best")
        result = made.train(epochs)
        return result.objectives["val_acc"], result.epoch

    assert outcome([0.5, 0.9, 0.7], 3, "maximize") == (0.9, 2)
    assert outcome([0.5, 0.9, 0.7], 3, "minimize") == (0.5, 1)
    assert outcome([0.9, 0.9], 2, "maximize") == (0.9, 1)
    assert outcome([0.5, 0.6, 0.9], 2.5, "maximize") == (0.9, 2.5)


def test_the_best_weights_are_exported(bench):
    import torch

    def weights(made, name, epochs):
        return torch.load(made.ledger.store.local_file(made.ledger.trial_path(trial_id(CONFIG, epochs), name)))

    best = bench(settings={"val_acc": [0.5, 0.9, 0.7]}, objective_at="best")
    best.train(3)
    until_then = bench(settings={"val_acc": [0.5, 0.9, 0.7]})
    until_then.train(2)
    until_then.train(3)
    assert torch.equal(weights(best, "weights.pt", 3)["weight"], weights(until_then, "weights.pt", 2)["weight"])
    assert not torch.equal(weights(best, "weights.pt", 3)["weight"], weights(until_then, "weights.pt", 3)["weight"])
    assert best.verify(3).state is State.COMPLETED


def test_export_leaves_the_model_in_evaluation_mode(bench):
    import torch

    made = bench()
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout())
    Trial(made.ledger, made.definition, made.request()).export_onnx(model, torch.zeros(1, 4))
    assert not model.training


@pytest.mark.parametrize(("devices", "gpus"), [(None, 0), ("", 0), ("3", 1), ("0,1", 2)])
def test_a_result_says_how_many_gpus_it_held(bench, monkeypatch, devices, gpus):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if devices is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)
    made = bench()
    trial = made.train(1).trial
    assert made.ledger.outcomes()[trial].gpus == gpus


def test_a_trial_may_be_stopped(bench):
    made = bench()
    request = made.ledger.begin_trial(made.request(4))
    hopeless = Judgement("median", 2, stop=True, reason="no hope")
    found = units.train(made.ledger, made.definition, request, lambda reports: hopeless if len(reports) > 1 else None)
    assert (found.state, found.kind, found.message, found.epoch) == (State.STOPPED, "median", "no hope", 2)
    assert found.objectives == {"val_acc": 0.5}


def test_measured_constraints_give_a_violation(bench):
    made = bench(settings={"val_acc": [0.5]}, constraints={"val_acc": {"min": 0.8}, "loss": {"max": 1e-9}})
    result = made.train(1)
    assert result.state is State.COMPLETED
    assert result.violation == pytest.approx((0.8 - 0.5) / 0.8 + (result.metrics["loss"] - 1e-9) / 1e-9)
    assert bench(constraints={"val_acc": {"min": 0.5, "max": 0.5}}).train(1).violation == 0


def test_a_constrained_value_must_be_reported(bench):
    result = bench(constraints={"memory": {"max": 1}}).train(1)
    assert (result.kind, "memory never came" in result.message) == ("no_metrics", True)


def test_a_value_that_train_returns_instead_of_reporting_it_is_named(bench, monkeypatch):
    made = bench()
    workload = units.preload(made.definition, StageKind.SEARCH)
    monkeypatch.setattr(units, "preload", lambda *_: replace(workload, train=lambda trial: 0.9))
    result = made.train(1)
    assert result.kind == "no_metrics"
    assert "trials report nothing (that train() returned 0.9 tells nothing)" in result.message


def test_latency_is_measured_where_it_is_asked_for(bench):
    result = bench(objectives={"val_acc": "maximize", "latency_ms": "minimize"}).train(1)
    assert 0 < result.objectives["latency_ms"] < 1000
    assert result.metrics["latency_ms_spread"] >= 0
    assert "latency_ms" not in bench().train(1).metrics


def test_latency_needs_an_exported_model(bench):
    made = bench(settings={"export": False}, objectives={"val_acc": "maximize", "latency_ms": "minimize"})
    result = made.train(1)
    assert (result.kind, "export_onnx" in result.message) == ("no_metrics", True)


def test_data_is_prepared_once_and_again_when_it_is_not_whole(bench):
    made = bench()
    path = made.ledger.path("data/train.npz")
    before = made.ledger.store.stat(path).etag
    first = made.ledger.manifest()
    units.prepare(made.ledger, made.definition)
    assert made.ledger.store.stat(path).etag == before
    made.ledger.store.put(path, b"torn")
    units.prepare(made.ledger, made.definition)
    assert made.ledger.manifest() == first
    made.ledger.store.delete(path)
    found = units.prepare(made.ledger, made.definition)
    assert made.ledger.manifest() == first
    assert found.metrics == {"train_examples": 40, "validation_examples": 20, "test_examples": 30}


def test_verification_covers_the_whole_test_set(bench):
    made = bench()
    made.train(1)
    result = made.verify(1)
    assert result.state is State.COMPLETED
    assert result.metrics["examples"] == 30
    assert result.metrics["test_acc"] == result.metrics["onnx_acc"]
    assert 0 <= result.metrics["max_logit_diff"] < 1e-5


def test_a_difference_fails_the_model_loudly(bench):
    made = bench(verification={"tolerance": 1e-12})
    made.train(2)
    made.train(1)
    other = made.ledger.store.get(made.ledger.trial_path(trial_id(CONFIG, 1), "model.onnx"))
    made.ledger.store.put(made.ledger.trial_path(trial_id(CONFIG, 2), "model.onnx"), other)
    result = made.verify(2)
    assert (result.state, result.kind) == (State.FAILED, "verification")
    assert "ONNX and the model differ by" in result.message and "must not be used" in result.message


@pytest.mark.parametrize("content", [b"", b"no onnx at all", None])
def test_a_model_that_is_broken_or_missing_fails(bench, content):
    made = bench()
    made.train(1)
    path = made.ledger.trial_path(trial_id(CONFIG, 1), "model.onnx")
    if content is None:
        made.ledger.store.delete(path)
    else:
        made.ledger.store.put(path, content)
    result = made.verify(1)
    assert (result.state, result.kind) == (State.FAILED, "verification")
    assert "model.onnx" in result.message


def test_a_verification_that_compares_nothing_fails(bench):
    made = bench(settings={"compare": False})
    made.train(1)
    result = made.verify(1)
    assert (result.kind, "compared nothing" in result.message) == ("verification", True)


def test_continuing_from_another_ledger(bench, tmp_path):
    source = bench()
    made = bench(warm_start=[source.ledger.url])
    source.train(1)
    result = made.train(3, continue_from=trial_id(CONFIG, 1), source=source.ledger.url)
    whole = bench().train(3)
    assert result.metrics == whole.metrics


def test_a_lost_source_means_training_from_the_beginning(bench, capfd):
    result = bench().train(3, continue_from=trial_id(CONFIG, 1))
    assert result.metrics == bench().train(3).metrics
    assert "left no checkpoint" in capfd.readouterr().out


def test_another_configurations_checkpoint_is_refused(bench):
    result = bench().train(3, continue_from=trial_id("f" * 16, 1))
    assert (result.kind, f"a trial of configuration {CONFIG}" in result.message) == ("refused", True)


def test_a_checkpoint_of_a_run_that_the_search_does_not_name_is_refused(bench):
    result = bench().train(3, continue_from=trial_id(CONFIG, 1), source="/other/store/search/run")
    assert (result.kind, "source: found '/other/store/search/run'" in result.message) == ("refused", True)


def test_the_unit_of_a_run_uses_the_runs_definition(bench):
    made = bench(settings={"val_acc": [0.75]})
    assert units.definition_of(made.ledger) == made.definition
    assert Trial(made.ledger, made.definition, made.request()).settings == {"val_acc": [0.75]}
    assert made.ledger.job("job-prepare").kind is StageKind.PREPARE


@pytest.mark.parametrize("adopts", [True, False])
def test_a_checkpoint_of_an_earlier_run_is_gone_on_from(bench, capfd, adopts):
    first, made = bench(), bench()
    first.train(2)
    request = made.ledger.begin_trial(made.request(2))
    checkpoint = first.ledger.store.get(first.ledger.trial_path(request.trial, "checkpoint.pt"))
    made.ledger.store.put(made.ledger.trial_path(request.trial, "checkpoint.pt"), checkpoint)
    attempt = made.ledger.begin_first_attempt(request.trial, "1", "here", now())
    units.run(made.ledger, made.job(request.trial, "1"), request.trial, attempt, adopts=adopts)
    assert made.ledger.result(request.trial).state is State.COMPLETED
    assert ("going on from" in capfd.readouterr().out) == adopts
