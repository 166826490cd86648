"""Configurations as rows of numbers, and as points of the unit cube."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.space.spaces import EVERYTHING
from windtunnel.space import Column, Space

SPACE = Space.parse(EVERYTHING)
seeds = st.integers(0, 10_000).map(random.Random)


@given(seeds)
def test_a_row_has_a_number_for_each_column_in_its_range(rng):
    params = SPACE.sample(rng)
    row = SPACE.encode(params)
    assert len(row) == len(SPACE.columns())
    for value, column in zip(row, SPACE.columns(), strict=True):
        if column.kind == "number":
            assert math.isnan(value) or 0 <= value <= 1
        else:
            assert math.isnan(value) or value in range(column.size)


@given(seeds, st.integers(0, 10_000))
def test_equal_rows_are_equal_configurations(rng, other):
    """Of everything but a class of one's own, which has the features that it gives itself."""
    first, second = SPACE.sample(rng), SPACE.sample(random.Random(other))
    same_row = str(SPACE.encode(first)) == str(SPACE.encode(second))
    assert same_row == (SPACE.key(first) == SPACE.key(second))


def test_columns_say_what_they_are():
    space = Space.parse(
        {
            "kernel": [3, 5],
            "op": ["conv", "pool"],
            "wide": {"type": "bool"},
            "lr": {"type": "float", "low": 1e-4, "high": 1, "log": True},
            "layers": {"type": "list", "max_length": 2, "of": {"size": {"type": "int", "low": 1, "high": 3}}},
            "optimizer": {"type": "one_of", "options": {"adam": None, "sgd": {"momentum": [0.8, 0.9]}}},
            "inputs": {"type": "sublist_of", "choices": ["a", "b"], "length": 1},
        }
    )
    assert space.columns() == (
        Column("kernel", "category", 2, ordered=True),
        Column("op", "category", 2, ordered=False),
        Column("wide", "category", 2, ordered=True),
        Column("lr", "number", None, ordered=True),
        Column("layers.length", "number", 2, ordered=True),
        Column("layers[0].size", "number", 3, ordered=True),
        Column("layers[1].size", "number", 3, ordered=True),
        Column("optimizer", "category", 2, ordered=False),
        Column("optimizer.sgd.momentum", "category", 2, ordered=True),
        Column("inputs[0]", "category", 2, ordered=True),
        Column("inputs[1]", "category", 2, ordered=True),
    )
    params = {
        "kernel": 5,
        "op": "conv",
        "wide": True,
        "lr": 0.01,
        "layers": [{"size": 3}],
        "optimizer": {"adam": None},
        "inputs": ["b"],
    }
    row = space.encode(params)
    expected = [1, 0, 1, 0.5, 0.25, 5 / 6, math.nan, 0, math.nan, 0, 1]
    assert row == pytest.approx(expected, nan_ok=True)


def test_numbers_are_encoded_on_their_own_scale():
    described = {"type": "int", "low": 1, "high": 1000, "log": True}
    space = Space.parse({"width": described})
    places = [space.encode({"width": width})[0] for width in (1, 10, 100, 1000)]
    assert places == sorted(places)
    assert places[1] - places[0] == pytest.approx(places[2] - places[1])


@given(seeds)
def test_a_point_of_the_unit_cube_is_the_configuration_that_its_coordinates_say(rng):
    """Every number and category is got back from its own code."""
    params = SPACE.sample(rng)
    row = SPACE.encode(params)
    point = [
        0.0 if math.isnan(value) else value if column.kind == "number" else (value + 0.5) / column.size
        for value, column in zip(row, SPACE.columns(), strict=True)
    ]
    again = SPACE.from_unit(point, rng)
    for value, other, column in zip(row, SPACE.encode(again), SPACE.columns(), strict=True):
        if not column.name.startswith("inputs"):  # of which the coordinates decide together
            assert other == pytest.approx(value, abs=1e-4, nan_ok=True), column
