"""`windtunnel run` with a fleet's file."""

import signal

import pytest

from tests.fleets import ECHO, RAW
from windtunnel.cli import main
from windtunnel.errors import Stopped
from windtunnel.fleet.planning import RunChoice


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


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("partitons=[]", "partitons: no such choice (did you mean 'partitions'?)"),
        ("parallel=abc", 'parallel: found "abc"; allowed: a whole number'),
        ("parallel=0", "parallel: found 0; allowed: above 0"),
        ("parallel=true", "parallel: found true; allowed: a whole number"),
        ("force=maybe", 'force: found "maybe"; allowed: true or false'),
        ("only_failed=1", "only_failed: found 1; allowed: true or false"),
        ("partitions=1.5", "partitions[0]: found 1.5; allowed: text (put it in quotes)"),
        ('partitions={"tenant": 1}', 'partitions[0]: found {"tenant": 1}; allowed: text (put it in quotes)'),
    ],
)
def test_a_wrong_choice_is_one_clear_error_and_begins_nothing(file, capsys, choice, told):
    assert main(["run", str(file), "--set", choice]) == 2
    said = capsys.readouterr().err
    assert f"--set {told}" in said and len(said.splitlines()) == 1
    assert not (file.parent / "runs").exists()


@pytest.mark.parametrize(
    ("given", "names"), [(7, ["7"]), ("tenant_1*", ["tenant_1*"]), ([1, "b"], ["1", "b"]), ("", [])]
)
def test_partitions_are_named_by_a_list_or_by_one_name_or_number(given, names):
    assert RunChoice(partitions=given).partitions == names


def test_a_run_to_go_on_with_is_named_beside_the_choices(file, capsys):
    assert main(["run", str(file), "--set", "resume=2026-01-01T00-00-00"]) == 2
    assert "there is no run '2026-01-01T00-00-00'" in capsys.readouterr().err


def test_a_command_that_is_stopped_says_what_goes_on_with_its_run(file, capsys, monkeypatch):
    def stop(engine):
        raise Stopped(signal.SIGINT)

    monkeypatch.setattr("windtunnel.engine.fleet.FleetEngine.perform", stop)
    assert main(["run", str(file)]) == 130
    assert "Nothing runs any more. The same command goes on with run " in capsys.readouterr().out


@pytest.mark.slow
def test_a_fleet_is_performed_and_the_next_run_takes_it_over(file, capsys):
    assert main(["run", str(file), "--set", "parallel=1"]) == 0
    assert "3 of 3 partitions trained" in capsys.readouterr().out
    assert main(["run", str(file)]) == 0
    said = capsys.readouterr().out
    assert "0 of 0 partitions trained, 3 taken over" in said
    assert "gathered/leaderboard.csv" in said
    assert "report.html" in said
