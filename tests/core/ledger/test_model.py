"""What is known of a finalist's model, and of its file."""

import hashlib

import pytest

from windtunnel.ledger import Job, Ledger, Model, Plan, Result, State, Trial, Verdict
from windtunnel.ledger.model import best_first
from windtunnel.stores.local import LocalStore

TRIAL = "0123456789abcdef-e4"
UNIT = f"verify-{TRIAL}"
ASKED = Plan(stage="verify-1", requests=[], jobs=[Job(job="verify-1-0", stage="verify-1", units=[UNIT])])
NOT_ASKED = ASKED.model_copy(update={"jobs": [ASKED.jobs[0].model_copy(update={"units": []})]})


def trained(state=State.COMPLETED):
    return Trial.of({}, "0123456789abcdef", trial=TRIAL, state=state)


def check(state):
    return {UNIT: Result(trial=UNIT, state=state, kind="verification", message="off by 3")}


@pytest.mark.parametrize(
    ("trial", "steps", "plan", "verdict", "usable"),
    [
        (trained(), check(State.COMPLETED), ASKED, Verdict.VERIFIED, True),
        (trained(), check(State.FAILED), ASKED, Verdict.FAILED, False),
        (trained(), {}, NOT_ASKED, Verdict.UNVERIFIED, True),
        (trained(), {}, ASKED, None, False),
        (trained(), {}, None, None, False),
        (trained(State.FAILED), {}, NOT_ASKED, Verdict.FAILED, False),
        (trained(None), {}, NOT_ASKED, None, False),
    ],
)
def test_a_model_is_verified_not_verified_or_failed(trial, steps, plan, verdict, usable):
    model = Model.of(trial, steps, plan, None)
    assert (model.verdict, model.usable, model.onnx) == (verdict, usable, None)


def test_a_file_has_a_digest_whoever_wrote_it(tmp_path):
    ledger = Ledger(LocalStore(tmp_path), "toy", "run")
    assert ledger.onnx_digest(TRIAL) is None
    ledger.store.put(ledger.trial_path(TRIAL, "model.onnx"), b"onnx")
    digest = ledger.onnx_digest(TRIAL)
    assert digest == hashlib.sha256(b"onnx").hexdigest()
    model = Model.of(trained(), {}, NOT_ASKED, digest)
    assert (model.onnx, model.sha256) == (f"trials/{TRIAL}/model.onnx", digest)


def test_the_best_model_is_usable_verified_within_bounds_and_then_the_best_by_the_objective():
    def model(name, accuracy, verdict=State.COMPLETED, violation=0.0, state=State.COMPLETED):
        config = f"{name:>016}".replace(" ", "0")
        objectives = {"acc": accuracy} if state is State.COMPLETED else {}
        trial = Trial.of({}, config, state=state, objectives=objectives, violation=violation)
        checked = (
            {} if verdict is None else {f"verify-{trial.trial}": Result(trial=f"verify-{trial.trial}", state=verdict)}
        )
        return Model.of(trial, checked, NOT_ASKED, None)

    ordered = [
        model("1", 0.8),
        model("2", 0.7),
        model("7", 1.79e308),  # stands for "no value"
        model("3", 0.99, violation=0.1),
        model("4", 0.95, verdict=None),
        model("5", 0.999, verdict=State.FAILED),
        model("6", 0, state=State.FAILED),
    ]
    assert best_first(reversed(ordered), "acc", "maximize") == ordered
