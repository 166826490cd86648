from dataclasses import dataclass, field
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.definition.early_stopping import Halving
from windtunnel.errors import DefinitionError
from windtunnel.objectives.front import hypervolume, reference_point
from windtunnel.stopping.halving import best_first, rung_decisions
from windtunnel.validation import read_model

ONE = {"acc": "maximize"}
TWO = {"acc": "maximize", "cost": "minimize"}


@dataclass(frozen=True)
class At:
    """A trial at a rung."""

    config: str
    objectives: dict = field(default_factory=dict, hash=False)
    violation: float = 0.0

    @property
    def trial(self):
        return f"{self.config}-e1"


def ones(*values):
    return [At(chr(97 + place), {"acc": value} if value is not None else {}) for place, value in enumerate(values)]


def promoted(found):
    return {trial[0]: epochs for trial, epochs, _ in found if epochs is not None}


@pytest.mark.parametrize(
    ("fields", "last", "rungs"),
    [
        ({"first": 1}, 27, [1, 3, 9, 27]),
        ({"first": 1}, 10, [1, 3, 10]),  # 9 would be too near to 10
        ({"first": 1}, 2, [1, 2]),
        ({"first": 0.1}, 1, [0.1, 0.3, 1]),
        ({"first": 1, "factor": 2}, 4, [1, 2, 4]),
        ({"rungs": [1, 5]}, 8, [1, 5, 8]),
    ],
)
def test_rungs(fields, last, rungs):
    assert Halving.model_validate(fields).epochs(last) == rungs


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "either first or rungs"),
        ({"first": 1, "rungs": [1]}, "either first or rungs"),
        ({"rungs": [3, 1]}, "must grow"),
        ({"first": 1, "factor": 1}, "factor: found 1"),
    ],
)
def test_what_is_no_halving(fields, text):
    with pytest.raises(DefinitionError, match=text):
        read_model(Halving, fields)


def test_the_best_share_of_a_rung_goes_on():
    found = rung_decisions([1, 3], {1: ones(0.1, 0.9, 0.5, 0.8, 0.2, 0.3)}, [], 3, ONE)
    assert promoted(found) == {"b": 3, "d": 3}
    assert [trial[0] for trial, _, _ in found] == ["b", "d", "c", "f", "e", "a"]
    assert found[0][2] == "place 1 of 6 at 1 epoch (front 1): goes on to 3 epochs"
    assert found[2][2] == "place 3 of 6 at 1 epoch (front 3): the best 2 go on to 3 epochs"


def test_those_that_went_on_take_their_places_and_do_not_go_on_again():
    begun = {("b", 3.0), ("e", 3.0)}
    found = rung_decisions([1, 3], {1: ones(0.1, 0.9, 0.5, 0.8, 0.2, 0.3)}, begun, 3, ONE)
    assert promoted(found) == {"d": 3}
    assert "e" not in {trial[0] for trial, _, _ in found}


def test_trials_without_values_count_but_do_not_go_on():
    trials = [*ones(None, None, 0.5, 0.4), At("z", {"acc": 0.9}, violation=1.0), At("y", {"acc": 0.1})]
    assert promoted(rung_decisions([1, 3], {1: trials}, [], 3, ONE)) == {"c": 3, "d": 3}


def test_at_least_one_goes_on_and_none_from_an_empty_rung():
    assert promoted(rung_decisions([1, 3, 9], {1: ones(0.1, 0.2)}, [], 3, ONE)) == {"b": 3}
    assert rung_decisions([1, 3, 9], {}, [], 3, ONE) == []
    assert promoted(rung_decisions([1, 3], {1: ones(None)}, [], 3, ONE)) == {}


def test_every_rung_promotes_by_itself():
    low, high = ones(0.1, 0.9, 0.5), [At("x", {"acc": 0.7}), At("y", {"acc": 0.6})]
    found = rung_decisions([1, 3, 9], {1: low, 3: high}, [("x", 3), ("y", 3)], 3, ONE)
    assert promoted(found) == {"x": 9, "b": 3}
    assert [trial[0] for trial, _, _ in found][:2] == ["x", "y"]  # the highest rung first


def test_a_better_front_goes_before_a_worse_one():
    trials = [
        At("a", {"acc": 0.9, "cost": 9.0}),
        At("b", {"acc": 0.5, "cost": 1.0}),
        At("c", {"acc": 0.8, "cost": 9.5}),  # worse than a
        At("d", {"acc": 0.7, "cost": 4.0}),
    ]
    ordered = best_first(trials, TWO)
    assert [front for _, front in ordered] == [1, 1, 1, 2]
    assert ordered[-1][0].config == "c"


def test_the_best_of_each_objective_goes_on_whatever_the_others_add():
    """The most accurate adds least to the front, and is what two objectives would lose first."""
    trials = [
        At("a", {"acc": 0.90, "cost": 9.0}),
        At("b", {"acc": 0.89, "cost": 5.0}),
        At("c", {"acc": 0.70, "cost": 2.0}),
        At("d", {"acc": 0.30, "cost": 1.0}),
        *(At(letter, {"acc": 0.1, "cost": 10.0}) for letter in "efghi"),
    ]
    assert [one.config for one, _ in best_first(trials, TWO)][:4] == ["c", "b", "d", "a"]
    assert promoted(rung_decisions([1, 3], {1: trials}, [], 3, TWO)).keys() == {"a", "c", "d"}
    assert promoted(rung_decisions([1, 3], {1: trials[:2]}, [], 3, TWO)).keys() == {"a", "b"}


points = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=9)


@given(points)
def test_within_a_front_each_adds_most_to_those_before_it(values):
    trials = [At(str(place), {"acc": float(a), "cost": float(c)}) for place, (a, c) in enumerate(values)]
    front = [one for one, number in best_first(trials, TWO) if number == 1]
    reference = reference_point(trials, TWO)
    for taken in range(len(front)):
        before = front[:taken]
        gains = [hypervolume([*before, one], TWO, reference) for one in front[taken:]]
        assert gains[0] == pytest.approx(max(gains))


@given(points)
def test_the_greedy_half_of_a_front_is_near_the_best_half(values):
    """A greedy choice has at least 1 - 1/e of the best choice's hypervolume (Nemhauser et al., 1978)."""
    trials = [At(str(place), {"acc": float(a), "cost": float(c)}) for place, (a, c) in enumerate(values)]
    front = [one for one, number in best_first(trials, TWO) if number == 1]
    reference = reference_point(trials, TWO)
    half = (len(front) + 1) // 2
    best = max(hypervolume(chosen, TWO, reference) for chosen in combinations(front, half))
    assert hypervolume(front[:half], TWO, reference) >= (1 - 1 / 2.718281828) * best - 1e-9
