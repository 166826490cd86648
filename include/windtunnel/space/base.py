"""What every kind of parameter can do. The modules beside this one are the kinds; `reading` lists them."""

import functools
import random
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema, field_validator

from windtunnel.errors import DefinitionError
from windtunnel.ledger.ids import canonical_json
from windtunnel.validation import Fault, Path, StrictModel, shown

# Stands in the JSON Schema for any parameter; `windtunnel.definition.schema` puts a reference in its place.
ANY_PARAMETER = {"type": "parameter"}

Coordinates = Callable[[int], float]  # a point of the unit cube: from 0 up to, but without, 1, by the column's place


@dataclass(frozen=True)
class Column:
    """One number of a configuration's row, as `Space.encode` gives it to models.

    Attributes:
        name: the parameter's path, such as `layers[0].kernel`.
        kind: `number` lies between 0 and 1 on the parameter's own scale; `category` is the place of a choice.
        size: how many values there are; None for infinitely many, as only numbers have.
        ordered: whether neighbouring places are alike: of every number, and of choices that are numbers in order.
        edge: how far from 0 and 1 a number that is chosen, not drawn, stays: a distribution's tails have no end.
    """

    name: str
    kind: Literal["number", "category"]
    size: int | None
    ordered: bool
    edge: float = 0.0


class Parameter(StrictModel):
    """One searched parameter. Values are plain JSON values; all randomness comes from the generator given.

    A parameter fills some columns of a configuration's row. `from_coordinates` makes a value of as many coordinates
    from 0 up to, but without, 1: of random ones a random value, of a Sobol point an evenly spread one.

    A value is one gene, which changes as a whole, unless the kind has parts.
    """

    type: str
    default: Any = None
    """The value that the default configuration has; by default one in the middle."""
    when: dict[str, Any] | None = None
    """Values that parameters beside this one must have for this one to be there, such as `{optimizer: sgd}`: a value, a
    list of values, or `{min: 2, max: 4}`."""

    @field_validator("type")
    @classmethod
    def _is_its_own(cls, value: str) -> str:
        own = cls.model_fields["type"]
        if not own.is_required() and value != own.default:
            raise ValueError(f"found {shown(value)}; allowed: {own.default}")
        return value

    @abstractmethod
    def size(self) -> int | None:
        """How many values there are; None for infinitely many."""

    @abstractmethod
    def at(self, index: int) -> Any:
        """The value at a place from 0 to `size() - 1`, of a finite parameter."""

    @abstractmethod
    def canonical(self, value: Any) -> Any:
        """The one form of a value: `3.0` of an integer is `3`, a stepped number lies on its grid.

        Raises:
            ValueError: it is no value of this parameter; the text says what would be.
            DefinitionError: parts of it are not; each fault says which.
        """

    @abstractmethod
    def middle(self) -> Any:
        """A value in the middle."""

    @abstractmethod
    def neighbours(self, value: Any) -> list[Any]:
        """The values one step from a canonical one."""

    @abstractmethod
    def columns(self, name: str) -> list[Column]:
        """The columns that the parameter fills.

        Args:
            name: the parameter's path.
        """

    @abstractmethod
    def encode(self, value: Any) -> list[float]:
        """A canonical value as a number for each column; not a number (nan) where a column has no meaning for it."""

    @abstractmethod
    def from_coordinates(self, coordinate: Coordinates, start: int, rng: random.Random) -> Any:
        """The value at a point of the unit cube.

        Args:
            coordinate: gives the point's coordinate of a column, by the column's place in a whole configuration. It is
                called in order, and only for columns that the value depends on.
            start: place of this parameter's first column.
            rng: for what has no columns.
        """

    def undescribed(self, name: str, value: Any) -> dict[str, Any]:
        """The parts of a canonical value that no column describes, by their paths.

        Args:
            name: the parameter's path.
            value: its value.
        """
        return {}

    def genes(self, value: Any) -> int:
        """How many places of a canonical value can be changed by themselves."""
        return int(self.size() != 1)

    def mutate(self, value: Any, chosen: Iterator[bool], rng: random.Random, scale: float | None) -> Any:
        """A canonical value with some of its genes changed.

        Args:
            value: to vary.
            chosen: for each gene in turn, whether it changes.
            rng: the generator of all randomness.
            scale: how far numbers move, as a share of their range; None draws them anew.
        """
        if not self.genes(value) or not next(chosen):
            return value
        return self.different(value, rng) if scale is None else self.moved(value, rng, scale)

    def crossover(self, first: Any, second: Any, rng: random.Random) -> Any:
        """A value whose genes are each from either of two canonical values, at even odds."""
        return first if rng.random() < 0.5 else second

    def different(self, value: Any, rng: random.Random) -> Any:
        """A random value other than this canonical one."""
        return rng.choice(self.neighbours(value))

    def moved(self, value: Any, rng: random.Random, scale: float) -> Any:
        """A random value other than this canonical one, near it where values have a distance."""
        return self.different(value, rng)

    @functools.cached_property
    def width(self) -> int:
        """How many columns the parameter fills."""
        return len(self.columns(""))

    def sample(self, rng: random.Random) -> Any:
        """A random value."""
        point = [rng.random() for _ in range(self.width)]
        return self.from_coordinates(point.__getitem__, 0, rng)

    def start(self) -> Any:
        """The value that the default configuration has."""
        return self.canonical(self.default) if "default" in self.model_fields_set else self.middle()

    def describe(self) -> dict[str, Any]:
        """The parameter as the YAML file has it, without the fields that are left at their defaults."""
        fields = type(self).model_fields
        written = {name: getattr(self, name) for name in fields if name in self.model_fields_set}
        kept = {name: value for name, value in written.items() if name == "default" or value != fields[name].default}
        return {"type": self.type, **_described(kept)}


def _nested(written: Any) -> Parameter:
    from windtunnel.space.reading import read_parameter  # it knows the kinds, some of which have parameters within

    return read_parameter(written)


Nested = Annotated[Parameter, BeforeValidator(_nested), WithJsonSchema(ANY_PARAMETER)]


def identity(value: Any) -> Hashable:
    """A key that is equal for equal JSON values only: 1 and 1.0 are one number, and `true` is another value than 1.

    Python takes `True` and 1 for equal, so values of parameters are compared by this key. Ids, which are made of
    `canonical_json`, differ for the same values.

    Raises:
        ValueError: a part of the value is no JSON value.
    """
    if isinstance(value, bool):
        return bool, value
    return value if value is None or isinstance(value, str | int | float) else canonical_json(value)


def checked(parameter: Parameter, value: Any, path: Path, faults: list[Fault]) -> Any:
    """The canonical form of a part of a value; where the part is wrong, None, and its faults are added to the list.

    Args:
        parameter: that the part is a value of.
        value: the part.
        path: where it stands.
        faults: of the whole value so far.
    """
    try:
        return parameter.canonical(value)
    except DefinitionError as error:
        faults += [Fault((*path, *fault.path), fault.text) for fault in error.faults]
    except ValueError as error:
        faults.append(Fault(path, f"found {shown(value)}; allowed: {error}"))
    return None


def _described(value: Any) -> Any:
    if isinstance(value, Parameter):
        return value.describe()
    if isinstance(value, dict):
        return {name: _described(part) for name, part in value.items()}
    return [_described(part) for part in value] if isinstance(value, list) else value
