"""A search space: named parameters, and how to draw, vary and compare configurations of them."""

import json
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from windtunnel.errors import DefinitionError
from windtunnel.section import Fault, found, read_section, unknown
from windtunnel.space.parameters import KINDS, Categorical, Parameter

Params = dict[str, Any]


class Space:
    """Configurations are plain dicts from parameter to JSON value.

    Strategies see configurations as wholes and vary them through these methods only, so that a space whose
    parameters depend on each other can take this one's place.
    """

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        """A space of independent parameters.

        Args:
            parameters: by name; their order is the order of every configuration.
        """
        self.parameters = dict(parameters)

    @classmethod
    def parse(cls, description: Mapping[str, Any]) -> "Space":
        """Read the YAML form: `{nb_layers: {type: int, low: 1, high: 12}, kernel_size: [1, 3, 5]}`.

        Raises:
            DefinitionError: with every fault, its path beginning at the parameter's name.
        """
        parameters: dict[str, Parameter] = {}
        faults: list[Fault] = []
        for name, written in description.items():
            try:
                parameters[name] = _parameter(name, written)
            except DefinitionError as error:
                faults.extend(error.faults)
        if not description:
            faults.append(Fault((), "a space needs at least one parameter"))
        if faults:
            raise DefinitionError.of(faults)
        return cls(parameters)

    def describe(self) -> dict[str, Any]:
        """The YAML form, which `parse` reads back."""
        return {name: parameter.describe() for name, parameter in self.parameters.items()}

    def size(self) -> int | None:
        """How many configurations there are; None for infinitely many."""
        sizes = [parameter.size() for parameter in self.parameters.values()]
        return math.prod(size for size in sizes if size is not None) if None not in sizes else None

    def at(self, index: int) -> Params:
        """The configuration at a place from 0 to `size() - 1`, of a finite space."""
        params = {}
        for name, parameter in reversed(self.parameters.items()):
            index, place = divmod(index, parameter.size() or 1)
            params[name] = parameter.at(place)
        return self._ordered(params)

    def enumerate(self) -> Iterator[Params]:
        """All configurations of a finite space, the last parameter varying fastest."""
        return map(self.at, range(self.size() or 0))

    def sample(self, rng: random.Random) -> Params:
        """A random configuration."""
        return {name: parameter.sample(rng) for name, parameter in self.parameters.items()}

    def mutate(self, params: Params, rng: random.Random, rate: float) -> Params:
        """A configuration that differs from a canonical one, wherever the space holds another.

        Args:
            params: the configuration to vary.
            rng: the generator of all randomness.
            rate: probability of each parameter to change; at least one changes.
        """
        variable = [name for name, parameter in self.parameters.items() if parameter.size() != 1]
        chosen = [name for name in variable if rng.random() < rate] or (variable and [rng.choice(variable)])
        return params | {name: self.parameters[name].different(params[name], rng) for name in chosen}

    def crossover(self, first: Params, second: Params, rng: random.Random) -> Params:
        """A child of two canonical configurations, each parameter from either of them.

        The child is unlike both wherever that is possible, which takes parents that differ in two parameters.
        """
        differing = [name for name in self.parameters if first[name] != second[name]]
        if len(differing) < 2:
            return dict(rng.choice((first, second)))
        mask = rng.randrange(1, 2 ** len(differing) - 1)  # neither all of the first parent nor all of the second
        return first | {name: second[name] for bit, name in enumerate(differing) if mask >> bit & 1}

    def neighbours(self, params: Params) -> list[Params]:
        """The configurations that differ from a canonical one in one parameter, by one step of it."""
        return [
            params | {name: value}
            for name, parameter in self.parameters.items()
            for value in parameter.neighbours(params[name])
        ]

    def default(self) -> Params:
        """A configuration in the middle of the space."""
        return {name: parameter.default() for name, parameter in self.parameters.items()}

    def canonical(self, params: Mapping[str, Any]) -> Params:
        """The one form of a configuration: the same configuration gives the same JSON, however it was written.

        Raises:
            DefinitionError: it is not of this space; each fault says why.
        """
        strange = [name for name in params if name not in self.parameters]
        faults = [Fault((name,), unknown(name, self.parameters, "parameter")) for name in strange]
        canonical = {}
        for name, parameter in self.parameters.items():
            if name not in params:
                faults.append(Fault((name,), "is missing; it must be given"))
                continue
            try:
                canonical[name] = parameter.canonical(params[name])
            except ValueError as error:
                faults.append(Fault((name,), f"found {found(params[name])}; allowed: {error}"))
        if faults:
            raise DefinitionError.of(faults)
        return canonical

    def contains(self, params: Mapping[str, Any]) -> bool:
        """Whether this is a configuration of the space."""
        try:
            self.canonical(params)
        except DefinitionError:
            return False
        return True

    def key(self, params: Params) -> str:
        """A text that is equal for equal canonical configurations only."""
        return json.dumps(params, sort_keys=True)

    def _ordered(self, params: Params) -> Params:
        return {name: params[name] for name in self.parameters}


def _parameter(name: Any, written: Any) -> Parameter:
    if not isinstance(name, str) or not name.isidentifier():
        raise DefinitionError.of([Fault((str(name),), "a parameter's name is letters, digits and '_', no digit first")])
    if isinstance(written, list):
        return read_section(Categorical, {"choices": written}, (name,))
    if not isinstance(written, dict):
        allowed = "a mapping such as {type: int, low: 1, high: 8}, or a list of choices"
        raise DefinitionError.of([Fault((name,), f"found {found(written)}; allowed: {allowed}")])
    if "type" not in written:
        raise DefinitionError.of([Fault((name, "type"), f"is missing; allowed: {', '.join(KINDS)}")])
    kind = written["type"]
    if kind not in KINDS:
        raise DefinitionError.of([Fault((name, "type"), f"found {found(kind)}; {unknown(str(kind), KINDS, 'type')}")])
    return read_section(KINDS[kind], written, (name,))
