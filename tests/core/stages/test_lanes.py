import random

import pytest

from windtunnel.ledger import Request
from windtunnel.stages.lanes import deal


def requests(*costs):
    return [
        Request(trial=f"{n:016x}-e1", config=f"{n:016x}", params={}, epochs=1, stage="1", cost=cost)
        for n, cost in enumerate(costs)
    ]


def costs(lanes):
    return [[request.cost for request in lane] for lane in lanes]


def test_the_longest_goes_first_and_to_the_lane_with_least_to_do():
    assert costs(deal(requests(2, 7, 3, 5, 4), 2)) == [[7, 3], [5, 4, 2]]


def test_nothing_is_lost_and_no_lane_is_empty():
    for lanes in (1, 3, 16, 99):
        asked = requests(*range(16))
        dealt = deal(asked, lanes)
        assert sorted(request.trial for lane in dealt for request in lane) == [request.trial for request in asked]
        assert len(dealt) == min(lanes, 16) and all(dealt)
    assert deal([], 4) == []
    assert deal([], 0) == []


def test_trials_without_a_cost_are_spread_evenly():
    assert [len(lane) for lane in deal(requests(*[0.0] * 7), 3)] == [3, 2, 2]


def test_the_order_of_asking_does_not_matter():
    asked = requests(*[3, 1, 3, 2, 3, 1, 1, 2])
    shuffled = random.Random(0).sample(asked, len(asked))
    assert deal(asked, 3) == deal(shuffled, 3)


@pytest.mark.parametrize("seed", range(20))
def test_the_longest_lane_is_within_grahams_bound(seed):
    rng = random.Random(seed)
    lanes = rng.randint(2, 6)
    asked = requests(*[rng.lognormvariate(0, 2) for _ in range(rng.randint(lanes, 40))])
    longest = max(sum(lane) for lane in costs(deal(asked, lanes)))
    total, most = sum(request.cost for request in asked), max(request.cost for request in asked)
    assert longest <= total / lanes + most * (1 - 1 / lanes)
