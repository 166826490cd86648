"""The rules' numbers, worked out by hand from HyperDrive's statements."""

import pytest

from windtunnel.definition.early_stopping import EarlyStopping
from windtunnel.stopping.rules import judgements


def stops(own, peers, direction="maximize", **rules):
    said = judgements(EarlyStopping.model_validate(rules), own, peers, direction)
    return any(verdict.stop for verdict in said)


def flat(*values):
    return [[value] for value in values]


@pytest.mark.parametrize(("own", "stop"), [(0.66, True), (0.67, False), (0.8 / 1.2, False)])
def test_bandit_with_a_factor_stops_below_the_best_over_one_and_the_factor(own, stop):
    assert stops([own], flat(0.8, 0.1), bandit={"slack_factor": 0.2}) is stop


@pytest.mark.parametrize(("own", "stop"), [(0.59, True), (0.61, False)])
def test_bandit_with_an_amount_stops_below_the_best_less_the_amount(own, stop):
    assert stops([own], flat(0.8, 0.1), bandit={"slack_amount": 0.2}) is stop


@pytest.mark.parametrize(("own", "stop"), [(0.61, True), (0.59, False)])
def test_bandit_minimising_turns_both_ways(own, stop):
    assert stops([own], flat(0.5, 0.9), "minimize", bandit={"slack_factor": 0.2}) is stop
    assert stops([own], flat(0.5, 0.9), "minimize", bandit={"slack_amount": 0.1}) is stop


def test_bandit_never_stops_the_best_whatever_the_sign():
    for value in (-2.0, 0.0, 2.0):
        for direction in ("maximize", "minimize"):
            assert not stops([value], flat(value), direction, bandit={"slack_factor": 0.5})


@pytest.mark.parametrize(("own", "stop"), [(-1.3, True), (-1.1, False)])
def test_bandit_with_a_factor_leaves_slack_below_a_negative_best_too(own, stop):
    assert stops([own], flat(-1.0), bandit={"slack_factor": 0.2}) is stop


def test_bandit_compares_the_best_so_far_at_the_same_interval():
    rule = {"bandit": {"slack_amount": 0.1}}
    assert not stops([0.8, 0.2], [[0.5, 0.85, 0.99]], **rule)  # 0.99 comes later; 0.8 was its best
    assert stops([0.7, 0.2], [[0.5, 0.85, 0.99]], **rule)
    assert not stops([0.7, 0.2], [[0.99]], **rule)  # has not reached interval 2


def test_median_compares_the_best_so_far_with_the_median_of_the_means():
    peers = [[0.2, 0.4], [0.5, 0.7], [0.8, 0.9, 0.0]]  # means 0.3, 0.6, 0.85
    assert not stops([0.1, 0.61], peers, median={})  # own mean 0.355; median of four (0.355 + 0.6) / 2
    assert not stops([0.48, 0.1], peers, median={})  # median (0.29, 0.3, 0.6, 0.85) = 0.45
    assert stops([0.44, 0.1], peers, median={})


def test_median_minimising():
    peers = [[0.2, 0.4], [0.5, 0.7], [0.8, 0.9]]  # means 0.3, 0.6, 0.85
    assert stops([0.9, 0.8], peers, "minimize", median={})  # own mean 0.85; median 0.725
    assert not stops([0.9, 0.7], peers, "minimize", median={})


def test_the_first_trial_is_never_stopped_by_the_median_or_the_bandit():
    assert not stops([0.9, 0.1], [], median={}, bandit={"slack_factor": 0.0})


@pytest.mark.parametrize(("own", "stop"), [(0.0, True), (0.15, True), (0.25, False), (0.95, False)])
def test_truncation_stops_the_worst_share(own, stop):
    peers = flat(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # ten with it: the last two stop
    assert stops([own], peers, truncation={"truncation_percentage": 20}) is stop
    turned = [[-value[0]] for value in peers]
    assert stops([-own], turned, "minimize", truncation={"truncation_percentage": 20}) is stop


def test_truncation_stops_no_more_than_its_share_where_values_are_equal():
    assert not stops([0.5], flat(*[0.5] * 9), truncation={"truncation_percentage": 50})


def test_truncation_compares_others_only_up_to_the_interval():
    rule = {"truncation": {"truncation_percentage": 50}}
    assert not stops([0.5], [[0.4, 0.9]], **rule)
    assert stops([0.5], [[0.6, 0.9]], **rule)


def test_rules_are_due_at_multiples_of_the_interval_from_the_delay_on():
    early = EarlyStopping.model_validate({"median": {"evaluation_interval": 3, "delay_evaluation": 4}})
    due = [n for n in range(1, 13) if judgements(early, [0.0] * n, [], "maximize")]
    assert due == [6, 9, 12]


def test_each_rule_says_why():
    early = EarlyStopping.model_validate({"bandit": {"slack_amount": 0.1}, "median": {}})
    bandit, median = judgements(early, [0.5], flat(0.8, 0.9), "maximize")
    assert (bandit.rule, bandit.interval, bandit.stop) == ("bandit", 1, True)
    assert bandit.reason == "0.5 is below 0.8, the slack from 0.9, the best so far of 3 trials at interval 1"
    assert median.reason == "0.5 is below 0.8, the median of the means of 3 trials up to interval 1"
