import math

import pytest

from windtunnel.errors import DefinitionError
from windtunnel.objectives.constraint import Constraint
from windtunnel.validation import read_model


@pytest.mark.parametrize(
    ("bound", "value", "sentence", "excess"),
    [
        (Constraint(max=4), 4.0, None, 0.0),
        (Constraint(max=4), 5.0, "is above 4", 0.25),
        (Constraint(min=-2), -3.0, "is below -2", 0.5),
        (Constraint(min=1, max=2), 1.5, None, 0.0),
        (Constraint(max=0), 0.5, "is above 0", 0.5),
        (Constraint(max=1e-300), 1e300, "is above 1e-300", 1e50),
        (Constraint(min=1e308), -1e308, "is below 1e+308", 1e50),
    ],
)
def test_a_value_keeps_to_it_or_breaks_it_by_some(bound, value, sentence, excess):
    assert bound.violated(value) == sentence
    assert bound.violation(value) == excess


def test_no_number_keeps_to_no_bound():
    assert Constraint(max=1).violated(math.nan)
    assert Constraint(min=1).violated(math.nan)


@pytest.mark.parametrize("data", [{}, {"min": 2.0, "max": 1.0}])
def test_a_bound_that_nothing_can_keep_is_refused(data):
    with pytest.raises(DefinitionError, match=r"give max, min or both|min 2 is above max 1"):
        read_model(Constraint, data)
