"""What a terminal shows of a fleet's run."""

from tests.fleets import fleet_from, prepared, succeed
from windtunnel.report import FleetReader
from windtunnel_airflow.run.fleet import FleetDisplay


def test_a_line_comes_when_more_is_done_and_not_whenever_the_pace_is_another(tmp_path, capsys):
    ledger, _, plan = prepared(tmp_path, fleet_from(tmp_path))
    paces = iter((0.1, 0.2, 0.3, 0.4))
    reader = FleetReader(ledger)
    reader._pace = lambda plan, *, works: (next(paces), 9.0)
    with FleetDisplay(reader, "toy: run run") as display:
        display.update(now=True)
        display.update(now=True)
        succeed(ledger, plan, 0)
        display.update(now=True)
        display.update(now=True)
    assert capsys.readouterr().out.splitlines() == [
        "toy: run run",
        "  0 of 3 partitions trained · 0.1 partitions a second · 9.0 s left",
        "  1 of 3 partitions trained · 0.3 partitions a second · 9.0 s left",
    ]
