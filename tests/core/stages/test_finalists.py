"""Which trials of one objective are trained fully."""

from windtunnel.objectives.front import fittest
from windtunnel.stages import choose_finalists
from windtunnel.stages.history import History
from windtunnel.strategies.random_search import RandomSearch


class Doubtful(RandomSearch):
    """Expects the very reverse of what was measured."""

    def expected(self, problem, history, seed):
        return [{"score": -trial.objectives["score"]} for trial in history]


def chosen(bench, most):
    """The parameters of all trials, best first, and of the finalists."""
    search = bench.begin(
        f"of_{most}",
        objectives={"score": "maximize"},
        strategy={"name": f"{__name__}.Doubtful"},
        finalists={"max": most},
    )
    bench.iterate(search, 2)
    best = fittest(History(search.ledger).trials(2), search.problem.objectives)
    return [one.params for one in best], [request.params for request in choose_finalists(search).requests]


def test_finalists_of_one_objective_are_those_that_most_is_expected_of(bench):
    measured, finalists = chosen(bench, 1)
    assert finalists == measured[-1:]


def test_the_best_by_its_own_value_is_a_finalist_where_there_is_room(bench):
    measured, finalists = chosen(bench, 3)
    assert finalists == [measured[-1], measured[0], measured[-2]]
