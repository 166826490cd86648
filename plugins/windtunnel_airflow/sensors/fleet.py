"""Waiting for a fleet: one sensor for all its mini-batches, and one for its evaluation."""

from typing import Any

from windtunnel.ledger import Ledger
from windtunnel_airflow.context import current_fleet
from windtunnel_airflow.sensors.awaiting import Awaiting
from windtunnel_airflow.triggers.fleet import FleetTrigger


class AwaitFleet(Awaiting):
    """Defers until all mini-batches have a result, a threshold is gone beyond, or the evaluation has ended."""

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

    def work(self, context: Any) -> tuple[Ledger, str]:
        """The run as the present session performs it, and the name of its launcher."""
        ledger, fleet = current_fleet(self.store, context)
        return ledger, fleet.launcher

    def trigger(self, ledger: Ledger) -> FleetTrigger:
        """What waits for the run."""
        return FleetTrigger(ledger.url, ledger.digest, self.stage, ledger.own_turn.number)
