import statistics

import optuna
import pytest

from tests.conformance.strategies import MIXED, NESTED, StrategyConformance, problem, searched
from windtunnel.ledger import State
from windtunnel.space import Space
from windtunnel.strategies import Problem, Trial, get_strategy


class TestTPE(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return get_strategy("tpe")


def test_optunas_messages_stay_as_they_were(caplog):
    before = optuna.logging.get_verbosity()
    get_strategy("tpe").suggest(problem(MIXED), [], 4, 0, 1)
    assert optuna.logging.get_verbosity() == before
    assert caplog.records == []


def test_every_iteration_draws_other_numbers():
    """With one seed for all iterations, each would suggest the same again as long as nothing is known."""
    task = problem(NESTED)
    batches = [get_strategy("tpe").suggest(task, [], 20, 0, iteration).suggestions for iteration in (1, 2, 3)]
    assert len({task.space.key(one.params) for batch in batches for one in batch}) == 60


def squared(params):
    return {"value": (params["x"] - 0.3) ** 2 + (params["y"] - 0.8) ** 2}


UNIT = {"type": "uniform", "min_value": 0, "max_value": 1}
TASK = Problem(Space.parse({"x": UNIT, "y": UNIT}), {"value": "minimize"})


def best_of(name, seed):
    history = []
    for iteration in range(1, 6):
        for one in get_strategy(name).suggest(TASK, history, 16, seed, iteration).suggestions:
            history.append(Trial.of(params=one.params, config=f"{len(history):016x}", objectives=squared(one.params)))
    return min(seen.objectives["value"] for seen in history)


def test_it_beats_random_search_at_eighty_trials():
    tpe, drawn = ([best_of(name, seed) for seed in range(5)] for name in ("tpe", "random"))
    assert statistics.mean(tpe) < statistics.mean(drawn) / 3


def test_failures_repel():
    """A half of the space in which every trial fails is left, though nothing better is known in the other."""
    history = []
    for iteration in range(1, 6):
        for one in get_strategy("tpe").suggest(TASK, history, 16, 0, iteration).suggestions:
            fails = one.params["x"] < 0.5
            fact = {"state": State.FAILED} if fails else {"objectives": {"value": 1.0}}
            history.append(Trial.of(params=one.params, config=f"{len(history):016x}", iteration=iteration, **fact))
    last = [seen for seen in history if seen.iteration >= 4]
    assert sum(seen.state is State.FAILED for seen in last) < 0.25 * len(last)


def test_what_is_under_way_repels():
    """Batches would be near copies of one suggestion, did those asked for not count."""
    history = searched(get_strategy("random"), TASK, 2, n=20)
    batch = get_strategy("tpe").suggest(TASK, history, 20, 0, 3).suggestions
    assert len({round(one.params["x"], 2) for one in batch}) > 10
