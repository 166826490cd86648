"""A search at work on a run: its ledger, and its definition as the present session has it."""

import json
import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from windtunnel.definition import Definition, definition_of
from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger, Request
from windtunnel.ledger.ids import config_id, trial_id
from windtunnel.ledger.session import Session
from windtunnel.ledger.stage import Stage
from windtunnel.space import Space
from windtunnel.strategies import Problem
from windtunnel.workload.contract import known_values


@dataclass(frozen=True)
class Search:
    """What every stage needs.

    Attributes:
        ledger: of the run.
        session: that performs it now.
        definition: as the session has it.
        code: digest of the workload's source when the run began.
        origin: the run whose trials are trained fully, and which; None for a search.
    """

    ledger: Ledger
    session: Session
    definition: Definition
    code: str
    origin: dict[str, Any] | None

    @classmethod
    def open(cls, ledger: Ledger, session: str) -> "Search":
        """The search as that session performs it.

        Args:
            ledger: of the run, with the specification that the session runs.
            session: its name.

        Raises:
            LedgerError: the run or the session has not begun, a later one has, or the specification is not the one that
                was begun with.
        """
        opened = ledger.session(session)
        ledger = ledger.with_session(opened.number)
        if ledger.turn is not None:
            ledger.turn.check()
        return cls(ledger, opened, definition_of(ledger), ledger.spec.code, ledger.spec.origin)

    @cached_property
    def space(self) -> Space:
        """The searched parameters."""
        return Space.parse(self.definition.space or {})

    @cached_property
    def problem(self) -> Problem:
        """What strategies are to solve."""
        bounds = self.definition.constraints
        return Problem(self.space, dict(self.definition.objectives), dict(bounds), self.known)

    @cached_property
    def data(self) -> str:
        """Digest of the prepared data.

        Raises:
            LedgerError: the data is not prepared.
        """
        manifest = self.ledger.manifest()
        if manifest is None:
            raise LedgerError(f"{self.ledger.url} has no prepared data yet")
        return str(manifest["digest"])

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What its configurations' ids are made of, but for their parameters."""
        return identity(self.definition, self.code, self.data)

    def known(self, params: Mapping[str, Any]) -> dict[str, float]:
        """What is known of a configuration before training."""
        return known_values(self.definition.workload, params, self.definition.settings)

    def iteration(self, group: int) -> int:
        """The ledger's iteration that the session's `group`-th group performs, both counted from 1."""
        return self.session.offset + group

    def config(self, params: Mapping[str, Any]) -> str:
        """The id of a configuration in this search."""
        return config_id(**self.identity, params=params)

    def request(
        self, params: Mapping[str, Any], epochs: float, stage: Stage, done: float = 0.0, repeat: int = 0, **more: Any
    ) -> Request:
        """What to ask of a trial of this configuration, its known values and predicted cost filled in.

        Known values that are not finite are left out: JSON has no word for them.

        Args:
            params: the searched parameters.
            epochs: how far to train, counted from the very beginning.
            stage: that asks.
            done: epochs that the trial has done which it goes on from.
            repeat: which repeat of the configuration it is, so many seeds further; 0 for none.
            more: any other fields of the request.

        Raises:
            LedgerError: the parameters are not of the space; they may come from a ledger.
        """
        if not self.space.contains(params):
            raise LedgerError(f"{self.ledger.url}: {json.dumps(params)} are no parameters of the search's space")
        config = self.config(params)
        known = self.problem.known_or_none(dict(params)) or {}
        known = {name: value for name, value in known.items() if math.isfinite(value)}
        return Request(
            trial=trial_id(config, epochs, repeat),
            config=config,
            params=deepcopy(dict(params)),
            epochs=epochs,
            seed=self.definition.trial_seed + repeat,
            stage=stage,
            known={name: value for name, value in known.items() if name != "work"},
            cost=known.get("work", 1.0) * (epochs - done),
            **more,
        )


def identity(definition: Definition, code: Any, data: Any) -> dict[str, Any]:
    """All that decides how a search trains a configuration, but for its parameters: what ids are made of.

    Args:
        definition: of the search.
        code: digest of the workload's source.
        data: digest of the prepared data.
    """
    epochs, objectives = definition.epochs, definition.objectives
    script = {"script": definition.script.identity} if definition.script is not None else {}
    return script | {
        "workload": definition.workload,
        "code": code,
        "settings": definition.settings,
        "horizon": float(epochs.horizon or epochs.full),
        "best": next(iter(objectives.items())) if definition.objective_at == "best" else None,
        "data": data,
        "seed": definition.trial_seed,
    }
