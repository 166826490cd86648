"""What every strategy must pass. Subclass `StrategyConformance` and give it a `strategy` fixture."""

import math
import random
from dataclasses import replace

import pytest

from windtunnel.errors import SearchError
from windtunnel.ledger import State
from windtunnel.objectives.constraint import Constraint
from windtunnel.space import Space
from windtunnel.strategies import Problem, Strategy, Trial

GRID = {"layers": {"type": "int", "low": 1, "high": 6}, "kernel": [1, 3, 5], "wide": {"type": "bool"}}
MIXED = GRID | {
    "lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "width": {"type": "int", "low": 1, "high": 1000, "log": True},
    "drop": {"type": "float", "low": 0, "high": 0.5, "step": 0.1},
    "shape": [[8, 8], {"deep": True}, None, "flat"],
}
NESTED = GRID | {
    "optimizer": ["adam", "sgd"],
    "momentum": {"type": "float", "low": 0, "high": 1, "when": {"optimizer": "sgd"}},
    "blocks": {"type": "list", "max_length": 3, "of": {"filters": [4, 8], "skip": {"type": "bool"}}},
    "head": {"type": "one_of", "options": {"none": None, "mlp": {"hidden": {"type": "int", "low": 1, "high": 64}}}},
    "inputs": {"type": "sublist_of", "choices": ["a", "b", "c"], "min_length": 1},
}
GRAPHS = GRID | {"graph": {"type": "tests.workloads.graphs.Graphs", "options": {"nodes": 5}}}
FINITE = {
    "layers": {"type": "int", "low": 1, "high": 3},
    "kernel": [1],
    "wide": {"type": "bool"},
    "rate": {"type": "randint", "upper": 2, "when": {"wide": True}},
    "blocks": {"type": "list", "max_length": 2, "of": [4, 8]},
}
SPACES = [GRID, MIXED, NESTED, GRAPHS]
NAMES = ["grid", "mixed", "nested", "graphs"]
TWO = {"accuracy": "maximize", "flops": "minimize"}


def cost(params):
    return {"flops": float(params["layers"] * params["kernel"] ** 2 * (1 + params["wide"]))}


def problem(space=GRID, objectives=TWO, limit=None, known=cost):
    constraints = {} if limit is None else {"flops": Constraint(max=limit)}
    return Problem(Space.parse(space), objectives, constraints, known)


def observed(task, suggestion, number, iteration=1):
    """The trial of a suggestion: values that depend on its parameters alone."""
    rng = random.Random(str(sorted(suggestion.params.items())))
    values = {name: rng.random() for name in task.objectives} | task.known(suggestion.params)
    return Trial.of(
        params=suggestion.params,
        config=f"{number:016x}",
        iteration=iteration,
        objectives={name: values[name] for name in task.objectives},
        known=task.known(suggestion.params),
        parents=suggestion.parents,
    )


def changed(trial, **fields):
    """The trial with other fields, such as a state."""
    names = ("params", "config", "iteration", "objectives", "violation", "known", "parents")
    return Trial.of(**{name: getattr(trial, name) for name in names} | fields)


def searched(strategy, task, iterations, n=8, seed=0, change=lambda trial: trial):
    """The history after so many iterations, each trial changed as told."""
    history = []
    for iteration in range(1, iterations + 1):
        batch = strategy.suggest(task, history, n, seed, iteration)
        seen = [observed(task, one, len(history) + i, iteration) for i, one in enumerate(batch.suggestions)]
        history += map(change, seen)
    return history


def keys(task, suggestions):
    return [task.space.key(task.canonical(one.params)) for one in suggestions]


class StrategyConformance:
    """A strategy keeps its promises.

    Attributes:
        random_by: what changes the first batch: a sequence that goes on through the iterations knows the seed alone.
    """

    random_by = ("seed", "iteration")

    @pytest.fixture
    def strategy(self) -> Strategy:
        raise NotImplementedError("give the strategy")

    # Repetition

    @pytest.mark.parametrize("space", SPACES, ids=NAMES)
    def test_the_same_history_gives_the_same_batch(self, strategy, space):
        task = problem(space)
        history = searched(strategy, task, 2)
        first = strategy.suggest(task, history, 8, 7, 3)
        assert strategy.suggest(task, history, 8, 7, 3) == first

    def test_state_does_not_leak_from_call_to_call(self, strategy):
        task = problem()
        history = searched(strategy, task, 2)
        first = strategy.suggest(task, history, 8, 7, 3)
        strategy.suggest(problem(MIXED), [], 8, 0, 1)
        random.seed(5)
        assert strategy.suggest(task, history, 8, 7, 3) == first

    def test_seed_and_iteration_decide_the_randomness(self, strategy):
        task = problem(MIXED)
        which = ((0, 1), (1, 1), (0, 2))
        batches = [sorted(keys(task, strategy.suggest(task, [], 8, *one).suggestions)) for one in which]
        assert (batches[0] != batches[1]) == ("seed" in self.random_by)
        assert (batches[0] != batches[2]) == ("iteration" in self.random_by)

    # What a batch is

    @pytest.mark.parametrize("space", SPACES, ids=NAMES)
    def test_a_batch_has_as_many_as_asked_for_all_new_and_different(self, strategy, space):
        task = problem(space)
        history = searched(strategy, task, 2, n=5)
        for n in (1, 2, 16):
            batch = strategy.suggest(task, history, n, 0, 3)
            assert len(batch.suggestions) == n
            assert batch.note == ""
            suggested = keys(task, batch.suggestions)
            assert len(set(suggested)) == n
            assert not set(suggested) & set(keys(task, history))

    @pytest.mark.parametrize("space", SPACES, ids=NAMES)
    def test_suggestions_are_canonical_members_of_the_space(self, strategy, space):
        task = problem(space)
        for one in searched(strategy, task, 3):
            assert task.canonical(one.params) == one.params
            assert list(one.params) == [name for name in space if name in one.params]

    def test_parents_are_configurations_of_the_history(self, strategy):
        task = problem()
        history = searched(strategy, task, 4)
        assert {parent for one in history for parent in one.parents} <= {one.config for one in history}

    @pytest.mark.parametrize("space", [GRID, FINITE], ids=["grid", "nested"])
    def test_a_space_is_used_up_to_the_last_configuration_and_then_says_so(self, strategy, space):
        task = problem(space)
        history, notes = [], []
        whole = task.space.size() // 8
        for iteration in range(1, whole + 4):
            batch = strategy.suggest(task, history, 8, 0, iteration)
            history += [observed(task, one, len(history) + i) for i, one in enumerate(batch.suggestions)]
            notes.append(batch.note)
        assert sorted(keys(task, history)) == sorted(map(task.space.key, task.space.enumerate()))
        assert notes[:whole] == [""] * whole
        assert all("used up" in note for note in notes[whole:])

    def test_a_space_of_one_configuration(self, strategy):
        task = problem({"layers": [2], "kernel": [3], "wide": [True]})
        batch = strategy.suggest(task, [], 4, 0, 1)
        assert [one.params for one in batch.suggestions] == [{"layers": 2, "kernel": 3, "wide": True}]
        again = strategy.suggest(task, [observed(task, batch.suggestions[0], 0)], 4, 0, 2)
        assert again.suggestions == []
        assert again.note

    # Objectives

    @pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
    def test_any_number_of_objectives(self, strategy, number):
        names = {f"value_{i}": "maximize" if i % 2 else "minimize" for i in range(number)}
        assert len(searched(strategy, problem(MIXED, names), 4)) == 32

    # Constraints

    def test_what_breaks_a_known_constraint_is_never_suggested(self, strategy):
        task = problem(limit=20)
        history = searched(strategy, task, 6)
        assert history
        assert all(cost(one.params)["flops"] <= 20 for one in history)
        possible = [params for params in task.space.enumerate() if cost(params)["flops"] <= 20]
        assert len(history) == len(possible)

    def test_a_few_feasible_configurations_among_many_are_found(self, strategy):
        space = {"layers": {"type": "int", "low": 1, "high": 20_000}, "kernel": [1], "wide": [False]}
        batch = strategy.suggest(problem(space, limit=3), [], 3, 0, 1)
        assert sorted(one.params["layers"] for one in batch.suggestions) == [1, 2, 3]

    def test_constraints_that_chance_hardly_ever_keeps_are_kept(self, strategy):
        """By one configuration in some ten millions."""
        space = {f"n{i}": {"type": "int", "low": 1, "high": 10_000} for i in range(6)}
        task = problem(space, limit=6_000, known=lambda params: {"flops": float(sum(params.values()))})
        batch = strategy.suggest(task, [], 2, 0, 1)
        assert len(batch.suggestions) == 2
        assert all(sum(one.params.values()) <= 6_000 for one in batch.suggestions)

    @pytest.mark.parametrize("space", [GRID, MIXED])
    def test_constraints_that_nothing_keeps_are_one_clear_error(self, strategy, space):
        with pytest.raises(SearchError, match=r"flops .* is above 0\.5"):
            strategy.suggest(problem(space, limit=0.5), [], 4, 0, 1)

    def test_unknown_constraints_do_not_stop_a_suggestion(self, strategy):
        task = replace(problem(), constraints={"latency_ms": Constraint(max=1.0)})
        assert len(strategy.suggest(task, [], 4, 0, 1).suggestions) == 4

    # What histories hold

    def test_a_history_of_failures_only(self, strategy):
        fail = lambda seen: changed(seen, state=State.FAILED, objectives={})  # noqa: E731
        assert len(searched(strategy, problem(MIXED), 3, change=fail)) == 24

    def test_failures_infeasible_and_pending_trials_are_neither_repeated_nor_bred_from(self, strategy):
        best = {"accuracy": 2.0, "flops": -1.0}  # what a trial may have reported before it failed

        def change(seen):
            kind = int(seen.config, 16) % 6
            if kind == 0:
                return changed(seen, state=State.FAILED, objectives=best)
            if kind == 1:
                return changed(seen, state=State.INFEASIBLE, objectives={})
            if kind == 2:
                return changed(seen, state=None, objectives=best)
            if kind == 3:
                return changed(seen, violation=0.5, objectives=best)
            if kind == 4:
                return changed(seen, objectives={"accuracy": math.nan, "flops": math.nan})
            return seen

        task = problem(MIXED)
        history = searched(strategy, task, 6, change=change)
        assert len(set(keys(task, history))) == len(history) == 48
        assert {int(parent, 16) % 6 for one in history for parent in one.parents} <= {5}

    def test_trials_of_another_space_do_no_harm(self, strategy):
        best = {"accuracy": 2.0, "flops": -1.0}
        foreign = [
            Trial.of(params={"layers": 99, "kernel": 1, "wide": True}, config="a" * 16, objectives=best),
            Trial.of(params={"other": 1}, config="b" * 16, objectives=best),
        ]
        task = problem()
        batch = strategy.suggest(task, foreign, 8, 0, 1)
        assert len(batch.suggestions) == 8
        assert all(task.space.contains(one.params) for one in batch.suggestions)

    @pytest.mark.slow
    @pytest.mark.long
    @pytest.mark.parametrize("space", [MIXED, NESTED, GRAPHS, {"layers": {"type": "int", "low": 1, "high": 10_004}}])
    def test_a_history_of_ten_thousand_is_searched_on(self, strategy, space):
        flops = lambda params: {"flops": float(params["layers"])}  # noqa: E731
        task = problem(space, known=flops)
        rng = random.Random(0)
        params = {}
        while len(params) < 10_000:
            one = task.canonical(task.space.sample(rng)) if "wide" in space else {"layers": len(params) + 1}
            params[task.space.key(one)] = one
        history = [
            Trial.of(params=one, config=f"{i:016x}", objectives={"accuracy": rng.random(), **flops(one)})
            for i, one in enumerate(params.values())
        ]
        batch = strategy.suggest(task, history, 16, 0, 50)
        assert len(batch.suggestions) == (16 if "wide" in space else 4)
