import numpy as np
import pytest
from scipy.stats import norm

from tests.core.strategies.pareto.test_model import features
from windtunnel.strategies.pareto.ensemble import Ensemble
from windtunnel.strategies.pareto.kernel import Groups, Kernel

GROUPS = Groups(np.array([0, 1, 1]), np.array([0, 1, 1]), 2)


@pytest.fixture(params=[True, False], ids=["warped", "plain"])
def together(request):
    some = features(30)
    values = np.exp(some.place[:, 0] + np.sin(6 * some.place[:, 1]) * some.place[:, 2])
    kernels = [Kernel(GROUPS), Kernel(GROUPS, additive=False)]
    return Ensemble.fitted(kernels, some, values, np.random.default_rng(0), warp=request.param)


def test_means_and_deviations_are_the_averages_of_the_members_own(together):
    new = features(40, seed=1)
    own = [member.predict(new) for member in together.members]
    prediction = together.predict(new)
    assert not np.allclose(own[0].mean, own[1].mean)
    assert prediction.mean == pytest.approx((own[0].mean + own[1].mean) / 2)
    assert prediction.deviation == pytest.approx((own[0].variance ** 0.5 + own[1].variance ** 0.5) / 2)
    assert together.members[0].warp == together.members[1].warp


def test_deviations_are_those_of_the_values(together):
    prediction = together.predict(features(40, seed=1))
    for deviations in (-1.0, 0.0, 1.5):
        values = prediction.values(deviations, [3, 5])
        assert prediction.deviations(values, [3, 5]) == pytest.approx([deviations] * 2, abs=1e-6)


def test_the_probability_of_a_range_is_that_of_its_ends(together):
    prediction = together.predict(features(40, seed=1))
    low, high = prediction.values(-0.5, [7])[0], prediction.values(1.0, [7])[0]
    rows = np.array([7])
    assert prediction.log_between(-np.inf, high, rows) == pytest.approx(norm.logcdf([1.0]))
    assert prediction.log_between(low, np.inf, rows) == pytest.approx(norm.logcdf([0.5]))
    assert np.exp(prediction.log_between(low, high, rows)) == pytest.approx(norm.cdf([1.0]) - norm.cdf([-0.5]))
    above, far = prediction.values(5.0, [7])[0], prediction.values(6.0, [7])[0]
    assert np.exp(prediction.log_between(above, far, rows)) == pytest.approx(norm.sf([5.0]) - norm.sf([6.0]), rel=1e-3)


def test_what_is_believed_leaves_every_member_less_uncertain(together):
    prediction = together.predict(features(40, seed=1))
    expected, deviation = prediction.values(0.0), prediction.deviation[7]
    prediction.take(7)
    assert prediction.values(0.0) == pytest.approx(expected)
    assert prediction.deviation[7] < 0.8 * deviation


def test_without_the_additive_term_a_kernel_is_the_same_at_every_place():
    some, plain = features(5), Kernel(GROUPS, additive=False)
    assert np.ptp(plain.variance(plain.prior_mean, some)) == 0
    assert np.ptp(Kernel(GROUPS).variance(plain.prior_mean, some)) > 0
    assert plain.variance(plain.prior_mean, some) == pytest.approx(
        np.diag(plain.covariance(plain.prior_mean, some, some))
    )
