"""Sessions of a run that are performed in this process, while somebody watches."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from windtunnel import stages
from windtunnel.definition import Definition
from windtunnel.engine.perform import Engine, patiently
from windtunnel.ledger import Ledger, Model, Plan
from windtunnel.report import RunReader
from windtunnel.report.display import Display

_OWN = "python-"  # what the names of such sessions begin with


def moment() -> str:
    """The present moment as a name."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%f")


def own_session(ledger: Ledger) -> tuple[str, Callable[[str], bool | None]]:
    """The name of a new session of this process, and what tells whether another one of the run is at work."""

    def running(session: str) -> bool | None:
        """One of these says itself how it ended; else its heartbeat tells."""
        return False if session.startswith(_OWN) and ledger.end_of(session) else None

    return f"{_OWN}{moment()}-{os.getpid()}", running


def begin(definition: Definition, ledger: Ledger, say: Callable[[str], None], **chosen: Any) -> Engine:
    """Begin a session of a run, or go on with the run.

    Args:
        definition: its space resolved.
        ledger: of the run.
        say: told what a person should know of.
        **chosen: of `stages.begin`: `origin`, `retry_failed`, `written`, `named`.

    Raises:
        LedgerError: see `stages.begin`.
        WorkloadError: the workload cannot be loaded.
    """
    session, running = own_session(ledger)
    return Engine(patiently(lambda: stages.begin(definition, ledger, session, running=running, **chosen), say), say=say)


def perform_shown(
    engine: Engine, heading: str, approve: Callable[[Display, Plan], bool] = lambda display, plan: True
) -> list[Model]:
    """Perform a search while its display shows how far it is.

    Args:
        engine: of the search.
        heading: the display's first line.
        approve: asked for the finalists, with the display that a question interrupts.

    Raises:
        SearchError: see `Engine.perform`.
        WindtunnelError: likewise.
    """
    with Display(RunReader(engine.search.ledger), heading) as display:
        engine.look = lambda progress: display.update()
        engine.say = display.say
        engine.approve = lambda plan: approve(display, plan)
        models = engine.perform()
        display.update(now=True)
    return models
