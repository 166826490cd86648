from windtunnel.ledger import Attempt, Ledger, Request, State
from windtunnel.ledger.failures import record_failure
from windtunnel.stores.local import LocalStore

TRIAL = "0123456789abcdef-e0.5"


def test_a_trials_failure_says_what_went_wrong(tmp_path):
    ledger = Ledger(LocalStore(tmp_path), "toy", "run")
    request = Request(
        trial=TRIAL, config=TRIAL[:16], params={"x": 1}, epochs=0.5, stage="3", iteration=3, parents=["p"]
    )
    ledger.begin_trial(request)
    attempt = Attempt(number=2, job="3-0", host="here", started="2026-01-01T00:00:00.000+00:00")
    assert record_failure(ledger, TRIAL, "killed", "by hand", log_tail="the end", attempt=attempt)
    result = ledger.result(TRIAL)
    assert (result.state, result.kind, result.message, result.log_tail) == (
        State.FAILED,
        "killed",
        "by hand",
        "the end",
    )
    assert (result.attempts, result.started) == (2, attempt.started)
    assert result.seconds > 0
    assert not record_failure(ledger, TRIAL, "gone", "too late")
    assert ledger.result(TRIAL).kind == "killed"


def test_a_step_fails_too(tmp_path):
    ledger = Ledger(LocalStore(tmp_path), "toy", "run")
    assert record_failure(ledger, "prepare", "gone", "the host burnt down")
    assert ledger.step_outcomes()["prepare"].state is State.FAILED
    assert ledger.result("prepare").attempts == 0
