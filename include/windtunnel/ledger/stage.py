"""A stage of a run, and its name."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from pydantic_core import CoreSchema, core_schema

from windtunnel.errors import LedgerError

_NAME = re.compile(r"(?:(full|verify)-)?(\d+)|(prepare)(?:-r(\d+))?|(fleet)")

_SAFE = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # what may be a part of a path, a label or a command line


class StageKind(StrEnum):
    """What a stage does, in the order in which a run does it."""

    PREPARE = "prepare"
    SEARCH = "search"
    FULL = "full"
    VERIFY = "verify"
    FLEET = "fleet"

    @property
    def trains(self) -> bool:
        """Whether it trains a search's trials."""
        return self in (StageKind.SEARCH, StageKind.FULL)


_ORDER = list(StageKind)
_TITLES = {
    StageKind.PREPARE: "data",
    StageKind.FULL: "full training",
    StageKind.VERIFY: "verification",
    StageKind.FLEET: "training",
}


class Stage(str):
    """The name of a stage, which is part of paths and of jobs' names.

    `3` is an iteration, and `0` the warm start before the first; `full-3` trains the finalists that iteration 3 chose,
    and `verify-3` checks their models; `prepare` prepares the data, and `prepare-r1` does so once more. The one stage
    of a fleet is `fleet`.
    """

    __slots__ = ()

    @classmethod
    def iteration(cls, k: int) -> "Stage":
        """The k-th iteration; 0 is the warm start."""
        return cls(str(k))

    @classmethod
    def full(cls, number: int) -> "Stage":
        """The full training of the finalists that were chosen after so many iterations."""
        return cls(f"{StageKind.FULL}-{number}")

    @classmethod
    def preparation(cls, failures: int) -> "Stage":
        """The preparation of the data, after so many that failed."""
        return cls(f"{StageKind.PREPARE}-r{failures}" if failures else StageKind.PREPARE.value)

    @property
    def kind(self) -> StageKind:
        """What the stage does.

        Raises:
            LedgerError: it is no stage's name.
        """
        return self._parts()[0]

    @property
    def number(self) -> int:
        """Of an iteration, or of the last one before it; of a preparation, how many failed before it."""
        return self._parts()[1]

    @property
    def is_one(self) -> bool:
        """Whether it is a stage's name at all."""
        return _NAME.fullmatch(self) is not None

    @property
    def is_iteration(self) -> bool:
        """Whether it searches, or is the warm start."""
        return self.isdecimal()

    @property
    def order(self) -> tuple[bool, int, int]:
        """Sorts the stages of a run by when they happen."""
        kind, number = self._parts()
        return kind is not StageKind.PREPARE, number, _ORDER.index(kind)

    @property
    def label(self) -> str:
        """For people: `iteration 3`."""
        kind, number = self._parts()
        if kind is StageKind.SEARCH:
            return f"iteration {number}" if number else "warm start"
        return _TITLES[kind]

    @property
    def verification(self) -> "Stage":
        """The stage that checks the models of this full training."""
        return Stage(f"{StageKind.VERIFY}-{self.number}")

    @property
    def jobs(self) -> str:
        """What the names of its jobs begin with; a preparation is one job of the same name."""
        return str(self) if self.kind is StageKind.PREPARE else f"{self}-"

    def _parts(self) -> tuple[StageKind, int]:
        parts = _NAME.fullmatch(self)
        if parts is None:
            raise LedgerError(f"{str(self)!r} is no stage: it is 3, full-3, verify-3, prepare or fleet")
        if parts[3]:
            return StageKind.PREPARE, int(parts[4] or 0)
        if parts[5]:
            return StageKind.FLEET, 0
        return StageKind(parts[1] or StageKind.SEARCH), int(parts[2])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(pattern=_SAFE, max_length=200))


FLEET = Stage(StageKind.FLEET)
