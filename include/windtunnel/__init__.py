"""Windtunnel's core: definitions, spaces, strategies, the ledger and its stores. Knows neither Airflow nor torch.

From Python: `search` tries a function's parameters, `resume` goes on with a run, `open_run` reads one.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["open_run", "resume", "search"]

if TYPE_CHECKING:
    from windtunnel.functions.run import open_run
    from windtunnel.functions.search import resume, search


def __getattr__(name: str) -> Any:
    """Import what is there for users of Python only where it is used: DAG files are parsed often."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from windtunnel.functions import run, search

    return getattr(run if name == "open_run" else search, name)
