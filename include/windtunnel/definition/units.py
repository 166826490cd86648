"""Durations and sizes as people write them: `90`, `15m`, `2 h`; `500 MB`, `2 GiB`."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, WithJsonSchema

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_QUANTITY = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>[A-Za-z]+)")


def _quantity(value: Any, units: dict[str, int], plain: str) -> Any:
    """The value in its plain unit, if it is text; other values are for the field's own type to judge."""
    if not isinstance(value, str):
        return value
    match = _QUANTITY.fullmatch(value.strip())
    if match is None or match["unit"] not in units:
        raise ValueError(f'found "{value}"; allowed: {plain}, or a number with one of {", ".join(units)}')
    return float(match["number"]) * units[match["unit"]]


def _seconds(value: Any) -> Any:
    return _quantity(value, _SECONDS, "a number of seconds")


def _bytes(value: Any) -> Any:
    amount = _quantity(value, _BYTES, "a number of bytes")
    return int(amount) if isinstance(value, str) else amount


def _schema(kind: str, units: dict[str, int]) -> WithJsonSchema:
    pattern = rf"^\d+(\.\d+)?\s*({'|'.join(units)})$"
    return WithJsonSchema({"anyOf": [{"type": kind, "exclusiveMinimum": 0}, {"type": "string", "pattern": pattern}]})


Count = Annotated[int, Field(gt=0, le=100_000)]  # of trials, lanes and the like: each costs a record at least
EpochCount = Annotated[float, Field(ge=1e-6, le=1e9)]  # ids have all its digits
Seconds = Annotated[PositiveFloat, BeforeValidator(_seconds), _schema("number", _SECONDS)]
Bytes = Annotated[PositiveInt, BeforeValidator(_bytes), _schema("integer", _BYTES)]
