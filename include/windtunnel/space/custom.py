"""Values of a user's own class: graphs, programs, anything that serialises to JSON."""

import functools
import json
import random
from collections.abc import Iterable
from copy import deepcopy
from importlib import import_module
from typing import Any, Self

from pydantic import Field, model_validator

from windtunnel.errors import DefinitionError
from windtunnel.ledger.ids import canonical_json
from windtunnel.space.base import Column, Coordinates, Parameter, identity
from windtunnel.text import error_text
from windtunnel.validation import Fault

_NEEDED = ("sample", "mutate", "crossover")
_TRIES = 20


class Custom(Parameter):
    """Values of a class of your own, by its dotted name, such as `type: my_module.Graphs`.

    The class has `sample(rng)`, `mutate(value, rng)` and `crossover(first, second, rng)`, each of which returns a
    value. It may have `canonical(value)`, the one form of equal values, which raises `ValueError` for what is none;
    `default()`; `neighbours(value)`; `values()`, all of them in a list, where they are few; and `features(value)`, a
    list of numbers from 0 to 1, always equally long, by which models tell values apart.
    """

    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class."""

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        _ = self._own
        return self

    @functools.cached_property
    def _own(self) -> Any:
        """The user's object."""
        module, _, name = self.type.rpartition(".")
        try:
            kind = getattr(import_module(module), name)
        except (Exception, SystemExit) as error:
            raise DefinitionError.of(
                [Fault(("type",), f"found '{self.type}'; it cannot be imported: {error_text(error)}")]
            ) from error
        missing = [f"{method}()" for method in _NEEDED if not callable(getattr(kind, method, None))]
        if missing:
            raise DefinitionError.of([Fault(("type",), f"found '{self.type}'; its class lacks {', '.join(missing)}")])
        try:
            return kind(**deepcopy(self.options))
        except (Exception, SystemExit) as error:
            text = f"{self.type} does not take them: {error_text(error)}"
            raise DefinitionError.of([Fault(("options",), text)]) from error

    @functools.cached_property
    def _values(self) -> list[Any] | None:
        if not hasattr(self._own, "values"):
            return None
        return self._distinct(self._own.values())

    def size(self) -> int | None:
        """How many values the class lists; None where it doesn't."""
        return None if self._values is None else len(self._values)

    def at(self, index: int) -> Any:
        """The value at a place of the class's list."""
        return (self._values or [])[index]

    def canonical(self, value: Any) -> Any:
        """The class's own form as plain JSON values, names in order.

        Raises:
            ValueError: the class refuses the value, or JSON has no word for it.
        """
        own = self._own.canonical(deepcopy(value)) if hasattr(self._own, "canonical") else value
        try:
            return json.loads(canonical_json(own))
        except (TypeError, ValueError) as error:
            raise ValueError(f"what JSON has a word for ({error})") from None

    def middle(self) -> Any:
        """The class's default; else a value that is always the same."""
        own = self._own.default() if hasattr(self._own, "default") else self._own.sample(random.Random(0))  # noqa: S311
        return self.canonical(own)

    def neighbours(self, value: Any) -> list[Any]:
        """The class's own; else some mutants, always the same ones."""
        if hasattr(self._own, "neighbours"):
            near = self._own.neighbours(deepcopy(value))
        else:
            rng = random.Random(canonical_json(value))  # noqa: S311
            near = [self._own.mutate(deepcopy(value), rng) for _ in range(_TRIES)]
        return [one for one in self._distinct(near) if identity(one) != identity(value)]

    def different(self, value: Any, rng: random.Random) -> Any:
        """A mutant."""
        for _ in range(_TRIES):
            mutant = self.canonical(self._own.mutate(deepcopy(value), rng))
            if identity(mutant) != identity(value):
                return mutant
        return value

    def crossover(self, first: Any, second: Any, rng: random.Random) -> Any:
        """A child."""
        return self.canonical(self._own.crossover(deepcopy(first), deepcopy(second), rng))

    def columns(self, name: str) -> list[Column]:
        """A number for each of the class's features."""
        features = len(self._features(self.middle()))
        return [Column(f"{name}.feature_{i}", "number", None, ordered=True) for i in range(features)]

    def encode(self, value: Any) -> list[float]:
        """The class's features of the value."""
        return self._features(value)

    def undescribed(self, name: str, value: Any) -> dict[str, Any]:
        """The value, where the class has no features."""
        return {} if self.width else {name: value}

    def from_coordinates(self, coordinate: Coordinates, start: int, rng: random.Random) -> Any:
        """A random value: the class knows no coordinates."""
        return self.canonical(self._own.sample(rng))

    def _distinct(self, values: Iterable[Any]) -> list[Any]:
        """The values in their one form, each once."""
        return list({identity(one): one for one in map(self.canonical, values)}.values())

    def _features(self, value: Any) -> list[float]:
        return [float(one) for one in self._own.features(deepcopy(value))] if hasattr(self._own, "features") else []
