"""A scheduler that performs a search's DAG in this process, one task after another: `Stepping(dag, fate).run(…)`.

The tasks are the DAG's own; only what Airflow does around them is made up here: it hands over what they return, tries a
task again that has died, and wakes the sensor. Jobs are performed between two looks of a sensor, each as a process that
may die as well, by the trainer's own code.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput
from airflow.sdk.execution_time.context import set_current_context

from tests.dying import Fate, Killed
from tests.stepped import SteppedJobs, SteppedLauncher
from windtunnel.launchers.lanes import launch
from windtunnel.ledger import Ledger
from windtunnel.ledger.queue import open_stages, unfinished
from windtunnel.stores import open_store
from windtunnel_airflow.sensors.results import AwaitResults
from windtunnel_airflow.tasks.approval import APPROVE
from windtunnel_airflow.triggers.results import ResultsTrigger

LOOKS = 3  # of a sensor in which nobody dies; each death may cost two looks, and one to see what came of it
_MOST_TRIES = 500


class Skipped(Exception):  # noqa: N818
    """A task has skipped what comes after it."""


class FailedRun(Exception):  # noqa: N818
    """A task has failed, and with it the DAG run."""


class _CutShort(Exception):  # noqa: N818
    """Airflow was stopped."""


class Stepping:
    """One DAG, whose runs are performed one after another.

    Attributes:
        resumes: whether any death is the whole Airflow's, so that a new DAG run goes on with the run.
        jobs: what was launched; see `SteppedJobs` for `alone` and `most`.
    """

    def __init__(self, dag: Any, fate: Fate, *, resumes: bool = False, alone: bool = False, most: int = 2) -> None:
        self.dag, self.fate, self.resumes = dag, fate, resumes
        self.jobs = SteppedJobs(fate, resumes=resumes, alone=alone, most=most)
        self._xcoms: dict[tuple[str, str, str], Any] = {}

    def run(self, run_id: str, answer: str = APPROVE, cut_after: str = "", **conf: Any) -> None:
        """Perform a DAG run until it ends, or until its Airflow does, after the task `cut_after`.

        A person gives the answer if asked.

        Raises:
            FailedRun: it failed.
        """
        ledger = conf.get("resume") or run_id
        while True:
            try:
                return _Run(self, run_id, conf, answer, cut_after).perform()
            except _CutShort:
                return None
            except Killed:
                assert self.resumes
                found = Ledger(open_store(self.dag.task_dict["approve"].store), self.dag.dag_id, ledger)
                if found.closed(run_id):
                    return None  # all was done
                if found.begun() is None:
                    continue  # nothing was: the same begins once more
                run_id += "+"
                conf = conf | {"resume": ledger}

    def process(self, name: str, work: Callable[[], Any]) -> Any:
        """One process, which may die."""
        self.fate.begin(name)
        return work()

    def repeated(self, name: str, work: Callable[[], Any]) -> Any:
        """A process that is begun again when it has died, as Airflow and a job do."""
        for _ in range(_MOST_TRIES):
            try:
                return self.process(name, work)
            except Killed:
                if self.resumes:
                    raise
        raise AssertionError(f"{name} never ends")


class _Run:
    def __init__(self, stepping: Stepping, run_id: str, conf: dict[str, Any], answer: str, cut_after: str) -> None:
        self._stepping, self._run_id, self._answer, self._cut_after = stepping, run_id, answer, cut_after
        self._dag, self._xcoms = stepping.dag, stepping._xcoms
        self._params = self._dag.params.dump() | conf
        self._store = self._dag.task_dict["approve"].store
        self._skipped_from = 10**9

    def perform(self) -> None:
        failed: FailedRun | None = None
        try:
            self._search_and_train()
        except FailedRun as error:
            failed = error
        for task in ("report", "clean_up"):
            self._task(task, self._store)
        if failed:
            raise failed

    def _search_and_train(self) -> None:
        store = self._store
        self._await("prepare_data", self._task("prepare_data.begin"))
        self._task("prepare_data.start")
        group = 1
        while f"iteration_{group}.suggest" in self._dag.task_dict and group < self._skipped_from:
            self._stage(f"iteration_{group}", self._task(f"iteration_{group}.suggest", group, store))
            self._task(f"iteration_{group}.select", group, store)
            group += 1
        self._task("finalists", store)
        if self._approve(self._dag.task_dict["approve"]) == "refused":
            self._task("refused", store)
            return
        self._stage("full_training", self._task("full_training.plan", store))
        self._stage("verify", self._task("verify.plan", store))
        self._task("publish")

    def _stage(self, group: str, parts: list[dict[str, str]]) -> None:
        for index, part in enumerate(parts):
            self._task(f"{group}.train.launch", part, self._store, index=index)
        self._await(group, parts)
        for index, part in enumerate(parts):
            self._task(f"{group}.train.collect", part, self._store, index=index)

    def _task(self, name: str, *arguments: Any, index: int = -1) -> Any:
        task = self._dag.task_dict[name]
        context = self._context(name)

        def work() -> Any:
            for key in [key for key in self._xcoms if key[:2] == (self._run_id, name) and index < 0]:
                del self._xcoms[key]  # as Airflow does when it tries a task again
            with set_current_context(context):
                return task.python_callable(*arguments)

        try:
            done = self._stepping.repeated(self._name(f"{name} {index}"), work)
        except Skipped:
            done = False
        except (AirflowFailException, AirflowSkipException) as error:
            if name.endswith(".collect"):  # red or skipped, and nothing waits for it
                return None
            raise FailedRun(f"{name}: {error}") from error
        except Exception:
            if not name.endswith(".launch"):  # one that fails for good leaves the others alone
                raise
            return None
        if name == self._cut_after:
            raise _CutShort
        return done

    def _await(self, group: str, parts: list[dict[str, str]]) -> None:
        """The sensor, and between its looks the jobs."""
        name = f"{group}.await_results"
        sensor = AwaitResults(task_id="await", store=self._store, parts=parts)
        search = self._stepping.repeated(self._name(name), lambda: self._search(name))
        ledger, stage = search.ledger, sensor.parts[0]["stage"]
        deaths, looks = self._stepping.fate.deaths, 0
        due = len(unfinished(ledger, open_stages(ledger.writer()), ledger.ended()))
        poll = None
        while True:
            looks += 1
            allowed = LOOKS + 4 * (self._stepping.fate.deaths - deaths) + due // self._stepping.jobs.most
            assert looks <= allowed, f"{name}: {looks} looks and no end"
            try:
                poll = poll or ResultsTrigger(ledger.url, ledger.digest, stage, search.session.number).poller()
                progress = self._stepping.process(self._name(f"{name} look"), poll)
                if progress.done:
                    return
                launch(ledger, SteppedLauncher(), progress.wanted, print)
            except Killed:
                if self._stepping.resumes:
                    raise
                poll = None
                continue
            self._stepping.jobs.perform()

    def _approve(self, operator: Any) -> str:
        context = self._context("approve")
        branch = mock.patch.object(
            type(operator), "do_branch", lambda self, context, branches_to_execute: branches_to_execute
        )
        asking = mock.patch.object(hitl, "upsert_hitl_detail", lambda **_: None)

        def work() -> Any:
            for key in [key for key in self._xcoms if key[:2] == (self._run_id, "approve")]:
                del self._xcoms[key]
            try:
                return operator.execute(context)
            except TaskAwaitingInput:
                event = {
                    "chosen_options": [self._answer],
                    "params_input": {},
                    "responded_at": datetime.now(UTC),
                    "responded_by_user": {"id": "1", "name": "somebody"},
                }
                return operator.execute_complete(context, event)

        with branch, asking:
            chosen = self._stepping.repeated(self._name("approve"), work)
        return chosen if isinstance(chosen, str) else chosen[0]

    def _name(self, process: str) -> str:
        """The process's name, the same in all DAG runs that go on from one another."""
        return f"{self._run_id.rstrip('+')} {process}"

    def _search(self, task: str) -> Any:
        from windtunnel_airflow.context import current_search

        return current_search(self._store, self._context(task))

    def _context(self, task: str) -> dict[str, Any]:
        xcoms, run_id = self._xcoms, self._run_id

        def pull(task_ids: str, key: str, map_indexes: int = -1, run_id: str = run_id) -> Any:
            return xcoms.get((run_id, task_ids, key))

        def push(key: str, value: Any) -> None:
            xcoms[run_id, task, key] = value

        def skip(ti: Any, tasks: list[Any]) -> None:
            groups = [int(found.task_id.split(".")[0].split("_")[1]) for found in tasks]
            self._skipped_from = min(groups)
            raise Skipped

        ti = SimpleNamespace(
            get_task_states=lambda **_: {},
            xcom_pull=pull,
            xcom_push=push,
            get_dagrun_state=lambda *_: "failed",
            try_number=1,
            max_tries=5,
            id="ti",
        )
        return {
            "dag": self._dag,
            "params": self._params,
            "run_id": run_id,
            "ti": ti,
            "task_instance": ti,
            "task": SimpleNamespace(skip=skip, retries=5),
            "dag_run": SimpleNamespace(triggering_user_name="somebody"),
            "outlet_events": defaultdict(SimpleNamespace),
        }
