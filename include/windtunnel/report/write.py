"""The report's files, written beside the other results of a run."""

import logging
from dataclasses import replace

from windtunnel.fleet.gathering import gathered, merge_logs
from windtunnel.fleet.publishing import summary
from windtunnel.fleet.records import read_plan
from windtunnel.ledger import Decision, Ledger
from windtunnel.ledger.writer import Heart
from windtunnel.report.fleet import FleetReader, is_fleets
from windtunnel.report.html import render, render_fleet
from windtunnel.report.pages import plotly_js
from windtunnel.report.picture import EXTRA, draw
from windtunnel.report.reader import collect

_log = logging.getLogger(__name__)


def write_report(ledger: Ledger, *, over: str = "") -> None:
    """Write `report.html` of a run, finished or under way, replacing what was there.

    Beside it is `pareto.png` of a search; of a fleet `report.txt`, and the log of all lanes, which bring its end last.

    Charts need plotly and the picture needs matplotlib; without one of them the rest is written and the log says so.

    Args:
        ledger: of the run.
        over: why the run failed, where it is at its end: what still runs is about to be cancelled.

    Raises:
        LedgerError: the run has not begun.
    """
    if is_fleets(ledger):
        _write_fleets(ledger)
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


def _write_fleets(ledger: Ledger) -> None:
    if gathered(ledger) is not None:
        merge_logs(ledger, Heart(None))  # whoever asks for the report need not be at work on the run
    plan = read_plan(ledger)
    if plan is not None:
        ledger.store.put(ledger.path("report.txt"), "\n".join(summary(ledger, plan)).encode() + b"\n")
    ledger.store.put(ledger.path("report.html"), render_fleet(FleetReader(ledger).read()).encode())
