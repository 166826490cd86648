"""Values without more structure than being one of some."""

import enum
import functools
import random
from abc import abstractmethod
from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from windtunnel.ledger.ids import canonical_json
from windtunnel.space.base import Column, Coordinates, Parameter, identity
from windtunnel.validation import shown


def json_form(value: Any) -> Any:
    """A value of Python code as JSON's: lists for tuples, the values of enumerations and of NumPy's numbers.

    Raises:
        ValueError: a mapping has a key that is no text, which JSON would make another one.
    """
    if isinstance(value, enum.Enum):
        return json_form(value.value)
    if isinstance(value, list | tuple):
        return [json_form(part) for part in value]
    if isinstance(value, dict):
        names = [json_form(name) for name in value]
        others = [name for name in names if not isinstance(name, str)]
        if others:
            raise ValueError(f"keys that are text, not {shown(others[0])}: put it in quotes")
        return {name: json_form(part) for name, part in zip(names, value.values(), strict=True)}
    return value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value


JsonValues = Annotated[list[Any], BeforeValidator(json_form), Field(min_length=1)]


class Choices(Parameter):
    """One of some values."""

    @abstractmethod
    def options(self) -> list[Any]:
        """The values, in order."""

    @model_validator(mode="after")
    def _are_different(self) -> Self:
        check_different(self.options())
        return self

    @functools.cached_property
    def _places(self) -> dict[Hashable, int]:
        return {identity(option): place for place, option in enumerate(self.options())}

    @functools.cached_property
    def _in_order(self) -> bool:
        options = self.options()
        if not all(isinstance(option, int | float) and not isinstance(option, bool) for option in options):
            return False
        return all(a < b for a, b in pairwise(options)) or all(a > b for a, b in pairwise(options))

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
            return self.options()[self._places[identity(value)]]
        except (KeyError, ValueError, TypeError):
            raise ValueError(f"one of {shown(self.options())}") from None

    def middle(self) -> Any:
        """The first choice."""
        return self.options()[0]

    def neighbours(self, value: Any) -> list[Any]:
        """All other choices: they have no order."""
        place = self._places[identity(value)]
        return self.options()[:place] + self.options()[place + 1 :]

    def columns(self, name: str) -> list[Column]:
        """One category."""
        return [Column(name, "category", self.size(), ordered=self._in_order)]

    def encode(self, value: Any) -> list[float]:
        """The choice's place."""
        return [float(self._places[identity(value)])]

    def from_coordinates(self, coordinate: Coordinates, start: int, rng: random.Random) -> Any:
        """The choices in order share the coordinate evenly."""
        return self.options()[int(coordinate(start) * self.size())]


class Categorical(Choices):
    """One of some values. `[1, 3, 5]` is short for `{type: categorical, choices: [1, 3, 5]}`."""

    type: str = "categorical"
    choices: JsonValues
    """The values, of any JSON type."""

    def options(self) -> list[Any]:
        """The choices."""
        return self.choices


class Choice(Choices):
    """One of some values: HyperDrive's `choice`."""

    type: str = "choice"
    values: JsonValues
    """The values, of any JSON type."""

    def options(self) -> list[Any]:
        """The values."""
        return self.values


class Bool(Choices):
    """True or false."""

    type: str = "bool"

    @functools.cached_property
    def _in_order(self) -> bool:
        return True

    def options(self) -> list[bool]:
        """False, then true."""
        return [False, True]

    def canonical(self, value: Any) -> bool:
        """The boolean itself.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(value, bool):
            raise ValueError("true or false")
        return value

    def different(self, value: Any, rng: random.Random) -> bool:
        """The other one."""
        return not value


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
        raise ValueError(f"choices must differ from each other: {shown(list(choices))}")
