import pytest

from windtunnel.objectives.direction import best, better, loss, reached, sign, worst


@pytest.mark.parametrize(("direction", "good", "bad"), [("maximize", 2.0, 1.0), ("minimize", 1.0, 2.0)])
def test_a_direction_says_what_is_better(direction, good, bad):
    assert better(good, bad, direction) and not better(bad, good, direction) and not better(good, good, direction)
    assert reached(good, bad, direction) and reached(good, good, direction) and not reached(bad, good, direction)
    assert (best([bad, good], direction), worst([good, bad], direction)) == (good, bad)
    assert loss(good, direction) < loss(bad, direction)
    assert loss(loss(good, direction), direction) == good == sign(direction) * loss(good, direction)


def test_of_no_values_none_is_best():
    assert best([], "maximize") is worst([], "minimize") is None
