import random
from itertools import pairwise

import numpy as np
import pytest

from tests.conformance.strategies import GRID, StrategyConformance, problem, searched
from windtunnel.bound import Bound
from windtunnel.space import Space
from windtunnel.strategies import Problem, Trial, get_strategy
from windtunnel.strategies.pareto.evidence import Evidence


class TestPareto(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return get_strategy("pareto")


def suggested(problem, history, n=8, iteration=2, **options):
    return get_strategy("pareto", options).suggest(problem, history, n, 0, iteration).suggestions


def test_a_known_objective_is_not_predicted():
    task = problem(GRID)
    history = searched(get_strategy("pareto"), task, 2, n=8)
    notes = [one.note for one in suggested(task, history, iteration=3)]
    assert {note["from"] for note in notes} == {"model"}
    assert all(list(note["expected"]) == ["accuracy"] for note in notes)
    learnt = suggested(task, history, iteration=3, exact=False)
    assert all(sorted(one.note["expected"]) == ["accuracy", "flops"] for one in learnt)


def test_the_first_trials_cover_the_known_objective():
    space = {f"p{i}": {"type": "int", "low": 0, "high": 9} for i in range(5)}
    task = Problem(
        Space.parse(space), {"error": "minimize", "size": "minimize"}, {}, lambda p: {"size": sum(p.values())}
    )
    sizes = sorted(sum(one.params.values()) for one in suggested(task, [], n=9, iteration=1))
    assert max(b - a for a, b in pairwise(sizes)) < 12
    assert sizes[-1] - sizes[0] > 25


def test_a_single_objective_comes_near_its_optimum():
    """A smooth function of two numbers, 40 trials."""
    space = {"x": {"type": "float", "low": 0, "high": 1}, "y": {"type": "float", "low": 0, "high": 1}}
    task = Problem(Space.parse(space), {"loss": "minimize"})
    history = run(task, lambda p: {"loss": (p["x"] - 0.3) ** 2 + (p["y"] - 0.7) ** 2}, trials=40, batch=4)
    assert min(one.objectives["loss"] for one in history) < 1e-3


def test_values_after_fewer_epochs_are_learnt_from():
    """Trials that were stopped early tell where the good ones are."""
    space = {"x": {"type": "float", "low": 0, "high": 1}}
    task = Problem(Space.parse(space), {"loss": "minimize"})
    history = [
        Trial.of(
            params={"x": round(i / 20, 6)},
            config=f"{i:016x}",
            objectives={"loss": abs(i / 20 - 0.8) + (0.5 if i % 5 else 0.0)},
            epochs=1.0 if i % 5 else 9.0,
        )
        for i in range(21)
    ]
    best = suggested(task, history, n=1)[0].params["x"]
    assert abs(best - 0.8) < 0.06


def test_what_late_trials_have_reported_is_no_final_value():
    """Early values are worse by one; taken for final ones, they would speak against the best region."""
    space = {"x": {"type": "float", "low": 0, "high": 1}}
    task = Problem(Space.parse(space), {"loss": "minimize"})
    history = []
    for i in range(14):
        x = round(i / 14, 6)
        early = {1.0: {"loss": abs(x - 0.8) + 1}}
        end = {"state": None} if x > 0.6 else {"objectives": {"loss": abs(x - 0.8)}}
        history.append(Trial.of(params={"x": x}, config=f"{i:016x}", epochs=9.0, earlier=early, **end))
    best = suggested(task, history, n=1)[0].params["x"]
    assert abs(best - 0.8) < 0.06


def test_rows_are_of_the_epochs_that_something_is_known_of():
    task = Problem(Space.parse({"x": [1, 2, 3]}), {"loss": "minimize"})
    early = {1.0: {"loss": 3.0}, 3.0: {"loss": 2.0}}
    past = [
        Trial.of(params={"x": 1}, config="a", objectives={"loss": 1.0}, epochs=3.0, earlier={1.0: {"loss": 2.0}}),
        Trial.of(params={"x": 2}, config="b", state=None, epochs=9.0, earlier=early),
    ]
    evidence = Evidence(task, [(one.params, one) for one in past], np.random.default_rng(0))
    assert evidence.epochs == 3
    assert [row.epochs for row in evidence.rows(earlier=True)] == [3, 1, 3, 1]
    assert [row.epochs for row in evidence.rows(earlier=False)] == [3, 3]


def run(task, truth, trials, batch, **options):
    history = []
    while len(history) < trials:
        for one in suggested(task, history, batch, len(history) // batch + 1, **options):
            values = truth(one.params)
            history.append(
                Trial.of(
                    params=one.params,
                    config=f"{len(history):016x}",
                    objectives=values,
                )
            )
    return history


def test_constraints_that_random_draws_never_keep_leave_the_model_at_work():
    """All but one draw in some thousands break the bound; the best trials' neighbours keep it."""
    space = {f"x{i}": {"type": "float", "low": 0, "high": 1} for i in range(6)}
    size = lambda params: {"size": sum(params.values())}  # noqa: E731
    task = Problem(Space.parse(space), {"loss": "minimize"}, {"size": Bound(max=0.6)}, size)
    rng = random.Random(0)
    history = []
    for number in range(20):
        params = {name: round(0.09 * rng.random(), 6) for name in space}
        loss = sum((value - 0.05) ** 2 for value in params.values())
        history.append(Trial.of(params=params, config=f"{number:016x}", objectives={"loss": loss}, known=size(params)))
    batch = suggested(task, history, n=8)
    assert len(batch) == 8
    assert {one.note["from"] for one in batch} == {"model"}


def test_what_is_under_way_is_remembered_among_very_many():
    task = problem(GRID)
    waiting = [Trial.of(params=params, config="", state=None) for params in list(task.space.enumerate())[:5]]
    ended = [
        (params, Trial.of(params=params, config=f"{place:016x}", objectives={"accuracy": 0.5, "flops": 1.0}))
        for place, params in enumerate(list(task.space.enumerate())[5:] * 100)
    ]
    past = [*((one.params, one) for one in waiting), *ended]
    evidence = Evidence(task, past, np.random.default_rng(0))
    assert len(evidence.trials) < len(past)
    assert sum(not trial.ended for trial in evidence.trials) == 5
