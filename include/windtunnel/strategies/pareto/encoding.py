"""Configurations as numbers, with what else tells trials apart: known values and epochs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from windtunnel.space import Params, Space
from windtunnel.strategies.pareto.kernel import Array, Features, Groups

_KNOWN = 4  # known values at most that are columns
_WAVES = (1, 2, 3)
_SAME = 0.9999  # correlation from which a second known value tells nothing new
_NOTHING = "no column"  # with a space, as no parameter's path has


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
        self._columns: dict[str, _Number | _Category] = {}
        raw = self._raw(rows)
        described = {column.name: column for column in space.columns()}
        for name, values in raw.items():
            if not _varies(values):
                continue
            column = described.get(name)
            if column is None:
                self._columns[name] = _leaf(values)
            elif column.kind == "number":
                self._columns[name] = _Number(Scale(0.0, 1.0, False), values)
            else:
                self._columns[name] = _Category(values, column.ordered)
        kept: list[Array] = []
        for name in hints:
            values = np.array([row.known.get(name, math.nan) for row in rows], float)
            scale = Scale.of(values)
            known = scale(values)
            if len(kept) < _KNOWN and np.isfinite(known).all() and _varies(known) and not _told(known, kept):
                kept.append(known)
                self._columns[f"known {name}"] = _Number(scale, values)
        epochs = np.array([row.epochs for row in rows], float)
        self._epochs = Scale.of(epochs) if _varies(epochs) else None
        if not self._columns:
            self._columns[_NOTHING] = _Category(np.zeros(len(rows), object))

    def __call__(self, rows: Sequence[Row]) -> Features:
        """The features of configurations."""
        raw = self._raw(rows)
        raw[_NOTHING] = np.zeros(len(rows), object)
        parts = []
        for name, column in self._columns.items():
            if name.startswith("known "):
                raw[name] = np.array([row.known.get(name[6:], math.nan) for row in rows], float)
            parts.append(column(raw[name]) if name in raw else column(np.full(len(rows), None, object)))
        return Features(
            np.hstack([place for place, _ in parts]), np.hstack([basis for _, basis in parts]), self._gap(rows)
        )

    @property
    def groups(self) -> Groups:
        """One group a column."""
        counts = np.arange(len(self._columns))
        places, bases = zip(*(column.widths for column in self._columns.values()), strict=True)
        return Groups(np.repeat(counts, places), np.repeat(counts, bases), len(counts))

    def _gap(self, rows: Sequence[Row]) -> Array:
        """How far from the most epochs each is."""
        if self._epochs is None:
            return np.zeros(len(rows))
        return np.clip(1 - self._epochs(np.array([row.epochs for row in rows], float)), 0.0, 1.0)

    def _raw(self, rows: Sequence[Row]) -> dict[str, Array]:
        """What the space's columns hold, and each leaf of what no column tells anything of."""
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
            self._read[id(params)] = params, self._space.encode(params), _leaves(self._space.untold(params))
        _, places, leaves = self._read[id(params)]
        return places, leaves


@dataclass(frozen=True)
class Scale:
    """Brings values, or their logarithms, from 0 to 1.

    Attributes:
        low: what becomes 0.
        extent: from there to what becomes 1.
        log: whether logarithms are meant.
    """

    low: float
    extent: float
    log: bool

    @classmethod
    def of(cls, values: Array) -> "Scale":
        """The scale of these values; logarithmic if they span more than a magnitude."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return cls(0.0, 1.0, False)
        log = bool(finite.min() > 0 and finite.max() > 10 * finite.min())
        finite = np.log(finite) if log else finite
        return cls(float(finite.min()), float(np.ptp(finite)) or 1.0, log)

    def __call__(self, values: Array) -> Array:
        """The values on the scale."""
        return np.asarray(((np.log(np.maximum(values, 1e-300)) if self.log else values) - self.low) / self.extent)


class _Number:
    """A number; where it can be absent, that is a column of its own."""

    def __init__(self, scale: Scale, values: Array) -> None:
        self._scale = scale
        self._optional = bool((~np.isfinite(_floats(values))).any())

    @property
    def widths(self) -> tuple[int, int]:
        return 1 + self._optional, 1 + len(_WAVES) + self._optional

    def __call__(self, values: Array) -> tuple[Array, Array]:
        numbers = self._scale(_floats(values))
        absent = ~np.isfinite(numbers)
        numbers = np.where(absent, 0.5, numbers)
        waves = [math.sqrt(2) * np.cos(math.pi * wave * numbers) / wave**2 for wave in _WAVES]
        basis = np.column_stack([math.sqrt(3) * (2 * numbers - 1), *waves])
        if not self._optional:
            return numbers[:, None], basis
        basis[absent] = 0.0
        return np.column_stack([numbers, absent]), np.column_stack([basis, absent])


class _Category:
    """One column a value; that it is absent is a value too. Where values have an order, one more says how far apart."""

    def __init__(self, values: Array, ordered: bool = False) -> None:
        self._places = {value: place for place, value in enumerate(dict.fromkeys(_names(values)))}
        self._order = _Number(Scale.of(values), values) if ordered and len(self._places) > 2 else None

    @property
    def widths(self) -> tuple[int, int]:
        count = len(self._places)
        return count + (self._order.widths[0] if self._order else 0), count

    def __call__(self, values: Array) -> tuple[Array, Array]:
        places = np.array([self._places.get(value, -1) for value in _names(values)])
        here = (places[:, None] == np.arange(len(self._places))[None]).astype(float)
        basis = math.sqrt(1.5) * (here - 1 / len(self._places))
        if self._order is None:
            return here / math.sqrt(2), basis
        return np.hstack([here / 2, self._order(values)[0] / math.sqrt(2)]), basis


def _leaf(values: Array) -> _Number | _Category:
    """A column for values that no space describes."""
    if values.dtype != object:
        return _Category(values)
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return _Number(Scale.of(_floats(values)), values)
    return _Category(values)


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


def _told(values: Array, others: Sequence[Array]) -> bool:
    return any(abs(np.corrcoef(values, other)[0, 1]) > _SAME for other in others)
