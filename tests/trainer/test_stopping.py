"""Rules inside a trial: from the peers' curves in the ledger to the stopped trial's result, checkpoint and model."""

import json
from dataclasses import replace

import pytest

from windtunnel.errors import NotFoundError
from windtunnel.host.machine import now
from windtunnel.ledger import State
from windtunnel.ledger.curves import curve_metadata, read_curves
from windtunnel_trainer import checkpoints, units
from windtunnel_trainer.stopping import TrialStopped
from windtunnel_trainer.trial import Trial

BANDIT = {"bandit": {"slack_amount": 0.1, "delay_evaluation": 2}}
LOW = {"val_acc": [0.3, 0.4, 0.5, 0.6]}


@pytest.fixture
def low(bench):
    """A run of a bandit with a trial that reaches 0.3, 0.4, …"""

    def make(**more):
        fields = {"early_stopping": BANDIT, "settings": LOW} | more
        return bench(**fields)

    return make


def peer(made, number, *values, metadata=True):
    """Another configuration's curve."""
    points = [{"epoch": float(epoch), "val_acc": value} for epoch, value in enumerate(values, 1)]
    lines = [json.dumps(point) for point in points]
    path = made.ledger.trial_path(f"{number:016x}-e4", "metrics.jsonl")
    known = curve_metadata(lines[-1], values) if metadata else None
    made.ledger.store.put(path, "\n".join(lines).encode(), known)


def decisions(made, epochs=4):
    path = made.ledger.trial_path(made.request(epochs).trial, "decisions.json")
    return json.loads(made.ledger.store.get(path))


def test_a_trial_far_from_the_best_is_stopped_with_its_values_and_a_model(low):
    made = low()
    peer(made, 1, 0.2, 0.51, 0.9)
    result = made.train(4)
    assert (result.state, result.kind, result.epoch) == (State.STOPPED, "bandit", 2)
    assert result.message == "0.4 is below 0.41, the slack from 0.51, the best so far of 2 trials at interval 2"
    assert result.objectives == {"val_acc": 0.4}
    assert made.ledger.outcomes()[result.trial].feasible
    assert {"model.onnx", "checkpoint.pt", "decisions.json", "metrics.jsonl"} <= made.files(4)


def test_the_exported_model_is_that_of_the_epoch_where_it_stopped(low):
    made, whole = low(), low(early_stopping={})
    peer(made, 1, 0.9, 0.9)
    made.train(4)
    whole.train(2)
    pairs = [(made, made.request(4).trial), (whole, whole.request(2).trial)]
    one, other = (run.ledger.store.get(run.ledger.trial_path(trial, "model.onnx")) for run, trial in pairs)
    assert one == other


def test_a_trial_near_the_best_goes_on_and_every_decision_is_recorded(low):
    made = low()
    peer(made, 1, 0.2, 0.49, 0.55, 0.1)
    assert made.train(4).state is State.COMPLETED
    told = [(one["rule"], one["interval"], one["stop"]) for one in decisions(made)]
    assert told == [("bandit", 2, False), ("bandit", 3, False)]  # nothing is to be saved at the last epoch
    assert all("no worse than" in one["reason"] for one in decisions(made))


def test_a_stopped_trial_can_be_gone_on_with_bit_for_bit(low):
    import torch

    made, whole = low(), low(early_stopping={})
    peer(made, 1, 0.9, 0.9)
    stopped = made.train(3)
    request = made.ledger.begin_trial(
        made.request(4, continue_from=stopped.trial).model_copy(update={"stage": "full-1"})
    )
    assert made.run_stage(request.trial, "full-1").state is State.COMPLETED
    whole.train(4)
    loaded = [checkpoints.load(run.ledger, run.request(4).trial, run.request(4).config) for run in (made, whole)]
    first, second = (found[1]["model"] for found in loaded)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_finalists_are_trained_to_the_end(low):
    made = low()
    peer(made, 1, 0.9, 0.9)
    request = made.ledger.begin_trial(made.request(4).model_copy(update={"stage": "full-1"}))
    assert made.run_stage(request.trial, "full-1").state is State.COMPLETED


def test_a_decision_stands_whatever_peers_report_later(low):
    made = low()
    peer(made, 1, 0.2, 0.4)
    request = made.ledger.begin_trial(made.request(4))
    with pytest.raises(RuntimeError, match="cut off"):
        cut_off(made, request, rules(made, request), cut_off_after(2))
    peer(made, 1, 0.9, 0.9)  # would stop it now
    peer(made, 2, 0.9, 0.9)
    found = made.train(4)
    assert (found.state, found.epoch) == (State.COMPLETED, 4)
    assert [one["stop"] for one in decisions(made)] == [False, False]


def test_a_trial_killed_after_its_stop_was_decided_is_stopped_there_again(low):
    made = low()
    peer(made, 1, 0.9, 0.9)
    request = made.ledger.begin_trial(made.request(4))
    cut_off(made, request, rules(made, request))
    made.ledger.store.delete(made.ledger.trial_path(request.trial, "checkpoint.pt"))
    peer(made, 1, 0.1, 0.1)
    found = made.train(4)
    assert (found.state, found.epoch, found.kind) == (State.STOPPED, 2, "bandit")


def test_one_listing_a_decision(low, monkeypatch):
    made = low(early_stopping={"median": {}})
    for number in range(1, 6):
        peer(made, number, 0.1, 0.1, 0.1, 0.1)
    calls = []
    store = made.ledger.store
    for name in ("list", "get"):
        original = getattr(type(store), name)
        monkeypatch.setattr(
            type(store), name, lambda self, path="", n=name, o=original: calls.append((n, path)) or o(self, path)
        )
    request = made.ledger.begin_trial(made.request(4))
    stopper = rules(made, request)
    trial = Trial(made.ledger, made.definition, request)
    calls.clear()
    for epoch in (1, 2, 3):
        trial._progress.reports.append(report(epoch))
        assert stopper(trial.reports) is None
    assert [name for name, _ in calls] == ["list"] * 3


def test_curves_without_metadata_or_too_long_for_it_are_read_from_the_file(low):
    made = low()
    long = [0.123456789 + step / 10000 for step in range(2000)]
    peer(made, 1, *long)
    peer(made, 2, 0.5, 0.6, metadata=False)
    curves = read_curves(made.ledger, "val_acc")
    assert curves[f"{1:016x}-e4"] == [float(f"{value:.7g}") for value in long]
    assert curves[f"{2:016x}-e4"] == [0.5, 0.6]


def test_trials_of_one_configuration_are_one_peer(low):
    """Its own lower rung is no peer, and of another's rungs the one that came furthest counts."""
    made = low(early_stopping={"truncation": {"truncation_percentage": 50}})
    made.train(1)
    for epochs in ("e1", "e4"):
        path = made.ledger.trial_path(f"{1:016x}-{epochs}", "metrics.jsonl")
        values = [0.1, 0.1, 0.1][: 1 if epochs == "e1" else 3]
        made.ledger.store.put(path, b"", curve_metadata("null", values))
    made.train(4, continue_from=made.request(1).trial)
    assert "of 2 trials" in decisions(made)[0]["reason"]


def test_a_missing_model_is_explained(low):
    made = low(settings={**LOW, "export": False})
    peer(made, 1, 0.9, 0.9)
    assert made.train(4).message.endswith("; no model: train() exports none")


def test_a_workload_that_lets_nothing_pass_is_stopped_all_the_same(low):
    made = low(settings={**LOW, "do": "swallow"})
    peer(made, 1, 0.9, 0.9)
    result = made.train(4)
    assert (result.state, result.epoch, "no model" in result.message) == (State.STOPPED, 2, False)


def test_a_metric_that_never_comes_is_one_clear_error(low):
    made = low(
        objectives={"val_acc": "maximize", "size": "minimize"},
        early_stopping={"metric": "size", "median": {}},
    )
    result = made.train(2, known={"size": 1.0})
    assert (result.state, result.kind) == (State.FAILED, "no_metrics")
    assert "early_stopping.metric" in result.message


def test_nothing_is_asked_within_an_epoch_or_at_the_end(low):
    asked = []
    made = low(early_stopping={})
    request = made.ledger.begin_trial(made.request(2.4))
    units.train(made.ledger, made.definition, request, lambda reports: asked.append(reports[-1].epoch))
    assert asked == [1, 2]


def test_nothing_is_asked_before_the_metric_was_reported(low):
    made = low(early_stopping={"median": {}})
    request = made.ledger.begin_trial(made.request(4))
    other = replace(report(1), metrics={"loss": 1.0})
    assert rules(made, request)([other]) is None
    with pytest.raises(NotFoundError):
        decisions(made)


def test_a_stop_is_raised_in_the_workload(low):
    from windtunnel.stopping.rules import Judgement

    made = low()
    trial = Trial(made.ledger, made.definition, made.request(3), stop=lambda _: Judgement("median", 1, True, "why"))
    for epoch in trial.epochs(1):
        for _ in epoch.batches(1, 1):
            pass
        with pytest.raises(TrialStopped, match="why"):
            trial.report(val_acc=0.5)
        break


def report(epoch):
    from windtunnel_trainer.checkpoints import Report

    return Report(epoch=float(epoch), seconds=1.0, metrics={"val_acc": 0.5})


def rules(made, request):
    return units.rules_of(made.ledger, made.definition, request)


def cut_off(made, request, *more):
    """A start of the trial that ends before its result is recorded."""
    made.ledger.begin_attempt(request.trial, "cut-off", "here", now())
    units.train(made.ledger, made.definition, request, *more)


def cut_off_after(epoch):
    def listener(report):
        if report.epoch > epoch:
            raise RuntimeError("cut off")

    return listener
