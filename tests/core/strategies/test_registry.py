import pytest

from windtunnel.errors import DefinitionError
from windtunnel.strategies import Batch, BatchBuilder, Strategy, generator, get_strategy, strategy_names
from windtunnel.validation import StrictModel


class FirstComeFirstServed(Strategy):
    """A user's own strategy: the space in order."""

    class Options(StrictModel):
        skip: int = 0

    def suggest(self, problem, history, n, seed, iteration):
        builder = BatchBuilder(problem, history, generator(seed, iteration))
        for params in list(problem.space.enumerate())[self.options.skip :]:
            if len(builder.suggestions) < n:
                builder.offer(params)
        return Batch(builder.suggestions)


def test_every_name_gives_a_strategy():
    names = ["bayesian", "evolution_pareto", "gp", "grid", "nsga2", "pareto", "random", "sobol", "tpe"]
    assert strategy_names() == names
    assert all(isinstance(get_strategy(name), Strategy) for name in names)
    assert type(get_strategy("bayesian")) is type(get_strategy("gp"))


def test_ones_own_strategy_is_named_by_its_dotted_name():
    strategy = get_strategy(f"{__name__}.FirstComeFirstServed", {"skip": 2})
    assert isinstance(strategy, FirstComeFirstServed)
    assert strategy.options.skip == 2


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("evolution_pareta", {}, r"name: found 'evolution_pareta'.*did you mean 'evolution_pareto'"),
        ("no_such_module.Strategy", {}, "name: .*cannot be imported: ModuleNotFoundError"),
        ("windtunnel.strategies.Batch", {}, "name: .*derived from windtunnel.strategies.Strategy"),
        ("random", {"num_random_mix": 1}, "options.num_random_mix: no such field; allowed: none"),
        ("evolution_pareto", {"num_crossover": 1}, "options.num_crossover: .*did you mean 'num_crossovers'"),
        (
            "evolution_pareto",
            {"mutation_probability": 1.5},
            "options.mutation_probability: found 1.5; allowed: at most",
        ),
        ("evolution_pareto", {"num_random_mix": True}, "options.num_random_mix: found true; allowed: a whole number"),
    ],
)
def test_what_is_wrong_is_named(name, options, message):
    with pytest.raises(DefinitionError, match=message):
        get_strategy(name, options)
