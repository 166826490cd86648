"""Jobs whose storage refuses what they write: for a while, or for good."""

import subprocess
import sys
import time
from itertools import count

import pytest

from tests.refusing import refusing
from tests.runs import begin_by_hand
from windtunnel.definition.model import Definition
from windtunnel.ledger import Job, Ledger, Request, State
from windtunnel.ledger.ids import trial_id
from windtunnel.stores import open_store

pytestmark = [pytest.mark.azure, pytest.mark.slow]

TIRED, MATE, LATER = (trial_id(f"{number:016x}", 2) for number in range(3))  # a run's first trials
_HASTY = (  # a trainer that asks a busy account again after a moment rather than after seconds
    "import sys; from windtunnel.stores.azure import account; account._RETRIES, account._FIRST_PAUSE = 2, 0.05;"
    "from windtunnel_trainer.__main__ import main; sys.exit(main())"
)
REFUSALS = [
    (403, "AuthorizationPermissionMismatch", "the credentials do not permit it"),
    (500, "InternalError", "answered with InternalError"),
    (507, "InsufficientStorage", "answered with InsufficientStorage"),
    (503, "ServerBusy", "is busy or throttles requests"),
]
_runs = count()


class Refused:
    """A run whose one job trains some trials, two at a time, through a proxy before Azurite."""

    def __init__(self, trace, trials=3, gpus=None):
        definition = Definition.model_validate(
            {
                "name": "toy",
                "workload": "tests.workloads.quick" if gpus is None else "tests.workloads.together",
                "settings": {"slow": 0.2, "trace": str(trace)},
                "objectives": {"val_acc": "maximize"} if gpus is None else {"held": "minimize"},
                "epochs": {"partial": 2, "full": 4},
                "limits": {"parallel": 1, "threads": 1, "trial_retries": 1},
                "resources": {"gpus": gpus},
            }
        )
        ledger = Ledger(open_store("azure://refused/runs"), "toy", str(next(_runs)))
        self.ledger = begin_by_hand(ledger, definition)
        self.trials = [trial_id(f"{number:016x}", 2) for number in range(trials)]
        for trial in self.trials:
            params = {"do": "train"} if gpus else {"width": 4, "depth": 2}
            config = trial.partition("-")[0]
            self.ledger.begin_trial(Request(trial=trial, config=config, params=params, epochs=2, stage="1"))
        if gpus:
            self.job("prepare", ["prepare"])

    def train(self, command=("-m", "windtunnel_trainer")):
        return self.job("1-0", self.trials, command)

    def job(self, name, units, command=("-m", "windtunnel_trainer")):
        self.ledger.create_job(Job(job=name, stage=name.partition("-")[0], units=units, slots=min(2, len(units))))
        arguments = [self.ledger.url, name, "--digest", self.ledger.digest]
        done = subprocess.run([sys.executable, *command, *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def states(self):
        return {trial: outcome.state for trial, outcome in self.ledger.outcomes().items()}


@pytest.fixture
def proxy(azurite_server, monkeypatch, tmp_path):
    with refusing(azurite_server) as proxy:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", proxy.connection_string)
        monkeypatch.setenv("WINDTUNNEL_CACHE", str(tmp_path))
        yield proxy


def writes(trial, name):
    """Picks writes to the trial's objects of that name."""
    return lambda method, path: method == "PUT" and trial in path and path.partition("?")[0].endswith(name)


def test_a_write_refused_for_good_is_tried_again_and_then_a_clear_failure(proxy, tmp_path):
    run = Refused(tmp_path, trials=6)
    told = {}
    for trial, (status, code, cause) in zip(run.trials, REFUSALS, strict=False):
        proxy.refuse(status, code, writes(trial, "checkpoint.pt"))
        told[trial] = cause
    exit_code, log = run.train(["-c", _HASTY])
    assert exit_code == 0
    mates = set(run.trials) - set(told)
    assert run.states() == dict.fromkeys(told, State.FAILED) | dict.fromkeys(mates, State.COMPLETED)
    for trial, cause in told.items():
        found = run.ledger.result(trial)
        assert (found.kind, found.attempts) == ("storage", 2)
        assert f"cannot write {run.ledger.url}/trials/{trial}/checkpoint.pt: " in found.message
        assert cause in found.message and "starts: 2" in found.message
        assert f"{trial}: UnavailableError: " in log or f"{trial}: StoreError: " in log
    assert log.count("is started again") == len(told)
    assert len(proxy.refused) == 2 * 1 + 3 * 2 * 3  # two starts each; all but 403 are asked again twice in each


def test_an_account_that_throttles_for_a_while_costs_nothing(proxy, tmp_path):
    run = Refused(tmp_path)
    moments = []

    def for_a_while(method, path):
        if method != "PUT" or "/trials/" not in path:
            return False
        moments.append(time.monotonic())
        return moments[-1] - moments[0] < 2

    proxy.refuse(503, "ServerBusy", for_a_while)
    exit_code, _ = run.train()
    assert exit_code == 0 and proxy.refused
    assert set(run.states().values()) == {State.COMPLETED}
    assert {run.ledger.result(trial).attempts for trial in (TIRED, MATE, LATER)} == {1}


def test_a_result_that_cannot_be_written_is_left_to_the_next_start_of_the_job(proxy, tmp_path):
    run = Refused(tmp_path)
    proxy.refuse(403, "AuthorizationPermissionMismatch", writes(TIRED, f"results/{TIRED}.json"))
    exit_code, log = run.train()
    assert exit_code == 1
    assert run.states() == {MATE: State.COMPLETED, LATER: State.COMPLETED}
    assert f"{TIRED}: cannot write azure://refused/" in log and "it is left to the job's next start" in log
    assert f"done but for {TIRED}" in log
    proxy.relent()
    exit_code, _ = run.train()
    assert exit_code == 0
    assert run.states()[TIRED] is State.FAILED  # it has had its starts
    assert "its job died each time it ran: 2 starts" in run.ledger.result(TIRED).message


def test_a_start_that_cannot_be_recorded_keeps_no_other_trial_from_its_own(proxy, tmp_path):
    run = Refused(tmp_path)
    proxy.refuse(403, "AuthorizationPermissionMismatch", writes(TIRED, "attempts/1.json"))
    assert run.train()[0] == 1
    assert run.states() == {MATE: State.COMPLETED, LATER: State.COMPLETED}
    proxy.relent()
    assert run.train()[0] == 0
    assert set(run.states().values()) == {State.COMPLETED}


def test_several_processes_are_started_again_too(proxy, tmp_path):
    run = Refused(tmp_path, trials=1, gpus=2)
    proxy.refuse(403, "AuthorizationPermissionMismatch", writes(TIRED, "checkpoint.pt"))
    run.train()
    found = run.ledger.result(TIRED)
    assert (found.state, found.kind, found.attempts) == (State.FAILED, "storage", 2)
    assert "checkpoint.pt: the credentials do not permit it" in found.message
