import numpy as np
import pytest

from windtunnel.space import Space
from windtunnel.strategies.pareto.encoding import Encoder, Row


class Graphs:
    """A space of its own, without features."""

    def sample(self, rng):
        return self.mutate({"nodes": 3, "edges": [[0, 1]]}, rng)

    def mutate(self, value, rng):
        return {"nodes": 3, "edges": [*value["edges"][:3], [rng.randrange(3), rng.randrange(3)]]}

    def crossover(self, first, second, rng):
        return first


def encoded(space, *configurations, known=lambda params: {}, hints=()):
    space = Space.parse(space)
    rows = [Row(space.canonical(params), known(params)) for params in configurations]
    encoder = Encoder(space, rows, hints)
    return encoder(rows), encoder.groups


def distance(features, first, second):
    return float(((features.place[first] - features.place[second]) ** 2).sum())


def test_categories_are_all_equally_far_apart():
    features, groups = encoded({"a": ["x", "y", "z"]}, *({"a": value} for value in "xyz"))
    assert distance(features, 0, 1) == distance(features, 1, 2) == distance(features, 0, 2) > 0
    assert groups.count == 1


def test_choices_that_are_numbers_are_far_apart_by_their_order():
    features, _ = encoded({"a": [1, 3, 5]}, *({"a": value} for value in (1, 3, 5)))
    assert distance(features, 0, 1) == distance(features, 1, 2) < distance(features, 0, 2)


def test_the_additive_term_holds_every_parabola():
    places = np.linspace(0, 1, 12)
    features, _ = encoded({"a": {"type": "float", "low": 0, "high": 1}}, *({"a": place} for place in places))
    values = (places - 0.3) ** 2
    columns = np.column_stack([np.ones(12), features.basis])
    weights = np.linalg.lstsq(columns, values, rcond=None)[0]
    assert columns @ weights == pytest.approx(values, abs=1e-9)


def test_a_parameter_that_is_not_there_is_unlike_all_its_values():
    space = {"kind": ["sgd", "adam"], "momentum": {"type": "float", "low": 0, "high": 1, "when": {"kind": "sgd"}}}
    features, groups = encoded(
        space, {"kind": "adam"}, {"kind": "sgd", "momentum": 0.5}, {"kind": "sgd", "momentum": 0.6}
    )
    momentum = features.place[:, groups.place == 1]
    assert ((momentum[0] - momentum[1]) ** 2).sum() > ((momentum[1] - momentum[2]) ** 2).sum() > 0
    assert np.isfinite(features.place).all() and np.isfinite(features.basis).all()


def test_values_that_only_their_class_knows_are_told_apart_by_their_leaves():
    space = {"graph": {"type": f"{__name__}.Graphs"}, "width": [8, 16]}
    one, two = {"nodes": 3, "edges": [[0, 1]]}, {"nodes": 3, "edges": [[0, 1], [1, 2]]}
    features, _ = encoded(space, {"graph": one, "width": 8}, {"graph": two, "width": 8}, {"graph": two, "width": 8})
    assert distance(features, 0, 1) > distance(features, 1, 2) == 0


def test_known_values_are_hints_once_and_only_where_they_tell_something():
    known = lambda params: {"flops": params["a"], "same": 2.0 * params["a"], "constant": 1.0}  # noqa: E731
    space = {"a": {"type": "int", "low": 1, "high": 9}}
    _, groups = encoded(space, *({"a": value} for value in (1, 2, 9)), known=known, hints=["flops", "same", "constant"])
    assert groups.count == 2


def test_parameters_may_have_any_name():
    space = {"epochs": [5, 10, 15], "nothing": [1, 2, 3]}
    features, groups = encoded(space, *({"epochs": 5 * n, "nothing": n} for n in (1, 2, 3)))
    assert groups.count == 2
    assert distance(features, 0, 2) > distance(features, 0, 1) > 0
    space = Space.parse(space)
    rows = [Row(space.canonical({"epochs": 5 * n, "nothing": 1}), {}, epochs=float(n)) for n in (1, 2, 3)]
    assert Encoder(space, rows, []).groups.count == 1


def test_fewer_epochs_are_a_gap():
    space = Space.parse({"a": [1, 2, 3, 4]})
    rows = [Row({"a": n + 1}, {}, epochs=epochs) for n, epochs in enumerate((1.0, 3.0, 9.0, 27.0))]
    encoder = Encoder(space, rows, [])
    assert encoder(rows).gap == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert encoder([Row({"a": 1}, {}, epochs=81.0)]).gap == [0]
    assert Encoder(space, rows[:1], [])(rows).gap.tolist() == [0, 0, 0, 0]


GRAPH = {"type": f"{__name__}.Graphs"}
ONE, TWO = {"nodes": 3, "edges": [[0, 1]]}, {"nodes": 3, "edges": [[0, 1], [1, 2]]}


@pytest.mark.parametrize(
    ("space", "plain", "first", "second"),
    [
        (
            {"kind": ["plain", "cell"], "g": GRAPH | {"when": {"kind": "cell"}}},
            {"kind": "plain"},
            {"kind": "cell", "g": ONE},
            {"kind": "cell", "g": TWO},
        ),
        (
            {"cell": {"g": GRAPH, "w": [1, 2]}},
            {"cell": {"g": ONE, "w": 2}},
            *({"cell": {"g": g, "w": 1}} for g in (ONE, TWO)),
        ),
        (
            {"cells": {"type": "list", "of": GRAPH, "max_length": 2}},
            {"cells": [ONE, ONE]},
            {"cells": [ONE]},
            {"cells": [TWO]},
        ),
        (
            {"head": {"type": "one_of", "options": {"none": None, "graph": GRAPH}}},
            {"head": {"none": None}},
            {"head": {"graph": ONE}},
            {"head": {"graph": TWO}},
        ),
    ],
    ids=["conditional", "nested", "listed", "branch"],
)
def test_values_that_only_their_class_knows_are_told_apart_wherever_they_are(space, plain, first, second):
    features, _ = encoded(space, plain, first, second, second)
    assert distance(features, 1, 2) > distance(features, 2, 3) == 0
    assert distance(features, 0, 1) > 0
    space = Space.parse(space)
    rows = [Row(space.canonical(one), {}) for one in (first, second)]
    encoder = Encoder(space, [*rows, Row(space.canonical(plain), {})], [])
    assert (encoder(rows).place[1] == encoder([Row(space.canonical(plain), {}), rows[1]]).place[1]).all()
