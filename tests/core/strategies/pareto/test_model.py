from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad

from windtunnel.strategies.pareto.ensemble import Ensemble
from windtunnel.strategies.pareto.kernel import Features, Groups, Kernel
from windtunnel.strategies.pareto.model import fit
from windtunnel.strategies.pareto.warp import Warp, tamed, warps


def features(count, seed=0):
    place = np.random.default_rng(seed).random((count, 3))
    return Features(place, place - 0.5, np.zeros(count))


def kernel():
    return Kernel(Groups(np.array([0, 1, 1]), np.array([0, 1, 1]), 2))


def test_the_gradient_is_that_of_the_covariance():
    one, some = kernel(), replace(features(12), gap=np.repeat([0.0, 0.4, 1.0], 4))
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(12, 12))
    weights += weights.T

    def total(theta):
        covariance, _ = one.differentiable(theta, some)
        return float((weights * covariance).sum())

    for theta in (one.prior_mean, one.prior_mean + rng.normal(size=one.size)):
        covariance, _ = one.differentiable(theta, some)
        assert covariance == pytest.approx(one.covariance(theta, some, some) + np.diag(one.noise(theta, some)))
        assert check_grad(total, lambda theta: one.differentiable(theta, some)[1](weights), theta) < 1e-4


def test_variance_is_the_covariances_diagonal():
    one, some = kernel(), replace(features(5), gap=np.linspace(0, 1, 5))
    covariance = one.covariance(one.prior_mean, some, some)
    assert one.variance(one.prior_mean, some) == pytest.approx(np.diag(covariance))
    assert (np.linalg.eigvalsh(covariance) > -1e-9).all()


@pytest.mark.parametrize("offset", [np.inf, 0.1, 0.02, -0.1, -1.0])
def test_warps_keep_the_order_and_can_be_undone(offset):
    values = np.array([3.0, 1.0, 2.0, 7.5])
    warp = Warp(1.0, 6.5, offset)
    assert warp.back(warp.forward(values)) == pytest.approx(values)
    assert np.argsort(warp.forward(values)).tolist() == np.argsort(values).tolist()
    step = 1e-6
    slopes = (warp.forward(values + step) - warp.forward(values - step)) / (2 * step) * warp.extent
    inner = values < 7.5 if offset < 0 else values > 1.0  # at the very end the bound may be a kink
    assert np.log(slopes[inner]).sum() == pytest.approx(warp.log_slope(values[inner]), rel=1e-4, abs=1e-6)


def test_a_long_tail_is_warped_and_a_straight_line_is_not():
    some = features(60)
    straight = some.place @ np.array([1.0, -2.0, 0.5])
    rng = np.random.default_rng(0)
    assert fit(kernel(), some, np.exp(3 * straight), rng).warp.offset < 0.5
    assert (
        np.isinf(fit(kernel(), some, straight, rng).warp.offset)
        or abs(fit(kernel(), some, straight, rng).warp.offset) >= 0.3
    )
    assert len(warps(straight)) > 5


def test_few_values_make_no_warp_look_better_by_chance_if_it_is_cautious():
    some = features(12)
    draws = [np.random.default_rng(seed).normal(size=12) for seed in range(20)]

    def taken(values, *, cautious):
        return np.isinf(fit(kernel(), some, values, np.random.default_rng(0), cautious=cautious).warp.offset)

    by_chance = [not taken(values, cautious=False) for values in draws]
    assert sum(not taken(values, cautious=True) for values in draws) < sum(by_chance) / 2
    assert not taken(np.exp(5 * (some.place @ np.array([1.0, -2.0, 0.5]))), cautious=True)


def test_what_is_learnt_predicts_what_is_new():
    some, new = features(60), features(200, seed=1)

    def truth(place):
        return 10 * np.exp(place[:, 0] * 2) + 5 * np.sin(6 * place[:, 1]) * place[:, 2]

    process = fit(kernel(), some, truth(some.place), np.random.default_rng(0))
    predicted = Ensemble([process]).predict(new).values(0.0)
    assert np.corrcoef(predicted, truth(new.place))[0, 1] > 0.95


def test_what_is_believed_leaves_its_like_less_uncertain():
    process = fit(kernel(), features(20), features(20).place.sum(1) ** 2, np.random.default_rng(0))
    new = features(50, seed=2)
    prediction = process.predict(new)
    before, mean = prediction.variance.copy(), prediction.mean.copy()
    prediction.take(7)
    prediction.take(9)
    assert (prediction.variance <= before + 1e-12).all()
    assert prediction.variance[7] < 0.5 * before[7] + process.noise(new)[7]
    assert (prediction.mean == mean).all()
    # Exactly what a process with the two trials added would say.
    both = features(20).joined(new[np.array([7, 9])])
    covariance = process.kernel.covariance(process.theta, both, both) + np.diag(process.noise(both))
    cross = process.kernel.covariance(process.theta, both, new)
    exact = process.kernel.variance(process.theta, new) - (cross * np.linalg.solve(covariance, cross)).sum(0)
    assert prediction.variance == pytest.approx(np.maximum(exact, 1e-10), abs=1e-6)


def test_what_is_believed_to_disappoint_speaks_against_its_like():
    process = fit(kernel(), features(20), features(20).place.sum(1) ** 2, np.random.default_rng(0))
    new = features(50, seed=2)
    prediction = process.predict(new)
    mean, deviation = prediction.mean.copy(), np.sqrt(prediction.variance[7] + process.noise(new)[7])
    both = features(20).joined(new[7:8])
    covariance = process.kernel.covariance(process.theta, both, both) + np.diag(process.noise(both))
    values = np.append(process.root @ process.white, mean[7] + 2 * deviation)
    prediction.take(7, worse=2.0)
    # Exactly what a process with such a trial added would say.
    exact = process.kernel.covariance(process.theta, both, new).T @ np.linalg.solve(covariance, values)
    assert prediction.mean == pytest.approx(exact, abs=1e-4)
    assert prediction.mean[7] > mean[7] + deviation


def test_candidates_that_come_in_later_are_seen_as_those_before():
    some = features(20)
    early, late = (fit(kernel(), some, some.place.sum(1) ** 2, np.random.default_rng(0)) for _ in range(2))
    all_at_once = early.predict(features(50, seed=2))
    all_at_once.take(3)
    all_at_once.take(5, worse=1.0)
    one_by_one = late.predict(features(50, seed=2)[:20])
    one_by_one.take(3)
    one_by_one.extend(features(50, seed=2)[20:40])
    one_by_one.take(5, worse=1.0)
    one_by_one.extend(features(50, seed=2)[40:])
    assert one_by_one.mean == pytest.approx(all_at_once.mean)
    assert one_by_one.variance == pytest.approx(all_at_once.variance)


def test_trials_that_repeat_each_other_with_noise_are_told_apart():
    place = np.repeat(np.linspace(0, 1, 6), 6)
    noise = np.random.default_rng(0).normal(size=36)
    some = Features(place[:, None], place[:, None] - 0.5, np.zeros(36))
    process = fit(
        Kernel(Groups(np.array([0]), np.array([0]), 1)), some, 5 * place + 0.5 * noise, np.random.default_rng(0)
    )
    assert process.noise(some)[0] > 0.02


def test_values_with_a_long_tail_are_offered_warps_that_tell_the_best_apart():
    even, tailed = np.linspace(0, 1, 50), np.r_[np.linspace(0, 1, 49), 1e6]
    assert min(abs(warp.offset) for warp in warps(even)) == 0.02
    finest = min(warps(tailed), key=lambda warp: abs(warp.offset))
    assert np.ptp(finest.forward(np.linspace(0, 1, 49))) > 0.1 * np.ptp(finest.forward(tailed))


def test_what_is_worse_beyond_all_measure_is_brought_near():
    values = np.array([1.0, 2.0, 3.0, 1e300])
    assert tamed(values)[:3].tolist() == [1, 2, 3]
    assert tamed(values)[3] < 1e3
    assert tamed(np.array([8.0, 0, 90, 3, 1, 1e6, 2, 5])).tolist() == [8, 0, 8, 3, 1, 8, 2, 5]
    assert tamed(np.array([5.0, 5.0])).tolist() == [5, 5]
