"""Named parameters together, some of which may depend on others."""

import functools
import math
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from windtunnel.errors import DefinitionError
from windtunnel.space.base import Column, Coordinates, Nested, Parameter, checked
from windtunnel.space.conditions import Block, Conditions, Values, hold, read_conditions
from windtunnel.validation import Fault, Name, shown, unknown


class Dict(Parameter):
    """Parameters by name. A mapping without a type is short for it: `{kernel: [3, 5], skip: {type: bool}}`."""

    type: str = "dict"
    fields: dict[Name, Nested] = Field(min_length=1)
    """The parameters; those with `when` are there only if its conditions hold."""

    @model_validator(mode="after")
    def _conditions_are_right(self) -> Self:
        faults: list[Fault] = []
        before: dict[str, Parameter] = {}
        for name, field in self.fields.items():
            own: list[Fault] = []
            read_conditions(field.when or {}, before, own)
            faults += [Fault(("fields", name, *fault.path), fault.text) for fault in own]
            before[name] = field
        if faults:
            raise DefinitionError.of(faults)
        return self

    @functools.cached_property
    def _conditions(self) -> dict[str, Conditions]:
        return {name: read_conditions(field.when or {}, self.fields, []) for name, field in self.fields.items()}

    @functools.cached_property
    def _blocks(self) -> list[Block]:
        """The fields in sets that no condition ties to one another: their counts multiply."""
        block_of: dict[str, frozenset[str]] = {}
        for name, conditions in self._conditions.items():
            tied = frozenset({name}).union(*(block_of[other] for other in conditions))
            block_of |= dict.fromkeys(tied, tied)
        return [
            Block({name: field for name, field in self.fields.items() if name in block}, self._conditions)
            for block in dict.fromkeys(block_of.values())
        ]

    def size(self) -> int | None:
        """How many combinations there are; None for infinitely many."""
        if any(field.size() is None for field in self.fields.values()):
            return None
        return math.prod(block.size for block in self._blocks)

    def at(self, index: int) -> Values:
        """The combination at a place, the last field varying fastest."""
        values: Values = {}
        for block in reversed(self._blocks):
            index, place = divmod(index, block.size)
            values |= block.at(place)
        return {name: values[name] for name in self.fields if name in values}

    def canonical(self, value: Any) -> Values:
        """Each field in its one form, in the fields' order.

        Raises:
            ValueError: it is no mapping.
            DefinitionError: a field is unknown, missing, wrong, or not to be there.
        """
        if not isinstance(value, Mapping):
            raise ValueError("a mapping of parameters to values")
        strange = [name for name in value if name not in self.fields]
        faults = [Fault((str(name),), unknown(str(name), self.fields, "parameter")) for name in strange]
        values: Values = {}
        for name, field in self.fields.items():
            if not self._is_there(name, values):
                if name in value and not faults:
                    faults.append(Fault((name,), f"is given, but is there only when {shown(field.when)}"))
            elif name in value:
                values[name] = checked(field, value[name], (name,), faults)
            else:
                faults.append(Fault((name,), "is missing; it must be given"))
        if faults:
            raise DefinitionError.of(faults)
        return values

    def middle(self) -> Values:
        """The default of every field that is there."""
        return self._mended({}, lambda field: field.start())

    def neighbours(self, value: Any) -> list[Values]:
        """Those that differ in one field by one step; fields that then come in have their defaults."""
        return [
            self._mended(value | {name: near}, lambda field: field.start())
            for name in value
            for near in self.fields[name].neighbours(value[name])
        ]

    def columns(self, name: str) -> list[Column]:
        """Those of the fields, in order."""
        prefix = f"{name}." if name else ""
        return [column for field, parameter in self.fields.items() for column in parameter.columns(prefix + field)]

    def encode(self, value: Any) -> list[float]:
        """Those of the fields; nan for fields that are not there."""
        row: list[float] = []
        for name, field in self.fields.items():
            row += field.encode(value[name]) if name in value else [math.nan] * field.width
        return row

    def undescribed(self, name: str, value: Any) -> dict[str, Any]:
        """Those of the fields that are there."""
        prefix = f"{name}." if name else ""
        parts: dict[str, Any] = {}
        for field, part in value.items():
            parts |= self.fields[field].undescribed(prefix + field, part)
        return parts

    def from_coordinates(self, coordinate: Coordinates, start: int, rng: random.Random) -> Values:
        """Each field at its coordinates."""
        values: Values = {}
        for name, field in self.fields.items():
            if self._is_there(name, values):
                values[name] = field.from_coordinates(coordinate, start, rng)
            start += field.width
        return values

    def genes(self, value: Any) -> int:
        """Those of the fields that are there."""
        return sum(self.fields[name].genes(part) for name, part in value.items())

    def mutate(self, value: Any, chosen: Iterator[bool], rng: random.Random, scale: float | None) -> Values:
        """Fields changed as chosen; those that then come in are drawn."""
        changed = {name: self.fields[name].mutate(part, chosen, rng, scale) for name, part in value.items()}
        return self._mended(changed, lambda field: field.sample(rng))

    def crossover(self, first: Any, second: Any, rng: random.Random) -> Values:
        """Fields that both have are crossed, others are of the one that has them, or drawn where neither has."""
        both = [name for name in self.fields if name in first and name in second]
        crossed = {name: self.fields[name].crossover(first[name], second[name], rng) for name in both}
        return self._mended(first | second | crossed, lambda field: field.sample(rng))

    def _is_there(self, name: str, values: Values) -> bool:
        """Whether a field is there, by the values of the fields before it."""
        return not self._conditions[name] or hold(self._conditions[name], values)

    def _mended(self, values: Values, new: Callable[[Parameter], Any]) -> Values:
        """The values of the fields that are there, and new ones for those of them that have none yet."""
        mended: Values = {}
        for name, field in self.fields.items():
            if self._is_there(name, mended):
                mended[name] = values[name] if name in values else new(field)
        return mended
