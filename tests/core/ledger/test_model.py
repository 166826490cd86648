"""What is known of a finalist's model, and of its file."""

import hashlib

import pytest

from windtunnel.ledger import Job, JobKind, Ledger, Model, Plan, Result, State, Trial, Verdict
from windtunnel.stores.local import LocalStore

TRIAL = "0123456789abcdef-e4"
UNIT = f"verify-{TRIAL}"
ASKED = Plan(
    stage="verify-1", requests=[], jobs=[Job(job="verify-1-0", kind=JobKind.VERIFY, stage="verify-1", units=[UNIT])]
)
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
