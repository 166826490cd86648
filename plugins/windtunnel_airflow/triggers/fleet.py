"""Waiting for a fleet's mini-batches or its evaluation in Airflow's triggerer."""

from collections.abc import Callable

from windtunnel.definition import fleet_of
from windtunnel.errors import LedgerError
from windtunnel.fleet.beginning import EVALUATION, lanes
from windtunnel.fleet.evaluating import EvaluationMonitor
from windtunnel.fleet.monitor import FleetMonitor
from windtunnel.fleet.records import read_plan
from windtunnel.launchers import get_launcher
from windtunnel.launchers.monitor import Progress
from windtunnel.ledger import Ledger
from windtunnel.stores.credentials import Credentials
from windtunnel_airflow.triggers.results import ResultsTrigger


class FleetTrigger(ResultsTrigger):
    """Polls a fleet's run; its stage is `fleet` for the mini-batches, or `evaluate`."""

    def poller(self, credentials: Credentials | None = None) -> Callable[[], Progress]:
        """What looks once at the mini-batches or the evaluation, each time that it is called; new.

        Raises:
            LedgerError: the run has no plan.
        """
        ledger = Ledger.open(self.ledger, credentials).with_spec(self.digest).with_session(self.session)
        fleet = fleet_of(ledger)
        launcher = get_launcher(fleet.launcher)
        if self.stage == EVALUATION:
            return EvaluationMonitor(ledger, launcher).poll
        plan = read_plan(ledger)
        if plan is None:
            raise LedgerError(f"{ledger.url} has no plan: its data is not split")
        return FleetMonitor(ledger, fleet, plan, lanes(ledger, fleet, plan), launcher).poll
