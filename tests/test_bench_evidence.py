"""The benchmark of what is not a plain result searches among real learning curves."""

import pytest

from benchmarks import evidence
from benchmarks.evidence import EPOCHS, FIRST_RUNG, Circumstances
from tests.installed import ROOT
from windtunnel.ledger import State


def test_the_benchmark_prints_a_line_for_each_circumstance(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["evidence.py", "--seeds", "1"])
    monkeypatch.setattr(evidence, "MARKS", (8, 16))
    evidence.main()
    told = capsys.readouterr().out
    assert all(f"| {title} | " in told for title in evidence.LINES)
    assert "bench-evidence" in (ROOT / "Makefile").read_text()


def test_late_trials_have_reported_what_their_curves_say():
    whole = evidence.trained({"network": 3}, Circumstances())
    late = evidence.reporting(whole)
    assert late.state is None and not late.objectives
    assert late.earlier == {9: evidence.after({"network": 3}, 9)}


def test_the_fitter_half_is_trained_to_the_end():
    batch = [evidence.trained({"network": network}, Circumstances()) for network in range(6)]
    ended = evidence.promoted(batch)
    assert [one.epochs for one in ended].count(EPOCHS) == 3
    assert all((FIRST_RUNG in one.earlier) == (one.epochs == EPOCHS) for one in ended)


def test_networks_that_end_badly_can_be_failures():
    kept = [evidence.trained({"network": place}, Circumstances()) for place in range(20)]
    some = [evidence.trained({"network": place}, Circumstances(failures=True)) for place in range(20)]
    bad = [one.objectives["accuracy"] < evidence.CRASHED for one in kept]
    assert any(bad) and [one.state is State.FAILED for one in some] == bad


def test_all_networks_have_the_whole_hypervolume():
    every = [evidence.trained({"network": place}, Circumstances()) for place in range(len(evidence.networks()))]
    assert evidence.share(every, Circumstances()) == pytest.approx(100)
    assert evidence.share(every[:3], Circumstances()) < 100
