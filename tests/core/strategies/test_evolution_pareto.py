import statistics
from itertools import pairwise

import pytest

from tests.conformance.strategies import GRID, MIXED, StrategyConformance, observed, problem, searched
from windtunnel.objectives.front import hypervolume, pareto_front
from windtunnel.space import Space
from windtunnel.strategies import Problem, Trial, get_strategy


class TestEvolutionPareto(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return get_strategy("evolution_pareto")


class TestOnlyMutants(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return get_strategy("evolution_pareto", {"num_random_mix": 0, "num_crossovers": 0, "mutation_probability": 0.0})


def differing(first, second):
    return sum(first[name] != second[name] for name in first)


def bred(iterations=6):
    task = problem(MIXED)
    history = searched(get_strategy("evolution_pareto"), task, iterations, n=16)
    return history, {one.config: one for one in history}


def test_the_defaults_are_archais():
    options = get_strategy("evolution_pareto").options
    assert options.model_dump() == {
        "num_random_mix": 5,
        "num_crossovers": 5,
        "mutations_per_parent": 1,
        "mutation_probability": 0.3,
    }


def test_parents_are_on_the_front_of_their_time():
    history, _ = bred()
    for one in history:
        before = [seen for seen in history if seen.iteration < one.iteration]
        front = {member.config for member in pareto_front(before, problem(MIXED).objectives)}
        assert set(one.parents) <= front


def test_mutants_and_children_differ_from_their_parents():
    history, by_config = bred()
    children = [one for one in history if len(one.parents) == 2]
    mutants = [one for one in history if len(one.parents) == 1]
    assert len(children) > 5
    assert len(mutants) > 5
    for one in children + mutants:
        assert all(differing(one.params, by_config[parent].params) for parent in one.parents)


def test_a_child_has_every_parameter_from_one_of_two_different_parents():
    history, by_config = bred()
    for one in history:
        if len(one.parents) == 2:
            first, second = (by_config[parent].params for parent in one.parents)
            assert first != second
            assert all(value in (first[name], second[name]) for name, value in one.params.items())


def test_a_batch_is_mixed_as_the_options_say():
    task = problem(MIXED)
    history = searched(get_strategy("random"), task, 1, n=20)
    members = len(pareto_front(history, task.objectives))
    assert members > 2
    strategy = get_strategy("evolution_pareto", {"num_random_mix": 3, "num_crossovers": 4, "mutations_per_parent": 2})
    batch = strategy.suggest(task, history, 2 * members + 7, 0, 2)
    origins = [one.note["from"] for one in batch.suggestions]
    assert (origins.count("mutation"), origins.count("crossover"), origins.count("random")) == (2 * members, 4, 3)


def test_a_front_of_one_is_mutated_and_not_crossed():
    task = problem(GRID, {"flops": "minimize"})
    only = observed(task, get_strategy("random").suggest(task, [], 1, 0, 1).suggestions[0], 0)
    origins = {one.note["from"] for one in get_strategy("evolution_pareto").suggest(task, [only], 8, 0, 2).suggestions}
    assert origins == {"mutation", "random"}


def test_breeding_starts_from_the_canonical_form():
    only = Trial.of(params={"wide": True, "layers": 3.0, "kernel": 1.0}, config="c" * 16, objectives={"flops": 1.0})
    task = problem(GRID, {"flops": "minimize"})
    batch = get_strategy("evolution_pareto", {"num_random_mix": 0}).suggest(task, [only], 1, 0, 2)
    assert list(batch.suggestions[0].params) == list(GRID)


def test_it_finds_more_of_a_front_than_random_search():
    """Two conflicting objectives over 4,096 configurations, 96 trials, five seeds."""
    space = {f"p{i}": {"type": "int", "low": 0, "high": 3} for i in range(6)}

    def values(params):
        genes = list(params.values())
        size = sum(genes) / 18
        return {"quality": size**0.5 - sum(a != b for a, b in pairwise(genes)) / 10, "size": size}

    task = Problem(Space.parse(space), {"quality": "maximize", "size": "minimize"})

    def volume(name, seed):
        history = []
        for iteration in range(1, 7):
            for one in get_strategy(name).suggest(task, history, 16, seed, iteration).suggestions:
                found = values(one.params)
                history.append(Trial.of(params=one.params, config=f"{len(history):016x}", objectives=found))
        return hypervolume(history, task.objectives, [-1.0, 1.1])

    evolved, drawn = ([volume(name, seed) for seed in range(5)] for name in ("evolution_pareto", "random"))
    assert statistics.mean(evolved) > statistics.mean(drawn) * 1.02
