"""Conditions on other parameters: when a parameter is there at all."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from windtunnel.ledger.ids import canonical_json
from windtunnel.section import Fault, found, unknown
from windtunnel.space.choices import Bool, Choices
from windtunnel.space.numbers import Number
from windtunnel.space.parameter import Parameter, checked


@dataclass(frozen=True)
class Condition:
    """What one parameter's value must be.

    Attributes:
        parameter: its name.
        values: that are right, as canonical JSON; None where the bounds decide.
        low: the smallest that is right.
        high: the largest that is right.
    """

    parameter: str
    values: frozenset[bytes] | None
    low: float = float("-inf")
    high: float = float("inf")

    def holds_in(self, values: Mapping[str, Any]) -> bool:
        """Whether the parameter is there, and its value is right."""
        if self.parameter not in values:
            return False
        value = values[self.parameter]
        return self.low <= value <= self.high if self.values is None else canonical_json(value) in self.values


def read_conditions(when: Mapping[str, Any], before: Mapping[str, Parameter], faults: list[Fault]) -> list[Condition]:
    """The conditions as a parameter's `when` says them.

    Args:
        when: `{optimizer: sgd, layers: {min: 2}}`; a list is of values that are all right.
        before: the parameters that stand before it, by name.
        faults: to which what is wrong is added.
    """
    conditions = []
    for name, said in when.items():
        path = ("when", name)
        if name not in before:
            faults.append(Fault(path, unknown(name, before, "parameter before this one")))
        elif not isinstance(before[name], Number | Choices | Bool):
            faults.append(Fault(path, "is made of parts; allowed: a parameter that is one number, choice or bool"))
        elif isinstance(said, dict) and said and said.keys() <= {"min", "max"} and isinstance(before[name], Number):
            wrong = [end for end in said if isinstance(said[end], bool) or not isinstance(said[end], int | float)]
            faults += [Fault((*path, end), f"found {found(said[end])}; allowed: a number") for end in wrong]
            if not wrong:
                bounds = (float(said.get("min", "-inf")), float(said.get("max", "inf")))
                conditions.append(Condition(name, None, *bounds))
        else:
            right = said if isinstance(said, list) else [said]
            values = [checked(before[name], value, path, faults) for value in right]
            conditions.append(Condition(name, frozenset(map(canonical_json, values))))
    return conditions


def runs(parameter: Parameter, conditions: list[Condition]) -> list[tuple[int, int]]:
    """The places of a finite parameter in runs, in each of which the conditions either hold or don't.

    Returns:
        First place and the one after the last, of each run.
    """
    size = parameter.size() or 0
    if not isinstance(parameter, Number):
        return [(place, place + 1) for place in range(size)]
    edges = {0, size}
    places = range(size)
    for condition in conditions:
        values = [] if condition.values is None else [float(value) for value in condition.values]
        for low in (*values, condition.low):
            edges.add(bisect_left(places, low, key=parameter.at))
        for high in (*values, condition.high):
            edges.add(bisect_right(places, high, key=parameter.at))
    return list(pairwise(sorted(edges)))
