"""What the user's evaluation gets."""

from windtunnel_trainer.fleet.evaluation import Table


def test_a_gathered_text_may_be_long(tmp_path):
    (tmp_path / "rows.csv").write_text(f"tenant,note\n1,{'x' * 200_000}\n")
    (row,) = Table(tmp_path / "rows.csv", tmp_path / "leaderboard.csv").rows()
    assert len(row["note"]) == 200_000
