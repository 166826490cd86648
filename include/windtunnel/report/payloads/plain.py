"""Values as JSON has them."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel


def plain(value: Any) -> Any:
    """The value in JSON's own types; numbers that JSON lacks become None."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def seconds(moment: str) -> float | None:
    """An ISO 8601 moment in seconds since 1970; None of an empty one."""
    return datetime.fromisoformat(moment).timestamp() if moment else None
