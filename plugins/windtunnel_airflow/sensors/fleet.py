"""Waiting for a fleet: one sensor for all its mini-batches, and one for its evaluation."""

from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowException

from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import launch
from windtunnel_airflow.context import current_fleet
from windtunnel_airflow.triggers.fleet import FleetTrigger


class AwaitFleet(BaseSensorOperator):
    """Defers until all mini-batches have a result, a threshold is gone beyond, or the evaluation has ended.

    As with a search's sensor, nothing is handed over the deferral, and the definition's limits end every wait.
    """

    template_fields = ("store", "stage")

    def __init__(self, *, store: str, stage: str, **kwargs: Any) -> None:
        """Wait for one stage.

        Args:
            store: where the fleet's ledgers live.
            stage: `fleet` or `evaluate`.
            **kwargs: the operator's.
        """
        super().__init__(**kwargs)
        self.store = store
        self.stage = stage

    def execute(self, context: Any) -> None:
        """Return at once if all is in, else defer."""
        ledger, _ = current_fleet(self.store, context)
        trigger = FleetTrigger(ledger.url, ledger.digest, self.stage)
        progress = trigger.monitor().poll()
        self.log.info(progress.message)
        if not progress.done:
            self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> None:
        """End the wait as the trigger found it to end."""
        if "error" in event:
            raise AirflowException(event["error"])
        self.log.info(event["message"])
        if event.get("wanted"):
            ledger, fleet = current_fleet(self.store, context)
            jobs = [ledger.job(name) for name in event["wanted"]]
            launch(ledger, get_launcher(fleet.launcher), jobs, self.log.warning)
            self.execute(context)
