import json
import os
import subprocess
import sys

import pytest

from tests.runs import begin_by_hand, is_alive, wait_until
from windtunnel.definition.model import Definition
from windtunnel.ledger import Job, Ledger, Request, State
from windtunnel.ledger.curves import curve_metadata
from windtunnel.ledger.ids import trial_id

pytestmark = pytest.mark.slow

EPOCHS = 3.0


class Together:
    """A run whose one job trains one trial for each thing to do."""

    def __init__(self, folder, gpus, *things, trial_retries=1, trial_time=None, peer=(), **fields):
        self.trace = folder / "trace"
        self.trace.mkdir(parents=True)
        definition = Definition.model_validate(
            {
                "name": "together",
                "workload": "tests.workloads.together",
                "settings": {"trace": str(self.trace)},
                "objectives": {"held": "minimize"},
                "limits": {"parallel": 1, "threads": 1, "trial_retries": trial_retries, "trial_time": trial_time},
                "resources": {"gpus": gpus},
                **fields,
            }
        )
        self.ledger = begin_by_hand(Ledger.open(f"{folder}/store/together/run"), definition)
        self.trials = {do: self._request(index, do) for index, do in enumerate(things)}
        if peer:
            self._plant(peer)
        self._run("prepare", ["prepare"])
        self._run("1-0", list(self.trials.values()))
        self.results = {do: self.ledger.result(trial) for do, trial in self.trials.items()}

    def text(self, do, name):
        return self.ledger.store.get(self.ledger.trial_path(self.trials[do], name)).decode()

    def files(self, do):
        return {entry.path.rpartition("/")[2] for entry in self.ledger.files(self.trials[do])}

    def _request(self, index, do):
        config = f"{index:016x}"
        request = Request(trial=trial_id(config, EPOCHS), config=config, params={"do": do}, epochs=EPOCHS, stage="1")
        return self.ledger.begin_trial(request).trial

    def _plant(self, values):
        """The curve of another configuration."""
        points = [json.dumps({"epoch": float(epoch), "held": value}) for epoch, value in enumerate(values, 1)]
        path = self.ledger.trial_path(trial_id("f" * 16, EPOCHS), "metrics.jsonl")
        self.ledger.store.put(path, "\n".join(points).encode(), curve_metadata(points[-1], values))

    def _run(self, job, units):
        self.ledger.create_job(Job(job=job, stage=job.partition("-")[0], units=units))
        command = [sys.executable, "-m", "windtunnel_trainer", self.ledger.url, job, "--digest", self.ledger.digest]
        environment = os.environ | {"WINDTUNNEL_CHECKPOINT_SECONDS": "0"}
        subprocess.run(command, check=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return Together(tmp_path_factory.mktemp("alone"), None, "train").results["train"]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    things = ("train", "die_once", "die", "raise", "nan", "alone")
    return Together(tmp_path_factory.mktemp("together"), 2, *things)


def test_two_processes_give_what_one_gives(alone, together):
    result = together.results["train"]
    assert (alone.state, result.state) == (State.COMPLETED, State.COMPLETED)
    assert result.metrics == pytest.approx(alone.metrics, rel=1e-9)
    assert result.objectives == pytest.approx(alone.objectives, rel=1e-9)


def test_they_speak_with_one_voice(together):
    lines = [json.loads(line) for line in together.text("train", "metrics.jsonl").splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert together.text("train", "log.txt").count("epoch 1:") == 1
    assert {"model.onnx", "weights.pt"} <= together.files("train")


def test_a_killed_process_is_a_killed_trial_that_goes_on(alone, together):
    result = together.results["die_once"]
    assert (result.state, result.attempts) == (State.COMPLETED, 2)
    assert result.metrics == pytest.approx(alone.metrics, rel=1e-9)
    assert "going on from" in together.text("die_once", "log.txt")


def test_one_that_is_killed_again_and_again_has_failed(together):
    result = together.results["die"]
    assert (result.state, result.kind, result.attempts) == (State.FAILED, "killed", 2)
    assert "SIGKILL" in result.message


def test_the_cause_is_told_rather_than_what_it_does_to_the_others(together):
    result = together.results["raise"]
    assert (result.kind, result.attempts) == ("error", 1)
    assert result.message.startswith("ValueError: the last process gives up")
    assert "misbehave" in result.log_tail
    assert together.results["nan"].kind == "nan"


def test_a_model_that_is_not_wrapped_is_refused(together):
    assert "train() must call model = trial.wrap(model)" in together.results["alone"].message


def test_a_time_out_ends_all_processes(tmp_path):
    run = Together(tmp_path, 2, "hang", trial_time=30.0)
    assert run.results["hang"].kind == "timeout"
    last = int((run.trace / "hang").read_text())
    wait_until(lambda: not is_alive(last))


def test_all_processes_stop_at_the_same_epoch_by_one_decision(tmp_path):
    rule = {"bandit": {"slack_amount": 0.001, "delay_evaluation": 2}}
    run = Together(tmp_path, 2, "count_epochs", peer=(0.0, 0.0, 0.0), early_stopping=rule)
    result = run.results["count_epochs"]
    assert (result.state, result.kind, result.epoch) == (State.STOPPED, "bandit", 2), result.message
    assert [(run.trace / f"epochs-{rank}").read_text().split() for rank in range(2)] == [["0", "1"]] * 2
    (decision,) = json.loads(run.text("count_epochs", "decisions.json"))
    assert (decision["rule"], decision["interval"], decision["stop"]) == ("bandit", 2, True)
    assert run.text("count_epochs", "log.txt").count("stopped by bandit") == 1
    assert "model.onnx" in run.files("count_epochs")
