"""What `run` and `train` return, as rows of plain values, and which partition each is of."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from windtunnel.errors import WorkloadError
from windtunnel.fleet.records import Row

VALUE = "value"  # column of what is no mapping


def elements(returned: Any) -> list[dict[str, Any]]:
    """The returned elements, each as a row of plain values by column: of a frame, a list, or another sequence.

    Raises:
        WorkloadError: it is nothing of the kind.
    """
    if hasattr(returned, "to_dict") and hasattr(returned, "columns"):  # a frame
        return [_row(row) for row in returned.to_dict("records")]
    if isinstance(returned, (str, bytes, Mapping)) or not isinstance(returned, Iterable):
        kind = type(returned).__name__
        raise WorkloadError(f"run() returned {kind}; allowed: a list with an element for each success, or a frame")
    return [_row(element) for element in returned]


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
    return {name: float(value) for name, value in values if isinstance(value, (int, float)) and name != VALUE}


def _row(element: Any) -> dict[str, Any]:
    if hasattr(element, "to_dict"):  # a pandas series
        element = element.to_dict()
    if isinstance(element, Mapping):
        return {str(name): _plain(value) for name, value in element.items()}
    return {VALUE: _plain(element)}


def _plain(value: Any) -> Any:
    """A value that JSON has: NumPy's and torch's numbers as Python's, what is no number or text as text."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
