"""What `run` and `train` return, as rows of plain values, and which partition each is of."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from windtunnel.errors import WorkloadError
from windtunnel.fleet.records import Row

_MOST_TEXT = 4 * 1024 * 1024  # characters of one mini-batch; a record that is larger than 32 MiB cannot be read again
VALUE = "value"  # column of what is no mapping


def elements(returned: Any) -> list[dict[str, Any]]:
    """The returned elements, each as a row of plain values by column: of a frame, a list, or another sequence.

    Raises:
        WorkloadError: it is nothing of the kind, or too much to be recorded.
    """
    if hasattr(returned, "to_dict") and hasattr(returned, "columns"):  # a frame
        rows = [_row(row) for row in returned.to_dict("records")]
    elif isinstance(returned, (str, bytes, Mapping)) or not isinstance(returned, Iterable):
        kind = type(returned).__name__
        raise WorkloadError(f"run() returned {kind}; allowed: a list with an element for each success, or a frame")
    else:
        rows = [_row(element) for element in returned]
    size = sum(len(value) for row in rows for value in row.values() if isinstance(value, str))
    if size > _MOST_TEXT:
        raise WorkloadError(
            f"what was returned has {size} characters; allowed: {_MOST_TEXT} in all: write the rest to an output"
        )
    return rows


def placed(rows: Sequence[dict[str, Any]], items: Sequence[int]) -> list[Row]:
    """The rows with the places of the partitions that they are of.

    Args:
        rows: that came back.
        items: of each item that was given, the place of its partition.
    """
    if len(set(items)) == 1:
        return [(items[0], row) for row in rows]
    if len(rows) == len(items):
        return list(zip(items, rows, strict=True))
    return [(-1, row) for row in rows]


def metrics_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The numbers of a partition's only row; none where it has several."""
    values = rows[0].items() if len(rows) == 1 else ()
    return {name: float(value) for name, value in values if name != VALUE and _is_number(value)}


def _is_number(value: Any) -> bool:
    """Whether it is a number that a float can be."""
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max


def _row(element: Any) -> dict[str, Any]:
    if hasattr(element, "to_dict"):  # a pandas series
        element = element.to_dict()
    if isinstance(element, Mapping):
        return {_text(name): _plain(value) for name, value in element.items()}
    return {VALUE: _plain(element)}


def _plain(value: Any) -> Any:
    """A value that JSON has: NumPy's and torch's numbers as Python's, what is no number or text as text."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _text(value)


def _text(value: Any) -> str:
    """It as text that UTF-8 can hold: a lone surrogate is written out."""
    return str(value).encode("utf-8", "backslashreplace").decode()
