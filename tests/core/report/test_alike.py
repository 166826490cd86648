"""Trials that come to the very same values in spite of their parameters are told of."""

import pytest

from windtunnel.ledger import Request, Result, State, Trial
from windtunnel.report.alike import alike


def trial(number, accuracy, **params):
    name = f"{number:016x}-e1"
    request = Request(trial=name, config=name[:16], params=params, epochs=1, stage="1", iteration=1)
    values = {"accuracy": accuracy}
    return Trial(request, Result(trial=name, state=State.COMPLETED, objectives=values, metrics=values))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([(0.5, 1, 1), (0.5, 2, 2)], "a, b"),
        ([(0.1, 0, 0), (0.5, 1, 1), (0.5, 2, 1)], "a"),
        ([(0.1, 0, 0), (0.5, 1, 1), (0.5, 2, 2), (0.5, 3, 1)], "a, b"),
        ([(0.1, 0, 0), (0.5, 1, 1), (0.5, 2, 2)], None),
        ([(0.5, 1, 1), (0.5, 1, 1)], None),
        ([(0.5, 1, 1), (0.6, 2, 2)], None),
        ([(0.5, 1, 1)], None),
        ([], None),
    ],
)
def test_who_is_told(values, names):
    told = alike(trial(number, value, a=a, b=b) for number, (value, a, b) in enumerate(values))
    if names is None:
        assert told == ""
    else:
        count = [value for value, *_ in values].count(0.5)
        assert told.startswith(f"{count} trials that differ in {names} came to the same accuracy 0.5: does the script")
