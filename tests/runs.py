"""Runs made by hand, for tests of what launches them, runs them and waits for them."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.workloads import faults
from windtunnel.definition.model import Definition
from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import launch
from windtunnel.launchers.monitor import StageMonitor, wait
from windtunnel.ledger import Job, Ledger, Plan, Request, Spec
from windtunnel.stores import open_store


@dataclass
class Run:
    """A run whose stage 1 has one job per list of things to do (see `tests.workloads.faults`)."""

    ledger: Ledger
    jobs: list[Job]
    trace: Path
    launcher: str = "local"
    patience: float = 300

    @property
    def starts(self) -> dict[str, list[int]]:
        return faults.starts(self.trace)

    def trial(self, do: str) -> str:
        return next(request.trial for request in self.ledger.plan("1").requests if request.params["do"] == do)

    def result(self, do: str):
        return self.ledger.result(self.trial(do))

    def release(self) -> None:
        """Let trials go on that `wait`."""
        (self.trace / faults.RELEASED).touch()

    def launch(self) -> None:
        for job in self.jobs:
            get_launcher(self.launcher).launch(self.ledger, job)

    def finish(self, timeout: float | None = None) -> None:
        """Launch, and wait until every trial has a result and the jobs have ended."""
        self.launch()
        self.wait(timeout)
        wait_until(lambda: not get_launcher(self.launcher).live(self.ledger), timeout or self.patience)

    def wait(self, timeout: float | None = None) -> None:
        end = time.monotonic() + (timeout or self.patience)

        def check(progress):
            assert time.monotonic() < end, progress.message

        launcher = get_launcher(self.launcher)
        wait(
            StageMonitor(self.ledger, launcher, "1").poll,
            lambda jobs: launch(self.ledger, launcher, jobs, print),
            0.05,
            check,
        )

    def wait_for_start(self, do: str, timeout: float | None = None) -> int:
        """The process of the trial's first start, as soon as there is one."""
        wait_until(lambda: self.starts.get(do), timeout or self.patience)
        return self.starts[do][0]


def begin_by_hand(ledger: Ledger, definition: Definition, archive: str | None = None) -> Ledger:
    """The run, begun with this definition, for those who run something of it."""
    spec = Spec(definition=definition.model_dump(mode="json"), code="0", archive=archive)
    ledger.begin({"definition": spec.definition, "code": spec.code})
    return ledger.write_spec(spec)


def make_run(
    store: str,
    trace: Path,
    *jobs: list[str],
    workload: str = "tests.workloads.faults",
    launcher: str = "local",
    slots: int = 1,
    fields: Mapping[str, Any] | None = None,
    **limits,
) -> Run:
    """A run that has begun, its jobs not launched yet."""
    definition = Definition.model_validate(
        {
            "name": "toy",
            "workload": workload,
            "settings": {"trace": str(trace)},
            "space": {"do": {"type": "categorical", "choices": sorted({"nothing"}.union(*jobs))}},
            "objectives": {"score": "maximize"},
            "limits": {"parallel": max(1, len(jobs)), "slots": slots} | limits,
            "launcher": launcher,
            **(fields or {}),
        }
    )
    trace.mkdir(exist_ok=True)
    ledger = begin_by_hand(Ledger(open_store(store), "toy", "run"), definition)
    ledger.write_json("data/manifest.json", {"digest": "d", "files": {}, "splits": {}})
    requests, made = [], []
    for lane, todo in enumerate(jobs):
        configs = [f"{lane:08x}{index:08x}" for index in range(len(todo))]
        asked = [
            Request(trial=f"{config}-e1", config=config, params={"do": do}, epochs=1, stage="1", iteration=1)
            for config, do in zip(configs, todo, strict=True)
        ]
        units = [ledger.begin_trial(request).trial for request in asked]
        requests += asked
        made.append(Job(job=f"1-{lane}", stage="1", units=units, lane=lane, slots=slots))
    plan = ledger.create_plan(Plan(stage="1", requests=requests, jobs=made))
    return Run(ledger, plan.jobs, trace, launcher)


def wait_until(condition, timeout: float = 300) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether there is such a process, one that only waits to be reaped aside."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
