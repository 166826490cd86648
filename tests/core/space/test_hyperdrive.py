"""HyperDrive's ten expressions draw what their definitions say."""

import math
import random
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from windtunnel.errors import DefinitionError
from windtunnel.space import (
    Choice,
    LogNormal,
    LogUniform,
    Normal,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    Randint,
    Space,
    Uniform,
)

DRAWS = 4000


def drawn(parameter, draws=DRAWS):
    space = Space.parse({"x": parameter})
    rng = random.Random(1)
    return [space.sample(rng)["x"] for _ in range(draws)]


def same_distribution(values, reference):
    """Kolmogorov and Smirnov's test of two samples; the seeds are fixed, so it either always passes or never."""
    return stats.ks_2samp(values, reference).pvalue > 0.01


def test_choice():
    counted = Counter(drawn({"type": "choice", "values": [5, 10, 15]}))
    assert sorted(counted) == [5, 10, 15]
    assert stats.chisquare(list(counted.values())).pvalue > 0.01


def test_randint_leaves_out_its_upper_bound():
    counted = Counter(drawn({"type": "randint", "upper": 4}))
    assert sorted(counted) == [0, 1, 2, 3]
    assert stats.chisquare(list(counted.values())).pvalue > 0.01
    assert all(type(value) is int for value in counted)


def test_uniform():
    values = drawn({"type": "uniform", "min_value": 0.05, "max_value": 0.1})
    assert stats.kstest(values, stats.uniform(0.05, 0.05).cdf).pvalue > 0.01


def test_loguniform_is_the_exponential_of_uniform():
    values = drawn({"type": "loguniform", "min_value": -6, "max_value": -1})
    assert stats.kstest(np.log(values), stats.uniform(-6, 5).cdf).pvalue > 0.01


def test_normal():
    values = drawn({"type": "normal", "mu": 10, "sigma": 3})
    assert stats.kstest(values, stats.norm(10, 3).cdf).pvalue > 0.01


def test_lognormal_is_the_exponential_of_normal():
    values = drawn({"type": "lognormal", "mu": 0, "sigma": 1})
    assert stats.kstest(np.log(values), stats.norm(0, 1).cdf).pvalue > 0.01


GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("described", "before_rounding"),
    [
        ({"type": "quniform", "min_value": 1, "max_value": 10, "q": 3}, GENERATOR.uniform(1, 10, DRAWS)),
        ({"type": "quniform", "min_value": 0.5, "max_value": 3.5, "q": 1}, GENERATOR.uniform(0.5, 3.5, DRAWS)),
        ({"type": "qloguniform", "min_value": 0, "max_value": 4, "q": 2}, np.exp(GENERATOR.uniform(0, 4, DRAWS))),
        ({"type": "qnormal", "mu": 10, "sigma": 3, "q": 2}, GENERATOR.normal(10, 3, DRAWS)),
        ({"type": "qlognormal", "mu": 2, "sigma": 1, "q": 5}, np.exp(GENERATOR.normal(2, 1, DRAWS))),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_q_is_round_x_over_q_times_q(described, before_rounding):
    q = described["q"]
    expected = Counter((np.round(before_rounding / q) * q).tolist())
    found = Counter(drawn(described))
    common = [value for value in expected if expected[value] > 30]
    assert all(value % q == 0 for value in found)
    assert all(abs(found[value] - expected[value]) < 5 * math.sqrt(expected[value]) for value in common)
    assert sum(found[value] for value in common) > 0.9 * DRAWS


@pytest.mark.parametrize(
    ("parameter", "size", "least", "most"),
    [
        (QUniform(min_value=1, max_value=10, q=3), 4, 0.0, 9.0),
        (QUniform(min_value=0.5, max_value=3.5, q=1), 3, 1.0, 3.0),
        (QUniform(min_value=0, max_value=1, q=0.1), 11, 0.0, 1.0),
        (QLogUniform(min_value=0, max_value=2, q=2), 4, 2.0, 8.0),
        (Randint(upper=3), 3, 0, 2),
        (Choice(values=[1, 2]), 2, 1, 2),
        (Uniform(min_value=2, max_value=2), 1, 2.0, 2.0),
    ],
)
def test_finite_ones_are_counted_and_enumerated(parameter, size, least, most):
    values = [params["x"] for params in Space.parse({"x": parameter}).enumerate()]
    assert (len(values), values[0], values[-1]) == (size, least, most)
    assert set(drawn(parameter)) == set(values)


def test_infinite_ones_have_no_size():
    for parameter in (Normal(mu=0, sigma=1), QNormal(mu=0, sigma=1, q=1), LogNormal(mu=0, sigma=1)):
        assert Space.parse({"x": parameter}).size() is None
    assert Space.parse({"x": LogUniform(min_value=0, max_value=1)}).size() is None


@pytest.mark.parametrize(
    ("parameter", "written", "canonical"),
    [
        (QNormal(mu=0, sigma=1, q=0.1), 0.30000000000000004, 0.3),
        (QNormal(mu=0, sigma=1, q=0.5), -0.0, 0.0),
        (QLogNormal(mu=0, sigma=1, q=2), 5, 4),
        (Normal(mu=0, sigma=1), 100, 100.0),
        (Randint(upper=3), 2.0, 2),
    ],
)
def test_the_same_value_has_one_form(parameter, written, canonical):
    value = Space.parse({"x": parameter}).canonical({"x": written})["x"]
    assert (value, type(value)) == (canonical, type(canonical))
    assert math.copysign(1, value) == 1


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        (Randint(upper=3), 3, "a whole number from 0 to 2"),
        (Uniform(min_value=0, max_value=1), 1.5, "a number from 0.0 to 1.0"),
        (LogNormal(mu=0, sigma=1), -1, "a number of at least 0.0"),
        (Normal(mu=0, sigma=1), math.inf, "a number"),
        (QUniform(min_value=1, max_value=10, q=3), 12, "a multiple of 3 from 0 to 9"),
        (QNormal(mu=1, sigma=1, q=3), "3", "a multiple of 3"),
        (Choice(values=[1, 2]), 3, r"one of \[1, 2\]"),
    ],
)
def test_other_values_are_refused(parameter, value, allowed):
    with pytest.raises(DefinitionError, match=f"^x: found .*; allowed: {allowed}"):
        Space.parse({"x": parameter}).canonical({"x": value})


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"type": "uniform", "min_value": 2, "max_value": 1}, "x: min_value 2.0 is above max_value 1.0"),
        ({"type": "uniform", "low": 1, "max_value": 2}, "x.min_value: is missing"),
        ({"type": "loguniform", "min_value": 1, "max_value": 1000}, "x: max_value 1000 is a natural logarithm"),
        ({"type": "normal", "mu": 0, "sigma": 0}, "x.sigma: found 0; allowed: above 0"),
        ({"type": "lognormal", "mu": 500, "sigma": 100}, "x: mu 500 and sigma 100 are of the logarithm"),
        ({"type": "randint", "upper": 0}, "x.upper: found 0; allowed: above 0"),
        ({"type": "quniform", "min_value": 1, "max_value": 2}, "x.q: is missing"),
        ({"type": "choice", "values": []}, r"x.values: found \[\]; allowed: 1 or more"),
    ],
)
def test_wrong_expressions_name_the_field_and_the_mend(described, message):
    with pytest.raises(DefinitionError, match=f"{message}"):
        Space.parse({"x": described})


def test_a_narrow_quantised_normal_can_still_be_varied():
    space = Space.parse({"x": QNormal(mu=0, sigma=0.001, q=1)})
    assert space.mutate({"x": 0.0}, random.Random(0), 1)["x"] in (-1.0, 1.0)


@pytest.mark.parametrize(("q", "kind"), [(10, int), (2.0, int), (0.5, float)])
def test_multiples_of_a_whole_number_are_whole(q, kind):
    space = Space.parse({"units": {"type": "quniform", "min_value": 10, "max_value": 100, "q": q}})
    rng = random.Random(0)
    drawn = [space.default(), space.canonical({"units": 50.0}), *(space.sample(rng) for _ in range(20))]
    assert {type(params["units"]) for params in drawn} == {kind}
