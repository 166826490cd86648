"""What the user's evaluation gets."""

import pytest

from tests.fleets import fleet_from, prepared
from windtunnel.fleet.beginning import EVALUATION
from windtunnel.fleet.gathering import gather
from windtunnel_trainer.fleet.evaluation import Table, run_evaluation


def test_a_gathered_text_may_be_long(tmp_path):
    (tmp_path / "rows.csv").write_text(f"tenant,note\n1,{'x' * 200_000}\n")
    (row,) = Table(tmp_path / "rows.csv", tmp_path / "leaderboard.csv").rows()
    assert len(row["note"]) == 200_000


@pytest.mark.parametrize(
    ("returned", "metrics", "message"),
    [
        ("{'mean': 2, 'none': float('nan')}", {"mean": 2.0, "none": None}, ""),
        ("None", {}, ""),
        ("0.5", {}, "the evaluation returned float; allowed: numbers by name, or nothing"),
        ("{'name': 'x'}", {}, 'the evaluation returned name: "x"; allowed: a number'),
    ],
)
def test_an_evaluation_returns_numbers_by_name(tmp_path, monkeypatch, returned, metrics, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["here"])
    code = f"def run(mini_batch):\n    return []\ndef evaluate(table):\n    return {returned}\n"
    fleet = fleet_from(tmp_path, code=code)
    ledger, partitions, plan = prepared(tmp_path, fleet)
    gather(ledger, fleet, plan, partitions)
    assert run_evaluation(ledger) == bool(message)
    result = ledger.result(EVALUATION)
    assert result.metrics == metrics and message in result.message
