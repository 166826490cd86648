"""A sensor that launches what its trigger finds gone, and waits again."""

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowException

from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import launch
from windtunnel.launchers.monitor import Progress
from windtunnel.ledger import Ledger
from windtunnel_airflow.triggers.results import ResultsTrigger, pause

_SOON = 5.0  # seconds that the task looks itself


class Awaiting(BaseSensorOperator):
    """Defers until the trigger finds that what comes next may begin.

    What the trigger finds gone, it does not launch again itself: the triggerer may have neither the rights nor the
    libraries. It says so, and this task launches, and waits again.

    Nothing is handed over the deferral but what its own fields hold: `airflow dags test` drops the rest. It has no
    time-out of its own; the definition's limits end every job, and so every wait.
    """

    @abstractmethod
    def work(self, context: Any) -> tuple[Ledger, str]:
        """The run as the present session performs it, and the name of its launcher."""

    @abstractmethod
    def trigger(self, ledger: Ledger) -> ResultsTrigger:
        """What waits for the run."""

    def end(self, ledger: Ledger) -> None:
        """Look at what was awaited; raises where that ends the run."""

    def execute(self, context: Any) -> None:
        """Return once all is in, if that is soon, else defer: the way through the triggerer takes seconds."""
        ledger, _ = self.work(context)
        trigger = self.trigger(ledger)
        progress = self._soon(trigger.poller())
        self.log.info(progress.message)
        if not progress.done:
            self.defer(trigger=trigger, method_name="execute_complete")
        self.end(ledger)

    def _soon(self, poll: Callable[[], Progress]) -> Progress:
        """What is found at last within a few seconds; less where all is in before, or something is to be launched."""
        began = time.monotonic()
        while True:
            polled = time.monotonic()
            progress = poll()
            moment = time.monotonic()
            delay = pause(moment - began, moment - polled)
            if progress.done or progress.wanted or moment + delay > began + _SOON:
                return progress
            time.sleep(delay)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> None:
        """End the wait as the trigger found it to end."""
        if "error" in event:
            raise AirflowException(event["error"])
        self.log.info(event["message"])
        ledger, launcher = self.work(context)
        if event.get("wanted"):
            jobs = [ledger.job(name) for name in event["wanted"]]
            launch(ledger, get_launcher(launcher), jobs, self.log.warning)
            self.execute(context)
        else:
            self.end(ledger)
