"""A launcher whose jobs are done when `launch` returns, so that DAGs are tested at the speed of Airflow alone."""

import threading
import time
from datetime import UTC, datetime
from typing import ClassVar

from tests.workloads import quick
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.ledger import Result, State
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.queue import in_order, open_stages, unfinished
from windtunnel.ledger.stage import StageKind


class InstantLauncher(Launcher):
    """Does each unit by the formula of the quick workload; with the setting `straggle` the first trial waits
    for the first iteration's selection."""

    trained: ClassVar[list[str]] = []
    _busy: ClassVar[set[tuple[str, str]]] = set()

    def launch(self, ledger, job):
        ledger.begin_launch(job.job, "here", datetime.now(UTC).isoformat())
        settings = ledger.search_record()["definition"]["settings"]
        trains = job.session is not None
        for unit in self._claimed(ledger, job) if trains else ledger.owed(job):
            if trains and settings.get("straggle") and unit == ledger.plan("1").requests[0].trial:
                self._later(ledger, job, unit)
            else:
                self._do(ledger, job, unit)

    def live(self, ledger):
        return {job for url, job in self._busy if url == ledger.url}

    def may_relaunch(self, ledger, job):
        return False

    def _claimed(self, ledger, job):
        """Each lane has its share, so that all have something to show."""
        claims, lanes = Claims(ledger), ledger.search_record()["definition"]["limits"]["parallel"]
        units = in_order(unfinished(ledger, open_stages(ledger.writer()), ledger.ended()))
        mine = [one.trial for number, one in enumerate(units) if number % (lanes - job.lane) == 0]
        return [unit for unit in mine if claims.take(unit, job.job, 1)]

    def failure_reason(self, ledger, job):
        return JobFailure("gone", "it is gone")

    def cancel(self, ledger, jobs=None):
        pass

    def _later(self, ledger, job, unit):
        self._busy.add((ledger.url, job.job))

        def work():
            while ledger.selection("1") is None:
                time.sleep(0.05)
            self._do(ledger, job, unit)
            self._busy.discard((ledger.url, job.job))

        threading.Thread(target=work, daemon=True).start()

    def _do(self, ledger, job, unit):
        if job.kind is StageKind.PREPARE:
            ledger.write_json("data/manifest.json", {"digest": "0" * 16, "files": {}, "splits": {}})
            failed = ledger.search_record()["definition"]["data"].get("fail")
            ledger.record(_failed(unit, "there is no such data") if failed else _done(unit, {}, {}))
        elif job.kind is StageKind.VERIFY:
            ledger.record(_done(unit, {}, {"test_acc": 0.5, "onnx_acc": 0.5, "max_logit_diff": 0.0}))
        else:
            self._train(ledger, unit)

    def _train(self, ledger, unit):
        self.trained.append(unit)
        request, settings = ledger.request(unit), ledger.search_record()["definition"]["settings"]
        width, depth = request.params["width"], request.params["depth"]
        asked = {"config": request.config, "params": request.params, "epochs": request.epochs}
        if width in settings.get("fail", ()):
            ledger.record(_failed(unit, f"width {width} does not train").model_copy(update=asked))
            return
        accuracy = 1 - 1 / (1 + width * depth * request.epochs)
        values = {"val_acc": accuracy, "params": quick.cost(request.params, settings)["params"]}
        ledger.record(_done(unit, values, values).model_copy(update=asked))


def _done(unit, objectives, metrics):
    return Result(trial=unit, state=State.COMPLETED, objectives=objectives, metrics=metrics)


def _failed(unit, message):
    return Result(trial=unit, state=State.FAILED, kind="error", message=message)
