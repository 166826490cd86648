"""What a listing of results gives: nearly all of each rides along as its object's metadata."""

import json
from collections.abc import Callable

from pydantic import ValidationError

from windtunnel.errors import UnreadableError
from windtunnel.ledger.records import Result, State
from windtunnel.stores.base import METADATA_LIMIT, Entry, Metadata

_UNLISTED = {"trial", "log_tail"}
_MESSAGE = 1000  # bytes of a message that rides along; a longer one stands in the result alone


def metadata_of(result: Result) -> Metadata:
    """The metadata of a result; where it is too long, a mark that the result itself is to be read."""
    fields = {name: json.dumps(value) for name, value in result.model_dump(mode="json", exclude=_UNLISTED).items()}
    if len(fields["message"]) > _MESSAGE:
        del fields["message"]
    size = sum(len(name) + len(value) for name, value in fields.items())
    return fields if size <= METADATA_LIMIT else {"body": "true"}


def result_of(entry: Entry, read: Callable[[str], Result]) -> Result:
    """How a unit ended, without the end of its log.

    Args:
        entry: of its result.
        read: gives the result at a path, for one whose metadata was too long, got lost in copying, or is none.
    """
    unit = _unit(entry.path)
    of_entry = {"trial": unit, "recorded": entry.modified.timestamp()}
    result = _listed(dict(entry.metadata) | {name: json.dumps(value) for name, value in of_entry.items()})
    return result or read(entry.path).model_copy(update=of_entry)


def unreadable_result(path: str, error: UnreadableError) -> Result:
    """What stands for a result that cannot be read: the unit failed."""
    return Result(trial=_unit(path), state=State.FAILED, kind="unreadable", message=str(error))


def _unit(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".json")


def _listed(fields: Metadata) -> Result | None:
    """The result that these fields in JSON make up; None where they make up none."""
    # One JSON object rather than each field by itself: a listing has thousands of results.
    pairs = (f'"{name}":{value}' for name, value in fields.items())
    try:
        return Result.model_validate_json(f"{{{','.join(pairs)}}}")
    except ValidationError:
        return None
