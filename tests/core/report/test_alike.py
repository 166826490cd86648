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
    ("values", "who"),
    [
        ([(0.5, 1, 1), (0.5, 2, 2)], "2 trials that differ in a, b came to the same accuracy 0.5"),
        ([(0.1, 0, 0), (0.5, 1, 1), (0.5, 2, 1)], "2 trials that differ in a came to the same accuracy 0.5"),
        (
            [(0.1, 0, 0), (0.5, 1, 1), (0.5, 2, 2), (0.5, 3, 1)],
            "3 trials that differ in a, b came to the same accuracy 0.5",
        ),
        ([(0.1, 0, 0), (0.5, 1, 1), (0.5, 2, 2)], None),
        ([(0.1, 0, 0), (0.2, 1, 0), (0.5, 1, 1), (0.5, 2, 1)], None),  # a has an effect elsewhere
        ([(0.5, 0, 0), (0.5, 1, 0), (0.5, 2, 1), *[(n / 10, n, n) for n in range(6, 12)]], None),  # a few, by chance
        (
            [*[(n % 2, n, n % 2) for n in range(8)], (0.5, 8, 3), (0.5, 9, 3)],
            "4 trials that differ in a came to the same accuracy 0",
        ),
        ([(0.5, 1, 1), (0.5, 1, 1)], None),
        ([(0.5, 1, 1), (0.6, 2, 2)], None),
        ([(0.5, 1, 1)], None),
        ([], None),
    ],
)
def test_who_is_told(values, who):
    told = alike(trial(number, value, a=a, b=b) for number, (value, a, b) in enumerate(values))
    if who is None:
        assert told == ""
    else:
        assert told == f"{who}: does the script use what it is given?"
