"""Waiting for a stage's results: one sensor a stage, however many trials it has."""

from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import launch
from windtunnel.ledger import Ledger, State
from windtunnel_airflow.context import current_search
from windtunnel_airflow.triggers.results import ResultsTrigger


class AwaitResults(BaseSensorOperator):
    """Defers until the results of a stage are in, or in a continuous search until few wait for a lane.

    What the trigger finds gone, it does not launch again itself: the triggerer may have neither the rights nor the
    libraries. It says so, and this task launches, and waits again.

    Nothing is handed over the deferral but what its own fields hold: `airflow dags test` drops the rest. It has no
    time-out of its own; the definition's limits end every job, and so every wait.
    """

    template_fields = ("store", "parts")

    def __init__(self, *, store: str, parts: Any, essential: bool = False, **kwargs: Any) -> None:
        """Wait for the jobs or lanes of one stage.

        Args:
            store: where the search's ledgers live.
            parts: stage and id of each, at least one, or the task that gives them.
            essential: whether a job that fails ends the run, as the preparation of the data does.
            **kwargs: the operator's.
        """
        super().__init__(**kwargs)
        self.store = store
        self.parts = parts
        self.essential = essential

    def execute(self, context: Any) -> None:
        """Return at once if the results are in, else defer."""
        search = current_search(self.store, context)
        stage = self.parts[0]["stage"]
        trigger = ResultsTrigger(search.ledger.url, search.ledger.digest, stage, search.session.number)
        progress = trigger.monitor().poll()
        self.log.info(progress.message)
        if not progress.done:
            self.defer(trigger=trigger, method_name="execute_complete")
        self._end(search.ledger)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> None:
        """End the wait as the trigger found it to end."""
        if "error" in event:
            raise AirflowException(event["error"])
        self.log.info(event["message"])
        search = current_search(self.store, context)
        if event.get("wanted"):
            jobs = [search.ledger.job(name) for name in event["wanted"]]
            launch(search.ledger, get_launcher(search.definition.launcher), jobs, self.log.warning)
            self.execute(context)
        else:
            self._end(search.ledger)

    def _end(self, ledger: Ledger) -> None:
        if not self.essential:
            return
        for unit in (unit for part in self.parts for unit in ledger.job(part["job"]).units):
            result = ledger.result(unit)
            if result is not None and result.state is State.FAILED:
                raise AirflowFailException(f"{unit} failed, {result.kind}: {result.message}\n{result.log_tail}")
