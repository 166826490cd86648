import math
import random
from itertools import pairwise

import numpy as np
import pytest

from tests.conformance.strategies import GRID, MIXED, StrategyConformance, cost, problem, searched
from windtunnel.ledger import State
from windtunnel.objectives.constraint import Constraint
from windtunnel.space import Space
from windtunnel.strategies import Problem, Trial, get_strategy
from windtunnel.strategies.pareto import acquisition, training_data
from windtunnel.strategies.pareto.training_data import TrainingData


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


@pytest.mark.parametrize(("objectives", "least", "most"), [(["loss"], 0.1, 0.25), (["loss", "time"], 0.25, 0.45)])
def test_the_first_trials_reach_the_ends_of_ranges_where_there_is_a_front(objectives, least, most):
    space = {f"x{i}": {"type": "float", "low": 0, "high": 1} for i in range(6)}
    task = Problem(Space.parse(space), dict.fromkeys(objectives, "minimize"))
    batches = [get_strategy("pareto").suggest(task, [], 10, seed, 1).suggestions for seed in range(5)]
    values = np.array([[*one.params.values()] for batch in batches for one in batch])
    assert least < ((values < 1 / 6) | (values > 5 / 6)).mean() < most  # a third, if they were drawn at random


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
    data = TrainingData(task, past, np.random.default_rng(0))
    assert data.epochs == 3
    assert [row.epochs for row in data.rows(earlier=True)] == [3, 1, 3, 1]
    assert [row.epochs for row in data.rows(earlier=False)] == [3, 3]


def run(task, truth, trials, batch, **options):
    """A search; trials for which the truth is empty fail."""
    history = []
    while len(history) < trials:
        for one in suggested(task, history, batch, len(history) // batch + 1, **options):
            values = truth(one.params)
            excess = sum(bound.violation(values[name]) for name, bound in task.constraints.items() if name in values)
            history.append(
                Trial.of(
                    params=one.params,
                    config=f"{len(history):016x}",
                    state=State.COMPLETED if values else State.FAILED,
                    objectives={name: values[name] for name in task.objectives if name in values},
                    violation=excess,
                    metrics=values,
                )
            )
    return history


def numbers(count):
    return Space.parse({f"x{i}": {"type": "float", "low": 0, "high": 1} for i in range(count)})


def feasible(history):
    return [one for one in history if one.violation == 0 and one.objectives]


def test_what_keeps_measured_constraints_is_found_where_chance_hardly_finds_it():
    """Three constraints that one configuration in a thousand keeps together, and an optimum where two of them meet."""

    def truth(params):
        a, b, c, d = params.values()
        return {"loss": a + b, "sum": a + b + c, "apart": abs(c - d), "product": 4 * a * b}

    bounds = {"sum": Constraint(min=1.2, max=1.3), "apart": Constraint(max=0.05), "product": Constraint(min=0.5)}
    task = Problem(numbers(4), {"loss": "minimize"}, bounds)
    kept = feasible(run(task, truth, trials=50, batch=10))
    assert len(kept) > 5
    assert min(one.objectives["loss"] for one in kept) < 0.76  # 2 √0.125 = 0.707 is the least


def test_a_larger_gain_does_not_make_up_for_a_broken_constraint():
    """The objective is the better the farther beyond the bound."""
    task = Problem(numbers(2), {"loss": "minimize"}, {"memory": Constraint(max=1.0)})
    truth = lambda p: {"loss": -1000 * (p["x0"] + p["x1"]), "memory": 2 * p["x0"] + p["x1"]}  # noqa: E731
    kept = feasible(run(task, truth, trials=30, batch=5))
    assert len(kept) >= 6
    assert min(one.objectives["loss"] for one in kept) < -980


def test_all_pieces_of_a_front_in_pieces_are_found():
    """The default is the best of the middle piece; the front's ends are beyond all that is feasible at first."""

    def truth(params):
        angle, *others = params.values()
        radius = 1 + sum((value - 0.5) ** 2 for value in others)
        x, y = radius * math.cos(angle * math.pi / 2), radius * math.sin(angle * math.pi / 2)
        centres = (1, 0), (0, 1), (math.sqrt(0.5), math.sqrt(0.5))
        return {"f1": x, "f2": y, "away": min((x - a) ** 2 + (y - b) ** 2 for a, b in centres)}

    task = Problem(numbers(6), {"f1": "minimize", "f2": "minimize"}, {"away": Constraint(max=0.04)})
    kept = [one.params["x0"] for one in feasible(run(task, truth, trials=50, batch=10))]
    assert min(kept) < 0.2
    assert max(kept) > 0.8


def test_what_was_lucky_is_expected_to_fall_back():
    """A poor configuration had luck: its value is the best of all."""
    rng = random.Random(0)
    history = []
    for number in range(40):
        x = number / 39
        loss = (x - 0.3) ** 2 + rng.gauss(0, 0.05) - (0.6 if number == 38 else 0)
        history.append(Trial.of(params={"x0": x}, config=f"{number:016x}", objectives={"loss": loss}))
    assert min(range(40), key=lambda place: history[place].objectives["loss"]) == 38
    task = Problem(numbers(1), {"loss": "minimize"})
    expected = [values["loss"] for values in get_strategy("pareto").expected(task, history, 0)]
    assert abs(expected.index(min(expected)) / 39 - 0.3) < 0.15
    assert get_strategy("random").expected(task, history, 0)[38] == history[38].objectives


def test_the_model_begins_where_most_trials_fail():
    task = Problem(numbers(3), {"loss": "minimize"})
    truth = lambda p: {"loss": (p["x1"] - 0.5) ** 2} if p["x0"] > 0.8 and p["x2"] < 0.5 else {}  # noqa: E731
    history = run(task, truth, trials=60, batch=10)
    assert sum(bool(one.objectives) for one in history[-20:]) >= 6


@pytest.mark.parametrize("diverged", [1e3, 1e6, 1e300, math.inf, math.nan])
def test_a_loss_that_diverged_does_not_blind_the_model(diverged):
    task = Problem(numbers(4), {"loss": "minimize"})
    truth = lambda p: {"loss": diverged if p["x0"] > 0.9 else sum((v - 0.4) ** 2 for v in p.values())}  # noqa: E731
    history = run(task, truth, trials=50, batch=10)
    finite = [one.objectives["loss"] for one in history if math.isfinite(one.objectives["loss"])]
    assert min(finite) < 2e-3


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "change",
    [
        lambda number, value: {5: 1.79e308, 6: -1.79e308}.get(number, value),
        lambda number, value: 1.7e308 * (-1) ** number * (1 - value / 9),
        lambda number, value: 5e-320 * value,
        lambda number, value: 1.0,
        lambda number, value: float(round(value)),
    ],
    ids=["far both ways", "all far", "denormal", "all equal", "few values"],
)
def test_values_of_any_size_leave_a_batch_to_suggest(count, change):
    names = [f"f{place}" for place in range(count)]
    task = Problem(numbers(3), dict.fromkeys(names, "minimize"), {"f0": Constraint(max=0.5)})
    rng = random.Random(0)
    history = []
    for number in range(24):
        params = task.space.sample(rng)
        values = {name: change(number, sum(params.values()) + place) for place, name in enumerate(names)}
        history.append(Trial.of(params=params, config=f"{number:016x}", objectives=values, metrics=values))
    batch = suggested(task, history, n=4)
    assert len(batch) == 4
    notes = [value for one in batch for value in one.note.get("expected", {}).values()]
    assert all(map(math.isfinite, notes))


def test_what_is_noted_as_expected_is_so_by_the_trials_alone():
    """A young model of one objective believes that what it chooses disappoints; that is no expectation."""
    task = Problem(numbers(5), {"score": "maximize"})
    rng = random.Random(0)
    sampled = [task.space.sample(rng) for _ in range(10)]
    history = [
        Trial.of(params=params, config=f"{number:016x}", objectives={"score": sum(params.values())})
        for number, params in enumerate(sampled)
    ]
    assert sum("expected" in one.note for one in suggested(task, history, n=4)) == 1, "that which was chosen first"
    running = Trial.of(params=task.space.sample(rng), config="f" * 16, state=None)
    assert not any("expected" in one.note for one in suggested(task, [*history, running], n=4))


def test_the_largest_number_of_all_is_no_best_value():
    """What lies around a value that stands for none is not searched; the model learns from the others."""
    task = Problem(numbers(2), {"score": "maximize"})
    rng = random.Random(0)
    history = []
    for number in range(20):
        params = task.space.sample(rng)
        score = 1.79e308 if number % 5 == 0 else -sum((value - 0.4) ** 2 for value in params.values())
        history.append(Trial.of(params=params, config=f"{number:016x}", objectives={"score": score}))
    best = suggested(task, history, n=3)
    assert min(sum((value - 0.4) ** 2 for value in one.params.values()) for one in best) < 0.01


def test_a_batch_of_few_trials_model_does_not_crowd_in_one_place(monkeypatch):
    """Ten trials of eight parameters that tell nothing."""
    task = Problem(numbers(8), {"loss": "minimize"})

    def room(seed):
        rng = random.Random(seed)
        history = [
            Trial.of(params=task.space.sample(rng), config=f"{number:016x}", objectives={"loss": rng.random()})
            for number in range(10)
        ]
        batch = [list(one.params.values()) for one in suggested(task, history, n=10)]
        return float(np.std(batch, axis=0).mean())

    doubtful = sum(map(room, range(4)))
    monkeypatch.setattr(acquisition, "_DOUBT", 0.0)
    assert doubtful > 1.15 * sum(map(room, range(4)))


def test_an_objectives_bound_leaves_what_is_beyond_it_alone():
    """Half of the front has an error above a half."""
    space = numbers(3)
    truth = lambda p: {"error": p["x0"] + p["x1"], "size": 1 - p["x0"] + p["x2"]}  # noqa: E731
    task = Problem(space, {"error": "minimize", "size": "minimize"}, {"error": Constraint(max=0.5)})
    late = run(task, truth, trials=40, batch=10)[20:]
    assert sum(one.objectives["error"] <= 0.5 for one in late) >= 15


def test_known_values_are_asked_for_once_a_configuration():
    asked = []
    task = problem(MIXED, known=lambda params: asked.append(str(sorted(params.items()))) or cost(params))
    history = searched(get_strategy("pareto"), task, 3)
    asked.clear()
    suggested(task, history, iteration=4)
    assert len(asked) == len(set(asked)) > 100


def test_constraints_that_random_draws_never_keep_leave_the_model_at_work():
    """All but one draw in some thousands break the bound; the best trials' neighbours keep it."""
    space = {f"x{i}": {"type": "float", "low": 0, "high": 1} for i in range(6)}
    size = lambda params: {"size": sum(params.values())}  # noqa: E731
    task = Problem(Space.parse(space), {"loss": "minimize"}, {"size": Constraint(max=0.6)}, size)
    rng = random.Random(0)
    history = []
    for number in range(20):
        params = {name: round(0.09 * rng.random(), 6) for name in space}
        loss = sum((value - 0.05) ** 2 for value in params.values())
        history.append(Trial.of(params=params, config=f"{number:016x}", objectives={"loss": loss}, known=size(params)))
    batch = suggested(task, history, n=8)
    assert len(batch) == 8
    assert {one.note["from"] for one in batch} == {"model"}


@pytest.mark.parametrize(
    ("ended", "under_way", "origin"), [(8, 0, "model"), (4, 4, "model"), (3, 5, "design"), (4, 3, "design")]
)
def test_the_model_begins_with_half_of_the_trials_that_it_needs_under_way(ended, under_way, origin):
    task = Problem(
        Space.parse({f"x{i}": {"type": "float", "low": 0, "high": 1} for i in range(6)}), {"loss": "minimize"}
    )
    rng = random.Random(0)
    history = []
    for number in range(ended + under_way):
        state = {"objectives": {"loss": rng.random()}} if number < ended else {"state": None}
        history.append(Trial.of(params=task.space.sample(rng), config=f"{number:016x}", **state))
    assert {one.note["from"] for one in suggested(task, history, n=2)} == {origin}


def test_the_model_begins_where_more_trials_come_before_it_than_it_learns_from(monkeypatch):
    monkeypatch.setattr(training_data, "_TRIALS", 4)
    task = problem(GRID)
    history = searched(get_strategy("random"), task, 1, n=8)
    assert {one.note["from"] for one in suggested(task, history, initial=8)} == {"model"}


def test_what_is_under_way_is_remembered_among_very_many():
    task = problem(GRID)
    waiting = [Trial.of(params=params, config="", state=None) for params in list(task.space.enumerate())[:5]]
    ended = [
        Trial.of(params=params, config=f"{place:016x}", objectives={"accuracy": 0.5, "flops": 1.0})
        for place, params in enumerate(list(task.space.enumerate())[5:] * 100)
    ]
    past = [*waiting, *ended]
    data = TrainingData(task, past, np.random.default_rng(0))
    assert len(data.trials) < len(past)
    assert sum(not trial.ended for trial in data.trials) == 5
