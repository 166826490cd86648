"""The format of a ledger: what its ids are made of. Its number is in `search.json`."""

from collections.abc import Mapping
from typing import Any

from windtunnel.errors import LedgerError

FORMAT = 2
_FIRST = 1  # of version 0.1.0, which wrote no number


def require_readable(record: Mapping[str, Any], url: str) -> None:
    """Refuse a ledger of a newer format; the records of older ones can be read.

    Args:
        record: what `search.json` holds.
        url: of the run.

    Raises:
        LedgerError: the format is a newer one, or no number.
    """
    number = _number(record)
    if not isinstance(number, int) or isinstance(number, bool):
        raise LedgerError(f"{url}/search.json: format: found {number!r}; allowed: a whole number")
    if number > FORMAT:
        raise LedgerError(
            f"{url} was made by {maker(record)} and has format {number}; this version reads formats up to {FORMAT}: "
            "upgrade Windtunnel"
        )


def has_other_ids(record: Mapping[str, Any]) -> bool:
    """Whether the ledger's ids were made otherwise: the same trial has another id there."""
    return bool(_number(record) != FORMAT)


def maker(record: Mapping[str, Any]) -> str:
    """The version of Windtunnel that began the run, for people."""
    versions = record.get("versions")
    version = versions.get("windtunnel") if isinstance(versions, Mapping) else None
    return f"Windtunnel {version}" if isinstance(version, str) else "another version of Windtunnel"


def _number(record: Mapping[str, Any]) -> Any:
    return record.get("format", _FIRST)
