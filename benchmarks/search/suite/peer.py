"""Peers, each in a process of an environment of its own, that is asked and told in lines of JSON."""

import json
import math
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.environments import FOLDER, python_of
from benchmarks.search.suite.case import Case
from windtunnel.objectives.direction import sign
from windtunnel.space import Params
from windtunnel.strategies import Trial

WORKERS = Path(__file__).parent / "workers"
PEERS = {  # by label: the environment, and what the worker is asked for
    "optuna tpe": ("botorch", "optuna_peer.py", "tpe"),
    "optuna gp": ("botorch", "optuna_peer.py", "gp"),
    "optuna nsga2": ("botorch", "optuna_peer.py", "nsga2"),
    "pymoo nsga2": ("botorch", "pymoo_peer.py", "nsga2"),
    "botorch": ("botorch", "botorch_peer.py", "qlog"),
    "smac": ("smac", "smac_peer.py", "smac"),
    "hebo": ("hebo", "hebo_peer.py", "hebo"),
}


class UnsuitedError(Exception):
    """The peer cannot take part in this problem."""


class Peer:
    """A peer at work on a problem. It sees the space's columns; those of absent parameters too."""

    def __init__(self, label: str, case: Case, seed: int, trials: int) -> None:
        """Start the process.

        Raises:
            UnsuitedError: its environment is not there, or it declines the problem.
        """
        environment, script, method = PEERS[label]
        python = python_of(environment)
        if not python.exists():
            raise UnsuitedError(f"{python} is missing")
        self._case = case
        self._rng = random.Random(seed)
        self._process = subprocess.Popen(
            [python, "-W", "ignore", WORKERS / script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(FOLDER / f"{environment}.log").open("a"),
            text=True,
        )
        columns = [
            {"number": column.kind == "number", "size": column.size, "ordered": column.ordered}
            for column in case.problem.space.columns()
        ]
        bounds = sum((bound.max is not None) + (bound.min is not None) for bound in case.constraints.values())
        task = {"method": method, "columns": columns, "objectives": len(case.objectives), "constraints": bounds}
        answer = self._say(task | {"seed": seed, "batch": case.batch, "trials": trials})
        if answer != "ready":
            raise UnsuitedError(str(answer))

    def ask(self, n: int) -> list[Params]:
        """The next configurations."""
        self._rows = self._say({"ask": n})
        columns = self._case.problem.space.columns()
        return [
            self._case.problem.space.canonical(
                self._case.problem.space.from_unit(
                    [
                        min(max(value, column.edge), 1 - 1e-9)
                        if column.kind == "number"
                        else (value + 0.5) / column.size
                        for column, value in zip(columns, row, strict=True)
                    ],
                    self._rng,
                )
            )
            for row in self._rows
        ]

    def tell(self, trials: Sequence[Trial]) -> None:
        """What they came to: objectives to be minimised, and constraints, of which no more than 0 is kept."""
        signs = {name: sign(way) for name, way in self._case.objectives.items()}
        facts = []
        for one in trials:
            values = [sign * one.objectives.get(name, math.nan) for name, sign in signs.items()]
            excess = []
            for name, bound in self._case.constraints.items():
                value = one.metrics.get(name, math.nan)
                excess += [value - bound.max] if bound.max is not None else []
                excess += [bound.min - value] if bound.min is not None else []
            fine = all(map(math.isfinite, values + excess))
            facts.append({"values": values, "excess": excess} if fine else None)
        self._say({"tell": facts})

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()

    def _say(self, message: Any) -> Any:
        self._process.stdin.write(json.dumps(message) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        while True:
            line = self._process.stdout.readline()  # type: ignore[union-attr]
            if not line:
                raise UnsuitedError("it died; see the log beside its environment")
            if line.startswith("@"):  # the peer's own messages have no mark
                return json.loads(line[1:])
