import itertools
import json
import math
import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.errors import DefinitionError
from windtunnel.ledger.ids import canonical_json
from windtunnel.space import Space
from windtunnel.space.base import identity

MIXED = {
    "layers": {"type": "int", "low": 1, "high": 12},
    "width": {"type": "int", "low": 1, "high": 1000, "log": True},
    "even": {"type": "int", "low": 2, "high": 9, "step": 2},
    "lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "decay": {"type": "float", "low": 0.0, "high": 1.0},
    "drop": {"type": "float", "low": 0, "high": 0.5, "step": 0.1},
    "kernel": [1, 3, 5],
    "odd": [None, True, 1, "1", [8, 8], {"deep": 1.5}],
    "norm": {"type": "bool"},
}

SMALL = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]),
    st.one_of(
        st.tuples(st.integers(-5, 5), st.integers(0, 4), st.integers(1, 3)).map(
            lambda t: {"type": "int", "low": t[0], "high": t[0] + t[1], "step": t[2]}
        ),
        st.lists(st.sampled_from([1, 3, "x", True, None, 2.5]), min_size=1, max_size=4, unique_by=repr),
        st.just({"type": "bool"}),
        st.just({"type": "float", "low": 0, "high": 0.3, "step": 0.1}),
    ),
    min_size=1,
)

SCALARS = st.sampled_from([0, 1, -0.0, 0.0, 1.0, 0.5, True, False, None, "", "1", [1], [1.0], [True], {}, {"a": 1}])

seeds = st.integers(0, 10_000).map(random.Random)


def keys(space, many):
    return [space.key(params) for params in many]


def test_the_yaml_form_round_trips():
    space = Space.parse(MIXED)
    assert Space.parse(space.describe()).describe() == space.describe()
    assert Space.parse(json.loads(json.dumps(space.describe()))).describe() == space.describe()
    assert space.describe()["kernel"] == {"type": "categorical", "choices": [1, 3, 5]}
    assert space.describe()["layers"] == {"type": "int", "low": 1, "high": 12}


@given(SMALL)
def test_a_finite_space_is_its_enumeration(description):
    space = Space.parse(description)
    everything = list(space.enumerate())
    assert len(set(keys(space, everything))) == len(everything) == space.size()
    assert all(space.canonical(params) == params for params in everything)


def test_one_continuous_parameter_makes_a_space_infinite():
    assert Space.parse({"a": [1, 2], "b": {"type": "float", "low": 0, "high": 1}}).size() is None
    assert Space.parse({"a": [1, 2], "b": {"type": "float", "low": 1, "high": 1}}).size() == 2


@given(seeds)
def test_samples_are_canonical_members(rng):
    space = Space.parse(MIXED)
    params = space.sample(rng)
    assert space.contains(params)
    assert canonical_json(space.canonical(params)) == canonical_json(params)
    assert list(params) == list(MIXED)


@given(SMALL, seeds, st.floats(0, 1))
def test_a_mutant_differs_from_its_parent_unless_there_is_nothing_else(description, rng, rate):
    space = Space.parse(description)
    parent = space.sample(rng)
    mutant = space.mutate(parent, rng, rate)
    assert space.contains(mutant)
    assert (space.key(mutant) != space.key(parent)) == (space.size() > 1)


def test_mutation_changes_each_parameter_at_the_rate_given():
    space = Space.parse({f"p{i}": {"type": "int", "low": 0, "high": 9} for i in range(10)})
    rng = random.Random(0)
    parent = space.default()
    changed = [sum(parent[name] != value for name, value in space.mutate(parent, rng, 0.3).items()) for _ in range(500)]
    assert 2.7 < sum(changed) / 500 < 3.3


@given(SMALL, seeds)
def test_a_child_is_unlike_both_parents_wherever_they_differ_twice(description, rng):
    space = Space.parse(description)
    first, second = space.sample(rng), space.sample(rng)
    child = space.crossover(first, second, rng)
    assert all(identity(child[name]) in (identity(first[name]), identity(second[name])) for name in child)
    differing = sum(identity(first[name]) != identity(second[name]) for name in first)
    assert (space.key(child) not in (space.key(first), space.key(second))) == (differing >= 2)


def test_true_and_1_are_different_values_and_1_and_1_0_are_one():
    space = Space.parse({"a": [1, True, 0, False], "b": {"type": "sublist_of", "choices": [True, 1], "min_length": 1}})
    assert space.size() == 4 * 3
    assert len(set(keys(space, space.enumerate()))) == 4 * 3
    assert space.canonical({"a": True, "b": [1.0]}) == {"a": True, "b": [1]}
    assert type(space.canonical({"a": True, "b": [1]})["a"]) is bool
    assert type(space.canonical({"a": 1.0, "b": [1]})["a"]) is int
    for params in space.enumerate():
        assert space.key(params) not in keys(space, space.neighbours(params))
    conditional = Space.parse({"a": [1, True], "b": {"type": "bool", "when": {"a": True}}})
    assert [list(params) for params in conditional.enumerate()] == [["a"], ["a", "b"], ["a", "b"]]
    for twice in ([1, 1.0], [[1], [1.0]], [{"p": 1}, {"p": 1.0}]):
        with pytest.raises(DefinitionError, match="choices must differ"):
            Space.parse({"a": twice})


@given(SCALARS, SCALARS)
def test_identities_are_equal_where_canonical_json_is(first, second):
    assert (identity(first) == identity(second)) == (canonical_json(first) == canonical_json(second))


def test_a_child_tells_1_from_true_and_0_from_false():
    space = Space.parse({"a": [1, True], "b": [0, False], "c": [2, "2"]})
    first, second = {"a": 1, "b": 0, "c": 2}, {"a": True, "b": False, "c": 2}
    children = {space.key(space.crossover(first, second, random.Random(seed))) for seed in range(200)}
    assert children == {space.key({"a": 1, "b": False, "c": 2}), space.key({"a": True, "b": 0, "c": 2})}


def test_all_children_come_up():
    space = Space.parse({name: [0, 1] for name in "abc"})
    zeros, ones = dict.fromkeys("abc", 0), dict.fromkeys("abc", 1)
    children = {space.key(space.crossover(zeros, ones, random.Random(seed))) for seed in range(200)}
    assert len(children) == 6


def test_neighbours_are_one_step_away():
    space = Space.parse(MIXED)
    middle = space.default()
    for near in space.neighbours(middle):
        assert space.contains(near)
        assert sum(near[name] != middle[name] for name in middle) == 1
    assert [near["even"] for near in space.neighbours(middle) if near["even"] != middle["even"]] == [4, 8]
    edge = middle | {"layers": 12}
    assert [near["layers"] for near in space.neighbours(edge) if near["layers"] != 12] == [11]


# The one form of a value


@pytest.mark.parametrize(
    ("parameter", "written", "canonical"),
    [
        ("layers", 3.0, 3),
        ("even", 8, 8),
        ("drop", 0.30000000000000004, 0.3),
        ("drop", 0.34, 0.3),
        ("drop", 0, 0.0),
        ("decay", 1, 1.0),
        ("decay", -0.0, 0.0),
        ("kernel", 3.0, 3),
        ("odd", True, True),
        ("odd", 1.0, 1),
        ("odd", [8.0, 8], [8, 8]),
    ],
)
def test_the_same_value_has_one_form(parameter, written, canonical):
    space = Space.parse(MIXED)
    value = space.canonical(space.default() | {parameter: written})[parameter]
    assert value == canonical
    assert type(value) is type(canonical)
    assert math.copysign(1, value) == 1 if isinstance(value, float) else True


def test_stepped_floats_are_decimals():
    space = Space.parse({"drop": {"type": "float", "low": 0.1, "high": 0.75, "step": 0.1}})
    assert [params["drop"] for params in space.enumerate()] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert space.canonical({"drop": 0.75}) == {"drop": 0.7}


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("layers", 0, "a number from 1 to 12"),
        ("layers", 1.5, "a whole number from 1 to 12"),
        ("layers", True, "a number from 1 to 12"),
        ("layers", "3", "a number"),
        ("even", 3, "in steps of 2"),
        ("lr", math.nan, "a number from 0.0001 to 0.1"),
        ("kernel", 2, r"one of \[1, 3, 5\]"),
        ("kernel", True, r"one of \[1, 3, 5\]"),
        ("norm", 1, "true or false"),
    ],
)
def test_other_values_are_refused_by_name(parameter, value, allowed):
    space = Space.parse(MIXED)
    params = space.default() | {parameter: value}
    assert not space.contains(params)
    with pytest.raises(DefinitionError, match=rf"^{parameter}: found .*; allowed: .*{allowed}"):
        space.canonical(params)


def test_missing_and_unknown_parameters_are_named_together():
    space = Space.parse({"layers": [1, 2], "norm": {"type": "bool"}})
    with pytest.raises(DefinitionError) as caught:
        space.canonical({"layer": 1, "norm": True})
    assert str(caught.value) == (
        "layer: no such parameter (did you mean 'layers'?); allowed: layers, norm\nlayers: is missing; it must be given"
    )


# Drawing


def test_logarithmic_draws_are_even_over_orders_of_magnitude():
    space = Space.parse(MIXED)
    rng = random.Random(0)
    draws = [space.sample(rng) for _ in range(3000)]
    for name, low in (("lr", 1e-4), ("width", 1)):
        decades = Counter(min(int(math.log10(params[name] / low) + 1e-9), 2) for params in draws)
        # Of whole numbers the first takes the draws from 0.5 to 1.5, so the first decade has somewhat more.
        assert all(800 < decades[decade] < 1350 for decade in range(3)), (name, decades)


def test_every_whole_number_gets_its_share():
    space = Space.parse({"n": {"type": "int", "low": 2, "high": 5}})
    rng = random.Random(0)
    counted = Counter(space.sample(rng)["n"] for _ in range(2000))
    assert sorted(counted) == [2, 3, 4, 5]
    assert min(counted.values()) > 400


def test_the_ends_of_a_logarithmic_range_come_up():
    space = Space.parse({"n": {"type": "int", "low": 1, "high": 4, "log": True}})
    rng = random.Random(0)
    assert sorted({space.sample(rng)["n"] for _ in range(300)}) == [1, 2, 3, 4]


def test_samples_are_short_to_read():
    rng = random.Random(0)
    space = Space.parse(MIXED)
    assert all(len(str(space.sample(rng)["lr"])) <= 12 for _ in range(100))


def test_a_narrow_range_can_still_be_varied():
    space = Space.parse({"x": {"type": "float", "low": 1.0000001, "high": 1.0000002}})
    rng = random.Random(0)
    drawn = [space.sample(rng) for _ in range(50)]
    assert all(space.contains(params) for params in drawn)
    assert len(set(keys(space, drawn))) > 40
    assert space.mutate(drawn[0], rng, 0.0) != drawn[0]


def test_the_default_is_in_the_middle():
    default = Space.parse(MIXED).default()
    assert default["layers"] in (6, 7)
    assert default["lr"] == pytest.approx(10**-2.5, rel=1e-3)
    assert default["drop"] == 0.2
    assert default["kernel"] == 1
    assert default["norm"] is False


# Faults


@pytest.mark.parametrize(
    ("name", "written", "message"),
    [
        ("a", 3, r"a: found 3; allowed: a mapping such as"),
        ("a", {}, r"a.type: is missing; allowed: int, float, categorical, bool"),
        ("a", {"type": "integer"}, r'a.type: found "integer"; no such type'),
        ("a", {"type": "int", "low": 1}, r"a.high: is missing"),
        ("a", {"type": "int", "low": 1, "high": 2, "stp": 1}, r"a.stp: no such field \(did you mean 'step'\?\)"),
        ("a", {"type": "int", "low": 1.5, "high": 2}, r"a.low: found 1.5; allowed: a whole number"),
        ("a", {"type": "int", "low": 3, "high": 2}, r"a: low 3 is above high 2"),
        ("a", {"type": "int", "low": 0, "high": 2, "log": True}, r"a: with log: true low must be above 0, not 0"),
        ("a", {"type": "int", "low": 1, "high": 9, "log": True, "step": 2}, r"a: log and step exclude each other"),
        ("a", {"type": "float", "low": 0, "high": 1, "step": 0}, r"a.step: found 0; allowed: above 0"),
        ("a", {"type": "float", "low": 0, "high": math.inf}, r"a.high: found .*; allowed: a finite number"),
        ("a", [], r"a.choices: found \[\]; allowed: 1 or more"),
        ("a", [1, 2, 1.0], r"a: choices must differ from each other"),
        ("a", [math.nan], r"a: choices must be JSON values"),
        ("a-b", [1, 2], r'a-b: found "a-b"; allowed: text that matches'),
    ],
)
def test_wrong_parameters_are_faults_by_name(name, written, message):
    with pytest.raises(DefinitionError, match=f"^{message}"):
        Space.parse({name: written})


def test_all_faults_come_at_once():
    with pytest.raises(DefinitionError) as caught:
        Space.parse({"a": 1, "b": {"type": "int", "low": "x", "high": "y"}, "c": {"type": "bool"}})
    assert [fault.path for fault in caught.value.faults] == [("a",), ("b", "low"), ("b", "high")]


def test_a_space_without_parameters_is_a_fault():
    with pytest.raises(DefinitionError, match="at least one parameter"):
        Space.parse({})


def test_kinds_agree_on_places_and_sizes():
    for parameter in Space.parse(MIXED).parameters.values():
        if parameter.size() is not None:
            values = [json.dumps(parameter.at(i)) for i in range(parameter.size())]
            assert len(set(values)) == len(values)
            assert all(parameter.canonical(json.loads(value)) == json.loads(value) for value in values)
            pairs = itertools.pairwise(parameter.at(i) for i in range(parameter.size()))
            assert all(second in parameter.neighbours(first) for first, second in pairs)


@pytest.mark.parametrize(
    "written",
    [
        {"type": "float", "low": 1e-300, "high": 1e300, "log": True},
        {"type": "float", "low": 5e-324, "high": 1e308, "log": True},
        {"type": "float", "low": 1.6e308, "high": 1.7e308},
        {"type": "loguniform", "min_value": -1e308, "max_value": 1.0},
    ],
)
def test_numbers_near_the_ends_of_floats_are_drawn(written):
    space, rng = Space.parse({"a": written}), random.Random(0)
    for params in [space.default(), *(space.sample(rng) for _ in range(200))]:
        assert space.canonical(params) == params and math.isfinite(params["a"])
        assert space.contains(space.mutate(params, rng, 1.0, 0.1))
        assert all(math.isfinite(number) for number in space.encode(params))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"type": "float", "low": -1e308, "high": 1e308}, "further than a number can tell"),
        ({"type": "float", "low": 0, "high": 1e308, "step": 1e-300}, "step 1e-300 makes more than 9.01e+15 numbers"),
        ({"type": "randint", "upper": 10**30}, "at most 9007199254740991"),
        ({"type": "uniform", "min_value": -1e308, "max_value": 1e308}, "further than a number can tell"),
        ({"type": "qloguniform", "min_value": 0, "max_value": 700, "q": 1e-10}, "q 1e-10 is too small"),
        ({"type": "qnormal", "mu": 0, "sigma": 1e300, "q": 1e-9}, "q 1e-09 is too small"),
        ({"type": "normal", "mu": 1e308, "sigma": 1e308}, "lead beyond all numbers"),
    ],
)
def test_numbers_beyond_floats_are_refused(written, message):
    with pytest.raises(DefinitionError, match=re.escape(message)):
        Space.parse({"a": written})


@pytest.mark.parametrize(
    "when",
    [
        {"a": []},
        {"a": {"min": 10}},
        {"a": {"max": 0}},
        {"a": {"min": 4, "max": 2}},
        {"a": {"min": 2.2, "max": 2.8}},
        {"b": {"max": -3}},
    ],
)
def test_a_condition_that_never_holds_is_refused(when):
    others = {"a": {"type": "int", "low": 1, "high": 5}, "b": {"type": "float", "low": 0, "high": 1}}
    with pytest.raises(DefinitionError, match=rf"^c\.when\.{next(iter(when))}: "):
        Space.parse({**others, "c": {"type": "bool", "when": when}})


def test_one_rule_of_names_holds_at_every_depth():
    for name in ("größe", "lr-rate", "1st", ""):
        with pytest.raises(DefinitionError, match="allowed: text that matches"):
            Space.parse({"outer": {"type": "dict", "fields": {name: [1, 2]}}})
