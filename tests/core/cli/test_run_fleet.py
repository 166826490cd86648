"""`windtunnel run` with a fleet's file."""

import pytest

from tests.fleets import ECHO, RAW
from windtunnel.cli import main


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("WINDTUNNEL_STORE", str(tmp_path / "runs"))
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    (tmp_path / "raw.csv").write_text(RAW)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "entry.py").write_text(ECHO)
    file = tmp_path / "toy.yaml"
    file.write_text("kind: fleet\ndata: raw.csv\nsplit: {keys: [tenant]}\nentry_script: code/entry.py\n")
    return file


def test_a_choice_that_there_is_not_is_an_error(file, capsys):
    assert main(["run", str(file), "--set", "partitons=[]"]) == 2
    assert "--set partitons: no such choice (did you mean 'partitions'?)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_fleet_is_performed_and_the_next_run_takes_it_over(file, capsys):
    assert main(["run", str(file), "--set", "parallel=1"]) == 0
    assert "3 of 3 partitions trained" in capsys.readouterr().out
    assert main(["run", str(file)]) == 0
    said = capsys.readouterr().out
    assert "0 of 0 partitions trained, 3 taken over" in said
    assert "gathered/leaderboard.csv" in said
    assert "report.html" in said
