"""Values without more structure than being one of some."""

import functools
import random
from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, model_validator

from windtunnel.ledger.ids import canonical_json
from windtunnel.section import found
from windtunnel.space.parameter import Column, Gene

_SCALAR = (str, int, float, type(None))


class Choices(Gene):
    """One of some values."""

    @abstractmethod
    def options(self) -> list[Any]:
        """The values, in order."""

    @model_validator(mode="after")
    def _are_different(self) -> "Choices":
        check_different(self.options())
        return self

    @functools.cached_property
    def _places(self) -> dict[bytes, int]:
        return {canonical_json(option): index for index, option in enumerate(self.options())}

    @functools.cached_property
    def _scalars(self) -> dict[tuple[type, Any], int]:
        """The places of what can be looked up without being written as JSON."""
        plain = [(index, option) for index, option in enumerate(self.options()) if isinstance(option, _SCALAR)]
        return {(type(option), option): index for index, option in plain}

    def _place(self, value: Any) -> int:
        """The place of a choice: by type too, for Python holds True and 1 for equal.

        Raises:
            KeyError: it is none of the choices.
            ValueError: it is no JSON value.
        """
        if isinstance(value, _SCALAR):
            place = self._scalars.get((type(value), value))
            if place is not None:
                return place
        return self._places[canonical_json(value)]

    def size(self) -> int:
        """How many choices there are."""
        return len(self.options())

    def at(self, index: int) -> Any:
        """The choice at a place."""
        return self.options()[index]

    def canonical(self, value: Any) -> Any:
        """The choice that equals the value as JSON: 1.0 is 1, but true is not.

        Raises:
            ValueError: it is none of the choices.
        """
        try:
            return self.options()[self._place(value)]
        except (KeyError, ValueError, TypeError):
            raise ValueError(f"one of {found(self.options())}") from None

    def middle(self) -> Any:
        """The first choice."""
        return self.options()[0]

    def neighbours(self, value: Any) -> list[Any]:
        """All other choices: they have no order."""
        place = self._place(value)
        return [option for index, option in enumerate(self.options()) if index != place]

    def different(self, value: Any, rng: random.Random) -> Any:
        """A random choice other than this one."""
        return rng.choice(self.neighbours(value))

    def columns(self, name: str) -> list[Column]:
        """One category."""
        return [Column(name, "category", self.size(), ordered=_in_order(self.options()))]

    def encode(self, value: Any) -> list[float]:
        """The choice's place."""
        return [float(self._place(value))]

    def from_unit(self, point: Sequence[float], start: int, rng: random.Random) -> Any:
        """The choices in order share the coordinate evenly."""
        return self.options()[int(point[start] * self.size())]


class Categorical(Choices):
    """One of some values. `[1, 3, 5]` is short for `{type: categorical, choices: [1, 3, 5]}`.

    Attributes:
        choices: the values, of any JSON type.
    """

    type: Literal["categorical"] = "categorical"
    choices: list[Any] = Field(min_length=1)

    def options(self) -> list[Any]:
        """The choices."""
        return self.choices


class Bool(Gene):
    """True or false."""

    type: Literal["bool"] = "bool"

    def size(self) -> int:
        """Two."""
        return 2

    def at(self, index: int) -> bool:
        """False, then true."""
        return bool(index)

    def canonical(self, value: Any) -> bool:
        """The boolean itself.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(value, bool):
            raise ValueError("true or false")
        return value

    def middle(self) -> bool:
        """False."""
        return False

    def neighbours(self, value: Any) -> list[bool]:
        """The other one."""
        return [not value]

    def different(self, value: Any, rng: random.Random) -> bool:
        """The other one."""
        return not value

    def columns(self, name: str) -> list[Column]:
        """One category."""
        return [Column(name, "category", 2, ordered=True)]

    def encode(self, value: Any) -> list[float]:
        """0 or 1."""
        return [float(value)]

    def from_unit(self, point: Sequence[float], start: int, rng: random.Random) -> bool:
        """True from one half on."""
        return point[start] >= 0.5


def check_different(choices: Sequence[Any]) -> None:
    """Check that choices are JSON values and no two of them equal.

    Raises:
        ValueError: they are not.
    """
    try:
        different = len({canonical_json(choice) for choice in choices})
    except ValueError as error:
        raise ValueError(f"choices must be JSON values: {error}") from None
    if different < len(choices):
        raise ValueError(f"choices must differ from each other: {found(list(choices))}")


def _in_order(choices: Sequence[Any]) -> bool:
    numbers = all(isinstance(choice, int | float) and not isinstance(choice, bool) for choice in choices)
    return numbers and (all(a < b for a, b in pairwise(choices)) or all(a > b for a, b in pairwise(choices)))
