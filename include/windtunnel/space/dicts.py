"""Named parameters together, some of which may depend on others."""

import functools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from windtunnel.errors import DefinitionError
from windtunnel.section import Fault, InnerFaultsError, found, unknown
from windtunnel.space.conditions import Condition, read_conditions, runs
from windtunnel.space.nested import Nested
from windtunnel.space.parameter import Column, Parameter, checked


def _name(name: str) -> str:
    if not name.isidentifier():
        raise ValueError("a parameter's name is letters, digits and '_', no digit first")
    return name


Values = dict[str, Any]
Name = Annotated[str, AfterValidator(_name)]


class Dict(Parameter):
    """Parameters by name. A mapping without a type is short for it: `{kernel: [3, 5], skip: {type: bool}}`.

    Attributes:
        fields: the parameters; those with `when` are there only if its conditions hold.
    """

    type: Literal["dict"] = "dict"
    fields: dict[Name, Nested] = Field(min_length=1)

    @model_validator(mode="after")
    def _conditions_are_right(self) -> "Dict":
        faults: list[Fault] = []
        before: dict[str, Parameter] = {}
        for name, field in self.fields.items():
            own: list[Fault] = []
            read_conditions(field.when or {}, before, own)
            faults += [Fault(("fields", name, *fault.path), fault.text) for fault in own]
            before[name] = field
        if faults:
            raise InnerFaultsError(faults)
        return self

    @functools.cached_property
    def _conditions(self) -> dict[str, list[Condition]]:
        """Of each field that has some."""
        return {name: read_conditions(field.when, self.fields, []) for name, field in self.fields.items() if field.when}

    @functools.cached_property
    def _knots(self) -> list["_Counting"]:
        """The fields in sets that no condition ties to one another: their counts multiply."""
        knots: list[set[str]] = []
        for name in self.fields:
            tied = {name, *(condition.parameter for condition in self._conditions.get(name, ()))}
            joined = [knot for knot in knots if knot & tied]
            knots = [knot for knot in knots if not knot & tied] + [tied.union(*joined)]
        knots.sort(key=lambda knot: next(place for place, name in enumerate(self.fields) if name in knot))
        return [
            _Counting({name: field for name, field in self.fields.items() if name in knot}, self._conditions)
            for knot in knots
        ]

    def present(self, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a field is there, as the values of the fields before it have it."""
        if name not in self._conditions:
            return True
        return all(condition.holds_in(values) for condition in self._conditions[name])

    def size(self) -> int | None:
        """How many combinations there are; None for infinitely many."""
        sizes = [field.size() for field in self.fields.values()]
        if None in sizes:
            return None
        if not self._conditions:
            return math.prod(size for size in sizes if size is not None)
        return math.prod(knot.size for knot in self._knots)

    def at(self, index: int) -> Values:
        """The combination at a place, the last field varying fastest."""
        values: Values = {}
        if self._conditions:
            for knot in reversed(self._knots):
                index, place = divmod(index, knot.size)
                values |= knot.at(place)
            return {name: values[name] for name in self.fields if name in values}
        for name, field in reversed(self.fields.items()):
            index, place = divmod(index, field.size() or 1)
            values[name] = field.at(place)
        return {name: values[name] for name in self.fields}

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
            if not self.present(name, values):
                if name in value and not faults:
                    faults.append(Fault((name,), f"is given, but is there only when {found(field.when)}"))
            elif name in value:
                values[name] = checked(field, value[name], (name,), faults)
            else:
                faults.append(Fault((name,), "is missing; it must be given"))
        if faults:
            raise DefinitionError.of(faults)
        return values

    def middle(self) -> Values:
        """The default of every field that is there."""
        values: Values = {}
        for name, field in self.fields.items():
            if self.present(name, values):
                values[name] = field.start()
        return values

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

    def untold(self, name: str, value: Any) -> dict[str, Any]:
        """Those of the fields that are there."""
        prefix = f"{name}." if name else ""
        parts: dict[str, Any] = {}
        for field, part in value.items():
            parts |= self.fields[field].untold(prefix + field, part)
        return parts

    def from_unit(self, point: Sequence[float], start: int, rng: random.Random) -> Values:
        """Each field at its part of the point."""
        values: Values = {}
        for name, field in self.fields.items():
            if self.present(name, values):
                values[name] = field.from_unit(point, start, rng)
            start += field.width
        return values

    def genes(self, value: Any) -> int:
        """Those of the fields that are there."""
        return sum(self.fields[name].genes(part) for name, part in value.items())

    def mutate(self, value: Any, chosen: Iterator[bool], rng: random.Random, scale: float | None) -> Values:
        """Fields changed as chosen; those that then come in are drawn."""
        changed = {}
        for name, part in value.items():
            field = self.fields[name]
            changed[name] = field.mutate(part, islice(chosen, field.genes(part)), rng, scale)
        return self._mended(changed, lambda field: field.sample(rng))

    def crossover(self, first: Any, second: Any, rng: random.Random) -> Values:
        """Fields that both have are crossed, others are of the one that has them, or drawn where neither has."""
        crossed = {}
        for name, field in self.fields.items():
            if name in first and name in second:
                crossed[name] = field.crossover(first[name], second[name], rng)
            elif name in first or name in second:
                crossed[name] = first[name] if name in first else second[name]
        return self._mended(crossed, lambda field: field.sample(rng))

    def _mended(self, values: Values, new: Any) -> Values:
        """The values without fields that are not to be there, and with new ones for those that are."""
        if not self._conditions:
            return values
        mended: Values = {}
        for name, field in self.fields.items():
            if self.present(name, mended):
                mended[name] = values[name] if name in values else new(field)
        return mended


class _Counting:
    """Counts the combinations of finite fields of which some depend on others.

    Values of a field that the conditions do not tell apart are counted together, and so are combinations after which
    the same conditions hold, so large spaces are counted without being gone through.
    """

    def __init__(self, fields: Mapping[str, Parameter], conditions: Mapping[str, list[Condition]]) -> None:
        self._fields = list(fields.items())
        self._conditions = conditions
        every = [condition for conditions_of_one in conditions.values() for condition in conditions_of_one]
        self._runs = {
            name: runs(field, [condition for condition in every if condition.parameter == name])
            for name, field in self._fields
            if any(condition.parameter == name for condition in every)
        }
        self._counted: dict[Any, int] = {}

    @functools.cached_property
    def size(self) -> int:
        """How many combinations there are."""
        return self.after(0, {})

    def after(self, place: int, values: Values) -> int:
        """How many combinations the fields from a place on have, after such values of those before."""
        if place == len(self._fields):
            return 1
        key = (place, self._state(place, values))
        if key not in self._counted:
            self._counted[key] = sum(
                (last - first) * self.after(place + 1, after) for first, last, after in self._steps(place, values)
            )
        return self._counted[key]

    def at(self, index: int) -> Values:
        """The combination at a place."""
        values: Values = {}
        for place, (name, field) in enumerate(self._fields):
            for first, last, after in self._steps(place, values):
                each = self.after(place + 1, after)
                if index < (last - first) * each:
                    step, index = divmod(index, each)
                    values = {**values, name: field.at(first + step)} if name in after else values
                    break
                index -= (last - first) * each
        return values

    def _steps(self, place: int, values: Values) -> Iterator[tuple[int, int, Values]]:
        """Runs of a field's values, each with the values that stand for it; one run of nothing if it is not there."""
        name, field = self._fields[place]
        if not self._holds(name, values):
            yield 0, 1, values
            return
        for first, last in self._runs.get(name, [(0, field.size() or 0)]):
            yield first, last, {**values, name: field.at(first)}

    def _holds(self, name: str, values: Values) -> bool:
        return all(condition.holds_in(values) for condition in self._conditions.get(name, ()))

    def _state(self, place: int, values: Values) -> tuple[bool, ...]:
        """Which of the conditions of the fields from a place on hold, as far as their parameters stand before it."""
        later = (condition for name, _ in self._fields[place:] for condition in self._conditions.get(name, ()))
        return tuple(condition.holds_in(values) for condition in later)
