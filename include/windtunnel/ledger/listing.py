"""What a listing of results gives: nearly all of each rides along as its object's metadata."""

import json
from collections.abc import Callable

from windtunnel.ledger.records import Result
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


def result_of(entry: Entry, read: Callable[[str], bytes]) -> Result:
    """How a unit ended, without the end of its log.

    Args:
        entry: of its result.
        read: gives the object at a path, for a result whose metadata was too long or got lost in copying.
    """
    unit = entry.path.rsplit("/", 1)[-1].removesuffix(".json")
    if "state" in entry.metadata:
        # One JSON object rather than each field by itself: a listing has thousands of results.
        fields = {**entry.metadata, "trial": json.dumps(unit), "recorded": str(entry.modified.timestamp())}
        pairs = ",".join(f'"{name}":{value}' for name, value in fields.items())
        return Result.model_validate_json(f"{{{pairs}}}")
    result = Result.model_validate_json(read(entry.path))
    return result.model_copy(update={"trial": unit, "recorded": entry.modified.timestamp()})
