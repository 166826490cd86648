import math
import random
from dataclasses import dataclass, field

import pytest

from windtunnel.objectives.front import (
    comparable,
    fittest,
    hypervolume,
    knee,
    pareto_front,
    ranked,
    reference_point,
    spread,
)

OBJECTIVES = {"accuracy": "maximize", "flops": "minimize"}


@dataclass
class Seen:
    objectives: dict = field(default_factory=dict)
    violation: float = 0.0


def seen(*pairs):
    return [Seen({"accuracy": accuracy, "flops": flops}) for accuracy, flops in pairs]


def pairs(candidates):
    return [(one.objectives["accuracy"], one.objectives["flops"]) for one in candidates]


def test_directions_decide_what_is_better():
    all_of_them = seen((0.9, 50), (0.8, 60), (0.8, 10), (0.95, 80), (0.9, 50))
    assert pairs(pareto_front(all_of_them, OBJECTIVES)) == [(0.9, 50), (0.8, 10), (0.95, 80), (0.9, 50)]
    swapped = {"accuracy": "minimize", "flops": "maximize"}
    assert pairs(pareto_front(all_of_them, swapped)) == [(0.8, 60), (0.95, 80)]


@pytest.mark.parametrize(
    "unfit",
    [
        Seen({}),
        Seen({"accuracy": 1.0}),
        Seen({"accuracy": math.nan, "flops": 0.0}),
        Seen({"accuracy": 1.0, "flops": -math.inf}),
        Seen({"accuracy": 1.0, "flops": 0.0}, violation=0.1),
    ],
)
def test_failures_and_violations_are_never_on_the_front(unfit):
    fit = seen((0.5, 5))
    assert pareto_front([unfit, *fit], OBJECTIVES) == fit
    assert comparable([unfit], OBJECTIVES) == []
    assert reference_point([unfit], OBJECTIVES) == []
    assert hypervolume([unfit, *fit], OBJECTIVES, [0.0, 10]) == pytest.approx(2.5)


def test_the_reference_is_a_tenth_of_the_range_beyond_the_worst():
    assert reference_point(seen((0.9, 50), (0.4, 150)), OBJECTIVES) == pytest.approx([0.35, 160])


def test_the_reference_of_equal_values_still_leaves_room():
    reference = reference_point(seen((0.5, 0.0)), OBJECTIVES)
    assert reference == pytest.approx([0.45, 1.0])
    assert hypervolume(seen((0.5, 0.0)), OBJECTIVES, reference) > 0


def test_hypervolume_is_in_the_objectives_own_units():
    assert hypervolume(seen((0.9, 50), (0.4, 10)), OBJECTIVES, [0.0, 100]) == pytest.approx(0.9 * 50 + 0.4 * 40)


def test_ranks():
    assert [pairs(rank) for rank in ranked(seen((0.5, 5), (0.6, 5), (0.4, 1), (0.4, 2)), OBJECTIVES)] == [
        [(0.6, 5), (0.4, 1)],
        [(0.5, 5), (0.4, 2)],
    ]


def test_spread_keeps_the_best_of_each_objective():
    front = seen((0.1, 1), (0.8, 20), (0.82, 21), (0.9, 90))
    assert pairs(spread(front, OBJECTIVES, 1)) == [(0.9, 90)]
    assert pairs(spread(front, OBJECTIVES, 2)) == [(0.1, 1), (0.9, 90)]
    assert len(spread(front, OBJECTIVES, 9)) == 4


def test_the_fittest_come_by_rank_and_then_by_room():
    candidates = seen((0.5, 50), (0.8, 60), (0.1, 1), (0.9, 90), (0.82, 62), (0.7, 95))
    order = [accuracy for accuracy, _ in pairs(fittest(candidates, OBJECTIVES))]
    assert order == [0.1, 0.9, 0.5, 0.8, 0.82, 0.7]


def test_the_knee_is_of_the_front():
    assert pairs([knee(seen((0.1, 1), (0.8, 20), (0.82, 60), (0.9, 90), (0.0, 0.5)), OBJECTIVES)]) == [(0.8, 20)]
    assert knee([Seen({})], OBJECTIVES) is None


def test_every_comparable_candidate_is_better_than_the_reference_in_everything():
    rng = random.Random(0)
    for _ in range(50):
        candidates = seen(*((rng.choice([0.0, rng.gauss(0, 1)]), rng.gauss(0, 1e9)) for _ in range(rng.randint(1, 6))))
        accuracy, flops = reference_point(candidates, OBJECTIVES)
        assert all(one.objectives["accuracy"] > accuracy and one.objectives["flops"] < flops for one in candidates)


@pytest.mark.parametrize("far", [1.7976931348623157e308, 1e305, 1e60])
def test_values_that_stand_for_none_do_no_harm(far):
    near = seen((0.9, 50.0), (0.8, 10.0), (0.7, 60.0))
    with_far = near + seen((-far, far), (0.1, far), (-far, 100.0))
    reference = reference_point(with_far, OBJECTIVES)
    assert reference == reference_point(near, OBJECTIVES)
    assert hypervolume(with_far, OBJECTIVES, reference) == hypervolume(near, OBJECTIVES, reference)
    assert pairs(pareto_front(with_far, OBJECTIVES)) == [(0.9, 50.0), (0.8, 10.0)]
    assert pairs(fittest(with_far, OBJECTIVES))[:2] == [(0.9, 50.0), (0.8, 10.0)]
    assert pairs(pareto_front([*near, *seen((far, 1.0), (1.0, -far))], OBJECTIVES)) == [(0.9, 50.0), (0.8, 10.0)]
    only_far = seen((-far, far), (0.1, far))
    assert pareto_front(only_far, OBJECTIVES) == reference_point(only_far, OBJECTIVES) == []
