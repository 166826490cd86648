import pytest

from tests.conformance.strategies import MIXED, StrategyConformance, cost, problem, searched
from windtunnel.objectives.front import fittest
from windtunnel.strategies import get_strategy


class TestNSGA2(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return get_strategy("nsga2")


def test_parents_are_the_best_of_all_that_was_seen():
    task = problem(MIXED)
    history = searched(get_strategy("nsga2", {"population": 4}), task, 6, n=8)
    for iteration in range(2, 7):
        before = [seen for seen in history if seen.iteration < iteration]
        best = {seen.config for seen in fittest(before, task.objectives)[:4]}
        parents = {parent for seen in history if seen.iteration == iteration for parent in seen.parents}
        assert parents
        assert parents <= best


def test_the_better_of_two_is_the_more_frequent_parent():
    task = problem(MIXED)
    history = searched(get_strategy("random"), task, 1, n=20)
    order = [seen.config for seen in fittest(history, task.objectives)]
    batch = get_strategy("nsga2", {"population": 10, "crossover_probability": 0.0}).suggest(task, history, 200, 0, 2)
    places = [order.index(parent) for one in batch.suggestions for parent in one.parents]
    assert max(places) < 10
    assert sum(place < 5 for place in places) > 0.65 * len(places)  # 3 of 4, were it not for luck


def test_children_that_break_a_constraint_are_repaired():
    task = problem(MIXED, limit=30)
    history = searched(get_strategy("nsga2"), task, 4, n=10)
    bred = [seen for seen in history if seen.parents]
    assert len(bred) > 20
    assert all(cost(seen.params)["flops"] <= 30 for seen in history)
