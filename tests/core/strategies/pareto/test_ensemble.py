import numpy as np
import pytest

from tests.core.strategies.pareto.test_model import features
from windtunnel.strategies.pareto.ensemble import Ensemble
from windtunnel.strategies.pareto.kernel import Groups, Kernel
from windtunnel.strategies.pareto.model import fit

GROUPS = Groups(np.array([0, 1, 1]), np.array([0, 1, 1]), 2)


@pytest.fixture
def members():
    some = features(30)
    values = 5 * some.place[:, 0] + np.sin(6 * some.place[:, 1]) * some.place[:, 2]
    kernels = [Kernel(GROUPS), Kernel(GROUPS, additive=False)]
    return [fit(kernel, some, values, np.random.default_rng(0)) for kernel in kernels]


def test_values_are_the_average_of_the_members_own(members):
    new = features(40, seed=1)
    for deviations in (-1.5, 0.0, 0.75):
        own = [member.predict(new).values(deviations) for member in members]
        assert not np.allclose(*own)
        together = Ensemble(members).predict(new)
        assert together.values(deviations) == pytest.approx(np.mean(own, 0))
        assert together.values(deviations, [3, 5]) == pytest.approx(np.mean(own, 0)[[3, 5]])


def test_what_is_believed_leaves_every_member_less_uncertain(members):
    together = Ensemble(members).predict(features(40, seed=1))
    spread = together.values(1.0) - together.values(-1.0)
    expected = together.values(0.0)
    together.take(7)
    assert together.values(0.0) == pytest.approx(expected)
    assert together.values(1.0, [7]) - together.values(-1.0, [7]) < 0.6 * spread[7]


def test_without_the_additive_term_a_kernel_is_the_same_at_every_place():
    some, plain = features(5), Kernel(GROUPS, additive=False)
    assert np.ptp(plain.variance(plain.prior_mean, some)) == 0
    assert np.ptp(Kernel(GROUPS).variance(plain.prior_mean, some)) > 0
    assert plain.variance(plain.prior_mean, some) == pytest.approx(
        np.diag(plain.covariance(plain.prior_mean, some, some))
    )
