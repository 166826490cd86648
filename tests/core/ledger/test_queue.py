"""Which unit is claimed next, and which stages' may be."""

import random

import pytest

from windtunnel.ledger import Request
from windtunnel.ledger.prediction import predicted, timed_by
from windtunnel.ledger.queue import in_order, open_stages
from windtunnel.ledger.stage import Stage
from windtunnel.ledger.writer import Writer


def asked(number, cost=1.0, epochs=1.0, **params):
    config = f"{number:016x}"
    return Request(trial=f"{config}-e{epochs:g}", config=config, params=params, epochs=epochs, stage="1", cost=cost)


def numbers(requests):
    return [int(request.config, 16) for request in requests]


def test_the_highest_rung_goes_first_and_of_one_rung_the_longest_predicted():
    requests = [asked(0, 9, 1), asked(1, 1, 4), asked(2, 3, 4), asked(3, 20, 1), asked(4, 5, 2)]
    assert numbers(in_order(requests)) == [2, 1, 4, 3, 0]


def test_the_order_of_asking_does_not_matter():
    requests = [asked(n, cost) for n, cost in enumerate([3, 1, 3, 2, 3, 1])]
    assert in_order(requests) == in_order(random.Random(0).sample(requests, len(requests)))
    assert numbers(in_order(requests)) == [0, 2, 4, 3, 1, 5]


def test_the_runs_own_times_correct_what_the_workload_predicts():
    """The workload says that a wide network takes long, and says nothing of the kernel, by which it takes long."""
    rng = random.Random(0)
    seen = [asked(n, cost=rng.uniform(1, 2), kernel=rng.choice([3, 5]), kind=rng.choice("ab")) for n in range(12)]
    timed = [timed_by(one, one.cost * (10 if one.params["kernel"] == 5 else 1)) for one in seen]
    new = [asked(100, cost=2, kernel=3, kind="a"), asked(101, cost=1, kernel=5, kind="a")]
    assert numbers(in_order(new)) == [100, 101]
    assert numbers(in_order(new, timed)) == [101, 100]
    assert predicted(new, timed) == pytest.approx([2, 10], rel=0.5)


def test_a_categorical_parameter_corrects_too():
    seen = [asked(n, kind="slow" if n % 2 else "fast") for n in range(8)]
    timed = [timed_by(one, 9.0 if one.params["kind"] == "slow" else 1.0) for one in seen]
    new = [asked(100, cost=1.5, kind="fast"), asked(101, cost=1, kind="slow"), asked(102, cost=1, kind="new")]
    assert numbers(in_order(new, timed))[0] == 101
    assert all(1 <= seconds <= 14 for seconds in predicted(new, timed))


def test_a_correction_never_turns_rungs_round():
    timed = [timed_by(asked(n, kind="a"), 100.0) for n in range(4)]
    timed += [timed_by(asked(n, kind="b"), 0.1) for n in range(4, 8)]
    assert numbers(in_order([asked(9, epochs=1, kind="a"), asked(8, epochs=2, kind="b")], timed)) == [8, 9]


def test_costs_of_nothing_and_odd_parameters_are_no_trouble():
    odd = {"a": None, "b": [1, "x", {"c": float("nan")}], "d": True}
    requests = [asked(n, cost=0.0, **odd) for n in range(5)]
    assert numbers(in_order(requests, [timed_by(one, 0.0) for one in requests])) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("queue", "planned", "stages"),
    [
        (None, ["1"], []),
        ("1", ["0", "1"], ["1"]),
        ("1", ["0", "1", "2"], ["1"]),  # the second is planned and not launched yet
        ("2", ["0", "1", "2"], ["1", "2"]),
        ("2", ["1", "2", "full-2"], ["1", "2"]),  # finalists are chosen, and a person has not approved them yet
        ("full-2", ["1", "2", "full-2", "verify-2"], ["full-2"]),
        ("3", ["1", "2", "full-2", "3"], ["1", "2", "3"]),  # extended
    ],
)
def test_what_is_launched_may_be_claimed_and_iterations_before_it(queue, planned, stages):
    writer = Writer(session="s", number=1, planned=[Stage(one) for one in planned], queue=queue and Stage(queue))
    assert open_stages(writer) == stages
    assert open_stages(None) == []
