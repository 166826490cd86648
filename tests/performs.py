"""Performs a search or a fleet without Airflow: `python -m tests.performs DEFINITION STORE RUN`, given again to go on.

Whoever gives it again knows that the one before works no more.
"""

import os
import sys
import time
from pathlib import Path

from windtunnel import stages
from windtunnel.definition import Fleet, load_any, resolve
from windtunnel.engine import Engine
from windtunnel.engine.fleet import FleetEngine
from windtunnel.fleet.planning import RunChoice
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store


def main(file: str, store: str, run: str) -> None:
    """Begin the run, or go on with it, and perform it to its end."""
    definition = load_any(Path(file))
    ledger = Ledger(open_store(store), definition.name, run)
    if isinstance(definition, Fleet):
        FleetEngine(definition, ledger, RunChoice(force=True)).perform()
        return
    session = f"{run}-{os.getpid()}-{time.time_ns()}"
    Engine(stages.begin(resolve(definition), ledger, session, running=lambda session: False)).perform()


if __name__ == "__main__":
    main(*sys.argv[1:])
