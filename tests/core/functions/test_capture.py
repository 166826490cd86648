"""What travels of a function that no other process could import."""

import json
import math as maths
import random
import types
from collections import OrderedDict
from enum import IntEnum
from functools import partial

import numpy as np
import pytest

from windtunnel.errors import WorkloadError
from windtunnel.functions.capture import capture, is_importable

WIDTH = 3
RATES = {"fast": 0.1, "slow": [1e-3, None, True]}
LOCK = object()


def double(x):
    return 2 * x


def half(x):
    return x / 2


def run(text):
    """The module of such a text."""
    module = types.ModuleType("captured")
    exec(compile(text, "captured.py", "exec"), module.__dict__)
    return module


@pytest.fixture(autouse=True)
def _as_in_a_notebook(monkeypatch):
    """Functions of this file are held to be of a module that no job can import."""
    monkeypatch.setattr("windtunnel.functions.capture._NO_MODULE", (__name__,))


def test_a_function_travels_with_its_helpers_constants_and_imports():
    def train(x):
        return double(x) * WIDTH * RATES["slow"][0] + maths.sqrt(len(OrderedDict(a=1)))

    text = capture(train)
    assert run(text).train(2) == train(2)
    assert "import math as maths" in text
    assert "from collections import OrderedDict" in text


def test_equal_functions_give_equal_texts():
    def train(x):
        return half(double(x)) + WIDTH

    assert capture(train) == capture(train)


def test_free_variables_travel_and_so_do_functions_between():
    rate = 0.5

    def scale(x):
        return rate * x

    def train(x):
        return scale(x)

    assert run(capture(train)).train(4) == 2.0


def test_classes_travel_with_their_bases_and_methods():
    class Base:
        def __init__(self):
            self.width = WIDTH

    class Net(Base):
        def __init__(self):
            super().__init__()
            self.twice = double(self.width)

    def train(x):
        return Net().twice + x

    assert run(capture(train)).train(1) == 7


def test_names_that_only_annotate_need_not_be_there():
    def train(trial: "Unheard", more: json.JSONDecoder | None = None) -> "Neither":  # noqa: F821
        inner: Absent = 3  # noqa: F821
        return inner

    text = capture(train)
    assert "JSONDecoder" in text
    assert "import json" not in text
    assert run(text).train(None) == 3


def test_an_alias_keeps_its_name():
    other = double

    def train(x):
        return other(x)

    assert run(capture(train)).train(2) == 4


def test_recursion_and_mutual_calls_end():
    def train(n):
        return n if n < 2 else train(n - 1) + double(0)

    assert run(capture(train)).train(5) == 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (LOCK, "object"),
        (random.Random(0), "Random"),
        ((1, 2), "tuple"),
        ({1: 2}, "dict"),
        (partial(double, 1), "partial"),
        (np.float64(0.5), "float64"),
        ([np.float64(0.5)], "list"),
        (np.zeros(3), "ndarray"),
        (IntEnum("Level", ["LOW"]).LOW, "Level"),
        (OrderedDict(a=1), "OrderedDict"),
        (float("nan"), "float"),
    ],
)
def test_a_value_that_json_has_no_word_for_is_named(value, kind):
    held = value

    def train(x):
        return held

    with pytest.raises(WorkloadError, match=rf"train\(\) uses 'held', a {kind}"):
        capture(train)


def test_one_name_for_two_things_is_refused():
    def use(value):
        def helper(x):
            return value

        return helper

    one, two = use(1), use(2)

    def train(x):
        return one(x) + two(x)

    with pytest.raises(WorkloadError, match="different things"):
        capture(train)


def test_a_lambda_and_what_has_no_source_are_refused():
    with pytest.raises(WorkloadError, match="def"):
        capture(lambda x: x)
    made = {}
    exec("def train(x):\n    return x", made)
    with pytest.raises(WorkloadError, match="source"):
        capture(made["train"])


def test_an_undefined_name_is_named():
    def train(x):
        return nowhere  # noqa: F821

    with pytest.raises(WorkloadError, match="'nowhere'"):
        capture(train)


def test_only_what_a_module_offers_by_its_name_is_importable():
    def inner():
        pass

    assert is_importable(json.dumps)
    assert not is_importable(inner)
    assert not is_importable(double)  # of a script


def test_a_relative_import_within_a_function_is_refused_with_the_mend():
    def train(x):
        from .helpers import score

        return score(x)

    with pytest.raises(WorkloadError, match=r"train\(\) imports from \.helpers, .*: import by the package's name"):
        capture(train)
