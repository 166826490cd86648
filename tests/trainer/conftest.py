from dataclasses import dataclass

import pytest

from tests.runs import begin_by_hand
from windtunnel.definition.model import Definition
from windtunnel.host.machine import now
from windtunnel.ledger import Job, Ledger, Request, Result
from windtunnel.ledger.ids import trial_id
from windtunnel.stores import open_store
from windtunnel_trainer import units

CONFIG = "0123456789abcdef"


@dataclass
class Bench:
    """A run of one workload, whose units are done in this process."""

    ledger: Ledger
    definition: Definition

    def request(self, epochs=2.0, **more) -> Request:
        return Request(
            trial=trial_id(CONFIG, epochs),
            config=CONFIG,
            params={"a": 1},
            epochs=epochs,
            stage="1",
            iteration=1,
            **more,
        )

    def run(self, stage, unit, log=None) -> Result:
        job = self.ledger.create_job(Job(job=f"job-{unit}", stage=stage, units=[unit]))
        units.run(self.ledger, job, unit, self.ledger.begin_attempt(unit, job.job, "here", now()), log)
        return self.ledger.result(unit)

    def job(self, unit, stage) -> Job:
        return Job(job=f"{stage}-{unit}", stage=stage, units=[unit])

    def run_stage(self, trial, stage) -> Result:
        """Train a trial as one of that stage."""
        job = self.ledger.create_job(self.job(trial, stage))
        units.run(self.ledger, job, trial, self.ledger.begin_attempt(trial, job.job, "here", now()))
        return self.ledger.result(trial)

    def train(self, epochs=2.0, log=None, **more) -> Result:
        request = self.ledger.begin_trial(self.request(epochs, **more))
        return self.run("1", request.trial, log)

    def files(self, epochs=2.0) -> set[str]:
        entries = self.ledger.files(trial_id(CONFIG, epochs))
        return {entry.path.rpartition("/")[2] for entry in entries}

    def verify(self, epochs=2.0) -> Result:
        return self.run("verify-1", f"verify-{trial_id(CONFIG, epochs)}")


@pytest.fixture
def bench(tmp_path):
    """Makes a run whose data is prepared."""
    count = iter(range(9))

    def make(workload="tests.workloads.scripted", settings=None, store="", **fields) -> Bench:
        definition = Definition(
            name="bench",
            workload=workload,
            settings=settings or {},
            objectives=fields.pop("objectives", {"val_acc": "maximize"}),
            epochs={"partial": 1, "full": 4},
            **fields,
        )
        ledger = begin_by_hand(Ledger(open_store(store or str(tmp_path)), "bench", f"run-{next(count)}"), definition)
        made = Bench(ledger, definition)
        assert made.run("prepare", "prepare").state == "completed"
        return made

    return make


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    import torch

    torch.set_num_threads(1)
