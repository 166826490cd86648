"""A trial's reports as a file of the ledger, `metrics.jsonl`."""

import json
import math
import time
from collections.abc import Sequence

from windtunnel.definition.model import Definition
from windtunnel.ledger import Ledger
from windtunnel.ledger.curves import METRICS, curve_metadata
from windtunnel_trainer.checkpoints import Report
from windtunnel_trainer.stopping import curve
from windtunnel_trainer.write_interval import WriteInterval

_INTERVAL = WriteInterval(share=0.5, shortest=1.0, longest=10.0, metered=1800.0)  # of the trial's age


class MetricsFile:
    """The file is replaced whole, and ever more rarely as the trial grows older.

    The curve of the metric that rules watch rides along. Peers' curves must be fresh: where there are rules, the file
    is written once a second however old the trial is.
    """

    def __init__(self, ledger: Ledger, trial: str, definition: Definition) -> None:
        """Nothing is written yet.

        Args:
            ledger: of the run.
            trial: its id.
            definition: of the search.
        """
        self._store, self._path = ledger.store, ledger.trial_path(trial, METRICS)
        self._watched = definition.watched if definition.early_stopping.rules else None
        self._written_at = -math.inf
        self._written: list[Report] = []

    def write(self, reports: Sequence[Report], age: float, *, now: bool = False) -> None:
        """Replace the file, unless it was just written and need not be `now`; the latest values ride along.

        Args:
            reports: all so far.
            age: of the trial, in seconds.
            now: whether it cannot wait.
        """
        if not reports or list(reports) == self._written:
            return
        pause = _INTERVAL.shortest if self._watched else _INTERVAL.pause(self._store, age)
        if not now and time.monotonic() - self._written_at < pause:
            return
        lines = [json.dumps({"epoch": report.epoch, "seconds": report.seconds} | report.metrics) for report in reports]
        watched = curve(reports, self._watched) if self._watched else None
        content = "".join(f"{line}\n" for line in lines).encode()
        self._store.put(self._path, content, curve_metadata(lines[-1], watched))
        self._written_at = time.monotonic()
        self._written = list(reports)
