"""Configurations as numbers, with what else tells trials apart: known values and epochs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from windtunnel.space import Params, Space
from windtunnel.strategies.pareto.kernel import Array, Features, Groups

_KNOWN = 4  # known values at most that are columns
_WAVES = (1, 2, 3)
_PARABOLA = 1 / 4  # as much as the second wave, which is nearly one
_SAME = 0.9999  # correlation from which a second known value tells nothing new
_NOTHING = "no column"  # with a space, as no parameter's path has

Scale = Callable[[Array], Array]  # brings values from 0 to 1
Columns = Callable[[Array], tuple[Array, Array]]  # makes a parameter's columns of `Features.place` and `.basis`


@dataclass(frozen=True)
class Row:
    """One configuration, and the circumstances that a trial of it has.

    Attributes:
        params: canonical.
        known: values known before training.
        epochs: that it is trained to; 0 where nobody says.
    """

    params: Params
    known: Mapping[str, float]
    epochs: float = 0.0


class Encoder:
    """Makes features of configurations, all on the scale of those that it was made with."""

    def __init__(self, space: Space, rows: Sequence[Row], hints: Sequence[str]) -> None:
        """An encoder with the columns in which these configurations differ.

        Args:
            space: of the parameters.
            rows: trials and candidates.
            hints: names of the known values that are columns, the most important first.
        """
        self._space = space
        # By identity: the same candidates are asked for again and again. Each is held, so that no other gets its id.
        self._read: dict[int, tuple[Params, list[float], dict[str, Any]]] = {}
        self._columns: dict[str, Columns] = {}
        described = {column.name: column for column in space.columns()}
        for name, values in self._raw(rows).items():
            if not _varies(values):
                continue
            column = described.get(name)
            if column is None:
                self._columns[name] = _undescribed(values)
            elif column.kind == "number":
                self._columns[name] = _number(np.asarray, values)
            else:
                self._columns[name] = _category(values, ordered=column.ordered)
        kept: list[Array] = []
        for name in hints:
            values = _known(rows, name)
            scale = _scale(values)
            known = scale(values)
            if len(kept) < _KNOWN and np.isfinite(known).all() and _varies(known) and not _repeats(known, kept):
                kept.append(known)
                self._columns[f"known {name}"] = _number(scale, values)
        epochs = _epochs(rows)
        self._share_of_epochs = _scale(epochs) if _varies(epochs) else None
        if not self._columns:
            self._columns[_NOTHING] = _category(np.zeros(len(rows), object))
        self.groups = self._groups(rows[:1])

    def __call__(self, rows: Sequence[Row]) -> Features:
        """The features of configurations."""
        places, bases = zip(*self._parts(rows), strict=True)
        return Features(np.hstack(places), np.hstack(bases), self._gap(rows))

    def _parts(self, rows: Sequence[Row]) -> list[tuple[Array, Array]]:
        """Each parameter's columns."""
        raw = self._raw(rows)
        raw[_NOTHING] = np.zeros(len(rows), object)
        absent = np.full(len(rows), None, object)
        return [
            columns(_known(rows, name[6:]) if name.startswith("known ") else raw.get(name, absent))
            for name, columns in self._columns.items()
        ]

    def _groups(self, rows: Sequence[Row]) -> Groups:
        """One group a parameter; of any configurations."""
        widths = [(place.shape[1], basis.shape[1]) for place, basis in self._parts(rows)]
        places, bases = zip(*widths, strict=True)
        numbers = np.arange(len(widths))
        return Groups(np.repeat(numbers, places), np.repeat(numbers, bases), len(widths))

    def _gap(self, rows: Sequence[Row]) -> Array:
        """How far from the most epochs each is."""
        if self._share_of_epochs is None:
            return np.zeros(len(rows))
        return np.clip(1 - self._share_of_epochs(_epochs(rows)), 0.0, 1.0)

    def _raw(self, rows: Sequence[Row]) -> dict[str, Array]:
        """What the space's columns hold, and each leaf of what no column describes."""
        read = [self._places_and_leaves(row.params) for row in rows]
        table = np.array([places for places, _ in read], float).reshape(len(rows), -1)
        raw = {column.name: table[:, index] for index, column in enumerate(self._space.columns())}
        for path in dict.fromkeys(path for _, leaves in read for path in leaves):
            values = np.empty(len(rows), object)
            values[:] = [leaves.get(path) for _, leaves in read]
            raw[path] = values
        return raw

    def _places_and_leaves(self, params: Params) -> tuple[list[float], dict[str, Any]]:
        if id(params) not in self._read:
            self._read[id(params)] = params, self._space.encode(params), _leaves(self._space.undescribed(params))
        _, places, leaves = self._read[id(params)]
        return places, leaves


def _scale(values: Array) -> Scale:
    """Brings values like these from 0 to 1; by their logarithms if they span more than a magnitude."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.asarray
    log = bool(finite.min() > 0 and finite.max() > 10 * finite.min())
    finite = np.log(finite) if log else finite
    low, extent = float(finite.min()), float(np.ptp(finite)) or 1.0
    return lambda values: np.asarray(((np.log(np.maximum(values, 1e-300)) if log else values) - low) / extent)


def _number(scale: Scale, values: Array) -> Columns:
    """A number's columns; where it can be absent, as among these values, one more says whether it is."""
    optional = bool((~np.isfinite(_floats(values))).any())

    def columns(values: Array) -> tuple[Array, Array]:
        numbers = scale(_floats(values))
        absent = ~np.isfinite(numbers)
        numbers = np.where(absent, 0.5, numbers)
        centered = 2 * numbers - 1
        parabola = math.sqrt(5) * (1.5 * centered**2 - 0.5)
        waves = [math.sqrt(2) * np.cos(math.pi * wave * numbers) / wave**2 for wave in _WAVES]
        basis = np.column_stack([math.sqrt(3) * centered, _PARABOLA * parabola, *waves])
        if not optional:
            return numbers[:, None], basis
        basis[absent] = 0.0
        return np.column_stack([numbers, absent]), np.column_stack([basis, absent])

    return columns


def _category(values: Array, *, ordered: bool = False) -> Columns:
    """A category's columns, one a value; that it is absent is a value too.

    Where values have an order, more columns say how far apart they are.
    """
    places_of = {value: place for place, value in enumerate(dict.fromkeys(_names(values)))}
    count = len(places_of)
    order = _number(_scale(values), values) if ordered and count > 2 else None

    def columns(values: Array) -> tuple[Array, Array]:
        places = np.array([places_of.get(value, -1) for value in _names(values)])
        here = (places[:, None] == np.arange(count)[None]).astype(float)
        basis = math.sqrt(1.5) * (here - 1 / count)
        if order is None:
            return here / math.sqrt(2), basis
        return np.hstack([here / 2, order(values)[0] / math.sqrt(2)]), basis

    return columns


def _undescribed(values: Array) -> Columns:
    """Columns for values that no space describes."""
    if values.dtype != object:
        return _category(values)
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return _number(_scale(_floats(values)), values)
    return _category(values)


def _known(rows: Sequence[Row], name: str) -> Array:
    """A value that is known before training, of each configuration."""
    return np.array([row.known.get(name, math.nan) for row in rows], float)


def _epochs(rows: Sequence[Row]) -> Array:
    return np.array([row.epochs for row in rows], float)


def _floats(values: Array) -> Array:
    if values.dtype != object:
        return values
    return np.array([math.nan if value is None else value for value in values], float)


def _leaves(parts: Mapping[str, Any]) -> dict[str, Any]:
    """All leaves of some JSON values by their paths."""
    leaves: dict[str, Any] = {}
    for path, value in parts.items():
        leaves |= _flatten(value, path)
    return leaves


def _flatten(value: Any, path: str) -> dict[str, Any]:
    """The leaves of a JSON value by their paths, and how long its lists are."""
    if isinstance(value, dict):
        parts = [(f"{path}.{key}", value[key]) for key in sorted(value)]
    elif isinstance(value, list):
        parts = [(f"{path}[{index}]", one) for index, one in enumerate(value)]
    else:
        return {path: value}
    leaves = {f"{path}#": len(value)} if isinstance(value, list) else {}
    for place, part in parts:
        leaves |= _flatten(part, place)
    return leaves


def _names(values: Array) -> list[Any]:
    """Something to know values by: numbers by themselves, and absent ones by None, for nan equals nothing."""
    if values.dtype == object:
        return [repr(value) for value in values]
    return [None if value != value else value for value in values.tolist()]


def _varies(values: Array) -> bool:
    return len(set(_names(values))) > 1


def _repeats(values: Array, others: Sequence[Array]) -> bool:
    """Whether values tell nothing that others do not."""
    return any(abs(np.corrcoef(values, other)[0, 1]) > _SAME for other in others)
