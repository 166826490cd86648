import numpy as np

from windtunnel.strategies.pareto.ranking import Ranking


def ranked(*needed, exploration):
    """A ranking of candidates that add something from so many standard deviations on."""

    def log_gains(deviations, places):
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(deviations - np.array(needed)[places], 0))

    return Ranking(log_gains, exploration, len(needed))


def test_the_candidate_with_the_largest_gain_is_first():
    ranking = ranked(0.9, 0.2, 0.5, exploration=1.0)
    assert ranking.first() == 1
    ranking.strike(1)
    assert ranking.first() == 2


def test_where_none_gains_anything_less_likely_values_count():
    assert ranked(9.0, 3.5, 1.5, exploration=1.0).first() == 2
    assert ranked(9.0, 0.5, 1.5, exploration=0.0).first() == 1


def test_what_was_taken_stays_taken_when_less_likely_values_count():
    ranking = ranked(0.5, 3.0, 1.5, exploration=1.0)
    assert ranking.first() == 0
    ranking.strike(0)
    assert ranking.first() == 2


def test_the_best_come_in_order():
    ranking = ranked(0.9, 0.2, 0.5, exploration=1.0)
    assert ranking.best(2) == [1, 2]


def test_what_can_gain_nothing_is_taken_in_order():
    assert ranked(np.inf, np.inf, exploration=1.0).first() == 0


def test_a_gain_is_worked_out_anew_only_where_something_was_taken_since():
    asked = []

    def log_gains(deviations, places):
        asked.append(len(places))
        return -1.0 * places

    ranking = Ranking(log_gains, 1.0, 1000)
    assert ranking.first() == 0
    assert asked == [1000]
    ranking.strike(0)
    assert ranking.first() == ranking.first() == 1
    assert len(asked) == 2
    assert asked[1] < 50
