"""The benchmark of early stopping replays its curves."""

from benchmarks import stopping
from tests.installed import ROOT
from windtunnel.definition.early_stopping import EarlyStopping

OBJECTIVES = stopping.PROBLEMS["accuracy and FLOPs"]


def test_the_benchmark_runs(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["stopping.py", "--seeds", "1", "--configurations", "12"])
    stopping.main()
    told = capsys.readouterr().out
    assert "halving rungs [3, 9], factor 2" in told
    assert told.count("of the front's hypervolume on average") == 2 * len(stopping.EQUAL)
    assert "bench-stopping" in (ROOT / "Makefile").read_text()


def test_no_stopping_saves_nothing_and_loses_nothing():
    networks = stopping.load()[:20]
    reached = stopping.by_rules(EarlyStopping(), networks, OBJECTIVES)
    assert set(reached.values()) == {27}
    assert stopping.measure(reached, networks, OBJECTIVES) == stopping.Outcome(0.0, 100.0, 100.0)


def test_halving_trains_to_rungs_only_and_saves_epochs():
    networks = stopping.load()[:20]
    early = EarlyStopping.model_validate({"halving": {"rungs": [3, 9], "factor": 2}})
    reached = stopping.by_halving(early, networks, OBJECTIVES)
    assert set(reached) == set(networks)
    assert set(reached.values()) == {3, 9, 27}
    assert 0 < stopping.measure(reached, networks, OBJECTIVES).saved < 100
