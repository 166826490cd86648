"""Conditional parameters, lists, branches, sublists, dicts and classes of one's own."""

import json
import random
from collections import Counter
from itertools import combinations

import pytest

from windtunnel.errors import DefinitionError
from windtunnel.space import Bool, Categorical, Dict, Float, Int, List, OneOf, Space, SublistOf

CONDITIONAL = {
    "optimizer": ["adam", "sgd", "rmsprop"],
    "momentum": {"type": "float", "low": 0, "high": 0.9, "step": 0.3, "when": {"optimizer": ["sgd", "rmsprop"]}},
    "layers": {"type": "int", "low": 1, "high": 3},
    "third": {"type": "categorical", "choices": [3, 5], "when": {"layers": {"min": 3}}},
}


# Conditions


def test_a_conditional_parameter_is_there_only_when_its_conditions_hold():
    space = Space.parse(CONDITIONAL)
    rng = random.Random(0)
    for _ in range(200):
        params = space.sample(rng)
        assert ("momentum" in params) == (params["optimizer"] != "adam")
        assert ("third" in params) == (params["layers"] == 3)


def test_conditional_spaces_are_counted():
    assert Space.parse(CONDITIONAL).size() == (1 + 2 * 4) * (2 + 2)


def test_a_large_conditional_space_is_counted_without_going_through_it():
    layers = {}
    for i in range(30):
        layers[f"op{i}"] = ["conv", "skip"]
        layers[f"kernel{i}"] = {"type": "int", "low": 1, "high": 3, "when": {f"op{i}": "conv"}}
    space = Space.parse(layers)
    assert space.size() == 4**30
    assert space.canonical(space.at(4**30 - 1)) == space.at(4**30 - 1)
    wide = {"n": {"type": "int", "low": 1, "high": 10**12}, "m": {"type": "bool", "when": {"n": {"min": 10}}}}
    assert Space.parse(wide).size() == 9 + 2 * (10**12 - 9)


def test_a_condition_on_a_parameter_that_is_not_there_does_not_hold():
    chain = {
        "a": {"type": "bool"},
        "b": {"type": "bool", "when": {"a": True}},
        "c": {"type": "bool", "when": {"b": False}},
    }
    assert [list(params) for params in Space.parse(chain).enumerate()] == [
        ["a"],
        ["a", "b", "c"],
        ["a", "b", "c"],
        ["a", "b"],
    ]


def test_a_mutation_draws_what_comes_in_and_drops_what_goes():
    space = Space.parse(CONDITIONAL)
    adam = {"optimizer": "adam", "layers": 1}
    rng = random.Random(0)
    mutants = [space.mutate(adam, rng, 0.0) for _ in range(200)]
    momenta = Counter(mutant.get("momentum") for mutant in mutants if mutant["optimizer"] != "adam")
    assert set(momenta) == {0.0, 0.3, 0.6, 0.9}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optimizer": "adam", "momentum": 0.3, "layers": 1}, "momentum: is given, but is there only when"),
        ({"optimizer": "sgd", "layers": 1}, "momentum: is missing"),
        ({"optimizer": "sgd", "momentum": 2, "layers": 1}, "momentum: found 2; allowed: a number from 0"),
    ],
)
def test_configurations_are_held_to_the_conditions(params, message):
    with pytest.raises(DefinitionError, match=f"^{message}"):
        Space.parse(CONDITIONAL).canonical(params)


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({"optimiser": "sgd"}, r"b.when.optimiser: no such parameter before this one \(did you mean 'optimizer'\?\)"),
        ({"later": 1}, "b.when.later: no such parameter before this one"),
        ({"optimizer": "sdg"}, r'b.when.optimizer: found "sdg"; allowed: one of \["adam", "sgd"\]'),
        ({"layers": {"min": "x"}}, 'b.when.layers.min: found "x"; allowed: a number'),
        ({"layers": {"min": 3, "max": 2}}, "b.when.layers: min 3 is above max 2"),
        ({"layers": {"min": 1, "mx": 2}}, "b.when.layers.mx: no such field \\(did you mean 'max'"),
        ({"layers": [1, 9]}, "b.when.layers: found 9; allowed: a number from 1 to 3"),
        ({"blocks": 1}, "b.when.blocks: is made of parts"),
        (3, "b.when: found 3; allowed: a mapping of names to values"),
    ],
)
def test_wrong_conditions_name_the_field_and_the_mend(when, message):
    space = {
        "optimizer": ["adam", "sgd"],
        "layers": {"type": "int", "low": 1, "high": 3},
        "blocks": {"type": "list", "length": 1, "of": [1, 2]},
        "b": {"type": "bool", "when": when},
        "later": [1, 2],
    }
    with pytest.raises(DefinitionError, match=f"^{message}"):
        Space.parse(space)


# Lists


def test_layers_of_a_fixed_number():
    """The MNIST space of Vertex AI NAS's third tutorial: two layers, each with its own kernel and filters."""
    layers = [{"kernel_size": [3, 5], "filter_size": [3, 4, 5]}, {"kernel_size": [3, 5], "filter_size": [6, 8, 10]}]
    space = Space.parse({"layers": {"type": "list", "items": layers}})
    assert space.size() == 36
    params = {"layers": [{"kernel_size": 5, "filter_size": 3}, {"kernel_size": 5, "filter_size": 6}]}
    assert space.canonical(params) == params


def test_lists_of_variable_length():
    space = Space.parse({"layers": {"type": "list", "min_length": 0, "max_length": 3, "of": [3, 5]}})
    assert space.size() == 1 + 2 + 4 + 8
    lengths = Counter(len(space.sample(random.Random(seed))["layers"]) for seed in range(800))
    assert all(140 < lengths[length] < 260 for length in range(4))


def test_a_mutation_puts_an_item_in_or_takes_one_out_anywhere():
    space = Space.parse({"layers": {"type": "list", "max_length": 3, "of": {"type": "int", "low": 1, "high": 9}}})
    rng = random.Random(0)
    mutants = {json.dumps(space.mutate({"layers": [1, 2]}, rng, 0.0)["layers"]) for _ in range(300)}
    assert {"[1]", "[2]", "[5, 1, 2]", "[1, 5, 2]", "[1, 2, 5]"} <= mutants


def test_a_child_has_its_length_and_items_from_its_parents():
    space = Space.parse({"layers": {"type": "list", "max_length": 4, "of": {"type": "int", "low": 1, "high": 9}}})
    rng = random.Random(0)
    children = {
        json.dumps(space.crossover({"layers": [1, 1]}, {"layers": [2, 2, 3, 4]}, rng)["layers"]) for _ in range(99)
    }
    assert children == {"[1, 2]", "[2, 1]", "[2, 2]", "[1, 1, 3, 4]", "[1, 2, 3, 4]", "[2, 1, 3, 4]"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1], "layers: found .*; allowed: a list of 2 to 3 items"),
        ([1, 7], r"layers\[1\]: found 7; allowed: one of"),
        (5, "layers: found 5; allowed: a list"),
    ],
)
def test_wrong_lists_are_refused(value, message):
    space = Space.parse({"layers": {"type": "list", "min_length": 2, "max_length": 3, "of": [1, 2]}})
    with pytest.raises(DefinitionError, match=f"^{message}"):
        space.canonical({"layers": value})


# Branches and sublists


OPTIMIZER = {"adam": None, "sgd": {"momentum": [0.8, 0.9], "nesterov": {"type": "bool"}}, "rate": [1, 2]}


def test_one_of_several_branches():
    space = Space.parse({"optimizer": {"type": "one_of", "options": OPTIMIZER}})
    assert space.size() == 1 + 4 + 2
    assert list(space.enumerate())[:2] == [
        {"optimizer": {"adam": None}},
        {"optimizer": {"sgd": {"momentum": 0.8, "nesterov": False}}},
    ]
    counted = Counter(next(iter(space.sample(random.Random(seed))["optimizer"])) for seed in range(600))
    assert all(140 < counted[name] < 260 for name in OPTIMIZER)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("adam", "optimizer: found .*; allowed: a mapping from one of adam, sgd, rate to its value"),
        ({"adam": None, "sgd": {}}, "optimizer: found .*; allowed: a mapping from one of"),
        ({"adma": None}, r"optimizer.adma: no such option \(did you mean 'adam'\?\)"),
        ({"adam": 1}, "optimizer.adam: found 1; allowed: null"),
        ({"sgd": {"momentum": 0.8}}, "optimizer.sgd.nesterov: is missing"),
    ],
)
def test_wrong_branches_are_refused(value, message):
    with pytest.raises(DefinitionError, match=f"^{message}"):
        Space.parse({"optimizer": {"type": "one_of", "options": OPTIMIZER}}).canonical({"optimizer": value})


@pytest.mark.parametrize("lengths", [{"length": 2}, {"min_length": 1, "max_length": 3}, {}, {"max_length": 1}])
def test_sublists_are_distinct_sorted_and_all_alike(lengths):
    choices = ["d", "a", "c", "b"]
    space = Space.parse({"inputs": {"type": "sublist_of", "choices": choices, **lengths}})
    low = lengths.get("length", lengths.get("min_length", 0))
    high = lengths.get("length", lengths.get("max_length", 4))
    expected = [list(taken) for length in range(low, high + 1) for taken in combinations(choices, length)]
    assert [params["inputs"] for params in space.enumerate()] == expected
    draws = 300 * len(expected)
    counted = Counter(json.dumps(space.sample(random.Random(seed))["inputs"]) for seed in range(draws))
    assert all(210 < counted[json.dumps(taken)] < 390 for taken in expected)


def test_a_sublist_is_sorted_and_repetition_refused():
    space = Space.parse({"inputs": {"type": "sublist_of", "choices": [3, 1, 2], "length": 2}})
    assert space.canonical({"inputs": [2, 3.0]}) == {"inputs": [3, 2]}
    with pytest.raises(
        DefinitionError, match=r"inputs: found \[1, 1\]; allowed: a list of 2 different ones of \[3, 1, 2\]"
    ):
        space.canonical({"inputs": [1, 1]})


# Definitions


def test_the_same_space_in_python():
    in_yaml = Space.parse(
        {
            "layers": {"type": "list", "max_length": 2, "of": {"kernel": [3, 5], "skip": {"type": "bool"}}},
            "optimizer": {"type": "one_of", "options": {"adam": None, "sgd": {"type": "float", "low": 0, "high": 1}}},
            "inputs": {"type": "sublist_of", "choices": ["a", "b"], "default": ["a"]},
        }
    )
    in_python = Space.parse(
        {
            "layers": List(max_length=2, of=Dict(fields={"kernel": Categorical(choices=[3, 5]), "skip": Bool()})),
            "optimizer": OneOf(options={"adam": None, "sgd": Float(low=0, high=1)}),
            "inputs": SublistOf(choices=["a", "b"], default=["a"]),
        }
    )
    assert in_python.describe() == in_yaml.describe()
    assert json.loads(json.dumps(in_python.describe())) == in_python.describe()


def test_named_defaults_make_the_default_configuration():
    space = Space.parse(
        {
            "n": {"type": "int", "low": 1, "high": 9, "default": 2},
            "op": {"type": "categorical", "choices": ["conv", None], "default": None},
            "kernel": {"type": "int", "low": 1, "high": 9, "default": 7, "when": {"op": "conv"}},
            "layers": {"type": "list", "max_length": 3, "of": Int(low=1, high=9, default=4), "default": [4, 4, 4]},
            "inner": {"a": {"type": "bool", "default": True}},
        }
    )
    assert space.default() == {"n": 2, "op": None, "layers": [4, 4, 4], "inner": {"a": True}}
    assert Space.parse(space.describe()).default() == space.default()


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"type": "int", "low": 1, "high": 3, "default": 4}, "a.default: found 4; allowed: a number from 1 to 3"),
        (
            {"type": "list", "of": [1], "length": 2, "default": [1]},
            r"a.default: found \[1\]; allowed: a list of 2 items",
        ),
        ({"b": {"type": "bool", "default": 1}}, "a.b.default: found 1; allowed: true or false"),
        ({"low": 1, "high": 3}, "a.type: is missing; allowed: int, float, categorical, bool, dict"),
        ({"choices": [1, 3]}, "a.type: is missing"),
        ({"b": {"c": {"type": "inte", "low": 1}}}, 'a.b.c.type: found "inte"; no such type'),
        ({"type": "list", "length": 1001, "of": [1]}, "a.length: found 1001; allowed: at most 1000"),
        ({"type": "list", "max_length": 10**5, "of": [1]}, "a.max_length: found 100000; allowed: at most 1000"),
        ({"type": "dict"}, "a.fields: is missing"),
        ({"type": "dict", "fields": {"b": {"type": "int", "low": 1}}}, "a.fields.b.high: is missing"),
        ({"type": "list", "length": 2}, "a: give either `of`, one parameter for all items, or `items`"),
        ({"type": "list", "of": [1, 2]}, "a: `of` needs either length, or max_length"),
        ({"type": "list", "of": [1], "length": 2, "max_length": 3}, "a: `of` needs either length, or max_length"),
        ({"type": "list", "of": [1], "min_length": 4, "max_length": 3}, "a: min_length 4 is above max_length 3"),
        ({"type": "list", "items": [[1]], "length": 2}, "a: `items` fixes the length: leave out length"),
        ({"type": "list", "items": [[1], {"type": "int"}]}, r"a.items\[1\].low: is missing"),
        ({"type": "list", "of": {"type": "bool", "when": {"b": 1}}, "length": 2}, "a: an item of a list has no `when`"),
        ({"type": "one_of", "options": {}}, r"a.options: found {}; allowed: 1 or more"),
        ({"type": "one_of", "options": {"b": {"type": "bool", "when": {"c": 1}}}}, "a: option 'b' has no `when`"),
        ({"type": "one_of", "options": {"b": 3}}, "a.options.b: found 3; allowed: a mapping"),
        ({"type": "sublist_of", "choices": [1, 2], "length": 3}, "a: 3 cannot be taken of 2 choices"),
        ({"type": "sublist_of", "choices": [1, 1]}, "a: choices must differ"),
        ({"type": "sublist_of", "choices": [1, 2], "length": 1, "min_length": 1}, "a: length excludes"),
    ],
)
def test_wrong_definitions_name_the_field_and_the_mend(described, message):
    with pytest.raises(DefinitionError, match=f"^{message}"):
        Space.parse({"a": described})


# Classes of one's own

GRAPHS = {"graph": {"type": "tests.workloads.graphs.Graphs", "options": {"nodes": 4}}}


def test_ones_own_class_draws_and_breeds():
    space = Space.parse({**GRAPHS, "lr": [0.1, 0.01]})
    rng = random.Random(0)
    first, second = space.sample(rng), space.sample(rng)
    for params in (space.crossover(first, second, rng), space.mutate(first, rng, 0.5), *space.neighbours(first)):
        assert space.canonical(params) == params
    assert space.size() is None
    assert space.default() == Space.parse(space.describe()).default()


def test_equal_values_of_ones_own_class_have_one_form():
    space = Space.parse(GRAPHS)
    graph = {"edges": [[1, 2], [0, 1]], "ops": ["conv", "pool", "skip", "conv"]}
    mirrored = {"ops": graph["ops"], "edges": [(0, 1), (1, 2)]}
    assert space.key(space.canonical({"graph": graph})) == space.key(space.canonical({"graph": mirrored}))


def test_features_of_ones_own_class_are_columns():
    space = Space.parse({"graph": {"type": "tests.workloads.graphs.WithFeatures", "options": {"nodes": 4}}})
    assert [column.name for column in space.columns()] == ["graph.feature_0", "graph.feature_1"]
    graph = {"ops": ["conv", "conv", "skip", "pool"], "edges": [[0, 1], [1, 2], [0, 3]]}
    assert space.encode({"graph": graph}) == [0.5, 0.5]


def test_ones_own_class_may_list_its_values():
    space = Space.parse({"face": {"type": "tests.workloads.graphs.Faces"}})
    assert list(space.enumerate()) == [{"face": [1]}, {"face": [2]}, {"face": [3]}]


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"type": "no_such_module.Graphs"}, "graph.type: found .*; it cannot be imported: ModuleNotFoundError"),
        ({"type": "tests.workloads.graphs.Nothing"}, "graph.type: found .*; it cannot be imported: AttributeError"),
        (
            {"type": "collections.Counter"},
            r"graph.type: found .*; its class lacks sample\(\), mutate\(\), crossover\(\)",
        ),
        (
            {"type": "tests.workloads.graphs.Graphs"},
            "graph.options: tests.workloads.graphs.Graphs does not take them: TypeError",
        ),
        ({"type": "tests.workloads.graphs.Graphs", "nodes": 4}, "graph.nodes: no such field; allowed: .*options"),
    ],
)
def test_wrong_classes_name_the_field_and_the_mend(described, message):
    with pytest.raises(DefinitionError, match=f"^{message}"):
        Space.parse({"graph": described})


def test_what_ones_own_class_refuses_is_a_fault():
    with pytest.raises(DefinitionError, match=r"graph: found .*; allowed: a graph of 4 nodes"):
        Space.parse(GRAPHS).canonical({"graph": {"ops": []}})


def test_a_large_space_is_counted_wherever_its_conditions_stand():
    pairs = {f"op{i}": ["conv", "skip"] for i in range(24)}
    pairs |= {f"kernel{i}": {"type": "int", "low": 1, "high": 2, "when": {f"op{i}": "conv"}} for i in range(24)}
    space = Space.parse(pairs)
    assert space.size() == 3**24
    assert space.canonical(space.at(3**24 - 1)) == space.at(3**24 - 1)
    few = Space.parse({name: pairs[name] for name in ("op0", "op1", "op2", "kernel1", "kernel0")})
    found = list(few.enumerate())
    assert len({few.key(params) for params in found}) == len(found) == few.size() == 3 * 3 * 2


@pytest.mark.parametrize("lengths", [{"length": 2}, {"min_length": 1}, {"min_length": 1, "max_length": 2}])
def test_a_mutant_of_a_sublist_is_any_of_its_neighbours(lengths):
    parameter = SublistOf(choices=["a", "b", "c", "d"], **lengths)
    rng = random.Random(0)
    drawn = Counter(json.dumps(parameter.different(["a", "c"], rng)) for _ in range(3000))
    near = [json.dumps(one) for one in parameter.neighbours(["a", "c"])]
    assert drawn.keys() == set(near)
    assert min(drawn.values()) > 0.7 * 3000 / len(near)


def test_a_long_sublist_is_varied_without_listing_its_neighbours(monkeypatch):
    monkeypatch.delattr(SublistOf, "neighbours")
    parameter = SublistOf(choices=list(range(400)))
    rng, value = random.Random(0), list(range(0, 400, 2))
    for _ in range(100):
        last, value = value, parameter.different(value, rng)
        assert value != last and value == sorted(set(value))
