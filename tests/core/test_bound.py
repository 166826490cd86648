import math

import pytest

from windtunnel.bound import Bound
from windtunnel.errors import DefinitionError
from windtunnel.section import read_section


@pytest.mark.parametrize(
    ("bound", "value", "sentence", "excess"),
    [
        (Bound(max=4), 4.0, None, 0.0),
        (Bound(max=4), 5.0, "is above 4", 0.25),
        (Bound(min=-2), -3.0, "is below -2", 0.5),
        (Bound(min=1, max=2), 1.5, None, 0.0),
        (Bound(max=0), 0.5, "is above 0", 0.5),
    ],
)
def test_a_value_keeps_to_it_or_breaks_it_by_some(bound, value, sentence, excess):
    assert bound.broken(value) == sentence
    assert bound.excess(value) == excess


def test_no_number_keeps_to_no_bound():
    assert Bound(max=1).broken(math.nan)
    assert Bound(min=1).broken(math.nan)


@pytest.mark.parametrize("data", [{}, {"min": 2.0, "max": 1.0}])
def test_a_bound_that_nothing_can_keep_is_refused(data):
    with pytest.raises(DefinitionError, match=r"give max, min or both|min 2 is above max 1"):
        read_section(Bound, data)
