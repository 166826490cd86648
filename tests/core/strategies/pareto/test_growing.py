import numpy as np

from windtunnel.strategies.pareto.growing import Growing


def test_what_it_holds_stays_as_it_grows_either_way():
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(30, 40))
    matrix = Growing(whole[:3, :4].copy())
    rows, columns = 3, 4
    while rows < 30:
        matrix.grow(1, 0)
        matrix.filled[-1] = whole[rows, :columns]
        rows += 1
        more = min(2, 40 - columns)
        matrix.grow(0, more)
        matrix.filled[:, columns:] = whole[:rows, columns : columns + more]
        columns += more
    assert (matrix.filled == whole).all()


def test_what_was_given_is_left_as_it_was():
    first = np.ones((2, 2))
    matrix = Growing(first)
    matrix.grow(1, 1)
    matrix.filled[:] = 0
    assert (first == 1).all()
