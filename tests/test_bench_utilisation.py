"""The benchmark of utilisation simulates by a run's own rules."""

import itertools
import random

import pytest

from benchmarks import utilisation
from windtunnel.definition import load_definition

MINUTES = 180.0


@pytest.fixture(scope="module")
def drawn():
    of = load_definition(utilisation.SEARCH)
    return [list(itertools.islice(utilisation.networks(of, random.Random(seed)), 740)) for seed in range(2)]


@pytest.mark.parametrize(("lanes", "trials", "target"), [(8, 74, 0.83), (8, 740, 0.97), (16, 740, 0.93)])
def test_continuous_lanes_are_as_busy_as_they_must_be(drawn, lanes, trials, target):
    of = utilisation.sized(lanes, trials)
    assert utilisation.mean_busy(of, 5.0, MINUTES, drawn) >= target
    barrier = utilisation.sized(lanes, trials, continuous=False)
    assert utilisation.mean_busy(barrier, 5.0, MINUTES, drawn) < 0.6


def test_a_turn_costs_where_trials_are_short(drawn):
    of = utilisation.sized(8, 74)
    free, short, long = (utilisation.mean_busy(of, *case, drawn) for case in ((0.0, 1.0), (20.0, 1.0), (20.0, 600.0)))
    assert short < 0.3 < 0.8 < min(free, long)


def test_lanes_that_never_wait_are_busy_all_the_time():
    networks = utilisation.networks(load_definition(utilisation.SEARCH), random.Random(0))
    same = [request.model_copy(update={"cost": 1.0}) for request in itertools.islice(networks, 80)]
    of = utilisation.sized(8, 80)
    simulation = utilisation.Simulation(of, lambda request: 60.0, lambda n: [same.pop() for _ in range(n)], 1.0)
    assert simulation.busy() == pytest.approx(1.0, abs=0.01)
    assert len(simulation.ended) == 80 and not simulation.underway


def test_the_benchmark_runs(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["utilisation.py", "--seeds", "1"])
    monkeypatch.setattr(utilisation, "TARGETS", {(8, 74): 0.8})
    monkeypatch.setattr(utilisation, "MEANS", (3.0, 180.0))
    utilisation.main()
    told = capsys.readouterr().out
    assert "costs below" in told and "All targets are reached." in told
