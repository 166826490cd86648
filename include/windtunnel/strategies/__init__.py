"""How configurations are chosen. A strategy is chosen by name in the definition."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from windtunnel.errors import DefinitionError
from windtunnel.ledger import Trial
from windtunnel.strategies.base import Batch, Problem, Strategy, Suggestion, generator
from windtunnel.strategies.builder import BatchBuilder
from windtunnel.text import error_text
from windtunnel.validation import Fault, read_model, unknown

__all__ = [
    "Batch",
    "BatchBuilder",
    "Problem",
    "Strategy",
    "Suggestion",
    "Trial",
    "generator",
    "get_strategy",
    "strategy_class",
    "strategy_names",
]

# By name, the class; imported when asked for, since a strategy may need packages that other searches do without.
_STRATEGIES = {
    "bayesian": "windtunnel.strategies.gp.Gp",  # as Azure ML's HyperDrive and its sweep call it
    "evolution_pareto": "windtunnel.strategies.evolution_pareto.EvolutionPareto",
    "gp": "windtunnel.strategies.gp.Gp",
    "grid": "windtunnel.strategies.grid.Grid",
    "nsga2": "windtunnel.strategies.nsga2.NSGA2",
    "pareto": "windtunnel.strategies.pareto.Pareto",
    "random": "windtunnel.strategies.random_search.RandomSearch",
    "sobol": "windtunnel.strategies.sobol.SobolSearch",
    "tpe": "windtunnel.strategies.tpe.TPE",
}


def strategy_names() -> list[str]:
    """Names of the strategies that come with Windtunnel."""
    return sorted(_STRATEGIES)


def get_strategy(name: str, options: Mapping[str, Any] | None = None) -> Strategy:
    """The strategy of that name, with these options.

    Args:
        name: one of `strategy_names()`, or the dotted name of a class of your own, such as `my_module.MyStrategy`.
        options: as the definition has them.

    Raises:
        DefinitionError: there is no such strategy (path `name`), or an option is wrong (path `options…`).
    """
    kind = strategy_class(name)
    return kind(read_model(kind.Options, dict(options or {}), ("options",)))


def strategy_class(name: str) -> type[Strategy]:
    """The class of the strategy of that name.

    Raises:
        DefinitionError: there is none.
    """
    module, dot, attribute = _STRATEGIES.get(name, name).rpartition(".")
    if not dot:
        allowed = [*strategy_names(), "the dotted name of a class of your own"]
        raise DefinitionError.of([Fault(("name",), f"found '{name}'; {unknown(name, allowed, 'strategy')}")])
    try:
        kind = getattr(import_module(module), attribute)
    except (Exception, SystemExit) as error:
        text = f"found '{name}'; it cannot be imported: {error_text(error)}"
        raise DefinitionError.of([Fault(("name",), text)]) from error
    if not (isinstance(kind, type) and issubclass(kind, Strategy)):
        text = f"found '{name}'; allowed: a class derived from windtunnel.strategies.Strategy"
        raise DefinitionError.of([Fault(("name",), text)])
    return kind
