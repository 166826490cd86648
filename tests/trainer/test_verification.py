"""Models that are not torch's: kept in formats of their own, and verified."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.conftest import CONFIG
from windtunnel.errors import WorkloadError
from windtunnel.ledger.artifacts import artifacts, is_model
from windtunnel.ledger.ids import trial_id
from windtunnel_trainer.trial import Trial
from windtunnel_trainer.verification import Verification, VerificationError

TABULAR = "tests.workloads.tabular"


def verified(bench, **settings):
    made = bench(TABULAR, settings)
    assert made.train(1).state == "completed"
    return made, made.verify(1)


def test_a_model_of_scikit_learn_with_onnx_bytes_of_its_own_is_verified(bench):
    _, result = verified(bench, kind="linear")
    assert result.state == "completed", result.message
    assert result.metrics["test_r2"] == pytest.approx(1)
    assert result.metrics["test_rmse"] < 1e-9
    assert result.metrics["onnx_rmse"] < 1e-5
    assert 0 < result.metrics["max_output_diff"] < 1e-6


def test_an_onnx_model_that_is_another_fails(bench):
    _, result = verified(bench, kind="linear", error=0.5)
    assert (result.state, result.kind) == ("failed", "verification")
    assert "ONNX and the model differ by" in result.message


def test_a_boosted_tree_is_verified_by_its_own_file(bench):
    pytest.importorskip("lightgbm")
    made, result = verified(bench, kind="boosted")
    assert result.state == "completed", result.message
    assert result.metrics["test_acc"] > 0.9
    assert "onnx_acc" not in result.metrics
    there = artifacts(made.ledger, trial_id(CONFIG, 1))
    assert [(name, is_model(entry)) for name, entry in there.items()] == [("model.txt", True)]


def test_without_any_model_of_the_trial_nothing_is_verified(bench):
    _, result = verified(bench, kind="none")
    assert (result.state, result.kind) == ("failed", "verification")
    assert "has no model.onnx, and verify() read no model in its place" in result.message
    assert "save_model(name, …)" in result.message


@pytest.fixture
def one(bench):
    made = bench(TABULAR, {"kind": "none"})
    request = made.request()
    return Trial(made.ledger, made.definition, request), Verification(made.ledger, made.definition, request)


def test_models_that_write_themselves_are_kept(one):
    class Keras:
        def save(self, path):
            Path(path).write_text(json.dumps({"ends": path.endswith("model.keras")}))

    trial, verification = one
    trial.save_model("model.keras", Keras())
    assert json.load(verification.open("model.keras")) == {"ends": True}
    with pytest.raises(WorkloadError, match=r"found object; allowed: bytes, .* writes itself by save_model\(path\)"):
        trial.save_model("model.bin", object())
    with pytest.raises(WorkloadError, match="give a relative path"):
        trial.save_model("../model.bin", b"x")


@pytest.mark.parametrize("name", ["gone", "../../checkpoint.pt", "/etc/passwd"])
def test_verify_opens_what_the_trial_saved_and_nothing_else(one, name):
    trial, verification = one
    trial.save("there", b"x")
    with pytest.raises(VerificationError):
        verification.open(name)
    assert not verification.checked


@pytest.mark.parametrize(
    ("outputs", "labels"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], [0, 1]),  # of each class
        ([0.1, 0.9], [0, 1]),  # of the second of two
        (["cat", "dog"], ["cat", "dog"]),  # labels
    ],
)
def test_a_classifier_gives_probabilities_or_labels(one, outputs, labels):
    trial, verification = one
    trial.save_model("model.bin", b"x")
    verification.open("model.bin")
    found = verification.classification(lambda x: np.array(outputs), np.zeros((2, 1)), labels)
    assert found == {"examples": 2.0, "test_acc": 1.0}
