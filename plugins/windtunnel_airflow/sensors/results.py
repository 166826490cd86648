"""Waiting for a stage's results: one sensor a stage, however many trials it has."""

from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from windtunnel.ledger import Ledger, State
from windtunnel.ledger.failures import cause
from windtunnel_airflow.context import current_search, tell
from windtunnel_airflow.sensors.awaiting import Awaiting
from windtunnel_airflow.triggers.results import ResultsTrigger


class AwaitResults(Awaiting):
    """Defers until the results of a stage are in, or in a continuous search until few wait for a lane."""

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

    def work(self, context: Any) -> tuple[Ledger, str]:
        """The run as the present session performs it, and the name of its launcher."""
        search = current_search(self.store, context)
        return search.ledger, search.definition.launcher

    def trigger(self, ledger: Ledger) -> ResultsTrigger:
        """What waits for the stage."""
        session = ledger.turn.number if ledger.turn is not None else 0
        return ResultsTrigger(ledger.url, ledger.digest, self.parts[0]["stage"], session)

    def end(self, ledger: Ledger) -> None:
        """Fail where what was awaited is essential, and failed."""
        if not self.essential:
            return
        for unit in (unit for part in self.parts for unit in ledger.job(part["job"]).units):
            result = ledger.result(unit)
            if result is not None and result.state is State.FAILED:
                tell(f"{result.message}\n{result.log_tail}")
                raise AirflowFailException(f"{unit} failed, {cause(result)}")
