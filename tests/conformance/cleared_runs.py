"""A DAG run on a cluster that is marked failed or cleared, by a whole Airflow: no job is left, none done twice."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.conftest import DAG_FILE
from tests.airflow.standalone import Standalone
from tests.airflow.support import SEARCH, dump
from windtunnel.ledger import Ledger
from windtunnel.ledger.stage import Stage
from windtunnel.stores import open_store

LIMIT = 900  # seconds; a quiet machine of two cores needs about 60

Find = Callable[[str, str], list[dict[str, Any]]]  # the cluster's `pods` or `jobs` of a selector


class Whole:
    """A whole Airflow, its real scheduler and triggerer, that launches on a cluster."""

    def __init__(self, folder: Path, find: Find, airflow: Standalone) -> None:
        self.folder, self.find, self.airflow = folder, find, airflow

    def training(self, search: str, run: str, stage: str) -> None:
        """Wait until a pod trains one of a stage's trials."""

        def trains() -> bool:
            ledger = self.ledger(search, run)
            plan = ledger.plan(Stage(stage)) if self.find("pods", f"windtunnel/search={search}") else None
            units = [request.trial for request in plan.requests] if plan is not None else []
            return any(ledger.attempts(unit) and not ledger.result(unit) for unit in units)

        self.airflow.until(trains, LIMIT, f"{search}'s pods never train")

    def jobs(self, search: str) -> list[dict[str, Any]]:
        return self.find("jobs", f"windtunnel/search={search}")

    def ledger(self, search: str, run: str) -> Ledger:
        return Ledger(open_store(str(self.folder / "runs")), search, run)


@contextmanager
def whole_airflow(folder: Path, find: Find, template: dict[str, Any], kubeconfig: str) -> Iterator[Whole]:
    """An Airflow with the two searches of these tests, which reaches the cluster by its connection."""
    for name in ("dags", "searches"):
        (folder / name).mkdir()
    (folder / "dags" / "searches.py").write_text(DAG_FILE)
    fields = SEARCH | {"launcher": "kubernetes", "pod_template": template, "iterations": 1}
    for name, slow in (("cleared", 8.0), ("slow", 600.0)):
        (folder / "searches" / f"{name}.yaml").write_text(dump(fields | {"settings": {"slow": slow}}))
    connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": kubeconfig}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
        with Standalone(folder / "airflow", folder / "dags", folder / "runs") as airflow:
            yield Whole(folder, find, airflow)


class ClearedRunsConformance:
    """Tests that hold on every cluster; the fixture `whole` gives the Airflow."""

    @pytest.mark.slow
    def test_a_run_that_is_marked_failed_leaves_no_job_behind(self, whole):
        run = whole.airflow.trigger("slow")
        whole.training("slow", run, stage="1")
        whole.airflow.client.patch(f"/api/v2/dags/slow/dagRuns/{run}", json={"state": "failed"}).raise_for_status()
        whole.airflow.until(lambda: not whole.jobs("slow"), LIMIT, "jobs are left behind")
        assert whole.airflow.wait("slow", run, LIMIT) == "failed"

    @pytest.mark.slow
    def test_a_run_that_is_cleared_takes_its_jobs_up_again(self, whole):
        """By REST while the search trains, by the command while the finalists do."""
        run = whole.airflow.trigger("cleared")
        whole.training("cleared", run, stage="1")
        path, ask = f"/api/v2/dags/cleared/dagRuns/{run}/clear", {"dry_run": False, "only_failed": False}
        whole.airflow.client.post(path, json=ask).raise_for_status()
        whole.training("cleared", run, stage="full-1")
        command = ["airflow", "tasks", "clear", "cleared", "--yes"]
        subprocess.run(command, env=whole.airflow.environment, check=True, capture_output=True)
        assert whole.airflow.wait("cleared", run, LIMIT) == "success"

        assert whole.jobs("cleared") == []
        ledger = whole.ledger("cleared", run)
        for trial, outcome in ledger.outcomes().items():
            request = ledger.request(trial)
            size = float(request.params["width"] * request.params["depth"])
            assert outcome.objectives == {"val_acc": 1 - 1 / (1 + size * request.epochs), "params": size}
            assert len(ledger.attempts(trial)) == len(ledger.launches(_job_of(ledger, trial))) == 1
        assert len(ledger.outcomes()) == 6  # four of the search, two finalists
        assert all(model["verdict"] == "verified" for model in ledger.read_json("models.json")["models"])
        begun = [ti["try_number"] for ti in whole.airflow.tasks("cleared", run).values() if "begin" in ti["task_id"]]
        assert begun == [3]


def _job_of(ledger: Ledger, trial: str) -> str:
    return ledger.attempts(trial)[0].job
