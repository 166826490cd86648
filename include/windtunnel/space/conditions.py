"""Conditions on other parameters: when a parameter is there at all, and how many combinations that leaves."""

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Hashable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from windtunnel.errors import DefinitionError
from windtunnel.objectives.constraint import Constraint
from windtunnel.space.base import Parameter, checked, identity
from windtunnel.space.choices import Choices
from windtunnel.space.numbers import Number
from windtunnel.validation import Fault, read_model, shown, unknown

Values = dict[str, Any]
Allowed = Constraint | frozenset[Any]  # what another parameter's value may be: bounds of a number, or identities
Conditions = Mapping[str, Allowed]  # by the other parameter's name


def read_conditions(when: Mapping[str, Any], before: Mapping[str, Parameter], faults: list[Fault]) -> Conditions:
    """The conditions as a parameter's `when` says them.

    Args:
        when: `{optimizer: sgd, layers: {min: 2}}`; a list is of values that are all right.
        before: the parameters that stand before it, by name.
        faults: to which what is wrong is added.
    """
    conditions: dict[str, Allowed] = {}
    for name, written in when.items():
        path = ("when", name)
        if name not in before:
            faults.append(Fault(path, unknown(name, before, "parameter before this one")))
        elif not isinstance(before[name], Number | Choices):
            faults.append(Fault(path, "is made of parts; allowed: a parameter that is one number, choice or bool"))
        elif isinstance(before[name], Number) and isinstance(written, dict) and written.keys() & {"min", "max"}:
            try:
                conditions[name] = bounds = read_model(Constraint, written, path)
            except DefinitionError as error:
                faults += error.faults
            else:
                if not _reaches(before[name], bounds):
                    faults.append(Fault(path, f"found {shown(written)}; allowed: what {name} can be"))
        else:
            values = written if isinstance(written, list) else [written]
            if not values:
                faults.append(Fault(path, f"found []; allowed: at least one value of {name}"))
            conditions[name] = frozenset(identity(checked(before[name], value, path, faults)) for value in values)
    return conditions


def hold(conditions: Conditions, values: Mapping[str, Any]) -> bool:
    """Whether every parameter that the conditions name is there, with a value that they allow."""
    return all(name in values and _allows(allowed, values[name]) for name, allowed in conditions.items())


def _allows(allowed: Allowed, value: Any) -> bool:
    return allowed.violated(value) is None if isinstance(allowed, Constraint) else identity(value) in allowed


def _reaches(parameter: Parameter, bounds: Constraint) -> bool:
    """Whether a number has a value within the bounds."""
    assert isinstance(parameter, Number)
    size = parameter.size()
    if size is None:
        low, high = parameter.from_position(0.0), parameter.from_position(1.0)
        return (bounds.max is None or low <= bounds.max) and (bounds.min is None or high >= bounds.min)
    first = bisect_left(range(size), bounds.min, key=parameter.at) if bounds.min is not None else 0
    return first < size and bounds.violated(parameter.at(first)) is None


class Block:
    """Finite parameters of a dict that conditions tie to one another, and their combinations.

    A large block is counted without going through it. Neighbouring values for which the same conditions hold are a run,
    and each value of a run has the same number of combinations. And the parameters from a place on have the same number
    of combinations after any values before them for which the same conditions hold.
    """

    def __init__(self, parameters: Mapping[str, Parameter], conditions: Mapping[str, Conditions]) -> None:
        """A block.

        Args:
            parameters: of the block, in the dict's order.
            conditions: of each of them.
        """
        self._parameters = list(parameters.items())
        self._conditions = [conditions[name] for name in parameters]
        self._runs = {
            name: _runs(parameter, [each[name] for each in self._conditions if name in each])
            for name, parameter in self._parameters
        }
        self._counts: dict[Hashable, int] = {}

    @functools.cached_property
    def size(self) -> int:
        """How many combinations there are."""
        return self._count(0, {})

    def at(self, index: int) -> Values:
        """The combination at a place, the last parameter varying fastest."""
        return self._at(0, {}, index)

    def _at(self, place: int, values: Values, index: int) -> Values:
        """One of the combinations that begin with such values of the parameters before a place."""
        if place == len(self._parameters):
            return values
        name, parameter = self._parameters[place]
        for first, length, after in self._branches(place, values):
            each = self._count(place + 1, after)
            if index < length * each:
                step, rest = divmod(index, each)
                exact = {name: parameter.at(first + step)} if name in after else {}
                return self._at(place + 1, after | exact, rest)
            index -= length * each
        raise IndexError(index)

    def _count(self, place: int, values: Values) -> int:
        """How many combinations the parameters from a place on have, after such values of those before."""
        if place == len(self._parameters):
            return 1
        holding = tuple(name in values and _allows(allowed, values[name]) for name, allowed in self._later(place))
        key = (place, holding)
        if key not in self._counts:
            branches = self._branches(place, values)
            self._counts[key] = sum(length * self._count(place + 1, after) for _, length, after in branches)
        return self._counts[key]

    def _later(self, place: int) -> Iterator[tuple[str, Allowed]]:
        """The conditions of the parameters from a place on."""
        return (condition for conditions in self._conditions[place:] for condition in conditions.items())

    def _branches(self, place: int, values: Values) -> Iterator[tuple[int, int, Values]]:
        """How the values go on with the parameter at a place.

        Yields:
            For each run of the parameter: its first value's place, its length, and the values with that one added. One
            run of length 1 that adds nothing, where the parameter is not there.
        """
        name, parameter = self._parameters[place]
        if not hold(self._conditions[place], values):
            yield 0, 1, values
            return
        for first, last in self._runs[name]:
            yield first, last - first, values | {name: parameter.at(first)}


def _runs(parameter: Parameter, conditions: Collection[Allowed]) -> list[tuple[int, int]]:
    """The places of a finite parameter in runs, on each of which every condition either holds or does not.

    Returns:
        First place and the one after the last, of each run.
    """
    size = parameter.size() or 0
    if not conditions:
        return [(0, size)]
    if not isinstance(parameter, Number):
        return [(place, place + 1) for place in range(size)]
    places, edges = range(size), {0, size}
    for allowed in conditions:
        lows, highs = ([allowed.min], [allowed.max]) if isinstance(allowed, Constraint) else (allowed, allowed)
        edges |= {bisect_left(places, low, key=parameter.at) for low in lows if low is not None}
        edges |= {bisect_right(places, high, key=parameter.at) for high in highs if high is not None}
    return list(pairwise(sorted(edges)))
