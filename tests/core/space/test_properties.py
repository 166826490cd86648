"""What holds of every space, however it is made up."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.space.spaces import EVERYTHING
from windtunnel.space import Space

LEAVES = st.one_of(
    st.tuples(st.integers(-2, 2), st.integers(0, 2)).map(lambda t: {"type": "int", "low": t[0], "high": sum(t)}),
    st.lists(st.sampled_from([1, "x", True, None, 2.5]), min_size=1, max_size=3, unique_by=repr),
    st.just({"type": "bool"}),
    st.just({"type": "float", "low": 0, "high": 0.2, "step": 0.1}),
    st.just({"type": "randint", "upper": 2}),
    st.just({"type": "quniform", "min_value": 0, "max_value": 2, "q": 1}),
    st.just({"type": "sublist_of", "choices": ["a", "b", "c"], "max_length": 2}),
)


def fields(parameters):
    return st.dictionaries(st.sampled_from("pqr"), parameters, min_size=1, max_size=2)


PARAMETERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        fields(inner).map(lambda of: {"type": "dict", "fields": of}),
        st.builds(lambda of, n: {"type": "list", "of": of, "length": n}, inner, st.integers(1, 2)),
        st.builds(lambda of, n: {"type": "list", "of": of, "min_length": n, "max_length": 2}, inner, st.integers(0, 2)),
        st.lists(inner, min_size=1, max_size=2).map(lambda items: {"type": "list", "items": items}),
        st.dictionaries(st.sampled_from("uvw"), st.none() | inner, min_size=1, max_size=3).map(
            lambda options: {"type": "one_of", "options": options}
        ),
    ),
    max_leaves=4,
)


@st.composite
def described(draw):
    """A finite space in which some parameters depend on `op` or on `n`, which may depend on each other."""
    space = {"op": ["conv", "pool", "skip"], "n": {"type": "int", "low": 1, "high": 4}}
    if draw(st.booleans()):
        space["n"] = {**space["n"], "when": {"op": draw(st.sampled_from(["conv", ["conv", "pool"]]))}}
    for name, parameter in draw(st.dictionaries(st.sampled_from("abc"), PARAMETERS, min_size=1, max_size=2)).items():
        when = draw(st.sampled_from([None, {"op": "conv"}, {"n": {"min": 2, "max": 3}}, {"n": [1, 4], "op": "pool"}]))
        if when and isinstance(parameter, list):
            parameter = {"type": "categorical", "choices": parameter}
        space[name] = {**parameter, "when": when} if when else parameter
    return space


spaces = described().map(Space.parse).filter(lambda space: space.size() <= 20_000)
seeds = st.integers(0, 10_000).map(random.Random)


@given(spaces.filter(lambda space: space.size() <= 5_000))
@settings(max_examples=60)
def test_an_enumeration_has_each_configuration_once_in_its_canonical_form(space):
    everything = list(space.enumerate())
    assert len({space.key(params) for params in everything}) == len(everything) == space.size()
    assert all(space.canonical(json.loads(json.dumps(params))) == params for params in everything)


@given(spaces.filter(lambda space: space.size() <= 200), seeds)
@settings(max_examples=30)
def test_what_is_drawn_is_enumerated_and_what_is_enumerated_is_drawn(space, rng):
    everything = {space.key(params) for params in space.enumerate()}
    drawn = {space.key(space.sample(rng)) for _ in range(30 * len(everything))}
    assert drawn <= everything
    assert len(drawn) > 0.8 * len(everything)


@given(spaces)
@settings(max_examples=60)
def test_a_description_is_read_back(space):
    assert Space.parse(json.loads(json.dumps(space.describe()))).describe() == space.describe()


@given(st.one_of(spaces, st.just(Space.parse(EVERYTHING))), seeds, st.floats(0, 1), st.sampled_from([None, 0.05]))
@settings(max_examples=150)
def test_a_mutant_is_another_configuration_unless_there_is_none(space, rng, rate, scale):
    parent = space.sample(rng)
    mutant = space.mutate(parent, rng, rate, scale)
    assert space.canonical(mutant) == mutant
    assert (space.key(mutant) != space.key(parent)) == (space.size() != 1)


@given(st.one_of(spaces, st.just(Space.parse(EVERYTHING))), seeds)
@settings(max_examples=150)
def test_a_child_is_a_configuration(space, rng):
    first, second = space.sample(rng), space.sample(rng)
    child = space.crossover(first, second, rng)
    assert space.canonical(child) == child
    twin = space.crossover(first, json.loads(json.dumps(first)), rng)
    assert space.key(twin) == space.key(first)


@given(st.one_of(spaces, st.just(Space.parse(EVERYTHING))), seeds)
@settings(max_examples=100)
def test_neighbours_are_other_configurations(space, rng):
    params = space.sample(rng)
    near = space.neighbours(params)
    assert all(space.canonical(one) == one for one in near)
    assert space.key(params) not in {space.key(one) for one in near}
    assert (near == []) == (space.size() == 1)


@given(spaces, seeds)
@settings(max_examples=60)
def test_steps_lead_from_anywhere_to_the_default(space, rng):
    """Of neighbours, so a local search can get everywhere."""
    if space.size() > 500:
        return
    reached, edge = set(), [space.sample(rng)]
    while edge:
        params = edge.pop()
        if space.key(params) not in reached:
            reached.add(space.key(params))
            edge += space.neighbours(params)
    assert space.key(space.default()) in reached


@given(st.one_of(spaces, st.just(Space.parse(EVERYTHING))))
@settings(max_examples=60)
def test_the_default_is_a_configuration(space):
    assert space.canonical(space.default()) == space.default()


@given(spaces, seeds)
@settings(max_examples=60)
def test_genes_are_counted(space, rng):
    params = space.sample(rng)
    assert (space.genes(params) == 0) == (space.size() == 1)


def test_repair_takes_steps_until_the_bounds_are_kept():
    space = Space.parse(
        {"layers": {"type": "int", "low": 1, "high": 20}, "width": {"type": "int", "low": 1, "high": 20}}
    )
    rng = random.Random(0)

    def excess(params):
        return max(0, params["layers"] * params["width"] - 30)

    repaired = space.repair({"layers": 15, "width": 9}, excess, rng)
    assert excess(repaired) == 0
    assert repaired["layers"] * repaired["width"] > 10  # it stops at the border
    kept = {"layers": 2, "width": 3}
    assert space.repair(kept, excess, rng) == kept
    assert space.repair(kept, lambda params: 1.0, rng) is None


def test_repair_leaps_where_steps_would_take_too_long():
    space = Space.parse({f"n{i}": {"type": "int", "low": 1, "high": 10**6} for i in range(4)})
    start = dict.fromkeys(space.parameters, 500_000)
    repaired = space.repair(start, lambda params: max(0, sum(params.values()) - 100_000), random.Random(0))
    assert sum(repaired.values()) <= 100_000


@pytest.mark.parametrize("scale", [0.01, 0.1])
def test_a_scaled_mutation_moves_numbers_by_steps_of_that_share(scale):
    space = Space.parse({"lr": {"type": "float", "low": 1e-5, "high": 1, "log": True}})
    rng = random.Random(0)
    moved = [space.encode(space.mutate({"lr": 3e-3}, rng, 1, scale))[0] for _ in range(2000)]
    middle = space.encode({"lr": 3e-3})[0]
    deviation = (sum((position - middle) ** 2 for position in moved) / len(moved)) ** 0.5
    assert deviation == pytest.approx(scale, rel=0.1)


def test_a_scaled_mutation_takes_at_least_the_next_number_of_a_grid():
    space = Space.parse({"n": {"type": "int", "low": 0, "high": 9}})
    rng = random.Random(0)
    assert {space.mutate({"n": 5}, rng, 1, 0.001)["n"] for _ in range(50)} == {4, 6}


def test_a_step_does_not_lead_into_the_tails():
    space = Space.parse({"x": {"type": "lognormal", "mu": 0, "sigma": 1}, "n": {"type": "normal", "mu": 0, "sigma": 1}})
    rng = random.Random(0)
    params = {"x": 3.6, "n": 1.28}  # nine tenths of the draws are below
    moved = [space.mutate(params, rng, 1.0, 0.1) for _ in range(500)] + space.neighbours(params)
    assert max(one["n"] for one in moved) < 2.4
    assert max(one["x"] for one in moved) < 11
