"""The report's files, written beside the other results of a run."""

import logging
from dataclasses import replace

from windtunnel.fleet.gathering import gathered, merge_logs
from windtunnel.ledger import Decision, Ledger
from windtunnel.report.fleet import FleetReader, is_fleets
from windtunnel.report.html import render, render_fleet
from windtunnel.report.pages import plotly_js
from windtunnel.report.picture import EXTRA, draw
from windtunnel.report.reader import collect

_log = logging.getLogger(__name__)


def write_report(ledger: Ledger, *, over: str = "") -> None:
    """Write `report.html`, and of a search `pareto.png`, of a run, finished or under way, replacing what was there.

    Charts need plotly and the picture needs matplotlib; without one of them the rest is written and the log says so.

    Args:
        ledger: of the run.
        over: why the run failed, where it is at its end: what still runs is about to be cancelled.

    Raises:
        LedgerError: the run has not begun.
    """
    if is_fleets(ledger):
        if gathered(ledger) is not None:
            merge_logs(ledger)
        ledger.store.put(ledger.path("report.html"), render_fleet(FleetReader(ledger).read()).encode())
        return
    snapshot = collect(ledger)
    if over and snapshot.works:
        snapshot = replace(snapshot, end=Decision(what="failed", reason=over))
    if not plotly_js():
        _log.warning("report.html has no charts, for plotly is missing: %s", EXTRA)
    ledger.store.put(ledger.path("report.html"), render(snapshot, ledger).encode())
    try:
        picture = draw(snapshot)
    except ImportError:
        _log.warning("there is no pareto.png, for matplotlib is missing: %s", EXTRA)
    else:
        ledger.store.put(ledger.path("pareto.png"), picture)
