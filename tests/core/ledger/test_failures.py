from windtunnel.ledger import Attempt, Ledger, Request, Result, State
from windtunnel.ledger.failures import causes, hopeless, record_failure
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


def ended(*messages: str, state: State = State.FAILED, kind: str = "error") -> list[Result]:
    return [
        Result(trial=f"{number:016x}-e1", state=state, kind=kind, message=message)
        for number, message in enumerate(messages)
    ]


def test_causes_are_counted_the_commonest_first_numbers_and_ids_aside() -> None:
    results = ended("ValueError: 3 is odd\nin layer 2", "no memory", "ValueError: 5 is odd\nin layer 4")
    results += ended("", state=State.COMPLETED)
    assert [(said, len(units)) for said, units in causes(results)] == [
        ("error: ValueError: 3 is odd", 2),
        ("error: no memory", 1),
    ]


def test_causes_that_differ_in_the_values_of_flags_are_one() -> None:
    refused = [f"train.py: error: unrecognized arguments: --lr={lr} --opt={opt}" for lr, opt in ((1, "a"), (2e-5, "b"))]
    assert [len(units) for _, units in causes(ended(*refused))] == [2]


def test_a_search_whose_first_trials_fail_for_one_cause_is_hopeless() -> None:
    same = [f"acc never came in trial {number}" for number in range(5)]
    own = {result.trial for result in ended(*same, "another")}
    assert (
        hopeless(ended(*same), 100, own)
        == "the first 5 trials failed for the same cause: error: acc never came in trial 0"
    )
    assert hopeless(ended(*same[:4]), 100, own) is None  # too few to tell
    assert hopeless(ended(*same, "another"), 100, own) is None
    assert hopeless(ended(*same) + ended("", state=State.COMPLETED), 100, own) is None
    assert hopeless(ended(*same), 100, set()) is None  # an earlier session's, and mended perhaps
    infeasible = ended("", state=State.INFEASIBLE)
    assert hopeless(ended(*same) + infeasible, 100, own) is not None  # they were not trained


def test_too_many_failures_name_their_commonest_cause() -> None:
    assert hopeless(ended("a", "b", "b"), 3, set()) == (
        "3 of 3 trials failed, and limits.failed_trials is 3; 2 times error: b"
    )
