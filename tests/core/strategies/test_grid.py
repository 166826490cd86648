import pytest

from tests.conformance.strategies import GRID, StrategyConformance, observed, problem
from windtunnel.space import Space
from windtunnel.strategies import Problem, get_strategy


class TestGrid(StrategyConformance):
    random_by = ()

    @pytest.fixture
    def strategy(self):
        return get_strategy("grid")


def test_the_first_of_a_grid_come_from_all_over_it():
    task = problem(GRID)
    first = get_strategy("grid").suggest(task, [], 12, 0, 1).suggestions
    for name, values in (("layers", 6), ("kernel", 3), ("wide", 2)):
        assert len({one.params[name] for one in first}) == values


def test_of_continuous_numbers_some_even_ones_are_taken_and_then_the_grid_is_used_up():
    space = {
        "lr": {"type": "float", "low": 1e-4, "high": 1, "log": True},
        "layers": {"type": "int", "low": 1, "high": 2},
        "kernel": [1],
        "wide": {"type": "bool"},
    }
    task = problem(space)
    strategy = get_strategy("grid", {"points": 3})
    batch = strategy.suggest(task, [], 20, 0, 1)
    assert "the grid is used up" in batch.note
    assert len(batch.suggestions) == 3 * 2 * 2
    assert sorted({one.params["lr"] for one in batch.suggestions}) == pytest.approx([1e-4, 1e-2, 1])
    history = [observed(task, one, i) for i, one in enumerate(batch.suggestions)]
    assert strategy.suggest(task, history, 4, 0, 2).suggestions == []


def test_a_grid_keeps_out_of_tails_that_have_no_end():
    task = problem({"layers": [1], "kernel": [1], "wide": [True], "x": {"type": "normal", "mu": 0, "sigma": 1}})
    batch = get_strategy("grid").suggest(task, [], 5, 0, 1)
    drawn = sorted(one.params["x"] for one in batch.suggestions)
    assert drawn == pytest.approx([-2.326, -0.659, 0, 0.659, 2.326], abs=1e-3)


@pytest.mark.parametrize(
    "space",
    [
        {f"b{i}": {"type": "bool"} for i in range(1100)},
        {"seed": {"type": "randint", "upper": 10**9}, "x": {"type": "uniform", "min_value": 0, "max_value": 1}},
    ],
    ids=["beyond floats", "a wide axis"],
)
def test_grids_of_any_size_begin(space):
    task = Problem(Space.parse(space), {"loss": "minimize"})
    assert len(get_strategy("grid").suggest(task, [], 5, 0, 1).suggestions) == 5
