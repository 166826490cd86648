"""A trial of a run that version 0.1.0 made is trained fully by this version, by local jobs from beginning to end."""

import pytest

from tests.ledgers import unpack
from windtunnel.definition import recorded_definition
from windtunnel.stores import open_store

pytestmark = pytest.mark.slow
FIELDS = ("data", "settings", "space", "objectives", "constraints", "finalists")


def test_a_trial_of_an_old_run_is_retrained(searches):
    old = unpack("0.1.0", open_store(searches.store))
    fields = recorded_definition(old).model_dump(mode="json", include=set(FIELDS))
    epochs = {"partial": 1, "full": 3}
    searches.write("again", workload="windtunnel_trainer.workloads.cnn", launcher="local", epochs=epochs, **fields)
    run = searches.run("again", from_run=old.url, trials=["20dcc4d6bbc6f6f1-e1"])
    assert run.state == "success"
    assert run.of("iteration_1.suggest", "publish") == ["skipped", "success"]
    (model,) = run.ledger.read_json("models.json")["models"]
    assert model["params"] == {"nb_layers": 3, "kernel_size": 3, "hidden_dim": 8}
    assert model["verdict"] == "verified"
    assert model["config"] != "20dcc4d6bbc6f6f1"
    (request,) = run.ledger.plan("full-0").requests
    assert (request.epochs, request.continue_from) == (3, None)
    assert recorded_definition(run.ledger).epochs.horizon == 2  # the old run's schedules
    assert run.ledger.store.get(run.ledger.path(model["onnx"]))
